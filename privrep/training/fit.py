"""The training loop, the same for the emotion network and for every attacker.

`fit` trains a stack of runs, epoch by epoch (`epoch.py`), and yields after each epoch, so that the
caller can show progress and save. Stopped runs leave the devices when that makes an epoch faster.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from privrep.parallel.run_axis import (
    collect,
    cost,
    deal,
    deal_out,
    num_runs,
    over_runs,
    put_rows,
    share,
    take,
)
from privrep.training.early_stopping import Scalars
from privrep.training.epoch import epoch, start, unless_stopped
from privrep.training.problem import RUNNING, STOPPED, Fit, FitSettings
from privrep.training.streaming import Streamed, epoch_in_windows, on_devices, place, rows_together

PyTree = Any


# `make`, `architecture` and `settings` are static, compiled into the program; `data` is not. Two
# sweeps that share these three and the shapes of their arrays share one compiled program.
@partial(jax.jit, static_argnums=(0, 1, 2))
def _start_all(
    make: Callable, architecture: PyTree, settings: FitSettings, data: PyTree, runs: PyTree
) -> Fit:
    # One run at a time, even on an accelerator: BUILD_NOTES.md describes the LAPACK hazard.
    return jax.lax.map(lambda run: start(make(architecture, data, run), run.key, settings), runs)


def start_all(
    make: Callable, architecture: PyTree, settings: FitSettings, data: PyTree, runs: PyTree
) -> Fit:
    """The states [R, ...] of a stack of runs before their first epoch; arguments as in `fit`."""
    return _start_all(make, architecture, settings, on_devices(data), runs)


def _epoch_one(
    make: Callable, architecture: PyTree, settings: FitSettings, data: PyTree, row: PyTree
) -> tuple[Fit, Scalars]:
    run, fit = row
    problem = make(architecture, data, run)
    return unless_stopped(lambda fit: epoch(problem, run.key, fit, settings), fit)


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=(5,))
def _epoch_all(
    make: Callable,
    architecture: PyTree,
    settings: FitSettings,
    data: PyTree,
    runs: PyTree,
    fits: Fit,
) -> tuple[Fit, Scalars]:
    return over_runs(partial(_epoch_one, make, architecture, settings), data, (runs, fits))


class Stage(NamedTuple):
    """A stack of runs after an epoch, in numpy arrays [R, ...].

    Attributes:
      status, epoch: int32[R], see `Fit`.
      history: {name: float32[R]} of this epoch, NaN for runs that had stopped before it.
      fits: () -> Fit, copies the states of the runs from the devices. Call it before the next
        epoch.
    """

    status: np.ndarray
    epoch: np.ndarray
    history: dict[str, np.ndarray]
    fits: Callable[[], Fit]


def fit(
    make: Callable,
    architecture: PyTree,
    settings: FitSettings,
    data: PyTree,
    runs: PyTree,
    fits: Fit | None = None,
    together: int | None = None,
) -> Iterator[Stage]:
    """Trains a stack of runs and yields after every epoch until all runs have stopped.

    Runs that have stopped leave the devices, and the others are distributed over the devices again
    where that makes an epoch faster; this changes no result.

    Args:
      make: make(architecture, data, run) -> Problem; `run` is one row of `runs` and has a `key`.
      architecture: hashable values that `make` compiles into the program.
      settings: see FitSettings.
      data: arrays shared by all runs, on the host or returned by `streaming.place`.
      runs: rows [R, ...].
      fits: states [R, ...] to resume from; None starts from `start_all`.
      together: the maximum number of runs in one program; None for as many as fit on the devices.

    Yields:
      A `Stage` after each epoch.

    Raises:
      ValueError: a device has no room for a single run, or for the frames of a batch.
    """
    data = place(data)
    epoch_all = epoch_in_windows if isinstance(data, Streamed) else _epoch_all
    if fits is None:
        fits = start_all(make, architecture, settings, data, share(runs))
    kept = collect(fits)
    if together is None:
        epoch_one = partial(_epoch_one, make, architecture, settings)
        together = rows_together(epoch_one, data, (runs, kept))
    size = min(num_runs(runs), together)
    parts: list[Part] = []
    while (running := np.flatnonzero(kept.status == RUNNING)).size:
        dealt = deal_out(running, size)
        if not parts or cost(dealt) < cost([_running(part, kept.status) for part in parts]):
            _collect_fits(parts, kept)
            parts = [_part(index, runs, kept) for index in dealt]
        histories = []
        for i, part in enumerate(parts):
            new, history = epoch_all(make, architecture, settings, data, part.runs, part.fits)
            parts[i] = part._replace(fits=new)
            histories.append(history)
        scalars = {n: np.full(len(kept.status), np.nan, a.dtype) for n, a in histories[0].items()}
        for part, history in zip(parts, histories):
            of_part = (part.fits.status, part.fits.epoch, history)
            put_rows(part.rows, collect(of_part), (kept.status, kept.epoch, scalars))
        current = partial(_current_fits, parts, kept)
        yield Stage(kept.status.copy(), kept.epoch.copy(), scalars, current)


def fit_to_end(
    make: Callable, architecture: PyTree, settings: FitSettings, data: PyTree, runs: PyTree
) -> Fit:
    """The states [R, ...] of a stack of runs after their last epochs; arguments as in `fit`."""
    for stage in fit(make, architecture, settings, data, runs):
        last = stage
    return last.fits()


class Part(NamedTuple):
    """Runs of a stack that one program call trains.

    Attributes:
      rows: int[S], their rows in the stack; -1 is padding.
      runs, fits: rows [S, ...] on the devices.
    """

    rows: np.ndarray
    runs: PyTree
    fits: Fit


def _part(index: np.ndarray, runs: PyTree, kept: Fit) -> Part:
    rows = np.maximum(index, 0)
    fits = take(kept, rows)
    fits = fits._replace(status=np.where(index >= 0, fits.status, STOPPED).astype(np.int32))
    return Part(index, deal(take(runs, rows)), deal(fits))


def _running(part: Part, status: np.ndarray) -> np.ndarray:
    """`part.rows` with -1 for runs that have stopped."""
    return np.where(status[np.maximum(part.rows, 0)] == RUNNING, part.rows, -1)


def _collect_fits(parts: list[Part], kept: Fit) -> None:
    """Copies the states of the runs from the devices into the numpy arrays `kept`, in place."""
    for part in parts:
        put_rows(part.rows, collect(part.fits), kept)


def _current_fits(parts: list[Part], kept: Fit) -> Fit:
    _collect_fits(parts, kept)
    return jax.tree.map(np.copy, kept)
