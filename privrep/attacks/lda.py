"""Linear and kernel discriminant analysis, trained for hundreds of labellings of h at once (host).

The costly step is the factorisation of the covariance of h. It does not depend on the labels, so
that one factorisation per fold serves every labelling: a permutation test that trains its attacker
anew for every permutation costs little more than a single attack.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.linalg
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
from privrep.attacks.protocol import Attack, Attacked, places, squared_distances, standardised
from privrep.statistics.uar import mean_recall

PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)  # on standardised features; of equal UARs the first
LANDMARKS = 512
PER_SPEAKER = 200  # training utterances of one speaker for the kernel attacker, at most
WIDTHS = (2.0, 0.5)  # of the kernel, in median squared distances


def linear(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """Linear discriminant analysis with equal priors and shrunk covariance, see `protocol.Attack`.

        log p(h | c) = (h - m)' W_c - m_c' W_c / 2,    W_c = (S + penalty I)^-1 m_c

    with S the covariance within classes of h (columns scaled to standard deviation 1 over all
    speakers) and m_c the mean of class c minus m, the mean of all (Fisher 1936; Friedman 1989). S
    differs between labellings by a matrix of rank C - 1 from the total covariance, so that one
    Cholesky factor serves every labelling (Woodbury identity). The penalty is selected by the UAR
    on validation speakers: all folds but the tested one, each predicted from the others.

    Nothing is drawn at random: `seed` and `speakers` are not used.
    """
    del seed, speakers
    return _tuned(iter([("", standardised(h))]), labels, folds, num_classes, only=only)


def kernel(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """`linear` on Nyström features of a Gaussian kernel, for leaks that are not linear in h.

        k(x, z) = exp(-|x - z|^2 / (width * median |x - z|^2)), the median over different x and z

    at up to 512 landmarks (Williams & Seeger 2001), at most a quarter of the utterances, drawn
    evenly from the speakers. The width is selected with the penalty. Landmarks and scale depend on
    h of all speakers and on no label. At most 200 utterances per speaker are trained on, drawn at
    random; all are predicted. If no column of h varies, one class is predicted for all.
    """
    rng = np.random.default_rng(seed)
    h = standardised(h)
    if not h.any():
        return _tuned(iter([("", h)]), labels, folds, num_classes, only=only)
    place = places(rng, speakers)
    usable = np.flatnonzero(place < PER_SPEAKER)
    count = min(LANDMARKS, max(len(usable) // 4, 16))
    landmarks = h[np.lexsort((rng.random(len(h)), place))[:count]]
    between = squared_distances(landmarks, landmarks)
    # Over different points only: an h of few values, such as a decision, has mostly equal pairs.
    apart = between[np.triu_indices(len(landmarks), 1)]
    apart = apart[apart > 1e-6 * apart.max()]
    median = np.median(apart) if len(apart) else 1.0

    def features() -> Iterator[tuple[str, np.ndarray]]:
        for width in WIDTHS:
            values, vectors = scipy.linalg.eigh(np.exp(-between / (width * median)))
            # Equal landmarks add no directions; their eigenvalues are rounding errors.
            kept = values > 1e-6 * values[-1]
            root = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
            mapped = np.concatenate(
                [
                    np.exp(-squared_distances(rows, landmarks) / np.float32(width * median)) @ root
                    for rows in chunks(h)
                ]
            )
            # Where h has few values the mean of the features is large compared to their variation,
            # and the rounding error of their squares would exceed the penalty.
            mapped -= mapped.mean(0)
            yield f"width {width:g}, ", mapped / np.sqrt(mapped.var(0).mean())

    return _tuned(features(), labels, folds, num_classes, usable, only)


ATTACKS: dict[str, Attack] = {"linear": linear, "kernel": kernel}


class _FoldMoments(NamedTuple):
    """The usable rows int[n] of each fold, their moments, and the sum of the moments."""

    rows: Sequence[np.ndarray]
    moments: Sequence[Moments]
    total: Moments


def _tuned(
    maps: Iterator[tuple[str, np.ndarray]],
    labels: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    usable: np.ndarray | None = None,
    only: int | None = None,
) -> Attacked:
    """Discriminants on the named feature maps; map and penalty are selected on validation speakers.

    `usable` are the rows for training and validation; None for all.
    """
    labels = np.ascontiguousarray(labels.T.astype(np.int16))
    num_folds, num_labellings = int(folds.max()) + 1, labels.shape[1]
    tested_folds = range(num_folds) if only is None else (only,)
    usable = np.arange(len(folds)) if usable is None else usable
    inside = [usable[folds[usable] == fold] for fold in range(num_folds)]
    best = np.full((num_folds, num_labellings), -1.0)
    predictions = np.full(labels.shape, -1, np.int16)
    log_likelihoods = np.full((len(folds), num_classes), np.nan, np.float32)
    chosen = [""] * num_folds
    # Matrices as small as these gain nothing from several BLAS threads, and are ten times as slow
    # with them on a busy machine; pairs of folds are processed in parallel instead.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, features in maps:
            moments = list(
                pool.map(
                    lambda rows, f=features: sum_moments(f[rows], labels[rows], num_classes), inside
                )
            )
            total = added(moments)
            training = _FoldMoments(inside, moments, total)
            uars, of_row_0 = _validate(pool, features, labels, training, tested_folds)
            for fold in tested_folds:
                rows = np.flatnonzero(folds == fold)
                pick = uars[fold].argmax(0)
                uar = uars[fold].max(0)
                is_better = uar > best[fold]
                best[fold] = np.maximum(best[fold], uar)
                weights, offsets = _picked(without(total, moments[fold]), pick)
                if is_better[0]:
                    chosen[fold] = f"{name}penalty {PENALTIES[pick[0]]:g}"
                    validation = np.concatenate(_except(inside, fold))
                    prior = total.counts[0] - moments[fold].counts[0]
                    factor = temperature(of_row_0[fold][pick[0]], labels[validation, 0], prior)
                    log_likelihoods[rows, 0] = 0
                    scores = features[rows] @ weights[:, 0] + offsets[0]
                    log_likelihoods[rows, 1:] = factor * scores
                for block in chunks(rows):
                    predicted = decide(features[block], weights, offsets)
                    predictions[block] = np.where(is_better, predicted, predictions[block])
    return Attacked(predictions.T, log_likelihoods, tuple(chosen))


def _validate(
    pool: Executor,
    features: np.ndarray,
    labels: np.ndarray,
    training: _FoldMoments,
    tested_folds: Sequence[int],
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Predicts every fold other than the tested one from the rest, with every penalty.

    Returns:
      {tested fold: UAR [L, P]} and {tested fold: scores of row 0 [L, n, C - 1]}, the latter in the
      order of the other folds.
    """
    inside, moments, total = training
    num_folds, (num_labellings, num_classes) = len(inside), total.counts.shape
    hits = np.zeros((num_folds, len(PENALTIES), num_labellings, num_classes))
    of_row_0: list[list] = [[None] * num_folds for _ in range(num_folds)]

    def train_without(pair: tuple[int, int]) -> Iterator[tuple[int, np.ndarray]]:
        a, b = pair
        fits = list(discriminants(without(without(total, moments[a]), moments[b]), PENALTIES))
        for tested, held_out in ((a, b), (b, a)):
            if tested not in tested_folds:
                continue
            rows = inside[held_out]
            scores = [features[rows] @ weights[:, 0] + offsets[0] for weights, offsets in fits]
            of_row_0[tested][held_out] = np.stack(scores)
            pair_hits = np.zeros(hits.shape[1:])
            for i, (weights, offsets) in enumerate(fits):
                for block in chunks(rows):
                    correct = decide(features[block], weights, offsets) == labels[block]
                    for c in range(num_classes):
                        pair_hits[i, :, c] += (correct & (labels[block] == c)).sum(0)
            yield tested, pair_hits

    pairs = [
        pair for pair in itertools.combinations(range(num_folds), 2) if {*pair} & {*tested_folds}
    ]
    for of_pair in pool.map(lambda pair: list(train_without(pair)), pairs):
        for tested, pair_hits in of_pair:
            hits[tested] += pair_hits
    support = np.stack([total.counts - part.counts for part in moments])[:, None]
    uars = mean_recall(hits, support)
    scores = {fold: np.concatenate(_except(of_row_0[fold], fold), 1) for fold in tested_folds}
    return {fold: uars[fold] for fold in tested_folds}, scores


def _picked(moments: Moments, pick: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and offsets of the penalty with number pick[p] for labelling p."""
    fits = list(discriminants(moments, PENALTIES))
    weights, offsets = (np.stack(parts) for parts in zip(*fits))
    labelling = np.arange(len(pick))
    return weights[pick, :, labelling].swapaxes(0, 1), offsets[pick, labelling]


def _except(parts: Sequence, fold: int) -> list:
    return [part for number, part in enumerate(parts) if number != fold]
