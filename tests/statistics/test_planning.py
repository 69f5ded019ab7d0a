"""What is expected of a measurement is what simulated ones give."""

import math

import numpy as np
import pytest

from privrep.leakage.measurement import measure
from privrep.statistics.planning import expected, expected_correlation, speakers_needed
from privrep.types import InferenceSettings, Sample

# Speakers of each class, utterances, deals; of so many corpora without a leak the mean upper bound
# and the mean minimum detectable UAR, simulated as in the test of the long tier below.
SIMULATED = [
    ((20, 20), 10, 1, 0.675, 0.662),  # 25 corpora
    ((20, 20), 2, 1, 0.718, 0.722),  # 12
    ((10, 10, 10, 10), 10, 1, 0.393, 0.383),  # 12
    ((30, 10), 10, 1, 0.705, 0.676),  # 6
    ((10, 10), 10, 1, 0.739, 0.726),  # 25
    *(((10, 10), 10, 6, 0.707, 0.685), ((20, 20), 10, 6, 0.645, 0.641)),  # 400 each
    ((50, 50), 10, 6, 0.593, 0.592),  # 400
    ((50, 50), 10, 1, 0.601, 0.602),  # 39
    ((20, 20), 40, 1, 0.655, 0.646),  # 8
]
# Speakers, the limit of a gate, and the share of corpora without a leak that pass it.
PASSED = [
    *((20, 0.70, 0.12), (20, 0.73, 0.40), (20, 0.75, 0.72), (20, 0.78, 0.88)),  # of 25
    *((40, 0.62, 0.00), (40, 0.65, 0.20), (40, 0.68, 0.64), (40, 0.70, 0.72)),  # of 25
    *((100, 0.58, 0.10), (100, 0.60, 0.49), (100, 0.62, 0.85), (100, 0.65, 0.95)),  # of 39
]


@pytest.mark.parametrize(("classes", "utterances", "deals", "upper", "detectable"), SIMULATED)
def test_it_agrees_with_corpora_that_were_simulated(classes, utterances, deals, upper, detectable):
    result = expected(classes, [utterances] * sum(classes), deals)
    assert result.upper == pytest.approx(upper, abs=0.02)
    assert result.minimum_detectable == pytest.approx(detectable, abs=0.02)


# As above, of so large an h that some attackers take part in one deal of folds alone.
LARGE = [((20, 20), 10, 6, 0.675, 0.641), ((50, 50), 10, 6, 0.608, 0.606)]


@pytest.mark.parametrize(("classes", "utterances", "deals", "upper", "detectable"), LARGE)
def test_a_large_h_has_a_plan_of_its_own(classes, utterances, deals, upper, detectable):
    result = expected(classes, [utterances] * sum(classes), deals, is_small=False)
    assert result.upper == pytest.approx(upper, abs=0.02)
    assert result.minimum_detectable == pytest.approx(detectable, abs=0.02)
    small = expected(classes, [utterances] * sum(classes), deals)
    assert small.upper < result.upper and small.passes(upper) > result.passes(upper) + 0.1
    once = expected(classes, [utterances] * sum(classes), 1)
    assert once == expected(classes, [utterances] * sum(classes), 1, is_small=False)


# Speakers, the limit of a gate, and the share of 400 corpora that pass it with six deals of folds.
PASSED_OF_400 = [
    *((20, 0.695, 0.457), (20, 0.726, 0.720), (20, 0.771, 0.875)),
    *((40, 0.636, 0.470), (40, 0.657, 0.690), (40, 0.689, 0.873)),
    *((100, 0.585, 0.393), (100, 0.598, 0.667), (100, 0.618, 0.857)),
]


