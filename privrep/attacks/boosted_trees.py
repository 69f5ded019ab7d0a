"""The attacker of gradient-boosted trees, trained anew for every labelling."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from privrep.attacks.lda_moments import choose, temperature
from privrep.attacks.protocol import Attacked, places, standardised

TEACHERS = 4096  # utterances to learn from, at most
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
    """Gradient-boosted trees (Friedman 2001; scikit-learn's by histograms).

        log p(h | c) = log p(c | h) - log p(c) + a number per utterance

    Trees of up to 15 leaves, each counting a tenth; how many, of 5, 10, 20, 40 and 80, is chosen by
    the UAR on validation speakers, the fold behind the tested one, of which the trees learn
    nothing. They learn from up to 4096 utterances, evenly of all speakers, drawn at random, and
    guess all.

    Nothing is shared between labellings: a test with P of them trains P x K ensembles. Arguments
    and result as in `lda.linear`.
    """
    place = places(np.random.default_rng(seed), speakers)
    taught = place < max(TEACHERS // (speakers.max() + 1), 1)
    x, num_folds = standardised(h), int(folds.max()) + 1
    predictions = np.full(labels.shape, -1, np.int16)
    log_likelihoods = np.full((len(h), num_classes), np.nan, np.float32)
    chosen = [""] * num_folds

    def attack(task: tuple[int, int]) -> None:
        row, tested = task
        held = (tested + 1) % num_folds
        learn = np.flatnonzero(taught & (folds != tested) & (folds != held))
        seen, rows = np.flatnonzero(taught & (folds == held)), np.flatnonzero(folds == tested)
        y = labels[row].astype(np.int32)
        prior = np.bincount(y[learn], minlength=num_classes).astype(float)
        # Priors are taken out afterwards: with weights scikit-learn takes ten times as long.
        grown = HistGradientBoostingClassifier(
            max_iter=ROUNDS[-1], max_leaf_nodes=15, early_stopping=False, random_state=seed
        )
        if (prior > 0).sum() > 1:
            grown.fit(x[learn], y[learn])
        tried = _scores(grown, x[seen], prior, len(ROUNDS))
        recalls = [_recall(choose(scores[:, None])[:, 0], y[seen]) for scores in tried]
        best = int(np.argmax(recalls))
        scores = _scores(grown, x[rows], prior, best + 1)[-1]
        predictions[row, rows] = choose(scores[:, None])[:, 0]
        if row == 0:
            chosen[tested] = f"{ROUNDS[best]} trees"
            log_likelihoods[rows, 0] = 0
            log_likelihoods[rows, 1:] = temperature(tried[best], y[seen], prior) * scores

    asked = range(num_folds) if only is None else (only,)
    # OpenMP counts its threads per thread that calls it; those of several would only wait.
    with ThreadPoolExecutor(os.cpu_count(), None, threadpool_limits, (1, "openmp")) as pool:
        list(pool.map(attack, itertools.product(range(len(labels)), asked)))
    return Attacked(predictions, log_likelihoods, tuple(chosen))


def _scores(
    grown: HistGradientBoostingClassifier, x: np.ndarray, prior: np.ndarray, count: int
) -> list[np.ndarray]:
    """After the first `count` of ROUNDS float32[n, C - 1], of class c against class 0."""
    known = np.flatnonzero(prior)
    if len(known) == 1:
        staged = itertools.repeat(np.ones((len(x), 1)))
    else:
        staged = grown.staged_predict_proba(x)
    found = []
    for trees_so_far, shares in zip(range(1, ROUNDS[count - 1] + 1), staged):
        if trees_so_far in ROUNDS:
            each = np.full((len(x), len(prior)), -_NEVER)
            each[:, known] = np.log(np.maximum(shares, 1e-9)) - np.log(prior[known])
            found.append((each[:, 1:] - each[:, :1]).astype(np.float32))
    return found


def _recall(guessed: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([(guessed[labels == c] == c).mean() for c in np.unique(labels)]))
