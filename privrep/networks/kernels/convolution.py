"""Convolutions over time: plain forms and fast forms that equal them up to rounding.

All arrays are time-major, [T, B, C], and an output has as many frames as its input. `stack` defines
the layers of convolutions with pooling. `stack_in_phases` computes them quickly on one core in a
loop over runs, where `lax.conv` is several times slower. Tests compare both with float64.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from privrep.networks.kernels.matmul import matmul, outer

Phases = tuple[jax.Array, ...]  # the four phases of time, see `winograd`
Layers = Sequence[tuple[jax.Array, jax.Array]]  # kernel [k, C, O] and bias [O] of each layer


def max_pool(x: jax.Array, mask: jax.Array, halved: jax.Array) -> jax.Array:
    """The maximum of adjacent pairs of valid frames; a last odd frame is kept.

    Args:
      x: [T, B, C], T even.
      mask: [T, B, 1], 1 for valid frames.
      halved: [T/2, B, 1], 1 for pairs with a valid frame.

    Returns:
      [T/2, B, C], zero where `halved` is.
    """
    length, batch, channels = x.shape
    lowest = jnp.where(mask > 0, x, jnp.finfo(x.dtype).min)
    pairs = lowest.reshape(length // 2, 2, batch, channels)
    return jnp.where(halved > 0, jnp.maximum(pairs[:, 0], pairs[:, 1]), 0)


def plain_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution over time, as many frames out as in.

    y[t] = sum_j x[t + j - (k - 1) // 2] @ kernel[j], zeros beyond the ends.

    Args:
      x: [T, B, C].
      kernel: [k, C, O].

    Returns:
      [T, B, O].
    """
    width = kernel.shape[0]
    before = (width - 1) // 2
    padded = jnp.pad(x, ((before, width - 1 - before), (0, 0), (0, 0)))
    return _sum(padded[j : j + x.shape[0]] @ kernel[j] for j in range(width))


