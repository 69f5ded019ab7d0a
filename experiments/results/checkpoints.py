"""Checkpoints of a pack of runs: while it trains, to be resumed; afterwards, to be used.

Of several processes all call these functions, since orbax has them wait for one another; the first
writes.
"""

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from experiments.results.parts import REPAIR
from privrep.files import fault, replace_arrays, replace_file, write_seal
from privrep.parallel.processes import gather, is_first
from privrep.unlearning.releases import Learned, from_arrays, to_arrays

PyTree = Any


def save_progress(
    folder: Path, epoch: int, fits: PyTree, history: Mapping[str, np.ndarray]
) -> None:
    """Saves a pack after an epoch; the save before is kept, in case this one is damaged later.

    Args:
      fits: rows [R, ...] of where the runs are.
      history: {scalar: float32[epoch, R]}.
    """
    (folder / "progress").mkdir(parents=True, exist_ok=True)
    with _checkpointer(folder) as checkpointer:
        kept = [saved.step for saved in checkpointer.checkpoints]
        if epoch not in kept:
            # First the history; the seal makes the save count.
            if is_first():
                replace_arrays(_history(folder, epoch), history)
            checkpointer.save(epoch, fits)
    if not is_first():
        return
    if not _seal_of(folder, epoch).exists():
        write_seal(
            _seal_of(folder, epoch), [folder / "progress" / str(epoch), _history(folder, epoch)]
        )
    kept = [*sorted(step for step in kept if step != epoch)[-1:], epoch]
    names = {
        path.name for step in kept for path in (_history(folder, step), _seal_of(folder, step))
    }
    for old in (*folder.glob("history_*.npz"), *folder.glob("progress_*.sha256")):
        if old.name not in names:
            old.unlink()


def load_progress(folder: Path, like: PyTree) -> tuple[PyTree | None, dict[str, np.ndarray]]:
    """What was last saved, numpy arrays of the shapes of `like`; (None, {}) if nothing was.

    A save that is damaged is removed, with a warning, and the one before is used.
    """
    epoch = int(gather(np.array([_last_whole(folder) if is_first() else 0]))[0])
    if not epoch:
        return None, {}
    with _checkpointer(folder) as checkpointer:
        # As numpy, which goes to any devices: the load puts all on one.
        fits = jax.tree.map(np.asarray, checkpointer.load(epoch, _whole(like)))
    with np.load(_history(folder, epoch), allow_pickle=False) as history:
        return fits, dict(history)


def load_history(folder: Path) -> dict[str, np.ndarray]:
    """The history that was last saved with the progress of a pack; {} if nothing was."""
    epoch = _last_whole(folder)
    if not epoch:
        return {}
    with np.load(_history(folder, epoch), allow_pickle=False) as history:
        return dict(history)


def _last_whole(folder: Path) -> int:
    """The last epoch whose save is as it was written; 0 if there is none."""
    progress = folder / "progress"
    steps = [int(path.name) for path in progress.glob("*") if path.name.isdecimal()]
    steps += [int(path.stem.partition("_")[2]) for path in folder.glob("progress_*.sha256")]
    for epoch in sorted(set(steps), reverse=True):
        seal, history = _seal_of(folder, epoch), _history(folder, epoch)
        problem = fault(seal, f"progress/{epoch}", history.name)
        if problem is None:
            return epoch
        if seal.exists():  # else a kill has ended the save
            warnings.warn(f"{problem}: training goes on from the save before", stacklevel=3)
        shutil.rmtree(progress / str(epoch), ignore_errors=True)
        history.unlink(missing_ok=True)
        seal.unlink(missing_ok=True)
    return 0


def _history(folder: Path, epoch: int) -> Path:
    return folder / f"history_{epoch}.npz"


def _seal_of(folder: Path, epoch: int) -> Path:
    return folder / f"progress_{epoch}.sha256"


