"""The unweighted average recall (UAR) and the confusion counts behind it (host)."""

import numpy as np


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


def uars_of(predictions: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """float[P]: the UAR of predictions [P, N] for labels [P, N], over all speakers together."""
    right = predictions == labels
    of_class = [labels == c for c in range(num_classes)]
    support = np.stack([which.sum(1) for which in of_class])
    hits = np.stack([(right & which).sum(1) for which in of_class])
    return (hits / np.maximum(support, 1)).sum(0) / (support > 0).sum(0)
