"""Tasks read from h by a linear reader: what a representation still serves for besides its task.

A freshly trained linear reader of frozen h learns from the training and validation speakers of each
network and is tested on the test speakers. What it reads is meant to be kept, where the attackers
of the other files read what is meant to be hidden (host).
"""

import numpy as np

from privrep.attacks.lda import linear
from privrep.statistics.concordance import ccc, moments
from privrep.types import Split, renumber

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the ridge, relative to a column's variance


def read_classes(
    h: np.ndarray, labels: np.ndarray, speakers: np.ndarray, split: Split
) -> np.ndarray:
    """Reads classes by linear discriminant analysis, see `lda.linear`.

    The penalty is selected by predicting the validation part from the training part and the
    reverse.

    Args:
      h: float[K, N, D], finite, of the networks of K folds.
      labels: int[K, N], of each fold, -1 unknown.
      speakers: [N].
      split: bool[K, N] each; nobody is tested twice.

    Returns:
      int[N], the class read; -1 of utterances that are not tested or have no label, and of a fold
      whose training speakers have a single class.
    """
    speaker = renumber(speakers)
    predicted = np.full(h.shape[1], -1)
    for k in range(len(h)):
        part = np.select([split.test[k], split.val[k], split.train[k]], [0, 1, 2], -1)
        rows = np.flatnonzero((part >= 0) & (labels[k] >= 0))
        known = np.unique(labels[k][rows[part[rows] > 0]])
        if len(known) < 2 or not (part[rows] == 0).any():
            continue
        # Classes that only test speakers have are read as another; that is an error, as it must be.
        codes = np.minimum(np.searchsorted(known, labels[k][rows]), len(known) - 1)
        x = np.asarray(h[k, rows], np.float32)
        who = renumber(speaker[rows])
        attacked = linear(0, x, codes[None], who, part[rows], len(known), only=0)
        tested = part[rows] == 0
        predicted[rows[tested]] = known[attacked.predictions[0, tested]]
    return predicted


def read_ratings(h: np.ndarray, ratings: np.ndarray, split: Split) -> np.ndarray:
    """Reads ratings by ridge regression on columns of h in standard deviations.

        w = (X'X / n + penalty I)^-1 X'(y - mean y) / n

    The penalty is selected by the CCC of the validation part predicted from the training part and
    the reverse; the reader is then trained on both.

    Args:
      h: float[K, N, D], finite.
      ratings: float[N], NaN unknown.
      split: bool[K, N] each; nobody is tested twice.

    Returns:
      float64[N], the rating read; NaN of utterances that are not tested or have no rating.
    """
    known = ~np.isnan(ratings)
    predicted = np.full(h.shape[1], np.nan)
    for k in range(len(h)):
        train, val, test = (part[k] & known for part in split)
        if not (train.any() and val.any() and test.any()):
            continue
        x = np.asarray(h[k], np.float64)
        scores = np.zeros(len(PENALTIES))
        for learn, check in ((train, val), (val, train)):
            guesses = _ridge(x[learn], ratings[learn], x[check])
            everyone = np.zeros(check.sum(), int)
            scores += [ccc(moments(of, ratings[check], everyone).sum(0)) for of in guesses]
        both = train | val
        predicted[test] = _ridge(x[both], ratings[both], x[test])[int(scores.argmax())]
    return predicted


def _ridge(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> np.ndarray:
    """float64[len(PENALTIES), m]: predictions of `other` [m, D] by readers trained on x [n, D]."""
    mean, deviation = x.mean(0), x.std(0)
    unit = np.where(deviation > 1e-9 * np.abs(mean) + 1e-30, deviation, np.inf)
    x, other = (x - mean) / unit, (other - mean) / unit
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    along = vectors.T @ (x.T @ (y - y.mean()) / len(x))
    weights = along / (np.maximum(values, 0) + np.array(PENALTIES)[:, None])
    return weights @ (other @ vectors).T + y.mean()
