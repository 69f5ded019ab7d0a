"""Scores equal exact or brute-force arithmetic on the host and have the required invariances."""

import doctest
import itertools
from fractions import Fraction

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import balanced_accuracy_score

from privrep.training import losses, metrics
from privrep.training.metrics import chance, equal_error_rate, uar
from privrep.training.selection import SELECTIONS, selection_score

RNG = np.random.default_rng(1)
N, C = 60, 4
LABELS = RNG.integers(-1, C, N)
PREDICTIONS = np.where(RNG.random(N) < 0.5, np.maximum(LABELS, 0), RNG.integers(0, C, N))
LOGITS = np.eye(C)[PREDICTIONS] + 0.1 * RNG.random((N, C))
WHERE = RNG.random(N) < 0.6

compiled_uar = jax.jit(uar, static_argnums=2)
compiled_eer = jax.jit(equal_error_rate)


def exact_uar(predictions, labels, where):
    recalls = []
    for c in sorted(set(labels[where]) - {-1}):
        of_class = predictions[where & (labels == c)]
        recalls.append(Fraction(int((of_class == c).sum()), len(of_class)))
    return float(sum(recalls) / len(recalls)) if recalls else np.nan


def test_uar_of_a_worked_example():
    # Recalls 2/3 (class 0), 0/1 (class 1); class 2 does not occur; the last label is unknown.
    predictions, labels = jnp.array([0, 0, 2, 0, 1]), jnp.array([0, 0, 0, 1, -1])
    np.testing.assert_allclose(uar(predictions, labels, 3), 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("where", [np.ones(N, bool), WHERE])
def test_uar_equals_scikit_learn_and_exact_fractions(where):
    known = where & (LABELS >= 0)
    actual = compiled_uar(PREDICTIONS, LABELS, C, where)
    expected = balanced_accuracy_score(LABELS[known], PREDICTIONS[known])
    np.testing.assert_allclose(actual, expected, rtol=2e-7)
    np.testing.assert_allclose(actual, exact_uar(PREDICTIONS, LABELS, where), rtol=2e-7)
    np.testing.assert_array_equal(compiled_uar(LOGITS, LABELS, C, where), actual)


@settings(max_examples=50)
@given(st.data())
def test_uar_of_any_labels(data):
    draw = [data.draw(st.lists(st.integers(low, 2), min_size=8, max_size=8)) for low in (-1, 0)]
    labels, predictions = map(np.array, draw)
    where = np.array(data.draw(st.lists(st.booleans(), min_size=8, max_size=8)))
    actual = compiled_uar(predictions, labels, 3, where)
    np.testing.assert_allclose(actual, exact_uar(predictions, labels, where), rtol=3e-7)


def test_uar_does_not_change_with_order_or_with_repetition_of_a_class():
    expected = compiled_uar(PREDICTIONS, LABELS, C)
    order = RNG.permutation(N)
    np.testing.assert_array_equal(compiled_uar(PREDICTIONS[order], LABELS[order], C), expected)
    twice = np.concatenate([np.arange(N), np.flatnonzero(LABELS == 1)])
    repeated = compiled_uar(PREDICTIONS[twice], LABELS[twice], C)
    np.testing.assert_allclose(repeated, expected, rtol=2e-7)


def test_uar_counts_the_rows_that_it_is_given_and_is_nan_where_it_is_undefined():
    known = WHERE & (LABELS >= 0)
    expected = compiled_uar(PREDICTIONS[known], LABELS[known], C)
    actual = compiled_uar(LOGITS, LABELS, C, WHERE)
    assert actual.shape == () and actual.dtype == jnp.float32
    np.testing.assert_array_equal(actual, expected)  # `where` counts as leaving out does
    assert compiled_uar(np.maximum(LABELS, 0), LABELS, C) == 1.0
    assert compiled_uar((LABELS + 1) % C, LABELS, C) == 0.0
    assert np.isnan(compiled_uar(PREDICTIONS, np.full(N, -1), C))  # no known label
    assert np.isnan(compiled_uar(LOGITS, LABELS, C, np.zeros(N, bool)))  # an empty part
    broken = LOGITS.copy()
    broken[np.argmax(known), 0] = np.nan
    assert np.isnan(compiled_uar(broken, LABELS, C, WHERE))
    assert not np.isnan(compiled_uar(broken, LABELS, C, ~WHERE))  # NaN in another part
    runs = jax.vmap(compiled_uar, (None, None, None, 0))(
        LOGITS, LABELS, C, np.stack([WHERE, ~WHERE])
    )
    np.testing.assert_array_equal(runs[0], actual)


@pytest.mark.parametrize("module", [metrics, losses])
def test_the_examples_of_the_docstrings_run(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0 and outcome.failed == 0


def brute_force_eer(scores, same):
    """Every threshold, then where the straight line between two points has both errors equal."""
    curve = []
    for threshold in [-np.inf, *np.unique(scores)]:
        accepted = scores > threshold
        curve.append((np.mean(~accepted[same]), np.mean(accepted[~same])))
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        if x0 <= y0 and x1 >= y1:
            t = (y0 - x0) / ((y0 - x0) + (x1 - y1)) if (x0, y0) != (x1, y1) else 0.0
            return x0 + t * (x1 - x0)
    raise AssertionError("the curve runs from (0, 1) to (1, 0), so it crosses the diagonal")


@settings(max_examples=100)
@given(st.data())
def test_eer_equals_every_threshold_tried(data):
    pairs = st.lists(st.integers(-3, 3), min_size=10, max_size=10)  # few values, so many ties
    scores = np.array(data.draw(pairs), np.float32)
    flags = st.lists(st.booleans(), min_size=10, max_size=10)
    same, where = np.array(data.draw(flags)), np.array(data.draw(flags))
    actual = compiled_eer(scores, same, where)
    if not (same & where).any() or not (~same & where).any():
        assert np.isnan(actual)
    else:
        expected = brute_force_eer(scores[where], same[where])
        np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([3.0, 4.0, 1.0, 2.0], 0.0),  # told apart
        ([1.0, 2.0, 3.0, 4.0], 1.0),  # told apart, sign flipped
        ([1.0, 1.0, 1.0, 1.0], 0.5),  # nothing told
        ([2.0, 4.0, 1.0, 3.0], 0.5),  # one of two wrong on either side
        ([np.nan, 4.0, 1.0, 3.0], np.nan),
    ],
)
def test_eer_of_worked_examples(scores, expected):
    same = jnp.array([True, True, False, False])
    np.testing.assert_allclose(compiled_eer(jnp.array(scores), same), expected)


