"""Forms held to a float64 reference: arguments, gradients, allowed errors, stacks of runs."""

import jax
import numpy as np

from tests.support.small_data import relative_error

OUTPUT, GRADIENT = 1e-6, 1e-5  # allowed relative errors against float64, max norm


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def float32(*arrays):
    return [np.asarray(a, np.float32) for a in arrays]


def with_gradients(f):
    """(arguments, cotangent) -> (output, gradient of every argument)."""

    def both(arguments, cotangent):
        output, pull = jax.vjp(f, *arguments)
        return output, pull(cotangent)

    return jax.jit(both)


def assert_close(actual, expected):
    assert relative_error(actual[0], expected[0]) < OUTPUT
    for gradient, reference in zip(actual[1], expected[1], strict=True):
        assert relative_error(gradient, reference) < GRADIENT


STACKS = {
    "lax.map": lambda f: lambda stack: jax.lax.map(lambda row: f(*row), stack),
    "vmap": lambda f: lambda stack: jax.vmap(f)(*stack),
}


def assert_in_a_stack(over_runs, f, arguments, dy, expected):
    """Row i of a stack is row i alone: its inputs scaled by 1 - i / 4, to tell the rows apart."""
    scales = np.array([1.0, 0.75, 0.5])

    def stacked(a, scale):
        return np.multiply.outer(scale, a).astype(np.float32)

    stack = ([stacked(a, np.ones(3)) for a in arguments], stacked(dy, scales))
    output, gradients = jax.jit(STACKS[over_runs](with_gradients(f)))(stack)
    for i, scale in enumerate(scales):  # gradients are linear in the cotangent
        assert_close((output[i], [g[i] / scale for g in gradients]), expected)
