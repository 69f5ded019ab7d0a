"""The fast forms are the plain forms, the plain forms are their definition, padding is nothing."""

from functools import cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep import layers
from tests.small_data import relative_error

B = 3
# (kernel width, T): Winograd where the width is 3 and T divides by 4, windows elsewhere.
CONVOLUTIONS = [(3, 4), (3, 48), (3, 7), (2, 9), (2, 1), (3, 1), (5, 12), (5, 1), (1, 5)]
LENGTH = 9  # of the GRU's sequences
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
    for one, other in zip(actual[1], expected[1], strict=True):
        assert relative_error(one, other) < GRADIENT


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


def test_products_in_bfloat16_round_the_factors_and_not_the_sums():
    a, b = float32(normal(0, 7, 300), normal(1, 300, 5))
    rounded = [np.asarray(jnp.asarray(x, jnp.bfloat16), np.float64) for x in (a, b)]
    with jax.default_matmul_precision("bfloat16"):
        actual = jax.jit(lambda a, b: layers.product(a, b))(a, b)
    assert actual.dtype == jnp.float32
    np.testing.assert_allclose(actual, rounded[0] @ rounded[1], rtol=1e-5, atol=1e-4)
    exact = a.astype(np.float64) @ b
    assert np.abs(actual - exact).max() > 1e-3
    np.testing.assert_allclose(layers.product(jnp.array(a), b), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width, length", CONVOLUTIONS)
def test_convolution_is_its_definition(width, length):
    arguments, dy, expected = convolution_case(width, length)

    @jax.jit
    def forms(arguments, dy):
        both = layers.plain_convolution, layers.convolution
        return [with_gradients(form)(arguments, dy) for form in both]

    for actual in forms(float32(*arguments), *float32(dy)):
        assert actual[0].dtype == jnp.float32
        assert_close(actual, expected)


def test_the_form_follows_width_and_length(monkeypatch):
    taken = []
    for form in ("_winograd", "_windows"):
        monkeypatch.setattr(layers, form, lambda x, kernel, form=form: taken.append(form))
    for width, length in CONVOLUTIONS:
        layers.convolution(jnp.zeros((length, 1, 1)), jnp.zeros((width, 1, 1)))
    assert taken == ["_winograd", "_winograd"] + ["_windows"] * (len(CONVOLUTIONS) - 2)


def gru_by_definition(gates, recurrent, bias):
    width, states = len(recurrent), []
    h = np.zeros((gates.shape[1], width))
    for gate in gates:
        product = h @ recurrent
        r, z = np.split(1 / (1 + np.exp(-(gate + product)[:, : 2 * width])), 2, axis=1)
        n = np.tanh(gate[:, 2 * width :] + r * (product[:, 2 * width :] + bias))
        h = (1 - z) * n + z * h
        states.append(h)
    return np.stack(states)


@cache
def gru_case(length, width=5):
    arguments = (
        normal(0, length, B, 3 * width),
        normal(1, width, 3 * width) * width**-0.5,
        normal(2, width),
    )
    dy = normal(3, length, B, width)
    with jax.enable_x64(True):
        output, gradients = with_gradients(layers.plain_gru)(arguments, dy)
        assert output.dtype == jnp.float64
        expected = np.asarray(output), [np.asarray(g) for g in gradients]
    return arguments, dy, expected


def test_plain_gru_is_its_definition():
    arguments, _, (expected, _) = gru_case(LENGTH)
    np.testing.assert_allclose(expected, gru_by_definition(*arguments), rtol=1e-12)


@pytest.mark.parametrize("length", [1, LENGTH])
def test_gru_is_the_plain_gru_of_float64(length):
    arguments, dy, expected = gru_case(length)
    assert_close(with_gradients(layers.gru)(float32(*arguments), *float32(dy)), expected)


def test_gru_is_the_gru_of_flax():
    (x,) = float32(normal(0, 11, B, 4))
    parts = {"ir": 4, "iz": 4, "in": 4, "hr": 5, "hz": 5, "hn": 5}
    cell = {name: {"kernel": normal(i, size, 5)} for i, (name, size) in enumerate(parts.items())}
    for i, name in enumerate(("ir", "iz", "in", "hn")):
        cell[name]["bias"] = normal(9 + i, 5)
    cell = jax.tree.map(np.float32, cell)
    expected = jax.jit(nn.RNN(nn.GRUCell(5), time_major=True).apply)({"params": {"cell": cell}}, x)

    kernel, recurrent = (
        np.concatenate([cell[side + gate]["kernel"] for gate in "rzn"], -1) for side in "ih"
    )
    bias = np.concatenate([cell["i" + gate]["bias"] for gate in "rzn"])
    actual = jax.jit(layers.gru)(x @ kernel + bias, recurrent, cell["hn"]["bias"])
    assert relative_error(actual, expected) < OUTPUT


def test_a_gru_step_sees_no_later_frame():
    gates, recurrent, bias = float32(*gru_case(LENGTH)[0])
    later = np.where(np.arange(LENGTH)[:, None, None] < 6, gates, 1e3).astype(np.float32)
    gru = jax.jit(layers.gru)
    states, others = (gru(g, recurrent, bias) for g in (gates, later))
    np.testing.assert_array_equal(others[:6], states[:6])
    assert np.any(others[6] != states[6])


STACKS = {
    "lax.map": lambda f: lambda stack: jax.lax.map(lambda row: f(*row), stack),
    "vmap": lambda f: lambda stack: jax.vmap(f)(*stack),
}


@pytest.mark.parametrize("over_runs", STACKS)
@pytest.mark.parametrize("form", ["winograd", "windows", "gru"])
def test_in_a_stack_of_runs(over_runs, form):
    """Row i of a stack is row i alone: its inputs scaled by 1 - i / 4, to tell the rows apart."""
    if form == "gru":
        f, (arguments, dy, expected) = layers.gru, gru_case(LENGTH)
    else:
        width = 3 if form == "winograd" else 2
        f, (arguments, dy, expected) = layers.convolution, convolution_case(width, 8)
    scales = np.array([1.0, 0.75, 0.5])

    def stacked(a, scale):
        return np.multiply.outer(scale, a).astype(np.float32)

    stack = ([stacked(a, np.ones(3)) for a in arguments], stacked(dy, scales))
    output, gradients = jax.jit(STACKS[over_runs](with_gradients(f)))(stack)
    for i, scale in enumerate(scales):  # gradients are linear in the cotangent
        of_row = output[i], [g[i] / scale for g in gradients]
        assert_close(of_row, expected)


def test_frame_mask():
    mask = layers.frame_mask(np.array([0, 2, 3, 5]), 3)
    assert mask.shape == (3, 4, 1) and mask.dtype == jnp.float32
    np.testing.assert_array_equal(mask[..., 0].T, [[0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]])


LENGTHS = np.array([8, 5, 1, 0], np.int32)


def reference_pool(x, length):
    """Maximum of pairs of one utterance's own frames [length, C]."""
    return np.array([x[t : min(t + 2, length)].max(0) for t in range(0, length, 2)])


def masks(length):
    return layers.frame_mask(LENGTHS, length), layers.frame_mask((LENGTHS + 1) // 2, length // 2)


def pool(x):
    return layers.max_pool(x, *masks(len(x)))


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
