"""Sensitivity: the smallest leak, planted in the user's own h, that the test detects (host).

The minimum detectable UAR follows from the spread of the scores; a planted leak goes through the
whole measurement, and shows what outliers, many columns or few rows of this h swallow. It does
not show that labels belong to their rows: because the leak is planted by the given labels, it is
detected even if these are in the wrong order.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.leakage.subsample import draw_evenly
from privrep.types import InferenceSettings, Sample

_GROWTH = (1.0, 1.3, 1.7, 2.2, 3.0)  # of the leak over chance, from one planted leak to the next
_UTTERANCES = 10_000
_PERMUTATIONS = 49


class Sensitivity(NamedTuple):
    """The planted leaks, and the smallest that was detected.

    Attributes:
      detected: the smallest planted UAR that was detected, infinity where none was.
      tried: UARs of the planted leaks, ascending.
    """

    detected: float
    tried: tuple[float, ...]


def smallest_detected(
    sample: Sample, minimum_detectable: float, settings: InferenceSettings
) -> Sensitivity:
    """Plants leaks from the minimum detectable one on, until one is detected.

    The test is that of the linear attacker alone, on one deal of folds with at most 49
    permutations: a little less sensitive than the measurement itself, and a small part of its time.

    Args:
      sample: all labels known.
      minimum_detectable: UAR to begin with; finite.
      settings: of the measurement.
    """
    sample = sample.take(
        draw_evenly(sample.speaker, _UTTERANCES, settings.seed, sample.labels, least=1)
    )
    sample = replace(sample, session=None)
    permutations = min(settings.permutations, _PERMUTATIONS)
    settings = replace(settings, permutations=permutations, deals=1)
    chance = 1 / sample.num_classes
    spread = spread_of(sample.h)
    tried: list[float] = []
    for growth in _GROWTH:
        uar = min(chance + growth * (minimum_detectable - chance), 0.999)
        if tried and uar <= tried[-1]:
            break
        tried.append(uar)
        spiked = replace(sample, h=plant(sample, uar, spread, settings.seed))
        result = measure(spiked, attackers={"linear": linear}, settings=settings)
        if result.verdict.p <= settings.alpha:
            return Sensitivity(uar, tuple(tried))
    return Sensitivity(np.inf, tuple(tried))


def spread_of(h: np.ndarray) -> np.ndarray:
    """float64[D, r]: the principal directions of h, a standard deviation long each."""
    centred = h.astype(np.float64) - h.mean(0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(h))
    kept = values > 1e-12 * max(values[-1], 1e-300)
    return vectors[:, kept] * np.sqrt(values[kept])


def plant(sample: Sample, uar: float, spread: np.ndarray, seed: int) -> np.ndarray:
    """float64[N, D]: h with its classes moved apart along random directions of its own spread.

    In coordinates in which h has variance 1 in every direction, the classes stand at the corners of
    a regular simplex, so far apart that of normal classes the best attacker reads `uar`. Where h
    has fewer directions than the simplex, in a projection of it.

    Args:
      sample: h and its classes.
      uar: to be read.
      spread: see `spread_of`.
      seed: of the directions.
    """
    num_classes, rank = sample.num_classes, spread.shape[1]
    corners = np.eye(num_classes) - 1 / num_classes
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(max(rank, num_classes), num_classes)))
    shift = distance(uar, num_classes) * corners @ axes[:rank].T
    return sample.h.astype(np.float64) + (shift @ spread.T)[sample.labels]


def distance(uar: float, num_classes: int) -> float:
    """How far along its own axis each of C normal classes must lie to be named with this UAR.

        UAR = E[Phi(z + distance)^(C - 1)],    z normal

    >>> round(distance(0.841345, 2) / 2**0.5, 3)
    1.0
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    weights = weights / weights.sum()
    low, high = 0.0, 12.0
    for _ in range(60):
        middle = (low + high) / 2
        reads = float(weights @ scipy.special.ndtr(nodes + middle) ** (num_classes - 1))
        low, high = (middle, high) if reads < uar else (low, middle)
    return (low + high) / 2