def _checkpointer(folder: Path) -> ocp.training.Checkpointer:
    return ocp.training.Checkpointer(
        (folder / "progress").absolute(),
        preservation_policy=ocp.training.preservation_policies.LatestN(2),
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
    the releases have learned, rows [R, ...]. <folder>/chosen.sha256 has the checksums of these, and
    of the map of h and the counts of speakers where there are any.
    """
    folder = Path(folder)
    if is_first():
        _chosen(folder).unlink(missing_ok=True)
    # As numpy: arrays of many devices could not be read where there are fewer.
    params = jax.tree.map(np.asarray, params)
    ocp.save((folder / "params").absolute(), params, overwrite=True)
    if is_first():
        replace_arrays(folder / "history.npz", history)
        replace_arrays(folder / "release.npz", to_arrays(learned))
        replace_file(folder / "runs.json", json.dumps(list(rows), indent=1))
        names = ("params", "history.npz", "release.npz", "runs.json", "map.npz", "counts.npz")
        write_seal(_chosen(folder), [folder / name for name in names if (folder / name).exists()])


def chosen_fault(folder: Path) -> str | None:
    """What is wrong with what `save_chosen` has saved; None if all is as it was written."""
    return fault(_chosen(folder))


def check_chosen(folder: Path | str, *names: str) -> None:
    """Makes sure that files of a finished pack are as they were written.

    Raises:
      ValueError: one is missing or damaged; the message names it and says what to do.
    """
    folder = Path(folder)
    problem = fault(_chosen(folder), *names)
    if problem:
        raise ValueError(f"{problem}: {REPAIR}")


def _chosen(folder: Path) -> Path:
    return folder / "chosen.sha256"


def has_progress(folder: Path) -> bool:
    """Whether a training may go on from what the folder holds."""
    return (folder / "progress").exists()


def drop_progress(folder: Path) -> None:
    """Forgets what was kept to resume a pack, when all that came of it is saved."""
    shutil.rmtree(folder / "progress", ignore_errors=True)
    for kept in (*folder.glob("history_*.npz"), *folder.glob("progress_*.sha256")):
        kept.unlink()


def begun_on(folder: Path) -> str | None:
    """The hash of the data that a pack was begun on; None if it was not.

    A pack of which that is not known any more is removed, with a warning, to be made anew.
    """
    path, seal = folder / "prepared_hash", folder / "prepared_hash.sha256"
    if not path.exists() and not seal.exists():
        return None
    problem = fault(seal, path.name)
    if problem is None:
        return path.read_text(encoding="utf-8")
    warnings.warn(f"{problem}: pack {folder.name} is made anew", stacklevel=2)
    shutil.rmtree(folder)
    return None


def begin(folder: Path, data_hash: str) -> None:
    """Notes the hash of the data that a pack is begun on."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "prepared_hash", data_hash)
    write_seal(folder / "prepared_hash.sha256", [folder / "prepared_hash"])


def load_chosen(folder: Path | str) -> tuple[list[dict], dict[str, np.ndarray]]:
    """(what each run of a finished pack is, its history {scalar: float32[epochs, R]}).

    Raises:
      ValueError: see `check_chosen`.
    """
    check_chosen(folder, "runs.json", "history.npz")
    return read_chosen(folder)


def read_chosen(folder: Path | str) -> tuple[list[dict], dict[str, np.ndarray]]:
    """`load_chosen` of a pack that an earlier version has saved, without checksums."""
    rows = json.loads(Path(folder, "runs.json").read_text(encoding="utf-8"))
    with np.load(Path(folder, "history.npz"), allow_pickle=False) as history:
        return rows, dict(history)


def load_params(folder: Path | str) -> PyTree:
    """The chosen parameters of a finished pack, numpy arrays [R, ...].

    Raises:
      ValueError: see `check_chosen`.
    """
    check_chosen(folder, "params")
    return ocp.load(Path(folder, "params").absolute())


def load_release(folder: Path | str) -> Learned:
    """What the releases of a finished pack have learned, numpy arrays [R, ...].

    Raises:
      ValueError: see `check_chosen`; or an earlier version has saved it, whose releases reveal in
        their last bits what they should remove.
    """
    check_chosen(folder, "release.npz")
    path = Path(folder, "release.npz")
    with np.load(path, allow_pickle=False) as file:
        try:
            return from_arrays(dict(file))
        except ValueError as error:
            raise ValueError(
                f"{path}: an earlier version has saved it, {error}: run experiments.main again, "
                "into another directory"
            ) from None
