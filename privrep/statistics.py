"""Intervals and comparisons over speakers: the speaker is the unit, not the utterance.

Utterances of one speaker are alike, so that a thousand of them say little more about speakers at
large than one. Everything here works on the confusion counts of each speaker, and on any score
that is a function of their sum, such as the UAR of an attacker or of emotion.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Score = Callable[[np.ndarray], np.ndarray]  # counts [..., C, C] -> [...]


class Interval(NamedTuple):
    """A score, where it lies with the stated confidence, and its standard error over speakers."""

    score: float
    lower: float
    upper: float
    error: float


class Comparison(NamedTuple):
    """System a against system b: the difference a - b of their scores.

    Attributes:
      difference, lower, upper: float.
      p: of the hypothesis that a speaker's results might as well have been the other system's.
      smallest_p: that so few speakers can reach.
    """

    difference: float
    lower: float
    upper: float
    p: float
    smallest_p: float


def confusion_counts(
    predictions: np.ndarray, labels: np.ndarray, speakers: np.ndarray, num_classes: int
) -> np.ndarray:
    """int64[S, C, C]: how often class i of speaker s was taken for class j.

    Args:
      predictions: int[N] in [0, C).
      labels: int[N] in [0, C), or -1 for unknown, which never counts.
      speakers: int[N], numbered from 0 to S - 1.
      num_classes: C.
    """
    known = labels >= 0
    place = (speakers * num_classes + np.maximum(labels, 0)) * num_classes + predictions
    size = (int(speakers.max()) + 1) * num_classes**2
    counts = np.bincount(place[known], minlength=size)
    return counts.reshape(-1, num_classes, num_classes)


def uar(counts: np.ndarray) -> np.ndarray:
    """Unweighted average recall of confusion counts [..., C, C], over the classes that occur."""
    support = counts.sum(-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    recalls = np.where(support > 0, hits / np.maximum(support, 1), 0)
    return recalls.sum(-1) / np.maximum((support > 0).sum(-1), 1)


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
