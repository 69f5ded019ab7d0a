"""Training on a corpus that does not fit on the device, one window of its frames after another.

The frames stay in a memory-mapped file; the rest of the data is on the devices. A window is a
corpus of the same utterances that holds only the frames of those in the next batches, so that code
that addresses an utterance by its number needs no change. While the devices compute on one window,
a thread copies the frames of the next one from the file to the devices.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from privrep.parallel.memory import free_bytes, most_together
from privrep.parallel.run_axis import collect, deal, over_runs, share
from privrep.training.early_stopping import Scalars, finish
from privrep.training.epoch import (
    EpochProgress,
    StepRange,
    empty_outputs,
    needed_blocks,
    outputs_of_blocks,
    shuffled_batches,
    take_steps,
    unless_stopped,
)
from privrep.training.problem import RUNNING, Fit, FitSettings
from privrep.types import Data, Ragged, room

PyTree = Any

_SHARE = 4  # a window takes a quarter of a device's memory, so that two leave half to the runs


class Streamed(NamedTuple):
    """Data whose frames are on the host.

    Attributes:
      resident: the rest of the data, on every device, with a single frame in place of the frames.
      frames: float[M, F] ragged, numpy.
      count: the number of frames in a window.
    """

    resident: Data
    frames: Ragged
    count: int  # type: ignore[assignment]  # tuple.count, which nobody calls


def place(data: PyTree, window: int | None = None) -> PyTree:
    """Puts data on every device, or returns `Streamed` if two windows cannot hold all frames.

    Args:
      data: a `Data`, whose frames may stay on the host if they are numpy arrays, or other arrays.
      window: the size of a window in bytes of frames, of which a device holds two at a time. None
        for a quarter of a device's free memory; without a limit on a CPU.
    """
    if isinstance(data, Streamed):
        return data
    frames = data.corpus.frames if isinstance(data, Data) else None
    if frames is None or not isinstance(frames.values, np.ndarray):
        return share(data)
    if window is None:
        free = free_bytes()
        window = None if free is None else free // _SHARE
    if window is None or frames.values.nbytes <= 2 * window:
        return share(data)
    single = Ragged(frames.values[:1], np.zeros_like(frames.start), frames.length)
    resident = share(data._replace(corpus=data.corpus._replace(frames=single)))
    return Streamed(resident, frames, window // frames.values[:1].nbytes)


def on_devices(data: PyTree) -> PyTree:
    """The part of placed data that is on the devices, for programs that do not read frames."""
    return data.resident if isinstance(data, Streamed) else data


def rows_together(f: Callable, data: PyTree, rows: PyTree) -> int:
    """`memory.most_together` with the memory of two windows reserved."""
    if not isinstance(data, Streamed):
        return most_together(f, data, rows)
    values = data.frames.values
    window = jax.ShapeDtypeStruct((data.count, values.shape[1]), values.dtype)
    shapes = _with_frames(data.resident, data.frames._replace(values=window))
    return most_together(f, shapes, rows, 2 * window.size * values.dtype.itemsize)


def _with_frames(data: Data, frames: Ragged) -> Data:
    return data._replace(corpus=data.corpus._replace(frames=frames))


# Windows ---------------------------------------------------------------------------------------


def ranges(
    length: np.ndarray, count: int, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Divides the batches of all runs into windows of at most `count` frames.

    Args:
      length: int[N], frames of the utterances.
      count: frames in a window.
      rows: int[S, n, b], the batches of each run, -1 for padding. Empty batches after all others
        are not computed.

    Yields:
      (utterances, first, last): the utterances of a window, int[m], and the batches [first, last)
      that each run computes on it, int32[S].

    Raises:
      ValueError: a batch of the longest utterances would have more than `count` frames.
    """
    size = rows.shape[2]
    longest = np.sort(length)[-size:].sum()
    if longest > count:
        raise ValueError(
            f"a batch of {size} utterances can have {longest:,} frames, and after the networks a "
            f"device has room for {count:,}: use a smaller --batch_size, or shorter utterances "
            "(--max_seconds)"
        )
    # Runs that differ in lambda alone have the same batches.
    distinct, of_run = np.unique(rows.reshape(len(rows), -1), axis=0, return_inverse=True)
    distinct, of_run = distinct.reshape(-1, *rows.shape[1:]), of_run.reshape(-1)
    first, last = (np.zeros(len(distinct), np.int32) for _ in range(2))
    inside, taken = np.zeros(len(length), bool), 0
    is_filled = np.any(distinct >= 0, axis=2)
    num_batches = np.where(is_filled.any(1), rows.shape[1] - is_filled[:, ::-1].argmax(1), 0)
    for i in range(rows.shape[1]):
        for run, batch in enumerate(distinct[:, i]):
            batch = batch[batch >= 0]
            new = batch[~inside[batch]]
            if taken + length[new].sum() > count:
                if (last > first).any():
                    yield np.flatnonzero(inside), first[of_run], last[of_run]
                inside[:], taken, first, new = False, 0, last.copy(), batch
            inside[new] = True
            taken += int(length[new].sum())
            last[run] += i < num_batches[run]
    if (last > first).any():
        yield np.flatnonzero(inside), first[of_run], last[of_run]


