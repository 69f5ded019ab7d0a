"""Expected bounds of a measurement, from the numbers of speakers and utterances (host).

Under permuted labels the UAR of an attacker scatters, since each speaker is named rightly or not,
and utterances of one speaker go together. With S_c speakers of class c, p = 1 / C, and r the
correlation of two utterances of a speaker being named rightly, its standard deviation is about

    s = F sqrt(sum_c p (1 - p) / S_c (r + (1 - r) mean(1 / n))) / C

where n is the number of utterances of a speaker, and F = 1.13 + 0.3 / sqrt(S) is over 1 because
attackers learn from speakers as well. Of all utterances of a person together r + ... is 1. What
follows is proportional to s: the minimum detectable UAR, chance + d s, and, where there is no leak,
the upper bound, chance + s times a gamma distribution that begins at b, with mean m and standard
deviation v beyond it:

    deals of folds                                d      b      m      v
    one                                           2.85   1.9    1.02   0.54
    several, all attackers in each (a small h)    2.5    1.65   1.0    0.60
    several, some attackers in one (a large h)    2.52   1.9    1.27   0.65

Of a number, such as an age, the rank correlation with S speakers scatters on Fisher's scale by
s = 1 / sqrt(S - 1); its minimum detectable one is tanh(3.75 s), and without a leak the
upper bound tanh of s times a gamma distribution with b = 2.3, m = 1.42 and v = 0.88. Several deals
average s to 0.95 of it, and of a correlation to 0.90.

The constants were fitted to simulated corpora without a leak: of a UAR, with a third of the
variance between speakers, those of one deal to 150, of several deals to 1,200 with a small h and
150 with a large one; of correlations, with half of it, to 1,200. Representations in which speakers
differ more need more of them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.permutation_test import HIGH_SHARE
from privrep.types import ALPHA

_TOGETHER = 0.317  # r of two classes; of C it is smaller by (2 / C)^(1/3)
_TRAINING, _FEW_SPEAKERS = 1.13, 0.3  # of F
_SEVERAL_DEALS = 0.95  # of it, where the UAR is averaged over several deals
_DETECTABLE_Z, _SEVERAL_DEALS_Z = 3.75, 0.90  # of correlations, on Fisher's scale
_SURE = 0.80  # chance to pass that is enough
_TAILS = (0.1, 0.9)


class _UpperBound(NamedTuple):
    """Where there is no leak: upper bound - chance in s, `least` and a gamma distribution."""

    least: float
    mean: float
    sd: float

    @property
    def expected(self) -> float:
        return self.least + self.mean

    def under(self, bound: float) -> float:
        """The share of corpora whose bound is under `bound`."""
        excess = max(bound - self.least, 0.0)
        return float(scipy.special.gammainc(self._shape, excess / self._scale))

    def at(self, share: float) -> float:
        """The bound that this share of corpora is under."""
        return self.least + self._scale * float(scipy.special.gammaincinv(self._shape, share))

    @property
    def _shape(self) -> float:
        return (self.mean / self.sd) ** 2

    @property
    def _scale(self) -> float:
        return self.sd**2 / self.mean


class _LawOfDeals(NamedTuple):
    """Of a UAR: minimum detectable UAR - chance in s, and the upper bound without a leak."""

    detectable: float
    upper: _UpperBound


_OF_UAR = {
    "one": _LawOfDeals(2.85, _UpperBound(1.9, 1.02, 0.54)),
    "several, small h": _LawOfDeals(2.5, _UpperBound(1.65, 1.0, 0.60)),
    "several, large h": _LawOfDeals(2.52, _UpperBound(1.9, 1.27, 0.65)),
}
_OF_CORRELATION = _UpperBound(2.3, 1.42, 0.88)  # on Fisher's scale


class Expected(NamedTuple):
    """What can be expected of the measurement.

    Attributes:
      chance: UAR of guessing.
      spread: s, from one utterance.
      minimum_detectable: UAR from one utterance; infinity where the labellings are too few.
      upper: the upper bound from one utterance that is to be expected where there is no leak.
      upper_low, upper_high: between these it is in 8 of 10 corpora.
      person_minimum_detectable, person_upper: likewise from all utterances of a person.
      deals: "one", "several, small h" or "several, large h", see above.
    """

    chance: float
    spread: float
    minimum_detectable: float
    upper: float
    upper_low: float
    upper_high: float
    person_minimum_detectable: float
    person_upper: float
    deals: str

    def passes(self, limit: float, alpha: float = ALPHA) -> float:
        """The chance that no leak is called one and that the upper bound is within `limit`."""
        if not math.isfinite(self.minimum_detectable):
            return 0.0
        return (1 - alpha) * _OF_UAR[self.deals].upper.under((limit - self.chance) / self.spread)

    def growth_needed(self, limit: float, alpha: float = ALPHA) -> float:
        """By how much the speakers must be multiplied for a chance of 80 % to pass."""
        if limit <= self.chance:
            return math.inf
        bound = _OF_UAR[self.deals].upper.at(_SURE / (1 - alpha)) * self.spread
        return (bound / (limit - self.chance)) ** 2


class ExpectedCorrelation(NamedTuple):
    """As `Expected`, of an attribute that is a number: rank correlations, from all utterances of a
    speaker together.

    Attributes:
      chance: 0.
      spread: s, on Fisher's scale.
      minimum_detectable: infinity where the orders of the numbers are too few.
      upper, upper_low, upper_high: see `Expected`.
    """

    chance: float
    spread: float
    minimum_detectable: float
    upper: float
    upper_low: float
    upper_high: float

    def passes(self, limit: float, alpha: float = ALPHA) -> float:
        """The chance that no leak is called one and that the upper bound is within `limit`."""
        if not math.isfinite(self.minimum_detectable):
            return 0.0
        bound = math.atanh(min(limit, 1 - 1e-9))
        return (1 - alpha) * _OF_CORRELATION.under(bound / self.spread)

    def growth_needed(self, limit: float, alpha: float = ALPHA) -> float:
        """By how much the speakers - 1 must be multiplied for a chance of 80 % to pass."""
        bound = _OF_CORRELATION.at(_SURE / (1 - alpha)) * self.spread
        return (bound / math.atanh(min(limit, 1 - 1e-9))) ** 2


def speakers_needed(result: Expected | ExpectedCorrelation, speakers: int, limit: float) -> float:
    """About how many, in the same proportions, have a chance of 80 % to pass; infinity for none.

    Rounded up to two digits.
    """
    growth = result.growth_needed(limit)
    if not math.isfinite(growth):
        return math.inf
    fixed = 1 if isinstance(result, ExpectedCorrelation) else 0
    return rounded_up(fixed + max(speakers - fixed, 1) * growth)


def rounded_up(count: float) -> float:
    """A count up to the next with two digits that are not 0.

    >>> rounded_up(7.2), rounded_up(161), rounded_up(1234)
    (8, 170, 1300)
    """
    unit = 10 ** max(math.floor(math.log10(max(count, 1))) - 1, 0)
    return math.ceil(count / unit - 1e-9) * unit


def expected_correlation(
    speakers_of_number: Sequence[int], deals: int, alpha: float = ALPHA
) -> ExpectedCorrelation:
    """What can be expected of the measurement of a number.

    Args:
      speakers_of_number: int per number that speakers have; 1 where all have their own.
      deals: of folds.
      alpha: level of the test.

    >>> result = expected_correlation([1] * 40, deals=1)
    >>> round(result.minimum_detectable, 2), round(result.upper, 2)
    (0.54, 0.53)
    """
    speakers = sum(speakers_of_number)
    spread = (_SEVERAL_DEALS_Z if deals > 1 else 1.0) / math.sqrt(max(speakers - 1, 1))
    orders = math.factorial(speakers) // math.prod(map(math.factorial, speakers_of_number))
    # An order and its reverse score alike.
    is_possible = orders >= 2 / (alpha * HIGH_SHARE)
    low, high = map(_OF_CORRELATION.at, _TAILS)
    return ExpectedCorrelation(
        chance=0.0,
        spread=spread,
        minimum_detectable=math.tanh(_DETECTABLE_Z * spread) if is_possible else math.inf,
        upper=math.tanh(_OF_CORRELATION.expected * spread),
        upper_low=math.tanh(low * spread),
        upper_high=math.tanh(high * spread),
    )


def expected(
    speakers_of_class: Sequence[int],
    utterances: Sequence[float],
    deals: int,
    is_small: bool = True,
    alpha: float = ALPHA,
) -> Expected:
    """What can be expected of a measurement.

    Args:
      speakers_of_class: int per class, each over 0.
      utterances: of each speaker.
      deals: of folds.
      is_small: whether h has so few values that all attackers take part in every deal.
      alpha: level of the test.

    >>> result = expected([20, 20], [10] * 40, deals=1)
    >>> round(result.minimum_detectable, 2), round(result.upper, 2)
    (0.66, 0.67)
    """
    num_classes = len(speakers_of_class)
    chance = 1 / num_classes
    together = _TOGETHER * (2 / num_classes) ** (1 / 3)
    share = together + (1 - together) * float(np.mean(1 / np.asarray(utterances)))
    each = chance * (1 - chance) * sum(1 / count for count in speakers_of_class)
    training = _TRAINING + _FEW_SPEAKERS / math.sqrt(sum(speakers_of_class))
    person = training * math.sqrt(each) / num_classes
    size = "small" if is_small else "large"
    law_of = f"several, {size} h" if deals > 1 else "one"
    law = _OF_UAR[law_of]
    person *= _SEVERAL_DEALS if deals > 1 else 1.0
    spread = person * math.sqrt(share)
    detectable = law.detectable if _smallest_p(speakers_of_class) <= alpha else math.inf
    return Expected(
        chance=chance,
        spread=spread,
        minimum_detectable=_uar(chance, detectable * spread),
        upper=_uar(chance, law.upper.expected * spread),
        upper_low=_uar(chance, law.upper.at(_TAILS[0]) * spread),
        upper_high=_uar(chance, law.upper.at(_TAILS[1]) * spread),
        person_minimum_detectable=_uar(chance, detectable * person),
        person_upper=_uar(chance, law.upper.expected * person),
        deals=law_of,
    )


def _uar(chance: float, leak: float) -> float:
    return chance + leak if math.isinf(leak) else min(chance + leak, 1.0)


def _smallest_p(speakers_of_class: Sequence[int]) -> float:
    """The smallest p of the design: labellings that only rename classes score alike."""
    labellings, total = 1, 0
    for count in speakers_of_class:
        total += count
        labellings *= math.comb(total, count)
    sizes = [list(speakers_of_class).count(size) for size in {*speakers_of_class}]
    return min(1.0, math.prod(map(math.factorial, sizes)) / labellings / HIGH_SHARE)
