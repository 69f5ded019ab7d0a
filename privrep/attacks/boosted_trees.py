"""Attacker of gradient-boosted trees, trained separately for every labelling (host)."""

import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from privrep.attacks.lda_moments import choose, temperature
from privrep.attacks.protocol import Attacked, training_sample
from privrep.cores import usable_cores
from privrep.statistics.uar import uars_of

TRAINING_UTTERANCES = 4096  # at most
ROUNDS = (5, 10, 20, 40, 80)
_NEVER = 1e9


def trees(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """Gradient-boosted trees on histograms (Friedman 2001; scikit-learn), see `protocol.Attack`.

        log p(h | c) = log p(c | h) - log p(c) + a constant per utterance

    Trees have up to 15 leaves and a learning rate of 0.1. Their number (5, 10, 20, 40 or 80) is
    selected by the UAR on validation speakers: the fold after the tested one; then all folds but
    the tested one are trained on. Columns are taken as they are: neither scaled nor clipped. At
    most 4096 utterances are trained on, drawn evenly from the speakers at random; all utterances
    are predicted.

    Nothing is shared between labellings: a test with P of them trains P x K ensembles.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # here: it takes a second to import

    usable = training_sample(seed, speakers, TRAINING_UTTERANCES)
    # Trees need no scale. Clipped columns would hide outliers, float32 small differences.
    x, num_folds = h.astype(np.float64), int(folds.max()) + 1
    predictions = np.full(labels.shape, -1, np.int16)
    log_likelihoods = np.full((len(h), num_classes), np.nan, np.float32)
    chosen = [""] * num_folds

    def fitted(rows: np.ndarray, y: np.ndarray, count: int) -> HistGradientBoostingClassifier:
        # Priors are divided out afterwards: class weights make scikit-learn ten times as slow.
        ensemble = HistGradientBoostingClassifier(
            max_iter=ROUNDS[count - 1], max_leaf_nodes=15, early_stopping=False, random_state=seed
        )
        return ensemble.fit(x[rows], y[rows]) if len(np.unique(y[rows])) > 1 else ensemble

    def attack(task: tuple[int, int]) -> None:
        row, tested = task
        held_out = (tested + 1) % num_folds
        training = np.flatnonzero(usable & (folds != tested) & (folds != held_out))
        validation = np.flatnonzero(usable & (folds == held_out))
        rows = np.flatnonzero(folds == tested)
        y = labels[row].astype(np.int32)
        prior = np.bincount(y[training], minlength=num_classes).astype(float)
        ensemble = fitted(training, y, len(ROUNDS))
        of_rounds = _scores(ensemble, x[validation], prior, len(ROUNDS))
        predicted = np.stack([choose(scores[:, None])[:, 0] for scores in of_rounds])
        truth = np.broadcast_to(y[validation], predicted.shape)
        best = int(np.argmax(uars_of(predicted, truth, num_classes)))
        both = np.concatenate([training, validation])
        prior_of_both = np.bincount(y[both], minlength=num_classes).astype(float)
        scores = _scores(fitted(both, y, best + 1), x[rows], prior_of_both, best + 1)[-1]
        predictions[row, rows] = choose(scores[:, None])[:, 0]
        if row == 0:
            chosen[tested] = f"{ROUNDS[best]} trees"
            factor = temperature(of_rounds[best], y[validation], prior)
            log_likelihoods[rows, 0] = 0
            log_likelihoods[rows, 1:] = factor * scores

    tested_folds = range(num_folds) if only is None else (only,)
    # OpenMP limits its threads per calling thread; more than one each would only wait.
    with ThreadPoolExecutor(usable_cores(), "", threadpool_limits, (1, "openmp")) as pool:
        list(pool.map(attack, itertools.product(range(len(labels)), tested_folds)))
    return Attacked(predictions, log_likelihoods, tuple(chosen))


def _scores(ensemble: Any, x: np.ndarray, prior: np.ndarray, count: int) -> list[np.ndarray]:
    """After the first `count` of ROUNDS float32[n, C - 1], of class c against class 0."""
    known = np.flatnonzero(prior)
    staged: Iterable[np.ndarray]
    if len(known) == 1:
        staged = itertools.repeat(np.ones((len(x), 1)))
    else:
        staged = ensemble.staged_predict_proba(x)
    scores = []
    for num_trees, posterior in zip(range(1, ROUNDS[count - 1] + 1), staged):
        if num_trees in ROUNDS:
            likelihoods = np.full((len(x), len(prior)), -_NEVER)
            likelihoods[:, known] = np.log(np.maximum(posterior, 1e-9)) - np.log(prior[known])
            scores.append((likelihoods[:, 1:] - likelihoods[:, :1]).astype(np.float32))
    return scores
