"""Conditional leakage: right in the worlds where the answer is known."""

import numpy as np
import pytest

from privrep.attacks.lda import linear
from privrep.leakage.conditional import explain
from privrep.leakage.worlds import WORLDS
from privrep.statistics.confidence import standard_error
from privrep.statistics.design import speaker_labels
from privrep.statistics.strata import (
    combined,
    covariate,
    residual,
    score_within,
    strata_of_speakers,
)
from privrep.statistics.strata import within_uar as within
from privrep.types import InferenceSettings

LINEAR = {"linear": linear}


def column(name, values):
    return covariate(name, [str(value) for value in values])


def explained(world, name, speakers=60):
    drawn = WORLDS[world].draw(0, speakers, 20, 8)
    z = column(name, getattr(drawn, name))
    # The speakers of a session stay together, and labels are permuted only between them.
    sample = drawn.sample(with_session=name == "session")
    return explain(sample, [z], attackers=LINEAR)[0]


@pytest.mark.parametrize(
    "world, name",
    [("emotion_tied", "emotion"), ("length_only", "num_frames")],
)
def test_a_leak_that_is_the_covariates_own_vanishes_given_it(world, name):
    explanation = explained(world, name)
    assert explanation.total.verdict == explanation.covariate_alone.verdict == "leaks"
    assert explanation.beyond.verdict in ("no_leak_shown", "cannot_tell")
    assert abs(explanation.beyond.uar - 0.5) < 0.08 and explanation.shared > 0.15
    assert explanation.shared == explanation.total.uar - explanation.beyond.uar
    assert f"vanishes only together with what h reveals about {name}" in explanation.conclusion


@pytest.mark.parametrize(
    "world, name", [("linear", "emotion"), ("one_emotion", "emotion"), ("linear", "session")]
)
def test_a_leak_of_its_own_stays_given_the_covariate(world, name):
    explanation = explained(world, name)
    assert explanation.total.verdict == explanation.beyond.verdict == "leaks"
    assert explanation.covariate_alone.verdict != "leaks" and abs(explanation.shared) < 0.1
    assert f"beyond {name}" in explanation.conclusion


def test_a_leak_that_only_a_nonlinear_attacker_finds_stays_too():
    explanation = explained("nonlinear", "emotion")
    assert explanation.beyond.verdict != "leaks"
    sample = WORLDS["nonlinear"].draw(0, 40, 12, 8)
    (explanation,) = explain(sample.sample(), [column("emotion", sample.emotion)])
    assert explanation.beyond.verdict == "leaks" and explanation.attacker.startswith("kernel")


def test_false_alarms_are_rare_where_emotion_and_gender_are_tied():
    """16 corpora: as many alarms as one in twenty makes likely (99 %), or fewer."""
    alarms = bounds = 0
    for seed in range(16):
        sample = WORLDS["emotion_tied"].draw(seed, 24, 6, 4)
        (explanation,) = explain(
            sample.sample(),
            [column("emotion", sample.emotion)],
            attackers=LINEAR,
            settings=InferenceSettings(permutations=39, seed=seed),
        )
        alarms += explanation.beyond.verdict == "leaks"
        bounds += explanation.beyond.upper >= 0.5
    assert alarms <= 3 and bounds == 16


def test_where_nobody_shares_a_stratum_nothing_can_be_told():
    sample = WORLDS["linear"].draw(0, 20, 6, 4)
    (explanation,) = explain(sample.sample(), [column("who", sample.speaker)], attackers=LINEAR)
    assert explanation.beyond.verdict == "cannot_tell" and explanation.beyond.upper == 1
    assert explanation.share == 0
    assert "No two classes share one who" in explanation.conclusion


def test_a_rule_that_looks_at_the_covariate_alone_scores_chance():
    """Whatever it guesses in a stratum, for any tie of classes and strata."""
    rng = np.random.default_rng(0)
    counts = np.zeros((6, 3, 3), int)
    for stratum, guess in enumerate(rng.integers(0, 3, 6)):
        counts[stratum, :, guess] = rng.integers(0, 30, 3)
    assert score_within(counts) == pytest.approx(1 / 3)
    assert score_within(np.eye(3, dtype=int)[None] * 5) == 1
    assert score_within(np.eye(3, dtype=int)[:, :, None] * np.eye(3, dtype=int)[0]) == 1 / 3


def test_the_error_within_strata_is_the_linearised_one():
    rng = np.random.default_rng(0)
    n, people, strata, classes = 400, 20, 5, 3
    speakers, z = rng.integers(0, people, n), rng.integers(0, strata, n)
    labels = rng.integers(0, classes, (2, n))
    labels[:, z == 4] %= 2  # a stratum that lacks a class
    guessed = np.where(rng.random((2, n)) < 0.5, labels, rng.integers(0, classes, (2, n)))
    scores, errors = within(guessed, labels, speakers, z, classes)
    for score, error, truth, guess in zip(scores, errors, labels, guessed):
        counts = np.zeros((people, strata, classes, classes), int)
        np.add.at(counts, (speakers, z, truth, guess), 1)
        assert score == pytest.approx(score_within(counts.sum(0)))
        expected = standard_error(counts, score_within, speaker_labels(truth, speakers))
        assert error == pytest.approx(expected, rel=1e-4)


def test_columns_become_strata():
    words = covariate("emotion", ["sad", None, "sad", "glad"])
    assert words.strata.tolist() == [2, 0, 2, 1] and words.values.shape == (4, 0)
    lengths = column("num_frames", range(100, 260))
    assert np.bincount(lengths.strata).tolist() == [20] * 8 and lengths.values.shape == (160, 1)
    few = column("grade", [1, 2, 3] * 8)
    assert few.values.shape == (24, 0) and few.strata.max() == 2
    both = combined([words, covariate("script", ["a", "a", "b", "a"])])
    assert both.name == "emotion and script" and sorted(both.strata) == [0, 1, 2, 3]


def test_the_residual_holds_nothing_linear_of_the_covariate():
    rng = np.random.default_rng(0)
    length = rng.integers(50, 500, 400)
    z = column("num_frames", length)
    h = np.stack([length / 100, rng.normal(size=400)], 1)
    left = residual(h, z)
    assert np.abs(left[:, 0]).max() < 1e-5 and left[:, 1].std() > 0.8
    means = [left[z.strata == k].mean(0) for k in range(8)]
    np.testing.assert_allclose(means, 0, atol=1e-6)


def test_labels_are_permuted_between_speakers_of_equal_covariate_where_there_is_one():
    speakers = np.repeat(np.arange(4), 3)
    everyone = np.zeros(4, np.int32)
    accent = column("accent", np.array([0, 1, 0, 1])[speakers])
    assert strata_of_speakers(accent, speakers, everyone, np.arange(4)).tolist() == [0, 1, 0, 1]
    varying = column("emotion", np.arange(12) % 2)
    assert strata_of_speakers(varying, speakers, everyone, np.arange(4)) is everyone
    # A unit of two accents stays one.
    assert strata_of_speakers(accent, speakers, everyone, np.array([0, 0, 1, 2])) is everyone
