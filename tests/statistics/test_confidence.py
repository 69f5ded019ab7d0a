"""Speaker-level errors, intervals and comparisons against scipy, and what must not change them."""

import numpy as np
import pytest
import scipy.stats
from confidence_intervals import evaluate_with_conf_int
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from privrep.statistics.confidence import INTERVALS, bootstrap, interval, over_seeds, standard_error
from privrep.statistics.paired_comparison import compare
from privrep.statistics.uar import confusion_counts, uar

RNG = np.random.default_rng(2)
S, EACH = 24, 10
SKILL = RNG.beta(4, 2, S)
SPEAKERS = np.repeat(np.arange(S), EACH)
LABELS = RNG.integers(0, 3, S * EACH)
RIGHT = RNG.random(S * EACH) < SKILL[SPEAKERS]
PREDICTIONS = np.where(RIGHT, LABELS, (LABELS + 1) % 3)
COUNTS = confusion_counts(PREDICTIONS, LABELS, SPEAKERS, 3)


def accuracy(counts):
    return np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))


def test_counts_and_uar_are_scikit_learns():
    np.testing.assert_array_equal(COUNTS.sum(0), confusion_matrix(LABELS, PREDICTIONS))
    np.testing.assert_array_equal(COUNTS[3].sum(), EACH)
    expected = balanced_accuracy_score(LABELS, PREDICTIONS)
    np.testing.assert_allclose(uar(COUNTS.sum(0)), expected, atol=1e-12)


def test_unknown_labels_and_absent_classes_do_not_count():
    counts = confusion_counts(np.array([0, 1, 1]), np.array([0, 0, -1]), np.zeros(3, int), 3)
    np.testing.assert_array_equal(counts, [[[1, 1, 0], [0, 0, 0], [0, 0, 0]]])
    assert uar(counts[0]) == 0.5


def test_the_error_of_a_mean_over_speakers_is_the_textbooks():
    """With equally many utterances the accuracy is the mean of the speakers' accuracies."""
    each = accuracy(COUNTS)
    expected = each.std(ddof=1) / np.sqrt(S)
    np.testing.assert_allclose(
        standard_error(COUNTS, accuracy, np.zeros(S, int)), expected, rtol=1e-5
    )
    strata = np.arange(S) % 2
    within = [each[strata == i].var(ddof=1) * 12 / S**2 for i in range(2)]
    np.testing.assert_allclose(
        standard_error(COUNTS, accuracy, strata), np.sqrt(sum(within)), rtol=1e-5
    )


@pytest.mark.parametrize("method", INTERVALS)
def test_intervals_agree_with_scipys(method):
    each = accuracy(COUNTS)
    actual = interval(COUNTS, accuracy, method=method, draws=4000)
    if method == "t":
        expected = scipy.stats.t.interval(0.95, S - 1, each.mean(), scipy.stats.sem(each))
        np.testing.assert_allclose((actual.lower, actual.upper), expected, rtol=1e-5)
        return
    expected = scipy.stats.bootstrap(
        (each,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0)
    )
    if method == "percentile":
        np.testing.assert_allclose(
            (actual.lower, actual.upper), expected.confidence_interval, atol=0.006
        )
    np.testing.assert_allclose(actual.error, expected.standard_error, rtol=0.06)
    assert actual.lower < actual.score < actual.upper


def test_the_bootstrap_is_that_of_confidence_intervals_where_each_speaks_once():
    """Ferrer and Riera's package; of speakers (its `conditions`) who speak more than once it
    draws utterances anew as well, which counts what differs within them twice."""
    alone = confusion_counts(PREDICTIONS, LABELS, np.arange(S * EACH), 3)
    bootstrapped = interval(alone, method="percentile", draws=4000)
    score, ends = evaluate_with_conf_int(
        PREDICTIONS, balanced_accuracy_score, LABELS, num_bootstraps=1000, alpha=5
    )
    np.testing.assert_allclose(bootstrapped.score, score, atol=1e-12)
    np.testing.assert_allclose((bootstrapped.lower, bootstrapped.upper), ends, atol=0.008)
    # The speakers are the sample: whoever draws utterances is too sure.
    assert np.diff(ends) < 0.85 * np.diff(interval(COUNTS, method="percentile", draws=4000)[1:3])


