"""The discriminant on the device equals scikit-learn's with equal class priors."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from privrep.unlearning.fresh_lda import discriminant


def corpus(count, shares=(0.5, 0.5), size=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(shares), count, p=shares)
    mixing = rng.normal(size=(size, size))
    means = rng.normal(size=(len(shares), size))
    h = means[labels] + rng.normal(size=(count, size)) @ mixing
    return (5 * h + 3).astype(np.float32), labels


def test_it_guesses_as_scikit_learn_does():
    h, labels = corpus(400, (0.2, 0.3, 0.5))
    logits = discriminant(h, labels, 3, np.arange(400) < 300)
    even = np.full(3, 1 / 3)
    known = LinearDiscriminantAnalysis(solver="lsqr", priors=even)
    # Classes of one size, for its covariance weighs by size and this one does not.
    rows = np.concatenate([np.flatnonzero(labels[:300] == c)[:50] for c in range(3)])
    some = np.isin(np.arange(400), rows)
    expected = known.fit(h[rows], labels[rows]).predict(h)
    assert np.mean(np.argmax(discriminant(h, labels, 3, some), 1) == expected) > 0.97
    assert logits.shape == (400, 3) and np.isfinite(logits).all()


def test_units_and_order_do_not_matter():
    h, labels = corpus(200)
    where = np.arange(200) < 150
    logits = discriminant(h, labels, 2, where)
    scale = np.array([1e-3, 1, 10, 100, 1, 1e4], np.float32)
    np.testing.assert_allclose(
        discriminant(h * scale - 2 * scale, labels, 2, where), logits, atol=2e-2, rtol=1e-2
    )
    order = np.random.default_rng(1).permutation(200)
    shuffled = discriminant(h[order], labels[order], 2, where[order])
    np.testing.assert_allclose(shuffled, logits[order], atol=1e-3)


def test_rows_that_are_not_learned_from_change_nothing():
    h, labels = corpus(100)
    where = np.arange(100) < 60
    broken = np.where(where[:, None], h, np.nan)
    unknown = np.where(where, labels, -1)
    logits = discriminant(h, labels, 2, where)
    np.testing.assert_array_equal(discriminant(broken, unknown, 2, where)[:60], logits[:60])


def test_a_rare_class_counts_like_another():
    h, labels = corpus(2000, (0.95, 0.05))
    guesses = np.argmax(discriminant(h, labels, 2, np.ones(2000, bool)), 1)
    recalls = [np.mean(guesses[labels == c] == c) for c in (0, 1)]
    assert min(recalls) > 0.6 and abs(recalls[0] - recalls[1]) < 0.15


def test_dead_columns_missing_classes_and_a_stack():
    h, labels = corpus(90)
    h[:, 2] = 7.0
    where = np.arange(90) < 70
    logits = discriminant(h, labels, 3, where)
    assert np.isneginf(logits[:, 2]).all() and np.isfinite(logits[:, :2]).all()
    both = jax.vmap(discriminant, (0, 0, None, None))(
        jnp.stack([h, h + 1]), jnp.stack([labels, labels]), 3, where
    )
    np.testing.assert_allclose(both[0], logits, atol=1e-3)
