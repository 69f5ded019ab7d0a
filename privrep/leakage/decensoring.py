"""De-censoring attack: maps protected h back to unprotected h, and attacks the result (host).

Song & Shmatikov (Overlearning Reveals Sensitive Attributes, ICLR 2020) train a network that maps
censored representations to those of an auxiliary model without censoring, by squared error, and
attack its output. Here the target is the unprotected h of the same speakers instead of that of an
auxiliary model, and the map is ridge regression in closed form, with the penalty selected on
validation speakers. The attack is tested on speakers on whom neither map nor attacker was trained.
"""

import functools
import operator
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from privrep.attacks.lda import COARSE
from privrep.attacks.lda_moments import added, decide, discriminants, sum_moments, without
from privrep.attacks.scaling import standardised
from privrep.statistics.confidence import standard_error
from privrep.statistics.design import design, speaker_labels
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import Scores, Verdict, judge
from privrep.types import SECONDARY, InferenceSettings, Sample

RIDGES = (1.0, 0.1, 0.01, 0.001, 1e-4)  # of standardised columns, per utterance


class Decensored(NamedTuple):
    """The result of the attack, in plain values.

    Attributes:
      verdict: of the attacker on the output of the map.
      explained: share of the variance of unprotected h that the map restores for held-out speakers;
        may be negative.
      ridges: selected penalty of the map per fold.
    """

    verdict: Verdict
    explained: float
    ridges: tuple[float, ...]


class _PairMoments(NamedTuple):
    """Sums over pairs of protected p and unprotected u, which are additive over folds."""

    num: float
    p: np.ndarray
    u: np.ndarray
    pp: np.ndarray
    pu: np.ndarray
    uu: float  # trace


def decensor(
    sample: Sample, unprotected: np.ndarray, settings: InferenceSettings = SECONDARY
) -> Decensored:
    """Maps protected h to unprotected h, and attacks it with an attacker trained on the latter.

    The attacker holds both forms of h for other speakers' utterances. For each tested fold a ridge
    map and a linear attacker (the discriminant of `lda.linear`, on unprotected h) are trained on
    the other folds. The ridge is selected there by the error on held-out folds, the attacker's
    penalty by the UAR on *mapped* h of these. Labels are permuted as in `measurement.measure`.

    A linear attacker after a linear map is a linear attacker on protected h. It can have a higher
    UAR than the informed one where labels are few and the pairs reveal the relevant directions, and
    it is a threat to whoever publishes a protected corpus of which an unprotected part is
    available.

    Args:
      sample: with the protected h; none of its labels unknown.
      unprotected: float[N, E], of the same utterances.
      settings: of the test.
    """
    labels, speaker, num_classes = sample.labels, sample.speaker, sample.num_classes
    dealt = design(labels, speaker, sample.session, settings.folds, settings.seed)
    permutations = permute(
        labels, speaker, dealt.strata, settings.permutations, settings.seed, dealt.units
    )
    p, u = standardised(sample.h), standardised(unprotected)
    folds = [np.flatnonzero(dealt.folds == fold) for fold in range(dealt.folds.max() + 1)]
    columns = np.ascontiguousarray(permutations.labels.T.astype(np.int16))
    pairs = [_pair_moments(p[rows], u[rows]) for rows in folds]
    moments = [sum_moments(u[rows], columns[rows], num_classes) for rows in folds]
    all_pairs = _PairMoments(*(functools.reduce(operator.add, parts) for parts in zip(*pairs)))
    all_moments = added(moments)
    predictions = np.zeros(columns.shape, np.int16)
    squared_error, ridges = 0.0, []
    for tested, rows in enumerate(folds):
        others = [fold for fold in range(len(folds)) if fold != tested]
        rest = _less(all_pairs, pairs[tested])
        errors = sum(_errors(_less(rest, pairs[other]), pairs[other]) for other in others)
        ridge = RIDGES[int(np.argmin(errors))]
        hits = np.zeros((len(COARSE), columns.shape[1], num_classes))
        support = np.zeros((columns.shape[1], num_classes))
        training = without(all_moments, moments[tested])
        for other in others:
            mapped = _map(_less(rest, pairs[other]), ridge, p[folds[other]])
            truth = columns[folds[other]]
            support += np.stack([(truth == c).sum(0) for c in range(num_classes)], -1)
            fits = discriminants(without(training, moments[other]), COARSE)
            for i, (weights, offsets) in enumerate(fits):
                correct = decide(mapped, weights, offsets) == truth
                for c in range(num_classes):
                    hits[i, :, c] += (correct & (truth == c)).sum(0)
        pick = (hits / np.maximum(support, 1)).sum(-1).argmax(0)
        mapped = _map(rest, ridge, p[rows])
        for i, (weights, offsets) in enumerate(discriminants(training, COARSE)):
            if (is_picked := pick == i).any():
                predicted = decide(mapped, weights[:, is_picked], offsets[is_picked])
                predictions[np.ix_(rows, is_picked)] = predicted
        squared_error += float(((u[rows] - mapped) ** 2).sum())
        ridges.append(ridge)
    uars = uars_of(predictions.T, permutations.labels, num_classes)
    counts = confusion_counts(predictions[:, 0], labels, speaker, num_classes)
    error = standard_error(counts, uar, speaker_labels(labels, speaker))
    verdict, _ = judge(
        Scores(uars[None], np.array([error])),
        permutations,
        num_classes,
        settings.limit,
        settings.alpha,
    )
    variation = float(((u - u.mean(0)) ** 2).sum())
    return Decensored(verdict, 1 - squared_error / max(variation, 1e-12), tuple(ridges))


def _pair_moments(p: np.ndarray, u: np.ndarray) -> _PairMoments:
    p, u = p.astype(np.float64), u.astype(np.float64)
    return _PairMoments(float(len(p)), p.sum(0), u.sum(0), p.T @ p, p.T @ u, float((u * u).sum()))


def _less(total: _PairMoments, part: _PairMoments) -> _PairMoments:
    pairs: Any = zip(total, part)
    return _PairMoments(*(a - b for a, b in pairs))


def _fit(pairs: _PairMoments, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights [D, E] and offset [E] with the least squared error."""
    mean, mean_u = pairs.p / pairs.num, pairs.u / pairs.num
    covariance = pairs.pp / pairs.num - np.outer(mean, mean) + ridge * np.eye(len(mean))
    crossed = pairs.pu / pairs.num - np.outer(mean, mean_u)
    weights = scipy.linalg.solve(covariance, crossed, assume_a="pos")
    return weights, mean_u - mean @ weights


def _errors(training: _PairMoments, tested: _PairMoments) -> np.ndarray:
    """float[L]: the squared error on `tested` of the map that each ridge fits to `training`."""
    errors = []
    for ridge in RIDGES:
        w, b = _fit(training, ridge)
        crossed = (w * tested.pu).sum() + b @ tested.u
        square = ((tested.pp @ w) * w).sum() + 2 * (tested.p @ w) @ b + tested.num * b @ b
        errors.append(tested.uu - 2 * crossed + square)
    return np.array(errors)


def _map(pairs: _PairMoments, ridge: float, p: np.ndarray) -> np.ndarray:
    weights, offset = _fit(pairs, ridge)
    return (p @ weights + offset).astype(np.float32)
