"""The kernel of the GRU equals the plain form, interpreted on any device, and lowers for a GPU."""

import doctest
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from privrep.networks.kernels import gru_pallas
from privrep.networks.kernels.gru import plain_gru
from tests.support.reference import GRADIENT, OUTPUT, float32, normal, with_gradients
from tests.support.small_data import relative_error

pytestmark = pytest.mark.usefixtures("quickly_compiled")
kernel = partial(gru_pallas.gru, launch=gru_pallas.Launch(interpret=True))
H200 = AbstractMesh((1,), ("run",), abstract_device=AbstractDevice("NVIDIA H200", 132, "gpu"))


def case(steps, batch, width):
    """(gates, recurrent, bias), cotangent."""
    gates, recurrent = normal(0, steps, batch, 3 * width), normal(1, width, 3 * width)
    return (gates, recurrent * width**-0.5, normal(2, width)), normal(3, steps, batch, width)


def masked_plain(gates, recurrent, bias, length):
    """The plain form of the frames that count, 0 behind them."""
    counts = (np.arange(len(gates))[:, None] < length)[..., None]
    return jnp.where(counts, plain_gru(gates, recurrent, bias), 0)


def expected(arguments, length, dy):
    with jax.enable_x64(True):
        form = with_gradients(partial(masked_plain, length=length))
        return jax.tree.map(np.asarray, form(arguments, dy))


def assert_equal_up_to_rounding(actual, reference):
    assert relative_error(actual[0], reference[0]) < OUTPUT
    for gradient, other in zip(actual[1], reference[1], strict=True):
        error = np.abs(gradient - other).max() / max(np.abs(other).max(), 1e-3)
        assert error < GRADIENT  # of a single step recurrent has no gradient


@pytest.mark.parametrize("shape", [(1, 2, 3), (9, 17, 20), (5, 16, 32)], ids=str)
def test_values_and_gradients_are_those_of_the_plain_form(shape):
    """One step, odd sizes that are padded, and sizes that are not."""
    arguments, dy = case(*shape)
    actual = with_gradients(kernel)(float32(*arguments), *float32(dy))
    assert_equal_up_to_rounding(actual, expected(arguments, np.full(shape[1], shape[0]), dy))


def test_rows_of_any_length_side_by_side():
    """Two networks under vmap, two blocks each, rows of no frames, of all, and between."""
    steps, batch, width = 9, 20, 5
    lengths = np.random.default_rng(0).integers(0, steps + 1, (2, batch)).astype(np.int32)
    lengths[0, :2], lengths[1, 16:] = (0, steps), 0  # and a whole block without a frame
    cases = [case(steps, batch, width), case(steps, batch, width)]
    for a in cases[1][0]:
        a *= 0.5
    arguments = [np.stack(both) for both in zip(*(c[0] for c in cases))]
    dy = np.stack([c[1] for c in cases])
    behind = (np.arange(steps)[:, None] >= lengths[:, None])[..., None]
    arguments[0] = np.where(behind, np.nan, arguments[0])  # which nothing reads

    def both(arguments, length, dy):
        return with_gradients(lambda *a: kernel(*a, length))(arguments, dy)

    arguments = tuple(float32(*arguments))
    values, gradients = jax.jit(jax.vmap(both))(arguments, lengths, *float32(dy))
    for i, (of_network, _) in enumerate(cases):
        reference = expected(of_network, lengths[i], dy[i])
        assert_equal_up_to_rounding((values[i], [g[i] for g in gradients]), reference)
        assert not np.any(np.asarray(values[i])[behind[i, ..., 0]])
        assert not np.any(np.asarray(gradients[0][i])[behind[i, ..., 0]])


def test_arguments_of_half_precision_are_summed_in_whole():
    """200 steps: states that were themselves bfloat16 would drift by more than one rounding."""
    arguments, dy = case(200, 3, 8)
    halves = tuple(jnp.asarray(a, jnp.bfloat16) for a in arguments)
    rounded = tuple(a.astype(jnp.float32) for a in halves)
    values, gradients = with_gradients(kernel)(halves, jnp.asarray(dy, jnp.bfloat16))
    assert {a.dtype for a in (values, *gradients)} == {jnp.dtype(jnp.bfloat16)}
    reference, of_rounded = with_gradients(plain_gru)(rounded, *float32(dy))
    # Half a step of bfloat16 near 1 is 2^-9; the factor h of the products is rounded too.
    assert np.abs(values.astype(jnp.float32) - reference).max() < 2**-6
    for gradient, other in zip(gradients, of_rounded):
        assert relative_error(gradient.astype(jnp.float32), other) < 0.03


def test_the_factors_are_rounded_as_jax_is_set():
    arguments = float32(*case(6, 2, 8)[0])
    rounded = arguments[0], jnp.asarray(arguments[1], jnp.bfloat16), arguments[2]
    with jax.default_matmul_precision("bfloat16"):
        actual = jax.jit(lambda *a: kernel(*a))(*arguments)
    in_halves, exact = jax.jit(lambda *a: kernel(*a))(*rounded), plain_gru(*arguments)
    np.testing.assert_array_equal(actual, in_halves)
    assert 1e-4 < np.abs(actual - exact).max() < 2**-6


@pytest.mark.parametrize(
    "precision, dtype",
    [("float32", "float32"), ("bfloat16", "float32"), ("tensorfloat32", "bfloat16")],
)
def test_forward_and_backward_lower_for_a_gpu_as_a_kernel_each(precision, dtype):
    """Without a device; 20 networks, whose batch and width are padded."""
    shapes = (20, 300, 30, 90), (20, 30, 90), (20, 30)
    arguments = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    length = jax.ShapeDtypeStruct((20, 30), jnp.int32)
    gradients = jax.vmap(jax.grad(lambda *a: gru_pallas.gru(*a).sum(), (0, 1, 2)))
    with jax.default_matmul_precision(precision), use_abstract_mesh(H200):
        traced = jax.jit(gradients).trace(*arguments, length)
        program = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert program.count("__gpu$xla.gpu.triton") == 2
    assert "stablehlo.while" not in program


def test_wrong_shapes_and_what_does_not_fit_are_refused():
    gates, recurrent, bias = jnp.ones((4, 2, 9)), jnp.ones((3, 9)), jnp.ones(3)
    with pytest.raises(ValueError, match=r"gates \[T, B, 3H\].*\(4, 2, 8\)"):
        kernel(gates[..., :8], recurrent, bias)
    with pytest.raises(ValueError, match="none of them empty"):
        kernel(gates[:0], recurrent, bias)
    with pytest.raises(ValueError, match=r"length \[B\].*\(3,\)"):
        kernel(gates, recurrent, bias, jnp.ones(3, jnp.int32))
    wide = gru_pallas.WIDEST + 1
    with pytest.raises(ValueError, match="room for a width of 64 and not of 65: use a scan"):
        kernel(jnp.ones((4, 2, 3 * wide)), jnp.ones((wide, 3 * wide)), jnp.ones(wide))
    with pytest.raises(ValueError, match="rows=12: a block has a power of two of rows"):
        gru_pallas.gru(gates, recurrent, bias, launch=gru_pallas.Launch(rows=12))


def test_the_example_runs():
    failed, tried = doctest.testmod(gru_pallas)
    assert tried and not failed
