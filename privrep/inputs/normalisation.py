"""Frames less their mean, over their standard deviation: by speaker or by training part (host).

The moments of a training part are applied on the device, where every run has its own part.
"""

from collections.abc import Sequence

import numpy as np

from privrep.types import Ragged, room

NORMALISATIONS = ("speaker", "train", "none")

_SMALLEST_DEVIATION = 1e-5  # a band that never changes becomes 0, not a division by 0


def normalise_per_speaker(frames: Ragged, speakers: Sequence[str | None]) -> Ragged:
    """z = (x - mean) / deviation, per band over all frames of the speaker (as the paper's corpora).

    It is transductive in the speaker: a test speaker is normalised by all of that speaker's own
    input, of which no label is seen. An utterance of an unknown speaker (None) has only itself.

    Args:
      frames: float[M, F] of N utterances.
      speakers: [N].

    Returns:
      Like `frames`, in its dtype, end to end in memory that devices can share.
    """
    if len(speakers) != len(frames.length):
        raise ValueError(f"{len(speakers)} speakers for {len(frames.length)} utterances")
    owners = [("utterance", i) if s is None else ("speaker", s) for i, s in enumerate(speakers)]
    number = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
    group = np.array([number[owner] for owner in owners], np.int64)
    mean, deviation = _moments(frames, group, len(number))
    start = np.cumsum(frames.length, dtype=np.int64) - frames.length
    values = room((int(frames.length.sum()), frames.values.shape[1]), frames.values.dtype)
    for i, (old, new, length) in enumerate(zip(frames.start, start, frames.length)):
        rows = frames.values[old : old + length]
        values[new : new + length] = (rows - mean[group[i]]) / deviation[group[i]]
    return Ragged(values, start.astype(np.int32), frames.length)


def moments_of_part(frames: Ragged, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float32[F] each, over all frames of the utterances `where`.

    Args:
      frames: float[M, F] of N utterances.
      where: bool[N], such as the training part; it must hold an utterance.
    """
    (index,) = np.nonzero(where)
    if len(index) == 0:
        raise ValueError("moments_of_part: the part holds no utterance")
    part = Ragged(frames.values, frames.start[index], frames.length[index])
    mean, deviation = _moments(part, np.zeros(len(index), np.int64), 1)
    return mean[0].astype(np.float32), deviation[0].astype(np.float32)


def _moments(frames: Ragged, group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation, float64[groups, F], of the frames of each group."""
    count = np.bincount(group, weights=frames.length, minlength=groups)[:, None]
    total = np.zeros((groups, frames.values.shape[1]))
    squares = np.zeros_like(total)
    for i, (start, length) in enumerate(zip(frames.start, frames.length)):
        rows = frames.values[start : start + length].astype(np.float64)
        total[group[i]] += rows.sum(axis=0)
        squares[group[i]] += np.einsum("tf,tf->f", rows, rows)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return mean, np.maximum(deviation, _SMALLEST_DEVIATION)
