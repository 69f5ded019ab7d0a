"""Fast forms of convolution equal the plain one and its definition; padding changes nothing."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.networks.kernels import convolution as convolutions
from privrep.networks.kernels.gru import frame_mask
from tests.support.reference import (
    GRADIENT,
    OUTPUT,
    STACKS,
    assert_close,
    assert_in_a_stack,
    float32,
    normal,
    with_gradients,
)
from tests.support.small_data import relative_error

pytestmark = pytest.mark.usefixtures("quickly_compiled")

B = 3
# (kernel width, T): Winograd where the width is 3 and T divides by 4, windows elsewhere.
CONVOLUTIONS = [(3, 4), (3, 48), (3, 7), (2, 9), (2, 1), (3, 1), (5, 12), (5, 1), (1, 5)]


def convolution_by_definition(x, kernel, dy):
    """y[t] = sum_j x[t + j - (k - 1) // 2] @ kernel[j] and its gradients, term by term."""
    width, length = len(kernel), len(x)
    y, dx, dkernel = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(kernel)
    for t in range(length):
        for j in range(width):
            s = t + j - (width - 1) // 2
            if 0 <= s < length:
                y[t] += x[s] @ kernel[j]
                dx[s] += dy[t] @ kernel[j].T
                dkernel[j] += x[s].T @ dy[t]
    return y, (dx, dkernel)


@cache
def convolution_case(width, length):
    x, kernel, dy = normal(0, length, B, 7), normal(1, width, 7, 5), normal(2, length, B, 5)
    return (x, kernel), dy, convolution_by_definition(x, kernel, dy)


@pytest.mark.parametrize("width, length", CONVOLUTIONS)
def test_convolution_is_its_definition(width, length):
    arguments, dy, expected = convolution_case(width, length)

    @jax.jit
    def forms(arguments, dy):
        both = convolutions.plain_convolution, convolutions.convolution
        return [with_gradients(form)(arguments, dy) for form in both]

    for actual in forms(float32(*arguments), *float32(dy)):
        assert actual[0].dtype == jnp.float32
        assert_close(actual, expected)


def test_the_form_follows_width_and_length(monkeypatch):
    taken = []

    def note(form, x, kernel):
        taken.append(form)
        return x

    for form in ("winograd", "_windows"):
        monkeypatch.setattr(convolutions, form, partial(note, form))
    for width, length in CONVOLUTIONS:
        convolutions.convolution(jnp.zeros((length, 1, 1)), jnp.zeros((width, 1, 1)))
    assert taken == ["winograd", "winograd"] + ["_windows"] * (len(CONVOLUTIONS) - 2)


@pytest.mark.parametrize("over_runs", STACKS)
@pytest.mark.parametrize("width", [2, 3])
def test_in_a_stack_of_runs(over_runs, width):
    assert_in_a_stack(over_runs, convolutions.convolution, *convolution_case(width, 8))


LENGTHS = np.array([8, 5, 1, 0], np.int32)


def reference_pool(x, length):
    """Maximum of pairs of one utterance's own frames [length, C]."""
    return np.array([x[t : min(t + 2, length)].max(0) for t in range(0, length, 2)])


def masks(length):
    return frame_mask(LENGTHS, length), frame_mask((LENGTHS + 1) // 2, length // 2)


def pool(x):
    return convolutions.max_pool(x, *masks(len(x)))


def test_max_pool_of_each_utterance_is_its_own():
    (x,) = float32(normal(0, 8, 4, 3) - 2)  # mostly negative: padding must not win as 0
    pooled = jax.jit(pool)(x)
    for i, length in enumerate(LENGTHS):
        expected = np.zeros((4, 3), np.float32)
        expected[: (length + 1) // 2] = reference_pool(x[:, i], length).reshape(-1, 3)
        np.testing.assert_array_equal(pooled[:, i], expected)


def test_garbage_behind_the_last_frame_changes_nothing():
    valid = np.arange(8)[:, None, None] < LENGTHS[None, :, None]
    x, cotangent = float32(normal(0, 8, 4, 3), normal(1, 4, 4, 3))
    g = with_gradients(pool)
    clean, dirty = (g([a], cotangent) for a in (x, np.where(valid, x, np.float32(1e4))))
    jax.tree.map(np.testing.assert_array_equal, dirty, clean)
    assert np.all(np.where(valid, 0, dirty[1][0]) == 0) and np.any(dirty[1][0])


def stack_case(pool, activation, dtype):
    """Three layers over 48 frames of utterances of LENGTHS, and their parameters."""
    length = 5 * LENGTHS
    masks = [frame_mask(-(-length // pool**i), 48 // pool**i, dtype) for i in range(3)]
    sizes = [(3, 5, 4), (3, 4, 6), (3, 6, 3)]
    params = [(normal(i, *size) * 0.5, normal(i, size[2])) for i, size in enumerate(sizes)]
    arguments = jax.tree.map(lambda a: a.astype(dtype), (params, normal(9, 48, 4, 5)))
    dy = normal(10, 48 // pool**2, 4, 3).astype(dtype)

    def both(form):
        def f(params, x):
            return form(activation, pool, params, x, masks)

        output, gradients = with_gradients(f)(arguments, dy)
        return np.asarray(output), jax.tree.map(np.asarray, gradients)

    return both


@pytest.mark.parametrize("pool, activation", [(1, jax.nn.relu), (2, jax.nn.relu), (2, jnp.tanh)])
def test_a_stack_in_phases_is_the_stack_of_float64(pool, activation, monkeypatch):
    with jax.enable_x64(True):
        expected = stack_case(pool, activation, np.float64)(convolutions.stack)
    monkeypatch.setattr(convolutions, "stack", None)  # not by falling back to it
    actual = stack_case(pool, activation, np.float32)(convolutions.stack_in_phases)
    assert expected[0].dtype == np.float64 and actual[0].dtype == np.float32
    assert relative_error(actual[0], expected[0]) < OUTPUT
    errors = jax.tree.map(relative_error, actual[1], expected[1])
    assert max(jax.tree.leaves(errors)) < GRADIENT, errors


def test_a_stack_that_does_not_divide_into_phases_is_the_stack(monkeypatch):
    monkeypatch.setattr(convolutions, "stack", lambda *_: "the stack")
    for width, length, pool in [(2, 48, 2), (3, 40, 2), (3, 6, 1)]:
        params = [(jnp.zeros((width, 1, 1)), jnp.zeros(1))] * 3
        x = jnp.zeros((length, 1, 1))
        assert convolutions.stack_in_phases(jax.nn.relu, pool, params, x, []) == "the stack"
