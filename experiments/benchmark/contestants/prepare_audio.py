"""Preparing audio: privrep's whole way from wav files to arrays, and librosa's log-Mel frames."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from experiments.benchmark.rounds import Started
from experiments.benchmark.work import FRAMES_PER_SECOND, draw_lengths
from privrep.inputs.audio import FeatureSettings, read_log_mel
from privrep.inputs.cache import prepare
from privrep.inputs.extraction import FeatureSources
from privrep.types import Utterance

RATE = 16_000  # Hz


def _write(minutes: float) -> tuple[list[Utterance], float]:
    """Wav files of noise that swells and fades as syllables do, and their length in hours."""
    folder, rng = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    utterances, seconds = [], 0.0
    for i, length in enumerate(draw_lengths(0, 10_000) / FRAMES_PER_SECOND):
        if seconds >= minutes * 60:
            break
        time_axis = np.arange(int(length * RATE)) / RATE
        wave = rng.standard_normal(len(time_axis)) * (0.06 + 0.05 * np.sin(25 * time_axis))
        soundfile.write(folder / f"{i}.wav", wave, RATE, "PCM_16")
        utterances.append(Utterance(id=f"{i}", speaker=f"{i % 10}", wav=folder / f"{i}.wav"))
        seconds += len(time_axis) / RATE
    return utterances, seconds / 3600


def prepared(minutes: float, workers: int | None) -> Started:
    """A round prepares the audio into an empty cache; `workers` None is one per core."""
    utterances, hours = _write(minutes)

    def run_round() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as cache:
            features = prepare(
                "noise",
                utterances,
                FeatureSources(acoustic=FeatureSettings()),
                Path(cache),
                workers=workers,
                progress=False,
            )
            if not features.built:
                raise RuntimeError("the cache was not empty")
        return {}

    return Started(hours, run_round)


def frames(minutes: float) -> Started:
    """A round reads the audio and computes its log-Mel frames, and keeps none."""
    settings = FeatureSettings()
    return _of_each(minutes, lambda utterance: read_log_mel(utterance, settings))


def librosa_frames(minutes: float) -> Started:
    """As `frames`, with librosa's log-Mel frames (without pre-emphasis and removal of the mean)."""
    import librosa

    settings = FeatureSettings()

    def log_mel(utterance: Utterance) -> np.ndarray:
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
        return np.log(np.maximum(mel, np.finfo(np.float32).eps))

    return _of_each(minutes, log_mel)


def _of_each(minutes: float, compute: Callable[[Utterance], Any]) -> Started:
    utterances, hours = _write(minutes)

    def run_round() -> dict[str, float]:
        for utterance in utterances:
            compute(utterance)
        return {}

    return Started(hours, run_round)
