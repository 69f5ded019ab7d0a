"""Model folders with random parameters, which tests encode with."""

from functools import cache

import jax
import numpy as np
from flax.core import FrozenDict

from privrep.deploy.description import AcousticInput, Description, LexicalInput, TaskOutput
from privrep.deploy.model_folder import write_model
from privrep.deploy.network import network
from privrep.inputs.audio import FeatureSettings
from privrep.types import Utterances
from privrep.unlearning import person_release, stand_ins
from privrep.unlearning.releases import RELEASES, ReleaseInputs, to_arrays

BANDS, WIDTH, RATE = 8, 8, 16000
SMALL = {"gru_layers": 1, "gru_width": 8, "dense_width": WIDTH}
ACOUSTIC = {"conv_layers": 1, "num_kernels": 8, **SMALL}
LEXICAL = {"table_size": 4, "word_size": 8, **SMALL}
VOCABULARY = ("<unk>", "day", "sad", "the")
CLASSES = ("low", "mid", "high")


def description(**changes):
    """Of an acoustic model of log-Mel frames in units of its training part, as it is released."""
    values = {
        "encoders": {"acoustic": ACOUSTIC},
        "head_layers": 1,
        "head_width": WIDTH,
        "precision": "float32",
        "release": "none",
        "relative": False,
        "running": False,
        "n0": 5.0,
        "acoustic": AcousticInput(BANDS, "train", FeatureSettings(num_mel_bands=BANDS)),
        "lexical": None,
        "task": TaskOutput("activation", CLASSES),
        "private": {"gender": ("female", "male")},
        "training": {"recipe": "none", "fold": 0, "settings": {"enrolment": 20}},
        "privacy": {"figures": {"gender_pooled_verdict": "leaks"}},
    }
    return Description(**(values | changes))


WORDS = {
    "encoders": {"lexical": LEXICAL},
    "acoustic": None,
    "lexical": LexicalInput("learned", 8),
}
READY = {"acoustic": AcousticInput(BANDS, "none", None)}
OF_SPEAKER = {"acoustic": AcousticInput(BANDS, "speaker", FeatureSettings(num_mel_bands=BANDS))}


def write(folder, **changes):
    """Writes a model folder of this description; returns the folder."""
    described = description(**changes)
    params = _params(
        *(tuple(sorted((n, FrozenDict(s)) for n, s in described.encoders.items())),),
        described.task.num_outputs,
        described.head_layers,
    )
    inputs = {}
    if described.acoustic is not None and described.acoustic.normalise == "train":
        inputs = {"frame_mean": np.full(BANDS, -9, np.float32)}
        inputs["frame_scale"] = np.full(BANDS, 0.3, np.float32)
    if described.lexical is not None and described.lexical.kind != "ready":
        inputs["vocabulary"] = np.array(VOCABULARY)
    write_model(folder, described, params, learned(described, params), inputs)
    return folder


@cache
def _params(encoders, num_outputs, head_layers):
    net = network(dict(encoders), num_outputs, head_layers, WIDTH)
    frames, words = np.zeros((1, 16, BANDS), np.float32), np.zeros((1, 4), np.int32)
    length = np.full(1, 4, np.int32)
    init = jax.jit(lambda key: net.init(key, Utterances(frames, length, words, length)))
    return jax.tree.map(np.asarray, init(jax.random.key(3))["params"])


def learned(described, params):
    """What the release has learned of random h of eight speakers."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(8), 10).astype(np.int32)
    width = WIDTH * len(described.encoders)
    h = (rng.normal(size=(80, width)) + 0.3 * rng.normal(size=(8, width))[speaker]).astype("f")
    head = (None, None)
    if described.head_layers == 1:
        head = params["emotion_head"]["kernel"], params["emotion_head"]["bias"]
    task = rng.integers(0, described.task.num_outputs, 80).astype(np.int32)
    train = np.ones(80, bool)
    gender = {"gender": speaker % 2}
    inputs = ReleaseInputs(*head, task, gender, {"gender": 2}, train, {"gender": np.float32(1)})
    of_state = described.release in person_release.PERSON_RELEASES
    is_linear = described.head_layers == 1
    release = RELEASES[described.release if not of_state and is_linear else "none"]
    result = jax.jit(lambda h: release.learn(h, inputs=inputs))(h)
    if of_state:
        result = result._replace(person=person_release.learn(h, speaker, train))
    if described.release == "decision" and not is_linear:
        net = network(described.encoders, described.task.num_outputs, 2, WIDTH)

        def emotion(h):
            return net.apply({"params": params}, h, method="emotion")

        result = result._replace(stand_ins=stand_ins.learn(emotion, h, train))
    return {name: np.asarray(array) for name, array in to_arrays(result).items()}


def tones(count, seconds=0.2, seed=0):
    """Waveforms float32[n] of tones in noise, each longer than the one before."""
    rng = np.random.default_rng(seed)
    waves = []
    for i in range(count):
        time = np.arange(int(RATE * (seconds + 0.03 * i))) / RATE
        tone = np.sin(2 * np.pi * (200 + 40 * i) * time) + 0.1 * rng.normal(size=len(time))
        waves.append((0.2 * tone).astype(np.float32))
    return waves
