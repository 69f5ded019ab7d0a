"""Linear discriminant analysis of many labellings of the same features, from moments (host)."""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg.lapack
import scipy.optimize

_ROWS = 16384
_SCORES = 2**22  # that are in memory at once


class LabelUnits(NamedTuple):
    """Utterances of a fold in groups of one label each, whichever the labelling.

    Where an attribute is the speaker's, a speaker is a unit: sums over utterances are made once for
    all labellings, and every labelling adds up a few units.

    Attributes:
      rows: int[n], the utterances, those of a unit one after another.
      starts: int[u], the place in `rows` at which each unit begins.
      labels: int16[u, P].
    """

    rows: np.ndarray
    starts: np.ndarray
    labels: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """float64[u]: utterances of each."""
        return np.diff(self.starts, append=len(self.rows)).astype(float)

    @property
    def unit_of_rows(self) -> np.ndarray:
        """int[n]: the unit of each of `rows`."""
        return np.repeat(np.arange(len(self.starts)), self.sizes.astype(int))


def units_of(labels: np.ndarray, rows: np.ndarray) -> LabelUnits:
    """The units among the utterances `rows` int[n] of labels int16[N, P], in order of occurrence.

    >>> units = units_of(np.array([[0, 1], [1, 1], [0, 1]], np.int16), np.arange(3))
    >>> units.rows.tolist(), units.starts.tolist(), units.labels.tolist()
    ([0, 2, 1], [0, 2], [[0, 1], [1, 1]])
    """
    of_rows = np.ascontiguousarray(labels[rows])
    whole = of_rows.view(np.dtype((np.void, of_rows.itemsize * of_rows.shape[1])))[:, 0]
    _, first, unit = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first[unit], kind="stable")
    starts = np.flatnonzero(np.diff(first[unit][order], prepend=-1))
    return LabelUnits(rows[order], starts, of_rows[np.sort(first)])


class Moments(NamedTuple):
    """Counts, sums and cross products over utterances, which are additive over folds.

    Attributes:
      counts: float64[P, C].
      first: float64[m], the sum of h.
      second: float64[m, m], the sum of h h'.
      of_class: float64[r, P, C], the sum of h in class c of labelling p, in the coordinates of a
        `basis` float64[m, r]; without one r is m.
    """

    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    of_class: np.ndarray


class Discriminants(NamedTuple):
    """The scores of class c against class 0, with L penalties: x @ left @ right + offsets.

    Attributes:
      left: float32[L, m, r]; None for the identity.
      right: float32[L, r, P, C - 1].
      offsets: float32[L, P, C - 1].
    """

    left: np.ndarray | None
    right: np.ndarray
    offsets: np.ndarray

    def of(self, penalty: int, labellings: np.ndarray | slice) -> "Discriminants":
        """Those of one penalty and some labellings, int[n] or a slice."""
        left = None if self.left is None else self.left[penalty : penalty + 1]
        right = self.right[penalty : penalty + 1][:, :, labellings]
        return Discriminants(left, right, self.offsets[penalty : penalty + 1][:, labellings])


def unit_sums(features: np.ndarray, units: LabelUnits) -> np.ndarray:
    """float64[m, u]: the sum of features float32[N, m] over each unit."""
    return np.add.reduceat(features[units.rows], units.starts, axis=0, dtype=np.float64).T


def class_of_units(units: LabelUnits, num_classes: int) -> np.ndarray:
    """float64[u, P, C]: 1 for the class of each unit."""
    return (units.labels[..., None] == np.arange(num_classes)).astype(np.float64)


