"""The leak-aware rule: emotion among what leaks little, the least leak otherwise."""

import doctest

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings

from privrep.training import selection
from privrep.training.selection import ALLOWED_LEAK, emotion_within_leak

CHANCE = {"gender": 0.5, "accent": 1 / 3}


def rule(emotion, gender, accent=1 / 3):
    uars = {"gender": jnp.float32(gender), "accent": jnp.float32(accent)}
    return float(emotion_within_leak(jnp.float32(emotion), uars, CHANCE))


def test_the_example_runs():
    failed, tried = doctest.testmod(selection)
    assert tried and not failed


unit = st.floats(-0.25, 1, width=32)  # a CCC may be below 0
leaks = st.floats(0, 0.5, width=32)


@settings(deadline=None, max_examples=60)
@given(unit, unit, leaks, leaks)
def test_the_order_is_that_of_the_limit_then_of_emotion_or_leak(a, b, leak_a, leak_b):
    if min(abs(leak - ALLOWED_LEAK) for leak in (leak_a, leak_b)) < 1e-4:
        return
    first, second = rule(a, 0.5 + leak_a), rule(b, 0.5 + leak_b)
    inside = [leak <= ALLOWED_LEAK for leak in (leak_a, leak_b)]
    if inside[0] != inside[1]:
        assert (first > second) == inside[0]
    elif all(inside):
        assert (first > second) == (np.float32(a) > np.float32(b))
    elif abs(leak_a - leak_b) > 1e-4:
        assert (first > second) == (leak_a < leak_b)


def test_the_worst_attribute_counts_and_below_chance_is_a_leak_too():
    assert rule(0.6, 0.5, accent=0.6) == rule(0.9, 0.5, accent=0.6) < -1
    assert rule(0.6, 0.3) == rule(0.6, 0.7) < -1
    assert rule(0.6, 0.6) == rule(0.6, 0.5)  # at the limit


def test_an_unknown_leak_is_left_out_and_an_unknown_emotion_is_never_chosen():
    assert rule(0.6, np.nan) == rule(0.6, 0.5)
    assert np.isnan(rule(np.nan, 0.5)) and np.isnan(rule(np.nan, 0.9))
