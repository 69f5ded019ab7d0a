"""The fast GRU equals the plain one, and the plain one its definition."""

from functools import cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.networks.kernels import gru as layers
from privrep.networks.kernels import matmul
from tests.support.reference import (
    OUTPUT,
    STACKS,
    assert_close,
    assert_in_a_stack,
    float32,
    normal,
    with_gradients,
)
from tests.support.small_data import relative_error

B = 3
LENGTH = 9  # of the GRU's sequences


def test_products_in_bfloat16_round_the_factors_and_not_the_sums():
    a, b = float32(normal(0, 7, 300), normal(1, 300, 5))
    rounded = [np.asarray(jnp.asarray(x, jnp.bfloat16), np.float64) for x in (a, b)]
    with jax.default_matmul_precision("bfloat16"):
        actual = jax.jit(lambda a, b: matmul.product(a, b))(a, b)
    assert actual.dtype == jnp.float32
    np.testing.assert_allclose(actual, rounded[0] @ rounded[1], rtol=1e-5, atol=1e-4)
    exact = a.astype(np.float64) @ b
    assert np.abs(actual - exact).max() > 1e-3
    np.testing.assert_allclose(matmul.product(jnp.array(a), b), exact, rtol=1e-5, atol=1e-5)


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


@pytest.mark.parametrize("over_runs", STACKS)
def test_in_a_stack_of_runs(over_runs):
    assert_in_a_stack(over_runs, layers.gru, *gru_case(LENGTH))


def test_frame_mask():
    mask = layers.frame_mask(np.array([0, 2, 3, 5]), 3)
    assert mask.shape == (3, 4, 1) and mask.dtype == jnp.float32
    np.testing.assert_array_equal(mask[..., 0].T, [[0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]])
