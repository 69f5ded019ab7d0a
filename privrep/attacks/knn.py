"""Nearest-neighbour attacker; one neighbour search serves every labelling (host)."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from privrep.attacks.lda_moments import choose, chunks, temperature
from privrep.attacks.protocol import Attacked, training_sample
from privrep.attacks.scaling import squared_distances, standardised
from privrep.cores import one_blas_thread, usable_cores
from privrep.statistics.uar import mean_recall

NEIGHBOURS = (1, 5, 20, 80)
TRAINING_UTTERANCES = 8192  # at most
_ROWS = 1024  # utterances whose distances to all training utterances are in memory at once
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
    """k nearest neighbours among utterances of other speakers (Fix & Hodges 1951), see `Attack`.

        log p(h | c) = log(n_c / N_c + 1 / N) + a constant per utterance

    with n_c of the k neighbours, and N_c of the N training utterances, in class c. Distances are
    Euclidean on columns of standard deviation 1. At most 8192 utterances are trained on, drawn
    evenly from the speakers at random; all utterances are predicted. k (1, 5, 20 or 80, as far as
    there are enough utterances) is selected by the UAR on validation speakers: all folds but the
    tested one, each predicted from the others.
    """
    usable = training_sample(seed, speakers, TRAINING_UTTERANCES)
    h = standardised(h).astype(np.float32)
    labels = np.ascontiguousarray(labels.T.astype(np.int16))
    num_folds = int(folds.max()) + 1
    inside = [np.flatnonzero(usable & (folds == fold)) for fold in range(num_folds)]
    fewest = sum(sorted(map(len, inside))[:-2])  # without the two largest folds
    candidates = [k for k in NEIGHBOURS if k <= max(fewest, 1)]
    predictions = np.full(labels.shape, -1, np.int16)
    log_likelihoods = np.full((len(h), num_classes), np.nan, np.float32)
    chosen = [""] * num_folds

    def attack(tested: int) -> None:
        training = _all_but(inside, tested)
        support = _support(labels[training], num_classes)
        hits, of_row_0 = np.zeros((len(candidates), *support.shape)), []
        for fold in range(num_folds):
            if fold == tested:
                continue
            others = _all_but(inside, tested, fold)
            of_others = _support(labels[others], num_classes)
            for rows in chunks(inside[fold], _ROWS):
                near = others[_nearest(h[rows], h[others], candidates[-1])]
                of_k = list(_scores(labels, near, candidates, of_others))
                of_row_0.append(np.stack([scores[:, 0] for scores in of_k]))
                for i, scores in enumerate(of_k):
                    correct = choose(scores) == labels[rows]
                    hits[i] += _support(np.where(correct, labels[rows], -1), num_classes)
        pick = mean_recall(hits, support).argmax(0)
        chosen[tested] = f"k {candidates[pick[0]]}"
        validation_scores = np.concatenate(of_row_0, 1)[pick[0]]
        factor = temperature(validation_scores, labels[training, 0], support[0].astype(float))
        for rows in chunks(np.flatnonzero(folds == tested), _ROWS):
            near = training[_nearest(h[rows], h[training], candidates[-1])]
            for i, scores in enumerate(_scores(labels, near, candidates, support)):
                predictions[rows] = np.where(pick == i, choose(scores), predictions[rows])
                if pick[0] == i:
                    log_likelihoods[rows, 0] = 0
                    log_likelihoods[rows, 1:] = factor * scores[:, 0]

    with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(attack, range(num_folds) if only is None else (only,)))
    return Attacked(predictions.T, log_likelihoods, tuple(chosen))


def _nearest(x: np.ndarray, training: np.ndarray, k: int) -> np.ndarray:
    """int[n, k]: the rows of `training` nearest to each row of x, the nearest first."""
    distances = squared_distances(x, training)
    near = np.argpartition(distances, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(distances, near, 1), axis=1, kind="stable")
    return np.take_along_axis(near, order, 1)


def _scores(
    labels: np.ndarray, near: np.ndarray, candidates: Sequence[int], support: np.ndarray
) -> Iterator[np.ndarray]:
    """For each candidate k float32[n, P, C - 1], of class c against class 0.

    Args:
      labels: int16[N, P].
      near: int[n, k], rows of `labels`.
      candidates: ascending.
      support: int[P, C], of the training utterances.
    """
    num_labellings, num_classes = support.shape
    total = support[0].sum()
    votes = np.zeros((len(near), num_labellings, num_classes), np.int16)
    for i, neighbour in enumerate(near.T):
        voted = labels[neighbour]
        for c in range(1, num_classes):
            votes[..., c] += voted == c
        if i + 1 in candidates:
            votes[..., 0] = i + 1 - votes[..., 1:].sum(-1)
            likelihoods = np.log(votes / np.maximum(support, 1).astype(np.float32) + 1 / total)
            likelihoods = np.where(support > 0, likelihoods, -_NEVER).astype(np.float32)
            yield likelihoods[..., 1:] - likelihoods[..., :1]


def _support(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """int[P, C]: number of each class in labels int[n, P], where -1 is none."""
    return np.stack([(labels == c).sum(0) for c in range(num_classes)], -1)


def _all_but(inside: Sequence[np.ndarray], *folds: int) -> np.ndarray:
    return np.concatenate([rows for fold, rows in enumerate(inside) if fold not in folds])