def test_eer_does_not_change_with_order_or_with_a_growing_map_of_scores():
    scores = RNG.normal(size=40).astype(np.float32)
    same = RNG.random(40) < 0.4
    expected, order = compiled_eer(scores, same), RNG.permutation(40)
    np.testing.assert_array_equal(compiled_eer(scores[order], same[order]), expected)
    np.testing.assert_array_equal(compiled_eer(np.exp(2 * scores), same), expected)
    np.testing.assert_allclose(compiled_eer(-scores, same), 1 - expected, rtol=1e-5)
    where = np.stack([scores > -9, scores > -1])
    runs = jax.jit(jax.vmap(equal_error_rate, (None, None, 0)))(scores, same, where)
    one_by_one = [compiled_eer(scores, same, w) for w in where]
    np.testing.assert_allclose(runs, one_by_one, rtol=1e-6)
    np.testing.assert_allclose(runs[0], expected, rtol=1e-6)


def test_chance_is_one_over_the_number_of_classes():
    assert chance(3) == 1 / 3


def test_selection_takes_off_the_distance_from_chance_on_either_side():
    gender = {"gender": chance(2)}
    for adversary in (0.7, 0.3):
        score = selection_score(0.6, {"gender": jnp.float32(adversary)}, gender)
        np.testing.assert_allclose(score, 0.4, rtol=1e-6)


def test_selection_averages_over_attributes_and_leaves_out_unknown_ones():
    chances = {"gender": 0.5, "accent": 0.25, "speaker": 0.1}
    uars = {"gender": 0.7, "accent": 0.35, "speaker": jnp.nan}
    np.testing.assert_allclose(selection_score(0.6, uars, chances), 0.6 - 0.15, rtol=1e-6)
    np.testing.assert_allclose(selection_score(0.6, {"speaker": jnp.nan}, chances), 0.6)
    np.testing.assert_allclose(selection_score(0.6, {}, {}), 0.6)


@pytest.mark.parametrize("name", SELECTIONS)
def test_selection_contract(name):
    """Grows with emotion, is NaN for a run without a score, and works along a run axis."""
    emotion = jnp.array([0.4, 0.6, jnp.nan])
    adversary = {"gender": jnp.full(3, 0.55)}
    scores = SELECTIONS[name](emotion, adversary, {"gender": 0.5})
    assert scores.shape == (3,)
    assert scores[1] > scores[0] and np.isnan(scores[2])


def test_only_the_default_selection_looks_at_the_adversary():
    leaking, tight = ({"gender": jnp.float32(u)} for u in (0.9, 0.5))
    chances = {"gender": 0.5}
    assert selection_score(0.6, leaking, chances) < selection_score(0.6, tight, chances)
    alone = SELECTIONS["emotion"]
    assert alone(0.6, leaking, chances) == alone(0.6, tight, chances)
