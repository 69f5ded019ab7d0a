"""From the scores of attackers on true and exchanged labels to a verdict with its bounds."""

import math
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.permutation_test import Permutations

ALPHA = 0.05
LIMIT = 0.10  # of the leak: UAR - chance
POWER = 0.80


class Verdict(NamedTuple):
    """What the attack on this corpus shows, in plain values.

    Attributes:
      verdict: "leaks": more than exchanged labels explain, at the level alpha. "no_leak_shown": not
        so, and the upper bound of the leak lies under the limit. "cannot_tell": neither.
      uar: of the strongest attacker, the headline.
      lower, upper: one-sided bounds of the headline UAR, each at 1 - alpha, that allow for having
        taken the strongest.
      p: of the suite; of all its attackers together.
      smallest_p: that this design can reach, whatever the leak.
      detectable: the minimum detectable leak, as a UAR: the smallest mean UAR that this test finds
        with 80 % power; infinity where smallest_p is over alpha.
      limit: the UAR over which a leak counts, chance + limit.
      reason: one or two sentences.
    """

    verdict: str
    uar: float
    lower: float
    upper: float
    p: float
    smallest_p: float
    detectable: float
    limit: float
    reason: str


class Judged(NamedTuple):
    """One attacker alone, as in `Verdict`, and the moments of its UAR under exchanged labels."""

    lower: float
    upper: float
    p: float
    detectable: float
    null_mean: float
    null_deviation: float


# Shares of alpha. An attacker on the wrong side of chance is a leak with the sign turned round, but
# a rare one, as it has learned the sign from other speakers.
_ABOVE, _BELOW = 0.8, 0.2


def judge(
    uars: np.ndarray,
    errors: np.ndarray,
    permutations: Permutations,
    num_classes: int,
    limit: float = LIMIT,
    alpha: float = ALPHA,
) -> tuple[Verdict, tuple[Judged, ...]]:
    """The verdict on a suite of attackers.

    Test: the UARs of an attacker over all labellings, the true one included, are brought to mean 0
    and deviation 1; the statistic of a labelling is the highest (and the lowest) over the suite,
    whose distribution over the same labellings is that of having taken the strongest (Westfall &
    Young 1993). With q the share of labellings as high, or as low, as the true one,

        p = min(1, q_high / 0.8, q_low / 0.2)

    Upper bound of the leak, with m and s the mean and deviation of the UARs under exchanged labels
    (m is under chance with few speakers: who is left out lies on the far side), e the standard
    error over the tested speakers:

        upper = chance + |UAR - m| + z(1 - alpha) max(s, e)

    s holds what the speakers learned from contribute, which a bootstrap of the tested ones misses.
    The largest over the suite is a bound for the strongest attacker without further correction. The
    lower bound takes the (1 - alpha) quantile of the highest standardised UAR for z, if larger.

    Minimum detectable leak: the UAR that is high enough for p = alpha, plus z(0.8) s.

    Args:
      uars: float[A, P], of every attacker on every labelling; column 0 is the true one.
      errors: float[A], standard errors over speakers of column 0.
      permutations: of the P labellings.
      num_classes: C.
      limit: the leak UAR - chance that must be excluded for "no_leak_shown".
      alpha: level.
    """
    chance = 1 / num_classes
    each = tuple(
        _judge_one(row, error, permutations, chance, alpha) for row, error in zip(uars, errors)
    )
    scaled = np.stack([_scaled(row) for row in uars])
    highest, lowest = scaled.max(0), scaled.min(0)
    p = _p(highest, lowest, permutations.smallest_share)
    smallest_p = permutations.smallest_share / _ABOVE
    headline = int(np.argmax(uars[:, 0]))
    of_headline = each[headline]
    spread = max(of_headline.null_deviation, errors[headline])
    score = float(uars[headline, 0])
    distance = max(np.quantile(highest[1:], 1 - alpha), scipy.special.ndtri(1 - alpha))
    lower = max(0.0, score - float(distance) * spread)
    upper = max(one.upper for one in each)
    detectable = np.inf
    if smallest_p <= alpha:
        detectable = of_headline.null_mean + of_headline.null_deviation * (
            np.quantile(highest[1:], 1 - _ABOVE * alpha) + scipy.special.ndtri(POWER)
        )
    if p <= alpha:
        verdict = "leaks"
    elif smallest_p <= alpha and upper <= chance + limit:
        verdict = "no_leak_shown"
    else:
        verdict = "cannot_tell"
    found = Verdict(
        verdict,
        score,
        lower,
        upper,
        p,
        smallest_p,
        float(min(detectable, np.inf)),
        chance + limit,
        "",
    )
    return found._replace(reason=_reason(found, permutations, alpha)), each


