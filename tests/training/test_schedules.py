"""The strength starts where the schedule says, never falls, and ends at lambda_."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.training.schedules import SCHEDULES, ganin, linear

PROGRESS = jnp.linspace(0.0, 1.0, 21)


@pytest.mark.parametrize("name", SCHEDULES)
def test_grows_from_at_least_zero_to_lambda(name):
    strengths = np.array([SCHEDULES[name](0.5, progress) for progress in PROGRESS])
    assert strengths[0] == (0.5 if name == "constant" else 0.0)
    assert np.all(np.diff(strengths) >= 0.0)
    np.testing.assert_allclose(strengths[-1], 0.5, rtol=1e-4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_is_proportional_to_lambda_and_keeps_its_shape(name):
    lambdas = jnp.array([0.0, 0.3, 1.0])
    runs = jax.jit(jax.vmap(SCHEDULES[name], (0, None)))(lambdas, 0.2)
    np.testing.assert_allclose(runs, lambdas * SCHEDULES[name](1.0, 0.2), rtol=1e-6)
    np.testing.assert_allclose(SCHEDULES[name](lambdas, 0.2), runs, rtol=1e-6)


def test_linear_reaches_half_at_half_of_its_warm_up():
    np.testing.assert_allclose(linear(1.0, 0.1, warm_up=0.2), 0.5)
    np.testing.assert_allclose(linear(1.0, 0.2, warm_up=0.2), 1.0)


def test_ganin_is_the_hyperbolic_tangent_of_five_times_progress():
    np.testing.assert_allclose(ganin(1.0, PROGRESS), np.tanh(5.0 * PROGRESS), rtol=1e-5)
