"""Correlation of an attacker's predictions with a number: test, bounds and verdict (host).

A speaker is one pair, of the number and of its prediction, so that S speakers are S observations.
Everything is computed on Fisher's scale z = artanh(r), on which the spread of a correlation hardly
depends on its size. With m and s the mean and standard deviation of z under permuted numbers, and
e the standard error of z over speakers (Bonett & Wright, "Sample size requirements for estimating
Pearson, Kendall and Spearman correlations", Psychometrika 2000), each bound holds with confidence
1 - alpha:

    upper = tanh(max(|z|, |z - m|) + z(1 - alpha) max(s, e)),    e^2 = (1 + r^2 / 2) / (S - 3)
    lower = tanh(z - z(1 - alpha) max(s, e))

so that lower <= r <= |r| <= upper always.
"""

from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.family_test import p_value, standardised_scores, verdict_word, why_too_few
from privrep.statistics.permutation_test import HIGH_SHARE, Permutations
from privrep.statistics.upper_bound import POWER, Null
from privrep.types import ALPHA, CORRELATION_LIMIT

_LARGEST = 1 - 1e-9  # of a correlation whose artanh is taken


class CorrelationVerdict(NamedTuple):
    """The conclusion from attacks on an attribute that is a number, in plain values.

    Attributes:
      verdict: "leaks": the strongest correlation is more extreme than permuted numbers explain, at
        the level alpha. "no_leak_shown": it is not, and the upper bound is within the limit.
        "cannot_tell": neither.
      correlation: rank correlation (Spearman) of the strongest attacker, over held-out speakers.
      lower, upper: one-sided bounds, each at confidence 1 - alpha, corrected for having selected
        the strongest attacker; upper is of the correlation's magnitude.
      p: of all attackers of the suite together.
      smallest_p: the smallest p that this design can give, whatever the leak.
      minimum_detectable: the smallest mean correlation that this test detects with 80 % power;
        infinity where smallest_p is above alpha.
      limit: the correlation above which a leak counts.
      reason: one or two sentences.
    """

    verdict: str
    correlation: float
    lower: float
    upper: float
    p: float
    smallest_p: float
    minimum_detectable: float
    limit: float
    reason: str


class JudgedCorrelation(NamedTuple):
    """One attacker by itself, as in `CorrelationVerdict`."""

    correlation: float
    lower: float
    upper: float
    p: float
    minimum_detectable: float


def pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation over the last axis, of [..., n] and [..., n]; 0 where one of them is constant."""
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    lengths = np.sqrt((a * a).sum(-1)) * np.sqrt((b * b).sum(-1))
    return np.divide((a * b).sum(-1), lengths, out=np.zeros(lengths.shape), where=lengths > 1e-12)


def midranks(values: np.ndarray) -> np.ndarray:
    """float64[..., n]: ranks over the last axis from 0, equal values their mean rank.

    As `scipy.stats.rankdata` less 1, which takes a second to import.

    >>> midranks(np.array([7, 3, 7, 1])).tolist()
    [2.5, 1.0, 2.5, 0.0]
    """
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, -1)
    count = values.shape[-1]
    place = np.broadcast_to(np.arange(count), values.shape)
    differs = ordered[..., 1:] != ordered[..., :-1]
    edge = np.ones((*values.shape[:-1], 1), bool)
    first = np.where(np.concatenate([edge, differs], -1), place, 0)
    last = np.where(np.concatenate([differs, edge], -1), place, count)
    first = np.maximum.accumulate(first, -1)
    last = np.flip(np.minimum.accumulate(np.flip(last, -1), -1), -1)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2, -1)
    return ranks


def rank_scores(values: np.ndarray) -> np.ndarray:
    """Ranks over the last axis, equal values their mean rank; mean 0 and standard deviation 1.

    >>> rank_scores(np.array([10.0, 99.0])).tolist()
    [-1.0, 1.0]
    """
    ranks = midranks(values)
    ranks -= ranks.mean(-1, keepdims=True)
    return ranks / np.maximum(ranks.std(-1, keepdims=True), 1e-12)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation over the last axis, of [..., n] and [..., n].

    It is the same for every increasing function of either. Constant values have correlation 0.

    >>> float(rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 1000.0])))
    1.0
    """
    return np.clip(pearson(rank_scores(a), rank_scores(b)), -1, 1)


def standard_error(correlation: float, num_speakers: int) -> float:
    """Of artanh of a rank correlation over speakers; infinity for three or fewer."""
    if num_speakers <= 3:
        return np.inf
    return float(np.sqrt((1 + correlation**2 / 2) / (num_speakers - 3)))


def interval(correlation: float, num_speakers: int, level: float = 0.95) -> tuple[float, float]:
    """Two-sided interval of a rank correlation over speakers, for a given attacker."""
    z = np.arctanh(np.clip(correlation, -_LARGEST, _LARGEST))
    error = standard_error(correlation, num_speakers)
    margin = scipy.special.ndtri((1 + level) / 2) * error
    return float(np.tanh(z - margin)), float(np.tanh(z + margin))


