"""Upper and lower bound of an attacker's UAR, and the minimum detectable UAR of its test (host).

Let m and s be mean and standard deviation of the attacker's UARs under permuted labels, and e the
standard error of its UAR over the test speakers. s contains the variation over training speakers,
which a bootstrap of the test speakers misses. Each bound holds with confidence 1 - alpha:

    upper = max(UAR, chance + |UAR - m| + z(1 - alpha) max(s, e))
    lower = UAR - z(1 - alpha) max(s, e)

m is subtracted, and not chance, because with few speakers m lies below chance: when a speaker is
held out, the mean of the remaining ones moves to the other side. The minimum detectable UAR is the
smallest mean UAR at which the test has a power of 80 %: the UAR with p = alpha, plus
z(0.8) max(s, e).
"""

from typing import NamedTuple

import numpy as np
import scipy.special

POWER = 0.80


class Null(NamedTuple):
    """Mean, standard deviation and values float[P - 1] of a score under permuted labels."""

    mean: float
    sd: float
    scores: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray) -> "Null":
        """From the scores of all labellings float[P], of which the first is the true one."""
        null = scores[1:]
        return cls(float(null.mean()), float(null.std(ddof=1) if len(null) > 1 else 0), null)


def upper_bound(uar: float, null: Null, error: float, chance: float, alpha: float) -> float:
    """One-sided upper bound of the UAR at confidence 1 - alpha, at most 1."""
    margin = scipy.special.ndtri(1 - alpha) * max(null.sd, error)
    return float(min(1.0, max(uar, chance + abs(uar - null.mean) + margin)))


def lower_bound(uar: float, null: Null, error: float, alpha: float) -> float:
    """One-sided lower bound of the UAR at confidence 1 - alpha, at least 0."""
    return float(max(0.0, uar - scipy.special.ndtri(1 - alpha) * max(null.sd, error)))


def minimum_detectable(null: Null, error: float, high_alpha: float) -> float:
    """The smallest mean UAR that one attacker's test detects with 80 % power.

    Args:
      null: of the attacker.
      error: its standard error over speakers, which may be larger than the deviation of the null:
        where there is a leak, it varies from speaker to speaker.
      high_alpha: the part of alpha that is spent on a UAR above that of permuted labels.
    """
    critical = np.quantile(null.scores, 1 - high_alpha)
    return float(critical + scipy.special.ndtri(POWER) * max(null.sd, error))
