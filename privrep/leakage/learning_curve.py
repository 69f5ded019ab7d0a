"""The leak against the number of speakers an attacker knows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import kernel
from privrep.attacks.protocol import Attack
from privrep.statistics.permutation_test import design, speaker_labels
from privrep.statistics.uar import confusion_counts, uar


class Point(NamedTuple):
    """The attacker's UAR after it has learned from `known` speakers.

    Attributes:
      known: speakers in the training part of a fold, the mean over folds.
      uar: mean over repetitions.
      deviation: over repetitions, which share speakers: no confidence interval.
    """

    known: float
    uar: float
    deviation: float


def learning_curve(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    *,
    sessions: np.ndarray | None = None,
    attack: Attack = kernel,
    sizes: Sequence[int] = (8, 16, 32, 64, 128, 256),
    num_folds: int = 5,
    repetitions: int = 5,
    seed: int = 0,
) -> tuple[Point, ...]:
    """Attacks random subsets of the speakers: where the curve still rises, more would find more.

    Each subset has the classes in their proportions, at least two speakers of each, and is attacked
    in folds of its own. The last point is of all speakers.

    Args:
      h: float[N, D], finite.
      labels: int[N], classes 0 to C - 1, -1 for unknown, which does not count.
      speakers: [N], anything that numpy.unique can tell apart.
      sessions: likewise, or None; kept together in the folds of the last point, as `measure` does,
        and not looked at in subsets, which break them up.
      attack: see `protocol.Attack`.
      sizes: of the subsets, in speakers; those of the corpus or more are left out.
      num_folds: at least 3.
      repetitions: subsets of each size.
      seed: of the subsets, folds and attackers.
    """
    known = np.flatnonzero(np.asarray(labels) >= 0)
    people = np.unique(np.asarray(speakers)[known], return_inverse=True)[1].astype(np.int32)
    x, y = np.asarray(h)[known].astype(np.float32), np.asarray(labels)[known].astype(np.int32)
    visits = None
    if sessions is not None:
        visits = np.unique(np.asarray(sessions)[known], return_inverse=True)[1]
    usual, num_classes = speaker_labels(y, people), int(y.max()) + 1
    points = []
    for size in (*(s for s in sizes if s < len(usual)), len(usual)):
        scores, taught = [], []
        for repetition in range(repetitions if size < len(usual) else 1):
            rng = np.random.default_rng((seed, size, repetition))
            rows = np.flatnonzero(np.isin(people, _subset(usual, size, rng)))
            own = np.unique(people[rows], return_inverse=True)[1].astype(np.int32)
            kept = visits if size == len(usual) else None
            folds = design(y[rows], own, kept, num_folds, seed).folds
            found = attack(seed, x[rows], y[rows][None], own, folds, num_classes)
            counts = confusion_counts(found.predictions[0], y[rows], own, num_classes)
            scores.append(float(uar(counts.sum(0))))
            taught.append((own.max() + 1) * (1 - 1 / (folds.max() + 1)))
        points.append(
            Point(*(float(v) for v in (np.mean(taught), np.mean(scores), np.std(scores))))
        )
    return tuple(points)


def _subset(usual: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Speakers, each class by its share and at least two."""
    chosen = []
    for c in np.unique(usual):
        of_class = np.flatnonzero(usual == c)
        count = min(len(of_class), max(2, round(size * len(of_class) / len(usual))))
        chosen.append(rng.choice(of_class, count, replace=False))
    return np.concatenate(chosen)