def judge_correlations(
    correlations: np.ndarray,
    num_speakers: int,
    permutations: Permutations,
    limit: float = CORRELATION_LIMIT,
    alpha: float = ALPHA,
) -> tuple[CorrelationVerdict, tuple[JudgedCorrelation, ...]]:
    """The verdict on a suite of attackers, and each attacker by itself.

    The test is that of `verdict.judge` (see `family_test`), on Fisher's scale.

    Args:
      correlations: float[A, P], of every attacker on every labelling; column 0 is the true one.
      num_speakers: S.
      permutations: the P labellings; the smallest share is that of numbers, see `smallest_share`.
      limit: the correlation that must be excluded for "no_leak_shown".
      alpha: level of the test and of the bounds.
    """
    correlations = np.clip(correlations, -_LARGEST, _LARGEST)
    z = np.arctanh(correlations)
    scores = standardised_scores(z)
    highest, lowest = scores.max(0), scores.min(0)
    share = permutations.smallest_share
    attackers = tuple(
        _judge_attacker(row, of_row, num_speakers, share, alpha)
        for row, of_row in zip(correlations, scores)
    )
    strongest = int(np.argmax(correlations[:, 0]))
    smallest_p = min(1.0, share / HIGH_SHARE)
    null = Null.of(z[strongest])
    correlation = float(correlations[strongest, 0])
    quantile = max(np.quantile(highest[1:], 1 - alpha), scipy.special.ndtri(1 - alpha))
    spread = max(null.sd, standard_error(correlation, num_speakers))
    detectable = np.inf
    if smallest_p <= alpha:
        critical = np.quantile(highest[1:], 1 - HIGH_SHARE * alpha) + scipy.special.ndtri(POWER)
        detectable = np.tanh(null.mean + null.sd * critical)
    p = p_value(highest, lowest, share)
    upper = max(attacker.upper for attacker in attackers)
    result = CorrelationVerdict(
        verdict=verdict_word(p, smallest_p, upper, limit, alpha),
        correlation=correlation,
        lower=float(np.tanh(z[strongest, 0] - quantile * spread)),
        upper=upper,
        p=p,
        smallest_p=smallest_p,
        minimum_detectable=float(detectable),
        limit=limit,
        reason="",
    )
    return result._replace(reason=_reason(result, permutations, alpha)), attackers


def smallest_share(of_speakers: np.ndarray, permutations: Permutations) -> float:
    """The smallest share of the labellings that can be as extreme as the true one, for numbers.

    Numbers whose ranks mirror each other, as ranks without ties do, are as well predicted when the
    order of all of them is reversed, so that labellings tie in pairs. `permute` counts renamings of
    classes instead, which change a correlation.

    Args:
      of_speakers: float[S].
      permutations: of these numbers.
    """
    ranks = np.sort(rank_scores(of_speakers))
    mirrored = 2 if np.allclose(ranks, -ranks[::-1]) else 1
    tied = mirrored / permutations.distinct
    return tied if permutations.complete else max(1 / len(permutations.labels), tied)


def _judge_attacker(
    correlations: np.ndarray,
    scores: np.ndarray,
    num_speakers: int,
    share: float,
    alpha: float,
) -> JudgedCorrelation:
    z, correlation = np.arctanh(correlations), float(correlations[0])
    null = Null.of(z)
    spread = max(null.sd, standard_error(correlation, num_speakers))
    margin = scipy.special.ndtri(1 - alpha) * spread
    detectable = np.inf
    if share / HIGH_SHARE <= alpha:
        critical = np.quantile(null.scores, 1 - HIGH_SHARE * alpha)
        detectable = np.tanh(critical + scipy.special.ndtri(POWER) * null.sd)
    return JudgedCorrelation(
        correlation=correlation,
        lower=float(np.tanh(z[0] - margin)),
        upper=float(np.tanh(max(abs(z[0]), abs(z[0] - null.mean)) + margin)),
        p=p_value(scores, scores, share),
        minimum_detectable=float(detectable),
    )


def _reason(result: CorrelationVerdict, permutations: Permutations, alpha: float) -> str:
    count = len(permutations.labels) - 1
    numbers = (
        f"correlation {result.correlation:.3f}, p = {result.p:.3g} by {count} permutations of "
        "speakers' numbers"
    )
    if result.verdict == "leaks":
        return (
            f"Permuted numbers do not explain the correlation of the strongest attacker: {numbers}."
        )
    if result.verdict == "no_leak_shown":
        return (
            f"No leak is shown ({numbers}), and one above {result.limit:.2f} by these attackers "
            "from all utterances of a speaker is excluded over speakers: the upper bound at "
            f"{1 - alpha:.0%} confidence is {result.upper:.3f}."
        )
    too_few = why_too_few(
        permutations, result.smallest_p, alpha, "orders of their numbers", numbers
    )
    if too_few:
        return too_few
    return (
        f"No leak is shown ({numbers}), but one up to {result.upper:.3f} is not excluded: the "
        f"minimum detectable correlation of this test is {result.minimum_detectable:.3f} (80 % "
        "power)."
    )
