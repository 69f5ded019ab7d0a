"""Learning curve: the attacker's UAR against the number of its training speakers (host)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import kernel
from privrep.attacks.protocol import Attack
from privrep.statistics.design import design, speaker_labels
from privrep.statistics.uar import confusion_counts, uar
from privrep.types import PRIMARY, InferenceSettings, Sample


class CurvePoint(NamedTuple):
    """The attacker's UAR after training on a number of speakers.

    Attributes:
      speakers: training speakers of a fold, the mean over folds and repetitions.
      uar: mean over repetitions.
      sd: over repetitions, whose speakers overlap: no confidence interval.
    """

    speakers: float
    uar: float
    sd: float


def learning_curve(
    sample: Sample,
    *,
    attack: Attack = kernel,
    sizes: Sequence[int] = (8, 16, 32, 64, 128, 256),
    repetitions: int = 5,
    settings: InferenceSettings = PRIMARY,
) -> tuple[CurvePoint, ...]:
    """Attacks random subsets of the speakers. If the curve still rises, more speakers reveal more.

    Each subset has the classes in their proportions, at least two speakers of each, and folds of
    its own. The last point is that of all speakers.

    Args:
      sample: utterances with unknown labels do not count. Sessions stay together in the folds of
        the last point, as in `measure`; subsets of speakers break them up and ignore them.
      attack: see `protocol.Attack`.
      sizes: of the subsets, in speakers; those not below the size of the corpus are left out.
      repetitions: subsets of each size.
      settings: folds and seed of them.
    """
    known = sample.with_known_labels()
    class_of = speaker_labels(known.labels, known.speaker)
    num_speakers, seed = len(class_of), settings.seed
    points = []
    for size in (*(s for s in sizes if s < num_speakers), num_speakers):
        uars, training_speakers = [], []
        for repetition in range(repetitions if size < num_speakers else 1):
            rng = np.random.default_rng((seed, size, repetition))
            part = known.take(np.isin(known.speaker, _subset(class_of, size, rng)))
            session = part.session if size == num_speakers else None
            folds = design(part.labels, part.speaker, session, settings.folds, seed).folds
            attacked = attack(
                seed, part.h, part.labels[None], part.speaker, folds, known.num_classes
            )
            counts = confusion_counts(
                attacked.predictions[0], part.labels, part.speaker, known.num_classes
            )
            uars.append(float(uar(counts.sum(0))))
            training_speakers.append(part.num_speakers * (1 - 1 / (folds.max() + 1)))
        values = (np.mean(training_speakers), np.mean(uars), np.std(uars))
        points.append(CurvePoint(*map(float, values)))
    return tuple(points)


def _subset(class_of: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Speakers int[n]: of each class its share of `size`, and at least two."""
    chosen = []
    for c in np.unique(class_of):
        of_class = np.flatnonzero(class_of == c)
        count = min(len(of_class), max(2, round(size * len(of_class) / len(class_of))))
        chosen.append(rng.choice(of_class, count, replace=False))
    return np.concatenate(chosen)
