"""Maps of h: utterances of held-out speakers in two directions that training speakers define."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.linalg

from experiments.results.columns import Row
from privrep.files import replacing
from privrep.types import Split

MAX_POINTS = 2000  # of a map
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
    occurs = count.reshape(-1, size) > 0
    directions: list[np.ndarray] = []
    for class_means in (_balanced(means, occurs), _balanced(means.swapaxes(0, 1), occurs.T)):
        centred = class_means - class_means.mean(0)
        for earlier in directions:
            centred -= np.outer(centred @ earlier, earlier)
        direction = scipy.linalg.eigh(centred.T @ centred)[1][:, -1]
        for earlier in directions:  # also where nothing is left between classes
            direction = direction - (direction @ earlier) * earlier
        direction /= max(np.linalg.norm(direction), 1e-12)
        is_reversed = (centred[-1] - centred[0]) @ direction < 0
        directions.append(-direction if is_reversed else direction)
    return (white.T @ np.stack(directions, 1)).astype(np.float32)


def _balanced(means: np.ndarray, occurs: np.ndarray) -> np.ndarray:
    """float[C, D]: the means of the classes that occur, over the other label's common values.

    Else a class that occurs with one emotion more often than another would lie in its direction.

    Args:
      means: float[C, O, D], of each class of one label within each of the other.
      occurs: bool[C, O].
    """
    means, occurs = means[occurs.any(1)], occurs[occurs.any(1)]
    common = occurs & (occurs.all(0) if occurs.all(0).any() else True)
    return (common[..., None] * means).sum(1) / common.sum(1)[:, None]


class Labelling(NamedTuple):
    """Labels of a corpus: their name, int[K, N] (-1 unknown), and the names of the values."""

    name: str
    codes: np.ndarray
    values: Sequence[str]


def write_maps(
    folder: Path,
    runs: Sequence[tuple[Row, np.ndarray]],
    split: Split,
    task: Labelling,
    private: Labelling,
) -> None:
    """Writes folder/map.npz: the test speakers of the first fold, by the networks of one seed.

    Args:
      runs: settings, `fold` and `seed` among them, and h float[N, D] of each run.
      split: bool[K, N] each.
    """
    fold = min(row["fold"] for row, _ in runs)
    seed = min(row["seed"] for row, _ in runs)
    emotion, codes = task.codes[fold], private.codes[fold]
    tested = np.flatnonzero(split.test[fold] & (codes >= 0) & (emotion >= 0))
    tested = tested[
        np.unique(np.linspace(0, len(tested) - 1, min(MAX_POINTS, len(tested))).astype(int))
    ]
    h_of = {
        i: h
        for i, (row, h) in enumerate(runs)
        if row["fold"] == fold and row["seed"] == seed and np.isfinite(h).all()
    }
    if not h_of or not len(tested):
        return
    xy = [directions(h, codes, emotion, split.train[fold])[tested] for h in h_of.values()]
    with replacing(folder / "map.npz") as file:
        np.savez(
            file,
            runs=np.array([*h_of], np.int32),
            xy=np.stack(xy),
            private=codes[tested].astype(np.int32),
            emotion=emotion[tested].astype(np.int32),
            attribute=np.array(private.name),
            private_names=np.array(private.values),
            emotion_names=np.array(task.values),
        )


def read_maps(folder: Path) -> Iterator[tuple[int, Map]]:
    """(which run of folder/runs.json, its map); none where there is no map.npz."""
    path = folder / "map.npz"
    if not path.exists():
        return
    with np.load(path, allow_pickle=False) as file:
        private_names, emotion_names = (
            tuple(map(str, file[name])) for name in ("private_names", "emotion_names")
        )
        for run, xy in zip(file["runs"], file["xy"]):
            yield (
                int(run),
                Map(
                    xy,
                    file["private"],
                    file["emotion"],
                    str(file["attribute"]),
                    private_names,
                    emotion_names,
                ),
            )
