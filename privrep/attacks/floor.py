"""Linear discriminant at the numerical floor: it reads what rounding has left of a leak (host).

A direction that was projected out of a float32 h is left with a ten-millionth of its size. The
other attackers take this for rounding, as their ridge is far above it; a person with float64 and
the same rows need not.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from privrep.attacks.lda_moments import (
    Moments,
    added,
    chunks,
    decide,
    discriminants,
    sum_moments,
    temperature,
    without,
)
from privrep.attacks.protocol import Attacked, training_sample
from privrep.statistics.uar import mean_recall

FLOORS = (1e-9, 1e-12, 1e-15)  # ridges, relative to the largest variance; of equal UARs the first
_RIDGE = 1e-4  # relative to the variance of each component; bounds what float32 moments may err
TRAINING_UTTERANCES = 20_000  # at most


def floor(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """Linear discriminant analysis of h with next to no ridge, in float64, see `protocol.Attack`.

        log p(h | c) = (x - m)' W_c - m_c' W_c / 2
        W_c = (S + 1e-4 diag(v) + floor * v_1 I)^-1 m_c

    as in `lda.linear`, where x are the principal components of h, its columns scaled to standard
    deviation 1, v are the variances of the components, v_1 the largest, and floor is 1e-9, 1e-12 or
    1e-15, selected by the UAR on validation speakers: all folds but the tested one, each predicted
    from the others. A column is left out only if all its values are equal.

    The components come from a singular value decomposition in float64 of h of all speakers, which
    depends on no label. It resolves variances of 1e-30 v_1, where eigenvalues of a covariance end
    at 1e-16. At most 20,000 utterances are trained on, drawn evenly from the speakers at random;
    all utterances are predicted.
    """
    usable = training_sample(seed, speakers, TRAINING_UTTERANCES)
    x, labels = principal_components(h, usable), np.ascontiguousarray(labels.T.astype(np.int16))
    variances = x[usable].var(0, dtype=np.float64)
    num_folds = int(folds.max()) + 1
    inside = [np.flatnonzero(usable & (folds == fold)) for fold in range(num_folds)]
    predictions = np.full(labels.shape, -1, np.int16)
    log_likelihoods = np.full((len(h), num_classes), np.nan, np.float32)
    chosen = [""] * num_folds

    def attack(tested: int) -> None:
        training = without(total, moments[tested])
        others = [fold for fold in range(num_folds) if fold != tested]
        hits, of_row_0 = np.zeros((len(FLOORS), *training.counts.shape)), []
        for fold in others:
            fits = list(_at_floors(without(training, moments[fold]), variances))
            of_row_0.append([x[inside[fold]] @ w[:, 0] + offsets[0] for w, offsets in fits])
            for rows in chunks(inside[fold]):
                for i, (weights, offsets) in enumerate(fits):
                    correct = decide(x[rows], weights, offsets) == labels[rows]
                    for c in range(num_classes):
                        hits[i, :, c] += (correct & (labels[rows] == c)).sum(0)
        pick = mean_recall(hits, training.counts).argmax(0)
        weights, offsets = (np.stack(parts) for parts in zip(*_at_floors(training, variances)))
        labelling = np.arange(len(pick))
        weights = weights[pick, :, labelling].swapaxes(0, 1)
        offsets = offsets[pick, labelling]
        for rows in chunks(np.flatnonzero(folds == tested)):
            predictions[rows] = decide(x[rows], weights, offsets)
            log_likelihoods[rows, 0] = 0
            log_likelihoods[rows, 1:] = x[rows] @ weights[:, 0] + offsets[0]
        chosen[tested] = f"floor {FLOORS[pick[0]]:g}"
        validation = np.concatenate([of_fold[pick[0]] for of_fold in of_row_0])
        validation_labels = labels[np.concatenate([inside[fold] for fold in others]), 0]
        log_likelihoods[folds == tested] *= temperature(
            validation, validation_labels, training.counts[0]
        )

    # See `lda`: one BLAS thread each.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        moments = list(
            pool.map(lambda rows: sum_moments(x[rows], labels[rows], num_classes), inside)
        )
        total = added(moments)
        list(pool.map(attack, range(num_folds) if only is None else (only,)))
    return Attacked(predictions.T, log_likelihoods, tuple(chosen))


def _at_floors(moments: Moments, variances: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`lda_moments.discriminants` for each of FLOORS, on components of these variances float[m].

    On components divided by sqrt(v + floor / 1e-4) a penalty of 1e-4 is the ridge of `floor`.
    """
    for lowest in FLOORS:
        scale = 1 / np.sqrt(variances + lowest / _RIDGE)
        scaled = Moments(
            moments.counts,
            moments.first * scale,
            moments.second * np.outer(scale, scale),
            moments.of_class * scale[:, None, None],
        )
        for weights, offsets in discriminants(scaled, (_RIDGE,)):
            yield weights * scale[:, None, None].astype(np.float32), offsets


def principal_components(h: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Principal components of h [N, D], standardised, in standard deviations of the first.

    Args:
      rows: bool[N], those that mean, scale and components are computed from.

    Returns:
      float32[N, min(D, n)]; each to seven digits of its own size, however small that is, so that a
      covariance of these columns is as good as one in float64 of the columns of h. If no column of
      h varies, a single column of 0.
    """
    fitted = h[rows].astype(np.float64)
    varies = np.ptp(fitted, axis=0) > 0
    if not varies.any():
        return np.zeros((len(h), 1), np.float32)
    fitted = fitted[:, varies]
    mean = fitted.mean(0)
    fitted -= mean
    deviation = fitted.std(0)
    fitted /= deviation
    # Of the triangular factor, which has the singular values of the rows and is small.
    _, singular, axes = np.linalg.svd(np.linalg.qr(fitted, mode="r"), full_matrices=False)
    axes = axes.T / deviation[:, None] * (np.sqrt(len(fitted)) / singular[0])
    projected = [(block[:, varies] - mean) @ axes for block in chunks(h)]
    return np.concatenate(projected, dtype=np.float32, casting="same_kind")
