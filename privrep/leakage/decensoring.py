"""The de-censoring attack: undo the protection, then read what was protected (host).

Song & Shmatikov (Overlearning Reveals Sensitive Attributes, ICLR 2020) train a network that maps
censored representations onto those of an auxiliary model without censoring, by squared error, and
attack what it gives. Here the target is the unprotected h of the same people rather than that of
an auxiliary model; the map is ridge regression in closed form, its penalty chosen on speakers it
has not seen; and it is tried on people whom neither map nor attacker has met.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from privrep.attacks.lda import PENALTIES
from privrep.attacks.lda_moments import Moments, decide, discriminants, sum_moments, without
from privrep.statistics.confidence import standard_error
from privrep.statistics.permutation_test import design, permute, speaker_labels
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import ALPHA, LIMIT, Verdict, judge

RIDGES = (1.0, 0.1, 0.01, 0.001, 1e-4)  # of standardised columns, per utterance


class Decensored(NamedTuple):
    """What the attack found, in plain values.

    Attributes:
      verdict: of the attacker behind the map.
      explained: share of the variance of unprotected h that the map restores for strangers; may be
        negative.
      ridges: chosen per fold.
    """

    verdict: Verdict
    explained: float
    ridges: tuple[float, ...]


class _Pairs(NamedTuple):
    """Sums over pairs of protected p and unprotected u, which add up over folds."""

    count: float
    p: np.ndarray
    u: np.ndarray
    pp: np.ndarray
    pu: np.ndarray
    uu: float  # trace


def decensor(
    protected: np.ndarray,
    unprotected: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    *,
    sessions: np.ndarray | None = None,
    num_folds: int = 5,
    num_permutations: int = 99,
    limit: float = LIMIT,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Decensored:
    """Maps protected h back to unprotected, and attacks it with what was learned there.

    The attacker holds both forms of other people's utterances. For each tested fold a ridge map and
    a linear attacker (`lda.linear`'s discriminant, on unprotected h) learn from the other
    folds; the ridge is chosen there by the error on a fold left out, the attacker's penalty by the
    UAR it reaches on that fold's *mapped* h. Labels are exchanged as in `measurement.measure`.

    A linear attacker on a linear map is one on protected h: it can find more than the informed one
    where labels are few and pairs teach the directions, and it costs whoever publishes a protected
    corpus of which an unprotected part is about.

    Args:
      protected: float[N, D], finite.
      unprotected: float[N, E], of the same utterances.
      labels: int32[N], classes 0 to C - 1, none unknown.
      speakers: int32[N] from 0 to S - 1.
    """
    num_classes = int(labels.max()) + 1
    dealt = design(labels, speakers, sessions, num_folds, seed)
    exchanged = permute(labels, speakers, dealt.strata, num_permutations, seed, dealt.units)
    p, u = _standardised(protected), _standardised(unprotected)
    folds = [np.flatnonzero(dealt.folds == fold) for fold in range(dealt.folds.max() + 1)]
    columns = np.ascontiguousarray(exchanged.labels.T.astype(np.int16))
    pairs = [_pairs(p[rows], u[rows]) for rows in folds]
    moments = [sum_moments(u[rows], columns[rows], num_classes) for rows in folds]
    all_pairs = _Pairs(*(sum(parts) for parts in zip(*pairs)))
    all_moments = Moments(*(sum(parts) for parts in zip(*moments)))
    guessed = np.zeros(columns.shape, np.int16)
    left, ridges = 0.0, []
    for tested, rows in enumerate(folds):
        others = [fold for fold in range(len(folds)) if fold != tested]
        rest = _less(all_pairs, pairs[tested])
        ridge = RIDGES[
            int(
                np.argmin(sum(_errors(_less(rest, pairs[other]), pairs[other]) for other in others))
            )
        ]
        hits = np.zeros((len(PENALTIES), columns.shape[1], num_classes))
        support = np.zeros((columns.shape[1], num_classes))
        taught = without(all_moments, moments[tested])
        for other in others:
            mapped = _map(_less(rest, pairs[other]), ridge, p[folds[other]])
            truth = columns[folds[other]]
            support += np.stack([(truth == c).sum(0) for c in range(num_classes)], -1)
            fits = discriminants(without(taught, moments[other]), PENALTIES)
            for i, (weights, offsets) in enumerate(fits):
                right = decide(mapped, weights, offsets) == truth
                for c in range(num_classes):
                    hits[i, :, c] += (right & (truth == c)).sum(0)
        pick = (hits / np.maximum(support, 1)).sum(-1).argmax(0)
        mapped = _map(rest, ridge, p[rows])
        for i, (weights, offsets) in enumerate(discriminants(taught, PENALTIES)):
            if (chosen := pick == i).any():
                found = decide(mapped, weights[:, chosen], offsets[chosen])
                guessed[np.ix_(rows, chosen)] = found
        left += float(((u[rows] - mapped) ** 2).sum())
        ridges.append(ridge)
    uars = uars_of(guessed.T, exchanged.labels, num_classes)
    counts = confusion_counts(guessed[:, 0], labels, speakers, num_classes)
    error = standard_error(counts, uar, speaker_labels(labels, speakers))
    verdict = judge(uars[None], np.array([error]), exchanged, num_classes, limit, alpha)[0]
    spread = float(((u - u.mean(0)) ** 2).sum())
    return Decensored(verdict, 1 - left / max(spread, 1e-12), tuple(ridges))


def _pairs(p: np.ndarray, u: np.ndarray) -> _Pairs:
    p, u = p.astype(np.float64), u.astype(np.float64)
    return _Pairs(float(len(p)), p.sum(0), u.sum(0), p.T @ p, p.T @ u, float((u * u).sum()))


def _less(total: _Pairs, part: _Pairs) -> _Pairs:
    return _Pairs(*(a - b for a, b in zip(total, part)))


def _fit(pairs: _Pairs, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights [D, E] and offset [E] of the least squared error."""
    mean, of_u = pairs.p / pairs.count, pairs.u / pairs.count
    covariance = pairs.pp / pairs.count - np.outer(mean, mean) + ridge * np.eye(len(mean))
    crossed = pairs.pu / pairs.count - np.outer(mean, of_u)
    weights = scipy.linalg.solve(covariance, crossed, assume_a="pos")
    return weights, of_u - mean @ weights


def _errors(taught: _Pairs, tried: _Pairs) -> np.ndarray:
    """The squared error over `tried` of the map of each ridge learned from `taught`, float[L]."""
    errors = []
    for ridge in RIDGES:
        w, b = _fit(taught, ridge)
        crossed = (w * tried.pu).sum() + b @ tried.u
        square = ((tried.pp @ w) * w).sum() + 2 * (tried.p @ w) @ b + tried.count * b @ b
        errors.append(tried.uu - 2 * crossed + square)
    return np.array(errors)


def _map(pairs: _Pairs, ridge: float, p: np.ndarray) -> np.ndarray:
    weights, offset = _fit(pairs, ridge)
    return (p @ weights + offset).astype(np.float32)


def _standardised(h: np.ndarray) -> np.ndarray:
    mean, spread = h.mean(0, dtype=np.float64), h.std(0, dtype=np.float64)
    constant = spread <= 1e-5 * np.sqrt(1 + mean**2)
    return np.where(constant, 0, (h - mean) / np.where(constant, 1, spread)).astype(np.float32)
