"""Scores of confusion counts besides the UAR: macro-F1, weighted accuracy, recall by class (host).

Each is a function of summed counts, so that `confidence.interval` and `paired_comparison.compare`
take it as their `score`.
"""

import numpy as np


def recalls(counts: np.ndarray) -> np.ndarray:
    """Recall of every class: [..., C] of confusion counts [..., C, C], NaN of one without support.

        recall_c = counts[c, c] / sum_j counts[c, j]

    >>> recalls(np.array([[3, 1], [0, 4]])).tolist()
    [0.75, 1.0]
    """
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))


def recall_of(index: int, counts: np.ndarray) -> np.ndarray:
    """Recall [...] of the class `index`; 0 without support, see `recalls`."""
    return np.nan_to_num(recalls(counts)[..., index])


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean F1 score [...] of the classes that occur as label or as prediction.

        F1_c = 2 counts[c, c] / (sum_j counts[c, j] + sum_i counts[i, c])

    The harmonic mean of precision and recall of a class; 0 where it is never recognised. As
    scikit-learn's `f1_score(average="macro")`.

    >>> round(float(macro_f1(np.array([[3, 1], [0, 4]]))), 4)  # 6/7 and 8/9
    0.873
    """
    involved = counts.sum(-1) + counts.sum(-2)
    scores = np.nan_to_num(_ratio(2 * np.diagonal(counts, axis1=-2, axis2=-1), involved))
    return scores.sum(-1) / np.maximum((involved > 0).sum(-1), 1)


def weighted_accuracy(counts: np.ndarray) -> np.ndarray:
    """The share [...] of utterances that were recognised, whatever their class.

    It weighs a class by its frequency, hence the name; the UAR weighs all classes alike.

    >>> float(weighted_accuracy(np.array([[3, 1], [0, 4]])))
    0.875
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1).sum(-1)
    return np.nan_to_num(_ratio(hits, counts.sum((-2, -1))))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
