"""Convolutions over utterances of different lengths without padding, for CPU cores.

The utterances are stored end to end. The convolutions are computed in windows of a fixed number of
frames, and the number of windows depends on the batch at run time. One compiled program therefore
computes any batch at about the cost of its frames. `ragged_gru.py` is the counterpart for GRUs.
Tests compare both with the padded form.

These functions cannot be differentiated twice. Do not use them under vmap, where a loop takes the
largest number of iterations of all rows; accelerators use the padded form.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.types import FrameMasks, Spans

PyTree = Any
_WINDOW = 2048  # the maximum number of frames: the activations of so many stay in the cache


# x[i] and x.at[i].set would be compiled to a gather and a scatter.
def get(x: jax.Array, i: jax.Array) -> jax.Array:
    """x[i]."""
    return jax.lax.dynamic_index_in_dim(x, i, 0, keepdims=False)


def put(x: jax.Array, row: jax.Array, i: jax.Array) -> jax.Array:
    """x with x[i] replaced by row."""
    return jax.lax.dynamic_update_index_in_dim(x, row, i, 0)


def rows_of(x: jax.Array, index: jax.Array) -> jax.Array:
    """x[index] for int32[...] within bounds; without a check of bounds it takes half the time."""
    flat = x.at[index.reshape(-1)].get(mode="promise_in_bounds")
    return flat.reshape(*index.shape, *x.shape[1:])


def covered(start: jax.Array, stop: jax.Array, place: jax.Array) -> jax.Array:
    """Whether each place lies in an interval [start, stop), bool of the shape of `place`.

    Args:
      start, stop: int32[..., n], the intervals.
      place: int32[...].
    """
    place = place[..., None]
    return ((place >= start) & (place < stop)).any(-1)


def owner(row: jax.Array, first: jax.Array) -> jax.Array:
    """The utterance at each row, int32[M], for utterances that begin at the rows `first`."""
    # By bisection: a comparison of every row with every utterance would be written to memory.
    return jnp.maximum(jnp.searchsorted(first, row, side="right").astype(jnp.int32) - 1, 0)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def over_windows(
    f: Callable, capacity: int, params: PyTree, shared: PyTree, count: jax.Array
) -> jax.Array:
    """f(params, shared, i) for the windows i < count, end to end, followed by zeros.

    Args:
      f: (params, shared, i) -> float[rows, C].
      capacity: the maximum number of windows.
      params: arguments with a gradient; `shared` has none.
      count: int32, the number of windows of this batch.

    Returns:
      [capacity * rows, C].
    """
    shape = jax.eval_shape(f, params, shared, jnp.int32(0))

    def write(i: jax.Array, out: jax.Array) -> jax.Array:
        return put(out, f(params, shared, i), i)

    out = jax.lax.fori_loop(0, count, write, jnp.zeros((capacity, *shape.shape), shape.dtype))
    return out.reshape(-1, *shape.shape[1:])


def _windows_forward(
    f: Callable, capacity: int, params: PyTree, shared: PyTree, count: jax.Array
) -> tuple[jax.Array, PyTree]:
    return over_windows(f, capacity, params, shared, count), (params, shared, count)


def _windows_backward(
    f: Callable, capacity: int, residuals: PyTree, cotangent: jax.Array
) -> tuple[PyTree, None, None]:
    params, shared, count = residuals
    cotangents = cotangent.reshape(capacity, -1, *cotangent.shape[1:])

    def add(i: jax.Array, total: PyTree) -> PyTree:
        # Computes the window again: to write what its gradient needs into memory for all windows,
        # which XLA clears at every step, and to read it back takes longer.
        back = jax.vjp(lambda params: f(params, shared, i), params)[1]
        return jax.tree.map(jnp.add, total, back(get(cotangents, i))[0])

    zeros = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.fori_loop(0, count, add, zeros), None, None


over_windows.defvjp(_windows_forward, _windows_backward)


class Convolutions(NamedTuple):
    """A stack of convolutions.

    Attributes:
      stack: (params, x [T, 1, F], masks [T / rate, 1, 1] of each layer) -> [T / last rate, 1, C].
      rates: the number of frames of the corpus per frame of each layer, in increasing order.
      width: in frames.
    """

    stack: Callable
    rates: tuple[int, ...]
    width: int


def convolved(
    convolutions: Convolutions,
    mean_length: float,
    params: PyTree,
    spans: Spans,
    length: jax.Array,
    hidden: FrameMasks | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array, int]:
    """A stack of convolutions over utterances at any place of a corpus.

    Args:
      convolutions: of which layers.
      mean_length: of the utterances of the corpus, approximately. The windows are sized so that a
        batch of this mean length fills them.
      params: of `convolution.stack`.
      spans: the utterances.
      length: int32[B], their numbers of frames.
      hidden: what is 0 in place of their frames; None: nothing.

    Returns:
      (x, length, first, longest): the result [M, C] with the utterances end to end, their lengths
      in it int32[B], their first rows int32[B], and the largest possible length.
    """
    stack, rates, width = convolutions
    stride, halo, gap = _spacing(rates, width)
    out_length = -(-length // stride)
    first = jnp.cumsum(out_length + gap) - (out_length + gap)
    longest = -(-spans.longest // stride)
    size = _window(len(length), mean_length, stride, gap)
    capacity = -(-len(length) * (longest + gap) * stride // size)
    count = -(-(out_length + gap).sum() * stride // size)

    def window(params: PyTree, shared: PyTree, i: jax.Array) -> jax.Array:
        spans, first, length, hidden = shared
        place = i * size - halo + jnp.arange(size + 2 * halo, dtype=jnp.int32)
        utterance = owner(place // stride, first)
        time = place - first[utterance] * stride
        masks = []
        for rate in rates:
            now, limit = time[::rate] // rate, -(-length // rate)
            valid = (now >= 0) & (now < limit[utterance[::rate]])
            masks.append(valid.astype(jnp.float32)[:, None, None])
        row = jnp.clip(spans.start[utterance] + time, 0, len(spans.values) - 1)
        x = rows_of(spans.values, row).astype(jnp.float32)
        if spans.mean is not None:
            x = (x - spans.mean[None]) * spans.scale[None]
        # Not x * mask: the frames between belong to other utterances and may be NaN.
        x = jnp.where(masks[0][:, 0] > 0, x, 0)
        if hidden is not None:
            x = _shown(x, hidden, utterance, time)
        y = stack(params, x[:, None], masks)
        return y[halo // stride : len(y) - halo // stride, 0]

    # The arrays alone: a Python number would become an array of the program.
    arrays = spans._replace(longest=None)  # type: ignore[arg-type]
    x = over_windows(window, capacity, params, (arrays, first, length, hidden), count)
    return x, out_length, first, longest


def _shown(x: jax.Array, hidden: FrameMasks, utterance: jax.Array, time: jax.Array) -> jax.Array:
    """The frames x [M, F] of utterances int32[M] at times int32[M], 0 where they are hidden."""
    band = jnp.arange(x.shape[1], dtype=jnp.int32)[None]
    bands = covered(hidden.band_start[:, None], hidden.band_stop[:, None], band)
    times = covered(
        rows_of(hidden.time_start, utterance), rows_of(hidden.time_stop, utterance), time
    )
    return jnp.where(times[:, None] | rows_of(bands, utterance), 0, x)


def _spacing(rates: tuple[int, ...], width: int) -> tuple[int, int, int]:
    """(stride, halo, gap) of the windows.

    The stride is the last rate. The halo is the number of frames on each side of a window that only
    its inner frames read. The gap is the number of zeros between utterances, in output frames.
    """
    stride, reach = rates[-1], sum((width // 2) * rate for rate in rates)
    return stride, -(-reach // (2 * stride)) * 2 * stride, width // 2


def _window(batch: int, mean_length: float, stride: int, gap: int) -> int:
    """The number of frames of a window.

    It is chosen so that a batch of mean length nearly fills the smallest sufficient number of
    windows.
    """
    frames = batch * (math.ceil(mean_length / stride) + gap) * stride
    step = 16 * stride  # the fast convolution works on groups of 4 frames of the last layer
    return -(-frames // (-(-frames // _WINDOW) * step)) * step
