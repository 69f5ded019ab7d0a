"""The bound of the whole score, where permuted labels explain a part of it."""

import numpy as np
import pytest
import scipy.special

from privrep.statistics.permutation_test import Permutations
from privrep.statistics.total_bound import bound_total
from privrep.statistics.verdict import Scores, judge

PERMUTATIONS = Permutations(np.zeros((100, 4), np.int32), 10**6, False, 0.01)


def judged(truth, explained, errors, limit=0.1):
    """The verdict on attackers of these scores, of which permuted labels have `explained`."""
    null = explained + 0.01 * np.random.default_rng(0).normal(size=(len(truth), 99))
    scores = np.concatenate([np.array(truth)[:, None], null], 1)
    verdict, attackers = judge(Scores(scores, np.array(errors)), PERMUTATIONS, 2, limit)
    return verdict, bound_total(verdict, scores[:, 0], attackers), null.std(1, ddof=1)


def test_the_whole_score_is_bounded_whatever_the_rooms_explain_of_it():
    """upper = score + z max(s, e), of the attacker for which it is largest."""
    z = scipy.special.ndtri(0.95)
    for errors in ((0.0, 0.0), (0.05, 0.0), (0.0, 0.05)):
        verdict, total, sd = judged((0.81, 0.80), 0.8, errors)
        assert verdict.upper == 0.81  # what exceeds permuted labels is bounded by 0.53 to 0.60
        expected = max(u + z * max(s, e) for u, s, e in zip((0.81, 0.80), sd, errors))
        assert total.upper == pytest.approx(expected)
    assert judged((0.99, 0.99), 0.98, (0.05, 0.05))[1].upper == 1


def test_no_leak_is_not_said_of_a_score_that_may_be_over_the_limit():
    verdict, total, _ = judged((0.595,), 0.595, (0.01,))
    assert verdict.verdict == "no_leak_shown" and total.verdict == "cannot_tell"
    verdict, total, _ = judged((0.5,), 0.5, (0.01,))
    assert verdict == total and total.verdict == "no_leak_shown"


def test_the_bound_never_falls():
    """Under permuted labels the score may be higher, and what it differs by is a leak too."""
    verdict, total, _ = judged((0.5,), 0.7, (0.01,))
    assert total.upper == verdict.upper > 0.7
