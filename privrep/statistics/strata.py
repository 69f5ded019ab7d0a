"""Covariates that divide utterances into strata, and how an attacker does within them (host)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.statistics.permutation_test import speaker_labels

BINS = 8  # of a number, with as many utterances each
LENGTHS = ("num_frames", "length", "duration")
_NUMBERS = 12  # different ones from which a column of numbers is cut into intervals
_ENOUGH = 10  # utterances per coefficient of a line within a stratum


class Covariate(NamedTuple):
    """Something known of every utterance besides h.

    Attributes:
      name: of its column.
      strata: int32[N] from 0 to K - 1, every one occurs.
      values: float64[N, V], numbers that go on varying within strata; V is 0 for a discrete one.
    """

    name: str
    strata: np.ndarray
    values: np.ndarray


def covariate(name: str, cells: Sequence[str | None]) -> Covariate:
    """A column of a table. An empty cell is a value like others.

    Lengths (a column named in LENGTHS, or with fractions; other numbers are names, as of sessions)
    of more than 12 values are cut at their quantiles into 8 intervals; within one, h may still
    follow the number, which `residual` takes off by a line.
    """
    try:
        numbers = np.array(cells, float)  # None becomes NaN
    except ValueError:
        numbers = np.full(len(cells), np.nan)
    measured = name in LENGTHS or (numbers % 1 != 0).any()
    if measured and np.isfinite(numbers).all() and len(np.unique(numbers)) > _NUMBERS:
        cuts = np.quantile(numbers, np.arange(1, BINS) / BINS)
        strata = np.searchsorted(cuts, numbers, side="right")
        values = ((numbers - numbers.mean()) / numbers.std())[:, None]
    else:
        strata = np.unique(["" if cell is None else cell for cell in cells], return_inverse=True)[1]
        values = np.zeros((len(cells), 0))
    return Covariate(name, np.unique(strata, return_inverse=True)[1].astype(np.int32), values)


def together(covariates: Sequence[Covariate]) -> Covariate:
    """All of them as one: a stratum is a combination of theirs."""
    strata = np.stack([one.strata for one in covariates], 1)
    return Covariate(
        " and ".join(one.name for one in covariates),
        np.unique(strata, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32),
        np.concatenate([one.values for one in covariates], 1),
    )


def of_rows(covariate: Covariate, rows: np.ndarray) -> Covariate:
    """That of the utterances int[n]."""
    strata = np.unique(covariate.strata[rows], return_inverse=True)[1].astype(np.int32)
    return Covariate(covariate.name, strata, covariate.values[rows])


def residual(h: np.ndarray, covariate: Covariate) -> np.ndarray:
    """h less what the covariate tells of it, float32[N, D].

    Of every stratum its mean is taken off, and where there are numbers and utterances enough, the
    least-squares line on them. No label is looked at: whoever knows everybody's Z can do it.
    """
    left = np.array(h, np.float64)
    order = np.argsort(covariate.strata, kind="stable")
    starts = np.flatnonzero(np.diff(covariate.strata[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        left[rows] -= left[rows].mean(0)
        x = covariate.values[rows] - covariate.values[rows].mean(0)
        if x.size and len(rows) >= _ENOUGH * (1 + x.shape[1]):
            left[rows] -= x @ np.linalg.lstsq(x, left[rows], rcond=None)[0]
    return left.astype(np.float32)


def strata_of_speakers(
    covariate: Covariate, speakers: np.ndarray, strata: np.ndarray, units: np.ndarray
) -> np.ndarray:
    """int32[S]: who may exchange labels with whom, given the covariate.

    As `strata` int32[S] say; where every speaker, and all of a unit (int32[S], see
    `permutation_test.Design`), has one value of Z, those of equal value only.
    """
    own = np.unique(np.stack([speakers, covariate.strata]), axis=1)
    if len(own[0]) > len(strata):
        return strata
    if len(np.unique(np.stack([units, own[1]]), axis=1)[0]) > len(np.unique(units)):
        return strata
    both = np.stack([strata, own[1]], 1)
    return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)


def score_within(counts: np.ndarray) -> np.ndarray:
    """The mean UAR within strata of confusion counts [..., K, C, C] -> [...].

        1 / C + (1 - 1 / C) sum_z w_z l_z / sum_z w_z,    l_z = (UAR_z - 1 / C_z) / (1 - 1 / C_z)

    UAR_z is over the C_z classes that occur in stratum z, and w_z the harmonic mean of their
    numbers of utterances, 0 where C_z < 2: what a stratum tells of two classes, it tells by the
    smaller. A rule that looks at z alone scores 1 / C; as does any if no stratum has two.
    """
    _, leak, weight, _ = _parts(counts)
    total = weight.sum(-1)
    mean = (weight * leak).sum(-1) / np.where(total > 0, total, 1)
    chance = 1 / counts.shape[-1]
    return chance + (1 - chance) * mean


def _parts(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """1 / n [..., K, C] (0 where n is 0), l_z, w_z and C_z [..., K]."""
    support = counts.sum(-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    inverse = np.where(support > 0, 1 / np.where(support > 0, support, 1), 0)
    classes = np.maximum((support > 0).sum(-1), 1)
    floor = np.where(classes > 1, 1 / classes, 0)
    leak = ((hits * inverse).sum(-1) / classes - floor) / (1 - floor)
    weight = np.where(classes > 1, classes / np.maximum(inverse.sum(-1), 1e-12), 0)
    return inverse, leak, weight, classes


def within_uar(
    predictions: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    strata: np.ndarray,
    num_classes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """`score_within` of every labelling and its standard error over speakers, float[P] each.

    The error is that of `confidence.standard_error`, whose derivatives are written out here.

    Args:
      predictions, labels: int[P, N].
      speakers: int[N] from 0 to S - 1.
      strata: int[N] from 0 to K - 1.
      num_classes: C.
    """
    count = int(strata.max()) + 1, num_classes
    own, cell = np.unique(speakers * count[0] + strata, return_inverse=True)
    who, where = own // count[0], own % count[0]  # speakers and strata that occur together
    found = [
        _one(guessed, truth, strata, cell, who, where, speaker_labels(truth, speakers), count)
        for guessed, truth in zip(predictions, labels)
    ]
    return tuple(np.array(found).T)


def _one(guessed, truth, strata, cell, who, where, usual, count) -> tuple[float, float]:
    num_strata, num_classes = count
    place = (strata * num_classes + truth) * num_classes + guessed
    pooled = np.bincount(place, minlength=num_strata * num_classes**2)
    pooled = pooled.reshape(num_strata, num_classes, num_classes)
    inverse, leak, weight, classes = _parts(pooled)
    total, chance = max(weight.sum(), 1e-12), 1 / num_classes
    score = float(score_within(pooled))
    recall = np.diagonal(pooled, axis1=-2, axis2=-1) * inverse
    # What a speaker adds to the utterances and hits of every class, in each of his strata.
    place, size = cell * num_classes + truth, len(who) * num_classes
    support = np.bincount(place, minlength=size).reshape(-1, num_classes)
    hits = np.bincount(place[guessed == truth], minlength=size).reshape(-1, num_classes)
    scale = classes * (1 - np.where(classes > 1, 1 / classes, 0))
    of_leak = ((hits - recall[where] * support) * inverse[where]).sum(1) / scale[where]
    of_weight = weight[where] ** 2 / classes[where] * (support * inverse[where] ** 2).sum(1)
    mean = (weight * leak).sum() / total
    moved = (weight[where] * of_leak + of_weight * (leak[where] - mean)) / total
    influence = (1 - chance) * np.bincount(who, moved, minlength=len(usual))
    squared = 0.0
    for c in np.unique(usual):
        of_class = influence[usual == c]
        squared += len(of_class) / max(len(of_class) - 1, 1) * of_class.var() * len(of_class)
    return score, float(np.sqrt(squared))


def studentised(scores: np.ndarray, errors: np.ndarray, chance: float) -> np.ndarray:
    """Scores float[P] as they would lie about chance if all were as exact as the first.

    Where gender and Z are tied, few women share a Z with men; exchanged labels are not tied, are
    scored more exactly, and would make the true ones stand out by that alone. A permutation test of
    ratios to their errors is right all the same, for many speakers (Janssen 1997; Chung & Romano,
    Exact and asymptotically robust permutation tests, Ann. Stat. 2013).
    """
    floor = max(np.median(errors) / 2, 1e-6)
    errors = np.maximum(errors, floor)
    return chance + (scores - chance) * errors[0] / errors


def share_judged(covariate: Covariate, labels: np.ndarray) -> float:
    """The share of utterances in strata that hold at least two classes."""
    pairs = np.unique(np.stack([covariate.strata, labels]), axis=1)
    classes = np.bincount(pairs[0], minlength=int(covariate.strata.max()) + 1)
    return float((classes >= 2)[covariate.strata].mean())
