"""The CCC and the losses of a regression: by definition, invariant, and unmoved by padding."""

import doctest

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from privrep.training import regression
from privrep.training.regression import LOSSES, ccc, guessing_bound

numbers = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=3, max_size=30)


def by_definition(x, y):
    """Lin (1989), by way of Pearson's correlation."""
    r = np.corrcoef(x, y)[0, 1]
    return 2 * r * x.std() * y.std() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def test_the_example_runs():
    failed, tried = doctest.testmod(regression)
    assert tried and not failed


@settings(deadline=None, max_examples=40)
@given(numbers)
def test_ccc_is_lins(rows):
    x, y = np.array(rows).T
    if min(x.std(), y.std()) < 1e-2:
        return
    assert float(ccc(jnp.array(x), jnp.array(y))) == pytest.approx(by_definition(x, y), abs=1e-4)


def test_ccc_falls_with_a_wrong_scale_or_offset_but_not_with_the_unit():
    rng = np.random.default_rng(0)
    y = rng.normal(size=500)
    x = y + rng.normal(size=500)
    value = float(ccc(x, y))
    assert float(ccc(3 * x + 1, 3 * y + 1)) == pytest.approx(value, abs=1e-5)
    assert float(ccc(3 * x, y)) < value > float(ccc(x + 1, y))
    assert float(ccc(y, y)) == pytest.approx(1) and float(ccc(0 * y + 2, y)) == 0
    assert np.isnan(ccc(jnp.ones(3), jnp.ones(3))) and np.isnan(ccc(x, np.nan * y))


@pytest.mark.parametrize("name", LOSSES)
def test_padding_and_unknown_targets_have_no_part_in_a_loss(name):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 6)).astype(np.float32)
    padded = jnp.array([*x, np.nan, 7.0]), jnp.array([*y, 1.0, np.nan]), jnp.arange(8) != 6
    whole = jnp.array(x), jnp.array(y), jnp.ones(6, bool)
    loss = LOSSES[name]
    np.testing.assert_allclose(loss(*padded)[:6], loss(*whole), rtol=1e-6)
    assert (loss(*padded)[6:] == 0).all()
    gradients = [
        jax.grad(lambda x, rest=rest: loss(x, *rest).sum())(x) for x, *rest in (padded, whole)
    ]
    np.testing.assert_allclose(gradients[0][:6], gradients[1], rtol=1e-5)
    assert (gradients[0][6:] == 0).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("targets", [[0.5], [0.5, 0.5], [np.nan, np.nan]])
def test_batches_of_no_variation_have_finite_gradients(name, targets):
    y = jnp.array(targets)
    gradient = jax.grad(lambda x: LOSSES[name](x, y, jnp.ones(len(y), bool)).sum())(0.0 * y + 0.5)
    gradient = jnp.where(jnp.isnan(y), 0, gradient)
    assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_its_minimum_is_the_target(name):
    y = jnp.array(np.random.default_rng(2).normal(size=40), jnp.float32)
    everyone = jnp.ones(40, bool)
    step = jax.jit(jax.grad(lambda x: LOSSES[name](x, y, everyone).sum()))
    x = jnp.zeros(40)
    for _ in range(400):
        x = x - 0.05 * step(x)
    assert float(ccc(x, y)) > 0.99


def test_one_in_twenty_guesses_exceeds_the_bound_at_most():
    rng = np.random.default_rng(3)
    y = jnp.array(rng.normal(size=100))
    guesses = jnp.array(rng.normal(size=(4000, 100)))
    scores = jax.vmap(lambda x: ccc(x, y))(guesses)
    share = float((scores > guessing_bound(y, jnp.ones(100, bool))).mean())
    assert 0.03 < share < 0.06
