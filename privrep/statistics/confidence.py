"""Standard errors and confidence intervals of a score with the speaker as the sampling unit.

Utterances of one speaker are alike, so that a thousand of them carry little more information about
speakers in general than one. Everything here is computed from the confusion counts of each speaker,
for any score that is a function of their sum, such as the UAR of an attacker or of emotion.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.uar import uar

Score = Callable[[np.ndarray], np.ndarray]  # counts [..., C, C] -> [...]


class Interval(NamedTuple):
    """A score, the bounds of its confidence interval, and its standard error over speakers."""

    score: float
    lower: float
    upper: float
    error: float


def bootstrap(
    counts: np.ndarray, score: Score, strata: np.ndarray, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores float[B] of resampled speakers, and how often each was drawn int[B, S].

    Speakers are drawn with replacement within each stratum, so that no draw loses a class when the
    strata are the classes of the speakers.

    Args:
      counts: int[S, C, C].
      score: such as `uar`.
      strata: int[S].
      draws: B.
      seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    multiplicity = np.zeros((draws, len(counts)), np.int64)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        multiplicity[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), draws)
    return score(np.tensordot(multiplicity, counts, 1)), multiplicity


def standard_error(counts: np.ndarray, score: Score, strata: np.ndarray) -> float:
    """Standard error over speakers by linearisation (infinitesimal jackknife; Efron 1982).

        error^2 = sum over strata of k / (k - 1) sum_s (U_s - mean U)^2

    with k speakers in the stratum and U_s the derivative of the score by the weight of speaker s.
    """
    once = np.ones((1, len(counts)), np.int64)
    return float(_errors(counts, score, strata, once)[0])


class _Resampling(NamedTuple):
    """Everything from which the methods in INTERVALS compute their bounds.

    Attributes:
      counts, score, strata, draws, seed: see `interval`.
      value, error: the score and its standard error.
      tails: float[2], the probabilities below the lower and below the upper bound.
    """

    counts: np.ndarray
    score: Score
    strata: np.ndarray
    draws: int
    seed: int
    value: float
    error: float
    tails: np.ndarray

    def bootstrap(self) -> tuple[np.ndarray, np.ndarray]:
        return bootstrap(self.counts, self.score, self.strata, self.draws, self.seed)


def interval(
    counts: np.ndarray,
    score: Score = uar,
    strata: np.ndarray | None = None,
    *,
    method: str = "t",
    level: float = 0.95,
    draws: int = 1999,
    seed: int = 0,
) -> Interval:
    """A two-sided confidence interval over speakers for a score of confusion counts, in [0, 1].

    It covers the variation over test speakers for a fixed attacker or network. The variation over
    training speakers is estimated from permuted labels instead, in `upper_bound`.

    Args:
      counts: int[S, C, C].
      score: a smooth function of summed counts, such as `uar`.
      strata: int[S], such as the class of each speaker; None for one stratum.
      method: in INTERVALS.
      level: confidence.
      draws: of the bootstrap.
      seed: of the bootstrap.

    Raises:
      ValueError: unknown method.
    """
    strata = np.zeros(len(counts), int) if strata is None else np.asarray(strata)
    if method not in INTERVALS:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(INTERVALS)}")
    value = float(score(counts.sum(0)))
    error = standard_error(counts, score, strata)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    resampling = _Resampling(counts, score, strata, draws, seed, value, error, tails)
    lower, upper = INTERVALS[method](resampling)
    return Interval(value, float(np.clip(lower, 0, 1)), float(np.clip(upper, 0, 1)), error)


def _t(data: _Resampling) -> np.ndarray:
    freedom = max(len(data.counts) - len(np.unique(data.strata)), 1)
    return data.value + data.error * scipy.special.stdtrit(freedom, data.tails)


def _percentile(data: _Resampling) -> np.ndarray:
    return np.quantile(data.bootstrap()[0], data.tails)


def _studentised(data: _Resampling) -> np.ndarray:
    scores, multiplicity = data.bootstrap()
    errors = _errors(data.counts, data.score, data.strata, multiplicity)
    # A draw that repeats one speaker has error 0, and its ratio would be arbitrarily large.
    usable = errors > 1e-9
    if not usable.any():
        return np.array([data.value, data.value])
    ratios = (scores - data.value)[usable] / errors[usable]
    return data.value - data.error * np.quantile(ratios, data.tails)[::-1]


# Coverage of a 95 % interval: `python -m experiments.simulations --only=intervals`.
INTERVALS: dict[str, Callable[[_Resampling], np.ndarray]] = {
    "t": _t,
    "percentile": _percentile,
    "studentised": _studentised,
}


def _errors(
    counts: np.ndarray, score: Score, strata: np.ndarray, multiplicity: np.ndarray
) -> np.ndarray:
    """Standard errors [B] of the scores of resamples that hold speaker s multiplicity[b, s] times.

    The derivatives of the score are taken by central differences in each cell of the summed counts.
    """
    shape = counts.shape[1:]
    pooled = (multiplicity @ counts.reshape(len(counts), -1)).astype(float)
    steps = np.eye(pooled.shape[1]) * 1e-5 * pooled.sum(-1)[:, None, None]
    above = score((pooled[:, None] + steps).reshape(*pooled.shape, *shape))
    below = score(np.maximum(pooled[:, None] - steps, 0).reshape(*pooled.shape, *shape))
    width = (pooled[:, None] + steps - np.maximum(pooled[:, None] - steps, 0)).max(-1)
    influence = ((above - below) / width) @ counts.reshape(len(counts), -1).T
    squared = np.zeros(len(multiplicity))
    for stratum in np.unique(strata):
        rows = strata == stratum
        k = rows.sum()
        of_stratum, weight = influence[:, rows], multiplicity[:, rows]
        centred = of_stratum - (of_stratum * weight).sum(-1, keepdims=True) / k
        squared += k / max(k - 1, 1) * (weight * centred**2).sum(-1)
    return np.sqrt(squared)


def over_seeds(p: Sequence[float]) -> float:
    """Combines p-values of tests of one hypothesis on the same speakers: min(1, 2 median p).

    It is valid whatever the dependence between the tests (Rueger, "Das maximale Signifikanzniveau
    des Tests", Metrika 1978; Meinshausen, Meier & Buehlmann, "p-values for high-dimensional
    regression", JASA 2009, with gamma = 1/2); the smallest p-value would not be. For one test it is
    the p-value of that test.

    >>> over_seeds([0.01, 0.02, 0.5])
    0.04
    """
    return float(p[0]) if len(p) == 1 else min(1.0, 2 * float(np.median(p)))
