"""The measurement of a private attribute that is a number, such as an age in years (host).

It is `measurement` with regressions in place of classifiers and a rank correlation in place of the
UAR; speakers, folds and permutations are the same.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import places
from privrep.attacks.ridge import NUMBER_ATTACKS, NumberAttack, PredictedNumbers, ridge
from privrep.leakage.victims import VICTIM_UTTERANCES
from privrep.statistics.correlation import (
    CorrelationVerdict,
    JudgedCorrelation,
    interval,
    judge_correlations,
    pearson,
    rank_correlation,
    rank_scores,
    smallest_share,
)
from privrep.statistics.design import design
from privrep.statistics.permutation_test import Permutations, permute
from privrep.types import (
    PRIMARY,
    SECONDARY,
    InferenceSettings,
    NumberSample,
    Sample,
    renumber,
)

_LINEAR: Mapping[str, NumberAttack] = {"ridge": ridge}
VARYING = 0.5  # share of the variance within speakers above which it is no attribute of speakers


class NumberAttackerResult(NamedTuple):
    """The result of one attacker of the suite, in plain values (float, str, tuple).

    Attributes:
      name: in the suite.
      correlation, lower, upper, p, minimum_detectable: see `CorrelationVerdict`, for this attacker
        by itself.
      null: the correlation under every permuted labelling.
      chosen: hyper-parameters that were selected on validation speakers, per fold of every deal.
    """

    name: str
    correlation: float
    lower: float
    upper: float
    p: float
    minimum_detectable: float
    null: tuple[float, ...]
    chosen: tuple[str, ...]


class VictimCorrelation(NamedTuple):
    """The strongest attacker with several utterances of one victim, whose predictions it averages.

    lower and upper are a 95 % interval over speakers, not corrected for the choice of attacker; of
    all utterances they are those of the verdict. Speakers with fewer utterances are attacked with
    all they have.
    """

    utterances: int
    correlation: float
    lower: float
    upper: float


class NumberMeasurement(NamedTuple):
    """The result of `measure_number`, in plain values.

    Attributes:
      verdict: see `correlation.CorrelationVerdict`; of all utterances of a speaker together.
      strongest: name of the attacker with the highest correlation.
      attackers: {name: NumberAttackerResult}.
      pearson: correlation of the strongest attacker's predictions with the numbers themselves.
      victims: VictimCorrelation of 1, 2, 5 and 20 utterances, as far as most speakers have more,
        and of all, which is `verdict`.
      num_utterances, num_speakers: with known numbers; only these count.
      lowest, highest: of the speakers' numbers.
      share_within: share of the numbers' variance that is within speakers, 0 where every speaker
        has one number. Predictions are averaged per speaker in any case.
      num_folds: K; num_deals: of the speakers into folds.
      permuted_between: between whom numbers were permuted, see `design.Design`.
      num_permutations: permuted labellings for which every attacker was trained anew.
      distinct_permutations: labellings that the design allows, the true one included; 10**18
        stands for that number or more.
    """

    verdict: CorrelationVerdict
    strongest: str
    attackers: dict[str, NumberAttackerResult]
    pearson: float
    victims: tuple[VictimCorrelation, ...]
    num_utterances: int
    num_speakers: int
    lowest: float
    highest: float
    share_within: float
    num_folds: int
    num_deals: int
    permuted_between: str
    num_permutations: int
    distinct_permutations: int


def measure_number(
    sample: NumberSample,
    *,
    attackers: Mapping[str, NumberAttack] = NUMBER_ATTACKS,
    settings: InferenceSettings = PRIMARY,
) -> NumberMeasurement:
    """Predicts a number of held-out speakers from frozen representations, and tests the result.

    The number of a speaker is the mean over the utterances. Attackers are trained on its ranks, and
    are scored by the rank correlation between the mean prediction of a speaker's utterances and the
    number, over all speakers, so that every increasing function of the number gives the same
    result. All is repeated with the numbers permuted between speakers, as in
    `measurement.measure`. Speakers are dealt into folds several times, without looking at the
    numbers, and the correlation of every labelling is the mean over the deals.

    Args:
      sample: see `types.NumberSample.of`. Utterances with unknown numbers do not count.
      attackers: {name: NumberAttack}.
      settings: of the test; the limit is `correlation_limit`.

    Raises:
      ValueError: no known number, one number only, or fewer than 3 speakers.

    Example: a column that is the age, for 24 speakers of 4 utterances.
      >>> speaker = np.repeat(np.arange(24), 4)
      >>> age = 20.0 + 2 * speaker
      >>> noise = np.random.default_rng(0).normal(size=(96, 2))
      >>> result = measure_number(NumberSample.of(noise + 0.2 * age[:, None], age, speaker))
      >>> result.verdict.verdict, result.verdict.correlation > 0.9
      ('leaks', True)
    """
    if not np.isfinite(sample.values).any():
        raise ValueError("no number is known: every one is NaN")
    known = sample.with_known_values()
    numbers, speaker = known.of_speakers, known.speaker
    codes = renumber(numbers)
    if not codes.any():
        raise ValueError("all speakers have the same number: there is nothing to predict")
    dealt = [
        design(codes[speaker], speaker, known.session, settings.folds, seed)
        for seed in settings.deal_seeds
    ]
    permutations, targets = permuted_numbers(numbers, dealt[0].strata, dealt[0].units, settings)
    predicted = {
        name: [attack(settings.seed, known.h, targets, speaker, deal.folds) for deal in dealt]
        for name, attack in attackers.items()
    }
    correlations = np.array(
        [
            np.mean([rank_correlation(deal.of_speakers, targets) for deal in of_attacker], 0)
            for of_attacker in predicted.values()
        ]
    )
    verdict, judged = judge_correlations(
        correlations, len(numbers), permutations, settings.correlation_limit, settings.alpha
    )
    strongest = list(predicted)[int(np.argmax(correlations[:, 0]))]
    return NumberMeasurement(
        verdict=verdict,
        strongest=strongest,
        attackers={
            name: _attacker_result(name, judged_attacker, row, predicted[name])
            for name, row, judged_attacker in zip(predicted, correlations, judged)
        },
        pearson=float(
            np.mean([pearson(deal.of_speakers[0], numbers) for deal in predicted[strongest]])
        ),
        victims=_victims(predicted[strongest], known, verdict, settings.seed),
        num_utterances=len(speaker),
        num_speakers=len(numbers),
        lowest=float(numbers.min()),
        highest=float(numbers.max()),
        share_within=known.share_within,
        num_folds=int(dealt[0].folds.max()) + 1,
        num_deals=settings.deals,
        permuted_between=dealt[0].permuted_between,
        num_permutations=len(permutations.labels) - 1,
        distinct_permutations=permutations.distinct,
    )


class NumberAttribute(NamedTuple):
    """The leak of one number of the attribute matrix, in plain values.

    Attributes:
      name: of its column.
      values: how many different numbers speakers have.
      verdict: of linear ridge regression, not corrected for the number of attributes.
    """

    name: str
    values: int
    verdict: CorrelationVerdict


def measure_numbers(
    sample: Sample, columns: Mapping[str, np.ndarray], settings: InferenceSettings = SECONDARY
) -> tuple[tuple[NumberAttribute, ...], dict[str, str]]:
    """Predicts every number that speakers have, as `attribute_matrix.measure_attributes` does.

    Args:
      sample: its labels are not used.
      columns: {name: float64[N]}, NaN where the number is unknown.
      settings: of each test.

    Returns:
      The attributes, the largest correlation first, and {name: why it was left out}.
    """
    attributes, left_out = [], {}
    for name, values in columns.items():
        known = NumberSample(sample.h, values, sample.speaker, sample.session).with_known_values()
        if known.share_within > VARYING:
            left_out[name] = "varies more within speakers than between them"
            continue
        try:
            result = measure_number(known, attackers=_LINEAR, settings=settings)
        except ValueError as error:
            left_out[name] = str(error)
            continue
        attributes.append(NumberAttribute(name, len(np.unique(known.of_speakers)), result.verdict))
    return tuple(sorted(attributes, key=lambda a: -a.verdict.correlation)), left_out


def permuted_numbers(
    numbers: np.ndarray, strata: np.ndarray, units: np.ndarray, settings: InferenceSettings
) -> tuple[Permutations, np.ndarray]:
    """The labellings of a test, and what attackers learn: rank scores float64[P, S].

    Args:
      numbers: float[S], of every speaker.
      strata, units: int[S], see `permutation_test.permute`.
      settings: number of permutations, and seed.
    """
    codes, each = renumber(numbers), np.arange(len(numbers), dtype=np.int32)
    made = permute(codes, each, strata, settings.permutations, settings.seed, units)
    score_of = rank_scores(numbers)[np.unique(codes, return_index=True)[1]]
    return made._replace(smallest_share=smallest_share(numbers, made)), score_of[made.labels]


def _attacker_result(
    name: str, judged: JudgedCorrelation, correlations: np.ndarray, deals: list[PredictedNumbers]
) -> NumberAttackerResult:
    return NumberAttackerResult(
        name=name,
        null=tuple(correlations[1:].tolist()),
        chosen=tuple(itertools.chain.from_iterable(deal.chosen for deal in deals)),
        **judged._asdict(),
    )


def _victims(
    deals: list[PredictedNumbers], known: NumberSample, verdict: CorrelationVerdict, seed: int
) -> tuple[VictimCorrelation, ...]:
    counts = np.bincount(known.speaker)
    middle, most = float(np.median(counts)), int(counts.max())
    sizes = [size for size in VICTIM_UTTERANCES if size <= middle and size < most]
    return (
        *(_victim(size, deals, known, seed) for size in sizes),
        VictimCorrelation(most, verdict.correlation, verdict.lower, verdict.upper),
    )


def _victim(
    size: int, deals: list[PredictedNumbers], known: NumberSample, seed: int
) -> VictimCorrelation:
    """The attack on `size` utterances of a speaker at a time; a remainder is left out."""
    place = places(np.random.default_rng(seed), known.speaker)
    total = np.bincount(known.speaker)[known.speaker]
    used = place < np.maximum(total // size, 1) * size
    group = renumber(known.speaker[used] * (1 + place.max()) + place[used] // size)
    first = np.unique(group, return_index=True)[1]
    numbers = known.of_speakers[known.speaker[used][first]]
    correlation = float(
        np.mean(
            [
                rank_correlation(np.bincount(group, deal.of_utterances[used]), numbers)
                for deal in deals
            ]
        )
    )
    return VictimCorrelation(size, correlation, *interval(correlation, known.num_speakers))
