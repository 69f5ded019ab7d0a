"""Acoustic frames float32[T, F] of an utterance, from its audio file (host)."""

import functools
import re
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from privrep.formats.text_files import LFS_POINTER, is_lfs_pointer
from privrep.inputs.mel_filterbank import Filterbank, build_filterbank, mel_energies
from privrep.types import Utterance

# Incremented whenever a change below changes a value, so that the cache is built again.
FEATURES_VERSION = "1.2.0"

# Remarks on audio that can be read.
SILENT = "audio silent"
CONSTANT = "audio constant"
CANCELLED = "channels cancel out in their mean, the loudest was taken"

FLOOR = np.finfo(np.float32).eps  # kaldi's; about the noise of 16-bit samples
_SILENT = 2.0**-14  # largest deviation from the mean: two steps of 16-bit samples
_CANCELLED_BELOW = 0.1  # of the channels' deviation, what is left of it in their mean
_BLOCK = 1 << 16  # samples that are read at once where they are not needed
_MIN_COMPLETE = 0.95  # fraction of the declared samples below which a file counts as truncated


class UnusableUtterance(ValueError):
    """An utterance without usable input.

    Attributes:
      utterance_id: the utterance.
      path: its file, if it has one.
      reason: the same words for all faults of one kind, so that they can be counted.
    """

    def __init__(
        self, utterance_id: str, path: Path | str | None, reason: str, detail: str = ""
    ) -> None:
        super().__init__(
            f"utterance {utterance_id}: {reason}"
            + (f" ({detail})" if detail else "")
            + (f": {path}" if path is not None else "")
        )
        self.utterance_id, self.path, self.reason = utterance_id, path, reason


@dataclass(frozen=True)
class FeatureSettings:
    """Settings of the log-Mel frames. The paper states none of them; the defaults are common ones.

    Attributes:
      sample_rate: Hz; audio of another rate is resampled.
      num_mel_bands: F, at least 3.
      frame_length_ms, frame_shift_ms: length of the analysis window and step between windows.
      mel_low_hz, mel_high_hz: range of the bands; high 0 or None is half the sample rate.
      max_seconds: longer utterances are cut; 0 or None cuts none. Ready features are never cut.

    Raises:
      ValueError: settings that leave no samples, frames or bands.
    """

    sample_rate: int = 16000
    num_mel_bands: int = 40
    frame_length_ms: float = 25.0
    frame_shift_ms: float = 10.0
    mel_low_hz: float = 20.0
    mel_high_hz: float | None = 8000.0
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        nyquist = self.sample_rate / 2
        if self.sample_rate <= 0:
            raise ValueError(f"sample_rate must be above 0 Hz, not {self.sample_rate}")
        if self.num_mel_bands < 3:  # kaldi's least
            raise ValueError(f"num_mel_bands must be at least 3, not {self.num_mel_bands}")
        if self.frame_length < 2 or self.frame_shift < 1:
            raise ValueError(
                f"frame_length_ms must hold at least 2 samples and frame_shift_ms at least 1; "
                f"{self.frame_length_ms} and {self.frame_shift_ms} ms at {self.sample_rate} Hz "
                f"are {self.frame_length} and {self.frame_shift}"
            )
        if not 0 <= self.mel_low_hz < (self.mel_high_hz or nyquist) <= nyquist:
            raise ValueError(
                f"the Mel bands must lie within 0 to {nyquist:g} Hz (half of sample_rate "
                f"{self.sample_rate}) with mel_low_hz below mel_high_hz; "
                f"they are {self.mel_low_hz:g} to {self.mel_high_hz or nyquist:g} Hz"
            )
        if self.max_seconds and self.max_seconds * self.sample_rate < self.frame_length:
            raise ValueError(
                f"max_seconds must be at least one frame of {self.frame_length_ms} ms "
                f"(or 0 for no limit), not {self.max_seconds}"
            )

    @property
    def frame_length(self) -> int:
        """Samples in a frame."""
        return int(self.sample_rate * self.frame_length_ms / 1000)

    @property
    def frame_shift(self) -> int:
        """Samples between the starts of two frames."""
        return int(self.sample_rate * self.frame_shift_ms / 1000)


