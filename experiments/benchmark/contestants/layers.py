"""Single layers of many networks side by side, forward and backward: where a step's time goes."""

import experiments.devices  # isort: skip  # before jax

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmark.rounds import Started
from experiments.benchmark.work import Training, draw_lengths
from privrep.networks.encoders import KERNEL, RECURRENCES
from privrep.networks.kernels import convolution, gru_pallas
from privrep.networks.kernels.gru import frame_mask

__all__ = ["experiments"]

_COMPARED = 2  # networks whose results are compared between two forms


def recurrence(work: Training, dtype: str = "float32", rows: int = 16, warps: int = 0) -> Started:
    """A round is `steps` times the gradient of a GRU's recurrence, of `runs` networks.

    The gates are given, so that nothing but the recurrence is computed. "difference" is the
    greatest difference of states and gradients to those of the loop in float32, in units of their
    largest entry.

    Args:
      work: whose `recurrence` and `precision` are measured.
      dtype: of gates and weights.
      rows, warps: of the kernel, see `gru_pallas.Launch`.
    """
    frames, length = _lengths(work)
    width = work.network.gru_width
    shapes = (frames, work.batch, 3 * width), (width, 3 * width), (width,)
    scales = (1.0, width**-0.5, 0.1)
    arguments = [
        scale * jax.random.normal(jax.random.key(i), (work.runs, *shape))
        for i, (shape, scale) in enumerate(zip(shapes, scales))
    ]
    launch = gru_pallas.Launch(rows, warps, interpret=jax.default_backend() == "cpu")
    forms = RECURRENCES | {KERNEL: partial(gru_pallas.gru, launch=launch)}

    def gradients(form: str) -> Callable:
        def total(*arguments: jax.Array) -> tuple[jax.Array, jax.Array]:
            states = forms[form](*arguments, length)
            states = states * frame_mask(length, frames, states.dtype)
            return (states.astype(jnp.float32) ** 2).mean(), states

        return jax.jit(jax.vmap(jax.value_and_grad(total, (0, 1, 2), has_aux=True)))

    given = [a.astype(dtype) for a in arguments]
    with jax.default_matmul_precision(work.precision):
        compiled, facts = _compiled(gradients(work.recurrence), *given)
        few = [a[:_COMPARED] for a in given]
        actual = gradients(work.recurrence)(*few)
    with jax.default_matmul_precision("float32"):
        expected = gradients("loop")(*(a.astype(jnp.float32) for a in few))
    difference = max(
        float(jnp.abs(a.astype(jnp.float32) - b).max() / jnp.abs(b).max())
        for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected))
    )
    return _repeated(work, lambda: compiled(*given), facts | {"difference": difference})


def convolutions(work: Training) -> Started:
    """A round is `steps` times the gradient of the convolutions, of `runs` networks."""
    network, (key, *keys) = work.network, jax.random.split(jax.random.key(0), 9)
    frames, length = _lengths(work)
    sizes = [network.bands] + [network.num_kernels] * network.conv_layers
    params = tuple(
        (
            jax.random.normal(of_layer, (work.runs, network.kernel_width, *size)),
            jnp.zeros((work.runs, size[1])),
        )
        for of_layer, size in zip(keys, itertools.pairwise(sizes))
    )
    rates = [network.conv_pool**i for i in range(network.conv_layers)]
    room = frames + -frames % rates[-1]
    x = jax.random.normal(key, (work.runs, room, work.batch, network.bands))
    masks = [frame_mask(-(-length // rate), room // rate) for rate in rates]

    def total(params: Any, x: jax.Array) -> jax.Array:
        return (convolution.stack(jax.nn.relu, network.conv_pool, params, x, masks) ** 2).mean()

    with jax.default_matmul_precision(work.precision):
        compiled, facts = _compiled(jax.jit(jax.vmap(jax.grad(total))), params, x)
    return _repeated(work, lambda: compiled(params, x), facts)


def _compiled(program: Any, *arguments: Any) -> tuple[Callable, dict[str, float]]:
    clock = time.perf_counter()
    compiled = program.lower(*arguments).compile()
    return compiled, {"compile_seconds": time.perf_counter() - clock}


def _lengths(work: Training) -> tuple[int, jax.Array]:
    length = draw_lengths(work.frames, work.batch)
    return int(length.max()), jnp.asarray(length)


def _repeated(work: Training, compute: Callable[[], Any], facts: dict[str, float]) -> Started:
    def run_round() -> dict[str, float]:
        for _ in range(work.steps):
            results = compute()
        jax.block_until_ready(results)
        return {}

    return Started(work.runs * work.steps, run_round, facts)
