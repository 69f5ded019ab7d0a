"""The one training loop: for the emotion network and for every attacker.

`fit` takes a stack of runs through their epochs (`epoch.py`) and yields after each, so that
whoever called it can show progress and save. A run that has stopped costs nothing while the others
go on.
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
from privrep.training.epoch import epoch, start, unless_stopped
from privrep.training.problem import RUNNING, STOPPED, Fit, FitSettings
from privrep.training.streaming import Streamed, epoch_in_windows, on_devices, place, rows_together

PyTree = Any


# `make(architecture, data, run) -> Problem` and everything it compiles in are static, so that
# two sweeps of one architecture share one compiled program whatever their data.
@partial(jax.jit, static_argnums=(0, 1, 2))
def _start_all(make, architecture, settings, data, runs):
    # One run after another also on an accelerator: see the LAPACK hazard in BUILD_NOTES.md.
    return jax.lax.map(lambda run: start(make(architecture, data, run), run.key, settings), runs)


def start_all(make: Callable, architecture: PyTree, settings: FitSettings, data, runs) -> Fit:
    """A stack of runs before their first epoch; arguments as in `fit`."""
    return _start_all(make, architecture, settings, on_devices(data), runs)


def _epoch_one(make, architecture, settings, data, row):
    run, fit = row
    problem = make(architecture, data, run)
    return unless_stopped(lambda fit: epoch(problem, run.key, fit, settings), fit)


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=(5,))
def _epoch_all(make, architecture, settings, data, runs, fits):
    return over_runs(partial(_epoch_one, make, architecture, settings), data, (runs, fits))


class Stage(NamedTuple):
    """A stack of runs after an epoch, in numpy arrays [R, ...].

    Attributes:
      status, epoch: int32[R], see `Fit`.
      history: {name: float32[R]} of this epoch, NaN for runs that had stopped before it.
      fits: () -> Fit, where the runs are; copied from the devices, and only until the next epoch.
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
    """Trains a stack of runs, yielding after every epoch until no run is left.

    Runs that have stopped leave the devices, and those that go on are dealt out anew where that
    spares an epoch's time; none of it changes a result.

    Args:
      make: make(architecture, data, run) -> Problem; `run` is one row of `runs` and has a `key`.
      architecture: hashable; what `make` compiles in.
      settings: see FitSettings.
      data: arrays shared by all runs, as they are or as `streaming.place` has laid them.
      runs: rows [R, ...].
      fits: rows [R, ...] to go on from; None starts anew.
      together: the most runs in one program; None is as many as have room on the devices.

    Raises:
      ValueError: a device has no room for a single run.
    """
    data = place(data)
    epoch_all = epoch_in_windows if isinstance(data, Streamed) else _epoch_all
    if fits is None:
        fits = start_all(make, architecture, settings, data, share(runs))
    kept = collect(fits)
    if together is None:
        one = partial(_epoch_one, make, architecture, settings)
        together = rows_together(one, data, (runs, kept))
    size = min(num_runs(runs), together)
    parts: list[Part] = []
    while (running := np.flatnonzero(kept.status == RUNNING)).size:
        wanted = deal_out(running, size)
        if not parts or cost(wanted) < cost([_running(part, kept.status) for part in parts]):
            _keep(parts, kept)
            parts = [_part(index, runs, kept) for index in wanted]
        histories = []
        for i, part in enumerate(parts):
            new, history = epoch_all(make, architecture, settings, data, part.runs, part.fits)
            parts[i] = part._replace(fits=new)
            histories.append(history)
        found = {n: np.full(len(kept.status), np.nan, a.dtype) for n, a in histories[0].items()}
        for part, history in zip(parts, histories):
            told = (part.fits.status, part.fits.epoch, history)
            put_rows(part.index, collect(told), (kept.status, kept.epoch, found))
        yield Stage(kept.status.copy(), kept.epoch.copy(), found, partial(_kept, parts, kept))


class Part(NamedTuple):
    """Runs of a stack that are on the devices together.

    Attributes:
      index: int[S], which rows of the stack they are; -1 is padding.
      runs, fits: rows [S, ...].
    """

    index: np.ndarray
    runs: PyTree
    fits: Fit


def _part(index: np.ndarray, runs: PyTree, kept: Fit) -> Part:
    rows = np.maximum(index, 0)
    fits = take(kept, rows)
    fits = fits._replace(status=np.where(index >= 0, fits.status, STOPPED).astype(np.int32))
    return Part(index, deal(take(runs, rows)), deal(fits))


def _running(part: Part, status: np.ndarray) -> np.ndarray:
    return np.where(status[np.maximum(part.index, 0)] == RUNNING, part.index, -1)


def _keep(parts: list[Part], kept: Fit) -> None:
    for part in parts:
        put_rows(part.index, collect(part.fits), kept)


def _kept(parts: list[Part], kept: Fit) -> Fit:
    _keep(parts, kept)
    return jax.tree.map(np.copy, kept)