def read_audio(utterance: Utterance, sample_rate: int) -> np.ndarray:
    """The utterance's waveform, float32[n] in [-1, 1]: mono (mean of channels), resampled.

    Of channels of opposite phase, which their mean would lose, the loudest is taken.

    Raises:
      UnusableUtterance: the file is missing, unreadable, truncated or empty, does not reach the
        utterance's start and end, or holds samples that are not finite.
    """
    samples, rate = read_samples(utterance)
    return _at_rate(_mono(samples, _remark(samples)), rate, sample_rate)


def _at_rate(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    return waveform if rate == sample_rate else soxr.resample(waveform, rate, sample_rate)


def _remark(samples: np.ndarray) -> str:
    """SILENT, CONSTANT or CANCELLED where samples float[n, channels] are so, else ""."""
    centred = samples - samples.mean(0)
    if np.abs(centred).max() <= _SILENT:
        return CONSTANT if np.abs(samples).max() > _SILENT else SILENT
    if samples.shape[1] == 1:
        return ""
    left = np.sqrt((centred.mean(1) ** 2).mean() / (centred**2).mean())
    return CANCELLED if left < _CANCELLED_BELOW else ""


def _mono(samples: np.ndarray, remark: str = "") -> np.ndarray:
    """float32[n] of float32[n, channels]: their mean, or of CANCELLED channels the loudest."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    if remark == CANCELLED:
        return np.ascontiguousarray(samples[:, np.argmax(samples.var(0))])
    return samples.mean(axis=1)


def read_samples(utterance: Utterance) -> tuple[np.ndarray, int]:
    """Samples float32[n, channels] of the utterance's file as they are, and their rate in Hz.

    Raises:
      UnusableUtterance: as `read_audio`.
    """
    path = utterance.wav
    fault = functools.partial(UnusableUtterance, utterance.id, path)
    if path is None:
        raise fault("no audio file named")
    if not path.is_file():
        raise fault("audio file missing")
    if path.stat().st_size == 0:
        raise fault("audio file empty")
    if is_lfs_pointer(path):
        raise fault(LFS_POINTER)
    return _plain_wave(path, utterance) or _any_audio(path, utterance, fault)


def _plain_wave(path: Path, utterance: Utterance) -> tuple[np.ndarray, int] | None:
    """Samples and rate of an intact 16-bit wav file; None for any other file.

    Most corpora consist of such files, and libsndfile takes twice as long to read them.
    """
    try:
        with wave.open(str(path)) as file:
            rate, channels = file.getframerate(), file.getnchannels()
            samples = file.getnframes()
            first = round((utterance.start or 0.0) * rate)
            last = samples if utterance.end is None else round(utterance.end * rate)
            is_complete = rate > 0 and 2 * channels * samples < path.stat().st_size
            if file.getsampwidth() != 2 or not is_complete or not first < last <= samples:
                return None
            file.setpos(first)
            pcm = np.frombuffer(file.readframes(last - first), np.int16)
    except (wave.Error, EOFError, OSError):
        return None
    if len(pcm) != channels * (last - first):
        return None
    return (pcm * np.float32(2**-15)).reshape(-1, channels), rate


def _any_audio(
    path: Path, utterance: Utterance, fault: Callable[..., UnusableUtterance]
) -> tuple[np.ndarray, int]:
    """Samples and rate of any file that libsndfile reads.

    Args:
      path: the file.
      utterance: for its start and end.
      fault: makes the error of a reason and its details.

    Raises:
      UnusableUtterance: as `read_audio`.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            declared = _declared_samples(file)
            first = round((utterance.start or 0.0) * rate)
            last = declared if utterance.end is None else round(utterance.end * rate)
            if last <= first:
                raise fault("audio empty", f"{first / rate:g} s to {last / rate:g} s")
            _skip(file, min(first, file.frames))
            samples = file.read(last - first, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise fault("audio unreadable", str(error)) from error
    if len(samples) < _MIN_COMPLETE * (last - first):
        raise fault(
            "audio truncated", f"{len(samples) / rate:.2f} of {(last - first) / rate:.2f} s"
        )
    if not np.isfinite(samples).all():
        raise fault("audio has samples that are not finite")
    return samples, rate


def _skip(file: soundfile.SoundFile, samples: int) -> None:
    """Moves on by `samples`, also in GSM 6.10, G.721 and others, which libsndfile cannot seek."""
    if file.seekable():
        file.seek(samples)
        return
    for start in range(0, samples, _BLOCK):
        file.read(min(_BLOCK, samples - start), dtype="float32")


def _declared_samples(file: soundfile.SoundFile) -> int:
    # libsndfile silently trims the length of a truncated wav and reports that only in its log.
    # Writers that do not know the length beforehand declare the largest one, which is no evidence.
    log = re.search(r"^data *: (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if log is None or int(log[1]) >= 2**31 - 2**16 or int(log[2]) == 0:
        return file.frames
    return max(file.frames, file.frames * int(log[1]) // int(log[2]))


class Heard(NamedTuple):
    """The log-Mel frames of an utterance.

    Attributes:
      frames: float32[T, F].
      seconds: length of the audio.
      remark: SILENT, CONSTANT or CANCELLED, of the samples that the frames are made of, or "".
    """

    frames: np.ndarray
    seconds: float
    remark: str


def read_log_mel(utterance: Utterance, settings: FeatureSettings) -> Heard:
    """The utterance's log-Mel frames.

    Raises:
      UnusableUtterance: as `read_audio`, or the audio is shorter than one frame.
    """
    return heard(utterance, *read_samples(utterance), settings)


def heard(utterance: Utterance, samples: np.ndarray, rate: int, settings: FeatureSettings) -> Heard:
    """The log-Mel frames of samples that are in memory, as `read_log_mel` of a file that has them.

    Args:
      utterance: whose they are, for messages.
      samples: float32[n, channels] in [-1, 1].
      rate: their rate in Hz.

    Raises:
      UnusableUtterance: the audio is shorter than one frame.
    """
    used = samples[: int(settings.max_seconds * rate)] if settings.max_seconds else samples
    remark = _remark(used)
    waveform = _at_rate(_mono(samples, remark), rate, settings.sample_rate)
    seconds = len(waveform) / settings.sample_rate
    if len(waveform) < settings.frame_length:
        raise UnusableUtterance(
            utterance.id, utterance.wav, "audio shorter than one frame", f"{seconds * 1000:.1f} ms"
        )
    return Heard(log_mel(waveform, settings), seconds, remark)


def log_mel(waveform: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Log-Mel filterbank energies of a waveform, as Kaldi computes them.

    Without dither and padding, each frame is reduced by its mean, pre-emphasised by 0.97 and
    multiplied by the "povey" window (Hann to the power 0.85); its power spectrum is summed under
    triangles on the HTK Mel scale m = 1127 ln(1 + f / 700), floored at 1.2e-7, and the natural
    logarithm is taken.

    Args:
      waveform: float32[n] at `settings.sample_rate`.
      settings: window, step and bands.

    Returns:
      float32[T, F], T = 1 + (n - length) // shift.

    Raises:
      ValueError: the waveform is shorter than one frame, or a band holds no frequency.
    """
    if settings.max_seconds:
        waveform = waveform[: int(settings.max_seconds * settings.sample_rate)]
    if len(waveform) < settings.frame_length:
        raise ValueError(
            f"{len(waveform)} samples are shorter than one frame of {settings.frame_length}"
        )
    energies = mel_energies(waveform, _filterbank(settings))
    np.maximum(energies, FLOOR, out=energies)
    return np.ascontiguousarray(np.log(energies, out=energies).T)


@functools.lru_cache
def _filterbank(settings: FeatureSettings) -> Filterbank:
    return build_filterbank(
        settings.sample_rate,
        settings.frame_length,
        settings.frame_shift,
        settings.num_mel_bands,
        settings.mel_low_hz,
        settings.mel_high_hz or settings.sample_rate / 2,
    )