def sum_moments(
    features: np.ndarray, units: LabelUnits, num_classes: int, in_basis: np.ndarray | None = None
) -> Moments:
    """Moments of the utterances of some units.

    Args:
      features: float32[N, m].
      units: of n utterances.
      num_classes: C.
      in_basis: `of_class` in the coordinates of a basis; None computes it in those of h.
    """
    size = features.shape[1]
    first, second = np.zeros(size), np.zeros((size, size))
    for rows in chunks(units.rows):
        x = features[rows]
        first += x.sum(0)
        second += x.T @ x
    of_units = class_of_units(units, num_classes)
    counts = np.tensordot(units.sizes, of_units, 1)
    if in_basis is None:
        in_basis = np.zeros((size, *counts.shape))
        for rows, unit in zip(chunks(units.rows), chunks(units.unit_of_rows)):
            for c in range(1, num_classes):
                in_class = (units.labels[unit] == c).astype(np.float32)
                in_basis[..., c] += features[rows].T @ in_class
        in_basis[..., 0] = first[:, None] - in_basis[..., 1:].sum(-1)
    return Moments(counts, first, second, in_basis)


def added(parts: Sequence[Moments]) -> Moments:
    """The moments of the utterances of all parts."""
    return Moments(*(functools.reduce(np.add, arrays) for arrays in zip(*parts)))


def without(total: Moments, part: Moments) -> Moments:
    """The moments of all utterances except those of `part`."""
    return Moments(*(a - b for a, b in zip(total, part)))


def discriminants(
    moments: Moments, penalties: Sequence[float | np.ndarray], basis: np.ndarray | None = None
) -> Discriminants:
    """The discriminants of every labelling, with each penalty.

    With a basis the factor of the covariance solves for its r columns, which are fewer than the
    labellings; everything that a labelling needs is then computed from r numbers.

    Args:
      moments: of the training utterances.
      penalties: each a number or float[m], added to the diagonal of the covariance within classes.
      basis: of `moments.of_class`, see `Moments`.

    Raises:
      numpy.linalg.LinAlgError: a covariance with its penalty is not positive definite.
    """
    total = moments.counts[0].sum()
    mean = moments.first / total
    covariance = moments.second / total - np.outer(mean, mean)
    of_class = moments.of_class
    if basis is not None:
        used = of_class.any((1, 2))
        basis, of_class = basis[:, used], of_class[used]
    means = of_class / np.maximum(moments.counts, 1)
    apart, middle = means[..., 1:] - means[..., :1], (means[..., 1:] + means[..., :1]) / 2
    both_known = (moments.counts > 0)[:, 1:] & (moments.counts > 0)[:, :1]
    apart[:, ~both_known] = 0
    columns = apart.reshape(len(apart), -1)
    solved = np.stack(
        [_solved(covariance, ridge, columns if basis is None else basis) for ridge in penalties]
    )
    along = solved if basis is None else (basis.T @ solved) @ columns
    along = along.reshape(-1, *apart.shape)
    # Total covariance = covariance within classes + apart @ between @ apart'.
    prior = (moments.counts / total)[:, 1:]
    between = prior[:, :, None] * np.eye(prior.shape[1]) - prior[:, :, None] * prior[:, None]
    contrasts = range(prior.shape[1])
    overlap = np.stack([(apart[..., c : c + 1] * along).sum(1) for c in contrasts], 2)
    within = _inverted(np.eye(prior.shape[1]) - between @ overlap)
    weights = _mixed(along, within)
    # A class without training utterances is never predicted.
    never = 1e9 * ((moments.counts[:, :1] == 0).astype(float) - (moments.counts[:, 1:] == 0))
    offsets = (never - (middle * weights).sum(1)).astype(np.float32)
    if basis is None:
        return Discriminants(None, weights.astype(np.float32), offsets)
    right = _mixed(apart[None], within).astype(np.float32)
    return Discriminants(solved.astype(np.float32), right, offsets)


