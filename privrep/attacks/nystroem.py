"""Nyström features of a Gaussian kernel (Williams & Seeger 2001), the same for every label (host).

    k(x, z) = exp(-|x - z|^2 / (width * median |x - z|^2)), the median over different x and z

Landmarks are drawn evenly from the speakers, and depend on h of all speakers and on no label.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg

from privrep.attacks.protocol import places
from privrep.attacks.scaling import squared_distances


class Landmarks(NamedTuple):
    """points float[m, D] of h, and the median squared distance between different ones."""

    points: np.ndarray
    median: float


def draw_landmarks(seed: int, h: np.ndarray, speakers: np.ndarray, most: int) -> Landmarks:
    """At most `most` rows of h, and at most a quarter of them (16 at least).

    Args:
      seed: of the draw.
      h: float[N, D], columns of like scale.
      speakers: int[N] from 0.
      most: m.
    """
    rng = np.random.default_rng(seed)
    place = places(rng, speakers)
    count = min(most, max(len(h) // 4, 16))
    points = h[np.lexsort((rng.random(len(h)), place))[:count]]
    # Over different points only: an h of few values, such as a decision, has mostly equal pairs.
    apart = squared_distances(points, points)[np.triu_indices(len(points), 1)]
    apart = apart[apart > 1e-6 * apart.max(initial=0)]
    return Landmarks(points, float(np.median(apart)) if len(apart) else 1.0)


def gaussian_features(landmarks: Landmarks, width: float) -> Callable[[np.ndarray], np.ndarray]:
    """The map from rows float[n, D] to features float[n, r], whose inner products are k.

    They have the dtype of the landmarks. r is the rank of the kernel on the landmarks, so that
    equal landmarks add no features.
    """
    points, scale = landmarks.points, width * landmarks.median
    values, vectors = scipy.linalg.eigh(np.exp(-squared_distances(points, points) / scale))
    kept = values > 1e-6 * values[-1]  # the others are rounding errors
    root = (vectors[:, kept] / np.sqrt(values[kept])).astype(points.dtype)
    return lambda rows: np.exp(-squared_distances(rows, points) / scale) @ root
