"""The gap between two groups of speakers: by hand, without one, and with speakers in both."""

import numpy as np
import pytest
import scipy.stats

from privrep.statistics.classification import weighted_accuracy
from privrep.statistics.group_gap import gap
from privrep.statistics.uar import confusion_counts, uar


def counts_of(rates, each=40, seed=0):
    """int64[S, 2, 2]: speakers whose utterances of two classes are recognised at these rates."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(len(rates)), each)
    truth = np.tile([0, 1], len(speaker) // 2)
    right = rng.random(len(speaker)) < np.asarray(rates)[speaker]
    return confusion_counts(np.where(right, truth, 1 - truth), truth, speaker, 2)


def divided(counts, inside):
    return np.where(inside[:, None, None], counts, 0), np.where(inside[:, None, None], 0, counts)


def test_of_equally_long_speakers_it_is_the_t_interval_of_two_samples():
    counts = counts_of(np.random.default_rng(1).uniform(0.4, 0.9, 16))
    inside = np.arange(16) % 2 == 0
    of_groups = gap(*divided(counts, inside), weighted_accuracy)
    of_speaker = weighted_accuracy(counts)
    a, b = of_speaker[inside], of_speaker[~inside]
    assert of_groups.difference == pytest.approx(a.mean() - b.mean())
    expected = scipy.stats.ttest_ind(a, b).confidence_interval()
    np.testing.assert_allclose(of_groups[1:], expected, rtol=1e-4)


def test_speakers_in_both_groups_are_paired():
    """Each is as much better in one group: the speakers differ widely and the gap is certain."""
    rates = np.linspace(0.3, 0.7, 10)
    a, b = counts_of(rates + 0.3, each=4000), counts_of(rates, each=4000, seed=1)
    together = gap(a, b)
    assert together.lower < 0.3 < together.upper and together.upper - together.lower < 0.06
    apart = gap(np.concatenate([a, 0 * a]), np.concatenate([0 * b, b]))
    assert apart.difference == pytest.approx(together.difference)
    assert apart.upper - apart.lower > 0.2  # twenty different people


@pytest.mark.by_hand
def test_without_a_gap_the_interval_holds_0_as_often_as_it_says():
    held = []
    for seed in range(300):
        rates = np.random.default_rng(seed).uniform(0.3, 0.9, 20)
        of_groups = gap(*divided(counts_of(rates, seed=seed), np.arange(20) < 10), uar)
        held.append(of_groups.lower <= 0 <= of_groups.upper)
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_group_of_one_speaker_has_no_interval():
    counts = counts_of([0.5, 0.6, 0.7])
    assert gap(*divided(counts, np.array([True, False, False]))) is None
