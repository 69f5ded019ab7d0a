"""Where utterances of unseen speakers lie in h: two directions, learned from training speakers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from privrep.utterances import Split

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

    Both are Fisher's (1936), from the utterances to learn from alone; the second is uncorrelated
    with the first within classes. Units are standard deviations within the cells of attribute and
    emotion, from the mean of these utterances. The last value of the attribute, and the last
    emotion, lie on the positive side.

    Args:
      h: float[N, D], finite.
      private, emotion: int[N], -1 unknown.
      learn: bool[N].
    """
    x = h.astype(np.float64) - h[learn].mean(0, dtype=np.float64)
    known = learn & (private >= 0) & (emotion >= 0)
    cells = np.unique(private[known] * (emotion.max() + 1) + emotion[known], return_inverse=True)[1]
    apart = x[known] - _class_means(x[known], cells)[cells]
    within = apart.T @ apart / max(known.sum(), 1)
    # Columns that do not vary, as in an h that has collapsed, are left at nothing.
    within += (_RIDGE * np.trace(within) / len(within) + 1e-12) * np.eye(len(within))
    white = scipy.linalg.solve_triangular(
        scipy.linalg.cholesky(within, lower=True), x.T, lower=True
    )
    found: list[np.ndarray] = []
    for labels in (private, emotion):
        rows = learn & (labels >= 0)
        means = _class_means(white.T[rows], labels[rows])
        count = np.bincount(labels[rows], minlength=len(means))
        means -= (count[:, None] * means).sum(0) / count.sum()
        for one in found:
            means -= np.outer(means @ one, one)
        between = (count[:, None] * means).T @ means
        direction = scipy.linalg.eigh(between)[1][:, -1]
        for one in found:  # also where nothing is left between classes
            direction = direction - (direction @ one) * one
        direction /= max(np.linalg.norm(direction), 1e-12)
        seen = np.flatnonzero(count)
        turned = (means[seen[-1]] - means[seen[0]]) @ direction < 0
        found.append(-direction if turned else direction)
    return (white.T @ np.stack(found, 1)).astype(np.float32)


def _class_means(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float[C, D], zeros of a class that does not occur."""
    sums = np.stack([x[labels == c].sum(0) for c in range(labels.max() + 1)])
    return sums / np.maximum(np.bincount(labels), 1)[:, None]


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
