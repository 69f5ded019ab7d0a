"""What is expected of a measurement is what simulated ones give."""

import math

import numpy as np
import pytest

from privrep.leakage.measurement import measure
from privrep.statistics.planning import expected
from privrep.types import InferenceSettings, Sample

# Speakers of each class, utterances, deals; of so many corpora without a leak the mean upper bound
# and the mean minimum detectable UAR, simulated as in the test of the long tier below.
SIMULATED = [
    ((10, 10), 10, 1, 0.739, 0.726),  # 25 corpora
    ((20, 20), 10, 1, 0.675, 0.662),  # 25
    ((20, 20), 2, 1, 0.718, 0.722),  # 12
    ((10, 10, 10, 10), 10, 1, 0.393, 0.383),  # 12
    ((30, 10), 10, 1, 0.705, 0.676),  # 6
    ((20, 20), 10, 6, 0.677, 0.665),  # 6
]


@pytest.mark.parametrize(("classes", "utterances", "deals", "upper", "detectable"), SIMULATED)
def test_it_agrees_with_corpora_that_were_simulated(classes, utterances, deals, upper, detectable):
    result = expected(classes, [utterances] * sum(classes), deals)
    assert result.upper == pytest.approx(upper, abs=0.02)
    assert result.minimum_detectable == pytest.approx(detectable, abs=0.02)


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
    assert expected([needed] * 2, [10] * 2 * needed, 6).passes(0.6) == pytest.approx(0.8, abs=0.01)


def test_few_speakers_detect_nothing_and_never_pass():
    result = expected([2, 2], [50] * 4, 6)
    assert result.minimum_detectable == math.inf and result.passes(1.0) == 0
    assert expected([4, 4], [50] * 8, 6).minimum_detectable <= 1
