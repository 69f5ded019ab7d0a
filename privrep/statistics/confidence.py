"""Intervals and comparisons over speakers: the speaker is the unit, not the utterance.

Utterances of one speaker are alike, so that a thousand of them say little more about speakers at
large than one. Everything here works on the confusion counts of each speaker, and on any score
that is a function of their sum, such as the UAR of an attacker or of emotion.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.uar import uar

Score = Callable[[np.ndarray], np.ndarray]  # counts [..., C, C] -> [...]


class Interval(NamedTuple):
    """A score, where it lies with the stated confidence, and its standard error over speakers."""

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
      seed: another seed draws others.
    """
    rng = np.random.default_rng(seed)
    times = np.zeros((draws, len(counts)), np.int64)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        times[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), draws)
    return score(np.tensordot(times, counts, 1)), times


def standard_error(counts: np.ndarray, score: Score, strata: np.ndarray) -> float:
    """Of the score over speakers, by linearisation (the infinitesimal jackknife; Efron 1982).

        error^2 = sum over strata of k / (k - 1) sum_s (U_s - mean U)^2

    with k speakers in the stratum and U_s the derivative of the score by the weight of speaker s.
    """
    once = np.ones((1, len(counts)), np.int64)
    return float(_errors(counts, score, strata, once)[0])


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
    """A two-sided interval over speakers for any score of confusion counts, within [0, 1].

    It tells how the score would vary with other test speakers, the attacker or network being what
    it is; how it varies with the speakers learned from, `verdicts` takes from exchanged labels.

    Args:
      counts: int[S, C, C].
      score: a smooth function of summed counts, such as `uar`.
      strata: int[S], such as the class of each speaker; None for one.
      method: in INTERVALS.
      level: confidence.
      draws: of the bootstrap.
      seed: of the bootstrap.
    """
    strata = np.zeros(len(counts), int) if strata is None else np.asarray(strata)
    if method not in INTERVALS:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(INTERVALS)}")
    found = float(score(counts.sum(0)))
    error = standard_error(counts, score, strata)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    lower, upper = INTERVALS[method](counts, score, strata, found, error, tails, draws, seed)
    return Interval(found, float(np.clip(lower, 0, 1)), float(np.clip(upper, 0, 1)), error)


def _t(counts, score, strata, found, error, tails, draws, seed):
    del score, draws, seed
    freedom = max(len(counts) - len(np.unique(strata)), 1)
    return found + error * scipy.special.stdtrit(freedom, tails)


def _percentile(counts, score, strata, found, error, tails, draws, seed):
    del found, error
    return np.quantile(bootstrap(counts, score, strata, draws, seed)[0], tails)


def _studentised(counts, score, strata, found, error, tails, draws, seed):
    scores, times = bootstrap(counts, score, strata, draws, seed)
    errors = _errors(counts, score, strata, times)
    # A draw of one speaker many times over has no error and would stand for any distance.
    useful = errors > 1e-9
    if not useful.any():
        return found, found
    ratios = (scores - found)[useful] / errors[useful]
    return found - error * np.quantile(ratios, tails)[::-1]


# Coverage of a 95 % interval: `python -m experiments.simulations --only=intervals`.
INTERVALS = {"t": _t, "percentile": _percentile, "studentised": _studentised}


def _errors(counts: np.ndarray, score: Score, strata: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The standard error [B] of the score of each resample, speaker s being times[b, s] in it."""
    shape = counts.shape[1:]
    pooled = (times @ counts.reshape(len(counts), -1)).astype(float)
    steps = np.eye(pooled.shape[1]) * 1e-5 * pooled.sum(-1)[:, None, None]
    above = score((pooled[:, None] + steps).reshape(*pooled.shape, *shape))
    below = score(np.maximum(pooled[:, None] - steps, 0).reshape(*pooled.shape, *shape))
    width = (pooled[:, None] + steps - np.maximum(pooled[:, None] - steps, 0)).max(-1)
    influence = ((above - below) / width) @ counts.reshape(len(counts), -1).T
    squared = np.zeros(len(times))
    for stratum in np.unique(strata):
        rows = strata == stratum
        k = rows.sum()
        own, weight = influence[:, rows], times[:, rows]
        centred = own - (own * weight).sum(-1, keepdims=True) / k
        squared += k / max(k - 1, 1) * (weight * centred**2).sum(-1)
    return np.sqrt(squared)


def over_seeds(p: Sequence[float]) -> float:
    """One p for tests of one hypothesis on the same speakers: twice the median, at most 1.

    It holds at its level whatever the tests have in common (Rueger, "Das maximale
    Signifikanzniveau des Tests", Metrika 1978; Meinshausen, Meier & Buehlmann, "p-values for
    high-dimensional regression", JASA 2009, with gamma = 1/2); the smallest of them would not. Of
    one test it is that test's p.
    """
    return float(p[0]) if len(p) == 1 else min(1.0, 2 * float(np.median(p)))
