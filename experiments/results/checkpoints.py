"""Checkpoints of a pack of runs: while it trains, to be resumed; afterwards, to be used.

Of several processes all call these functions, since orbax has them wait for one another; the first
writes.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from privrep.files import replace_file
from privrep.parallel.processes import is_first
from privrep.unlearning.emotion_subspace import Affine
from privrep.unlearning.releases import Learned

PyTree = Any


def save_progress(
    folder: Path, epoch: int, fits: PyTree, history: Mapping[str, np.ndarray]
) -> None:
    """Saves a pack after an epoch; the save before is kept until this one is whole.

    Args:
      fits: rows [R, ...] of where the runs are.
      history: {scalar: float32[epoch, R]}.
    """
    (folder / "progress").mkdir(parents=True, exist_ok=True)
    with _checkpointer(folder) as checkpointer:
        if epoch not in [saved.step for saved in checkpointer.checkpoints]:
            # First the history, under the epoch's name: the save of the fits makes both count.
            if is_first():
                np.savez(_history(folder, epoch), **history)  # type: ignore[arg-type]  # allow_pickle
            checkpointer.save(epoch, fits)
    for old in folder.glob("history_*.npz") if is_first() else ():
        if old != _history(folder, epoch):
            old.unlink()


def load_progress(folder: Path, like: PyTree) -> tuple[PyTree | None, dict[str, np.ndarray]]:
    """What was last saved, numpy arrays of the shapes of `like`; (None, {}) if nothing was."""
    if not (folder / "progress").exists():
        return None, {}
    with _checkpointer(folder) as checkpointer:
        if checkpointer.latest is None:
            return None, {}
        epoch = checkpointer.latest.step
        # As numpy, which goes to any devices: the load puts all on one.
        fits = jax.tree.map(np.asarray, checkpointer.load(epoch, _whole(like)))
    with np.load(_history(folder, epoch), allow_pickle=False) as history:
        return fits, dict(history)


def _history(folder: Path, epoch: int) -> Path:
    return folder / f"history_{epoch}.npz"


def _checkpointer(folder: Path) -> ocp.training.Checkpointer:
    return ocp.training.Checkpointer(
        (folder / "progress").absolute(),
        preservation_policy=ocp.training.preservation_policies.LatestN(1),
        cleanup_tmp_directories=True,
    )


def _whole(like: PyTree) -> PyTree:
    # Without a sharding orbax asks for as many devices as there were when it saved.
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=here), like)


def save_chosen(
    folder: Path | str,
    params: PyTree,
    rows: Sequence[Mapping],
    history: Mapping[str, np.ndarray],
    learned: Learned,
) -> None:
    """Saves the chosen parameters of a pack.

    <folder>/params holds {...: [R, ...]}, row i being the run that line i of <folder>/runs.json
    describes; <folder>/history.npz holds {scalar: float32[epochs, R]}, <folder>/release.npz what
    the releases have learned, rows [R, ...].
    """
    folder = Path(folder)
    # As numpy: arrays of many devices could not be read where there are fewer.
    params = jax.tree.map(np.asarray, params)
    ocp.save((folder / "params").absolute(), params, overwrite=True)
    if is_first():
        np.savez(folder / "history.npz", **history)  # type: ignore[arg-type]  # allow_pickle
        flat = learned._asdict() | learned.map._asdict()
        np.savez(folder / "release.npz", **{n: a for n, a in flat.items() if n != "map"})
        replace_file(folder / "runs.json", json.dumps(list(rows), indent=1))


def drop_progress(folder: Path) -> None:
    """Forgets what was kept to resume a pack, when all that came of it is saved."""
    shutil.rmtree(folder / "progress", ignore_errors=True)
    for kept in folder.glob("history_*.npz"):
        kept.unlink()


def check_data(folder: Path, data_hash: str) -> None:
    """Makes sure that a pack that is resumed goes on with the data it began with.

    Raises:
      ValueError: the corpus or its preparation is another one now.
    """
    path = folder / "prepared_hash"
    if path.exists():
        compare_data(folder, path.read_text(encoding="utf-8"), data_hash)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(path, data_hash)


def compare_data(folder: Path, begun_on: str, data_hash: str) -> None:
    """As `check_data` for a pack that stands in a table, its data's hash then and now."""
    if begun_on != data_hash:
        raise ValueError(
            f"{folder}: this pack was begun on other data; the corpus or its labels have changed "
            "since. Choose another --workdir."
        )


def load_chosen(folder: Path | str) -> tuple[list[dict], dict[str, np.ndarray]]:
    """(what each run of a finished pack is, its history {scalar: float32[epochs, R]})."""
    rows = json.loads(Path(folder, "runs.json").read_text(encoding="utf-8"))
    with np.load(Path(folder, "history.npz"), allow_pickle=False) as history:
        return rows, dict(history)


def load_params(folder: Path | str) -> PyTree:
    """The chosen parameters of a finished pack, numpy arrays [R, ...]."""
    return ocp.load(Path(folder, "params").absolute())


def load_release(folder: Path | str) -> Learned:
    """What the releases of a finished pack have learned, numpy arrays [R, ...]."""
    with np.load(Path(folder, "release.npz"), allow_pickle=False) as file:
        map_ = Affine(file["matrix"], file["offset"])
        return Learned(file["protects"], map_, file["noise"])
