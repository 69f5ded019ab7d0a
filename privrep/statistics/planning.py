"""Expected bounds of a measurement, from the numbers of speakers and utterances (host).

Under permuted labels the UAR of an attacker scatters, since each speaker is named rightly or not,
and utterances of one speaker go together. With S_c speakers of class c, p = 1 / C, and r the
correlation of two utterances of a speaker being named rightly, its standard deviation is about

    s = F sqrt(sum_c p (1 - p) / S_c (r + (1 - r) mean(1 / n))) / C

where n is the number of utterances of a speaker, and F = 1.13 + 0.3 / sqrt(S) is over 1 because
attackers learn from speakers as well. Of all utterances of a person together r + ... is 1. What
follows is proportional to s: the minimum detectable UAR, and, where there is no leak, the upper
bound,

    chance + s (1.9 + g),    g of a gamma distribution with mean 1.02 and standard deviation 0.54

The constants were fitted to 150 simulated corpora without a leak in which a third of the variance
is between speakers, attacked by the usual suite; representations in which speakers differ more need
more of them.
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
_DETECTABLE = 2.85  # minimum detectable UAR - chance, in s
_LEAST, _MEAN, _SD = 1.9, 1.02, 0.54  # upper bound - chance, in s: the least, and g
_SHAPE, _SCALE = (_MEAN / _SD) ** 2, _SD**2 / _MEAN  # of the gamma distribution
_SURE = 0.80  # chance to pass that is enough
_TAILS = (0.1, 0.9)


class Expected(NamedTuple):
    """What can be expected of the measurement.

    Attributes:
      chance: UAR of guessing.
      spread: s, from one utterance.
      minimum_detectable: UAR from one utterance; infinity where the labellings are too few.
      upper: the upper bound from one utterance that is to be expected where there is no leak.
      upper_low, upper_high: between these it is in 8 of 10 corpora.
      person_minimum_detectable, person_upper: likewise from all utterances of a person.
    """

    chance: float
    spread: float
    minimum_detectable: float
    upper: float
    upper_low: float
    upper_high: float
    person_minimum_detectable: float
    person_upper: float

    def passes(self, limit: float, alpha: float = ALPHA) -> float:
        """The chance that no leak is called one and that the upper bound is within `limit`."""
        if not math.isfinite(self.minimum_detectable):
            return 0.0
        g = (limit - self.chance) / self.spread - _LEAST
        return float((1 - alpha) * scipy.special.gammainc(_SHAPE, max(g, 0.0) / _SCALE))

    def growth_needed(self, limit: float, alpha: float = ALPHA) -> float:
        """By how much the speakers must be multiplied for a chance of 80 % to pass."""
        return (_bound(_SURE / (1 - alpha)) * self.spread / (limit - self.chance)) ** 2


def _bound(share: float) -> float:
    """The upper bound - chance, in s, that this share of corpora is under."""
    return _LEAST + _SCALE * float(scipy.special.gammaincinv(_SHAPE, share))


def expected(
    speakers_of_class: Sequence[int],
    utterances: Sequence[int],
    deals: int,
    alpha: float = ALPHA,
) -> Expected:
    """What can be expected of a measurement.

    Args:
      speakers_of_class: int per class, each over 0.
      utterances: of each speaker.
      deals: of folds.
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
    if deals > 1:
        person *= _SEVERAL_DEALS
    spread = person * math.sqrt(share)
    detectable = _DETECTABLE if _smallest_p(speakers_of_class) <= alpha else math.inf
    return Expected(
        chance=chance,
        spread=spread,
        minimum_detectable=_uar(chance, detectable * spread),
        upper=_uar(chance, (_LEAST + _MEAN) * spread),
        upper_low=_uar(chance, _bound(_TAILS[0]) * spread),
        upper_high=_uar(chance, _bound(_TAILS[1]) * spread),
        person_minimum_detectable=_uar(chance, detectable * person),
        person_upper=_uar(chance, (_LEAST + _MEAN) * person),
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
