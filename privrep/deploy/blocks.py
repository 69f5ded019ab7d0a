"""Blocks of utterances of similar length, of few sizes: each size is another program to compile."""

from collections.abc import Sequence

import numpy as np

from privrep.deploy.prepared import PreparedRecordings
from privrep.types import Corpus, Ragged, ragged

SIZES = (1, 4, 32)  # utterances of a block
_MOST_FRAMES = 1 << 17  # of a block


def divided(length: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """The utterances in blocks of similar length: (numbers int[n], room of the block >= n).

    Args:
      length: int[N], frames or words of each.
    """
    order = np.argsort(length, kind="stable")
    blocks, place = [], 0
    while place < len(order):
        size = next(
            (s for s in reversed(SIZES) if s * _longest(length, order, place, s) <= _MOST_FRAMES),
            1,
        )
        rows = order[place : place + size]
        blocks.append((rows, _size(len(rows))))
        place += size
    return blocks


def corpus_of(
    inputs: PreparedRecordings, rows: np.ndarray, size: int
) -> tuple[Corpus, tuple[int, int], np.ndarray]:
    """A block as a corpus: the utterances `rows`, with room for `size` of them.

    Returns:
      The corpus, its longest (T, L), and the number in it of each place of the block, int32[size],
      -1 for padding.
    """
    frames = words = None
    longest = [0, 0]
    if inputs.frames is not None:
        of_rows = [inputs.frames[i] for i in rows]
        longest[0] = _bucket(max(map(len, of_rows)), 16)
        frames = _with_room(of_rows, size, longest[0])
    if inputs.words is not None:
        of_rows = [inputs.words[i] for i in rows]
        longest[1] = _bucket(max(map(len, of_rows)), 4)
        words = _with_room(of_rows, size, longest[1])
    index = np.full(size, -1, np.int32)
    index[: len(rows)] = np.arange(len(rows))
    return Corpus(frames, words, inputs.vectors), (longest[0], longest[1]), index


def _longest(length: np.ndarray, order: np.ndarray, place: int, size: int) -> int:
    return int(length[order[min(place + size, len(order)) - 1]])


def _size(count: int) -> int:
    """The room of a block of so many utterances."""
    return next(size for size in SIZES if size >= count)


def _bucket(length: int, multiple: int) -> int:
    """A multiple that is not below the length, one of few: 1, 2, 3, 4, 6, 8, 12, … times.

    >>> [_bucket(n, 16) for n in (1, 17, 100, 129)]
    [16, 32, 128, 192]
    """
    times = 1
    while times * multiple < length:
        times = times * 3 // 2 if times > 1 and times & (times - 1) == 0 else -(-times * 4 // 3)
    return times * multiple


def _with_room(rows: Sequence[np.ndarray], size: int, longest: int) -> Ragged:
    """The rows end to end, followed by zeros up to `size` rows of the longest length."""
    made = ragged(rows)
    values = np.zeros((size * longest, *made.values.shape[1:]), made.values.dtype)
    values[: len(made.values)] = made.values
    start, length = np.zeros(size, np.int32), np.zeros(size, np.int32)
    start[: len(rows)], length[: len(rows)] = made.start, made.length
    return Ragged(values, start, length)
