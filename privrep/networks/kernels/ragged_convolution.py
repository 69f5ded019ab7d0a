"""Convolutions over utterances of any length, none of them padded: the form for CPU cores.

Utterances lie end to end. The convolutions go over them in windows of a fixed number of frames, as
many windows as there are frames. That number is known when the batch is, not when the program is
compiled, so that one compiled program computes any batch at about the cost of its own frames.
`ragged_gru.py` goes on from there; the tests hold both to the padded form.

Nothing here may be differentiated twice, and nothing should be under vmap: a loop of which every
row wants another number of turns takes the largest. Accelerators use the padded form.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from privrep.types import Spans

PyTree = Any
_WINDOW = 2048  # frames at most: what the layers make of them stays in the cache


# Not x[i] and x.at[i].set, which become gathers and scatters.
def get(x: jax.Array, i) -> jax.Array:
    """x[i]."""
    return jax.lax.dynamic_index_in_dim(x, i, 0, keepdims=False)


def put(x: jax.Array, row: jax.Array, i) -> jax.Array:
    """x with x[i] = row."""
    return jax.lax.dynamic_update_index_in_dim(x, row, i, 0)


def rows_of(x: jax.Array, index: jax.Array) -> jax.Array:
    """x[index], int32[...] of which none is out of bounds: half the time where it is not looked."""
    flat = x.at[index.reshape(-1)].get(mode="promise_in_bounds")
    return flat.reshape(*index.shape, *x.shape[1:])


def owner(row: jax.Array, first: jax.Array) -> jax.Array:
    """Which utterance lies at each row, int32[M], where each one begins at its `first`."""
    return jnp.maximum((row[:, None] >= first[None, :]).sum(1) - 1, 0)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def over_windows(f: Callable, most: int, params: PyTree, shared: PyTree, count: jax.Array):
    """f(params, shared, i) for the windows i < count, end to end; zeros behind them.

    Args:
      f: -> float[rows, C].
      most: windows that there is room for.
      params: what has a gradient; `shared` has none.
      count: int32.

    Returns:
      [most * rows, C].
    """
    shape = jax.eval_shape(f, params, shared, jnp.int32(0))

    def one(i, out):
        return put(out, f(params, shared, i), i)

    out = jax.lax.fori_loop(0, count, one, jnp.zeros((most, *shape.shape), shape.dtype))
    return out.reshape(-1, *shape.shape[1:])


def _windows_forward(f, most, params, shared, count):
    def forward(params, shared, i):
        return jax.vjp(lambda params: f(params, shared, i), params)

    # What a window's gradient needs, kept for each: `back` is a tree of arrays that can be called.
    shapes = jax.eval_shape(forward, params, shared, jnp.int32(0))
    room, tree = jax.tree.flatten(
        jax.tree.map(lambda a: jnp.zeros((most, *a.shape), a.dtype), shapes)
    )

    def one(i, kept):
        found = jax.tree.leaves(forward(params, shared, i))
        return [put(k, v, i) for k, v in zip(kept, found)]

    out, back = jax.tree.unflatten(tree, jax.lax.fori_loop(0, count, one, room))
    return out.reshape(-1, *out.shape[2:]), (params, back, count)


def _windows_backward(f, most, residuals, slopes):
    params, back, count = residuals
    slopes = slopes.reshape(most, -1, *slopes.shape[1:])

    def one(i, total):
        of_window = jax.tree.map(lambda a: get(a, i), back)
        return jax.tree.map(jnp.add, total, of_window(get(slopes, i))[0])

    zeros = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.fori_loop(0, count, one, zeros), None, None


over_windows.defvjp(_windows_forward, _windows_backward)


def convolved(
    stack: Callable,
    rates: tuple[int, ...],
    width: int,
    usual: float,
    params: PyTree,
    spans: Spans,
    length: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array, int]:
    """A stack of convolutions over utterances that lie anywhere in a corpus.

    Args:
      stack: (params, x [T, 1, F], masks [T / rate, 1, 1] of each layer) -> [T / last rate, 1, C].
      rates: of every layer's frames, how many of the corpus's frames one stands for; rising.
      width: of the convolutions.
      usual: mean length of the corpus or so: a batch of such utterances fills its last window.
      spans, length: int32[B], the utterances.

    Returns:
      x [M, C], the lengths int32[B] there, each utterance's first row int32[B], and the largest
      length there can be.
    """
    stride, halo, gap = _spacing(rates, width)
    units = -(-length // stride)
    first = jnp.cumsum(units + gap) - (units + gap)
    longest = -(-spans.longest // stride)
    size = _window(len(length), usual, stride, gap)
    most = -(-len(length) * (longest + gap) * stride // size)
    count = -(-(units + gap).sum() * stride // size)

    def window(params, shared, i):
        spans, first, length = shared
        place = i * size - halo + jnp.arange(size + 2 * halo, dtype=jnp.int32)
        who = owner(place // stride, first)
        time = place - first[who] * stride
        masks = []
        for rate in rates:
            now, limit = time[::rate] // rate, -(-length // rate)
            valid = (now >= 0) & (now < limit[who[::rate]])
            masks.append(valid.astype(jnp.float32)[:, None, None])
        row = jnp.clip(spans.start[who] + time, 0, len(spans.values) - 1)
        x = rows_of(spans.values, row).astype(jnp.float32)
        if spans.mean is not None:
            x = (x - spans.mean[None]) * spans.scale[None]
        # Not x * mask: what lies there is another utterance's, and may be anything.
        x = jnp.where(masks[0][:, 0] > 0, x, 0)
        y = stack(params, x[:, None], masks)
        return y[halo // stride : len(y) - halo // stride, 0]

    shared = (spans._replace(longest=None), first, length)
    return over_windows(window, most, params, shared, count), units, first, longest


def _spacing(rates, width):
    """Stride; frames of a window's rim, which its inner frames see; zeros between utterances."""
    stride, reach = rates[-1], sum((width // 2) * rate for rate in rates)
    return stride, -(-reach // (2 * stride)) * 2 * stride, width // 2


def _window(batch: int, usual: float, stride: int, gap: int) -> int:
    """Frames of a window: the fewest windows that hold a usual batch have little room to spare."""
    frames = batch * (math.ceil(usual / stride) + gap) * stride
    step = 16 * stride  # the fast convolution works on groups of 4 frames of the last layer
    return -(-frames // (-(-frames // _WINDOW) * step)) * step
