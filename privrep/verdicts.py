"""From the scores of attackers on true and exchanged labels to a verdict with its bounds."""

from typing import NamedTuple

ALPHA = 0.05
LIMIT = 0.10  # of the leak: UAR - chance
POWER = 0.80


class Verdict(NamedTuple):
    """What the attack on this corpus shows, in plain values.

    Attributes:
      verdict: "leaks": more than exchanged labels explain, at the level alpha. "no_leak_shown": not
        so, and the upper bound of the leak lies under the limit. "cannot_tell": neither.
      uar: of the strongest attacker, the headline.
      lower, upper: one-sided bounds of the headline UAR, each at 1 - alpha, corrected for the choice
        of the strongest.
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