def _judge_one(uars, error, permutations, chance, alpha) -> Judged:
    null = uars[1:]
    mean, deviation = float(null.mean()), float(null.std(ddof=1) if len(null) > 1 else 0)
    spread = scipy.special.ndtri(1 - alpha) * max(deviation, float(error))
    scaled = _scaled(uars)
    detectable = np.inf
    if permutations.smallest_share / _ABOVE <= alpha:
        detectable = np.quantile(null, 1 - _ABOVE * alpha)
        detectable += scipy.special.ndtri(POWER) * deviation
    return Judged(
        lower=max(0.0, float(uars[0]) - spread),
        upper=min(1.0, chance + abs(float(uars[0]) - mean) + spread),
        p=_p(scaled, scaled, permutations.smallest_share),
        detectable=float(detectable),
        null_mean=mean,
        null_deviation=deviation,
    )


def _scaled(uars: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1 over all labellings alike, so that the test stays exact."""
    return (uars - uars.mean()) / max(uars.std(), 1e-12)


def _p(highest: np.ndarray, lowest: np.ndarray, smallest_share: float) -> float:
    # Labellings that only rename the classes tie but for rounding.
    high = max(float((highest >= highest[0] - 1e-6).mean()), smallest_share)
    low = max(float((lowest <= lowest[0] + 1e-6).mean()), smallest_share)
    return min(1.0, high / _ABOVE, low / _BELOW)


def least_exchanges(alpha: float = ALPHA) -> int:
    """The fewest exchanges of labels with which p can be alpha: 24 at 5 %."""
    return math.ceil(1 / (alpha * _ABOVE)) - 1


def _reason(found: Verdict, permutations: Permutations, alpha: float) -> str:
    tried = len(permutations.labels) - 1
    shown = f"UAR {found.uar:.3f}, p = {found.p:.3g} by {tried} exchanges of speakers' labels"
    if found.verdict == "leaks":
        return f"The strongest attacker finds what exchanged labels do not explain: {shown}."
    if found.verdict == "no_leak_shown":
        return (
            f"No leak is found ({shown}), and one over {found.limit:.2f} by these attackers from "
            f"one utterance is excluded over speakers: the upper bound at {1 - alpha:.0%} "
            f"confidence is {found.upper:.3f}."
        )
    if found.smallest_p > alpha and not permutations.complete and tried < least_exchanges(alpha):
        return (
            f"So few exchanges cannot show anything at the level {alpha:g}, whatever the leak: "
            f"with {tried}, p cannot be under {found.smallest_p:.3g}; make "
            f"{least_exchanges(alpha)} or more ({shown})."
        )
    if found.smallest_p > alpha:
        return (
            f"So few speakers cannot show anything at the level {alpha:g}: with the "
            f"{permutations.distinct} labellings of this design, p cannot be "
            f"under {found.smallest_p:.3g} ({shown})."
        )
    return (
        f"No leak is found ({shown}), but one up to {found.upper:.3f} is not excluded, and in four "
        f"cases of five this test finds only leaks over {min(found.detectable, 1):.3f}."
    )
