"""Ridge regression of a number, trained for hundreds of labellings of h at once (host).

As for discriminants (`lda`), the costly step, here an eigendecomposition, does not depend on the
numbers, so that one per pair of folds serves every labelling and every penalty.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import scipy.linalg
import scipy.sparse

from privrep.attacks.lda_moments import chunks
from privrep.attacks.nystroem import draw_landmarks, gaussian_features
from privrep.attacks.scaling import constant, repeated_values
from privrep.cores import one_blas_thread, usable_cores
from privrep.statistics.correlation import midranks

# Of the mean variance of a feature; of equal correlations the first.
PENALTIES = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8)
LANDMARKS = 256
WIDTHS = (2.0, 0.5)  # of the kernel, in median squared distances

Features = Callable[[np.ndarray], np.ndarray]  # int[n], rows of h -> float64[n, m]


class PredictedNumbers(NamedTuple):
    """The predictions of an attacker for held-out speakers, as deviations.

    A deviation is from the mean of the training speakers, in standard deviations of the predictions
    for their utterances, so that those of several folds compare. The mean itself is left out: it
    is the lower, the higher the held-out speakers are, which alone would be a negative correlation.

    Attributes:
      of_speakers: float64[P, S], for every labelling, the mean over a speaker's utterances; NaN in
        folds that were not asked for.
      of_utterances: float64[N], of labelling 0; likewise.
      chosen: the hyper-parameters that were selected on the validation speakers for labelling 0, a
        text per fold.
    """

    of_speakers: np.ndarray
    of_utterances: np.ndarray
    chosen: tuple[str, ...]


class NumberAttack(Protocol):
    """An attacker that is trained on numbers of speakers and predicts those of held-out speakers.

    For each fold the attacker is trained on the other folds, its hyper-parameters selected by the
    correlation on validation speakers among them. Each labelling is treated as if it were the only
    one, and the numbers of a fold never influence its predictions.

    Args:
      seed: of whatever is drawn at random.
      h: float32[N, D].
      targets: float64[P, S], a number per speaker, row 0 the true ones, the others permuted.
      speakers: int32[N] from 0 to S - 1.
      folds: int32[N] in [0, K), K >= 3; no speaker is in two.
      only: the one fold to predict; None for all of them.
    """

    def __call__(
        self,
        seed: int,
        h: np.ndarray,
        targets: np.ndarray,
        speakers: np.ndarray,
        folds: np.ndarray,
        only: int | None = None,
    ) -> PredictedNumbers: ...


def ridge(
    seed: int,
    h: np.ndarray,
    targets: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    only: int | None = None,
) -> PredictedNumbers:
    """Linear ridge regression (Hoerl & Kennard 1970), see `NumberAttack`.

        w = (G + penalty I)^-1 sum_s (m_s - m) y_s / S

    with m_s the mean of h over the utterances of speaker s, m the mean of all m_s, y_s the number
    less its mean, and G the covariance of the utterances, in which every speaker counts once: what
    varies within speakers is shrunk too. Columns are standardised in float64; a second form takes
    their ranks, for heavy tails, and a third `repeated_values`, if there are any. Form and penalty
    are selected by the correlation on validation speakers: all folds but the tested one, each
    predicted from the others.

    Nothing is drawn at random: `seed` is not used.
    """
    del seed
    forms = {
        "": h.astype(np.float64),
        "ranks, ": midranks(h.T).T,
        "repeated values, ": repeated_values(h),
    }
    maps = ((name, _unit_variance(x).__getitem__) for name, x in forms.items() if x.shape[1])
    return _tuned(maps, targets, speakers, folds, only)


def kernel_ridge(
    seed: int,
    h: np.ndarray,
    targets: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    only: int | None = None,
) -> PredictedNumbers:
    """`ridge` on Nyström features of a Gaussian kernel (`nystroem`), for what is not linear in h.

    There are up to 256 landmarks; the width is selected with the penalty.
    """
    columns = _unit_variance(h.astype(np.float64))
    landmarks = draw_landmarks(seed, columns, speakers, LANDMARKS)

    def maps() -> Iterator[tuple[str, Features]]:
        for width in WIDTHS:
            features = gaussian_features(landmarks, width)
            yield f"width {width:g}, ", _on_rows(features, columns)

    return _tuned(maps(), targets, speakers, folds, only)


def _on_rows(of: Features, columns: np.ndarray) -> Features:
    return lambda rows: of(columns[rows])


NUMBER_ATTACKS: dict[str, NumberAttack] = {"ridge": ridge, "kernel_ridge": kernel_ridge}


def _unit_variance(columns: np.ndarray) -> np.ndarray:
    """float64[N, D]: mean 0 and standard deviation 1; a column of one value becomes 0."""
    centred = columns - columns.mean(0)
    sd = centred.std(0)
    is_constant = constant(columns)
    return np.where(is_constant, 0, centred / np.where(is_constant, 1, sd))


class _Moments(NamedTuple):
    """Sums over speakers, additive over folds."""

    speakers: int
    first: np.ndarray  # [m], sum of m_s
    second: np.ndarray  # [m, m], sum over utterances of h h' / utterances of the speaker
    targets: np.ndarray  # [P], sum of y_s
    cross: np.ndarray  # [m, P], sum of m_s y_s


class _Part(NamedTuple):
    """A fold: its speakers int[n], their mean features [n, m] and targets [n, P], and moments."""

    speakers: np.ndarray
    means: np.ndarray
    targets: np.ndarray
    moments: _Moments


class _Fit(NamedTuple):
    """A regression with every penalty, in the eigenvectors of G."""

    mean: np.ndarray  # [m]
    basis: np.ndarray  # [m, m]
    variances: np.ndarray  # [m]
    loads: np.ndarray  # [m, P], covariance of the features with the targets

    @classmethod
    def of(cls, moments: _Moments) -> "_Fit":
        """From the moments of the training speakers."""
        mean = moments.first / moments.speakers
        variances, basis = scipy.linalg.eigh(
            moments.second / moments.speakers - np.outer(mean, mean), check_finite=False
        )
        covariance = (moments.cross - np.outer(mean, moments.targets)) / moments.speakers
        loads = basis.T @ covariance
        # Variances that are rounding errors of the features, as of an h without variation.
        rounding = variances <= 1e-13 * np.trace(moments.second) / moments.speakers
        loads[rounding] = 0
        return cls(mean, basis, np.maximum(variances, 0), loads)

    def weights(self, penalty: float, labellings: np.ndarray | slice = slice(None)) -> np.ndarray:
        """[m, P'] in the basis, for predictions of standard deviation 1 over training utterances.

        0 where the features are uncorrelated with the targets.
        """
        weights = self.loads[:, labellings] / (self.variances + penalty)[:, None]
        sd = np.sqrt((weights**2 * self.variances[:, None]).sum(0))
        return weights / np.where(sd > 1e-12, sd, np.inf)

    def project(self, features: np.ndarray) -> np.ndarray:
        """[n, m]: deviations of features [n, m] from the mean, in the basis."""
        return (features - self.mean) @ self.basis


def _tuned(
    maps: Iterator[tuple[str, Features]],
    targets: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    only: int | None,
) -> PredictedNumbers:
    """Regressions on the named feature maps; map and penalty selected on validation speakers."""
    num_folds = int(folds.max()) + 1
    tested_folds = range(num_folds) if only is None else (only,)
    best = np.full((num_folds, len(targets)), -np.inf)
    of_speakers = np.full(targets.shape, np.nan)
    of_utterances = np.full(len(folds), np.nan)
    chosen = [""] * num_folds
    # Matrices as small as these gain nothing from several BLAS threads; see `lda`.
    with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
        for name, features in maps:
            parts = _parts(features, targets, speakers, folds)
            unit = _mean_variance(_sum([part.moments for part in parts]))
            correlations = _validate(pool, parts, unit, tested_folds)
            for fold in tested_folds:
                pick, correlation = correlations[fold].argmax(0), correlations[fold].max(0)
                better = correlation > best[fold]
                best[fold] = np.maximum(best[fold], correlation)
                fit = _Fit.of(_sum([part.moments for i, part in enumerate(parts) if i != fold]))
                centred = fit.project(parts[fold].means)
                for number, penalty in enumerate(PENALTIES):
                    columns = np.flatnonzero(better & (pick == number))
                    weights = fit.weights(penalty * unit, columns)
                    place = np.ix_(columns, parts[fold].speakers)
                    of_speakers[place] = (centred @ weights).T
                    if 0 in columns:
                        chosen[fold] = f"{name}penalty {penalty:g}"
                        for rows in chunks(np.flatnonzero(folds == fold)):
                            of_utterances[rows] = fit.project(features(rows)) @ weights[:, 0]
    return PredictedNumbers(of_speakers, of_utterances, tuple(chosen))


def _parts(
    features: Features, targets: np.ndarray, speakers: np.ndarray, folds: np.ndarray
) -> list[_Part]:
    counts = np.bincount(speakers)
    fold_of = np.zeros(len(counts), np.int64)
    fold_of[speakers] = folds
    parts = []
    for fold in range(int(folds.max()) + 1):
        members = np.flatnonzero(fold_of == fold)
        sums: np.ndarray | float = 0.0
        second: np.ndarray | float = 0.0
        for rows in chunks(np.flatnonzero(folds == fold)):
            x = features(rows)
            member = np.searchsorted(members, speakers[rows])
            owner = scipy.sparse.csr_array(
                (np.ones(len(rows)), (member, np.arange(len(rows)))), (len(members), len(rows))
            )
            sums = sums + owner @ x
            scaled = x / np.sqrt(counts[speakers[rows]])[:, None]
            second = second + scaled.T @ scaled
        means, y = sums / counts[members][:, None], targets[:, members].T
        moments = _Moments(len(members), means.sum(0), np.asarray(second), y.sum(0), means.T @ y)
        parts.append(_Part(members, means, y, moments))
    return parts


def _sum(parts: Sequence[_Moments]) -> _Moments:
    return _Moments(*(sum(arrays[1:], arrays[0]) for arrays in zip(*parts)))


def _mean_variance(moments: _Moments) -> float:
    """Of a feature over the utterances of all speakers: the unit of the penalties."""
    mean = moments.first / moments.speakers
    total = np.trace(moments.second) / moments.speakers - mean @ mean
    return max(float(total) / len(mean), 1e-12)


def _validate(
    pool: Executor, parts: Sequence[_Part], unit: float, tested_folds: Sequence[int]
) -> dict[int, np.ndarray]:
    """{tested fold: correlation [L, P] of every penalty, over the speakers of the other folds}.

    Every other fold is predicted from the rest.
    """
    num_labellings = parts[0].targets.shape[1]
    sums = np.zeros((len(parts), 3, len(PENALTIES), num_labellings))  # of p, p^2 and p y

    def train_without(pair: tuple[int, int]) -> Iterator[tuple[int, np.ndarray]]:
        fit = _Fit.of(_sum([part.moments for i, part in enumerate(parts) if i not in pair]))
        centred = [fit.project(parts[held_out].means) for held_out in reversed(pair)]
        of_pair = np.zeros((2, *sums.shape[1:]))
        for number, penalty in enumerate(PENALTIES):
            weights = fit.weights(penalty * unit)
            for i, held_out in enumerate(reversed(pair)):
                predicted = centred[i] @ weights
                of_pair[i, :, number] = (
                    predicted.sum(0),
                    (predicted**2).sum(0),
                    (predicted * parts[held_out].targets).sum(0),
                )
        yield from zip(pair, of_pair)

    pairs = [
        pair for pair in itertools.combinations(range(len(parts)), 2) if {*pair} & {*tested_folds}
    ]
    for of_pair in pool.map(lambda pair: list(train_without(pair)), pairs):
        for tested, part_sums in of_pair:
            sums[tested] += part_sums
    correlations = {}
    for fold in tested_folds:
        y = np.concatenate([part.targets for i, part in enumerate(parts) if i != fold])
        p, p2, py = sums[fold] / len(y)
        variance = (p2 - p**2) * y.var(0)
        covariance = py - p * y.mean(0)
        correlations[fold] = covariance / np.sqrt(np.maximum(variance, 1e-24))
    return correlations
