"""Backends of speaker verification: how alike two utterances are, learned from training speakers
(host).

Let x be an utterance's representation, standardised and whitened by the covariance within the
training speakers (WCCN; Hatch, Kajarekar & Stolcke 2006), so that utterances of one speaker vary by
the identity matrix.
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg

from privrep.attacks.scaling import constant
from privrep.types import renumber

_SHRINKAGE = 0.1  # of the covariance within speakers, towards its diagonal
_LEAST = 1e-3  # variance between speakers along any direction; that within them is 1


def whitened(
    h: np.ndarray, training: np.ndarray, speaker: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """float64[n, D]: h of the utterances `rows`, whitened by statistics of the training rows.

    Args:
      h: float[N, D].
      training: bool[N].
      speaker: int[N].
      rows: int[n].
    """
    known = np.asarray(h[training], np.float64)
    mean, sd = known.mean(0), known.std(0)
    is_constant = constant(known)
    scale = np.where(is_constant, 0, 1 / np.where(is_constant, 1, sd))
    known = (known - mean) * scale
    within = known - _means(known, renumber(speaker[training]))
    covariance = within.T @ within / len(known)
    diagonal = np.diag(np.diag(covariance) + 1e-4)
    factor = np.linalg.cholesky((1 - _SHRINKAGE) * covariance + _SHRINKAGE * diagonal)
    x = (np.asarray(h[rows], np.float64) - mean) * scale
    return scipy.linalg.solve_triangular(factor, x.T, lower=True).T


def cosine(x: np.ndarray, training: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """float[m, m]: the cosine of every two of the utterances that are not trained on."""
    unit = unit_vectors(x[~training])
    return unit @ unit.T


def plda(x: np.ndarray, training: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """float[m, m]: log-likelihood ratios of one speaker against two (two-covariance model).

    An utterance is x = y + e with y ~ N(0, B) of the speaker and e ~ N(0, I) of the utterance
    (Brummer & de Villiers, "The speaker partitioning problem", 2010). Along an eigenvector of B of
    eigenvalue b, with t = b + 1 and r = b / t the correlation of two utterances of one speaker, the
    log-likelihood ratio of a pair is up to a constant

        (r x1 x2 - r^2 (x1^2 + x2^2) / 2) / (t (1 - r^2))

    B is the covariance of the means of the training speakers, shrunk towards a multiple of the
    identity, less what their utterances add to it, I / (utterances per speaker).
    """
    known = x[training]
    number = renumber(speaker[training])
    count = np.bincount(number)
    means = np.zeros((len(count), x.shape[1]))
    np.add.at(means, number, known)
    means /= count[:, None]
    variance, directions = np.linalg.eigh(_shrunk_covariance(means - means.mean(0)))
    between = np.maximum(variance - (1 / count).mean(), _LEAST)
    z = (x[~training] - means.mean(0)) @ directions
    total = between + 1
    r = between / total
    weight = r / (total * (1 - r**2))
    square = z**2 @ (weight * r) / 2
    return (z * weight) @ z.T - square[:, None] - square


# (x float[n, D], training bool[n], speaker int[n]) -> similarity of the m others float[m, m].
Backend = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
BACKENDS: dict[str, Backend] = {"cosine": cosine, "plda": plda}


def unit_vectors(x: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _means(x: np.ndarray, number: np.ndarray) -> np.ndarray:
    """The mean of its group for every row, float[n, D]."""
    sums = np.zeros((number.max() + 1, x.shape[1]))
    np.add.at(sums, number, x)
    return (sums / np.bincount(number)[:, None])[number]


def _shrunk_covariance(x: np.ndarray) -> np.ndarray:
    """Covariance of centred rows [n, D], towards the identity (OAS; Chen et al. 2010)."""
    n, size = x.shape
    covariance = x.T @ x / n
    squares, trace = (covariance**2).sum(), np.trace(covariance)
    excess = (n + 1) * (squares - trace**2 / size)
    share = min(1.0, (squares + trace**2) / excess) if excess > 0 else 1.0
    return (1 - share) * covariance + share * trace / size * np.eye(size)
