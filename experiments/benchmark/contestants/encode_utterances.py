"""Encoding, one utterance after another, by `privrep.load` and by files in onnxruntime.

The files need no jax, and this module imports none for them: their memory is their own.
"""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmark.rounds import Started

RATE = 16_000  # Hz
NUM_WORDS = 20  # of a transcript


def _sound(seconds: float) -> np.ndarray:
    """float32[n], noise that swells and fades as syllables do."""
    time_axis = np.arange(int(seconds * RATE)) / RATE
    swelling = 0.06 + 0.05 * np.sin(25 * time_axis)
    noise = np.random.default_rng(0).standard_normal(len(time_axis))
    return (noise * swelling).astype(np.float32)


def _text() -> str:
    return " ".join(f"w{i}" for i in range(1, NUM_WORDS + 1))


def by_jax(folder: str, modality: str, seconds: float, count: int) -> Started:
    """A round encodes `count` utterances, each in a call of its own."""
    from privrep import Recordings, load

    model = load(Path(folder, modality))
    given: dict[str, Any] = {}
    if model.description.acoustic is not None:
        given |= {"audio": [_sound(seconds)], "sample_rate": RATE}
    if model.description.lexical is not None:
        given["transcripts"] = [_text()]
    recordings = Recordings(**given)

    def run_round() -> dict[str, float]:
        for _ in range(count):
            model.encode(recordings)
        return {}

    return Started(count, run_round)


def by_onnx(folder: str, modality: str, seconds: float, count: int, file: str) -> Started:
    """The same by a file, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(Path(folder, modality, file))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    numbers = np.arange(1, NUM_WORDS + 1)
    every = {"waveform": _sound(seconds), "word_numbers": numbers.astype(np.int64)}
    inputs = {needed.name: every[needed.name] for needed in session.get_inputs()}

    def run_round() -> dict[str, float]:
        for _ in range(count):
            session.run(["h"], inputs)
        return {}

    return Started(count, run_round)