def _solved(covariance: np.ndarray, penalty: float | np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(covariance + penalty on its diagonal)^-1 columns."""
    penalised = covariance.copy()
    penalised.flat[:: len(covariance) + 1] += penalty
    # The routine itself: its wrappers take longer than so small a matrix.
    _, solved, failed = scipy.linalg.lapack.dposv(penalised, columns, overwrite_a=True)
    if failed:
        raise np.linalg.LinAlgError(f"a covariance of {len(covariance)} columns is singular")
    return solved


def _inverted(matrices: np.ndarray) -> np.ndarray:
    """The inverses of matrices [..., n, n]."""
    return 1 / matrices if matrices.shape[-1] == 1 else np.linalg.inv(matrices)


def _mixed(directions: np.ndarray, within: np.ndarray) -> np.ndarray:
    """sum_c directions[l, r, p, c] within[l, p, c, d]: [L, r, P, C - 1]."""
    return functools.reduce(
        np.add,
        (directions[..., c : c + 1] * within[:, None, :, c] for c in range(directions.shape[-1])),
    )


def product(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """x @ weights, both finite.

    A product of finite numbers has been seen to raise the flag of an invalid one, once in many
    runs and with the right result: the kernels of a BLAS compute on what lies beside the rows, too.
    """
    with np.errstate(invalid="ignore"):
        return x @ weights


def discriminant_scores(features: np.ndarray, fits: Discriminants) -> np.ndarray:
    """float32[L, n, P, C - 1]: of class c against class 0."""
    number, size, *shape = fits.right.shape
    x = features if fits.left is None else product(features, fits.left)
    scores = product(x, fits.right.reshape(number, size, -1))
    return scores.reshape(number, -1, *shape) + fits.offsets[:, None]


def decide(features: np.ndarray, fits: Discriminants) -> np.ndarray:
    """int16[L, n, P]: the class with the highest score."""
    return choose(discriminant_scores(features, fits))


def count_hits(features: np.ndarray, units: LabelUnits, fits: Discriminants) -> np.ndarray:
    """float64[L, P, C]: utterances of the units that are named rightly, by class.

    Args:
      features: float32[n, m], of `units.rows`.
    """
    number, _, num_labellings, contrasts = fits.right.shape
    hits = np.zeros((number, num_labellings, contrasts + 1))
    size = max(_SCORES // (number * num_labellings * contrasts), 1)
    for x, unit in zip(chunks(features, size), chunks(units.unit_of_rows, size)):
        starts = np.flatnonzero(np.diff(unit, prepend=-1))
        labels = units.labels[unit[starts]]
        scores = discriminant_scores(x, fits)
        decided = scores[..., 0] > 0 if contrasts == 1 else choose(scores)
        left_over = np.diff(starts, append=len(x))[:, None].astype(np.float32)
        # float32 counts exactly up to 2^24, and is what numpy adds up fastest.
        for c in range(1, contrasts + 1):
            of_units = np.add.reduceat((decided == c).astype(np.float32), starts, axis=1)
            hits[..., c] += (of_units * (labels == c)).sum(1)
            left_over = left_over - of_units
        hits[..., 0] += (left_over * (labels == 0)).sum(1)
    return hits


def choose(scores: np.ndarray) -> np.ndarray:
    """int16[...]: the class with the highest of `scores` [..., C - 1] against class 0."""
    if scores.shape[-1] == 1:
        return (scores[..., 0] > 0).astype(np.int16)
    best = scores.argmax(-1)
    return np.where(scores.max(-1) > 0, best + 1, 0).astype(np.int16)


def temperature(scores: np.ndarray, labels: np.ndarray, count: np.ndarray) -> float:
    """The factor of the scores with the lowest log-loss (temperature scaling; Guo et al. 2017).

    Args:
      scores: float[n, C - 1], of class c against class 0.
      labels: int[n].
      count: float[C], training utterances of each class, which give the prior.
    """
    logits = np.concatenate([np.zeros((len(scores), 1)), scores], 1)
    prior = np.log(np.maximum(count, 1e-3) / count.sum())

    def loss(log_factor: float) -> float:
        scaled = np.exp(log_factor) * logits + prior
        scaled -= scaled.max(1, keepdims=True)
        of_truth = scaled[np.arange(len(labels)), labels]
        return float((np.log(np.exp(scaled).sum(1)) - of_truth).mean())

    return float(np.exp(scipy.optimize.minimize_scalar(loss, bounds=(-7, 3), method="bounded").x))


def chunks(rows: np.ndarray, size: int = _ROWS) -> Iterator[np.ndarray]:
    """The rows in blocks of at most `size`, so that intermediate arrays stay small."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
