"""A suite of attackers on several deals of folds, for every labelling of a permutation test (host).

One deal of folds is luck: on one corpus p went from 0.01 to 1 with the seed. The UAR of a labelling
is therefore the mean over several deals, the same ones for every labelling, so that the test stays
exact; its variance falls, and its power rises.
"""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import prepared
from privrep.attacks.protocol import Attacked
from privrep.attacks.suite import Suite
from privrep.leakage.victims import groups_of, person_counts, uars_of_counts, uars_of_groups
from privrep.statistics.confidence import standard_error
from privrep.statistics.design import deal_folds, speaker_labels
from privrep.statistics.permutation_test import Permutations
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import Scores
from privrep.types import Sample


class Dealt(NamedTuple):
    """The attackers' scores over all deals, in the order of the suite.

    Attributes:
      names: of the attackers that were trained for every labelling.
      one_utterance: `Scores` from one utterance at a time, each the mean over deals.
      person: `Scores` from all utterances of a person together.
      several: {number of utterances: `Scores` from so many of a person together}.
      of_deal: `Scores` from one utterance in each deal by itself. An attacker of one deal has the
        scores of that deal in all of them.
      deals: {name: in how many an attacker took part}.
      counts: {name: int64[S, C, C]}, confusion counts of the true labelling, summed over deals.
      first: {name: Attacked} in the first deal, on the true labels only.
      untested: {name: UAR on the true labels}, and `untested_person`, from all utterances of a
        person together.
      seconds: {name: wall time}.
    """

    names: tuple[str, ...]
    one_utterance: Scores
    person: Scores
    several: dict[int, Scores]
    of_deal: tuple[Scores, ...]
    deals: dict[str, int]
    counts: dict[str, np.ndarray]
    first: dict[str, Attacked]
    untested: dict[str, float]
    untested_person: dict[str, float]
    seconds: dict[str, float]


class _OfDeal(NamedTuple):
    """One attacker in one deal: UARs float[P] of all kinds, and the counts of the truth."""

    uars: np.ndarray
    person_uars: np.ndarray
    counts: np.ndarray
    person_counts: np.ndarray
    several: dict[int, tuple[np.ndarray, np.ndarray]]


def attack_deals(
    sample: Sample,
    permutations: Permutations,
    fold_group: np.ndarray | None,
    suite: Suite,
    deals: Sequence[int],
    num_folds: int,
    several: Sequence[int] = (),
) -> Dealt:
    """Trains every attacker for every labelling on the folds of every deal that it can afford.

    Args:
      sample: N utterances of known label.
      permutations: of their labels.
      fold_group: see `design.deal_folds`.
      suite: which attackers take part in how many deals.
      deals: the seed of each deal, which is the attackers' seed too.
      num_folds: K.
      several: numbers of utterances of a person from which the attackers are scored too.
    """
    y, speaker, num_classes = sample.labels, sample.speaker, sample.num_classes
    class_of = speaker_labels(y, speaker)
    attackers = {name: prepared(attack, sample.h) for name, attack in suite.tested.items()}
    results: dict[str, list[_OfDeal]] = {name: [] for name in attackers}
    groups = {
        size: groups_of(permutations.labels, speaker, num_classes, size, deals[0])
        for size in several
    }
    first, of_truth = {}, {}
    seconds = dict.fromkeys((*attackers, *suite.untested), 0.0)
    repeated = suite.repeated(sample.h.size)
    for number, seed in enumerate(deals):
        folds = deal_folds(speaker, fold_group, num_folds, seed)
        for name in attackers if number == 0 else repeated:
            start = time.perf_counter()
            attacked = attackers[name](
                seed, sample.h, permutations.labels, speaker, folds, num_classes
            )
            results[name].append(
                _score(attacked, permutations.labels, speaker, num_classes, groups)
            )
            if number == 0:
                first[name] = _of_truth(attacked)
            seconds[name] += time.perf_counter() - start
        for name, attack in suite.untested.items() if number == 0 else ():
            start = time.perf_counter()
            attacked = attack(seed, sample.h, y[None], speaker, folds, num_classes)
            of_truth[name] = _score(attacked, y[None], speaker, num_classes, {})
            seconds[name] += time.perf_counter() - start
    return Dealt(
        names=tuple(attackers),
        one_utterance=_mean_scores([*results.values()], class_of, person=False),
        person=_mean_scores([*results.values()], class_of, person=True),
        several={
            size: _mean_scores(
                [[_of_size(deal, size) for deal in of_deals] for of_deals in results.values()],
                class_of,
                person=True,
            )
            for size in several
        },
        of_deal=tuple(
            _mean_scores(
                [[of_deals[min(i, len(of_deals) - 1)]] for of_deals in results.values()],
                class_of,
                person=False,
            )
            for i in range(len(deals))
        ),
        deals={name: len(of_deals) for name, of_deals in results.items()},
        counts={
            name: np.sum([deal.counts for deal in of_deals], 0)
            for name, of_deals in results.items()
        },
        first=first,
        untested={name: float(scored.uars[0]) for name, scored in of_truth.items()},
        untested_person={name: float(scored.person_uars[0]) for name, scored in of_truth.items()},
        seconds=seconds,
    )


def _of_size(deal: _OfDeal, size: int) -> _OfDeal:
    """The deal with groups of `size` utterances in the place of persons."""
    uars, counts = deal.several[size]
    return deal._replace(person_uars=uars, person_counts=counts)


def _score(
    attacked: Attacked,
    labels: np.ndarray,
    speaker: np.ndarray,
    num_classes: int,
    groups: Mapping[int, Sequence[np.ndarray]],
) -> _OfDeal:
    """Args: groups: {size: the groups int[N] of every labelling}, see `groups_of`."""
    uars = uars_of(attacked.predictions, labels, num_classes)
    counts = confusion_counts(attacked.predictions[0], labels[0], speaker, num_classes)
    persons = [
        person_counts(attacked, row, labels[row], speaker, num_classes)
        for row in range(len(labels))
    ]
    several = {
        size: uars_of_groups(attacked, labels, speaker, num_classes, of_labellings)
        for size, of_labellings in groups.items()
    }
    return _OfDeal(uars, uars_of_counts(persons), counts, persons[0], several)


def _of_truth(attacked: Attacked) -> Attacked:
    scores = None if attacked.scores is None else attacked.scores[:1]
    return attacked._replace(predictions=attacked.predictions[:1], scores=scores)


def _mean_scores(
    results: Sequence[Sequence[_OfDeal]], class_of: np.ndarray, *, person: bool
) -> Scores:
    uars, errors = [], []
    for of_deals in results:
        uars.append(np.mean([d.person_uars if person else d.uars for d in of_deals], axis=0))
        counts = np.sum([d.person_counts if person else d.counts for d in of_deals], 0)
        errors.append(standard_error(counts, uar, class_of))
    return Scores(np.array(uars), np.array(errors))
