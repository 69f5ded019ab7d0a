"""MMD and HSIC against sums over tuples of rows, finite differences, and independent draws."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.unlearning.dependence import WIDTHS, hsic, mmd

pytestmark = pytest.mark.usefixtures("quickly_compiled")

MEASURES = {"mmd": mmd, "hsic": hsic}


def one_hot(labels, size):
    return np.where(labels[:, None] >= 0, np.eye(size)[labels], 0)


def batch(seed=0, size=24):
    """x with a dead unit, labels and emotions of which some are unknown."""
    rng = np.random.default_rng(seed)
    labels, emotion = rng.integers(-1, 3, size), rng.integers(-1, 2, size)
    x = rng.normal(size=(size, 4)) + 0.7 * labels[:, None] * [1, 0, 0, 1]
    x[:, 2] = 0
    return x, one_hot(labels, 3), one_hot(emotion, 2)


def kernel(x, y):
    apart = ((x - y) ** 2).mean()
    return np.mean([np.exp(-apart / (2 * w**2)) for w in WIDTHS])


def plainly(name, x, classes, strata):
    """By the definitions: means over ordered pairs of different rows, tuples for HSIC."""
    known = (classes.sum(1) > 0) & (strata.sum(1) > 0)
    x, labels, groups = x[known], classes[known].argmax(1), strata[known].argmax(1)
    variance = x.var(0)
    x = (x - x.mean(0)) / np.sqrt(variance + 1e-4 * variance.mean() + 1e-8)
    total, rows = 0, 0
    for group in np.unique(groups):
        z, of = x[groups == group], labels[groups == group]
        n = len(z)
        k = np.array([[kernel(a, b) for b in z] for a in z])
        if name == "mmd":
            actual = []
            for first, second in itertools.combinations(np.unique(of), 2):
                i, j = np.flatnonzero(of == first), np.flatnonzero(of == second)
                if min(len(i), len(j)) > 1:
                    within = [
                        np.mean([k[a, b] for a, b in itertools.permutations(m, 2)]) for m in (i, j)
                    ]
                    actual.append(sum(within) - 2 * k[np.ix_(i, j)].mean())
            if actual:
                total, rows = total + n * np.mean(actual), rows + n
        elif n > 3:
            alike = of[:, None] == of[None]
            two = [k[a, b] * alike[a, b] for a, b in itertools.permutations(range(n), 2)]
            three = [k[a, b] * alike[a, c] for a, b, c in itertools.permutations(range(n), 3)]
            four = [k[a, b] * alike[c, d] for a, b, c, d in itertools.permutations(range(n), 4)]
            actual = np.mean(two) + np.mean(four) - 2 * np.mean(three)
            total, rows = total + n * actual, rows + n
    return total / rows


@pytest.mark.parametrize("name", MEASURES)
def test_it_is_the_mean_over_tuples(name):
    x, classes, strata = batch()
    together = np.ones((len(x), 1))
    with jax.enable_x64(True):
        for within in (together, strata):
            actual = MEASURES[name](jnp.array(x), jnp.array(classes), jnp.array(within))
            np.testing.assert_allclose(actual, plainly(name, x, classes, within), rtol=1e-9)


@pytest.mark.parametrize("name", MEASURES)
def test_its_gradient_is_that_of_finite_differences_and_none_for_rows_not_looked_at(name):
    x, classes, strata = batch()
    out = (classes.sum(1) == 0) | (strata.sum(1) == 0)
    assert out.any()
    with jax.enable_x64(True):
        f = jax.jit(lambda x: MEASURES[name](x, jnp.array(classes), jnp.array(strata)))
        slope = np.asarray(jax.grad(f)(jnp.array(x)))
        assert np.isfinite(slope).all() and not slope[out].any() and slope[~out][:, :2].all()
        for direction in np.random.default_rng(1).normal(size=(4, *x.shape)):
            step = 1e-5 * direction * [1, 1, 0, 1]  # a dead unit wakes within a thousandth of this
            rise = (f(jnp.array(x + step)) - f(jnp.array(x - step))) / 2e-5
            np.testing.assert_allclose(rise, (slope * direction * [1, 1, 0, 1]).sum(), rtol=1e-5)


@pytest.mark.parametrize("name", MEASURES)
def test_it_is_finite_where_nothing_varies_or_nobody_is_known(name):
    x, classes, strata = (np.float32(a) for a in batch())
    f = jax.jit(jax.value_and_grad(MEASURES[name]))
    for each in (np.zeros_like(x), np.ones_like(x)):
        value, slope = f(each, classes, strata)
        assert abs(value) < 1e-6 and np.isfinite(slope).all()
    for known in ((0 * classes, strata), (classes, 0 * strata)):
        value, slope = f(x, *known)
        assert value == 0 and not np.any(slope)
    alone = np.where(np.arange(len(x))[:, None] < 3, classes, 0)
    assert np.isfinite(f(x, alone, strata)[1]).all()


@pytest.mark.parametrize("name", MEASURES)
def test_it_is_0_on_average_under_independence_and_positive_under_dependence(name):
    rng = np.random.default_rng(0)
    draws, size = 400, 16
    labels = rng.integers(0, 2, (draws, size))
    x = rng.normal(size=(draws, size, 3))
    together, classes = np.ones((draws, size, 1)), np.eye(2)[labels]
    measure = jax.jit(jax.vmap(MEASURES[name]))
    chance = np.asarray(measure(x, classes, together))
    assert abs(chance.mean()) < 3 * chance.std() / np.sqrt(draws)
    tells = np.asarray(measure(x + labels[..., None], classes, together))
    assert tells.mean() > 10 * chance.std() / np.sqrt(draws)


def test_dependence_through_the_stratum_does_not_count_within_strata():
    """x follows the stratum, and so does the class: together they depend, within they do not."""
    rng = np.random.default_rng(0)
    draws, size = 400, 24
    stratum = rng.integers(0, 2, (draws, size))
    labels = np.where(rng.uniform(size=(draws, size)) < 0.8, stratum, 1 - stratum)
    x = rng.normal(size=(draws, size, 3)) + 2 * stratum[..., None]
    classes, strata = np.eye(2)[labels], np.eye(2)[stratum]
    for measure in MEASURES.values():
        f = jax.jit(jax.vmap(measure))
        within, together = (f(x, classes, s) for s in (strata, np.ones((draws, size, 1))))
        assert abs(within.mean()) < 3 * within.std() / np.sqrt(draws)
        assert together.mean() > 10 * abs(within.mean())