def test_a_bootstrap_draw_keeps_every_stratum():
    strata = np.arange(S) % 2
    scores, times = bootstrap(COUNTS, uar, strata, 200, seed=0)
    assert (times[:, strata == 0].sum(1) == S // 2).all() and (times.sum(1) == S).all()
    by_hand = uar(np.repeat(COUNTS, times[7], axis=0).sum(0))
    np.testing.assert_allclose(scores[7], by_hand)


def test_the_speaker_is_the_unit():
    """Every utterance ten times over says nothing new; speakers ten times over would."""
    tenfold = interval(10 * COUNTS)
    np.testing.assert_allclose(tenfold[:3], interval(COUNTS)[:3], rtol=1e-4)
    assert interval(np.repeat(COUNTS, 10, axis=0)).error < 0.4 * interval(COUNTS).error


def test_a_studentised_interval_reaches_to_the_long_tail():
    """Most speakers are recognised always and a few hardly ever; of the share of errors the long
    tail is on the other side, and the interval is the mirror image."""
    hits = np.repeat([10, 9, 3, 0], [20, 5, 3, 2])
    counts = np.zeros((30, 2, 2), int)
    counts[:, 0, 0], counts[:, 0, 1] = hits, 10 - hits
    score, lower, upper, _ = interval(counts, accuracy, method="studentised", draws=500)
    assert score - lower > 1.2 * (upper - score)
    mirrored = interval(counts, lambda c: 1 - accuracy(c), method="studentised", draws=500)
    np.testing.assert_allclose(mirrored[:3], (1 - score, 1 - upper, 1 - lower), atol=1e-3)


def test_every_stratum_takes_a_degree_of_freedom():
    """The mean of two groups of equal size varies half as much as the difference of their means:
    its interval is half as wide as that of Student's t test."""
    group, each = np.arange(S) % 2, accuracy(COUNTS)
    student = scipy.stats.ttest_ind(each[group == 0], each[group == 1]).confidence_interval()
    of_mean = interval(COUNTS, accuracy, group)
    np.testing.assert_allclose(of_mean.upper - of_mean.lower, (student.high - student.low) / 2)


@pytest.mark.parametrize("method", INTERVALS)
def test_perfect_and_constant_results_have_intervals(method):
    perfect = np.stack([np.diag([3, 2])] * 5)
    assert interval(perfect, method=method)[:3] == (1.0, 1.0, 1.0)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="'normal': choose one of t, percentile, studentised"):
        interval(COUNTS, method="normal")


def test_the_paired_comparison_is_scipys_test_of_exchanged_systems():
    """Eight speakers, all 2^8 exchanges, accuracy: the mean of paired differences."""
    better = np.where(RNG.random(S * EACH) < 0.3, LABELS, PREDICTIONS)
    a, b = (confusion_counts(p, LABELS, SPEAKERS, 3)[:8] for p in (better, PREDICTIONS))
    comparison = compare(a, b, accuracy)
    each = accuracy(a), accuracy(b)
    expected = scipy.stats.permutation_test(
        each, lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", n_resamples=np.inf
    )
    np.testing.assert_allclose(
        (comparison.difference, comparison.p), (expected.statistic, expected.pvalue)
    )
    half = scipy.stats.sem(each[0] - each[1]) * scipy.stats.t.ppf(0.975, 7)
    np.testing.assert_allclose(comparison.upper - comparison.difference, half, rtol=1e-4)
    assert comparison.smallest_p == 2 / 2**8


def test_a_comparison_of_many_speakers_draws_exchanges():
    better = np.where(RNG.random(S * EACH) < 0.5, LABELS, PREDICTIONS)
    a = confusion_counts(better, LABELS, SPEAKERS, 3)
    comparison = compare(a, COUNTS)
    assert 0 < comparison.lower < comparison.difference < comparison.upper
    assert comparison.p == 1 / 2000
    back = compare(COUNTS, a)
    np.testing.assert_allclose(back[:2], (-comparison.difference, -comparison.upper))
    same = compare(a, a)
    assert same.difference == 0 and same.p == 1


def test_a_comparison_needs_the_same_speakers():
    with pytest.raises(ValueError, match="24 and 23 speakers"):
        compare(COUNTS, COUNTS[1:])


def test_one_p_for_tests_on_the_same_speakers_holds_its_level_and_the_smallest_does_not():
    rng = np.random.default_rng(0)
    shared, independent = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 5))
    for correlation in (0.0, 0.5, 0.95):
        z = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * independent
        p = scipy.stats.norm.sf(z)
        assert np.mean([over_seeds(row) <= 0.05 for row in p]) < 0.06
        if correlation < 0.9:
            assert np.mean(p.min(1) <= 0.05) > 0.1
    assert over_seeds([0.03]) == 0.03 and over_seeds([0.6, 0.9, 0.8]) == 1
