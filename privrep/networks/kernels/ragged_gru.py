"""GRUs over utterances of any length, none of them padded: the form for CPU cores.

Utterances lie end to end. A few lanes go over them side by side, each of which takes one utterance
after another in turns of a fixed number of steps, as many turns as the longest lane has: a number
known when the batch is, not when the program is compiled (see `ragged_convolution.py`).
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
_TURN = 16  # steps between two looks at who is left


class _Plan(NamedTuple):
    """Which lane computes each of B utterances in which turns, int32[B] each."""

    lane: jax.Array
    begin: jax.Array
    turns: jax.Array


def plan(lanes: int, length: jax.Array) -> _Plan:
    """Longest first, each utterance goes where the fewest turns wait (Graham 1969)."""
    turns = -(-length // _TURN)
    order = jnp.argsort(-turns)

    def place(load, turns):
        lane = jnp.argmin(load).astype(jnp.int32)
        return jnp.where(jnp.arange(lanes) == lane, load + turns, load), (lane, load[lane])

    _, placed = jax.lax.scan(place, jnp.zeros(lanes, jnp.int32), turns[order])
    lane, begin = (a[jnp.argsort(order)] for a in placed)
    return _Plan(lane, begin, turns)


def _room(lanes, rows, utterances, most):
    """Turns that no plan exceeds."""
    turns = rows // _TURN + utterances  # in all lanes; the last begins before the others are done
    return -(-turns // lanes) + -(-most // _TURN)


class _Turn(NamedTuple):
    """What the lanes compute in a turn; a lane that has nothing left has an utterance of length 0.

    Attributes:
      who: int32[lanes], the utterance.
      number: int32[lanes], of the turn among those of the utterance.
      last: bool[lanes], whether the utterance ends in it.
      rows, time: int32[_TURN, lanes], of x and within the utterance.
      length: int32[lanes].
      count: int32, steps until all have ended or the turn has.
    """

    who: jax.Array
    number: jax.Array
    last: jax.Array
    rows: jax.Array
    time: jax.Array
    length: jax.Array
    count: jax.Array


def _turn(i, plan, lanes, x, first, length) -> _Turn:
    here = (plan.begin <= i) & (i < plan.begin + plan.turns)
    here = here[None, :] & (plan.lane[None, :] == jnp.arange(lanes)[:, None])
    busy, who = here.any(1), jnp.argmax(here, 1).astype(jnp.int32)
    number = jnp.where(busy, i - plan.begin[who], 0)
    length = jnp.where(busy, length[who], 0)
    time = number[None, :] * _TURN + jnp.arange(_TURN, dtype=jnp.int32)[:, None]
    rows = jnp.minimum(first[who][None, :] + time, len(x) - 1)
    left = length - number * _TURN
    return _Turn(who, number, left <= _TURN, rows, time, length, jnp.clip(left.max(), 1, _TURN))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def gru_pooled(
    pool: Callable, lanes: int, most: int, layers: PyTree, x: jax.Array, first, length
) -> jax.Array:
    """A stack of GRUs over utterances that lie in `x`, and their states as one vector each.

    Args:
      pool: (pooled so far [b, H], states [t, b, H], time int32[t, b], length int32[b]) -> pooled.
      lanes: how many utterances are computed side by side. A lane takes one after another.
      most: the largest length there can be.
      layers: (kernel [C, 3H], bias [3H], recurrent [H, 3H], inner bias [H]) of each layer.
      x: [M, C]. Utterance b is x[first[b] : first[b] + length[b]].
      first, length: int32[B], `first` rising.

    Returns:
      [B, H]; 0 for an empty utterance.
    """
    return _forward(pool, lanes, most, layers, x, first, length, keep=False)[0]


def _forward(pool, lanes, most, layers, x, first, length, keep):
    planned = plan(lanes, length)
    shape = (lanes, len(layers[0][2]))

    def one(i, carry):
        h, pooled, pools, kept = carry
        turn = _turn(i, planned, lanes, x, first, length)
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

    room = _room(lanes, len(x), len(length), most)
    start = (
        jnp.zeros((len(layers), *shape), x.dtype),
        jnp.zeros(shape, x.dtype),
        jnp.zeros((room, *shape), x.dtype),
        jnp.zeros((room, len(layers), _TURN + 1, *shape), x.dtype) if keep else None,
    )
    total = (planned.begin + planned.turns).max()
    _, _, pools, kept = jax.lax.fori_loop(0, total, one, start)
    end = jnp.maximum(planned.begin + planned.turns - 1, 0)
    out = jnp.where((length > 0)[:, None], pools[end, planned.lane], 0)
    return out, (planned, pools, kept)


def _gru_forward(pool, lanes, most, layers, x, first, length):
    out, kept = _forward(pool, lanes, most, layers, x, first, length, keep=True)
    return out, (layers, x, first, length, kept)


def _gru_backward(pool, lanes, most, residuals, slopes):
    layers, x, first, length, (planned, pools, kept) = residuals
    total = (planned.begin + planned.turns).max()

    def one(k, carry):
        dh, dpooled, gradients, dx = carry
        i = total - 1 - k
        turn = _turn(i, planned, lanes, x, first, length)
        last = turn.last[:, None]
        dh = jnp.where(last[None], 0, dh)
        dpooled = jnp.where(last, slopes[turn.who], dpooled)
        states = get(kept, i)
        before = jnp.where((turn.number > 0)[:, None], get(pools, jnp.maximum(i - 1, 0)), 0)
        back = jax.vjp(lambda p, s: pool(p, s, turn.time, turn.length), before, states[-1, 1:])[1]
        dpooled, dbelow = back(dpooled)
        dstart, found = [], []
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
            found.append((outer(below, dgates), dgates.sum((0, 1)), drecurrent, dinner))
            dstart.append(earlier)
            dbelow = matmul(dgates, kernel.T)
        gradients = jax.tree.map(jnp.add, gradients, tuple(reversed(found)))
        return jnp.stack(dstart[::-1]), dpooled, gradients, put(dx, dbelow, i)

    carry = (
        jnp.zeros_like(kept[0, :, 0]),
        jnp.zeros_like(pools[0]),
        jax.tree.map(jnp.zeros_like, tuple(map(tuple, layers))),
        jnp.zeros((len(kept), _TURN, lanes, x.shape[-1]), x.dtype),
    )
    _, _, gradients, dx = jax.lax.fori_loop(0, total, one, carry)
    # Back to where the inputs lie: a gather, since a scatter is a loop over rows on a CPU.
    row = jnp.arange(len(x), dtype=jnp.int32)
    who = owner(row, first)
    time = row - first[who]
    within = (time >= 0) & (time < length[who])
    time = jnp.clip(time, 0, most - 1)
    turn = jnp.minimum(planned.begin[who] + time // _TURN, len(kept) - 1)
    place = (turn * _TURN + time % _TURN) * lanes + planned.lane[who]
    dx = jnp.where(within[:, None], rows_of(dx.reshape(-1, dx.shape[-1]), place), 0)
    return gradients, dx, None, None


gru_pooled.defvjp(_gru_forward, _gru_backward)
