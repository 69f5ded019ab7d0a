"""Who is tested together, and who may exchange labels with whom under the null hypothesis.

The null hypothesis: h says nothing about the attribute, so that any speaker might as well have had
another's label. A test of it repeats the whole attack with labels exchanged between speakers; it is
exact for any attacker, however few the speakers, as long as nothing else depends on who has which
label. The folds therefore do not look at the labels: folds balanced for the true labels would not
be for the exchanged ones, and the truth would stand out by that alone.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

MOST = 10**18  # counts of permutations go no higher: more is all the same


class Design(NamedTuple):
    """How the speakers are dealt out.

    Attributes:
      folds: int32[N] in [0, K), the fold that tests the utterance; no speaker is in two.
      strata: int32[S]; labels are exchanged within a stratum only.
      units: int32[S]; between units of speakers, whose labels stay together.
      exchanged: between whom, in words: FREE, WITHIN, WHOLE or BOTH.
    """

    folds: np.ndarray
    strata: np.ndarray
    units: np.ndarray
    exchanged: str


FREE, WITHIN, WHOLE = "speakers", "speakers of a session", "whole sessions"
BOTH = f"{WITHIN}, and {WHOLE}"


class Permutations(NamedTuple):
    """Labels as they are and as they might have been.

    Attributes:
      labels: int32[P, N]; row 0 are the true ones.
      distinct: how many different labellings the design allows with the true one; at most MOST.
      complete: whether the rows are all of them, once each, rather than random draws.
      smallest_share: the smallest share of the rows that can be as extreme as row 0. 1 / P, or more
        where classes can change their names: an attacker that is trained anew does as well when
        every "female" is called "male" and the reverse, so that such labellings tie.
    """

    labels: np.ndarray
    distinct: int
    complete: bool
    smallest_share: float


def design(
    labels: np.ndarray,
    speakers: np.ndarray,
    sessions: np.ndarray | None,
    num_folds: int,
    seed: int,
) -> Design:
    """Deals the speakers to folds of like numbers of utterances, without a look at their labels.

    Whatever a session's speakers share, such as the room, cannot be taken for a leak: where they
    are of several classes (as in the conversations of one woman and one man in IEMOCAP) they
    exchange labels among themselves, and sessions of one class exchange theirs as a whole. Sessions
    tied by a common speaker are one. They are kept together in the folds if all have several
    classes, or if that leaves enough of them, none with more than twice a fair share of the
    utterances.

    Args:
      labels: int32[N], none unknown; a speaker's class here is the most frequent one.
      speakers: int32[N], numbered from 0 to S - 1.
      sessions: int32[N], or None where there are none.
      num_folds: K, at least 3; fewer folds are made where there are fewer speakers or sessions.
      seed: another seed deals differently.

    Raises:
      ValueError: fewer than 3 folds can be made.
    """
    num_speakers = int(speakers.max()) + 1
    alone = np.arange(num_speakers)
    together, strata, units, said = alone, np.zeros(num_speakers, int), alone, FREE
    if sessions is not None:
        tied = tied_speakers(speakers, sessions)
        usual = speaker_labels(labels, speakers)
        mixed = np.array([len(set(usual[tied == unit])) > 1 for unit in range(tied.max() + 1)])
        strata = np.where(mixed[tied], 1 + tied, 0)
        # Behind the speakers' numbers, so that nobody else's unit has it.
        units = np.where(mixed[tied], alone, num_speakers + tied)
        whole = bool((np.bincount(tied)[~mixed] > 1).any())
        several = bool(len(mixed) > 1 and mixed.any())
        said = (BOTH if whole else WITHIN) if several else (WHOLE if whole else FREE)
        even = np.bincount(tied[speakers]).max() * num_folds <= 2 * len(speakers)
        paired = mixed.all() and len(mixed) > 2
        together = tied if paired or (even and len(mixed) >= num_folds) else alone
    num_units = together.max() + 1
    num_folds = min(num_folds, num_units)
    if num_folds < 3:
        raise ValueError(
            f"{num_units} speakers in {num_folds} folds: an attacker needs at least 3 of both, one "
            "to learn from, one to be chosen on and one to be tested on"
        )
    sizes = np.bincount(together[speakers], minlength=num_units)
    order = np.random.default_rng(seed).permutation(num_units)
    order = order[np.argsort(-sizes[order], kind="stable")]
    held = np.zeros((num_folds, 2))
    fold_of = np.zeros(num_units, np.int32)
    for unit in order:  # the largest first, each to the fold with the fewest utterances
        fold_of[unit] = min(range(num_folds), key=lambda fold: (held[fold, 0], held[fold, 1]))
        held[fold_of[unit]] += sizes[unit], 1
    return Design(
        fold_of[together[speakers]], strata.astype(np.int32), units.astype(np.int32), said
    )


def permute(
    labels: np.ndarray,
    speakers: np.ndarray,
    strata: np.ndarray,
    count: int,
    seed: int,
    units: np.ndarray | None = None,
) -> Permutations:
    """The true labels, and `count` rows of labels exchanged between units of one stratum.

    All labellings, the true one first, if there are at most 2 * `count`; else random ones.

    An attribute that varies within a speaker is exchanged as a whole too: a speaker gets the shares
    of the classes of another, dealt in random order to his own utterances. Of speakers with equally
    many utterances that is an exact exchange, otherwise exact up to rounding to whole utterances.
    It supposes that a speaker's utterances are exchangeable under the null hypothesis.

    Args:
      labels: int32[N], none unknown.
      speakers: int32[N], numbered from 0 to S - 1.
      strata: int32[S].
      count: P - 1, at least 1.
      seed: another seed draws others.
      units: int32[S], None where every speaker is one. Speakers of a unit are of one stratum and,
        if the attribute is the same in all their utterances, of one class; a unit gets the labels
        of another, speaker by speaker, and those of its first again if it is larger.
    """
    rng = np.random.default_rng(seed)
    num_speakers = len(strata)
    by_speaker = [np.flatnonzero(speakers == s) for s in range(num_speakers)]
    sorted_labels = [np.sort(labels[rows]) for rows in by_speaker]
    constant = all(own[0] == own[-1] for own in sorted_labels)
    units = np.arange(num_speakers) if units is None else units
    first, unit = np.unique(units, return_index=True, return_inverse=True)[1:]
    of_unit = [np.flatnonzero(unit == u) for u in range(len(first))]
    # Each stratum's units.
    members = [np.flatnonzero(strata[first] == stratum) for stratum in np.unique(strata)]
    distinct = _distinct([[sorted_labels[s] for s in own] for own in of_unit], members)
    usual = speaker_labels(labels, speakers)[first]
    if constant and distinct <= 2 * count:
        tables = np.array(list(_all_tables(usual, members)), np.int32)
        tables = tables[(tables != usual).any(1)][:, unit]
        rows = np.concatenate([labels[None], tables[:, speakers]])
        share = _names(usual, members) / distinct
        return Permutations(rows.astype(np.int32), distinct, True, share)
    rows = np.repeat(labels[None].astype(np.int32), 1 + count, axis=0)
    for row in rows[1:]:
        for group in members:
            pairs = (
                (speaker, of_unit[source][i % len(of_unit[source])])
                for to, source in zip(group, rng.permutation(group))
                for i, speaker in enumerate(of_unit[to])
            )
            for speaker, source in pairs:
                own, given = by_speaker[speaker], sorted_labels[source]
                if given[0] == given[-1]:
                    row[own] = given[0]
                else:
                    places = ((np.arange(len(own)) + 0.5) * len(given) / len(own)).astype(int)
                    row[own] = rng.permutation(given[places])
    share = max(1 / (1 + count), _names(usual, members) / distinct if constant else 0)
    return Permutations(rows, distinct, False, share)


def speaker_labels(labels: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """int32[S]: each speaker's most frequent class, the first of equally frequent ones."""
    counts = np.zeros((speakers.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (speakers, labels), 1)
    return counts.argmax(1).astype(np.int32)


def tied_speakers(speakers: np.ndarray, sessions: np.ndarray) -> np.ndarray:
    """int[S]: the number of the sessions a speaker is in, those of a common speaker being one."""
    group = np.arange(speakers.max() + 1)
    pairs = np.unique(np.stack([sessions, speakers], 1), axis=0)
    for _, rows in itertools.groupby(pairs.tolist(), key=lambda pair: pair[0]):
        together = group[[speaker for _, speaker in rows]]
        group[np.isin(group, together)] = together.min()
    return np.unique(group, return_inverse=True)[1]


def _distinct(sorted_labels: Sequence[Sequence[np.ndarray]], members: Sequence[np.ndarray]) -> int:
    """How many labellings exchange can make: arrangements of units times orders within speakers."""
    found = 1
    for group in members:
        # Units of one value are alike however many speakers and utterances they have.
        shares = []
        for unit in group:
            one = len({label for own in sorted_labels[unit] for label in own.tolist()}) == 1
            shares.append([sorted_labels[unit][0][:1]] if one else sorted_labels[unit])
        alike = Counter(tuple(own.tobytes() for own in share) for share in shares)
        found *= _arrangements(alike.values())
        for own in (own for share in shares for own in share):
            found = min(found * _arrangements(np.unique(own, return_counts=True)[1]), MOST)
    return min(found, MOST)


def _arrangements(counts: Iterable[int]) -> int:
    """The multinomial coefficient (sum of counts)! / product of counts!."""
    found, total = 1, 0
    for count in counts:
        total += int(count)
        found *= math.comb(total, int(count))
    return found


def _all_tables(usual: np.ndarray, members: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Every labelling of the units that keeps the classes of each stratum."""
    each = [list(_orders(sorted(usual[group].tolist()))) for group in members]
    for chosen in itertools.product(*each):
        table = np.empty_like(usual)
        for group, order in zip(members, chosen):
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


def _names(usual: np.ndarray, members: Sequence[np.ndarray]) -> int:
    """How many ways of renaming the classes keep the number of each class in every stratum."""
    classes = np.unique(usual)
    counts = np.array([[(usual[group] == c).sum() for c in classes] for group in members])
    alike = np.unique(counts, axis=1, return_counts=True)[1]
    return math.prod(math.factorial(int(size)) for size in alike)
