"""Permutation test over speakers: folds, permuted labels, and the smallest possible p (host).

Null hypothesis: h carries no information about the attribute, so that the labels of speakers are
exchangeable. The test repeats the whole attack with labels permuted between speakers. It is exact
for any attacker and any number of speakers as long as nothing else depends on the assignment of
labels to speakers. Therefore the folds are made without looking at the labels: folds balanced for
the true labels would not be balanced for the permuted ones, which alone would set the true
labelling apart.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from privrep.types import ALPHA, renumber

MAX_DISTINCT = 10**18  # larger numbers of labellings are reported as this one
# Shares of alpha for a UAR above and below that of permuted labels. An attacker that is worse than
# chance reveals the attribute with its sign reversed, but rarely, as it learned the sign from other
# speakers.
HIGH_SHARE, LOW_SHARE = 0.8, 0.2


class Design(NamedTuple):
    """How speakers are assigned to folds, and between which of them labels are permuted.

    Attributes:
      folds: int32[N] in [0, K), the fold that tests the utterance; no speaker is in two.
      strata: int32[S]; labels are permuted only within a stratum.
      units: int32[S]; speakers of a unit keep their labels together, units are permuted.
      permuted_between: what is permuted, in words: FREE, WITHIN, WHOLE or BOTH.
    """

    folds: np.ndarray
    strata: np.ndarray
    units: np.ndarray
    permuted_between: str


FREE, WITHIN, WHOLE = "speakers", "speakers of a session", "whole sessions"
BOTH = f"{WITHIN}, and {WHOLE}"


class Permutations(NamedTuple):
    """The true labels and permuted ones.

    Attributes:
      labels: int32[P, N]; row 0 holds the true labels.
      distinct: number of different labellings of the design, the true one included; at most
        MAX_DISTINCT.
      complete: whether the rows are all of them, once each, rather than random draws.
      smallest_share: the smallest share of the rows that can be as extreme as row 0. It is 1 / P,
        or more where renaming the classes gives another labelling of the design: an attacker that
        is trained anew has the same UAR when every "female" is called "male" and the reverse, so
        that such labellings tie.
    """

    labels: np.ndarray
    distinct: int
    complete: bool
    smallest_share: float


def design(
    labels: np.ndarray,
    speaker: np.ndarray,
    session: np.ndarray | None,
    num_folds: int,
    seed: int,
) -> Design:
    """Assigns speakers to folds of similar numbers of utterances, without looking at their labels.

    What the speakers of a session share, such as the room, must not count as a leak of the
    attribute. Within a session with several classes (such as the dialogues of one woman and one man
    in IEMOCAP), labels are permuted between its speakers; sessions of one class are permuted as a
    whole. Sessions that share a speaker are merged. The speakers of a session stay in one fold if
    every session has several classes, or if this leaves enough sessions of which none has more than
    twice its share of the utterances.

    Args:
      labels: int32[N], none unknown; the class of a speaker is the most frequent one.
      speaker: int32[N], numbered from 0 to S - 1.
      session: int32[N], or None where there are none.
      num_folds: K, at least 3; fewer folds are made where there are fewer speakers or sessions.
      seed: of the assignment.

    Raises:
      ValueError: fewer than 3 folds can be made.
    """
    num_speakers = int(speaker.max()) + 1
    alone = np.arange(num_speakers)
    together, strata, units, permuted_between = alone, np.zeros(num_speakers, int), alone, FREE
    if session is not None:
        tied = tied_speakers(speaker, session)
        class_of = speaker_labels(labels, speaker)
        mixed = np.array([len(set(class_of[tied == unit])) > 1 for unit in range(tied.max() + 1)])
        strata = np.where(mixed[tied], 1 + tied, 0)
        # Numbered above the speakers, so that no single speaker has the same unit.
        units = np.where(mixed[tied], alone, num_speakers + tied)
        whole = bool((np.bincount(tied)[~mixed] > 1).any())
        several = bool(len(mixed) > 1 and mixed.any())
        if several:
            permuted_between = BOTH if whole else WITHIN
        elif whole:
            permuted_between = WHOLE
        even = np.bincount(tied[speaker]).max() * num_folds <= 2 * len(speaker)
        paired = mixed.all() and len(mixed) > 2
        together = tied if paired or (even and len(mixed) >= num_folds) else alone
    num_units = together.max() + 1
    num_folds = min(num_folds, num_units)
    if num_folds < 3:
        raise ValueError(
            f"{num_units} speakers in {num_folds} folds: an attacker needs at least 3 of both, one "
            "to train on, one to tune on and one to be tested on"
        )
    sizes = np.bincount(together[speaker], minlength=num_units)
    order = np.random.default_rng(seed).permutation(num_units)
    order = order[np.argsort(-sizes[order], kind="stable")]
    load = np.zeros((num_folds, 2))  # utterances and units of each fold
    fold_of = np.zeros(num_units, np.int32)
    for unit in order:  # the largest first, each into the fold with the fewest utterances
        fold_of[unit] = min(range(num_folds), key=lambda fold: (load[fold, 0], load[fold, 1]))
        load[fold_of[unit]] += sizes[unit], 1
    return Design(
        fold_of[together[speaker]],
        strata.astype(np.int32),
        units.astype(np.int32),
        permuted_between,
    )


def permute(
    labels: np.ndarray,
    speaker: np.ndarray,
    strata: np.ndarray,
    count: int,
    seed: int,
    units: np.ndarray | None = None,
) -> Permutations:
    """The true labels, and `count` rows of labels permuted between the units of each stratum.

    If there are at most 2 * `count` labellings, all of them, the true one first; else random ones.

    An attribute that varies within a speaker is permuted speaker by speaker too: a speaker receives
    the class proportions of another speaker, in random order over his own utterances. This is exact
    between speakers with equally many utterances, otherwise up to rounding to whole utterances. It
    assumes that the utterances of a speaker are exchangeable under the null hypothesis.

    Args:
      labels: int32[N], none unknown.
      speaker: int32[N], numbered from 0 to S - 1.
      strata: int32[S].
      count: P - 1, at least 1.
      seed: of the draws.
      units: int32[S]; None where every speaker is a unit. The speakers of a unit are of one stratum
        and, if the attribute is constant within speakers, of one class. A unit receives the labels
        of another unit, speaker by speaker; a larger unit repeats them from the first.
    """
    rng = np.random.default_rng(seed)
    num_speakers = len(strata)
    by_speaker = [np.flatnonzero(speaker == s) for s in range(num_speakers)]
    sorted_labels = [np.sort(labels[rows]) for rows in by_speaker]
    constant = all(values[0] == values[-1] for values in sorted_labels)
    units = np.arange(num_speakers) if units is None else units
    first, unit = np.unique(units, return_index=True, return_inverse=True)[1:]
    of_unit = [np.flatnonzero(unit == u) for u in range(len(first))]
    units_of_strata = [np.flatnonzero(strata[first] == stratum) for stratum in np.unique(strata)]
    distinct = _count_distinct(
        [[sorted_labels[s] for s in members] for members in of_unit], units_of_strata
    )
    class_of = speaker_labels(labels, speaker)[first]
    if constant and distinct <= 2 * count:
        tables = np.array(list(_all_tables(class_of, units_of_strata)), np.int32)
        tables = tables[(tables != class_of).any(1)][:, unit]
        rows = np.concatenate([labels[None], tables[:, speaker]])
        share = _count_renamings(class_of, units_of_strata) / distinct
        return Permutations(rows.astype(np.int32), distinct, True, share)
    rows = np.repeat(labels[None].astype(np.int32), 1 + count, axis=0)
    for row in rows[1:]:
        for group in units_of_strata:
            pairs = (
                (receiver, of_unit[source][i % len(of_unit[source])])
                for target, source in zip(group, rng.permutation(group))
                for i, receiver in enumerate(of_unit[target])
            )
            for receiver, giver in pairs:
                utterances, values = by_speaker[receiver], sorted_labels[giver]
                if values[0] == values[-1]:
                    row[utterances] = values[0]
                else:
                    num = len(utterances)
                    quantiles = ((np.arange(num) + 0.5) * len(values) / num).astype(int)
                    row[utterances] = rng.permutation(values[quantiles])
    renamings = _count_renamings(class_of, units_of_strata) / distinct if constant else 0
    return Permutations(rows, distinct, False, max(1 / (1 + count), renamings))


def least_permutations(alpha: float = ALPHA) -> int:
    """The smallest number of permutations with which p can be as small as alpha.

    >>> least_permutations(0.05)
    24
    """
    return math.ceil(1 / (alpha * HIGH_SHARE)) - 1


def speaker_labels(labels: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """int32[S]: the most frequent class of each speaker, the first of equally frequent ones."""
    counts = np.zeros((speaker.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (speaker, labels), 1)
    return counts.argmax(1).astype(np.int32)


def tied_speakers(speaker: np.ndarray, session: np.ndarray) -> np.ndarray:
    """int32[S]: the session number of each speaker, sessions that share a speaker being merged."""
    group = np.arange(speaker.max() + 1)
    pairs = np.unique(np.stack([session, speaker], 1), axis=0)
    for _, rows in itertools.groupby(pairs.tolist(), key=lambda pair: pair[0]):
        together = group[[s for _, s in rows]]
        group[np.isin(group, together)] = together.min()
    return renumber(group)


def _count_distinct(
    sorted_labels: Sequence[Sequence[np.ndarray]], units_of_strata: Sequence[np.ndarray]
) -> int:
    """Number of labellings: arrangements of the units times orders of labels within speakers."""
    total = 1
    for group in units_of_strata:
        # Units of one class are interchangeable, whatever their numbers of speakers and utterances.
        contents = []
        for unit in group:
            classes = {label for values in sorted_labels[unit] for label in values.tolist()}
            one_class = len(classes) == 1
            contents.append([sorted_labels[unit][0][:1]] if one_class else sorted_labels[unit])
        alike = Counter(tuple(values.tobytes() for values in content) for content in contents)
        total *= _arrangements(alike.values())
        for values in itertools.chain.from_iterable(contents):
            orders = _arrangements(np.unique(values, return_counts=True)[1])
            total = min(total * orders, MAX_DISTINCT)
    return min(total, MAX_DISTINCT)


def _arrangements(counts: Iterable[int]) -> int:
    """The multinomial coefficient (sum of counts)! / product of counts!."""
    product, total = 1, 0
    for count in counts:
        total += int(count)
        product *= math.comb(total, int(count))
    return product


def _all_tables(
    class_of: np.ndarray, units_of_strata: Sequence[np.ndarray]
) -> Iterator[np.ndarray]:
    """Every labelling of the units that keeps the number of each class in every stratum."""
    orders = [list(_orders(sorted(class_of[group].tolist()))) for group in units_of_strata]
    for chosen in itertools.product(*orders):
        table = np.empty_like(class_of)
        for group, order in zip(units_of_strata, chosen):
            table[group] = order
        yield table


def _orders(values: list[int]) -> Iterator[tuple[int, ...]]:
    """The different orders of a list that may hold equal values."""
    if not values:
        yield ()
    for value in sorted(set(values)):
        rest = list(values)
        rest.remove(value)
        yield from ((value, *order) for order in _orders(rest))


def _count_renamings(class_of: np.ndarray, units_of_strata: Sequence[np.ndarray]) -> int:
    """Number of ways of renaming the classes that keep the number of each in every stratum."""
    classes = np.unique(class_of)
    counts = np.array(
        [[(class_of[group] == c).sum() for c in classes] for group in units_of_strata]
    )
    alike = np.unique(counts, axis=1, return_counts=True)[1]
    return math.prod(math.factorial(int(size)) for size in alike)
