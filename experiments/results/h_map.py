"""Where utterances of unseen speakers lie in h: two directions, learned from training speakers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from privrep.types import Split

MOST = 2000  # points of a map
_RIDGE = 1e-3  # of the mean variance


class Map(NamedTuple):
    """Points of one network.

    Attributes:
      xy: float32[P, 2], see `directions`.
      private, emotion: int32[P], what colours and marks them.
      attribute: whose values `private` numbers.
      private_names, emotion_names: the values.
    """

    xy: np.ndarray
    private: np.ndarray
    emotion: np.ndarray
    attribute: str
    private_names: tuple[str, ...]
    emotion_names: tuple[str, ...]


def directions(
    h: np.ndarray, private: np.ndarray, emotion: np.ndarray, learn: np.ndarray
) -> np.ndarray:
    """float32[N, 2]: h along the linear discriminant of the attribute, and along emotion's.

    Both are Fisher's (1936), from the utterances to learn from alone, and of means in which all
    classes of the other label weigh the same; the second is uncorrelated with the first within
    classes. Units are standard deviations within the cells of attribute and emotion, from the mean
    of these utterances. The last value of the attribute, and the last emotion, lie on the positive
    side.

    Args:
      h: float[N, D], finite.
      private, emotion: int[N], -1 unknown.
      learn: bool[N].
    """
    known = learn & (private >= 0) & (emotion >= 0)
    x = h.astype(np.float64) - h[known].mean(0, dtype=np.float64)
    size = emotion.max() + 1
    cells = private[known] * size + emotion[known]
    count = np.bincount(cells, minlength=(private.max() + 1) * size)
    means = np.stack([x[known][cells == c].sum(0) for c in range(len(count))])
    means /= np.maximum(count, 1)[:, None]
    apart = x[known] - means[cells]
    within = apart.T @ apart / len(apart)
    # Columns that do not vary, as in an h that has collapsed, are left at nothing.
    within += (_RIDGE * np.trace(within) / len(within) + 1e-12) * np.eye(len(within))
    root = scipy.linalg.cholesky(within, lower=True)
    white = scipy.linalg.solve_triangular(root, x.T, lower=True)
    means = scipy.linalg.solve_triangular(root, means.T, lower=True).T.reshape(-1, size, len(x.T))
    there = count.reshape(-1, size) > 0
    found: list[np.ndarray] = []
    for of_class in (_balanced(means, there), _balanced(means.swapaxes(0, 1), there.T)):
        centred = of_class - of_class.mean(0)
        for one in found:
            centred -= np.outer(centred @ one, one)
        direction = scipy.linalg.eigh(centred.T @ centred)[1][:, -1]
        for one in found:  # also where nothing is left between classes
            direction = direction - (direction @ one) * one
        direction /= max(np.linalg.norm(direction), 1e-12)
        turned = (centred[-1] - centred[0]) @ direction < 0
        found.append(-direction if turned else direction)
    return (white.T @ np.stack(found, 1)).astype(np.float32)


def _balanced(means: np.ndarray, there: np.ndarray) -> np.ndarray:
    """float[C, D]: of the classes that occur the mean over what all of them have beside.

    Else a class that goes with one emotion more often than another does would lie in its direction.

    Args:
      means: float[C, O, D], of each class of one label within each of the other.
      there: bool[C, O].
    """
    means, there = means[there.any(1)], there[there.any(1)]
    common = there & (there.all(0) if there.all(0).any() else True)
    return (common[..., None] * means).sum(1) / common.sum(1)[:, None]


def write_maps(
    folder: Path,
    said: Sequence[Mapping[str, Any]],
    h: Sequence[np.ndarray],
    split: Split,
    task: tuple[np.ndarray, Sequence[str]],
    private: tuple[str, np.ndarray, Sequence[str]],
) -> None:
    """Writes folder/map.npz: the test speakers of the first fold, by the networks of one seed.

    Args:
      said: of each run its settings, `fold` and `seed` among them.
      h: float[N, D] of the same runs, and perhaps of more behind them.
      split: bool[K, N] each.
      task: int[K, N], and the classes' names.
      private: an attribute, int[N], and the values' names.
    """
    fold = min(row["fold"] for row in said)
    seed = min(row["seed"] for row in said)
    emotion, (attribute, codes, names) = task[0][fold], private
    tested = np.flatnonzero(split.test[fold] & (codes >= 0) & (emotion >= 0))
    tested = tested[np.unique(np.linspace(0, len(tested) - 1, min(MOST, len(tested))).astype(int))]
    runs = [
        i
        for i, row in enumerate(said)
        if row["fold"] == fold and row["seed"] == seed and np.isfinite(h[i]).all()
    ]
    if not runs or not len(tested):
        return
    xy = [directions(h[i], codes, emotion, split.train[fold])[tested] for i in runs]
    np.savez(
        folder / "map.npz",
        runs=np.array(runs, np.int32),
        xy=np.stack(xy),
        private=codes[tested].astype(np.int32),
        emotion=emotion[tested].astype(np.int32),
        attribute=np.array(attribute),
        private_names=np.array(names),
        emotion_names=np.array(task[1]),
    )


def read_maps(folder: Path) -> Iterator[tuple[int, Map]]:
    """(which run of folder/runs.json, its map); none where there is no map.npz."""
    path = folder / "map.npz"
    if not path.exists():
        return
    with np.load(path, allow_pickle=False) as there:
        labels = there["private"], there["emotion"], str(there["attribute"])
        names = [tuple(map(str, there[name])) for name in ("private_names", "emotion_names")]
        for run, xy in zip(there["runs"], there["xy"]):
            yield int(run), Map(xy, *labels, *names)
