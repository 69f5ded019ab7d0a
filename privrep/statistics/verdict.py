"""Verdict on a suite of attackers, from their UARs on the true and on permuted labels (host)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.family_test import p_value, standardised_scores, verdict_word, why_too_few
from privrep.statistics.permutation_test import HIGH_SHARE, Permutations
from privrep.statistics.upper_bound import (
    POWER,
    Null,
    lower_bound,
    minimum_detectable,
    upper_bound,
)
from privrep.types import ALPHA, LIMIT


class Scores(NamedTuple):
    """UARs of a suite of attackers, to be judged.

    Attributes:
      uars: float[A, P], of every attacker on every labelling; column 0 is the true one.
      errors: float[A], standard errors over speakers of column 0.
    """

    uars: np.ndarray
    errors: np.ndarray

    def beyond(self, chance: float) -> "Scores":
        """What exceeds the mean of the permuted labellings, added to chance; within [0, 1].

        Where labels are permuted within sessions only, or sessions as wholes, that mean is what the
        sessions reveal.
        """
        excess = self.uars - self.uars[:, 1:].mean(1, keepdims=True)
        return self._replace(uars=np.clip(chance + excess, 0, 1))


class Verdict(NamedTuple):
    """The conclusion from the attacks on one corpus, in plain values.

    Attributes:
      verdict: "leaks": the strongest UAR is more extreme than permuted labels explain, at the level
        alpha. "no_leak_shown": it is not, and the upper bound of the leak is within the limit.
        "cannot_tell": neither.
      uar: of the strongest attacker.
      lower, upper: one-sided bounds of this UAR, each at confidence 1 - alpha, corrected for having
        selected the strongest attacker.
      p: of all attackers of the suite together.
      smallest_p: the smallest p that this design can give, whatever the leak.
      minimum_detectable: the smallest mean UAR that this test detects with 80 % power; infinity
        where smallest_p is above alpha.
      limit: the UAR above which a leak counts, chance + limit.
      reason: one or two sentences.
      floor: the mean, over the permuted labellings, of the highest UAR of the suite: what these
        attackers read where there is nothing. Above chance, since it is the highest of several.
    """

    verdict: str
    uar: float
    lower: float
    upper: float
    p: float
    smallest_p: float
    minimum_detectable: float
    limit: float
    reason: str
    floor: float = float("nan")


class JudgedAttacker(NamedTuple):
    """One attacker by itself, as in `Verdict`; mean and sd of its UAR under permuted labels."""

    lower: float
    upper: float
    p: float
    minimum_detectable: float
    null_mean: float
    null_sd: float


def judge(
    scores: Scores,
    permutations: Permutations,
    num_classes: int,
    limit: float = LIMIT,
    alpha: float = ALPHA,
    evidence: str = "one utterance",
    scarce: str = "speakers",
) -> tuple[Verdict, tuple[JudgedAttacker, ...]]:
    """The verdict on a suite of attackers, and each attacker by itself.

    Test: see `family_test`; p is of all attackers of the suite together.

    Bounds: see `upper_bound`. The largest upper bound of the suite is one for the strongest
    attacker without further correction. For its lower bound and minimum detectable UAR the quantile
    of the highest standardised UAR takes the place of z where it is larger.

    Args:
      scores: of the A attackers on P labellings.
      permutations: the P labellings.
      num_classes: C.
      limit: the leak UAR - chance that must be excluded for "no_leak_shown".
      alpha: level of the test and of the bounds.
      evidence: from what the attackers judge a speaker, for the sentence.
      scarce: of what there are too few where no p can be small, see `family_test.why_too_few`.
    """
    uars, errors = scores
    chance = 1 / num_classes
    smallest_share = permutations.smallest_share
    attackers = tuple(
        _judge_attacker(row, float(error), smallest_share, chance, alpha)
        for row, error in zip(uars, errors)
    )
    standard = standardised_scores(uars)
    highest, lowest = standard.max(0), standard.min(0)
    p = p_value(highest, lowest, smallest_share)
    smallest_p = min(1.0, smallest_share / HIGH_SHARE)
    strongest = int(np.argmax(uars[:, 0]))
    null = attackers[strongest]
    spread = max(null.null_sd, errors[strongest])
    uar = float(uars[strongest, 0])
    quantile = max(np.quantile(highest[1:], 1 - alpha), scipy.special.ndtri(1 - alpha))
    lower = float(max(0.0, uar - float(quantile) * spread))
    upper = max(attacker.upper for attacker in attackers)
    detectable = np.inf
    if smallest_p <= alpha:
        critical = null.null_sd * np.quantile(highest[1:], 1 - HIGH_SHARE * alpha)
        detectable = null.null_mean + critical + scipy.special.ndtri(POWER) * spread
    verdict = verdict_word(p, smallest_p, upper, chance + limit, alpha)
    bounds = (uar, lower, upper, p, smallest_p, float(min(detectable, np.inf)), chance + limit)
    result = Verdict(verdict, *bounds, reason="")
    reason = _reason(result, permutations, alpha, evidence, scarce)
    floor = float(uars[:, 1:].max(0).mean()) if uars.shape[1] > 1 else chance
    return result._replace(reason=reason, floor=floor), attackers


def doubted(verdict: Verdict, doubts: Sequence[str], at_least: float = 0.0) -> Verdict:
    """The verdict with an upper bound of `at_least`, and "cannot_tell" where there are doubts.

    Args:
      verdict: of a test.
      doubts: sentences: why the bound may not be believed, although the test is passed. They take
        effect on "no_leak_shown" only.
      at_least: the UAR of an attacker outside the test, which the bound must not be below.
    """
    verdict = verdict._replace(upper=max(verdict.upper, at_least))
    if verdict.verdict != "no_leak_shown" or not doubts:
        return verdict
    numbers = f"UAR {verdict.uar:.3f}, p = {verdict.p:.3g}"
    reason = f"The test shows no leak ({numbers}), but: {' '.join(doubts)}"
    return verdict._replace(verdict="cannot_tell", reason=reason)


def _judge_attacker(
    uars: np.ndarray, error: float, smallest_share: float, chance: float, alpha: float
) -> JudgedAttacker:
    null, uar = Null.of(uars), float(uars[0])
    detectable = np.inf
    if smallest_share / HIGH_SHARE <= alpha:
        detectable = minimum_detectable(null, error, HIGH_SHARE * alpha)
    scores = standardised_scores(uars)
    return JudgedAttacker(
        lower=lower_bound(uar, null, error, alpha),
        upper=upper_bound(uar, null, error, chance, alpha),
        p=p_value(scores, scores, smallest_share),
        minimum_detectable=float(detectable),
        null_mean=null.mean,
        null_sd=null.sd,
    )


def _reason(
    result: Verdict, permutations: Permutations, alpha: float, evidence: str, scarce: str
) -> str:
    count = len(permutations.labels) - 1
    numbers = (
        f"UAR {result.uar:.3f}, p = {result.p:.3g} by {count} permutations of speakers' labels"
    )
    if result.verdict == "leaks":
        return (
            f"Permuted labels do not explain what the strongest attacker reads from {evidence}: "
            f"{numbers}."
        )
    if result.verdict == "no_leak_shown":
        return (
            f"No leak is shown ({numbers}), and one above {result.limit:.2f} by these attackers "
            f"from {evidence} is excluded for speakers like these: the upper bound at "
            f"{1 - alpha:.0%} confidence is {result.upper:.3f}."
        )
    too_few = why_too_few(
        permutations, result.smallest_p, alpha, "labellings of this design", numbers, scarce
    )
    if too_few:
        return too_few
    return (
        f"No leak is shown ({numbers}), but one up to {result.upper:.3f} is not excluded: the "
        f"minimum detectable UAR of this test is {min(result.minimum_detectable, 1):.3f} (80 % "
        "power)."
    )
