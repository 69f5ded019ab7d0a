"""GRUs over utterances of different lengths without padding, for CPU cores.

The utterances are stored end to end. A few lanes are computed in parallel; a lane computes one
utterance after another, in turns of a fixed number of steps. The number of turns is that of the
longest lane, which depends on the batch at run time (see `ragged_convolution.py`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.networks.kernels.gru import gru_gradients, gru_states
from privrep.networks.kernels.matmul import matmul, outer
from privrep.networks.kernels.ragged_convolution import get, owner, put, rows_of

PyTree = Any
_TURN = 16  # steps of a turn; a lane changes its utterance only between turns


class RaggedSequences(NamedTuple):
    """Sequences end to end.

    Attributes:
      x: [M, C]. Sequence b is x[first[b] : first[b] + length[b]].
      first: int32[B], increasing.
      length: int32[B].
    """

    x: jax.Array
    first: jax.Array
    length: jax.Array


class _Plan(NamedTuple):
    """The lane of each of B utterances, its first turn, and its number of turns; int32[B] each."""

    lane: jax.Array
    begin: jax.Array
    turns: jax.Array


def plan(lanes: int, length: jax.Array) -> _Plan:
    """Assigns utterances to lanes, longest first, each to the lane with the fewest turns.

    (Graham, "Bounds on multiprocessing timing anomalies", 1969.)
    """
    turns = -(-length // _TURN)
    order = jnp.argsort(-turns)

    def place(load: jax.Array, turns: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        lane = jnp.argmin(load).astype(jnp.int32)
        return jnp.where(jnp.arange(lanes) == lane, load + turns, load), (lane, load[lane])

    _, placed = jax.lax.scan(place, jnp.zeros(lanes, jnp.int32), turns[order])
    lane, begin = (a[jnp.argsort(order)] for a in placed)
    return _Plan(lane, begin, turns)


def _max_turns(lanes: int, rows: int, utterances: int, longest: int) -> int:
    """An upper bound of the number of turns of any plan."""
    turns = rows // _TURN + utterances  # in all lanes; the last begins before the others end
    return -(-turns // lanes) + -(-longest // _TURN)


class _Turn(NamedTuple):
    """The work of the lanes in one turn; a lane without work has an utterance of length 0.

    Attributes:
      utterance: int32[lanes].
      number: int32[lanes], the number of the turn among those of the utterance.
      last: bool[lanes], whether the utterance ends in this turn.
      rows, time: int32[_TURN, lanes], the rows of x, and the times within the utterance.
      length: int32[lanes], of the utterance.
      count: int32, the number of steps until all utterances or the turn have ended.
    """

    utterance: jax.Array
    number: jax.Array
    last: jax.Array
    rows: jax.Array
    time: jax.Array
    length: jax.Array
    count: jax.Array  # type: ignore[assignment]  # tuple.count, which nobody calls


def _turn(i: jax.Array, plan: _Plan, lanes: int, sequences: RaggedSequences) -> _Turn:
    """Turn i of the plan."""
    in_turn = (plan.begin <= i) & (i < plan.begin + plan.turns)
    in_lane = in_turn[None, :] & (plan.lane[None, :] == jnp.arange(lanes)[:, None])
    busy, utterance = in_lane.any(1), jnp.argmax(in_lane, 1).astype(jnp.int32)
    number = jnp.where(busy, i - plan.begin[utterance], 0)
    length = jnp.where(busy, sequences.length[utterance], 0)
    time = number[None, :] * _TURN + jnp.arange(_TURN, dtype=jnp.int32)[:, None]
    rows = jnp.minimum(sequences.first[utterance][None, :] + time, len(sequences.x) - 1)
    left = length - number * _TURN
    count = jnp.clip(left.max(), 1, _TURN)
    return _Turn(utterance, number, left <= _TURN, rows, time, length, count)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def gru_pooled(
    pool: Callable,
    lanes: int,
    longest: int,
    layers: PyTree,
    x: jax.Array,
    first: jax.Array,
    length: jax.Array,
) -> jax.Array:
    """A stack of GRUs over the utterances in `x`, whose states are pooled to one vector each.

    Args:
      pool: (pooled so far [b, H], states [t, b, H], time int32[t, b], length int32[b]) -> pooled.
      lanes: the number of utterances that are computed in parallel.
      longest: the largest possible length.
      layers: (kernel [C, 3H], bias [3H], recurrent [H, 3H], inner bias [H]) of each layer.
      x, first, length: see `RaggedSequences`.

    Returns:
      [B, H]; 0 for an empty utterance.
    """
    return _forward(pool, lanes, longest, layers, RaggedSequences(x, first, length), keep=False)[0]


def _forward(
    pool: Callable, lanes: int, longest: int, layers: PyTree, sequences: RaggedSequences, keep: bool
) -> tuple[jax.Array, PyTree]:
    """(the result of `gru_pooled`, the residuals of its gradient, without states unless `keep`)."""
    x, _, length = sequences
    planned = plan(lanes, length)
    shape = (lanes, len(layers[0][2]))

    def step(i: jax.Array, carry: PyTree) -> PyTree:
        h, pooled, pools, kept = carry
        turn = _turn(i, planned, lanes, sequences)
        goes_on = (turn.number > 0)[:, None]
        h, pooled = jnp.where(goes_on[None], h, 0), jnp.where(goes_on, pooled, 0)
        below, states = rows_of(x, turn.rows), []
        for number, (kernel, bias, recurrent, inner) in enumerate(layers):
            gates = matmul(below, kernel) + jnp.expand_dims(bias, (0, 1))
            states.append(gru_states(gates, recurrent, inner, h[number], turn.count))
            below = states[-1][1:]
        pooled = pool(pooled, below, turn.time, turn.length)
        if keep:
            kept = put(kept, jnp.stack(states), i)
        return jnp.stack([s[-1] for s in states]), pooled, put(pools, pooled, i), kept

    max_turns = _max_turns(lanes, len(x), len(length), longest)
    start = (
        jnp.zeros((len(layers), *shape), x.dtype),
        jnp.zeros(shape, x.dtype),
        jnp.zeros((max_turns, *shape), x.dtype),
        jnp.zeros((max_turns, len(layers), _TURN + 1, *shape), x.dtype) if keep else None,
    )
    total = (planned.begin + planned.turns).max()
    _, _, pools, kept = jax.lax.fori_loop(0, total, step, start)
    end = jnp.maximum(planned.begin + planned.turns - 1, 0)
    out = jnp.where((length > 0)[:, None], pools[end, planned.lane], 0)
    return out, (planned, pools, kept)


def _gru_forward(
    pool: Callable,
    lanes: int,
    longest: int,
    layers: PyTree,
    x: jax.Array,
    first: jax.Array,
    length: jax.Array,
) -> tuple[jax.Array, PyTree]:
    sequences = RaggedSequences(x, first, length)
    out, kept = _forward(pool, lanes, longest, layers, sequences, keep=True)
    return out, (layers, sequences, kept)


def _gru_backward(
    pool: Callable, lanes: int, longest: int, residuals: PyTree, cotangent: jax.Array
) -> tuple[PyTree, jax.Array, None, None]:
    layers, sequences, (planned, pools, kept) = residuals
    x, first, length = sequences
    total = (planned.begin + planned.turns).max()

    def step(k: jax.Array, carry: PyTree) -> PyTree:
        dh, dpooled, gradients, dx = carry
        i = total - 1 - k
        turn = _turn(i, planned, lanes, sequences)
        last = turn.last[:, None]
        dh = jnp.where(last[None], 0, dh)
        dpooled = jnp.where(last, cotangent[turn.utterance], dpooled)
        states = get(kept, i)
        before = jnp.where((turn.number > 0)[:, None], get(pools, jnp.maximum(i - 1, 0)), 0)
        back = jax.vjp(lambda p, s: pool(p, s, turn.time, turn.length), before, states[-1, 1:])[1]
        dpooled, dbelow = back(dpooled)
        dstart, of_layers = [], []
        for number in reversed(range(len(layers))):
            kernel, bias, recurrent, inner = layers[number]
            below = states[number - 1, 1:] if number else rows_of(x, turn.rows)
            gates = matmul(below, kernel) + jnp.expand_dims(bias, (0, 1))
            dbelow = dbelow + jnp.where(
                jnp.arange(_TURN)[:, None, None] == _TURN - 1, dh[number][None], 0
            )
            dgates, drecurrent, dinner, earlier = gru_gradients(
                gates, states[number], recurrent, inner, dbelow, turn.count
            )
            of_layers.append((outer(below, dgates), dgates.sum((0, 1)), drecurrent, dinner))
            dstart.append(earlier)
            dbelow = matmul(dgates, kernel.T)
        gradients = jax.tree.map(jnp.add, gradients, tuple(reversed(of_layers)))
        return jnp.stack(dstart[::-1]), dpooled, gradients, put(dx, dbelow, i)

    carry = (
        jnp.zeros_like(kept[0, :, 0]),
        jnp.zeros_like(pools[0]),
        jax.tree.map(jnp.zeros_like, tuple(map(tuple, layers))),
        jnp.zeros((len(kept), _TURN, lanes, x.shape[-1]), x.dtype),
    )
    _, _, gradients, dx = jax.lax.fori_loop(0, total, step, carry)
    # From turns and lanes back to rows of x: a gather, as a scatter is a loop over rows on a CPU.
    row = jnp.arange(len(x), dtype=jnp.int32)
    utterance = owner(row, first)
    time = row - first[utterance]
    within = (time >= 0) & (time < length[utterance])
    time = jnp.clip(time, 0, longest - 1)
    turn = jnp.minimum(planned.begin[utterance] + time // _TURN, len(kept) - 1)
    place = (turn * _TURN + time % _TURN) * lanes + planned.lane[utterance]
    dx = jnp.where(within[:, None], rows_of(dx.reshape(-1, dx.shape[-1]), place), 0)
    return gradients, dx, None, None


gru_pooled.defvjp(_gru_forward, _gru_backward)
