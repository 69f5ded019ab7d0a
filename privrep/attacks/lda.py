"""Attackers with a closed form: trained for hundreds of labellings of the same h at one go.

What costs is to factorise the covariance of h. It does not depend on the labels, so that one
factorisation per fold serves every labelling: a permutation test that trains its attacker anew for
every permutation costs little more than one attack.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from privrep.attacks.lda_moments import (
    Moments,
    chunks,
    decide,
    discriminants,
    sum_moments,
    temperature,
    without,
)
from privrep.attacks.protocol import Attack, Attacked, places, squared_distances, standardised

PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)  # of standardised features; equal ones take the first
LANDMARKS = 512
PER_SPEAKER = 200  # the kernel attacker learns from no more utterances of one speaker
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
    """Linear discriminant analysis with equal priors, its covariance shrunk.

        log p(h | c) = (h - m)' W_c - m_c' W_c / 2,    W_c = (S + penalty I)^-1 m_c

    with S the covariance within classes of h (its columns scaled to deviation 1 over all speakers)
    and m_c the mean of class c less m, the mean of all (Fisher 1936; Friedman 1989). S differs
    between labellings by a matrix of rank C - 1 from the covariance of all, so that one Cholesky
    factor serves every labelling (Woodbury). The penalty is chosen by the UAR on validation
    speakers: all folds but the tested one, each predicted from the others.

    Args:
      seed: not used; nothing is random.
      h: float32[N, D].
      labels: int[P, N] in [0, C), row 0 the true ones.
      speakers: int32[N].
      folds: int32[N] in [0, K), K >= 3; no speaker is in two.
      num_classes: C.
      only: the one fold to guess; None for all of them. Nothing else changes.
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
    """`linear` on Nyström features of a Gaussian kernel: finds what is not linear in h.

        k(x, z) = exp(-|x - z|^2 / (width * median |x - z|^2)), the median over x unlike z

    at up to 512 landmarks (Williams & Seeger 2001), a quarter of the utterances if these are fewer,
    drawn evenly from the speakers; the width is
    chosen with the penalty. Landmarks and scale look at h of all speakers, at no label. It learns
    from up to 200 utterances per speaker, drawn at random, and predicts all.

    Arguments and result as in `linear`. An h without a column that varies is guessed one class.
    """
    rng = np.random.default_rng(seed)
    h = standardised(h)
    if not h.any():
        return _tuned(iter([("", h)]), labels, folds, num_classes, only=only)
    place = places(rng, speakers)
    learn = np.flatnonzero(place < PER_SPEAKER)
    count = min(LANDMARKS, max(len(learn) // 4, 16))
    centres = h[np.lexsort((rng.random(len(h)), place))[:count]]
    between = squared_distances(centres, centres)
    # Of points that differ: an h of few values, such as a decision, has mostly pairs that do not.
    apart = between[np.triu_indices(len(centres), 1)]
    apart = apart[apart > 1e-6 * apart.max()]
    median = np.median(apart) if len(apart) else 1.0

    def features() -> Iterator[tuple[str, np.ndarray]]:
        for width in WIDTHS:
            values, vectors = scipy.linalg.eigh(np.exp(-between / (width * median)))
            # Landmarks at one point have no more directions than points: the rest is rounding.
            there = values > 1e-6 * values[-1]
            root = (vectors[:, there] / np.sqrt(values[there])).astype(np.float32)
            mapped = [
                np.exp(-squared_distances(rows, centres) / np.float32(width * median)) @ root
                for rows in chunks(h)
            ]
            mapped = np.concatenate(mapped)
            # An h of few places has features far from 0 beside how much they vary: the rounding of
            # their squares would be larger than the penalty.
            mapped -= mapped.mean(0)
            yield f"width {width:g}, ", mapped / np.sqrt(mapped.var(0).mean())

    return _tuned(features(), labels, folds, num_classes, learn, only)


ATTACKS: dict[str, Attack] = {"linear": linear, "kernel": kernel}


def _tuned(
    maps: Iterator[tuple[str, np.ndarray]],
    labels: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    learn: np.ndarray | None = None,
    only: int | None = None,
) -> Attacked:
    """Discriminants on each of the named features, feature and penalty chosen on validation.

    `learn` are the rows from which attackers learn and on which they are chosen; None for all.
    """
    labels = np.ascontiguousarray(labels.T.astype(np.int16))
    num_folds, count = folds.max() + 1, labels.shape[1]
    asked = range(num_folds) if only is None else (only,)
    learn = np.arange(len(folds)) if learn is None else learn
    inside = [learn[folds[learn] == fold] for fold in range(num_folds)]
    best = np.full((num_folds, count), -1.0)
    predictions = np.full(labels.shape, -1, np.int16)
    log_likelihoods = np.full((len(folds), num_classes), np.nan, np.float32)
    chosen = [""] * num_folds
    # Matrices as small as these gain nothing from several BLAS threads, and lose tenfold on a
    # machine that is busy; the pairs of folds are what is worked on side by side.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, features in maps:
            moments = list(
                pool.map(
                    lambda rows, f=features: sum_moments(f[rows], labels[rows], num_classes), inside
                )
            )
            total = Moments(*(sum(parts) for parts in zip(*moments)))
            recall, first = _validate(pool, features, labels, inside, moments, total, asked)
            for fold in asked:
                rows = np.flatnonzero(folds == fold)
                pick = recall[fold].argmax(0)
                found = recall[fold].max(0)
                better = found > best[fold]
                best[fold] = np.maximum(best[fold], found)
                weights, offsets = _picked(without(total, moments[fold]), pick)
                if better[0]:
                    chosen[fold] = f"{name}penalty {PENALTIES[pick[0]]:g}"
                    seen, of_seen = first[fold][pick[0]], np.concatenate(_except(inside, fold))
                    prior = total.count[0] - moments[fold].count[0]
                    strength = temperature(seen, labels[of_seen, 0], prior)
                    log_likelihoods[rows, 0] = 0
                    scores = features[rows] @ weights[:, 0] + offsets[0]
                    log_likelihoods[rows, 1:] = strength * scores
                for at in chunks(rows):
                    guessed = decide(features[at], weights, offsets)
                    predictions[at] = np.where(better, guessed, predictions[at])
    return Attacked(predictions.T, log_likelihoods, tuple(chosen))


def _validate(pool, features, labels, inside, moments, total, asked):
    """The UAR [L, P] for each asked fold and penalty on all other folds, each predicted from the
    rest, and row 0's scores there, [L, n, C - 1] in the order of folds; two {fold: array}.
    """
    num_folds, (count, num_classes) = len(inside), total.count.shape
    hits = np.zeros((num_folds, len(PENALTIES), count, num_classes))
    first = [[None] * num_folds for _ in range(num_folds)]

    def learn_without(pair):
        a, b = pair
        fits = list(discriminants(without(without(total, moments[a]), moments[b]), PENALTIES))
        for tested, held in ((a, b), (b, a)):
            if tested not in asked:
                continue
            rows = inside[held]
            scored = [features[rows] @ weights[:, 0] + offsets[0] for weights, offsets in fits]
            first[tested][held] = np.stack(scored)
            found = np.zeros(hits.shape[1:])
            for i, (weights, offsets) in enumerate(fits):
                for at in chunks(inside[held]):
                    right = decide(features[at], weights, offsets) == labels[at]
                    for c in range(num_classes):
                        found[i, :, c] += (right & (labels[at] == c)).sum(0)
            yield tested, found

    pairs = [pair for pair in itertools.combinations(range(num_folds), 2) if {*pair} & {*asked}]
    for pair in pool.map(lambda pair: list(learn_without(pair)), pairs):
        for tested, found in pair:
            hits[tested] += found
    support = np.stack([total.count - one.count for one in moments])[:, None]
    recall = (hits / np.maximum(support, 1)).sum(-1) / np.maximum((support > 0).sum(-1), 1)
    seen = {fold: np.concatenate(_except(first[fold], fold), 1) for fold in asked}
    return {fold: recall[fold] for fold in asked}, seen


def _picked(moments: Moments, pick: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and offsets of the penalty with number pick[p] for labelling p."""
    fits = list(discriminants(moments, PENALTIES))
    weights, offsets = (np.stack(parts) for parts in zip(*fits))
    each = np.arange(len(pick))
    return weights[pick, :, each].swapaxes(0, 1), offsets[pick, each]


def _except(parts: Sequence, fold: int) -> list:
    return [part for number, part in enumerate(parts) if number != fold]
