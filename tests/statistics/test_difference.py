"""Two attackers on the same speakers: more, less, no more, or cannot tell."""

import numpy as np
import pytest

from privrep.statistics.difference import ScoredAttacker, judge_difference

SPEAKERS = 40
CLASS = np.arange(SPEAKERS) % 2


def counts(right, each=10, seed=0):
    """int[40, 2, 2]: of each speaker's 10 utterances about a share `right` is named rightly."""
    rng = np.random.default_rng(seed)
    hits = rng.binomial(each, right, SPEAKERS)
    table = np.zeros((SPEAKERS, 2, 2), int)
    table[np.arange(SPEAKERS), CLASS, CLASS] = hits
    table[np.arange(SPEAKERS), CLASS, 1 - CLASS] = each - hits
    return table


def null(seed, shared=0.0):
    rng = np.random.default_rng(99)
    common = rng.normal(0, 0.03, 200)
    return 0.5 + shared * common + np.random.default_rng(seed).normal(0, 0.01, 200)


def judged(new, old, margin=0.05):
    return judge_difference(
        ScoredAttacker(new, null(1, 1)),
        ScoredAttacker(old, null(2, 1)),
        CLASS,
        margin,
        0.05,
        seed=0,
    )


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [(0.8, 0.6, "more"), (0.6, 0.8, "less"), (0.6, 0.6, "no_more"), (0.66, 0.62, "cannot_tell")],
)
def test_the_verdict_follows_from_the_bounds(new, old, verdict):
    margin = 0.05 if verdict == "cannot_tell" else 0.08
    result = judged(counts(new, seed=1), counts(old, seed=2), margin)
    assert result.verdict == verdict, result
    assert result.lower < result.difference < result.upper
    assert (result.verdict == "more") == (result.lower > 0 and result.p <= 0.1)


def test_what_both_have_in_common_under_permuted_labels_does_not_count():
    """Of the same attacker on nearly the same h the nulls move together."""
    new, old = counts(0.6, seed=1), counts(0.6, seed=2)
    together = judged(new, old)
    apart = judge_difference(
        ScoredAttacker(new, null(1, 3)),
        ScoredAttacker(old, null(2, -3)),
        CLASS,
        margin=0.05,
        alpha=0.05,
        seed=0,
    )
    assert apart.upper - apart.lower > 2 * (together.upper - together.lower)


def test_the_bounds_are_as_wide_as_the_error_over_speakers_at_least():
    """Of equal counts the error is 0, and the null alone is left."""
    same = counts(0.6)
    result = judged(same, same)
    spread = np.std(null(1, 1) - null(2, 1), ddof=1)
    assert result.difference == 0 and result.p == 1
    assert result.upper == pytest.approx(1.6449 * spread, rel=1e-3)
    noisy = judge_difference(
        ScoredAttacker(counts(0.6, seed=1), null(1)),
        ScoredAttacker(counts(0.6, seed=2), null(1)),
        CLASS,
        0.05,
        0.05,
        seed=0,
    )
    assert noisy.upper - noisy.difference > 0.01


def test_the_bounds_hold_in_simulated_corpora():
    """Of 60 draws of speakers a one-sided 95 % bound is missed by at most 8 (P = 0.003)."""
    missed = 0
    for seed in range(60):
        new, old = counts(0.65, seed=2 * seed), counts(0.6, seed=2 * seed + 1)
        result = judge_difference(
            ScoredAttacker(new, null(1)), ScoredAttacker(old, null(1)), CLASS, 0.05, 0.05, seed=0
        )
        missed += result.upper < 0.05
    assert missed <= 8
