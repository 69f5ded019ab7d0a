"""Training on a corpus that has no room on the device, by windows of it.

The frames stay where they are, in a mapped file; the rest of the data is on the devices. A window
is a corpus of the same utterances that holds the frames of only those that are wanted next, so that
nothing that finds an utterance by its number knows the difference. While the devices go through the
steps of one window, a thread copies the next one out of the file and puts it beside.
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
from privrep.training.early_stopping import finish
from privrep.training.epoch import advance, begin, look, unless_stopped, unseen
from privrep.training.problem import RUNNING
from privrep.types import Data, Ragged, room

PyTree = Any

_SHARE = 4  # a window is so much of a device's memory: two of them leave half to the runs


class Streamed(NamedTuple):
    """Data of which the frames are not on the devices.

    Attributes:
      resident: on every device; in place of the frames a single one.
      frames: float[M, F] ragged, numpy.
      count: frames in a window.
    """

    resident: Data
    frames: Ragged
    count: int


def place(data: PyTree, window: int | None = None) -> PyTree:
    """Puts data on every device; `Streamed` where two windows would not hold all frames.

    Args:
      data: a `Data`, of which frames in numpy may be left on the host, or any other arrays.
      window: bytes of frames on a device at a time, of which there is need for two; None is what
        the devices have, and all of it on a CPU, whose devices have no memory of their own.
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
    one = Ragged(frames.values[:1], np.zeros_like(frames.start), frames.length)
    resident = share(data._replace(corpus=data.corpus._replace(frames=one)))
    return Streamed(resident, frames, window // frames.values[:1].nbytes)


def on_devices(data: PyTree) -> PyTree:
    """What of placed data can be given to a program that looks at no frames."""
    return data.resident if isinstance(data, Streamed) else data


def rows_together(f: Callable, data: PyTree, rows: PyTree) -> int:
    """`memory.most_together` beside two windows."""
    if not isinstance(data, Streamed):
        return most_together(f, data, rows)
    values = data.frames.values
    window = jax.ShapeDtypeStruct((data.count, values.shape[1]), values.dtype)
    frames = data.resident.corpus.frames
    shapes = _with_frames(data.resident, frames._replace(values=window))
    return most_together(f, shapes, rows, 2 * window.size * values.dtype.itemsize)


def _with_frames(data: Data, frames: Ragged) -> Data:
    return data._replace(corpus=data.corpus._replace(frames=frames))


# Windows ---------------------------------------------------------------------------------------


def ranges(
    length: np.ndarray, count: int, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """In what turns runs go through their batches, when they see `count` frames at a time.

    Args:
      length: int[N], frames of the utterances.
      rows: int[S, n, b], of each run its batches, -1 for padding; none follows an empty one.

    Yields:
      (utterances, first, last): whom a window holds, int[m], and which batches [first, last) each
      run computes of it, int32[S].

    Raises:
      ValueError: a batch may have more frames, be it of the longest utterances.
    """
    size = rows.shape[2]
    most = np.sort(length)[-size:].sum()
    if most > count:
        raise ValueError(
            f"a batch of {size} utterances can have {most:,} frames, and beside the networks a "
            f"device has room for {count:,}: use a smaller --batch_size, or shorter utterances "
            "(--max_seconds)"
        )
    # Runs that differ in lambda alone see the same batches.
    distinct, of_run = np.unique(rows.reshape(len(rows), -1), axis=0, return_inverse=True)
    distinct, of_run = distinct.reshape(-1, *rows.shape[1:]), of_run.reshape(-1)
    first, last = (np.zeros(len(distinct), np.int32) for _ in range(2))
    inside, taken = np.zeros(len(length), bool), 0
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
            last[run] += len(batch) > 0
    if (last > first).any():
        yield np.flatnonzero(inside), first[of_run], last[of_run]


def _windows(data: Streamed, rows: np.ndarray) -> Iterator[tuple[Data, jax.Array, jax.Array]]:
    """Windows on the devices and what to compute of each, see `ranges`."""
    values, start, length = data.frames
    for utterances, first, last in ranges(length, data.count, rows):
        # Memory of its own each time: a CPU's devices read it where it lies.
        held = room((data.count, values.shape[1]), values.dtype)
        moved = np.zeros_like(start)
        moved[utterances] = np.cumsum(length[utterances]) - length[utterances]
        for i in utterances:
            held[moved[i] : moved[i] + length[i]] = values[start[i] : start[i] + length[i]]
        frames = data.resident.corpus.frames._replace(values=share(held), start=share(moved))
        yield _with_frames(data.resident, frames), deal(first), deal(last)


def _ahead(items: Iterator) -> Iterator:
    """The items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
            item = None  # given up before the one after the next is begun


def _in_windows(f: Callable, data: Streamed, rows: np.ndarray, carry: PyTree) -> PyTree:
    """The last carry = f(window, carry, first, last) of the windows that `rows` take."""
    for window, first, last in _ahead(_windows(data, rows)):
        carry = jax.block_until_ready(f(window, carry, first, last))
        del window
    return carry


# What goes through them ------------------------------------------------------------------------


def epoch_in_windows(make, architecture, settings, data: Streamed, runs, fits):
    """`epoch.epoch` of a stack of runs; (fits, {name: [S]})."""
    still = make, architecture, settings
    batches, sums = _begin_all(*still, data.resident, runs, fits)

    def steps(window, carry, first, last):
        return _advance_all(*still, window, runs, *carry, batches, first, last)

    fits, sums = _in_windows(steps, data, collect(batches), (fits, sums))
    going = collect(fits.status) == RUNNING
    outputs = look_in_windows(make, architecture, data, runs, fits.params, going)
    return _finish_all(*still, data.resident, runs, fits, sums, outputs)


def look_in_windows(make, architecture, data: Streamed, runs, params, going=True) -> PyTree:
    """`epoch.look_at_all` of a stack of runs, of those that are `going`, bool[S]."""
    blocks, seen = _unseen_all(make, architecture, data.resident, runs, params)

    def some(window, seen, first, last):
        return _look_all(make, architecture, window, runs, params, seen, first, last)

    blocks = collect(blocks)
    blocks[~np.broadcast_to(going, len(blocks))] = -1
    return _in_windows(some, data, blocks, seen)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _begin_all(make, architecture, settings, data, runs, fits):
    def one(data, row):
        run, fit = row
        batches, sums = begin(make(architecture, data, run), run.key, fit, settings)
        return jnp.where(fit.status == RUNNING, batches, -1), sums

    return over_runs(one, data, (runs, fits))


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=(5, 6))
def _advance_all(make, architecture, settings, data, runs, fits, sums, batches, first, last):
    def one(data, row):
        run, *rest, first, last = row
        return advance(make(architecture, data, run), run.key, *rest, settings, first, last)

    return over_runs(one, data, (runs, fits, sums, batches, first, last))


@partial(jax.jit, static_argnums=(0, 1))
def _unseen_all(make, architecture, data, runs, params):
    def one(data, row):
        run, params = row
        problem = make(architecture, data, run)
        return problem.blocks, unseen(problem, params)

    return over_runs(one, data, (runs, params))


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=(5,))
def _look_all(make, architecture, data, runs, params, seen, first, last):
    def one(data, row):
        run, *rest = row
        return look(make(architecture, data, run), *rest)

    return over_runs(one, data, (runs, params, seen, first, last))


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=(5,))
def _finish_all(make, architecture, settings, data, runs, fits, sums, outputs):
    def one(data, row):
        run, fit, sums, outputs = row
        problem = make(architecture, data, run)
        return unless_stopped(lambda fit: finish(problem, fit, sums, outputs, settings), fit)

    return over_runs(one, data, (runs, fits, sums, outputs))
