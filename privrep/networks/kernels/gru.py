"""Products, masks and the fast form of a GRU beside the plain one it must equal.

Everything here is time-major, [T, B, C]: a step of the recurrence is then one contiguous block.
Padding lies behind the valid frames, so a forward recurrence never sees it before the frames that
count, and a loss that reads valid frames only sends no gradient into it.

The plain form is what the layer means; the fast one is what one core runs quickly inside a loop
over runs, where a naive scan is several times slower. Both give the same numbers to rounding
(the tests hold them to a float64 reference).
"""

import jax
import jax.numpy as jnp

from privrep.networks.kernels.matmul import outer, product


def frame_mask(num_frames: jax.Array, length: int, dtype=jnp.float32) -> jax.Array:
    """1 for valid frames, 0 for padding. int32[B] -> dtype[T, B, 1]."""
    return (jnp.arange(length)[:, None] < num_frames[None, :]).astype(dtype)[..., None]


# GRU ---------------------------------------------------------------------------------------------


def plain_gru(gates: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """Gated recurrent unit, the reset gate after the product (as torch, Keras and flax have it).

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

    def step(h, gate):
        h = _gru_cell(h, h @ recurrent, gate, bias)
        return h, h

    start = jnp.zeros((gates.shape[1], len(recurrent)), gates.dtype)
    return jax.lax.scan(step, start, gates)[1]


def _gru_gates(h, product, gate, bias):
    width = h.shape[-1]
    r = jax.nn.sigmoid(gate[..., :width] + product[..., :width])
    z = jax.nn.sigmoid(gate[..., width : 2 * width] + product[..., width : 2 * width])
    inner = product[..., 2 * width :] + bias
    return r, z, inner, jnp.tanh(gate[..., 2 * width :] + r * inner)


def _gru_cell(h, product, gate, bias):
    _, z, _, n = _gru_gates(h, product, gate, jnp.broadcast_to(bias, h.shape))
    return n + z * (h - n)


@jax.custom_vjp
def gru(gates: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """`plain_gru` with a loop that XLA vectorises and a gradient that keeps h only."""
    return _gru_forward(gates, recurrent, bias)[0]


def _gru_forward(gates, recurrent, bias):
    start = jnp.zeros((gates.shape[1], len(recurrent)), gates.dtype)
    states = gru_states(gates, recurrent, bias, start, len(gates))
    return states[1:], (gates, states, recurrent, bias)


def _gru_backward(residuals, dy):
    return gru_gradients(*residuals, dy, len(dy))[:3]


gru.defvjp(_gru_forward, _gru_backward)


def gru_states(gates, recurrent, bias, start, count) -> jax.Array:
    """[T + 1, B, H]: `start` [B, H], the states of `plain_gru` from there on, 0 behind `count`."""
    length, batch, _ = gates.shape

    # The next gates are fetched, and the last h is written, one iteration apart from where they
    # are computed: XLA would otherwise fuse the slicing into the gate arithmetic, which then runs
    # ten times slower because it no longer vectorises.
    def step(t, carry):
        h, gate, states = carry
        states = jax.lax.dynamic_update_index_in_dim(states, h, t, 0)
        ahead = jnp.minimum(t + 1, length - 1)
        following = jax.lax.dynamic_index_in_dim(gates, ahead, 0, keepdims=False)
        return _gru_cell(h, product(h, recurrent), gate, bias), following, states

    states = jnp.zeros((length + 1, batch, len(recurrent)), gates.dtype)
    h, _, states = jax.lax.fori_loop(0, count, step, (start, gates[0], states))
    return jax.lax.dynamic_update_index_in_dim(states, h, count, 0)


def gru_gradients(gates, states, recurrent, bias, dy, count) -> tuple[jax.Array, ...]:
    """Gradients with respect to gates, recurrent, bias and start of `gru_states`.

    Args:
      states: its result.
      dy: [T, B, H], the gradient with respect to states[1:]; 0 from `count` on.
    """
    length, batch, width = len(states) - 1, states.shape[1], len(recurrent)
    # Rows of all frames: in two dimensions XLA vectorises what it does with columns.
    before, gate = (a.reshape(length * batch, -1) for a in (states[:-1], gates))
    # Everything that does not depend on the incoming gradient, for all frames in one product.
    r, z, inner, n = _gru_gates(
        before, product(before, recurrent), gate, jnp.broadcast_to(bias, before.shape)
    )
    dn = (1 - z) * (1 - n * n)
    # What dh is multiplied with: first, side by side, for the gradients of the product's n, of r
    # and z, which product and gates share, and of the gates' n.
    factors = jnp.concatenate(
        [dn * r, dn * inner * r * (1 - r), (before - n) * z * (1 - z), dn, z]
        + [dy.reshape(before.shape)],
        -1,
    )
    # A transpose would be part of the product, and be done again in each step.
    back = jnp.concatenate([recurrent[:, 2 * width :].T, recurrent[:, : 2 * width].T])

    def at(t):
        return jax.lax.dynamic_slice_in_dim(factors, jnp.maximum(t, 0) * batch, batch)

    def step(s, carry):
        dh, factor, found = carry
        t = count - 1 - s
        dh = dh + factor[:, 5 * width :]
        four = factor[:, : 4 * width] * jnp.concatenate([dh, dh, dh, dh], -1)
        earlier = dh * factor[:, 4 * width : 5 * width] + product(four[:, : 3 * width], back)
        found = jax.lax.dynamic_update_slice_in_dim(found, four, t * batch, 0)
        return earlier, at(t - 1), found

    none = jnp.zeros((batch, width), gates.dtype)
    carry = (none, at(count - 1), jnp.zeros((length * batch, 4 * width), gates.dtype))
    dstart, _, found = jax.lax.fori_loop(0, count, step, carry)
    dgates, dproduct = found[:, width:].reshape(gates.shape), found[:, : 3 * width]
    drecurrent = jnp.roll(outer(before, dproduct), -width, 1)
    return dgates, drecurrent, dproduct[:, :width].sum(0), dstart
