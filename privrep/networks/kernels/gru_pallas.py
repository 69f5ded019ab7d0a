"""The recurrence of a GRU as one GPU kernel. This file needs nothing but jax: copy it if you like.

A loop of XLA launches a handful of kernels for every step and reads the weights again in each. Here
a block of the grid takes a few rows of the batch through all steps, with the weights on chip; so
does the gradient, whose sums over all frames are left to ordinary matrix products.

Pallas compiles it through Triton, which jax deprecates from 0.11 on and still has in 0.12. A TPU
wants blocks of other shapes: this form is for GPUs.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

WIDEST = 64  # wider float32 weights, [H, 3H] twice in the gradient, do not fit into an SM's memory
_LEAST = 16  # rows and columns of the smallest product that a tensor core takes


class Launch(NamedTuple):
    """How the kernel runs; the results are the same up to rounding.

    Attributes:
      rows: rows of the batch in a block, a power of two, at least 16.
      warps: groups of 32 threads in a block, a power of two; 0: 4, or 8 for a width above 32. With
        fewer, products in float32 spill registers (ptxas for sm_90).
      interpret: on any device, step by step and slowly: for tests.
    """

    rows: int = 16
    warps: int = 0
    interpret: bool = False


_DEFAULT = Launch()


def gru(
    gates: jax.Array,
    recurrent: jax.Array,
    bias: jax.Array,
    length: jax.Array | None = None,
    launch: Launch = _DEFAULT,
) -> jax.Array:
    """Gated recurrent unit with the reset gate after the product, as in PyTorch, Keras and Flax.

        r, z = sigmoid(gates[t] + h @ recurrent)[:H], [H:2H]
        n    = tanh(gates[t, 2H:] + r * ((h @ recurrent)[2H:] + bias))
        h'   = (1 - z) * n + z * h,   h = 0 at the start

    The unit is that of Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder",
    EMNLP 2014, in cuDNN's variant; weights that stay on chip through the whole scan are the idea of
    Diamos et al., "Persistent RNNs", ICML 2016.

    States and sums are float32 (float64 of float64) whatever the arguments are. The factors of the
    products are rounded as `jax.default_matmul_precision` says: "float32" not at all, "bfloat16" to
    8 significant bits, else to TF32. A width that is no power of two, and a batch that is no
    multiple of `launch.rows`, are padded with zeros, which costs a copy.

    Reverse mode only, once; the gradient keeps gates and states and computes the rest anew. Under
    `vmap` every network has blocks of its own in the same kernel.

    Args:
      gates: [T, B, 3H], the input's part of the gates, x @ kernel + bias, for all frames; float32
        or bfloat16. T, B and H are at least 1, H at most `WIDEST`.
      recurrent: [H, 3H].
      bias: [H], inside the reset gate.
      length: int32[B], from 0 to T: the frames of each row that count; None: all. What stands in
        `gates` behind them is not read, NaN included, and a block ends with its longest row.
      launch: rows and threads of a block.

    Returns:
      [T, B, H] of the dtype of `gates`: h after each frame, 0 behind the last.

    Raises:
      ValueError: shapes that do not belong together, or a width above `WIDEST`.

    Example: each row's state moves towards tanh(1), half of the way in every frame.
      >>> gates = jnp.array([[[0.0, 0.0, 1.0]]] * 2)
      >>> recurrent, bias = jnp.zeros((1, 3)), jnp.zeros(1)
      >>> h = gru(gates, recurrent, bias, launch=Launch(interpret=True))
      >>> (h[:, 0, 0] / jnp.tanh(1.0)).round(4).tolist()
      [0.5, 0.75]
    """
    _check(gates, recurrent, bias, length, launch)
    steps, batch, _ = gates.shape
    if length is None:
        length = jnp.full(batch, steps, jnp.int32)
    length = jnp.clip(length, 0, steps).astype(jnp.int32)
    width = len(recurrent)
    columns = max(_LEAST, pl.next_power_of_2(width)) - width
    rows = -batch % launch.rows
    # [T, B, 3, H] and [3, H, H]: each gate by itself, as a block reads whole powers of two.
    gates = jnp.pad(
        gates.reshape(steps, batch, 3, width), ((0, 0), (0, rows), (0, 0), (0, columns))
    )
    recurrent = recurrent.reshape(width, 3, width).swapaxes(0, 1)
    recurrent = jnp.pad(recurrent, ((0, 0), (0, columns), (0, columns)))
    bias, length = jnp.pad(bias, (0, columns)), jnp.pad(length, (0, rows))
    return _gru(launch, gates, recurrent, bias, length)[:, :batch, :width]


def _check(
    gates: jax.Array,
    recurrent: jax.Array,
    bias: jax.Array,
    length: jax.Array | None,
    launch: Launch,
) -> None:
    width, batch = len(recurrent), gates.shape[1:2]
    fits = gates.ndim == 3 and gates.shape[2] == 3 * width and min(gates.shape) > 0
    fits &= recurrent.shape == (width, 3 * width) and bias.shape == (width,)
    fits &= length is None or length.shape == batch
    if not fits:
        shapes = ", ".join(str(a.shape) for a in (gates, recurrent, bias, length) if a is not None)
        raise ValueError(
            "expected gates [T, B, 3H], recurrent [H, 3H], bias [H] and perhaps length [B], none "
            f"of them empty, but the shapes are {shapes}"
        )
    if width > WIDEST:
        raise ValueError(
            f"the kernel keeps its weights on chip, which has room for a width of {WIDEST} and not "
            f"of {width}: use a scan"
        )
    if launch.rows < _LEAST or launch.rows != pl.next_power_of_2(launch.rows):
        raise ValueError(f"rows={launch.rows}: a block has a power of two of rows, 16 or more")


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gru(
    launch: Launch, gates: jax.Array, recurrent: jax.Array, bias: jax.Array, length: jax.Array
) -> jax.Array:
    """[T, B, H] from gates [T, B, 3, H], recurrent [3, H, H], bias [H], length [B]."""
    steps, batch, _, width = gates.shape
    return pl.pallas_call(
        _forward_block,
        grid=(batch // launch.rows,),
        in_specs=[
            _rows(launch, steps, 3, width),
            _whole(3, width, width),
            _whole(width),
            pl.BlockSpec((launch.rows,), lambda block: (block,)),
        ],
        out_specs=_rows(launch, steps, width),
        out_shape=jax.ShapeDtypeStruct((steps, batch, width), gates.dtype),
        **_options(launch, width),
    )(gates, recurrent, bias, length)


def _forward(
    launch: Launch, gates: jax.Array, recurrent: jax.Array, bias: jax.Array, length: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    states = _gru(launch, gates, recurrent, bias, length)
    return states, (gates, recurrent, bias, length, states)


def _backward(
    launch: Launch, residuals: tuple[jax.Array, ...], dy: jax.Array
) -> tuple[jax.Array | None, ...]:
    gates, recurrent, bias, length, states = residuals
    steps, batch, _, width = gates.shape
    of_rows = _rows(launch, steps, width)
    dgates, dinner = pl.pallas_call(
        _backward_block,
        grid=(batch // launch.rows,),
        in_specs=[
            _rows(launch, steps, 3, width),
            _whole(3, width, width),
            _whole(3, width, width),
            _whole(width),
            pl.BlockSpec((launch.rows,), lambda block: (block,)),
            of_rows,
            of_rows,
        ],
        out_specs=[_rows(launch, steps, 3, width), of_rows],
        out_shape=[jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (gates, states)],
        **_options(launch, width),
    )(gates, recurrent, recurrent.swapaxes(1, 2), bias, length, states, dy)
    # The sums over all frames, of the state before each and the gradient of its product. That of n
    # is `dinner`, which the third gate's would only be without r.
    before = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]]).reshape(-1, width).T
    of_gates, of_inner = (_product(before, a.reshape(steps * batch, -1)) for a in (dgates, dinner))
    drecurrent = jnp.stack([*jnp.split(of_gates, 3, 1)[:2], of_inner])
    dbias = dinner.astype(_summed(dinner)).sum((0, 1))
    return dgates, drecurrent.astype(recurrent.dtype), dbias.astype(bias.dtype), None


_gru.defvjp(_forward, _backward)


def _rows(launch: Launch, steps: int, *widths: int) -> pl.BlockSpec:
    """The rows of a block of an array [T, B, ...]."""
    zeros = (0,) * len(widths)
    return pl.BlockSpec((steps, launch.rows, *widths), lambda block: (0, block, *zeros))


def _whole(*shape: int) -> pl.BlockSpec:
    return pl.BlockSpec(shape, lambda block: (0,) * len(shape))


def _options(launch: Launch, width: int) -> dict[str, Any]:
    if launch.interpret:
        return {"interpret": True}
    warps = launch.warps or (4 if width <= 32 else 8)
    # One stage: a step needs the state of the step before, so that there is nothing to overlap.
    return {"compiler_params": triton.CompilerParams(num_warps=warps, num_stages=1)}


def _summed(a: Any) -> Any:
    """The dtype of sums of `a`."""
    return jnp.promote_types(a.dtype, jnp.float32)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """[M, K] @ [K, N] with the factors rounded to the dtype of `b`, summed in float32."""
    total = _summed(b)
    # The attribute is made at run time, which the type checker does not see.
    if jax.config.jax_default_matmul_precision == "bfloat16":  # type: ignore[attr-defined]
        b = b.astype(jnp.bfloat16)
    return jnp.dot(a.astype(b.dtype), b, preferred_element_type=total)


def _cell(
    h: jax.Array, gate: list[jax.Array], weights: list[jax.Array], bias: jax.Array
) -> tuple[jax.Array, ...]:
    """r, z, the inner product of n, and n; all [rows, H]."""
    r = jax.nn.sigmoid(gate[0] + _product(h, weights[0]))
    z = jax.nn.sigmoid(gate[1] + _product(h, weights[1]))
    inner = _product(h, weights[2]) + bias
    return r, z, inner, jnp.tanh(gate[2] + r * inner)


def _forward_block(
    gates_ref: Any, recurrent_ref: Any, bias_ref: Any, length_ref: Any, states_ref: Any
) -> None:
    steps, rows, width = states_ref.shape
    total = _summed(gates_ref)
    weights = [recurrent_ref[gate] for gate in range(3)]
    bias, length = bias_ref[...].astype(total)[None], length_ref[...]
    count = jnp.max(length)

    def step(t: jax.Array, h: jax.Array) -> jax.Array:
        gate = [gates_ref[t, :, i].astype(total) for i in range(3)]
        _, z, _, n = _cell(h, gate, weights, bias)
        is_valid = (t < length)[:, None]
        h = jnp.where(is_valid, n + z * (h - n), h)
        states_ref[t] = jnp.where(is_valid, h, 0).astype(states_ref.dtype)
        return h

    jax.lax.fori_loop(0, count, step, jnp.zeros((rows, width), total))

    def clear(t: jax.Array, _: None) -> None:
        states_ref[t] = jnp.zeros((rows, width), states_ref.dtype)

    jax.lax.fori_loop(count, steps, clear, None)


def _backward_block(*refs: Any) -> None:
    gates_ref, recurrent_ref, transposed_ref, bias_ref, length_ref, *rest = refs
    states_ref, dy_ref, dgates_ref, dinner_ref = rest
    steps, rows, width = states_ref.shape
    total = _summed(gates_ref)
    weights, transposed = (
        [ref[gate] for gate in range(3)] for ref in (recurrent_ref, transposed_ref)
    )
    bias, length = bias_ref[...].astype(total)[None], length_ref[...]
    count = jnp.max(length)

    def write(t: jax.Array, gradients: tuple[jax.Array, ...]) -> None:
        *of_gates, of_inner = (a.astype(dgates_ref.dtype) for a in gradients)
        for i, gradient in enumerate(of_gates):
            dgates_ref[t, :, i] = gradient
        dinner_ref[t] = of_inner

    def step(i: jax.Array, dh: jax.Array) -> jax.Array:
        t = count - 1 - i
        is_valid = (t < length)[:, None]
        gate = [gates_ref[t, :, i].astype(total) for i in range(3)]
        before = jnp.where(t > 0, states_ref[jnp.maximum(t - 1, 0)].astype(total), 0)
        r, z, inner, n = _cell(before, gate, weights, bias)
        dh = dh + dy_ref[t].astype(total)
        dn = dh * (1 - z) * (1 - n * n)
        gradients = dn * inner * r * (1 - r), dh * (before - n) * z * (1 - z), dn, dn * r
        dr, dz, dn, dinner = (jnp.where(is_valid, a, 0) for a in gradients)
        write(t, (dr, dz, dn, dinner))
        earlier = dh * z
        for gradient, weight in zip((dr, dz, dinner), transposed):
            earlier = earlier + _product(gradient, weight)
        return jnp.where(is_valid, earlier, 0)

    jax.lax.fori_loop(0, count, step, jnp.zeros((rows, width), total))
    zeros = jnp.zeros((rows, width), total)
    jax.lax.fori_loop(count, steps, lambda t, _: write(t, (zeros,) * 4), None)