def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`plain_convolution` in the fast form for its width: `winograd` or `_windows`."""
    if kernel.shape[0] == 3 and x.shape[0] % 4 == 0:
        return _in_order(winograd(_phases(x, 1), kernel))
    return _windows(x, kernel)


def _sum(terms: Iterable[jax.Array]) -> jax.Array:
    total: Any = sum(terms)
    return total


def _shift(x: jax.Array, by: int) -> jax.Array:  # y[t] = x[t + by], zeros beyond the ends
    by = max(-len(x), min(by, len(x)))  # a kernel may be wider than the sequence
    if by == 0:
        return x
    zeros = jnp.zeros((abs(by), *x.shape[1:]), x.dtype)
    return jnp.concatenate([x[by:], zeros] if by > 0 else [zeros, x[:by]])


def _columns(x: jax.Array, width: int) -> jax.Array:  # [T, B, C] -> [T, B, k * C]
    return jnp.concatenate([_shift(x, j - (width - 1) // 2) for j in range(width)], -1)


@jax.custom_vjp
def _windows(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """One matrix product of all windows with the kernel; the gradient reuses the windows."""
    return _windows_forward(x, kernel)[0]


def _windows_forward(
    x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    width, channels, kernels = kernel.shape
    columns = _columns(x, width)
    return matmul(columns, kernel.reshape(width * channels, kernels)), (columns, kernel)


def _windows_backward(residuals: tuple, dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    columns, kernel = residuals
    width = kernel.shape[0]
    dx = _sum(_shift(matmul(dy, kernel[j].T), (width - 1) // 2 - j) for j in range(width))
    return dx, outer(columns, dy).reshape(kernel.shape)


_windows.defvjp(_windows_forward, _windows_backward)


# In phases ---------------------------------------------------------------------------------------
#
# Winograd's F(4, 3) computes four outputs of a width-3 convolution from six inputs with six
# products instead of twelve (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
# Networks"). Time is split into its four phases t mod 4, so that every product is one matrix
# product over a quarter of the frames and no frame is gathered twice. A phase is [G, n, B, C], with
# t = 4 G i + 4 g + phase at [g, i]. With G = 2 ** k, frames can be pooled in pairs k times, and
# every layer's output, in phases, is the input of the next one.
_KERNEL_TRANSFORM = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def _phases(x: jax.Array, groups: int) -> Phases:  # [T, B, C] -> 4 x [G, T / 4G, B, C]
    return tuple(x.reshape(-1, groups, 4, *x.shape[1:]).swapaxes(0, 2))


def _in_order(phases: Phases) -> jax.Array:  # 4 x [1, T / 4, B, C] -> [T, B, C]
    return jnp.stack([phase[0] for phase in phases], 1).reshape(-1, *phases[0].shape[2:])


def _before(x: jax.Array) -> jax.Array:  # the same phase four frames earlier
    return jnp.concatenate([_shift(x[-1], -1)[None], x[:-1]])


def _after(x: jax.Array) -> jax.Array:  # the same phase four frames later
    return jnp.concatenate([x[1:], _shift(x[0], 1)[None]])


@jax.custom_vjp
def _once(x: Any, unity: jax.Array) -> Any:
    """x, which is computed once, as is its gradient; `unity` is 1 and must be unknown to XLA.

    XLA would repeat a layer's element-wise operations in each of the six products that read it. It
    removes `optimization_barrier` before it takes that decision.
    """
    return jax.lax.cond(unity > 0, lambda x: x, lambda x: jax.tree.map(jnp.negative, x), x)


_once.defvjp(lambda x, unity: (_once(x, unity), unity), lambda unity, dx: (_once(dx, unity), None))


@jax.custom_vjp
def _gradient_once(x: Any, unity: jax.Array) -> Any:
    """x, whose gradient is computed once."""
    return x


_gradient_once.defvjp(lambda x, unity: (x, unity), lambda unity, dx: (_once(dx, unity), None))


@jax.custom_vjp
def winograd(phases: Phases, kernel: jax.Array) -> Phases:
    """Convolution of width 3, kernel [3, C, O], from phases 4 x [G, n, B, C] to phases."""
    return _winograd_forward(phases, kernel)[0]


def _winograd_forward(phases: Phases, kernel: jax.Array) -> tuple[Phases, tuple[list, list]]:
    transformed = [_sum(g * kernel[j] for j, g in enumerate(row) if g) for row in _KERNEL_TRANSFORM]
    d1, d2, d3, d4 = phases
    d0, d5 = _before(d4), _after(d1)
    a, b, c, e = d4 - 4 * d2, d3 - 4 * d1, d4 - d2, 2 * (d3 - d1)
    inputs = [4 * d0 - 5 * d2 + d4, a + b, a - b, c + e, c - e, 4 * d1 - 5 * d3 + d5]
    m = [matmul(v, u) for v, u in zip(inputs, transformed)]
    s1, s2, d1, d2 = m[1] + m[2], m[3] + m[4], m[1] - m[2], m[3] - m[4]
    y = (m[0] + s1 + s2, d1 + 2 * d2, s1 + 4 * s2, d1 + 8 * d2 + m[5])
    return y, (inputs, transformed)


def _winograd_backward(residuals: tuple, dy: Phases) -> tuple[Phases, jax.Array]:
    inputs, transformed = residuals
    a, b, c, e = dy[0] + dy[2], dy[1] + dy[3], dy[0] + 4 * dy[2], 2 * dy[1] + 8 * dy[3]
    dm = [dy[0], a + b, a - b, c + e, c - e, dy[3]]
    du = [outer(v, m) for v, m in zip(inputs, dm)]
    columns = list(zip(*_KERNEL_TRANSFORM))
    dkernel = jnp.stack([_sum(g * u for g, u in zip(column, du) if g) for column in columns])
    v = [matmul(m, u.T) for m, u in zip(dm, transformed)]
    s1, s2, d1, d2 = v[1] + v[2], v[3] + v[4], v[1] - v[2], v[3] - v[4]
    dphases = (
        4 * v[5] - 4 * d1 - 2 * d2 + _before(v[5]),
        -5 * v[0] - 4 * s1 - s2,
        d1 + 2 * d2 - 5 * v[5],
        v[0] + s1 + s2 + _after(4 * v[0]),
    )
    return dphases, dkernel


winograd.defvjp(_winograd_forward, _winograd_backward)


# Stacks ------------------------------------------------------------------------------------------


def stack(
    activation: Callable, pool: int, params: Layers, x: jax.Array, masks: Sequence[jax.Array]
) -> jax.Array:
    """Layers of convolution, bias and activation, pooled after all but the last.

    Args:
      pool: the size of the pooling, 1 or 2.
      params: (kernel [k, C, O], bias [O]) of each layer.
      x: [T, B, F].
      masks: [T / rate, B, 1] of each layer's frames, 1 for valid ones; rate = pool ** layer.

    Returns:
      [T / last rate, B, O], zero where the last mask is.
    """
    x = x * masks[0]
    for i, (kernel, bias) in enumerate(params):
        x = activation(convolution(x, kernel) + jnp.expand_dims(bias, (0, 1)))
        if pool > 1 and i + 1 < len(params):
            x = max_pool(x, masks[i], masks[i + 1])
        else:
            x = x * masks[i]
    return x


def stack_in_phases(
    activation: Callable, pool: int, params: Layers, x: jax.Array, masks: Sequence[jax.Array]
) -> jax.Array:
    """`stack`, in phases if the width is 3 and T is a multiple of four times the last rate.

    Not for use under vmap.
    """
    layers = len(params)
    groups = pool ** (layers - 1)
    if params[0][0].shape[0] != 3 or len(x) % (4 * groups):
        return stack(activation, pool, params, x, masks)
    unity = 1 + masks[0][0, 0, 0]
    of_layer = [_phases(mask, groups // pool**i) for i, mask in enumerate(masks)]
    phases = tuple(phase * mask for phase, mask in zip(_phases(x, groups), of_layer[0]))
    for i, (kernel, bias) in enumerate(params):
        phases = _gradient_once(winograd(_once(phases, unity), kernel), unity)
        phases = tuple(activation(phase + jnp.expand_dims(bias, (0, 1, 2))) for phase in phases)
        if pool > 1 and i + 1 < layers:
            phases = _max_pool_phases(phases, of_layer[i], of_layer[i + 1])
        else:
            phases = tuple(phase * mask for phase, mask in zip(phases, of_layer[i]))
    return _in_order(phases)


def _max_pool_phases(phases: Phases, masks: Phases, halved: Phases) -> Phases:
    """`max_pool` in phases."""
    lowest = jnp.finfo(phases[0].dtype).min
    a, b, c, d = (jnp.where(mask > 0, phase, lowest) for phase, mask in zip(phases, masks))
    first, second = jnp.maximum(a, b), jnp.maximum(c, d)
    pooled = first[::2], second[::2], first[1::2], second[1::2]
    return tuple(jnp.where(mask > 0, phase, 0) for phase, mask in zip(pooled, halved))
