"""Is one representation more revealing than another, on the same speakers? (host)

With d the difference of the UARs of two attackers, each on its own representation, e its standard
error over speakers (paired, see `paired_comparison`), and s the standard deviation of the same
difference under permuted labels (the same permutations for both), each bound holds with confidence
1 - alpha:

    d - z(1 - alpha) max(s, e)    and    d + z(1 - alpha) max(s, e)

s contains the variation over training speakers, which e misses, as in `upper_bound`.
"""

from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.paired_comparison import compare

MORE, LESS, NO_MORE, UNSURE = "more", "less", "no_more", "cannot_tell"


class Difference(NamedTuple):
    """The UAR of the new representation minus that of the old one, in plain values.

    Attributes:
      verdict: "more": the new one is more revealing. "less": it is less so. "no_more": neither is
        shown, and a difference above the margin is excluded. "cannot_tell": neither is shown, and
        such a difference is not excluded.
      difference, lower, upper: with bounds, each at confidence 1 - alpha.
      p: two-sided, of the representations being exchangeable per speaker.
      margin: in UAR.
    """

    verdict: str
    difference: float
    lower: float
    upper: float
    p: float
    margin: float


class ScoredAttacker(NamedTuple):
    """What an attacker read from one representation.

    Attributes:
      counts: int[S, C, C], confusion counts of every speaker.
      null: float[P], UARs under permuted labellings.
    """

    counts: np.ndarray
    null: np.ndarray


def judge_difference(
    new: ScoredAttacker,
    old: ScoredAttacker,
    strata: np.ndarray,
    margin: float,
    alpha: float,
    seed: int,
) -> Difference:
    """Judges the difference of two attackers.

    Args:
      new, old: of the same speakers and the same permuted labellings.
      strata: int[S], the class of each speaker.
      margin: the difference that "no_more" excludes.
      alpha: level.
      seed: of the permutations.
    """
    paired = compare(new.counts, old.counts, strata=strata, level=1 - 2 * alpha, seed=seed)
    quantile = scipy.special.stdtrit(len(new.counts) - len(np.unique(strata)), 1 - alpha)
    error = (paired.upper - paired.difference) / float(quantile)
    spread = max(float(np.std(new.null - old.null, ddof=1)), error)
    reach = float(scipy.special.ndtri(1 - alpha)) * spread
    lower, upper = paired.difference - reach, paired.difference + reach
    verdict = UNSURE
    if paired.p <= 2 * alpha and lower > 0:
        verdict = MORE
    elif paired.p <= 2 * alpha and upper < 0:
        verdict = LESS
    elif upper <= margin:
        verdict = NO_MORE
    return Difference(verdict, paired.difference, lower, upper, paired.p, margin)
