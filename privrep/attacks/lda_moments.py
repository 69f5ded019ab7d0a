"""Linear discriminant analysis of many labellings of the same features, from moments (host)."""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize

_ROWS = 16384


class Moments(NamedTuple):
    """Counts, sums and cross products over utterances, which are additive over folds."""

    counts: np.ndarray  # [P, C]
    first: np.ndarray  # [m], sum of h
    second: np.ndarray  # [m, m], sum of h h'
    of_class: np.ndarray  # [m, P, C], sum of h in class c of labelling p


def sum_moments(features: np.ndarray, labels: np.ndarray, num_classes: int) -> Moments:
    """Moments of features float32[n, m] and labels int[n, P] of the classes 0 to C - 1."""
    size = features.shape[1]
    first, second = np.zeros(size), np.zeros((size, size))
    of_class = np.zeros((size, labels.shape[1], num_classes))
    count = np.stack([(labels == c).sum(0) for c in range(num_classes)], -1)
    for x, y in zip(chunks(features), chunks(labels)):
        first += x.sum(0)
        second += x.T @ x
        for c in range(1, num_classes):
            of_class[..., c] += x.T @ (y == c).astype(np.float32)
    of_class[..., 0] = first[:, None] - of_class[..., 1:].sum(-1)
    return Moments(count, first, second, of_class)


def added(parts: Sequence[Moments]) -> Moments:
    """The moments of the utterances of all parts."""
    return Moments(*(functools.reduce(np.add, arrays) for arrays in zip(*parts)))


def without(total: Moments, part: Moments) -> Moments:
    """The moments of all utterances except those of `part`."""
    return Moments(*(a - b for a, b in zip(total, part)))


def discriminants(
    moments: Moments, penalties: Sequence[float | np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each penalty weights [m, P, C - 1] and offsets [P, C - 1] of class c against class 0.

    A penalty, a number or float[m], is added to the diagonal of the covariance within classes.
    """
    total = moments.counts[0].sum()
    mean = moments.first / total
    covariance = moments.second / total - np.outer(mean, mean)
    means = moments.of_class / np.maximum(moments.counts, 1)
    apart, middle = means[..., 1:] - means[..., :1], (means[..., 1:] + means[..., :1]) / 2
    both_known = (moments.counts > 0)[:, 1:] & (moments.counts > 0)[:, :1]
    apart[:, ~both_known] = 0
    # Total covariance = covariance within classes + apart @ between @ apart'.
    prior = (moments.counts / total)[:, 1:]
    between = prior[:, :, None] * np.eye(prior.shape[1]) - prior[:, :, None] * prior[:, None]
    # A class without training utterances is never predicted.
    never = 1e9 * ((moments.counts[:, :1] == 0).astype(float) - (moments.counts[:, 1:] == 0))
    for penalty in penalties:
        factor = scipy.linalg.cho_factor(
            covariance + np.diag(np.broadcast_to(penalty, len(mean))),
            overwrite_a=True,
            check_finite=False,
        )
        solved = scipy.linalg.cho_solve(factor, apart.reshape(len(mean), -1), check_finite=False)
        solved = solved.reshape(apart.shape)
        overlap = np.stack([(apart[..., [c]] * solved).sum(0) for c in range(len(prior[0]))], 1)
        within = np.linalg.inv(np.eye(prior.shape[1]) - between @ overlap)
        weights = np.einsum("mpc,pcd->mpd", solved, within)
        offsets = never - (middle * weights).sum(0)
        yield weights.astype(np.float32), offsets.astype(np.float32)


def product(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """x @ weights, both finite.

    A product of finite numbers has been seen to raise the flag of an invalid one, once in many
    runs and with the right result: the kernels of a BLAS compute on what lies beside the rows, too.
    """
    with np.errstate(invalid="ignore"):
        return x @ weights


def discriminant_scores(
    features: np.ndarray, weights: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """float32[n, P, C - 1]: of class c against class 0."""
    size, count, contrasts = weights.shape
    scores = product(features, weights.reshape(size, -1))
    return scores.reshape(-1, count, contrasts) + offsets


def decide(features: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """int16[n, P]: the class with the highest score."""
    return choose(discriminant_scores(features, weights, offsets))


def choose(scores: np.ndarray) -> np.ndarray:
    """int16[n, P]: the class with the highest of `scores` [n, P, C - 1] against class 0."""
    if scores.shape[-1] == 1:
        return (scores[..., 0] > 0).astype(np.int16)
    best = scores.argmax(-1)
    return np.where(scores.max(-1) > 0, best + 1, 0).astype(np.int16)


def temperature(scores: np.ndarray, labels: np.ndarray, count: np.ndarray) -> float:
    """The factor of the scores with the lowest log-loss (temperature scaling; Guo et al. 2017).

    Args:
      scores: float[n, C - 1], of class c against class 0.
      labels: int[n].
      count: float[C], training utterances of each class, which give the prior.
    """
    logits = np.concatenate([np.zeros((len(scores), 1)), scores], 1)
    prior = np.log(np.maximum(count, 1e-3) / count.sum())

    def loss(log_factor: float) -> float:
        scaled = np.exp(log_factor) * logits + prior
        scaled -= scaled.max(1, keepdims=True)
        of_truth = scaled[np.arange(len(labels)), labels]
        return float((np.log(np.exp(scaled).sum(1)) - of_truth).mean())

    return float(np.exp(scipy.optimize.minimize_scalar(loss, bounds=(-7, 3), method="bounded").x))


def chunks(rows: np.ndarray, size: int = _ROWS) -> Iterator[np.ndarray]:
    """The rows in blocks of at most `size`, so that intermediate arrays stay small."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
