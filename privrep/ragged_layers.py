"""Convolutions and GRU over utterances of any length, none of them padded: the form for CPU cores.

Utterances lie end to end. The convolutions go over them in windows of a fixed number of frames, as
many windows as there are frames; the GRU goes over groups of utterances of like length in steps of
a fixed number, as many as the longest of the group has. Both numbers are known when the batch is,
not when the program is compiled, so that one compiled program computes any batch at about the cost
of its own frames. tests/test_ragged_layers.py holds both to the padded form.

Nothing here may be differentiated twice, and nothing should be under vmap: a loop of which every
row wants another number of turns takes the largest. Accelerators use the padded form.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from privrep.layers import gru_gradients, gru_states, matmul, outer
from privrep.utterances import Spans

PyTree = Any
_WINDOW = 2048  # frames: what the layers make of them stays in the cache
_TURN = 32  # GRU steps between two looks at whether anyone is left


# Not x[i] and x.at[i].set, which become gathers and scatters.
def _get(x, i):
    return jax.lax.dynamic_index_in_dim(x, i, 0, keepdims=False)


def _put(x, row, i):
    return jax.lax.dynamic_update_index_in_dim(x, row, i, 0)


def _owner(row, first):
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
        return _put(out, f(params, shared, i), i)

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
        return [_put(k, v, i) for k, v in zip(kept, found)]

    out, back = jax.tree.unflatten(tree, jax.lax.fori_loop(0, count, one, room))
    return out.reshape(-1, *out.shape[2:]), (params, back, count)


def _windows_backward(f, most, residuals, slopes):
    params, back, count = residuals
    slopes = slopes.reshape(most, -1, *slopes.shape[1:])

    def one(i, total):
        of_window = jax.tree.map(lambda a: _get(a, i), back)
        return jax.tree.map(jnp.add, total, of_window(_get(slopes, i))[0])

    zeros = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.fori_loop(0, count, one, zeros), None, None


over_windows.defvjp(_windows_forward, _windows_backward)


def convolved(
    stack: Callable, rates: tuple[int, ...], width: int, params: PyTree, spans: Spans, length
) -> tuple[jax.Array, jax.Array, jax.Array, int]:
    """A stack of convolutions over utterances that lie anywhere in a corpus.

    Args:
      stack: (params, x [T, 1, F], masks [T / rate, 1, 1] of each layer) -> [T / last rate, 1, C].
      rates: of every layer's frames, how many of the corpus's frames one stands for; rising.
      width: of the convolutions.
      spans, length: int32[B], the utterances.

    Returns:
      x [M, C], the lengths int32[B] there, each utterance's first row int32[B], and the largest
      length there can be.
    """
    stride, halo, gap = _spacing(rates, width)
    units = -(-length // stride)
    first = jnp.cumsum(units + gap) - (units + gap)
    longest = -(-spans.longest // stride)
    most = -(-len(length) * (longest + gap) * stride // _WINDOW)
    count = -(-(units + gap).sum() * stride // _WINDOW)

    def window(params, shared, i):
        spans, first, length = shared
        place = i * _WINDOW - halo + jnp.arange(_WINDOW + 2 * halo, dtype=jnp.int32)
        who = _owner(place // stride, first)
        time = place - first[who] * stride
        masks = []
        for rate in rates:
            now, limit = time[::rate] // rate, -(-length // rate)
            valid = (now >= 0) & (now < limit[who[::rate]])
            masks.append(valid.astype(jnp.float32)[:, None, None])
        row = jnp.clip(spans.start[who] + time, 0, len(spans.values) - 1)
        x = spans.values[row].astype(jnp.float32)
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


def frames_computed(length: np.ndarray, rates: tuple[int, ...], width: int) -> np.ndarray:
    """How many frames `convolved` goes over for batches of these lengths, int[..., B] -> int[...].

    Rims and what is left of the last window included (host).
    """
    stride, halo, gap = _spacing(rates, width)
    windows = -(-((-(-length // stride) + gap).sum(-1) * stride) // _WINDOW)
    return windows * (_WINDOW + 2 * halo)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def gru_pooled(
    pool: Callable, groups: int, most: int, layers: PyTree, x: jax.Array, first, length
) -> jax.Array:
    """A stack of GRUs over utterances that lie in `x`, and their states as one vector each.

    Args:
      pool: (pooled so far [b, H], states [t, b, H], time int32[t], length int32[b]) -> pooled.
      groups: utterances are taken in so many groups, each as long as its longest.
      most: the largest length there can be.
      layers: (kernel [C, 3H], bias [3H], recurrent [H, 3H], inner bias [H]) of each layer.
      x: [M, C]. Utterance b is x[first[b] : first[b] + length[b]].
      first, length: int32[B], `first` rising, B divisible by `groups`.

    Returns:
      [B, H]; 0 for an empty utterance.
    """
    return _forward(pool, groups, most, layers, x, first, length, keep=False)[0]


def turns_of(groups, length):
    """Of each group the number of its turns, and the number of the first of them."""
    turns = -(-length.reshape(groups, -1).max(1) // _TURN)
    return turns, jnp.cumsum(turns) - turns


class _Turn(NamedTuple):
    """Turn `number` of a group of b utterances: rows of x, int32[_TURN, b], and their times."""

    group: jax.Array
    number: jax.Array
    rows: jax.Array
    time: jax.Array
    length: jax.Array  # int32[b]
    count: jax.Array  # steps until the longest of the group ends


def _turn(i, turns, begin, x, first, length) -> _Turn:
    size = len(length) // len(turns)
    group = (i >= begin + turns).sum()
    number = i - begin[group]
    time = number * _TURN + jnp.arange(_TURN, dtype=jnp.int32)
    first, length = (_of_group(a, group, size) for a in (first, length))
    rows = jnp.minimum(first[None, :] + time[:, None], len(x) - 1)
    count = jnp.clip(length.max() - number * _TURN, 1, _TURN)
    return _Turn(group, number, rows, time, length, count)


def _of_group(a, group, size):
    return jax.lax.dynamic_slice_in_dim(a, group * size, size)


def _forward(pool, groups, most, layers, x, first, length, keep):
    size, width = len(length) // groups, len(layers[0][2])
    turns, begin = turns_of(groups, length)

    def one(i, carry):
        h, pooled, out, kept = carry
        turn = _turn(i, turns, begin, x, first, length)
        h = jnp.where(turn.number > 0, h, 0)
        pooled = jnp.where(turn.number > 0, pooled, 0)
        below, before, last = x[turn.rows], pooled, []
        for number, (kernel, bias, recurrent, inner) in enumerate(layers):
            gates = matmul(below, kernel) + jnp.expand_dims(bias, (0, 1))
            states = gru_states(gates, recurrent, inner, h[number], turn.count)
            below = states[1:]
            last.append(states)
        pooled = pool(pooled, below, turn.time, turn.length)
        out = jax.lax.dynamic_update_slice_in_dim(out, pooled, turn.group * size, 0)
        if keep:
            kept = tuple(_put(k, new, i) for k, new in zip(kept, (jnp.stack(last), before)))
        return jnp.stack([states[-1] for states in last]), pooled, out, kept

    room = groups * -(-most // _TURN)
    shape = (size, width)
    kept = ()
    if keep:
        kept = (
            jnp.zeros((room, len(layers), _TURN + 1, *shape), x.dtype),
            jnp.zeros((room, *shape), x.dtype),
        )
    start = (
        jnp.zeros((len(layers), *shape), x.dtype),
        jnp.zeros(shape, x.dtype),
        jnp.zeros((len(length), width), x.dtype),
        kept,
    )
    _, _, out, kept = jax.lax.fori_loop(0, turns.sum(), one, start)
    return out, kept


def _gru_forward(pool, groups, most, layers, x, first, length):
    out, kept = _forward(pool, groups, most, layers, x, first, length, keep=True)
    return out, (layers, x, first, length, kept)


def _gru_backward(pool, groups, most, residuals, slopes):
    layers, x, first, length, (kept, kept_pooled) = residuals
    size = len(length) // groups
    turns, begin = turns_of(groups, length)
    total = turns.sum()

    def one(k, carry):
        dh, dpooled, gradients, dx = carry
        i = total - 1 - k
        turn = _turn(i, turns, begin, x, first, length)
        last = turn.number == turns[turn.group] - 1
        dh = jnp.where(last, 0, dh)
        dpooled = jnp.where(last, _of_group(slopes, turn.group, size), dpooled)
        states, before = _get(kept, i), _get(kept_pooled, i)
        back = jax.vjp(lambda p, s: pool(p, s, turn.time, turn.length), before, states[-1, 1:])[1]
        dpooled, dbelow = back(dpooled)
        dstart, found = [], []
        for number in reversed(range(len(layers))):
            kernel, bias, recurrent, inner = layers[number]
            below = states[number - 1, 1:] if number else x[turn.rows]
            gates = matmul(below, kernel) + jnp.expand_dims(bias, (0, 1))
            dbelow = dbelow + jnp.where(
                jnp.arange(_TURN)[:, None, None] == _TURN - 1, dh[number][None], 0
            )
            dgates, drecurrent, dinner, earlier = gru_gradients(
                gates, states[number], recurrent, inner, dbelow, turn.count
            )
            found.append((outer(below, dgates), dgates.sum((0, 1)), drecurrent, dinner))
            dstart.append(earlier)
            dbelow = matmul(dgates, kernel.T)
        gradients = jax.tree.map(jnp.add, gradients, tuple(reversed(found)))
        return jnp.stack(dstart[::-1]), dpooled, gradients, _put(dx, dbelow, i)

    zeros = jax.tree.map(jnp.zeros_like, tuple(map(tuple, layers)))
    carry = (
        jnp.zeros_like(kept[0, :, 0]),
        jnp.zeros_like(kept_pooled[0]),
        zeros,
        jnp.zeros((len(kept), _TURN, size, x.shape[-1]), x.dtype),
    )
    _, _, gradients, dx = jax.lax.fori_loop(0, total, one, carry)
    # Back to where the inputs lie: a gather, since a scatter is a loop over rows on a CPU.
    row = jnp.arange(len(x), dtype=jnp.int32)
    who = _owner(row, first)
    time = row - first[who]
    within = (time >= 0) & (time < length[who])
    time = jnp.clip(time, 0, most - 1)
    turn = jnp.minimum(begin[who // size] + time // _TURN, len(kept) - 1)
    dx = jnp.where(within[:, None], dx[turn, time % _TURN, who % size], 0)
    return gradients, dx, None, None


gru_pooled.defvjp(_gru_forward, _gru_backward)
