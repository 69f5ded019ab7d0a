"""Permutation test over speakers: permuted labels, and the smallest possible p (host).

The test repeats the whole attack with labels permuted between speakers. It is exact for any
attacker and any number of speakers as long as nothing else depends on the assignment of labels to
speakers: see `design`.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from privrep.statistics.design import speaker_labels
from privrep.types import ALPHA

MAX_DISTINCT = 10**18  # larger numbers of labellings are reported as this one
# Shares of alpha for a UAR above and below that of permuted labels. An attacker that is worse than
# chance reveals the attribute with its sign reversed, but rarely, as it learned the sign from other
# speakers.
HIGH_SHARE, LOW_SHARE = 0.8, 0.2


class Permutations(NamedTuple):
    """The true labels and permuted ones.

    Attributes:
      labels: int32[P, N]; row 0 holds the true labels.
      distinct: number of different labellings of the design, the true one included; at most
        MAX_DISTINCT.
      complete: whether the rows are all of them, once each, rather than random draws.
      smallest_share: the smallest share of the rows that can be as extreme as row 0: 1 / P, or more
        if the design contains labellings that only rename the classes (female to male and the
        reverse). A retrained attacker has the same UAR on those, so that they tie with row 0.
    """

    labels: np.ndarray
    distinct: int
    complete: bool
    smallest_share: float

    @property
    def only_rename(self) -> bool:
        """Whether all labellings only rename the classes, so that no score can differ."""
        return self.smallest_share >= 1


def permute(
    labels: np.ndarray,
    speaker: np.ndarray,
    strata: np.ndarray,
    count: int,
    seed: int,
    units: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
) -> Permutations:
    """The true labels, and `count` rows of labels permuted between the units of each stratum.

    If the attribute is constant within speakers and there are at most 2 * `count` labellings, all
    of them are returned, the true one first; otherwise `count` random ones.

    An attribute that varies within a speaker is also permuted between whole speakers: each receives
    the class proportions of another, shuffled over their own blocks and within them. A block is
    what was recorded together (a session or a day of one speaker), and shares more than the
    attribute. This is exact between speakers with equally many blocks of equally many utterances,
    otherwise up to rounding. It assumes that the blocks of a speaker, and the utterances of a
    block, are exchangeable under the null hypothesis; without blocks, all utterances of a speaker.

    Args:
      labels: int32[N], none unknown.
      speaker: int32[N], numbered from 0 to S - 1.
      strata: int32[S].
      count: the number of random permutations, at least 1.
      seed: for the random draws.
      units: int32[S]; None where every speaker is a unit. The speakers of a unit are of one stratum
        and, if the attribute is constant within speakers, of one class. A unit receives the labels
        of another unit, speaker by speaker; if it has more speakers, it cycles through theirs.
      blocks: int32[N], of the utterances; no block is of two speakers. None: a speaker is a block.
    """
    rng = np.random.default_rng(seed)
    num_speakers = len(strata)
    utterances_of = [np.flatnonzero(speaker == s) for s in range(num_speakers)]
    blocks_of = [_blocks(rows, blocks) for rows in utterances_of]
    contents = [[np.sort(labels[rows]) for rows in of_speaker] for of_speaker in blocks_of]
    constant = all(len(np.unique(np.concatenate(content))) == 1 for content in contents)
    units = np.arange(num_speakers) if units is None else units
    first_speaker, unit_index = np.unique(units, return_index=True, return_inverse=True)[1:]
    speakers_of_unit = [np.flatnonzero(unit_index == u) for u in range(len(first_speaker))]
    units_of_strata = [
        np.flatnonzero(strata[first_speaker] == stratum) for stratum in np.unique(strata)
    ]
    distinct = _count_distinct(
        [[contents[s] for s in members] for members in speakers_of_unit], units_of_strata
    )
    class_of = speaker_labels(labels, speaker)[first_speaker]
    if constant and distinct <= 2 * count:
        labellings = np.array(list(_all_labellings(class_of, units_of_strata)), np.int32)
        labellings = labellings[(labellings != class_of).any(1)][:, unit_index]
        rows = np.concatenate([labels[None], labellings[:, speaker]])
        share = _count_renamings(class_of, units_of_strata) / distinct
        return Permutations(rows.astype(np.int32), distinct, True, share)
    rows = np.repeat(labels[None].astype(np.int32), 1 + count, axis=0)
    for row in rows[1:]:
        for group in units_of_strata:
            pairs = (
                (receiver, speakers_of_unit[source][i % len(speakers_of_unit[source])])
                for target, source in zip(group, rng.permutation(group))
                for i, receiver in enumerate(speakers_of_unit[target])
            )
            for receiver, giver in pairs:
                _hand_over(row, blocks_of[receiver], contents[giver], rng)
    tied_share = _count_renamings(class_of, units_of_strata) / distinct if constant else 0
    return Permutations(rows, distinct, False, max(1 / (1 + count), tied_share))


def least_permutations(alpha: float = ALPHA) -> int:
    """The smallest number of permutations with which the high tail can be significant.

    The high tail has HIGH_SHARE of alpha.

    >>> least_permutations(0.05)
    24
    """
    return math.ceil(1 / (alpha * HIGH_SHARE)) - 1


def _blocks(rows: np.ndarray, blocks: np.ndarray | None) -> list[np.ndarray]:
    """The utterances `rows` of a speaker by block."""
    if blocks is None:
        return [rows]
    return [rows[blocks[rows] == block] for block in np.unique(blocks[rows])]


def _hand_over(
    row: np.ndarray,
    receiving: Sequence[np.ndarray],
    giving: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> None:
    """Assigns the labels of one speaker's blocks, in random order, to another speaker's.


    Args:
      row: int32[N], changed.
      receiving: the utterances of each block of the one speaker.
      giving: the sorted labels of each block of the other.
      rng: of the orders.
    """
    if len(np.unique(np.concatenate(giving))) == 1:
        row[np.concatenate(receiving)] = giving[0][0]
        return
    order = sorted(giving, key=lambda values: values.mean())
    for rows, place in zip(receiving, rng.permutation(_spread(len(receiving), len(order)))):
        values = order[place]
        row[rows] = rng.permutation(values[_spread(len(rows), len(values))])


def _spread(count: int, size: int) -> np.ndarray:
    """int[count]: indices into a sequence of length `size`, equally often each up to rounding."""
    return ((np.arange(count) + 0.5) * size / count).astype(int)


def _count_distinct(
    contents: Sequence[Sequence[Sequence[np.ndarray]]], units_of_strata: Sequence[np.ndarray]
) -> int:
    """Number of labellings: arrangements of the units, of blocks in speakers, of labels in blocks.

    Args:
      contents: of each unit, speaker and block the sorted labels.
      units_of_strata: units int[n] of each stratum.
    """
    total = 1
    for group in units_of_strata:
        # Units of one class are interchangeable, whatever their numbers of speakers and utterances.
        varying: list[Sequence[np.ndarray]] = []
        alike: Counter = Counter()
        for unit in group:
            values = np.concatenate([block for speaker in contents[unit] for block in speaker])
            if values[0] == values[-1] and len(np.unique(values)) == 1:
                alike[values[:1].tobytes()] += 1
                continue
            varying += contents[unit]
            alike[tuple(_signature(speaker) for speaker in contents[unit])] += 1
        total *= _arrangements(alike.values())
        for speaker in varying:
            total *= _arrangements(Counter(block.tobytes() for block in speaker).values())
            for block in speaker:
                orders = _arrangements(np.unique(block, return_counts=True)[1])
                total = min(total * orders, MAX_DISTINCT)
    return min(total, MAX_DISTINCT)


def _signature(speaker: Sequence[np.ndarray]) -> tuple[bytes, ...]:
    """Equal for speakers whose blocks have the same labels."""
    return tuple(sorted(block.tobytes() for block in speaker))


def _arrangements(counts: Iterable[int]) -> int:
    """The multinomial coefficient (sum of counts)! / product of counts!."""
    product, total = 1, 0
    for count in counts:
        total += int(count)
        product *= math.comb(total, int(count))
    return product


def _all_labellings(
    class_of: np.ndarray, units_of_strata: Sequence[np.ndarray]
) -> Iterator[np.ndarray]:
    """Every labelling of the units that keeps the number of each class in every stratum."""
    orders = [
        list(_distinct_permutations(sorted(class_of[group].tolist()))) for group in units_of_strata
    ]
    for chosen in itertools.product(*orders):
        labelling = np.empty_like(class_of)
        for group, order in zip(units_of_strata, chosen):
            labelling[group] = order
        yield labelling


def _distinct_permutations(values: list[int]) -> Iterator[tuple[int, ...]]:
    """The distinct permutations of a list with repeated values."""
    if not values:
        yield ()
    for value in sorted(set(values)):
        rest = list(values)
        rest.remove(value)
        yield from ((value, *order) for order in _distinct_permutations(rest))


def _count_renamings(class_of: np.ndarray, units_of_strata: Sequence[np.ndarray]) -> int:
    """Number of ways of renaming the classes that keep the number of each in every stratum."""
    classes = np.unique(class_of)
    counts = np.array(
        [[(class_of[group] == c).sum() for c in classes] for group in units_of_strata]
    )
    alike = np.unique(counts, axis=1, return_counts=True)[1]
    return math.prod(math.factorial(int(size)) for size in alike)
