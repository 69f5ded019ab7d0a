"""The CCC from sums of speakers: equal to the device's, with intervals over speakers that hold."""

import doctest

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error

from privrep.statistics import concordance
from privrep.statistics.concordance import (
    ccc,
    ccc_interval,
    compare_ccc,
    in_units,
    moments,
    rmse,
)
from privrep.statistics.group_gap import gap
from privrep.training import regression


def corpus(seed, num_speakers=20, each=15, skill=1.0):
    """Predictions, targets and speakers; each speaker is predicted too high or too low."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(num_speakers), each)
    targets = rng.uniform(1, 5, len(speaker))
    offset = rng.normal(size=num_speakers)[speaker]
    return skill * targets + offset + rng.normal(size=len(speaker)), targets, speaker


def test_the_example_runs():
    failed, tried = doctest.testmod(concordance)
    assert tried and not failed


def test_it_is_that_of_the_device_whatever_the_line_of_the_sums():
    x, y, speaker = corpus(0)
    sums = moments(x, y, speaker)
    expected = float(regression.ccc(x, y))
    other = moments(*corpus(9)[:2], speaker)
    for mapped in (sums, in_units(sums, sums), in_units(sums, other)):
        assert float(ccc(mapped.sum(0))) == pytest.approx(expected, abs=1e-5)
    assert (in_units(sums, sums) >= 0).all()
    assert rmse(x, y) == pytest.approx(mean_squared_error(y, x) ** 0.5)
    unknown = np.where(np.arange(len(y)) % 3 == 0, np.nan, y)
    known = ~np.isnan(unknown)
    assert float(ccc(moments(x, unknown, speaker).sum(0))) == pytest.approx(
        float(regression.ccc(x[known], y[known])), abs=1e-5
    )


def test_its_error_is_that_of_leaving_speakers_out():
    x, y, speaker = corpus(1, num_speakers=40)
    sums = moments(x, y, speaker)
    result = ccc_interval(sums)
    left_out = ccc(sums.sum(0) - sums)
    jackknife = np.sqrt(39 / 40 * ((left_out - left_out.mean()) ** 2).sum())
    assert result.error == pytest.approx(jackknife)
    assert result.lower < result.score < result.upper
    often = ccc_interval(moments(*(np.tile(a, 7) for a in (x, y)), np.tile(speaker, 7)))
    np.testing.assert_allclose(often[:3], result[:3], atol=1e-4)


@pytest.mark.by_hand
def test_intervals_hold_the_ccc_of_all_speakers_as_often_as_they_say():
    truth = float(regression.ccc(*corpus(10_000, num_speakers=4000)[:2]))
    held = [
        (lower <= truth <= upper)
        for seed in range(300)
        for _, lower, upper, _ in [ccc_interval(moments(*corpus(seed, num_speakers=40)))]
    ]
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_better_system_on_the_same_speakers_is_found_better():
    x, y, speaker = corpus(2)
    worse = x + np.random.default_rng(3).normal(size=len(x))
    comparison = compare_ccc(moments(x, y, speaker), moments(worse, y, speaker))
    expected = float(regression.ccc(x, y)) - float(regression.ccc(worse, y))
    assert comparison.difference == pytest.approx(expected, abs=1e-5)
    assert comparison.lower > 0 and comparison.p < 0.01
    same = compare_ccc(moments(x, y, speaker), moments(x, y, speaker))
    assert same.difference == 0 and same.p == 1


def test_the_gap_of_two_groups_is_of_their_cccs():
    x, y, speaker = corpus(4)
    inside = speaker % 2 == 0
    a, b = (moments(x, np.where(of, y, np.nan), speaker) for of in (inside, ~inside))
    gap_of_ccc = gap(in_units(a, a), in_units(b, b), ccc)
    expected = [float(regression.ccc(x[of], y[of])) for of in (inside, ~inside)]
    assert gap_of_ccc.difference == pytest.approx(expected[0] - expected[1], abs=1e-5)
    assert gap_of_ccc.lower < gap_of_ccc.difference < gap_of_ccc.upper