def _windows(data: Streamed, rows: np.ndarray) -> Iterator[tuple[Data, StepRange]]:
    """The windows, on the devices, with the batches to compute on each; see `ranges`."""
    values, start, length = data.frames
    resident_frames = data.resident.corpus.frames
    assert resident_frames is not None
    for utterances, first, last in ranges(length, data.count, rows):
        # New memory for each window: CPU devices read it in place.
        held = room((data.count, values.shape[1]), values.dtype)
        moved = np.zeros_like(start)
        moved[utterances] = np.cumsum(length[utterances]) - length[utterances]
        for i in utterances:
            held[moved[i] : moved[i] + length[i]] = values[start[i] : start[i] + length[i]]
        frames = resident_frames._replace(values=share(held), start=share(moved))
        yield _with_frames(data.resident, frames), deal(StepRange(first, last))


def _ahead(items: Iterator) -> Iterator:
    """The items, each made by a thread while the previous one is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
            item = None  # freed before the thread makes the item after the next


def _in_windows(f: Callable, data: Streamed, rows: np.ndarray, carry: PyTree) -> PyTree:
    """The last carry = f(window, carry, interval) over the windows of the batches `rows`."""
    for window, interval in _ahead(_windows(data, rows)):
        carry = jax.block_until_ready(f(window, carry, interval))
        del window
    return carry


# Epochs and outputs by windows -------------------------------------------------------------------


class _Program(NamedTuple):
    """What the programs of an epoch compile in; arguments of `fit.fit`."""

    make: Callable
    architecture: PyTree
    settings: FitSettings


def epoch_in_windows(
    make: Callable,
    architecture: PyTree,
    settings: FitSettings,
    data: Streamed,
    runs: PyTree,
    fits: Fit,
) -> tuple[Fit, Scalars]:
    """`epoch.epoch` of a stack of runs, one window of the data after another.

    Args:
      runs, fits: rows [S, ...] on the devices.

    Returns:
      (fits, {name: [S]}).
    """
    program = _Program(make, architecture, settings)
    batches, sums = _batches_all(program, data.resident, runs, fits)

    def steps(window: Data, progress: EpochProgress, interval: StepRange) -> EpochProgress:
        return _steps_all(program, window, runs, progress, batches, interval)

    fits, sums = _in_windows(steps, data, collect(batches), EpochProgress(fits, sums))
    counts = _needed_all(program, data.resident, runs, fits)
    outputs = outputs_in_windows(make, architecture, data, runs, fits.params, collect(counts))
    return _finish_all(program, data.resident, runs, EpochProgress(fits, sums), outputs)


def outputs_in_windows(
    make: Callable,
    architecture: PyTree,
    data: Streamed,
    runs: PyTree,
    params: PyTree,
    counts: np.ndarray | None = None,
) -> PyTree:
    """`epoch.all_outputs` of a stack of runs, one window of the data after another.

    Args:
      counts: int[S], the blocks that each run needs, the first ones; the outputs of others are NaN.
        None for all.
    """
    blocks, outputs = _empty_outputs_all(make, architecture, data.resident, runs, params)

    def some(window: Data, outputs: PyTree, interval: StepRange) -> PyTree:
        return _outputs_all(make, architecture, window, runs, params, outputs, interval)

    blocks = collect(blocks)
    if counts is not None:
        blocks[np.arange(blocks.shape[1])[None] >= counts[:, None]] = -1
    return _in_windows(some, data, blocks, outputs)


@partial(jax.jit, static_argnums=0)
def _batches_all(
    program: _Program, data: Data, runs: PyTree, fits: Fit
) -> tuple[jax.Array, Scalars]:
    def of_run(data: Data, row: PyTree) -> tuple[jax.Array, Scalars]:
        run, fit = row
        problem = program.make(program.architecture, data, run)
        batches, sums = shuffled_batches(problem, run.key, fit, program.settings)
        return jnp.where(fit.status == RUNNING, batches, -1), sums

    return over_runs(of_run, data, (runs, fits))


@partial(jax.jit, static_argnums=0)
def _needed_all(program: _Program, data: Data, runs: PyTree, fits: Fit) -> jax.Array:
    """int32[S], the blocks whose outputs each run needs after its epoch; 0 if it has stopped."""

    def of_run(data: Data, row: PyTree) -> jax.Array:
        run, fit = row
        problem = program.make(program.architecture, data, run)
        assert problem.blocks is not None
        count = needed_blocks(problem, fit, program.settings)
        count = len(problem.blocks) if count is None else count
        return jnp.where(fit.status == RUNNING, count, 0)

    return over_runs(of_run, data, (runs, fits))


@partial(jax.jit, static_argnums=0, donate_argnums=3)
def _steps_all(
    program: _Program,
    data: Data,
    runs: PyTree,
    progress: EpochProgress,
    batches: jax.Array,
    steps: StepRange,
) -> EpochProgress:
    def of_run(data: Data, row: PyTree) -> EpochProgress:
        run, progress, batches, steps = row
        problem = program.make(program.architecture, data, run)
        return take_steps(problem, run.key, program.settings, progress, batches, steps)

    return over_runs(of_run, data, (runs, progress, batches, steps))


@partial(jax.jit, static_argnums=(0, 1))
def _empty_outputs_all(
    make: Callable, architecture: PyTree, data: Data, runs: PyTree, params: PyTree
) -> tuple[jax.Array, PyTree]:
    def of_run(data: Data, row: PyTree) -> tuple[jax.Array, PyTree]:
        run, params = row
        problem = make(architecture, data, run)
        return problem.blocks, empty_outputs(problem, params)

    return over_runs(of_run, data, (runs, params))


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=(5,))
def _outputs_all(
    make: Callable,
    architecture: PyTree,
    data: Data,
    runs: PyTree,
    params: PyTree,
    outputs: PyTree,
    blocks: StepRange,
) -> PyTree:
    def of_run(data: Data, row: PyTree) -> PyTree:
        run, *rest = row
        return outputs_of_blocks(make(architecture, data, run), *rest)

    return over_runs(of_run, data, (runs, params, outputs, blocks))


@partial(jax.jit, static_argnums=0, donate_argnums=4)
def _finish_all(
    program: _Program, data: Data, runs: PyTree, progress: EpochProgress, outputs: PyTree
) -> tuple[Fit, Scalars]:
    def of_run(data: Data, row: PyTree) -> tuple[Fit, Scalars]:
        run, (fit, sums), outputs = row
        problem = program.make(program.architecture, data, run)

        def end(fit: Fit) -> tuple[Fit, Scalars]:
            return finish(problem, fit, sums, outputs, program.settings)

        return unless_stopped(end, fit)

    return over_runs(of_run, data, (runs, progress, outputs))
