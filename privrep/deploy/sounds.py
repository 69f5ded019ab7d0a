"""Log-Mel frames of audio files and waveforms, and notes on them (host)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from privrep.cores import usable_cores
from privrep.deploy.recordings import Audio, Frames
from privrep.inputs.audio import (
    CANCELLED,
    FeatureSettings,
    Heard,
    UnusableUtterance,
    heard,
    read_samples,
)
from privrep.inputs.extraction import map_in_order
from privrep.messages import first
from privrep.types import Utterance

LARGEST = 1.5  # of samples in [-1, 1]: lossy codecs and resampling overshoot, other scales far more
SHORTEST = 0.3  # seconds; a syllable, of which no emotion is heard
LONGER = 2.0  # times the longest recording of the corpus
_PATTERN = "*?["  # characters of a pattern that a shell replaces by the files that match


class Sound(NamedTuple):
    """A recording that was read.

    Attributes:
      heard: its frames.
      rate: of its samples, in Hz.
    """

    heard: Heard
    rate: int


def frames_of_audio(
    audio: Sequence[Audio],
    ids: Sequence[str],
    rate: int | None,
    settings: FeatureSettings,
    longest: float | None = None,
    progress: bool = False,
) -> tuple[list[Frames], list[str]]:
    """Log-Mel frames of files or waveforms, and sentences about what is unlike the training data.

    Args:
      audio: N paths of audio files, or waveforms of real numbers in [-1, 1], [n] or [n, channels].
      ids: N names, for messages.
      rate: of the waveforms in Hz; other rates than the model's are resampled, as in training.
      settings: of the frames.
      longest: seconds of the longest recording of the corpus; None where that is not known.
      progress: whether a progress bar is shown.

    Returns:
      float16[T, F] of each, or why there is none: what training cannot use either, samples far
      outside [-1, 1], and silence and constant sound, of which h would say nothing.

    Raises:
      ValueError: waveforms without a rate.
    """
    of_waves = 0
    if any(isinstance(sound, np.ndarray) for sound in audio):
        of_waves = _checked_rate(rate)

    def sound_of(item: tuple[str, Audio]) -> Sound | UnusableUtterance:
        id_, sound = item
        path = None if isinstance(sound, np.ndarray) else Path(sound)
        utterance = Utterance(id_, None, wav=path)
        try:
            if isinstance(sound, np.ndarray):
                samples, rate = _samples(id_, sound), of_waves
            else:
                _check_path(id_, Path(sound))
                samples, rate = read_samples(utterance)
            _check_scale(utterance, samples)
            result = heard(utterance, samples, rate, settings)
        except UnusableUtterance as fault:
            return fault
        if result.remark and result.remark != CANCELLED:
            return UnusableUtterance(id_, path, result.remark)
        return Sound(result, rate)

    results = map_in_order(sound_of, zip(ids, audio), usable_cores())
    bar = tqdm(results, "reading", len(ids), unit=" recordings", disable=not progress, delay=2)
    frames: list[Frames] = []
    of_note: dict[str, list[str]] = {}
    for id_, result in zip(ids, bar):
        if isinstance(result, UnusableUtterance):
            frames.append(result)
            continue
        frames.append(result.heard.frames.astype(np.float16))
        for note in _notes(result, settings, longest):
            of_note.setdefault(note, []).append(id_)
    return frames, [f"{note}: {first(names)}" for note, names in of_note.items()]


def _checked_rate(rate: int | None) -> int:
    """The rate of waveforms.

    Raises:
      ValueError: it is missing, or not a whole number of Hz.
    """
    if rate is None or (not isinstance(rate, bool) and rate == 0):
        raise ValueError("of waveforms give the sample_rate in Hz")
    is_number = isinstance(rate, int | float | np.integer | np.floating)
    if isinstance(rate, bool) or not is_number or not rate > 0 or rate % 1 != 0:
        raise ValueError(f"sample_rate={rate!r}: a whole number of Hz above 0 is expected")
    return int(rate)


def _notes(sound: Sound, settings: FeatureSettings, longest: float | None) -> list[str]:
    """What makes a recording unlike those that the model was trained on."""
    notes, seconds = [], sound.heard.seconds
    if sound.heard.remark:
        notes.append(sound.heard.remark)
    if sound.rate < 2 * (settings.mel_high_hz or settings.sample_rate / 2):
        notes.append(
            f"sampled at {sound.rate} Hz, below the {settings.sample_rate} Hz of the model, whose "
            "upper bands stay empty"
        )
    if seconds < SHORTEST:
        notes.append(f"shorter than {SHORTEST:g} s, in which hardly anything is heard")
    used = min(seconds, settings.max_seconds or seconds)
    if longest is not None and used > LONGER * longest:
        notes.append(
            f"more than {LONGER:g} times as long as the longest of the training corpus "
            f"({longest:.1f} s): cut them into utterances"
        )
    return notes


def _check_path(id_: str, path: Path) -> None:
    if path.is_dir():
        raise UnusableUtterance(id_, path, "is a folder: name its files")
    if not path.exists() and any(c in str(path) for c in _PATTERN):
        raise UnusableUtterance(id_, path, "no file matches")


def _check_scale(utterance: Utterance, samples: np.ndarray) -> None:
    largest = float(np.abs(samples).max(initial=0))
    if largest > LARGEST:
        raise UnusableUtterance(
            utterance.id,
            utterance.wav,
            "samples are out of scale, [-1, 1] is expected",
            f"the largest is {largest:.6g}; of 16-bit numbers divide by 32768",
        )


def _samples(id_: str, waveform: np.ndarray) -> np.ndarray:
    """float32[n, channels] of a waveform [n] or [n, channels]."""
    shape = list(waveform.shape)
    if waveform.ndim not in (1, 2) or waveform.dtype.kind != "f":
        raise UnusableUtterance(
            id_,
            None,
            "waveform is not [n] or [n, channels] in [-1, 1]",
            f"{waveform.dtype} {shape}",
        )
    if waveform.size == 0:
        raise UnusableUtterance(id_, None, "audio empty")
    if waveform.ndim == 2 and shape[0] < shape[1]:
        raise UnusableUtterance(
            id_, None, "waveform is not [n, channels]: transpose it", f"shape {shape}"
        )
    if not np.isfinite(waveform).all():
        raise UnusableUtterance(id_, None, "audio has samples that are not finite")
    return np.ascontiguousarray(waveform.reshape(len(waveform), -1), np.float32)
