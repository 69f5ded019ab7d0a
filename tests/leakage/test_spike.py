"""A planted leak is as large as it says, and is found by the labels as they stand."""

import math

import numpy as np
import pytest

from privrep.leakage.number_worlds import linear as number_world
from privrep.leakage.spike import (
    distance,
    plant,
    plant_number,
    smallest_detected,
    smallest_detected_correlation,
    spread_of,
)
from privrep.statistics.correlation import rank_correlation
from privrep.types import InferenceSettings, NumberSample, Sample

SETTINGS = InferenceSettings(permutations=24, deals=1)


def noise(num_classes=2, speakers=40, size=6, seed=0):
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(speakers), 10)
    mixed = rng.normal(size=(len(speaker), size)) @ rng.normal(size=(size, size))
    return Sample.of(1000 + mixed * np.geomspace(1e-3, 1e3, size), speaker % num_classes, speaker)


@pytest.mark.parametrize("num_classes", [2, 4])
@pytest.mark.parametrize("uar", [0.6, 0.9])
def test_the_best_attacker_reads_what_was_planted(num_classes, uar):
    """The nearest class mean in whitened coordinates is the best one, of 20,000 normal rows."""
    rng = np.random.default_rng(0)
    labels = np.arange(20_000) % num_classes
    h = rng.normal(size=(20_000, 5)) * [1, 10, 100, 1, 0.1]
    spiked = plant(Sample.of(h, labels, labels), uar, spread_of(h), seed=1)
    x = spiked / h.std(0)
    means = np.stack([x[labels == c].mean(0) for c in range(num_classes)])
    nearest = ((x[:, None] - means) ** 2).sum(2).argmin(1)
    recalls = [(nearest == labels)[labels == c].mean() for c in range(num_classes)]
    assert np.mean(recalls) == pytest.approx(uar, abs=0.012)


def test_the_distance_grows_with_the_uar_and_is_none_at_chance():
    for num_classes in (2, 3, 10):
        assert distance(1 / num_classes, num_classes) == pytest.approx(0, abs=1e-6)
        assert distance(0.8, num_classes) > distance(0.7, num_classes) > 0


def test_the_smallest_planted_leak_that_is_detected_is_told():
    sample = noise()
    result = smallest_detected(sample, 0.7, SETTINGS)
    assert 0.7 <= result.detected < 1 and result.tried[-1] == result.detected
    assert result.tried[0] == pytest.approx(0.7)


def test_what_few_speakers_cannot_show_is_detected_nowhere():
    result = smallest_detected(noise(speakers=4), 0.9, SETTINGS)
    assert result.detected == math.inf and 0.9 <= min(result.tried) <= max(result.tried) < 1


def test_order_does_not_matter_so_that_it_shows_no_alignment():
    sample = noise()
    order = np.random.default_rng(1).permutation(len(sample.labels))
    mixed = Sample(sample.h[order], sample.labels, sample.speaker)
    assert math.isfinite(smallest_detected(mixed, 0.8, SETTINGS).detected)


def test_one_column_and_many_classes_can_be_spiked():
    sample = noise(num_classes=4, size=1)
    spiked = plant(sample, 0.6, spread_of(sample.h), 0)
    assert spiked.shape == sample.h.shape and np.isfinite(spiked).all()


@pytest.mark.parametrize("correlation", [0.3, 0.8])
def test_the_best_estimate_has_the_correlation_that_was_planted(correlation):
    """Least squares on the means of 20,000 speakers in six columns of unequal size."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(20_000), 2)
    age = np.exp(rng.normal(size=20_000))
    h = (rng.normal(size=(20_000, 6))[speaker] + rng.normal(size=(40_000, 6))) * np.geomspace(
        1e-3, 1e3, 6
    )
    sample = NumberSample.of(h, age[speaker], speaker)
    spiked = plant_number(sample, correlation, seed=1).reshape(20_000, 2, 6).mean(1)
    ranks = age.argsort().argsort()
    design = np.column_stack([spiked / spiked.std(0), np.ones(20_000)])
    estimate = design @ np.linalg.lstsq(design, ranks, rcond=None)[0]
    assert rank_correlation(estimate, age) == pytest.approx(correlation, abs=0.02)


def test_the_smallest_planted_correlation_that_is_detected_is_told():
    result = smallest_detected_correlation(number_world(0, 40, 6, 5, 0.0), 0.5, SETTINGS)
    assert 0.5 == result.tried[0] <= result.detected == result.tried[-1] < 1
    few = smallest_detected_correlation(number_world(0, 4, 6, 5, 0.0), 0.5, SETTINGS)
    assert few.detected == math.inf and len(few.tried) > 1
