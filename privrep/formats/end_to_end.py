"""Frames of all utterances end to end in one array, cut by a file of lengths (host)."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from privrep.formats.ids import same_id
from privrep.formats.text_files import read_utf8
from privrep.formats.unpacked import release
from privrep.formats.vectors import mapped_array, read_array

LENGTHS = ".lengths"
IDS = (".ids", ".emo")  # files beside, the id first in each line


class EndToEnd(NamedTuple):
    """Frames of N utterances.

    Attributes:
      frames: [M, D], mapped from the file.
      start, length: int64[N]; utterance i has frames[start[i] : start[i] + length[i]].
    """

    frames: np.ndarray
    start: np.ndarray
    length: np.ndarray

    def of(self, i: int) -> np.ndarray:
        """The frames [T, D] of utterance i, read."""
        frames = np.array(self.frames[self.start[i] : self.start[i] + self.length[i]])
        release(self.frames)
        return frames


def read_end_to_end(path: Path, lengths: Path) -> EndToEnd:
    """Maps the frames of `path`, and reads the number of them that each utterance has.

    Raises:
      FileNotFoundError: there is no such file of lengths.
      ValueError: no frames [M, D], no lengths, or they do not add up to M.
    """
    frames = mapped_array(path)
    if frames.ndim != 2:
        raise ValueError(
            f"{path}: has shape {list(frames.shape)}; frames end to end, of which {lengths.name} "
            "gives lengths, are [M, D]"
        )
    length = _lengths(lengths)
    if length.sum() != len(frames):
        raise ValueError(
            f"{lengths}: {len(length):,} lengths that add up to {length.sum():,}, and {path} has "
            f"shape {list(frames.shape)}: are they of one another?"
        )
    return EndToEnd(frames, np.cumsum(length) - length, length)


def _lengths(path: Path) -> np.ndarray:
    """int64[N] of a text of whole numbers or a .npy file, all above 0."""
    if path.suffix.lower() == ".npy":
        length = read_array(path)
        if length.ndim != 1 or length.dtype.kind not in "iu":
            raise ValueError(
                f"{path}: holds {length.dtype} of shape {list(length.shape)}; lengths are [N] "
                "whole numbers"
            )
    else:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file of lengths")
        lines = read_utf8(path).split()
        wrong = next(((i, line) for i, line in enumerate(lines, 1) if not line.isdecimal()), None)
        if wrong is not None or not lines or max(map(len, lines)) > 12:
            i, text = wrong or (1, "" if not lines else max(lines, key=len))
            raise ValueError(
                f"{path}: number {i} is {text[:40]!r}; a file of lengths holds the number of "
                "frames of each utterance, a whole number in each line"
            )
        length = np.array(lines, np.int64)
    empty = np.flatnonzero(length < 1)
    if empty.size:
        raise ValueError(
            f"{path}: {empty.size:,} of {len(length):,} lengths are below 1, the first of "
            f"utterance {empty[0]} (from 0), and an utterance without frames has no representation"
        )
    return length.astype(np.int64)


def ids_beside(
    path: Path, count: int, wanted: Collection[str] | None
) -> tuple[list[str] | None, str]:
    """Ids of frames end to end from a file beside, of `wanted` utterances, and a sentence on it."""
    if wanted is None:
        return None, ""
    known = {same_id(id_): id_ for id_ in wanted}
    for ending in IDS:
        beside = path.with_suffix(ending)
        if not beside.is_file():
            continue
        lines = [line for line in read_utf8(beside).splitlines() if line.strip()]
        names = [same_id(line.split("\t")[0].split()[0]) for line in lines]
        if len(names) == count == len(set(names)) and not set(names).isdisjoint(known):
            return [
                known.get(n, n) for n in names
            ], f"Ids are those of {beside.name}, line by line."
    return None, ""
