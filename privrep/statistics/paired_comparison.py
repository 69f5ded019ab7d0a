"""Two systems on the same speakers: the paired difference of a score, its interval and its test."""

import itertools
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.confidence import Score, standard_error
from privrep.statistics.uar import uar


class Comparison(NamedTuple):
    """System a against system b: the difference a - b of their scores.

    Attributes:
      difference, lower, upper: float.
      p: of the hypothesis that a speaker's results might as well have been the other system's.
      smallest_p: that so few speakers can reach.
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
    """Two systems on the same speakers and folds, such as lambda = 0 and another lambda.

    The interval is that of the paired difference, by its linearised error over speakers and t. The
    test exchanges the two systems' results of random speakers (of all subsets, where these are at
    most `draws`), which is exact when a speaker's results might as well have been swapped.

    Args:
      counts_a, counts_b: int[S, C, C], of the same speakers in the same order.
      score: such as `uar`.
      strata: int[S]; None for one.
      level: confidence of the interval.
      draws: exchanges tried.
      seed: of the exchanges.

    Raises:
      ValueError: the two have not the same shape.
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
        return score(pooled[..., 0, :, :]) - score(pooled[..., 1, :, :])

    found = float(difference(both.sum(0)))
    error = standard_error(both, difference, strata)
    half = error * scipy.special.stdtrit(num_speakers - len(np.unique(strata)), (1 + level) / 2)
    complete = 2**num_speakers <= draws + 1
    if complete:
        swap = np.array(list(itertools.product((False, True), repeat=num_speakers)))
    else:
        swap = np.random.default_rng(seed).random((draws + 1, num_speakers)) < 0.5
        swap[0] = False
    exchanged = [np.where(one[:, None, None, None], both[:, ::-1], both).sum(0) for one in swap]
    extreme = np.abs(difference(np.stack(exchanged))) >= abs(found) - 1e-9
    smallest = max(1 / len(swap), 2.0 ** (1 - num_speakers))
    return Comparison(found, found - half, found + half, float(extreme.mean()), smallest)
