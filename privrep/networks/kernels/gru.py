"""A GRU over padded sequences: the plain form and a fast form that equals it up to rounding.

All arrays are time-major, [T, B, C], so that a step of the recurrence is one contiguous block.
Padding comes after the valid frames: a forward recurrence does not read it before the frames that
count, and a loss over valid frames sends no gradient into it.

The plain form defines the layer. The fast form runs quickly on one core inside a loop over runs,
where a naive scan is several times slower. Tests compare both with a float64 reference.
"""

from typing import Any

import jax
import jax.numpy as jnp

from privrep.networks.kernels.matmul import outer, product


def frame_mask(num_frames: jax.Array, length: int, dtype: Any = jnp.float32) -> jax.Array:
    """1 for valid frames, 0 for padding. int32[B] -> dtype[T, B, 1]."""
    return (jnp.arange(length)[:, None] < num_frames[None, :]).astype(dtype)[..., None]


# GRU ---------------------------------------------------------------------------------------------


def plain_gru(gates: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """Gated recurrent unit with the reset gate after the product, as in torch, Keras and flax.

    r, z = sigmoid(gates[t] + h @ recurrent)[:H], [H:2H]
    n    = tanh(gates[t, 2H:] + r * ((h @ recurrent)[2H:] + bias))
    h'   = (1 - z) * n + z * h,   h = 0 at the start

    Args:
      gates: [T, B, 3H], the input's part of the gates, x @ kernel + bias, for all frames at once.
      recurrent: [H, 3H].
      bias: [H], inside the reset gate.

    Returns:
      [T, B, H], h after each frame.
    """

    def step(h: jax.Array, gate: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = _gru_cell(h, h @ recurrent, gate, bias)
        return h, h

    start = jnp.zeros((gates.shape[1], len(recurrent)), gates.dtype)
    return jax.lax.scan(step, start, gates)[1]


def _gru_gates(
    h: jax.Array, product: jax.Array, gate: jax.Array, bias: jax.Array
) -> tuple[jax.Array, ...]:
    """r, z, the inner product of n, and n of `plain_gru`; `product` is h @ recurrent."""
    width = h.shape[-1]
    r = jax.nn.sigmoid(gate[..., :width] + product[..., :width])
    z = jax.nn.sigmoid(gate[..., width : 2 * width] + product[..., width : 2 * width])
    inner = product[..., 2 * width :] + bias
    return r, z, inner, jnp.tanh(gate[..., 2 * width :] + r * inner)


def _gru_cell(h: jax.Array, product: jax.Array, gate: jax.Array, bias: jax.Array) -> jax.Array:
    _, z, _, n = _gru_gates(h, product, gate, jnp.broadcast_to(bias, h.shape))
    return n + z * (h - n)


@jax.custom_vjp
def gru(gates: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """`plain_gru` with a loop that XLA vectorises and a gradient that stores h only."""
    return _gru_forward(gates, recurrent, bias)[0]


def _gru_forward(
    gates: jax.Array, recurrent: jax.Array, bias: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    start = jnp.zeros((gates.shape[1], len(recurrent)), gates.dtype)
    states = gru_states(gates, recurrent, bias, start, len(gates))
    return states[1:], (gates, states, recurrent, bias)


def _gru_backward(residuals: tuple, dy: jax.Array) -> tuple[jax.Array, ...]:
    gates, states, recurrent, bias = residuals
    return gru_gradients(gates, states, recurrent, bias, dy, len(dy))[:3]


gru.defvjp(_gru_forward, _gru_backward)


def gru_states(
    gates: jax.Array,
    recurrent: jax.Array,
    bias: jax.Array,
    start: jax.Array,
    count: jax.Array | int,
) -> jax.Array:
    """`start` [B, H] followed by the states of `plain_gru` from there, [T + 1, B, H].

    Args:
      count: int32, the number of steps; later states are 0.
    """
    length, batch, _ = gates.shape

    # The gates of step t + 1 are read, and h of step t - 1 is written, in iteration t. Otherwise
    # XLA fuses the slicing into the gate arithmetic, which then runs ten times slower because it is
    # not vectorised.
    def step(t: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        h, gate, states = carry
        states = jax.lax.dynamic_update_index_in_dim(states, h, t, 0)
        ahead = jnp.minimum(t + 1, length - 1)
        next_gate = jax.lax.dynamic_index_in_dim(gates, ahead, 0, keepdims=False)
        return _gru_cell(h, product(h, recurrent), gate, bias), next_gate, states

    states = jnp.zeros((length + 1, batch, len(recurrent)), gates.dtype)
    h, _, states = jax.lax.fori_loop(0, count, step, (start, gates[0], states))
    return jax.lax.dynamic_update_index_in_dim(states, h, count, 0)


def gru_gradients(
    gates: jax.Array,
    states: jax.Array,
    recurrent: jax.Array,
    bias: jax.Array,
    dy: jax.Array,
    count: jax.Array | int,
) -> tuple[jax.Array, ...]:
    """Gradients with respect to gates, recurrent, bias and start of `gru_states`.

    Args:
      states: the result of `gru_states`.
      dy: [T, B, H], the gradient with respect to states[1:]; 0 from `count` on.
    """
    length, batch, width = len(states) - 1, states.shape[1], len(recurrent)
    # The frames of all utterances as rows: XLA vectorises column operations in two dimensions.
    before, gate = (a.reshape(length * batch, -1) for a in (states[:-1], gates))
    # Everything that does not depend on the incoming gradient, for all frames in one product.
    r, z, inner, n = _gru_gates(
        before, product(before, recurrent), gate, jnp.broadcast_to(bias, before.shape)
    )
    dn = (1 - z) * (1 - n * n)
    # The factors of dh, in columns: for the gradients of the product's n, of r and of z, which
    # product and gates share, and of the gates' n.
    factors = jnp.concatenate(
        [dn * r, dn * inner * r * (1 - r), (before - n) * z * (1 - z), dn, z]
        + [dy.reshape(before.shape)],
        -1,
    )
    # Transposed once: inside the loop the transposition would be repeated in each step.
    back = jnp.concatenate([recurrent[:, 2 * width :].T, recurrent[:, : 2 * width].T])

    def at(t: jax.Array | int) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(factors, jnp.maximum(t, 0) * batch, batch)

    def step(s: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        dh, factor, gradients = carry
        t = count - 1 - s
        dh = dh + factor[:, 5 * width :]
        four = factor[:, : 4 * width] * jnp.concatenate([dh, dh, dh, dh], -1)
        earlier = dh * factor[:, 4 * width : 5 * width] + product(four[:, : 3 * width], back)
        gradients = jax.lax.dynamic_update_slice_in_dim(gradients, four, t * batch, 0)
        return earlier, at(t - 1), gradients

    zero = jnp.zeros((batch, width), gates.dtype)
    carry = (zero, at(count - 1), jnp.zeros((length * batch, 4 * width), gates.dtype))
    dstart, _, gradients = jax.lax.fori_loop(0, count, step, carry)
    dgates, dproduct = gradients[:, width:].reshape(gates.shape), gradients[:, : 3 * width]
    drecurrent = jnp.roll(outer(before, dproduct), -width, 1)
    return dgates, drecurrent, dproduct[:, :width].sum(0), dstart
