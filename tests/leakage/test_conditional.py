"""Conditional leakage: right in the worlds where the answer is known."""

import numpy as np
import pytest

from privrep.attacks.lda import linear
from privrep.attacks.protocol import Attacked
from privrep.leakage.conditional import FORMS, explain
from privrep.leakage.worlds import WORLDS
from privrep.statistics.confidence import standard_error
from privrep.statistics.design import speaker_labels
from privrep.statistics.permutation_test import permute
from privrep.statistics.strata import (
    combined,
    covariate,
    residual,
    score_within,
    strata_of_speakers,
    studentised,
)
from privrep.statistics.strata import within_uar as within
from privrep.types import InferenceSettings, Sample

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


def test_no_uar_beyond_a_covariate_is_negative():
    """Strata of two of four classes score as little as -0.5 by the formula; that is no recall."""
    scores = studentised(np.array([-0.4, 0.1, 0.9]), np.array([0.1, 0.2, 0.05]), 0.25)
    assert scores.min() == 0 and scores[1] == pytest.approx(0.25 - 0.15 * 0.1 / 0.2)
    speaker = np.repeat(np.arange(16), 4)
    labels = speaker % 4
    z = covariate("room", [f"r{i}" for i in labels // 2])
    # h is the other class of the room: every prediction within a room is wrong.
    rng = np.random.default_rng(0)
    h = np.eye(4)[labels ^ 1] * (speaker < 8)[:, None] + np.eye(4)[labels] * (speaker >= 8)[:, None]
    sample = Sample.of(h + 0.01 * rng.normal(size=(64, 4)), labels, speaker)
    (answer,) = explain(sample, [z], settings=InferenceSettings(permutations=24, folds=3))
    assert answer.beyond.uar >= 0 and answer.beyond.lower >= 0


def by_sign(seed, h, labels, speakers, folds, num_classes, only=None):
    """An attacker that learns nothing: it names the sign of the first column, whatever the labels,
    so that every labelling and fold has the same predictions."""
    predictions = np.broadcast_to(h[:, 0] > 0, labels.shape).astype(np.int16)
    return Attacked(predictions, np.zeros((len(h), num_classes), np.float32), ())


def a_tie_of_gender_and_emotion(seed, people=24, each=8):
    """Gender, speaker and emotion of an h in which voices differ and genders do not; 19 in 20
    utterances of women are of one emotion and as many of men are of the other."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(people), each)
    gender = (speaker % 2).astype(np.int32)
    emotion = np.where(rng.random(len(speaker)) < 0.95, gender, 1 - gender)
    h = rng.normal(size=(people, 2))[speaker] + 0.3 * rng.normal(size=(len(speaker), 2))
    return Sample.of(h, gender, speaker), column("emotion", emotion)


def test_p_beyond_a_covariate_is_of_studentised_scores():
    """p by its definition: the rank of (score - chance) / error among those of permuted labels,
    the scores being within strata and each labelling having an error of its own."""
    settings = InferenceSettings(permutations=59)
    sample, z = a_tie_of_gender_and_emotion(9)
    (explained,) = explain(sample, [z], attackers={"sign": by_sign}, settings=settings)
    labels = permute(sample.labels, sample.speaker, np.zeros(24, int), 59, settings.seed).labels
    predictions = np.broadcast_to(residual(sample.h, z)[:, 0] > 0, labels.shape)
    scores, errors = within(predictions, labels, sample.speaker, z.strata, 2)
    assert errors.min() > np.median(errors) / 2  # none so small that it is no measure
    p = [
        min(1, np.mean(x >= x[0] - 1e-9) / 0.8, np.mean(x <= x[0] + 1e-9) / 0.2)
        for x in ((scores - 0.5) / errors, scores)
    ]
    assert explained.beyond.p == pytest.approx(p[0])
    assert explained.beyond.uar == pytest.approx(scores[0])
    assert abs(p[0] - p[1]) > 0.2  # the corpus is such that it matters


def test_speakers_of_one_covariate_exchange_labels_with_its_equals():
    """Two accents of six speakers, two and three of them women: 15 x 20 labellings, where all
    twelve would have 792; no two are alike by other names."""
    speaker = np.repeat(np.arange(12), 4)
    gender = np.array([1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0])[speaker]
    h = np.random.default_rng(0).normal(size=(48, 2))
    sample, accent = Sample.of(h, gender, speaker), column("accent", speaker // 6)
    settings = InferenceSettings(permutations=400)
    (explained,) = explain(sample, [accent], attackers={"sign": by_sign}, settings=settings)
    assert explained.beyond.smallest_p == pytest.approx(1 / (15 * 20) / 0.8)


def test_a_leak_whose_sign_the_covariate_turns_is_read_inside_strata():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(20), 8)
    gender, emotion = speaker % 2, rng.integers(0, 2, 160)
    h = rng.normal(size=(160, 2))
    h[:, 0] += 3 * (2 * gender - 1) * (2 * emotion - 1)
    z, folds = column("emotion", emotion), speaker // 2 % 5
    uar_of = {}
    for name, form in FORMS.items():
        attacked = form(linear, z)(0, h, gender[None], speaker, folds, 2)
        uar_of[name] = within(attacked.predictions, gender[None], speaker, z.strata, 2)[0][0]
    assert uar_of["across"] < 0.65 and uar_of["inside"] > 0.95
