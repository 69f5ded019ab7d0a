"""Unweighted average recall (UAR) and the confusion counts that it is computed from (host)."""

import numpy as np


def confusion_counts(
    predictions: np.ndarray, labels: np.ndarray, speaker: np.ndarray, num_classes: int
) -> np.ndarray:
    """int64[S, C, C]: how often an utterance of speaker s and class i was predicted as class j.

    Args:
      predictions: int[N] in [0, C).
      labels: int[N] in [0, C), or -1 for unknown, which never counts.
      speaker: int[N], numbered from 0 to S - 1.
      num_classes: C.
    """
    known = labels >= 0
    cell = (speaker * num_classes + np.maximum(labels, 0)) * num_classes + predictions
    size = (int(speaker.max()) + 1) * num_classes**2
    counts = np.bincount(cell[known], minlength=size)
    return counts.reshape(-1, num_classes, num_classes)


def uar(counts: np.ndarray) -> np.ndarray:
    """Unweighted average recall [...] of confusion counts [..., C, C].

    The mean over the classes that occur of the share of their utterances that was recognised:

        UAR = 1 / C sum_c counts[c, c] / sum_j counts[c, j]

    >>> float(uar(np.array([[3, 1], [0, 4]])))
    0.875
    """
    return mean_recall(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))


def mean_recall(hits: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Mean of hits / support over the classes with support: both [..., C], result [...]."""
    recalls = hits / np.maximum(support, 1)
    return recalls.sum(-1) / np.maximum((support > 0).sum(-1), 1)


def uars_of(predictions: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """float[P]: the UAR of predictions [P, N] for labels [P, N], over all speakers together."""
    correct = predictions == labels
    of_class = [labels == c for c in range(num_classes)]
    support = np.stack([rows.sum(1) for rows in of_class])
    hits = np.stack([(correct & rows).sum(1) for rows in of_class])
    return (hits / np.maximum(support, 1)).sum(0) / (support > 0).sum(0)
