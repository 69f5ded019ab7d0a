"""Paired comparison of two systems on the same speakers: difference, interval and test."""

import itertools
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.confidence import Score, standard_error
from privrep.statistics.uar import uar


class Comparison(NamedTuple):
    """The difference a - b of the scores of two systems, and its test.

    Attributes:
      difference, lower, upper: the difference and its confidence interval.
      p: two-sided, under the null hypothesis that the two systems are exchangeable per speaker.
      smallest_p: the smallest p that this number of speakers and draws can give.
    """

    difference: float
    lower: float
    upper: float
    p: float
    smallest_p: float


def compare(
    counts_a: np.ndarray,
    counts_b: np.ndarray,
    score: Score = uar,
    strata: np.ndarray | None = None,
    *,
    level: float = 0.95,
    draws: int = 1999,
    seed: int = 0,
) -> Comparison:
    """Compares two systems on the same speakers and folds, such as lambda = 0 and another lambda.

    The interval is that of the paired difference, from its linearised standard error over speakers
    and the t distribution. The permutation test swaps the results of the two systems for random
    subsets of the speakers (for all subsets if there are at most `draws` + 1), which is exact if
    the two systems are exchangeable per speaker.

    Args:
      counts_a, counts_b: int[S, C, C], of the same speakers in the same order; or other sums
        [S, ...] of each speaker, of which `score` takes the total.
      score: such as `uar`.
      strata: int[S]; None for one stratum.
      level: confidence of the interval.
      draws: permutations tried.
      seed: of the permutations.

    Raises:
      ValueError: the two differ in shape.
    """
    if counts_a.shape != counts_b.shape:
        raise ValueError(
            f"counts of {len(counts_a)} and {len(counts_b)} speakers, shapes {counts_a.shape} and "
            f"{counts_b.shape}: compare two systems on the same speakers and classes"
        )
    num_speakers = len(counts_a)
    strata = np.zeros(num_speakers, int) if strata is None else np.asarray(strata)
    both = np.stack([counts_a, counts_b], 1)

    def difference(pooled: np.ndarray) -> np.ndarray:  # [..., 2, C, C]
        pooled = np.moveaxis(pooled, 1 - both.ndim, 0)
        return score(pooled[0]) - score(pooled[1])

    value = float(difference(both.sum(0)))
    error = standard_error(both, difference, strata)
    half = error * scipy.special.stdtrit(num_speakers - len(np.unique(strata)), (1 + level) / 2)
    complete = 2**num_speakers <= draws + 1
    if complete:
        swap = np.array(list(itertools.product((False, True), repeat=num_speakers)))
    else:
        swap = np.random.default_rng(seed).random((draws + 1, num_speakers)) < 0.5
        swap[0] = False
    permuted = [
        np.where(swapped.reshape(-1, *(1,) * (both.ndim - 1)), both[:, ::-1], both).sum(0)
        for swapped in swap
    ]
    extreme = np.abs(difference(np.stack(permuted))) >= abs(value) - 1e-9
    smallest = max(1 / len(swap), 2.0 ** (1 - num_speakers))
    return Comparison(value, value - half, value + half, float(extreme.mean()), smallest)
