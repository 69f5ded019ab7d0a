"""Normalisation of frames to mean 0 and standard deviation 1, per speaker or training part (host).

The moments of a training part are applied on the device, where every run has its own part.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.types import Ragged, room, take_rows

STATISTICS = {  # of each normalisation, in a sentence
    "speaker": "in units of each speaker's own frames, those of test speakers too",
    "train": "in units of the frames of the training part",
    "none": "not normalised",
}
NORMALISATIONS = tuple(STATISTICS)

_MIN_SD = 1e-5  # a band that never changes becomes 0, without a division by 0


class FrameMoments(NamedTuple):
    """What has to be known of a speaker's frames to normalise them; sums, so that they add up.

    Attributes:
      num_frames: their number.
      total, squares: float64[F], the sums of the frames and of their squares.
    """

    num_frames: float
    total: np.ndarray
    squares: np.ndarray


def moments_of(frames: Sequence[np.ndarray], before: FrameMoments | None = None) -> FrameMoments:
    """The moments of utterances' frames float[T, F], one or more, and of those `before`.

    >>> two = moments_of([np.array([[1.0], [3.0]], np.float16)])
    >>> moments_of([np.array([[5.0]], np.float16)], two)
    FrameMoments(num_frames=3.0, total=array([9.]), squares=array([35.]))
    """
    zeros = np.zeros(frames[0].shape[1])
    count, total, squares = before or FrameMoments(0, zeros, zeros)
    for utterance in frames:
        rows = utterance.astype(np.float64)
        count = count + float(len(rows))
        total = total + rows.sum(axis=0)
        squares = squares + np.einsum("tf,tf->f", rows, rows)
    return FrameMoments(count, total, squares)


def normalise_by(frames: np.ndarray, moments: FrameMoments) -> np.ndarray:
    """The frames float[T, F] in units of these moments, as `normalise_per_speaker` of them all.

    Where a feature never varied in what the moments are of, and does here, it may be infinite.
    """
    mean, sd = units_of(moments)
    with np.errstate(over="ignore"):
        return ((frames - mean) / sd).astype(frames.dtype)


def units_of(moments: FrameMoments) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float64[F] each, by which `normalise_by` normalises."""
    return _mean_and_sd(*moments)


def normalise_per_speaker(frames: Ragged, speakers: Sequence[str | None]) -> Ragged:
    """z = (x - mean) / sd, per band over all frames of the speaker (as the paper does).

    The normalisation is transductive in the speaker: a test speaker is normalised by all of that
    speaker's input, without any label. An utterance of an unknown speaker (None) is normalised by
    its own frames.

    Args:
      frames: float[M, F] ragged, of N utterances.
      speakers: [N].

    Returns:
      float[M, F] ragged, in the dtype of `frames`, end to end in memory that devices can share.

    Raises:
      ValueError: not one speaker per utterance.
    """
    if len(speakers) != len(frames.length):
        raise ValueError(f"{len(speakers)} speakers for {len(frames.length)} utterances")
    owners = [("utterance", i) if s is None else ("speaker", s) for i, s in enumerate(speakers)]
    number = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
    group = np.array([number[owner] for owner in owners], np.int64)
    mean, sd = _moments(frames, group, len(number))
    start = np.cumsum(frames.length, dtype=np.int64) - frames.length
    values = room((int(frames.length.sum()), frames.values.shape[1]), frames.values.dtype)
    for i, (old, new, length) in enumerate(zip(frames.start, start, frames.length)):
        rows = frames.values[old : old + length]
        values[new : new + length] = (rows - mean[group[i]]) / sd[group[i]]
    return Ragged(values, start.astype(np.int32), frames.length)


def moments_of_part(frames: Ragged, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float32[F] each, over all frames of the utterances of `part`.

    Args:
      frames: float[M, F] ragged, of N utterances.
      part: bool[N], such as the training part.

    Raises:
      ValueError: the part holds no utterance.
    """
    (index,) = np.nonzero(part)
    if len(index) == 0:
        raise ValueError("moments_of_part: the part holds no utterance")
    mean, sd = _moments(take_rows(frames, index), np.zeros(len(index), np.int64), 1)
    return mean[0].astype(np.float32), sd[0].astype(np.float32)


def _moments(frames: Ragged, group: np.ndarray, num_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float64[num_groups, F], of the frames of each group."""
    count = np.bincount(group, weights=frames.length, minlength=num_groups)[:, None]
    total = np.zeros((num_groups, frames.values.shape[1]))
    squares = np.zeros_like(total)
    for i, (start, length) in enumerate(zip(frames.start, frames.length)):
        rows = frames.values[start : start + length].astype(np.float64)
        total[group[i]] += rows.sum(axis=0)
        squares[group[i]] += np.einsum("tf,tf->f", rows, rows)
    return _mean_and_sd(count, total, squares)


def _mean_and_sd(
    count: np.ndarray | float, total: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    mean = total / count
    sd = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return mean, np.maximum(sd, _MIN_SD)
