"""LEACE has the properties of its theorem, also with singular covariances and missing labels."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.unlearning.leace import leace

SIZES = {"accent": 3, "gender": 2}


def rows(num_rows=500, size=8, seed=0):
    """h float32[N, size] that leaks both attributes, {attribute: int32[N]} and rows to fit on."""
    rng = np.random.default_rng(seed)
    labels = {a: rng.integers(0, c, num_rows).astype(np.int32) for a, c in SIZES.items()}
    h = rng.normal(size=(num_rows, size)) @ rng.normal(size=(size, size))
    for a, c in SIZES.items():
        h += rng.normal(size=(c, size))[labels[a]]
    return (h * 5 + 2).astype("f"), labels, rng.random(num_rows) < 0.6


def covariance(h, labels, size, where):
    """[D, C] between h and the classes over the rows with a label, in deviations of h."""
    where = where & (labels >= 0)
    h, classes = np.float64(h)[where], np.eye(size)[labels[where]]
    h = (h - h.mean(0)) / np.maximum(h.std(0), 1e-9)
    return h.T @ (classes - classes.mean(0)) / len(h)


@partial(jax.jit, static_argnums=2)
def erase(h, labels, sizes, where):
    matrix, offset = leace(h, labels, dict(sizes), where)
    return h @ matrix + offset[None]


def erased(h, labels, where, attributes=tuple(SIZES)):
    of = {a: labels[a] for a in attributes}
    return np.asarray(erase(h, of, tuple((a, SIZES[a]) for a in attributes), where))


def test_no_linear_function_covaries_with_any_label_where_it_was_fitted():
    h, labels, where = rows()
    assert all(np.abs(covariance(h, labels[a], c, where)).max() > 0.02 for a, c in SIZES.items())
    released = erased(h, labels, where)
    for a, c in SIZES.items():
        np.testing.assert_allclose(covariance(released, labels[a], c, where), 0, atol=1e-5)


def test_unknown_labels_say_nothing_and_the_known_ones_are_erased():
    h, labels, where = rows()
    labels["gender"][::3] = -1
    labels["accent"][1::4] = -1
    released = erased(h, labels, where)
    for a, c in SIZES.items():
        np.testing.assert_allclose(covariance(released, labels[a], c, where), 0, atol=1e-5)
    unknown = {a: np.full(len(h), -1, np.int32) for a in SIZES}
    np.testing.assert_array_equal(erased(h, unknown, where), h)


def test_it_is_the_smallest_change_that_does_so():
    """Theorem 4.3, computed directly in float64; it moves h in as many directions as classes."""
    h, labels, where = rows()
    x, z = np.float64(h)[where], np.eye(2)[labels["gender"][where]]
    x0 = x - x.mean(0)
    s = x0.T @ x0 / len(x)
    values, vectors = np.linalg.eigh(s)
    root, inverse = (vectors * values**p @ vectors.T for p in (0.5, -0.5))
    u, singular, _ = np.linalg.svd(inverse @ x0.T @ (z - z.mean(0)) / len(x))
    u = u[:, : (singular > 1e-9).sum()]
    expected = h - (h - x.mean(0)) @ (root @ u @ u.T @ inverse).T
    released = erased(h, labels, where, ("gender",))
    np.testing.assert_allclose(released, expected, atol=2e-3)
    assert np.linalg.matrix_rank(np.float64(h - released), tol=1e-2) == 1


@pytest.mark.parametrize("fault", ["dead", "copied", "more units than rows", "all dead"])
def test_a_covariance_without_full_rank(fault):
    if fault == "more units than rows":
        h, labels, where = rows(num_rows=20, size=40)
    else:
        h, labels, where = rows()
        if fault == "dead":
            h[:, 3] = 7
            h[~where, 3] = 9  # dead in training only
        elif fault == "copied":
            h[:, 3] = h[:, 2] - h[:, 4]
        else:
            h[:] = 1
    released = erased(h, labels, where)
    assert np.isfinite(released).all()
    for a, c in SIZES.items():
        np.testing.assert_allclose(covariance(released, labels[a], c, where), 0, atol=1e-4)
    if fault in ("dead", "all dead"):
        np.testing.assert_array_equal(released[:, 3], h[:, 3])
    if fault == "copied":  # still a copy
        difference = released[:, 2] - released[:, 4]
        np.testing.assert_allclose(released[:, 3], difference, atol=1e-3 * np.abs(h).max())


def test_the_units_of_h_do_not_matter():
    h, labels, where = rows()
    unit = np.float32([1e-4, 1, 1e3, 1, 1, 1, 1, 1e4])
    np.testing.assert_allclose(
        erased(h * unit, labels, where) / unit, erased(h, labels, where), atol=1e-2
    )


def test_twice_is_once():
    h, labels, where = rows()
    once = erased(h, labels, where)
    np.testing.assert_allclose(erased(once, labels, where), once, atol=1e-3)
    assert jnp.abs(once - h).max() > 1
