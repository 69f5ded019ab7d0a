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
    """Assigns speakers to folds of similar numbers of utterances.

    The folds depend on the labels only through what every permitted permutation leaves unchanged:
    which sessions have several classes.

    What the speakers of a session share, such as the room, must not count as a leak of the
    attribute. Within a session with several classes (such as the dialogues of one woman and one man
    in IEMOCAP), labels are permuted between its speakers; sessions of one class are permuted as a
    whole. Sessions that share a speaker are merged. The speakers of a session share a fold if there
    are more than two sessions and each has several classes, or if there are at least `num_folds`
    sessions and none holds more than 2 / `num_folds` of the utterances.

    Args:
      labels: int32[N], none unknown; the class of a speaker is the most frequent one.
      speaker: int32[N], numbered from 0 to S - 1.
      session: int32[N], or None where there are none.
      num_folds: K, at least 3; fewer folds are made where there are fewer speakers or sessions.
      seed: for the fold assignment.

    Raises:
      ValueError: fewer than 3 folds can be made.
    """
    num_speakers = int(speaker.max()) + 1
    each_speaker = np.arange(num_speakers)
    fold_group, strata, units = each_speaker, np.zeros(num_speakers, int), each_speaker
    permuted_between = FREE
    if session is not None:
        session_of = tied_speakers(speaker, session)
        class_of = speaker_labels(labels, speaker)
        num_sessions = session_of.max() + 1
        mixed = np.array([len(set(class_of[session_of == s])) > 1 for s in range(num_sessions)])
        # Who may swap with whom; what `permuted_between` reports follows from these two.
        strata = np.where(mixed[session_of], 1 + session_of, 0)
        # Offset by num_speakers, so that units of sessions and of single speakers never collide.
        units = np.where(mixed[session_of], each_speaker, num_speakers + session_of)
        any_whole = bool((np.bincount(session_of)[~mixed] > 1).any())
        if len(mixed) > 1 and mixed.any():
            permuted_between = BOTH if any_whole else WITHIN
        elif any_whole:
            permuted_between = WHOLE
        balanced = np.bincount(session_of[speaker]).max() * num_folds <= 2 * len(speaker)
        all_mixed = mixed.all() and len(mixed) > 2
        if all_mixed or (balanced and len(mixed) >= num_folds):
            fold_group = session_of
    num_groups = fold_group.max() + 1
    if min(num_folds, num_groups) < 3:
        raise ValueError(
            f"{num_groups} speakers for {num_folds} folds: at least 3 of each are needed, to "
            "train, to tune and to test an attacker"
        )
    num_folds = min(num_folds, num_groups)
    sizes = np.bincount(fold_group[speaker], minlength=num_groups)
    order = np.random.default_rng(seed).permutation(num_groups)
    order = order[np.argsort(-sizes[order], kind="stable")]
    load = np.zeros((num_folds, 2))  # utterances and groups of each fold
    fold_of = np.zeros(num_groups, np.int32)
    for group in order:  # the largest first, each into the fold with the fewest utterances
        fold_of[group] = min(range(num_folds), key=lambda fold: (load[fold, 0], load[fold, 1]))
        load[fold_of[group]] += sizes[group], 1
    return Design(
        fold_of[fold_group[speaker]],
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

    If the attribute is constant within speakers and there are at most 2 * `count` labellings, all
    of them are returned, the true one first; otherwise `count` random ones.

    An attribute that varies within a speaker is also permuted between whole speakers: each receives
    the class proportions of another, shuffled over their own utterances. This is exact
    between speakers with equally many utterances, otherwise up to rounding to whole utterances. It
    assumes that the utterances of a speaker are exchangeable under the null hypothesis.

    Args:
      labels: int32[N], none unknown.
      speaker: int32[N], numbered from 0 to S - 1.
      strata: int32[S].
      count: the number of random permutations, at least 1.
      seed: for the random draws.
      units: int32[S]; None where every speaker is a unit. The speakers of a unit are of one stratum
        and, if the attribute is constant within speakers, of one class. A unit receives the labels
        of another unit, speaker by speaker; if it has more speakers, it cycles through theirs.
    """
    rng = np.random.default_rng(seed)
    num_speakers = len(strata)
    utterances_of = [np.flatnonzero(speaker == s) for s in range(num_speakers)]
    sorted_labels = [np.sort(labels[rows]) for rows in utterances_of]
    constant = all(values[0] == values[-1] for values in sorted_labels)
    units = np.arange(num_speakers) if units is None else units
    first_speaker, unit_index = np.unique(units, return_index=True, return_inverse=True)[1:]
    speakers_of_unit = [np.flatnonzero(unit_index == u) for u in range(len(first_speaker))]
    units_of_strata = [
        np.flatnonzero(strata[first_speaker] == stratum) for stratum in np.unique(strata)
    ]
    distinct = _count_distinct(
        [[sorted_labels[s] for s in members] for members in speakers_of_unit], units_of_strata
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
                utterances, values = utterances_of[receiver], sorted_labels[giver]
                if values[0] == values[-1]:
                    row[utterances] = values[0]
                else:
                    num = len(utterances)
                    quantiles = ((np.arange(num) + 0.5) * len(values) / num).astype(int)
                    row[utterances] = rng.permutation(values[quantiles])
    tied_share = _count_renamings(class_of, units_of_strata) / distinct if constant else 0
    return Permutations(rows, distinct, False, max(1 / (1 + count), tied_share))


def least_permutations(alpha: float = ALPHA) -> int:
    """The smallest number of permutations with which the high tail can be significant.

    The high tail has HIGH_SHARE of alpha.

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
