"""Bounds cover what they bound, and depend on a UAR only through its distance from chance."""

import numpy as np
import pytest
import scipy.stats

from privrep.statistics.confidence import standard_error
from privrep.statistics.permutation_test import Permutations
from privrep.statistics.uar import uar
from privrep.statistics.verdict import Scores, judge

PERMUTATIONS = Permutations(np.zeros((100, 1)), 10**6, False, 1 / 100)
DRAWS = 120


def judged(uars, errors, num_classes=2, **options):
    return judge(Scores(np.asarray(uars), np.asarray(errors)), PERMUTATIONS, num_classes, **options)


def with_null(rng, true_uars, sd, centre=0.5):
    """float[A, P]: the UARs of the true labelling before those of permuted ones."""
    null = rng.normal(centre, sd, (len(true_uars), len(PERMUTATIONS.labels) - 1))
    return np.concatenate([np.asarray(true_uars)[:, None], null], 1)


def test_bounds_cover_where_speakers_differ_much():
    """40 speakers, some recognised nearly always and some hardly ever, at 0.6 in the mean; permuted
    labels spread by 0.01, a fifth of the standard error over speakers."""
    rng = np.random.default_rng(0)
    truth, gender = 0.6, np.arange(40) % 2
    above, below = [], []
    for _ in range(DRAWS):
        hits = rng.binomial(20, rng.beta(0.6, 0.4, 40))
        counts = np.zeros((40, 2, 2), int)
        counts[np.arange(40), gender, gender] = hits
        counts[np.arange(40), gender, 1 - gender] = 20 - hits
        uars = with_null(rng, [uar(counts.sum(0))], 0.01)
        verdict, attackers = judged(uars, [standard_error(counts, uar, gender)])
        above.append([verdict.upper >= truth, attackers[0].upper >= truth])
        below.append([verdict.lower <= truth, attackers[0].lower <= truth])
    assert (np.mean(above, 0) >= 0.9).all() and (np.mean(below, 0) >= 0.9).all()


def test_the_upper_bound_is_of_the_strongest_attacker_not_of_the_luckiest():
    """A precise attacker of mean 0.55, and one of 0.60 that test speakers show roughly: it comes
    out lower than the other in a quarter of the draws."""
    rng = np.random.default_rng(0)
    errors = np.array([0.01, 0.08])
    covered = []
    for _ in range(DRAWS):
        uars = with_null(rng, rng.normal([0.55, 0.60], errors), 0.01)
        covered.append(judged(uars, errors)[0].upper >= 0.60)
    assert np.mean(covered) >= 0.9


def test_the_lower_bound_allows_for_having_taken_the_strongest():
    rng = np.random.default_rng(0)
    uars = [with_null(rng, rng.normal(0.5, 0.05, 5), 0.05) for _ in range(DRAWS)]
    covered = [judged(of_draw, np.full(5, 0.02))[0].lower <= 0.5 for of_draw in uars]
    assert np.mean(covered) >= 0.9


def test_neither_order_nor_another_attacker_lowers_the_upper_bound():
    rng = np.random.default_rng(0)
    for _ in range(20):
        uars, errors = with_null(rng, rng.normal(0.52, 0.03, 4), 0.01), rng.uniform(0.01, 0.1, 4)
        upper = judged(uars, errors)[0].upper
        order = rng.permutation(4)
        assert judged(uars[order], errors[order])[0].upper == pytest.approx(upper)
        for attacker in range(4):
            others = np.arange(4) != attacker
            assert judged(uars[others], errors[others])[0].upper <= upper


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_bounds_and_limit_are_relative_to_chance(num_classes):
    """The same distances from chance: the same distances of all bounds, and the same verdict."""
    for true_uar, verdict in ((0.51, "no_leak_shown"), (0.55, "cannot_tell"), (0.65, "leaks")):
        uars = with_null(np.random.default_rng(0), [true_uar, 0.5], 0.03)
        errors, shift = np.array([0.04, 0.04]), 0.5 - 1 / num_classes
        of_two, of_many = judged(uars, errors), judged(uars - shift, errors, num_classes)
        assert of_two[0].verdict == of_many[0].verdict == verdict
        for name in ("uar", "lower", "upper", "minimum_detectable", "limit"):
            expected = getattr(of_two[0], name) - shift
            assert getattr(of_many[0], name) == pytest.approx(expected), name
        np.testing.assert_allclose(
            [(of.lower, of.upper) for of in of_many[1]],
            [(of.lower - shift, of.upper - shift) for of in of_two[1]],
        )


def test_a_uar_is_never_outside_its_bounds():
    """Whatever permuted labels score: as much as the true ones where sessions tell the attribute,
    or less than chance where folds are few."""
    rng = np.random.default_rng(0)
    for centre in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95):
        uars = with_null(rng, rng.uniform(0.1, 1, 3), 0.02, centre)
        verdict, attackers = judged(uars, rng.uniform(0.001, 0.1, 3))
        assert verdict.lower <= verdict.uar <= verdict.upper
        for attacker, row in zip(attackers, uars):
            assert attacker.lower <= row[0] <= attacker.upper


def test_the_minimum_detectable_uar_is_detected_in_four_of_five():
    """Each draw takes a corpus whose mean UAR is what the test of that corpus calls detectable."""
    rng = np.random.default_rng(0)
    detected = []
    for _ in range(DRAWS):
        uars = with_null(rng, [0.5], 0.03)
        verdict, (alone,) = judged(uars, [0.03])
        p = []
        for which, detectable in enumerate((verdict.minimum_detectable, alone.minimum_detectable)):
            uars[0, 0] = rng.normal(detectable, 0.03)
            verdict, (alone,) = judged(uars, [0.03])
            p.append((verdict.p, alone.p)[which])
        detected.append(np.array(p) <= 0.05)
    least, most = scipy.stats.binom.interval(0.999, DRAWS, 0.8)
    assert ((np.sum(detected, 0) >= least) & (np.sum(detected, 0) <= most)).all()