@pytest.mark.parametrize(("speakers", "limit", "share"), PASSED_OF_400)
def test_the_chance_to_pass_is_that_of_400_corpora(speakers, limit, share):
    result = expected([speakers // 2] * 2, [10] * speakers, deals=6)
    assert result.passes(limit) == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize(("speakers", "limit", "share"), PASSED)
def test_the_chance_to_pass_does_too(speakers, limit, share):
    """Of 25 corpora a share of a half has a standard error of 10 points."""
    result = expected([speakers // 2] * 2, [10] * speakers, deals=1)
    assert result.passes(limit) == pytest.approx(share, abs=0.15)


# Speakers, deals; mean upper bound and median minimum detectable correlation of corpora of
# `number_worlds.linear` without a leak, 10 utterances, 99 permutations: 13 or 14 of 8 columns, with
# six deals 400 of 16 columns.
CORRELATIONS = [
    *((20, 1, 0.704, 0.721), (40, 1, 0.546, 0.551), (100, 1, 0.348, 0.354)),
    *((20, 6, 0.636, 0.668), (40, 6, 0.485, 0.497), (100, 6, 0.322, 0.327)),
]


@pytest.mark.parametrize(("speakers", "deals", "upper", "detectable"), CORRELATIONS)
def test_correlations_agree_with_corpora_that_were_simulated(speakers, deals, upper, detectable):
    """The mean bound of 13 corpora has a standard error of 0.02."""
    result, tolerance = expected_correlation([1] * speakers, deals), 0.04 if deals == 1 else 0.02
    assert result.upper == pytest.approx(upper, abs=tolerance)
    assert result.minimum_detectable == pytest.approx(detectable, abs=tolerance)
    assert result.upper_low < result.upper < result.upper_high


def test_so_many_speakers_as_are_needed_pass_with_80_percent():
    for limit in (0.2, 0.3, 0.5):
        needed = speakers_needed(expected_correlation([1] * 30, 6), 30, limit)
        assert expected_correlation([1] * int(needed), 6).passes(limit) >= 0.799
        assert expected_correlation([1] * int(0.8 * needed), 6).passes(limit) < 0.8
    assert speakers_needed(expected([20, 20], [10] * 40, 1), 40, 0.5) == math.inf
    few = expected_correlation([1, 1, 1], 1)
    assert few.minimum_detectable == math.inf and few.passes(0.9) == 0


def corpus(seed, classes, utterances):
    """16 columns, a variance of 1 between speakers, emotions and utterances each, and no leak."""
    rng = np.random.default_rng(1000 + seed)
    labels = rng.permutation(np.repeat(np.arange(len(classes)), classes))
    speaker = np.repeat(np.arange(len(labels)), utterances)
    h = rng.normal(size=(len(speaker), 16)) + rng.normal(size=(len(labels), 16))[speaker]
    h += rng.normal(size=(4, 16))[rng.integers(0, 4, len(speaker))]
    return Sample.of(h.astype(np.float32), labels[speaker], speaker)


@pytest.mark.long
@pytest.mark.parametrize("speakers", [20, 40, 100])
def test_it_agrees_with_corpora_that_are_simulated_now(speakers):
    """Of 20 corpora the mean bound has a standard error of 0.004 to 0.008."""
    classes = (speakers // 2, speakers // 2)
    verdicts = [
        measure(
            corpus(seed, classes, 10), settings=InferenceSettings(permutations=99, deals=1)
        ).verdict
        for seed in range(20)
    ]
    result = expected(classes, [10] * speakers, deals=1)
    uppers = [verdict.upper for verdict in verdicts]
    assert result.upper == pytest.approx(np.mean(uppers), abs=0.03)
    detectable = np.mean([verdict.minimum_detectable for verdict in verdicts])
    assert result.minimum_detectable == pytest.approx(detectable, abs=0.02)
    for limit in (0.60, 0.65, 0.70, 0.75):
        share = np.mean([v.upper <= limit and v.verdict != "leaks" for v in verdicts])
        assert result.passes(limit) == pytest.approx(share, abs=0.3)  # three standard errors


def test_more_speakers_and_utterances_come_nearer_and_unequal_classes_do_not():
    uppers = [expected([n, n], [10] * 2 * n, 6).upper for n in (10, 20, 50, 500)]
    assert uppers == sorted(uppers, reverse=True) and uppers[-1] < 0.54
    assert expected([20, 20], [2] * 40, 6).upper > expected([20, 20], [20] * 40, 6).upper
    assert expected([30, 10], [10] * 40, 6).upper > expected([20, 20], [10] * 40, 6).upper
    result = expected([20, 20], [10] * 40, 6)
    assert result.person_upper > result.upper
    assert result.passes(0.6) < 0.05 < 0.5 < result.passes(0.7) < result.passes(0.99) <= 0.95


def test_as_many_speakers_as_are_needed_pass_in_four_of_five_corpora():
    result = expected([20, 20], [10] * 40, 6)
    needed = round(20 * result.growth_needed(0.6))
    assert expected([needed] * 2, [10] * 2 * needed, 6).passes(0.6) == pytest.approx(0.8, abs=0.03)


def test_few_speakers_detect_nothing_and_never_pass():
    result = expected([2, 2], [50] * 4, 6)
    assert result.minimum_detectable == math.inf and result.passes(1.0) == 0
    assert expected([4, 4], [50] * 8, 6).minimum_detectable <= 1
