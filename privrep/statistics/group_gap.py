"""The gap of a score between two groups of speakers, such as women and men, with its interval."""

from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.confidence import Score, standard_error
from privrep.statistics.uar import uar


class Gap(NamedTuple):
    """The score of a group less that of the other, and the bounds of its confidence interval."""

    difference: float
    lower: float
    upper: float


def gap(
    counts_a: np.ndarray, counts_b: np.ndarray, score: Score = uar, *, level: float = 0.95
) -> Gap | None:
    """The difference of a score between two groups of utterances, with an interval over speakers.

    The standard error is that of the difference, linearised over speakers. Speakers of whom all
    utterances are in one group, as those of a gender are, vary independently in both groups; where
    a speaker is in both, the two scores are paired by the speaker.

    Args:
      counts_a, counts_b: [S, ...] of the same speakers in the same order: summed statistics of the
        utterances of each group, such as confusion counts [S, C, C]; 0 where a speaker has none.
      score: a function of summed statistics.
      level: confidence of the interval.

    Returns:
      None where a group has fewer than two speakers.
    """
    both = np.stack([counts_a, counts_b], 1)
    inside = np.asarray((both.reshape(*both.shape[:2], -1) != 0).any(2))  # [S, 2]
    if (inside.sum(0) < 2).any():
        return None
    both, inside = both[inside.any(1)], inside[inside.any(1)]
    paired = inside.all(1).any()
    strata = np.zeros(len(both), int) if paired else inside[:, 1].astype(int)

    def difference(pooled: np.ndarray) -> np.ndarray:  # [..., 2, ...]
        pooled = np.moveaxis(pooled, 1 - both.ndim, 0)
        return score(pooled[0]) - score(pooled[1])

    value = float(difference(both.sum(0)))
    freedom = max(len(both) - len(np.unique(strata)), 1)
    half = standard_error(both, difference, strata) * float(
        scipy.special.stdtrit(freedom, (1 + level) / 2)
    )
    return Gap(value, value - half, value + half)
