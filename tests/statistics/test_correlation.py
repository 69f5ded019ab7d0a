"""Correlations of predictions with numbers: scores, bounds and the test, as statements."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from privrep.statistics.correlation import (
    interval,
    judge_correlations,
    pearson,
    rank_correlation,
    rank_scores,
    smallest_share,
    standard_error,
)
from privrep.statistics.permutation_test import Permutations, permute

RNG = np.random.default_rng(0)


def permutations_of(count, share=None):
    labels = np.zeros((count, 4), np.int32)
    return Permutations(labels, 10**6, False, 1 / count if share is None else share)


def test_scores_are_those_of_scipy_with_ties_and_without():
    a, b = RNG.normal(size=30), RNG.integers(0, 6, 30)
    assert rank_correlation(a, b) == pytest.approx(scipy.stats.spearmanr(a, b).statistic)
    assert pearson(a, b.astype(float)) == pytest.approx(scipy.stats.pearsonr(a, b).statistic)
    assert rank_correlation(a, np.ones(30)) == 0


def test_every_row_is_scored_as_if_it_were_alone():
    a, b = RNG.normal(size=(7, 20)), RNG.normal(size=(7, 20))
    alone = [rank_correlation(x, y) for x, y in zip(a, b)]
    np.testing.assert_allclose(rank_correlation(a, b), alone)


def test_an_increasing_function_changes_no_rank_and_a_decreasing_one_the_sign():
    a, b = RNG.normal(size=25), RNG.normal(size=25)
    assert rank_correlation(np.exp(a), b**3) == rank_correlation(a, b)
    assert rank_correlation(-a, b) == pytest.approx(-rank_correlation(a, b))


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.floats(-1, 1), min_size=5, max_size=5), min_size=1, max_size=3),
    st.integers(2, 1000),
)
def test_bounds_hold_the_estimate_whatever_was_measured(rows, num_speakers):
    """Also where permuted numbers are predicted as well, as they are where sessions explain all."""
    verdict, attackers = judge_correlations(np.array(rows), num_speakers, permutations_of(5))
    for of in (verdict, *attackers):
        assert -1 <= of.lower <= of.correlation <= abs(of.correlation) <= of.upper <= 1
    assert verdict.upper == max(of.upper for of in attackers)
    assert verdict.verdict != "no_leak_shown" or abs(verdict.correlation) <= verdict.limit


def test_a_leak_over_the_limit_is_never_called_none_though_it_is_explained():
    """All labellings are predicted equally well: p is 1, and the bound is over the correlation."""
    explained = np.full((1, 100), 0.8) + 1e-3 * RNG.normal(size=(1, 100))
    verdict, _ = judge_correlations(explained, 1000, permutations_of(100))
    assert verdict.p > 0.1 and verdict.upper > 0.8 and verdict.verdict == "cannot_tell"
    none = 1e-2 * RNG.normal(size=(1, 100))
    none[0, 0] = 0
    assert judge_correlations(none, 1000, permutations_of(100))[0].verdict == "no_leak_shown"


def test_the_maximum_of_a_suite_is_tested_as_a_maximum():
    """The true labelling is like any other: as the first of each, 5 % are called leaks at most."""
    null = RNG.normal(0, 0.2, (3, 100)).clip(-0.9, 0.9)
    p = []
    for i in range(100):
        rolled = np.roll(null, -i, axis=1)
        p.append(judge_correlations(rolled, 50, permutations_of(100))[0].p)
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 1e-9
    strongest = np.roll(null, -int(null[1].argmax()), axis=1)
    alone = judge_correlations(strongest[1:2], 50, permutations_of(100))[0]
    together = judge_correlations(strongest, 50, permutations_of(100))[0]
    assert alone.p <= together.p and alone.upper <= together.upper
    assert together.lower <= alone.lower


def test_reversed_numbers_tie_so_that_p_is_two_orders_at_least():
    """All 120 orders of 5 numbers, brute force: a predictor is as good for the reverse."""
    fixed = rank_scores(RNG.normal(size=5))
    orders = np.array([*itertools.permutations(rank_scores(np.arange(5.0)))])
    scores = np.abs(rank_correlation(orders, fixed))
    assert ((scores >= scores.max() - 1e-9).sum()) >= 2
    each = np.arange(5, dtype=np.int32)
    for numbers, ties in ((np.array([3.0, 1, 4, 1.5, 9]), 2), (np.array([1.0, 1, 1, 2, 3]), 1)):
        codes = np.unique(numbers, return_inverse=True)[1].astype(np.int32)
        made = permute(codes, each, np.zeros(5, np.int32), 120, 0)
        assert made.complete and smallest_share(numbers, made) == ties / made.distinct


def test_few_speakers_have_no_bound_and_many_a_narrow_one():
    assert standard_error(0.5, 3) == np.inf and interval(0.5, 3) == (-1, 1)
    lower, upper = interval(0.5, 20_000)
    assert lower < 0.5 < upper and upper - lower < 0.03


@pytest.mark.by_hand
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_the_interval_covers_as_often_as_it_says(correlation):
    rng = np.random.default_rng(1)
    truth = 6 / np.pi * np.arcsin(correlation / 2)  # Spearman's of a normal distribution
    a = rng.normal(size=(4000, 30))
    b = correlation * a + np.sqrt(1 - correlation**2) * rng.normal(size=a.shape)
    bounds = np.array([interval(float(r), 30) for r in rank_correlation(a, b)])
    covered = ((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).mean()
    assert 0.935 <= covered <= 0.975
