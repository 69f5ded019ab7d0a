"""Linear and kernel discriminant analysis, trained for hundreds of labellings of h at once (host).

The costly step is the factorisation of the covariance of h. It does not depend on the labels, so
that one factorisation per fold serves every labelling: a permutation test that trains its attacker
anew for every permutation costs little more than a single attack.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda_moments import (
    Discriminants,
    LabelUnits,
    Moments,
    added,
    choose,
    chunks,
    class_of_units,
    count_hits,
    discriminant_scores,
    discriminants,
    sum_moments,
    temperature,
    unit_sums,
    units_of,
    without,
)
from privrep.attacks.nystroem import Landmarks, draw_landmarks, gaussian_features
from privrep.attacks.protocol import Attack, Attacked, places
from privrep.attacks.scaling import (
    clipped_and_unclipped,
    normal_scores,
    repeated_values,
    standardised,
    whitened,
)
from privrep.cores import one_blas_thread, usable_cores
from privrep.statistics.uar import mean_recall

# Of columns of standard deviation 1; of equal UARs the first is selected. The largest shrink all
# directions but a few, the smallest leave one of a millionth of the standard deviation as it is.
PENALTIES = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-5, 1e-7, 1e-9, 1e-12, 1e-15)
COARSE = PENALTIES[:5]  # for many features of like size
EVEN = (1.0, 0.1)  # of directions of standard deviation 1, which shrink large and small ones alike
# Of the whitened features in float32: with fewer training utterances than features their covariance
# is singular, but for rounding.
LEAST = 1e-5
LANDMARKS = 256
PER_SPEAKER = 200  # training utterances of one speaker for the kernel attacker, at most
WIDTHS = (2.0, 0.5)  # of the kernel, in median squared distances


class FeatureMap(NamedTuple):
    """Features and the penalties that are tried on them.

    Attributes:
      name: begins the text of what was selected.
      features: float32[N, m].
      penalties: {text: float or float64[m]}, added to the diagonal of the covariance of features.
    """

    name: str
    features: np.ndarray
    penalties: dict[str, float | np.ndarray]


class FeatureMaps(NamedTuple):
    """What an attacker's discriminants are trained on, made without a label.

    Attributes:
      maps: from which one is selected, with its penalty.
      usable: int[n], the rows for training and validation; None for all.
    """

    maps: Iterator[FeatureMap]
    usable: np.ndarray | None = None


def linear_maps(seed: int, h: np.ndarray, speakers: np.ndarray) -> FeatureMaps:
    """Of `linear`: h float[N, D] whitened, so that features are uncorrelated, of variance 1."""
    del seed, speakers
    return FeatureMaps(_linear_maps(h))


def kernel_maps(seed: int, h: np.ndarray, speakers: np.ndarray) -> FeatureMaps:
    """Of `kernel`: Nyström features of h float[N, D], of each width."""
    x = standardised(h).astype(np.float32)
    usable = np.flatnonzero(places(np.random.default_rng(seed), speakers) < PER_SPEAKER)
    landmarks = draw_landmarks(seed, x, speakers, LANDMARKS)
    return FeatureMaps(_kernel_maps(x, landmarks), usable)


def linear(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """Linear discriminant analysis with equal priors and shrunk covariance, see `protocol.Attack`.

        log p(h | c) = (x - m)' W_c - m_c' W_c / 2,    W_c = (S + penalty I)^-1 m_c

    with x = `standardised`(h), S the covariance within classes of x, and m_c the mean of class c
    minus m, the mean of all (Fisher 1936; Friedman 1989). S differs between labellings by a matrix
    of rank C - 1 from the total covariance, so that one Cholesky factor serves every labelling
    (Woodbury identity). All is computed on `whitened` x, where the penalty of x is one of
    penalty / variance for each direction, so that a direction of a millionth of the largest
    standard deviation counts as exactly as any other. Two penalties more shrink the whitened
    directions evenly. Where `standardised` clips outliers, the same is tried without clipping. The
    penalty is selected by the UAR on validation speakers: all folds but the tested one, each
    predicted from the others.

    Nothing is drawn at random: `seed` and `speakers` are not used.
    """
    return _tuned(linear_maps(seed, h, speakers), labels, folds, num_classes, only)


def ranks(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """`linear` on `normal_scores` g of every column of h, and on their squares.

    The ranks find what outliers and heavy tails hide, the squares a column whose shape differs
    between the classes and not its mean. Where columns repeat a value, the same is tried on
    `repeated_values`, which ranks among other values do not show; one of the two is selected with
    the penalty.
    """
    del seed, speakers
    return _tuned(FeatureMaps(_rank_maps(h)), labels, folds, num_classes, only)


def kernel(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """`linear` on Nyström features of a Gaussian kernel, for leaks that are not linear in h.

        k(x, z) = exp(-|x - z|^2 / (width * median |x - z|^2)), the median over different x and z

    of `standardised` h at up to 256 landmarks (Williams & Seeger 2001), at most a quarter of the
    utterances, drawn evenly from the speakers. The width is selected with the penalty. Landmarks
    and scale depend on h of all speakers and on no label. At most 200 utterances per speaker are
    trained on, drawn at random; all are predicted. If no column of h varies, one class is predicted
    for all.
    """
    return _tuned(kernel_maps(seed, h, speakers), labels, folds, num_classes, only)


def kernel_ranks(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """`kernel` on `normal_scores` of every column of h."""
    g = normal_scores(h)
    return kernel(seed, g, labels, speakers, folds, num_classes, only)


ATTACKS: dict[str, Attack] = {"linear": linear, "kernel": kernel}


def prepared(attack: Attack, h: np.ndarray) -> Attack:
    """The attacker for one h and several deals of folds: `linear` whitens it once for all of them.

    What it predicts is the same; features of other attackers depend on the seed.
    """
    if attack is not linear:
        return attack
    with one_blas_thread():  # as in `_tuned`
        maps = tuple(_linear_maps(h))

    def linear_on_h(
        seed: int,
        h: np.ndarray,
        labels: np.ndarray,
        speakers: np.ndarray,
        folds: np.ndarray,
        num_classes: int,
        only: int | None = None,
    ) -> Attacked:
        del seed, h, speakers
        return _tuned(FeatureMaps(iter(maps)), labels, folds, num_classes, only)

    return linear_on_h


def _ridges(penalties: Sequence[float], variance: np.ndarray) -> dict[str, float | np.ndarray]:
    """Penalties of columns, for the directions into which `whitened` turned them."""
    return {f"penalty {penalty:g}": np.maximum(penalty / variance, LEAST) for penalty in penalties}


def _linear_maps(h: np.ndarray) -> Iterator[FeatureMap]:
    """`whitened` columns, and those with outliers where they are, if there are outliers."""
    even: dict[str, float | np.ndarray]
    even = {f"whitened, penalty {ridge:g}": ridge for ridge in EVEN}
    for name, x in zip(("", "unclipped, "), clipped_and_unclipped(h)):
        if x is not None:
            features, variance = whitened(x)
            yield FeatureMap(name, features, _ridges(PENALTIES, variance) | even)


def _rank_maps(h: np.ndarray) -> Iterator[FeatureMap]:
    """Normal scores with their squares, and `repeated_values`, if there are any."""
    g = normal_scores(h)
    for name, x in (("", np.concatenate([g, g * g], 1)), ("repeated values, ", repeated_values(h))):
        if x.shape[1]:
            features, variance = whitened(standardised(x))
            yield FeatureMap(name, features, _ridges(COARSE, variance))


def _kernel_maps(x: np.ndarray, landmarks: Landmarks) -> Iterator[FeatureMap]:
    """Nyström features of x float32[N, D] for each of WIDTHS."""
    penalties: dict[str, float | np.ndarray]
    penalties = {f"penalty {penalty:g}": penalty for penalty in COARSE}
    for width in WIDTHS if x.any() else ():
        features = gaussian_features(landmarks, width)
        mapped = np.concatenate([features(rows) for rows in chunks(x)])
        # Where h has few values the mean of the features is large compared to their variation,
        # and the rounding error of their squares would exceed the penalty.
        mapped -= mapped.mean(0)
        yield FeatureMap(f"width {width:g}, ", mapped / np.sqrt(mapped.var(0).mean()), penalties)
    if not x.any():
        yield FeatureMap("", x, penalties)


class _Folds(NamedTuple):
    """The usable utterances of each fold, their moments, and the sum of the moments.

    Attributes:
      units, moments: of each fold.
      total: of all folds.
      basis: of the moments, see `Moments.of_class`.
    """

    units: Sequence[LabelUnits]
    moments: Sequence[Moments]
    total: Moments
    basis: np.ndarray | None

    def fits(self, penalties: Sequence[float | np.ndarray], *left_out: int) -> Discriminants:
        """With each penalty, trained without the folds `left_out`."""
        training = functools.reduce(without, (self.moments[f] for f in left_out), self.total)
        return discriminants(training, penalties, self.basis)


def _tuned(
    maps: FeatureMaps,
    labels: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """Discriminants on feature maps; map and penalty are selected on validation speakers."""
    labels = np.ascontiguousarray(labels.T.astype(np.int16))
    num_folds, num_labellings = int(folds.max()) + 1, labels.shape[1]
    tested_folds = range(num_folds) if only is None else (only,)
    usable = np.arange(len(folds)) if maps.usable is None else maps.usable
    units = [units_of(labels, usable[folds[usable] == fold]) for fold in range(num_folds)]
    best = np.full((num_folds, num_labellings), -1.0)
    scores = np.full((*labels.shape, num_classes - 1), np.nan, np.float32)
    log_likelihoods = np.full((len(folds), num_classes), np.nan, np.float32)
    chosen, uncalibrated = [""] * num_folds, {}
    # Matrices as small as these gain nothing from several BLAS threads, and are ten times as slow
    # with them on a busy machine; pairs of folds are processed in parallel instead.
    with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
        for name, features, penalties in maps.maps:
            ridges = tuple(penalties.values())
            training = _sum_folds(pool, features, units, num_classes)
            uars, of_row_0 = _validate(pool, features, training, tested_folds, ridges)
            for fold in tested_folds:
                rows = np.flatnonzero(folds == fold)
                pick = uars[fold].argmax(0)
                uar = uars[fold].max(0)
                is_better = uar > best[fold]
                best[fold] = np.maximum(best[fold], uar)
                fits = training.fits(ridges, fold)
                if is_better[0]:
                    chosen[fold] = name + list(penalties)[pick[0]]
                    validation = np.concatenate([part.rows for part in _except(units, fold)])
                    prior = training.total.counts[0] - training.moments[fold].counts[0]
                    of_truth = discriminant_scores(features[rows], fits.of(pick[0], slice(1)))
                    log_likelihoods[rows, 1:] = of_truth[0, :, 0]
                    uncalibrated[fold] = (of_row_0[fold][pick[0]], labels[validation, 0], prior)
                for penalty in np.unique(pick[is_better]):
                    picked = np.flatnonzero(is_better & (pick == penalty))
                    for block in chunks(rows):
                        of_block = discriminant_scores(features[block], fits.of(penalty, picked))
                        scores[block[:, None], picked] = of_block[0]
    for fold, validated in uncalibrated.items():
        rows = np.flatnonzero(folds == fold)
        log_likelihoods[rows, 0] = 0
        log_likelihoods[rows, 1:] *= temperature(*validated)
    predictions = np.full(labels.shape, -1, np.int16)
    tested = np.isin(folds, tested_folds)
    predictions[tested] = choose(scores[tested])
    return Attacked(predictions.T, log_likelihoods, tuple(chosen), scores.swapaxes(0, 1))


def _sum_folds(
    pool: Executor, features: np.ndarray, units: Sequence[LabelUnits], num_classes: int
) -> _Folds:
    """The moments of every fold: in the basis of the units where that is less work."""
    width, columns = features.shape[1], units[0].labels.shape[1] * (num_classes - 1)
    count = sum(len(part.labels) for part in units)
    basis: np.ndarray | None = None
    in_basis: Sequence[np.ndarray | None] = [None] * len(units)
    if count * (width + columns) < width * columns:
        basis = np.concatenate([unit_sums(features, part) for part in units], 1)
        in_basis = _in_basis(units, num_classes)
    moments = list(
        pool.map(
            lambda part, coordinates: sum_moments(features, part, num_classes, coordinates),
            units,
            in_basis,
        )
    )
    return _Folds(units, moments, added(moments), basis)


def _in_basis(units: Sequence[LabelUnits], num_classes: int) -> list[np.ndarray]:
    """float64[r, P, C] of each fold: which of the r units of all folds belongs to which class."""
    of_folds = [class_of_units(part, num_classes) for part in units]
    ends = np.cumsum([len(part) for part in of_folds])
    coordinates = [np.zeros((ends[-1], *of_folds[0].shape[1:])) for _ in of_folds]
    for part, of_fold, end in zip(coordinates, of_folds, ends):
        part[end - len(of_fold) : end] = of_fold
    return coordinates


def _validate(
    pool: Executor,
    features: np.ndarray,
    training: _Folds,
    tested_folds: Sequence[int],
    penalties: Sequence[float | np.ndarray],
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Predicts every fold other than the tested one from the rest, with each of L penalties.

    Returns:
      {tested fold: UAR [L, P]} and {tested fold: scores of row 0 [L, n, C - 1]}, the latter in the
      order of the units of the other folds.
    """
    num_folds, total = len(training.units), training.total
    hits_of: list[list] = [[None] * num_folds for _ in range(num_folds)]
    of_row_0: list[list] = [[None] * num_folds for _ in range(num_folds)]

    def train_without(pair: tuple[int, int]) -> None:
        a, b = pair
        fits = training.fits(penalties, a, b)
        for tested, held_out in ((a, b), (b, a)):
            if tested not in tested_folds:
                continue
            units = training.units[held_out]
            x = features[units.rows]
            truth = Discriminants(fits.left, fits.right[:, :, :1], fits.offsets[:, :1])
            of_row_0[tested][held_out] = discriminant_scores(x, truth)[:, :, 0]
            hits_of[tested][held_out] = count_hits(x, units, fits)

    pairs = [
        pair for pair in itertools.combinations(range(num_folds), 2) if {*pair} & {*tested_folds}
    ]
    list(pool.map(train_without, pairs))
    uars, scores = {}, {}
    for fold in tested_folds:
        support = (total.counts - training.moments[fold].counts)[None]
        uars[fold] = mean_recall(functools.reduce(np.add, _except(hits_of[fold], fold)), support)
        scores[fold] = np.concatenate(_except(of_row_0[fold], fold), 1)
    return uars, scores


def _except(parts: Sequence, fold: int) -> list:
    return [part for number, part in enumerate(parts) if number != fold]
