"""The reversal is the identity forwards and -lambda_ times the identity backwards, everywhere."""

import doctest
import shutil
import subprocess
import sys

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from jax.sharding import AxisType, PartitionSpec

from privrep import grl
from privrep.grl import gradient_reversal

X = jnp.array([[0.5, -1.25, 2.0], [3.0, 0.0, -0.75]])


def loss(x):
    return jnp.sum(jnp.sin(x) * x**2)


def reversed_loss(x, lambda_):
    return loss(gradient_reversal(x, lambda_))


REVERSED = -0.7 * jax.grad(loss)(X)  # what every transformation below must give


def assert_bits(actual, expected):
    assert actual.dtype == expected.dtype
    assert np.asarray(actual).tobytes() == np.asarray(expected).tobytes()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.int32, bool])
def test_forward_is_identity_to_the_bit(dtype):
    # Infinities, NaN and -0 included: arithmetic forms such as (1 + l) sg(x) - l x change these.
    x = jnp.array([1.1, -0.0, jnp.inf, jnp.nan, 3e-8]).astype(dtype)
    assert_bits(gradient_reversal(x, 0.3), x)
    assert_bits(jax.jit(gradient_reversal)(x, 0.3), x)


@pytest.mark.parametrize("lambda_", [0.3, 1, 2.5, np.float64(0.3), jnp.float32(0.3)])
def test_backward_is_minus_lambda_times_the_gradient(lambda_):
    actual = jax.grad(reversed_loss)(X, lambda_)
    np.testing.assert_array_equal(actual, -jnp.float32(lambda_) * jax.grad(loss)(X))


def test_lambda_zero_is_stop_gradient():
    stopped = jax.grad(lambda x: loss(jax.lax.stop_gradient(x)))(X)
    np.testing.assert_array_equal(jax.grad(reversed_loss)(X, 0.0), stopped)


def test_lambda_minus_one_is_the_identity():
    assert_bits(jax.grad(reversed_loss)(X, -1.0), jax.grad(loss)(X))


def test_two_reversals_multiply():
    twice = jax.grad(lambda x: loss(gradient_reversal(gradient_reversal(x, 0.5), 0.25)))(X)
    np.testing.assert_array_equal(twice, 0.125 * jax.grad(loss)(X))


def test_equals_the_explicit_two_player_gradient():
    """One gradient of one sum is both players' own gradient of their own objective."""
    rng = np.random.default_rng(0)
    shapes = {"encoder": (5, 4), "head": (4, 3), "adversary": (4, 2)}
    params = {name: rng.normal(size=shape).astype("f") for name, shape in shapes.items()}
    inputs, emotion, gender = (rng.normal(size=(8, d)).astype("f") for d in (5, 3, 2))

    def losses(params, reverse):
        h = jnp.tanh(inputs @ params["encoder"])
        task = jnp.mean((h @ params["head"] - emotion) ** 2)
        return task, jnp.mean((jnp.sin(reverse(h)) @ params["adversary"] - gender) ** 2)

    lambda_ = 0.6

    def gradient(objective):
        return jax.jit(jax.grad(objective))(params)

    actual = gradient(lambda p: sum(losses(p, lambda h: gradient_reversal(h, lambda_))))
    task = gradient(lambda p: losses(p, lambda h: h)[0])
    leak = gradient(lambda p: losses(p, lambda h: h)[1])
    encoder = task["encoder"] - lambda_ * leak["encoder"]
    np.testing.assert_allclose(actual["encoder"], encoder, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(actual["head"], task["head"], rtol=1e-6)
    np.testing.assert_allclose(actual["adversary"], leak["adversary"], rtol=1e-6)


def through_scan(x, lambda_):
    return jax.lax.scan(lambda total, row: (total + reversed_loss(row, lambda_), None), 0.0, x)[0]


def through_map(x, lambda_):
    return jnp.sum(jax.lax.map(lambda row: reversed_loss(row, lambda_), x))


def through_cond(x, lambda_):
    return jax.lax.cond(lambda_ > 0, reversed_loss, lambda x, _: 0.0 * loss(x), x, lambda_)


def through_fori(x, lambda_):
    return jax.lax.fori_loop(0, 1, lambda _, total: total + reversed_loss(x, lambda_), 0.0)


def through_vmap(x, lambda_):
    return jnp.sum(jax.vmap(reversed_loss, (0, None))(x, lambda_))


def through_shard_map(x, lambda_):
    mesh = jax.make_mesh((2,), ("runs",), axis_types=(AxisType.Auto,))
    rows = PartitionSpec("runs")
    sharded = jax.shard_map(
        jax.vmap(reversed_loss, (0, None)),
        mesh=mesh,
        in_specs=(rows, PartitionSpec()),
        out_specs=rows,
        check_vma=False,
    )
    return jnp.sum(sharded(x, lambda_))


THROUGH = [
    jax.jit(reversed_loss),
    jax.checkpoint(reversed_loss),
    jax.checkpoint(through_scan),
    through_scan,
    through_map,
    through_cond,
    through_fori,
    through_vmap,
    through_shard_map,
]


@pytest.mark.parametrize("function", THROUGH)
@pytest.mark.parametrize("compiled", [False, True])
def test_under_transformations(function, compiled):
    gradient = jax.value_and_grad(function)
    value, actual = (jax.jit(gradient) if compiled else gradient)(X, jnp.float32(0.7))
    np.testing.assert_allclose(value, loss(X), rtol=1e-6)
    np.testing.assert_allclose(actual, REVERSED, rtol=1e-5)


@pytest.mark.parametrize("gradient", [jax.grad(reversed_loss), jax.jacrev(reversed_loss)])
def test_vmap_over_lambda_is_a_run_axis(gradient):
    lambdas = jnp.array([0.0, 0.3, 1.0])
    runs = jax.jit(jax.vmap(gradient, (None, 0)))(X, lambdas)
    for run, lambda_ in zip(runs, lambdas):
        np.testing.assert_allclose(run, -lambda_ * jax.grad(loss)(X), rtol=1e-5)


def test_lambda_changes_without_recompiling():
    traces = []

    @jax.jit
    def gradient(x, lambda_):
        traces.append(1)
        return jax.grad(reversed_loss)(x, lambda_)

    for lambda_ in (0.0, 0.5, 1.0):
        gradient(X, jnp.float32(lambda_))
    assert len(traces) == 1


def test_lambda_gets_no_gradient():
    assert jax.grad(reversed_loss, argnums=1)(X, 0.7) == 0.0
    np.testing.assert_array_equal(jax.grad(reversed_loss, argnums=1)(X, jnp.ones((2, 1))), 0.0)


def test_second_order_reverses_once():
    """The gradient of the gradient is the slope of the numbers the first gradient returned."""
    direction = jnp.ones_like(X)

    def along(function):
        return jax.grad(lambda x: jnp.vdot(jax.grad(function)(x), direction))(X)

    expected = -0.7 * along(loss)
    np.testing.assert_allclose(along(lambda x: reversed_loss(x, 0.7)), expected, rtol=1e-5)


def test_forward_mode_raises():
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: gradient_reversal(x, 0.5), (X,), (X,))


