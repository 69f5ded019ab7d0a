"""The nearest-neighbour attacker: one search serves every labelling, as distances know no label."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from privrep.attacks.lda_moments import choose, temperature
from privrep.attacks.protocol import Attacked, places, squared_distances, standardised

NEIGHBOURS = (1, 5, 20, 80)
TEACHERS = 8192  # known utterances, at most
_ROWS = 1024  # portion of the utterances of which all distances are held
_NEVER = 1e9


def knn(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """k nearest neighbours among the utterances of other speakers (Fix & Hodges 1951).

        log p(h | c) = log(n_c / N_c + 1 / N) + a number per utterance

    with n_c of the k neighbours, and N_c of the N known utterances, in class c. Distances are
    Euclidean between columns of deviation 1. It knows up to 8192 utterances, evenly of all
    speakers, drawn at random, and guesses all. k, of 1, 5, 20 and 80 as far as there are so many,
    is chosen by the UAR on validation speakers: all folds but the tested one, each guessed from the
    others.

    Arguments and result as in `lda.linear`.
    """
    place = places(np.random.default_rng(seed), speakers)
    taught = place < max(TEACHERS // (speakers.max() + 1), 1)
    h, labels = standardised(h), np.ascontiguousarray(labels.T.astype(np.int16))
    num_folds = int(folds.max()) + 1
    inside = [np.flatnonzero(taught & (folds == fold)) for fold in range(num_folds)]
    fewest = sum(sorted(map(len, inside))[:-2])  # with the two largest folds left out
    tried = [k for k in NEIGHBOURS if k <= max(fewest, 1)]
    predictions = np.full(labels.shape, -1, np.int16)
    log_likelihoods = np.full((len(h), num_classes), np.nan, np.float32)
    chosen = [""] * num_folds

    def attack(tested: int) -> None:
        known = _all_but(inside, tested)
        support = _support(labels[known], num_classes)
        hits, first = np.zeros((len(tried), *support.shape)), []
        for fold in range(num_folds):
            if fold == tested:
                continue
            others = _all_but(inside, tested, fold)
            of_others = _support(labels[others], num_classes)
            for rows in _portions(inside[fold]):
                near = others[_nearest(h[rows], h[others], tried[-1])]
                scored = list(_scores(labels, near, tried, of_others))
                first.append(np.stack([scores[:, 0] for scores in scored]))
                for i, scores in enumerate(scored):
                    right = choose(scores) == labels[rows]
                    hits[i] += _support(np.where(right, labels[rows], -1), num_classes)
        recall = (hits / np.maximum(support, 1)).sum(-1) / np.maximum((support > 0).sum(-1), 1)
        pick = recall.argmax(0)
        chosen[tested] = f"k {tried[pick[0]]}"
        seen, truth = np.concatenate(first, 1)[pick[0]], labels[known, 0]
        strength = temperature(seen, truth, support[0].astype(float))
        for rows in _portions(np.flatnonzero(folds == tested)):
            near = known[_nearest(h[rows], h[known], tried[-1])]
            for i, scores in enumerate(_scores(labels, near, tried, support)):
                predictions[rows] = np.where(pick == i, choose(scores), predictions[rows])
                if pick[0] == i:
                    log_likelihoods[rows, 0] = 0
                    log_likelihoods[rows, 1:] = strength * scores[:, 0]

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(attack, range(num_folds) if only is None else (only,)))
    return Attacked(predictions.T, log_likelihoods, tuple(chosen))


def _nearest(x: np.ndarray, known: np.ndarray, k: int) -> np.ndarray:
    """int[n, k]: the rows of `known` nearest to each row of x, the nearest first."""
    distances = squared_distances(x, known)
    near = np.argpartition(distances, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(distances, near, 1), axis=1, kind="stable")
    return np.take_along_axis(near, order, 1)


def _scores(
    labels: np.ndarray, near: np.ndarray, tried: Sequence[int], support: np.ndarray
) -> Iterator[np.ndarray]:
    """For each k float32[n, P, C - 1], of class c against class 0.

    Args:
      labels: int16[N, P].
      near: int[n, k], rows of `labels`.
      support: int[P, C], of the known utterances.
    """
    count, num_classes = support.shape
    total, votes = support[0].sum(), np.zeros((len(near), count, num_classes), np.int16)
    for i, neighbour in enumerate(near.T):
        voted = labels[neighbour]
        for c in range(1, num_classes):
            votes[..., c] += voted == c
        if i + 1 in tried:
            votes[..., 0] = i + 1 - votes[..., 1:].sum(-1)
            each = np.log(votes / np.maximum(support, 1).astype(np.float32) + 1 / total)
            each = np.where(support > 0, each, -_NEVER).astype(np.float32)
            yield each[..., 1:] - each[..., :1]


def _support(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """int[P, C]: of labels int[n, P], -1 for none."""
    return np.stack([(labels == c).sum(0) for c in range(num_classes)], -1)


def _all_but(inside: Sequence[np.ndarray], *folds: int) -> np.ndarray:
    return np.concatenate([rows for fold, rows in enumerate(inside) if fold not in folds])


def _portions(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]
