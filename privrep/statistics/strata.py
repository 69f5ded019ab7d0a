"""Covariates that divide utterances into strata, and the UAR of an attacker within them (host)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.statistics.design import speaker_labels
from privrep.types import renumber

BINS = 8  # intervals of a number, with equally many utterances each
LENGTHS = ("num_frames", "length", "duration")
_MAX_DISCRETE = 12  # different numbers; a column with more is divided into intervals
_PER_COEFFICIENT = 10  # utterances per coefficient of a regression line within a stratum


class Covariate(NamedTuple):
    """A variable that is known for every utterance besides h.

    Attributes:
      name: of its column.
      strata: int32[N] from 0 to K - 1, every one occurs.
      values: float64[N, V], numbers that still vary within strata; V is 0 for a discrete covariate.
    """

    name: str
    strata: np.ndarray
    values: np.ndarray

    @property
    def rows(self) -> list[np.ndarray]:
        """int64[n]: the utterances of each stratum, ascending."""
        order = np.argsort(self.strata, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.strata[order])) + 1)


def covariate(name: str, cells: Sequence[str | None]) -> Covariate:
    """A column of a table as a covariate. An empty cell is a value like others.

    A measured quantity (a column named in LENGTHS, or one with fractions; other numbers are names,
    as of sessions) with more than 12 different values is divided at its quantiles into 8 intervals.
    Within an interval h may still depend on the number; `residual` removes that linearly.
    """
    try:
        numbers = np.array(cells, float)  # None becomes NaN
    except ValueError:
        numbers = np.full(len(cells), np.nan)
    measured = name in LENGTHS or (numbers % 1 != 0).any()
    if measured and np.isfinite(numbers).all() and len(np.unique(numbers)) > _MAX_DISCRETE:
        cuts = np.quantile(numbers, np.arange(1, BINS) / BINS)
        strata = np.searchsorted(cuts, numbers, side="right")
        values = ((numbers - numbers.mean()) / numbers.std())[:, None]
    else:
        strata = renumber(["" if cell is None else cell for cell in cells])
        values = np.zeros((len(cells), 0))
    return Covariate(name, renumber(strata), values)


def combined(covariates: Sequence[Covariate]) -> Covariate:
    """All of them as one covariate, whose strata are the combinations of their strata."""
    strata = np.stack([z.strata for z in covariates], 1)
    return Covariate(
        " and ".join(z.name for z in covariates),
        np.unique(strata, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32),
        np.concatenate([z.values for z in covariates], 1),
    )


def residual(h: np.ndarray, covariate: Covariate) -> np.ndarray:
    """h without what the covariate predicts of it, float32[N, D].

    The mean of each stratum is subtracted and, where the covariate has numbers and the stratum
    enough utterances, the least-squares line on these numbers. No label is used, so that an
    attacker who knows the covariate of every utterance can do the same.
    """
    left = np.array(h, np.float64)
    for rows in covariate.rows:
        left[rows] -= left[rows].mean(0)
        x = covariate.values[rows] - covariate.values[rows].mean(0)
        if x.size and len(rows) >= _PER_COEFFICIENT * (1 + x.shape[1]):
            left[rows] -= x @ np.linalg.lstsq(x, left[rows], rcond=None)[0]
    return left.astype(np.float32)


def strata_of_speakers(
    covariate: Covariate, speaker: np.ndarray, strata: np.ndarray, units: np.ndarray
) -> np.ndarray:
    """int32[S]: the strata within which labels are permuted, given the covariate.

    Where every speaker, and every speaker of a unit, has the same value of the covariate, labels
    are permuted only between speakers of equal value; otherwise `strata` is returned.

    Args:
      covariate: of N utterances.
      speaker: int32[N].
      strata, units: int32[S], see `design.Design`.
    """
    pairs = np.unique(np.stack([speaker, covariate.strata]), axis=1)
    if len(pairs[0]) > len(strata):
        return strata
    if len(np.unique(np.stack([units, pairs[1]]), axis=1)[0]) > len(np.unique(units)):
        return strata
    both = np.stack([strata, pairs[1]], 1)
    return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)


def score_within(counts: np.ndarray) -> np.ndarray:
    """The mean UAR within strata of confusion counts [..., K, C, C] -> [...].

        1 / C + (1 - 1 / C) sum_z w_z l_z / sum_z w_z,    l_z = (UAR_z - 1 / C_z) / (1 - 1 / C_z)

    UAR_z is over the C_z classes that occur in stratum z. The weight w_z is the harmonic mean of
    their numbers of utterances, 0 where C_z < 2, because the smaller class limits what a stratum
    can show about two classes. A prediction from z alone scores 1 / C, as does any prediction if no
    stratum holds two classes.
    """
    _, leak, weight, _ = _per_stratum(counts)
    total = weight.sum(-1)
    mean = (weight * leak).sum(-1) / np.where(total > 0, total, 1)
    chance = 1 / counts.shape[-1]
    return chance + (1 - chance) * mean


def _per_stratum(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """1 / n [..., K, C] (0 where n is 0), l_z, w_z and C_z [..., K]."""
    support = counts.sum(-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    inverse = np.where(support > 0, 1 / np.where(support > 0, support, 1), 0)
    classes = np.maximum((support > 0).sum(-1), 1)
    chance = np.where(classes > 1, 1 / classes, 0)
    leak = ((hits * inverse).sum(-1) / classes - chance) / (1 - chance)
    weight = np.where(classes > 1, classes / np.maximum(inverse.sum(-1), 1e-12), 0)
    return inverse, leak, weight, classes


class _Cells(NamedTuple):
    """The combinations (cells) of a speaker and a stratum that occur.

    Attributes:
      strata: int[N] of each utterance, from 0 to K - 1.
      cell: int[N] of each utterance.
      cell_speaker, cell_stratum: int of each cell.
      num_strata, num_classes: K and C.
    """

    strata: np.ndarray
    cell: np.ndarray
    cell_speaker: np.ndarray
    cell_stratum: np.ndarray
    num_strata: int
    num_classes: int


def within_uar(
    predictions: np.ndarray,
    labels: np.ndarray,
    speaker: np.ndarray,
    strata: np.ndarray,
    num_classes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """`score_within` of every labelling and its standard error over speakers, float[P] each.

    The error is that of `confidence.standard_error`, with the derivatives in closed form.

    Args:
      predictions, labels: int[P, N].
      speaker: int[N] from 0 to S - 1.
      strata: int[N] from 0 to K - 1.
      num_classes: C.
    """
    num_strata = int(strata.max()) + 1
    combination, cell = np.unique(speaker * num_strata + strata, return_inverse=True)
    cells = _Cells(
        strata, cell, combination // num_strata, combination % num_strata, num_strata, num_classes
    )
    scores = [
        _score_and_error(predicted, truth, cells, speaker_labels(truth, speaker))
        for predicted, truth in zip(predictions, labels)
    ]
    return np.array([score for score, _ in scores]), np.array([error for _, error in scores])


def _score_and_error(
    predicted: np.ndarray, truth: np.ndarray, cells: _Cells, speaker_class: np.ndarray
) -> tuple[float, float]:
    """Of one labelling; `speaker_class` int[S] are the strata of the standard error."""
    num_strata, num_classes = cells.num_strata, cells.num_classes
    place = (cells.strata * num_classes + truth) * num_classes + predicted
    counts = np.bincount(place, minlength=num_strata * num_classes**2)
    counts = counts.reshape(num_strata, num_classes, num_classes)
    inverse, leak, weight, classes = _per_stratum(counts)
    total, chance = max(weight.sum(), 1e-12), 1 / num_classes
    score = float(score_within(counts))
    recall = np.diagonal(counts, axis1=-2, axis2=-1) * inverse
    # What a speaker adds to the utterances and hits of every class, in each of his strata.
    place, size = cells.cell * num_classes + truth, len(cells.cell_speaker) * num_classes
    support = np.bincount(place, minlength=size).reshape(-1, num_classes)
    hits = np.bincount(place[predicted == truth], minlength=size).reshape(-1, num_classes)
    z = cells.cell_stratum
    scale = classes * (1 - np.where(classes > 1, 1 / classes, 0))
    leak_change = ((hits - recall[z] * support) * inverse[z]).sum(1) / scale[z]
    weight_change = weight[z] ** 2 / classes[z] * (support * inverse[z] ** 2).sum(1)
    mean = (weight * leak).sum() / total
    change = (weight[z] * leak_change + weight_change * (leak[z] - mean)) / total
    summed = np.bincount(cells.cell_speaker, change, minlength=len(speaker_class))
    influence = (1 - chance) * summed
    squared = 0.0
    for c in np.unique(speaker_class):
        of_class = influence[speaker_class == c]
        squared += len(of_class) / max(len(of_class) - 1, 1) * of_class.var() * len(of_class)
    return score, float(np.sqrt(squared))


def studentised(scores: np.ndarray, errors: np.ndarray, chance: float) -> np.ndarray:
    """Scores float[P] rescaled about chance to the standard error of the first one.

        max(0, chance + (score - chance) errors[0] / error)

    `score_within` can be negative where strata hold fewer classes than there are; no recall is.
    If the attribute and the covariate are associated, few speakers share a value of the covariate
    with speakers of another class. Permuted labels are not associated with it and their scores are
    more precise, which alone would set the true labelling apart. A permutation test of scores
    divided by their errors is valid nevertheless, for many speakers (Janssen 1997; Chung & Romano,
    Exact and asymptotically robust permutation tests, Ann. Stat. 2013).
    """
    floor = max(np.median(errors) / 2, 1e-6)
    errors = np.maximum(errors, floor)
    return np.maximum(chance + (scores - chance) * errors[0] / errors, 0)


def share_judged(covariate: Covariate, labels: np.ndarray) -> float:
    """The share of utterances in strata that hold at least two classes."""
    pairs = np.unique(np.stack([covariate.strata, labels]), axis=1)
    classes = np.bincount(pairs[0], minlength=int(covariate.strata.max()) + 1)
    return float((classes >= 2)[covariate.strata].mean())
