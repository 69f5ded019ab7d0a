"""Columns of h as attackers see them: scaled, whitened, or ranked, by no label (host)."""

import numpy as np
import scipy.linalg
import scipy.special

from privrep.statistics.correlation import midranks

FLOOR = 1e-12  # of the largest standard deviation: smaller directions are rounding of float64
OUTLYING = 30.0  # robust standard deviations from the median; what is farther is clipped
# A value that a column holds exactly, in so large a share of the rows and in so many at least.
REPEATED, REPEATED_ROWS = 0.02, 5
MOST_REPEATED = 64  # values of all columns together, the most frequent first


def constant(h: np.ndarray) -> np.ndarray:
    """bool[D]: the columns of h [N, D] without two different values; others can carry a leak."""
    return h.max(0) == h.min(0)


def standardised(h: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1, whatever their offset and outliers.

        x = clip((h - median) / scale, -30, 30), then (x - mean) / sd

    in float64, with the interquartile range over 1.349 as scale; where more than half of a column
    is one value, the median distance of the other values from it. An outlier (a sentinel such as
    -999) thus leaves the others apart, and a large offset does not swallow them. Only a column
    without two different values becomes 0: the least difference can carry a leak.

    Args:
      h: float[N, D].

    Returns:
      float64[N, D].
    """
    return _of_variance_1(np.clip(_robust(h), -OUTLYING, OUTLYING))


def clipped_and_unclipped(h: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """`standardised` h, and the same with outliers where they are.

    Clipping bends h. Where columns of heavy tails are mixed, a small direction that was free of
    them is so no longer, although nothing lies between it and a linear attacker.

    Args:
      h: float[N, D].

    Returns:
      float64[N, D] each; the second is None where nothing is clipped.
    """
    x = _robust(h)
    clipped = _of_variance_1(np.clip(x, -OUTLYING, OUTLYING))
    return clipped, _of_variance_1(x) if x.size and np.abs(x).max() > OUTLYING else None


def _of_variance_1(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(0)
    sd = centred.std(0)
    return centred / np.where(sd > 0, sd, 1)


def _robust(h: np.ndarray) -> np.ndarray:
    """float64[N, D]: (h - median) / scale, see `standardised`."""
    x = h.astype(np.float64)
    x -= np.median(x, axis=0)
    low, high = np.quantile(x, (0.25, 0.75), axis=0)
    scale = (high - low) / 1.349
    for column in np.flatnonzero(scale == 0):
        others = np.abs(x[x[:, column] != 0, column])
        scale[column] = np.median(others) if len(others) else 1
    return x / scale


def whitened(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Uncorrelated columns of variance 1 that span x, and the variances that they had in x.

        x = U S V',    z = sqrt(N) U,    variance = S^2 / N

    By a singular value decomposition of x itself: a direction of 1e-10 of the largest standard
    deviation is still exact, where the eigenvectors of a covariance would lose it at 1e-8.

    Args:
      x: float64[N, D], columns of mean 0.

    Returns:
      z float32[N, m] and variance float64[m], largest first; m <= min(N, D) directions vary.
    """
    size = min(x.shape)
    if not x.any():
        return np.zeros((len(x), 1), np.float32), np.ones(1)
    triangle = scipy.linalg.qr(x, mode="r", check_finite=False)[0][: x.shape[1]]
    _, spread, axes = scipy.linalg.svd(triangle, full_matrices=False, check_finite=False)
    kept = np.flatnonzero(spread[:size] > FLOOR * spread[0])
    z = x @ (axes[kept].T * (np.sqrt(len(x)) / spread[kept]))
    return z.astype(np.float32), spread[kept] ** 2 / len(x)


def normal_scores(h: np.ndarray) -> np.ndarray:
    """The quantile of a standard normal distribution at every value's rank in its column.

        Phi^-1((rank - 1/2) / N)

    Equal values have their mean rank. No outlier, no monotone function of a column changes it.

    Args:
      h: float[N, D].

    Returns:
      float64[N, D].
    """
    return scipy.special.ndtri((midranks(h.T).T + 0.5) / len(h))


def repeated_values(h: np.ndarray) -> np.ndarray:
    """Where h holds a value that its column repeats: 1 there, else 0, a column for each value.

    A placeholder (0, -1, the mean) may lie inside the range of its column, where no monotone
    function isolates it from its neighbours, and yet be more frequent in one class. A
    value counts that is held by 2 % to 98 % of the rows, and by five at least; there are at most
    64 of them, the most frequent ones. A continuous column has none.

    Args:
      h: float[N, D].

    Returns:
      float64[N, m], m from 0 to 64.

    >>> repeated_values(np.array([[0.3], [0], [0.1], [0], [0], [0], [0], [-0.2]])).ravel().tolist()
    [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    """
    least = max(int(np.ceil(REPEATED * len(h))), REPEATED_ROWS)
    ordered = np.sort(h.T, axis=1)
    repeated = []
    for column in np.flatnonzero((ordered[:, least - 1 :] == ordered[:, : 1 - least]).any(1)):
        values, counts = np.unique(ordered[column], return_counts=True)
        for i in np.flatnonzero((counts >= least) & (counts <= (1 - REPEATED) * len(h))):
            repeated.append((-int(counts[i]), int(column), values[i]))
    kept = sorted(repeated)[:MOST_REPEATED]
    return (
        np.array([h[:, column] == value for _, column, value in kept], float)
        .reshape(len(kept), len(h))
        .T
    )


def squared_distances(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """float[n, m]: squared Euclidean distances between the rows of x [n, D] and z [m, D]."""
    expanded = (x * x).sum(1)[:, None] + (z * z).sum(1) - 2 * (x @ z.T)
    return np.maximum(expanded, 0)
