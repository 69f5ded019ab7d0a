"""Preparing audio: this project's whole way from wav files to arrays, and librosa's Mel frames.

python -m experiments.benchmark.contestants.prepare_audio NAME JSON   (by experiments.benchmark)
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from experiments.benchmark.rounds import serve
from experiments.benchmark.work import FRAMES_PER_SECOND, draw_lengths
from privrep.inputs.audio import FeatureSettings, read_log_mel
from privrep.inputs.cache import prepare
from privrep.inputs.extraction import FeatureSources
from privrep.types import Utterance

RATE = 16_000


def _write(folder: Path, minutes: float) -> tuple[list[Utterance], float]:
    """Wav files of noise that swells and fades as syllables do, and how many seconds they are."""
    rng = np.random.default_rng(0)
    utterances, seconds = [], 0.0
    for i, length in enumerate(draw_lengths(0, 10_000) / FRAMES_PER_SECOND):
        if seconds >= minutes * 60:
            break
        time_axis = np.arange(int(length * RATE)) / RATE
        wave = rng.standard_normal(len(time_axis)) * (0.06 + 0.05 * np.sin(25 * time_axis))
        soundfile.write(folder / f"{i}.wav", wave, RATE, "PCM_16")
        utterances.append(Utterance(id=f"{i}", speaker=f"{i % 10}", wav=folder / f"{i}.wav"))
        seconds += len(time_axis) / RATE
    return utterances, seconds


def ours(minutes: float, workers: int | None):
    """A round prepares the audio into an empty cache, and then reads it back as a second run does.

    `workers` None is one per core.
    """
    folder = Path(tempfile.mkdtemp())
    utterances, seconds = _write(folder, minutes)

    def prepared(cache: Path) -> bool:
        return prepare(
            "noise",
            utterances,
            FeatureSources(acoustic=FeatureSettings()),
            cache,
            workers=workers,
            progress=False,
        ).built

    def once() -> dict[str, float]:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            clocks = [(time.perf_counter(), time.process_time())]
            for built in (True, False):
                if prepared(Path(cache)) != built:
                    raise RuntimeError("the cache was not empty at first, or not used then")
                clocks.append((time.perf_counter(), time.process_time()))
        (start, cpu_start), (middle, cpu_middle), (end, _) = clocks
        return {
            "seconds": middle - start,
            "cpu_seconds": cpu_middle - cpu_start,
            "second_call_seconds": end - middle,
        }

    return {"units": seconds / 3600}, once


def frames(minutes: float):
    """A round reads the audio and computes its log-Mel frames, and keeps none."""
    utterances, seconds = _write(Path(tempfile.mkdtemp()), minutes)
    settings = FeatureSettings()

    def once() -> dict[str, float]:
        for utterance in utterances:
            read_log_mel(utterance, settings)
        return {}

    return {"units": seconds / 3600}, once


def librosa_frames(minutes: float):
    """As `frames`, with librosa's log-Mel frames (without pre-emphasis and removal of the mean)."""
    import librosa

    utterances, seconds = _write(Path(tempfile.mkdtemp()), minutes)
    settings = FeatureSettings()

    def once() -> dict[str, float]:
        for utterance in utterances:
            wave, rate = soundfile.read(utterance.wav, dtype="float32")
            mel = librosa.feature.melspectrogram(
                y=wave,
                sr=rate,
                n_fft=512,
                win_length=settings.frame_length,
                hop_length=settings.frame_shift,
                n_mels=settings.num_mel_bands,
                fmin=settings.mel_low_hz,
                fmax=settings.mel_high_hz,
            )
            np.log(np.maximum(mel, np.finfo(np.float32).eps))
        return {}

    return {"units": seconds / 3600}, once


if __name__ == "__main__":
    serve({"ours": ours, "frames": frames, "librosa": librosa_frames})