def test_pytree_with_integers_none_and_an_empty_node():
    tree = {"h": [X, 2.0 * X], "length": jnp.array([3, 2]), "nothing": None, "empty": ()}
    passed = gradient_reversal(tree, 0.5)
    assert jax.tree.structure(passed) == jax.tree.structure(tree)
    jax.tree.map(np.testing.assert_array_equal, passed, tree)

    def total(tree):
        tree = gradient_reversal(tree, 0.5)
        return loss(tree["h"][0]) + loss(tree["h"][1]) + 0.0 * tree["length"].sum()

    gradient = jax.grad(total, allow_int=True)(tree)
    np.testing.assert_array_equal(gradient["h"][1], -0.5 * jax.grad(loss)(2.0 * X))
    assert gradient["length"].dtype == jax.dtypes.float0


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("lambda_", [0.3, jnp.float32(0.3)])
def test_half_precision_stays(dtype, lambda_):
    x = X.astype(dtype)
    y, pull = jax.vjp(lambda x: gradient_reversal(x, lambda_), x)
    (gradient,) = pull(jnp.ones_like(y))
    assert y.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, -jnp.full_like(y, 0.3))


def test_one_lambda_per_row():
    lambda_ = jnp.array([[0.25], [2.0]])
    np.testing.assert_allclose(
        jax.grad(reversed_loss)(X, lambda_), -lambda_ * jax.grad(loss)(X), rtol=1e-6
    )


def test_lambda_larger_than_x_is_refused():
    with pytest.raises(ValueError, match="shapes do not match"):
        jax.grad(reversed_loss)(X[:1], jnp.ones((2, 1)))


@settings(max_examples=40)  # each new shape compiles
@given(
    x=arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
        elements=st.floats(-8, 8, width=32),
    ),
    lambda_=st.floats(-4, 4, width=32),
)
def test_any_shape(x, lambda_):
    y, pull = jax.vjp(lambda x: gradient_reversal(x, lambda_), x)
    assert_bits(y, x)
    expected = -np.float32(lambda_) * x
    # The tolerance is the largest number that XLA may flush to zero and numpy does not.
    np.testing.assert_allclose(pull(jnp.asarray(x))[0], expected, rtol=0, atol=1.2e-38)


def test_docstring_example():
    # The docstring is on the wrapped function: doctest does not look into a custom_vjp object.
    (example,) = doctest.DocTestFinder().find(grl.gradient_reversal.fun, globs=vars(grl))
    outcome = doctest.DocTestRunner().run(example)
    assert outcome.attempted == 2 and outcome.failed == 0


def test_the_file_alone_is_enough(tmp_path):
    """Copied into an empty folder it runs in a Python that finds nothing of this project."""
    shutil.copy(grl.__file__, tmp_path / "reversal.py")
    program = (
        "import sys, jax; from reversal import gradient_reversal\n"
        "print(jax.grad(lambda h: 3.0 * gradient_reversal(h, 0.5))(2.0))\n"
        "assert not [name for name in sys.modules if name.startswith('privrep')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["-1.5"]
