"""Utterances that are there more than once, found by content and not by name (host)."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from privrep.types import Ragged

_SMOOTHED = 8  # frames whose mean an excerpt is recognised by, so that it may begin between frames
_GROUPS = 17  # of bands, whose differences make a word of 16 bits
_MOST_WORDS = 2_000_000  # of a corpus, drawn by their values; more are drawn less densely
_MOST_ALIKE = 8  # utterances with one word; a more frequent word says nothing
_MIN_FRAMES = 25  # of an excerpt
_MIN_CORRELATION = 0.98
_MIN_VOTES = 2  # words that agree on where one utterance lies in the other
_COARSER = 3  # bits
_LESS_WITHIN, _MORE_WITHIN = 0.5, 20.0
_MANY = 5  # speakers of one row, who are not one person
_FEWEST_UNITS = 4  # of which rows by chance have one value repeated, as binary ones may
_MIN_SPREAD = 0.3  # nats, standard deviation of an excerpt: less is stationary noise or a tone


class SameContent(NamedTuple):
    """Which of N utterances have the same content.

    Attributes:
      equal: int[N], the same number for equal utterances, -1 for one that no other is equal to.
      copies: pairs of utterances that are not equal, but of which one seems to be cut from the
        other or at another level.
    """

    equal: np.ndarray
    copies: list[tuple[int, int]]

    def take(self, rows: np.ndarray) -> "SameContent":
        """Of the utterances `rows` (int[n]), numbered by their place there."""
        place = {int(row): i for i, row in enumerate(rows)}
        copies = [(place[a], place[b]) for a, b in self.copies if a in place and b in place]
        return SameContent(_without_single(self.equal[rows]), copies)


def equal_rows(h: np.ndarray, coarser: int = 0) -> np.ndarray:
    """int[N]: equal numbers for rows of h [N, ...] that are equal in float16, -1 for all others.

    Each column is first divided by a power of two, so that its largest magnitude is under 2, since
    float16 ends at 65,504; a row and its float16 copy then stay equal. `coarser` is a number of
    bits that float16 is rounded to fewer.
    """
    if not len(h):
        return np.zeros(0, np.int64)
    flat = h.reshape(len(h), -1)
    largest = np.abs(flat).max(0, initial=0)
    unit = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1))))
    unit = unit.astype(np.result_type(flat, np.float32), copy=False)
    rounded = (flat / unit).astype(np.float16) + np.float16(0)
    bits: np.ndarray = np.ascontiguousarray(rounded).view(np.uint16)
    if coarser:
        bits = ((bits.astype(np.int32) + (1 << coarser - 1)) >> coarser).astype(np.uint16)
    rows = np.ascontiguousarray(bits).view(np.dtype((np.void, 2 * bits.shape[1])))
    return _without_single(np.unique(rows.reshape(-1), return_inverse=True)[1].reshape(-1))


def copied_rows(h: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """`equal_rows` of h, all -1 where those of different speakers are explained otherwise.

    They are where equal rows are about as frequent within speakers (`is_saturated`), or where
    rounding makes as many: of d units, rounding to 3 bits fewer makes 8^d times as many pairs equal
    by chance, and no more copies.

    Args:
      h: float[N, ...].
      speaker: int[N].
    """
    equal = equal_rows(h)
    between = _equal_pairs(equal, speaker)[1]
    by_chance = (_equal_pairs(equal_rows(h, _COARSER), speaker)[1] - between) / (2**_COARSER - 1)
    if is_saturated(equal, speaker) or between <= 3 * by_chance + 3 * by_chance**0.5:
        return np.full(len(equal), -1)
    return equal


def repeats_one_value(h: np.ndarray) -> np.ndarray:
    """bool[N]: which rows of h [N, D] are one value repeated, such as 0 or -999.

    An encoder that failed writes such a row. Of fewer than 4 units chance makes them too.
    """
    if h.shape[1] < _FEWEST_UNITS:
        return np.zeros(len(h), bool)
    return (h == h[:, :1]).all(1)


def failed_rows(
    h: np.ndarray, equal: np.ndarray, speaker: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """bool[N]: which of the equal rows under several speakers come from an encoder that failed.

    They are one value repeated, or one row of 5 speakers or more who differ in their label: these
    are not one person under several names.

    Args:
      h: float[N, D].
      equal: int[N], see `copied_rows`.
      speaker, labels: int[N].
    """
    failed = np.zeros(len(h), bool)
    one_value = repeats_one_value(h)
    for rows in classes_of(equal):
        speakers = len(np.unique(speaker[rows]))
        many = speakers >= _MANY and len(np.unique(labels[rows])) > 1
        failed[rows] = speakers > 1 and (many or one_value[rows].all())
    return failed


def shared_rows(
    rows: np.ndarray,
    speaker: np.ndarray,
    reference: np.ndarray,
    reference_speaker: np.ndarray,
    pairs: Sequence[tuple[int, int]],
) -> np.ndarray:
    """bool[M]: which rows of one corpus are rows of another, up to the rounding of float16.

    They are the equal ones, unless something else explains these, see `copied_rows`. Paired rows
    count as copies if most pairs are equal, whatever else may explain equal rows.

    Args:
      rows: float[M, D].
      speaker: int[M].
      reference: float[N, D], the other corpus.
      reference_speaker: int[N].
      pairs: (row, row of the reference) that would be the same in a copy, such as those of one id.
    """
    count = len(rows)
    both = np.concatenate([rows, reference])
    apart = np.concatenate([speaker, reference_speaker + speaker.max(initial=-1) + 1])
    copied = copied_rows(both, apart)
    is_shared = np.isin(copied[:count], copied[count:][copied[count:] >= 0])
    equal = equal_rows(both)
    same = [i for i, j in pairs if equal[i] >= 0 and equal[i] == equal[count + j]]
    if 2 * len(same) > len(pairs):
        is_shared[same] = True
    return is_shared


def _without_single(codes: np.ndarray) -> np.ndarray:
    counts = np.bincount(codes[codes >= 0], minlength=codes.max(initial=-1) + 1)
    return np.where((codes >= 0) & (np.append(counts, 0)[codes] > 1), codes, -1)


def classes_of(equal: np.ndarray) -> Iterator[np.ndarray]:
    """The rows int[n], n >= 2, of each lot of equal utterances, in the order of the first."""
    rows = np.flatnonzero(equal >= 0)
    _, first, number = np.unique(equal[rows], return_index=True, return_inverse=True)
    for i in np.argsort(first):
        yield rows[number == i]


def is_saturated(equal: np.ndarray, speaker: np.ndarray) -> bool:
    """Whether pairs of equal rows are about as frequent within speakers as between them.

    Then h has few values, as a saturated posterior has, and equal rows are no copies. They may be
    half as frequent within, by chance, or `_MORE_WITHIN` times, since h may reveal something of the
    speaker; a corpus that has recordings twice has many more.

    Args:
      equal: int[N], see `equal_rows`.
      speaker: int[N].
    """
    within = _pairs(np.unique(speaker, return_counts=True)[1])
    between = _pairs(np.array([len(speaker)])) - within
    equal_within, equal_between = _equal_pairs(equal, speaker)
    rate, rate_between = equal_within * between, equal_between * within
    return _LESS_WITHIN * rate_between <= rate <= _MORE_WITHIN * rate_between


def _equal_pairs(equal: np.ndarray, speaker: np.ndarray) -> tuple[float, float]:
    """Pairs of equal rows of one speaker, and of two."""
    within = of_all = 0.0
    for rows in classes_of(equal):
        within += _pairs(np.unique(speaker[rows], return_counts=True)[1])
        of_all += _pairs(np.array([len(rows)]))
    return within, of_all - within


def _pairs(sizes: np.ndarray) -> float:
    return float((sizes * (sizes - 1.0)).sum() / 2)


def one_name(equal: np.ndarray, speakers: Sequence[str]) -> dict[str, str]:
    """{speaker: the first name, in sorted order, of all speakers that equal utterances join}."""
    name_of = {speaker: speaker for speaker in speakers}

    def root(name: str) -> str:
        while name_of[name] != name:
            name = name_of[name]
        return name

    for rows in classes_of(equal):
        roots = sorted({root(speakers[i]) for i in rows})
        name_of.update(dict.fromkeys(roots, roots[0]))
    return {speaker: root(speaker) for speaker in name_of}


def same_content(frames: Ragged) -> SameContent:
    """Finds utterances with equal frames, and those that are another one cut or re-levelled.

    Frames that are all alike (silence) are equal to nothing. An excerpt of at least
    `_MIN_FRAMES` frames is found by words of 16 bits, the signs of differences over bands and time
    of smoothed frames, that agree on its place; it is confirmed by the correlation of the frames
    where the two overlap, of which level and mean spectrum are taken off. Frames of fewer than 4
    bands are compared for equality alone. Source of the words: Haitsma and Kalker, A highly robust
    audio fingerprinting system, ISMIR 2002.

    Args:
      frames: float[M, F] ragged, log-Mel or other.
    """
    equal = _equal_sequences(frames)
    if frames.values.shape[1] < 4:
        return SameContent(equal, [])
    return SameContent(equal, _copies(frames, equal))


def _row(frames: Ragged, i: int) -> np.ndarray:
    return frames.values[frames.start[i] : frames.start[i] + frames.length[i]]


def _equal_sequences(frames: Ragged) -> np.ndarray:
    lots: dict[bytes, list[int]] = {}
    for i, length in enumerate(frames.length.tolist()):
        row = _row(frames, i)
        # A few frames of each first: to read all would take as long as to compute on them.
        key = b"".join(row[t].tobytes() for t in sorted({0, length // 3, length // 2, length - 1}))
        lots.setdefault(key + length.to_bytes(4), []).append(i)
    equal = np.full(len(frames.length), -1)
    for lot in lots.values():
        if len(lot) > 1:
            first: dict[bytes, int] = {}
            for i in lot:
                row = np.ascontiguousarray(_row(frames, i))
                if len(row) == 1 or (row != row[0]).any():
                    equal[i] = first.setdefault(row.tobytes(), i)
    return _without_single(equal)


def _smooth(row: np.ndarray) -> np.ndarray:
    """float32[T - 7, G]: means over 8 frames of groups of bands."""
    bands = row.shape[1]
    edges = np.linspace(0, bands, min(_GROUPS, bands) + 1).astype(int)
    grouped = np.add.reduceat(row.astype(np.float32), edges[:-1], axis=1) / np.diff(edges)
    total = np.cumsum(np.concatenate([np.zeros((1, grouped.shape[1])), grouped]), axis=0)
    return ((total[_SMOOTHED:] - total[:-_SMOOTHED]) / _SMOOTHED).astype(np.float32)


def _words(smooth: np.ndarray) -> np.ndarray:
    """int64[n]: the words of two times 8 frames apart, 32 bits."""
    across = np.diff(smooth, axis=1)
    bits = across[_SMOOTHED:] > across[:-_SMOOTHED]
    word = bits @ (1 << np.arange(bits.shape[1], dtype=np.int64))
    return (word[:-_SMOOTHED] << 16) | word[_SMOOTHED:]


def _copies(frames: Ragged, equal: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of utterances that are cut or re-levelled from one another."""
    # Of equal utterances the first stands for all.
    firsts = {int(rows[0]) for rows in classes_of(equal)}
    usable = [
        i
        for i, length in enumerate(frames.length.tolist())
        if length >= _MIN_FRAMES + 2 * _SMOOTHED and (equal[i] < 0 or i in firsts)
    ]
    every = max(1, sum(int(frames.length[i]) for i in usable) // _MOST_WORDS)
    words, owners, times = [], [], []
    for i in usable:
        of_row = _words(_smooth(_row(frames, i)))
        # Chosen by their values, so that the same are chosen of a copy.
        at = np.flatnonzero((of_row * 2654435761 >> 7) % every == 0)
        words.append(of_row[at])
        owners.append(np.full(len(at), i))
        times.append(at)
    if not words:
        return []
    return _confirmed(frames, *map(np.concatenate, (words, owners, times)))


def _confirmed(
    frames: Ragged, words: np.ndarray, owners: np.ndarray, times: np.ndarray
) -> list[tuple[int, int]]:
    order = np.lexsort((times, owners, words))
    words, owners, times = words[order], owners[order], times[order]
    votes: dict[tuple[int, int, int], int] = {}
    bounds = np.flatnonzero(np.diff(words, prepend=-1, append=-1))
    for begin, end in itertools.pairwise(bounds):
        if 1 < end - begin <= _MOST_ALIKE:
            for a in range(begin, end):
                for b in range(a + 1, end):
                    if owners[a] != owners[b]:
                        key = (int(owners[a]), int(owners[b]), int(times[b] - times[a]))
                        votes[key] = votes.get(key, 0) + 1
    pairs: dict[tuple[int, int], None] = {}
    agreed = [key for key, count in votes.items() if count >= _MIN_VOTES]
    for a, b, shift in sorted(agreed, key=lambda key: -votes[key]):
        if (a, b) not in pairs and _is_copy(_row(frames, a), _row(frames, b), shift):
            pairs[a, b] = None
    return sorted(pairs)


def _is_copy(a: np.ndarray, b: np.ndarray, shift: int) -> bool:
    """Whether frame t of `a` is frame t + shift of `b`, but for a level, where both have it."""
    overlap = min(len(a), len(b) - shift) - max(0, -shift)
    # One is cut from the other: nearly all of the shorter one is in the longer.
    if overlap < max(_MIN_FRAMES, 0.8 * min(len(a), len(b))):
        return False
    begin = max(0, -shift)
    first, second = _smooth(a[begin : begin + overlap]), _smooth(b[begin + shift :][:overlap])
    first, second = first - first.mean(), second - second.mean()
    # What all excerpts of a voice or room have in common, their mean spectrum, says nothing.
    first, second = first - first.mean(0), second - second.mean(0)
    spread = np.sqrt((first**2).mean() * (second**2).mean())
    return bool(spread > _MIN_SPREAD**2 and (first * second).mean() > _MIN_CORRELATION * spread)


def named(rows: Iterable[int], ids: Sequence[str], speakers: Sequence[str | None]) -> str:
    """ "u1 (x0) = u7 (y0)", of equal utterances and whose they are."""
    return " = ".join(f"{ids[i]} ({speakers[i]})" for i in rows)
