"""The measurement of a number, of networks that were trained once per fold (host).

See `number_measurement` for one h of all speakers.
"""

from collections.abc import Mapping

import numpy as np

from privrep.attacks.ridge import NUMBER_ATTACKS, NumberAttack
from privrep.leakage.fold_sample import FoldRows, fold_that_tests
from privrep.leakage.number_measurement import permuted_numbers
from privrep.statistics.correlation import (
    CorrelationVerdict,
    judge_correlations,
    rank_correlation,
)
from privrep.types import SECONDARY, InferenceSettings, Split, renumber


def measure_number_folds(
    h: np.ndarray,
    values: np.ndarray,
    speakers: np.ndarray,
    split: Split,
    *,
    attackers: Mapping[str, NumberAttack] = NUMBER_ATTACKS,
    settings: InferenceSettings = SECONDARY,
) -> CorrelationVerdict:
    """Predicts a number of the speakers that each of K networks has not seen, and tests the result.

    As in `fold_measurement.measure_folds`: in fold k the attackers are trained on h[k] of the
    training and validation speakers and predict the test speakers; predictions of all folds are
    pooled, and numbers are permuted between speakers that are tested in the same fold.

    Args:
      h: float[K, N, D], finite.
      values: float[N], NaN where the number is unknown.
      speakers: [N].
      split: bool[K, N] each.
      attackers: {name: NumberAttack}.
      settings: of the test; its folds are not used.

    Raises:
      ValueError: h is not finite, or fewer than 2 different numbers among the test speakers.
    """
    if not np.isfinite(h).all():
        raise ValueError("h is not finite: a network that diverged cannot be measured")
    rows = np.flatnonzero(np.isfinite(values) & (split.train | split.val | split.test).any(0))
    speaker = renumber(np.asarray(speakers)[rows])
    numbers = np.bincount(speaker, values[rows]) / np.bincount(speaker)
    strata = np.zeros(len(numbers), np.int32)
    strata[speaker] = fold_that_tests(split)[rows] + 1
    tested = np.flatnonzero(strata)
    if len(np.unique(numbers[tested])) < 2:
        raise ValueError("the test speakers have one number: there is nothing to predict")
    units = np.arange(len(numbers))
    permutations, targets = permuted_numbers(numbers, strata, units, settings)
    correlations = []
    for attack in attackers.values():
        predicted = np.zeros(targets.shape)
        for k in range(len(h)):
            used, parts = FoldRows.of(split, k, rows)
            members, within = np.unique(speaker[used], return_inverse=True)
            x = np.asarray(h[k][rows[used]], np.float32)
            of_fold = attack(settings.seed, x, targets[:, members], within, parts, only=0)
            in_test = np.isin(np.arange(len(members)), within[parts == 0])
            predicted[:, members[in_test]] = of_fold.of_speakers[:, in_test]
        correlations.append(rank_correlation(predicted[:, tested], targets[:, tested]))
    return judge_correlations(
        np.array(correlations),
        len(tested),
        permutations,
        settings.correlation_limit,
        settings.alpha,
    )[0]
