"""Cross-entropy equals float64 arithmetic and is 0 without a label."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.training.losses import cross_entropy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(4, 5, 3)) * 4
LABELS = RNG.integers(-1, 3, size=(4, 5))
WEIGHTS = np.array([0.5, 1.0, 2.0])


def oracle(logits, labels, weights):
    loss = np.zeros(labels.shape)
    for i in np.ndindex(labels.shape):
        if labels[i] >= 0:
            probability = np.exp(logits[i][labels[i]]) / np.exp(logits[i]).sum()
            loss[i] = -weights[labels[i]] * np.log(probability)
    return loss


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_equals_float64_arithmetic(weights):
    assert (LABELS == -1).any()
    given = None if weights is None else jnp.asarray(weights, jnp.float32)
    actual = cross_entropy(jnp.asarray(LOGITS, jnp.float32), jnp.asarray(LABELS), given)
    expected = oracle(LOGITS, LABELS, np.ones(3) if weights is None else weights)
    assert actual.dtype == jnp.float32 and actual.shape == LABELS.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_gradient_is_weight_times_softmax_minus_one_hot():
    logits, labels = jnp.asarray(LOGITS[0], jnp.float32), jnp.asarray(LABELS[0])
    weights = jnp.asarray(WEIGHTS, jnp.float32)
    actual = jax.grad(lambda x: cross_entropy(x, labels, weights).sum())(logits)
    known = (LABELS[0] >= 0)[:, None]
    softmax = np.exp(LOGITS[0]) / np.exp(LOGITS[0]).sum(-1, keepdims=True)
    expected = known * WEIGHTS[LABELS[0]][:, None] * (softmax - np.eye(3)[LABELS[0]])
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_sums_over_pieces_compose():
    logits, labels = jnp.asarray(LOGITS[0], jnp.float32), jnp.asarray(LABELS[0])
    whole = cross_entropy(logits, labels).sum()
    pieces = (
        cross_entropy(logits[:2], labels[:2]).sum() + cross_entropy(logits[2:], labels[2:]).sum()
    )
    np.testing.assert_allclose(whole, pieces, rtol=1e-6)


@pytest.mark.parametrize("logit", [jnp.nan, jnp.inf, -jnp.inf])
def test_unknown_label_gives_zero_and_no_gradient_whatever_the_logits(logit):
    logits = jnp.array([[0.0, 1.0], [logit, logit]])
    labels = jnp.array([1, -1])
    value, gradient = jax.value_and_grad(lambda x: cross_entropy(x, labels).sum())(logits)
    np.testing.assert_allclose(value, np.log1p(np.exp(-1.0)), rtol=1e-6)
    np.testing.assert_array_equal(gradient[1], 0.0)
    assert np.isfinite(gradient[0]).all()


@pytest.mark.parametrize("scale", [1e4, 1e30, 1e38])
def test_extreme_logits_have_finite_gradients(scale):
    logits = scale * jnp.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    loss = cross_entropy(logits, jnp.array([0, 0]))
    gradient = jax.grad(lambda x: cross_entropy(x, jnp.array([0, 0])).sum())(logits)
    np.testing.assert_allclose(loss, [0.0, 2.0 * scale], rtol=1e-6)
    np.testing.assert_array_equal(gradient, [[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0]])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_logits_are_computed_in_float32(dtype):
    logits = jnp.asarray(LOGITS[0], dtype)
    loss, labels = cross_entropy(logits, jnp.asarray(LABELS[0])), jnp.asarray(LABELS[0])
    assert loss.dtype == jnp.float32
    np.testing.assert_array_equal(loss, cross_entropy(logits.astype(jnp.float32), labels))
    assert jax.grad(lambda x: cross_entropy(x, labels).sum())(logits).dtype == dtype


def test_vmapped_over_runs_equals_run_by_run():
    logits, labels = jnp.asarray(LOGITS, jnp.float32), jnp.asarray(LABELS)
    weights = jnp.asarray(RNG.uniform(0.5, 2.0, (4, 3)), jnp.float32)
    runs = jax.jit(jax.vmap(cross_entropy))(logits, labels, weights)
    for r in range(4):
        alone = cross_entropy(logits[r], labels[r], weights[r])
        np.testing.assert_allclose(runs[r], alone, rtol=1e-6, atol=1e-7)
