"""The attribute matrix: columns that can be judged, and verification of unseen speakers."""

import numpy as np
import pytest

from privrep.leakage.attribute_matrix import measure_attributes
from privrep.leakage.verification import VerificationTarget, closed_set, verify
from privrep.leakage.worlds import WORLDS
from privrep.statistics.attack_scores import equal_error_rate
from privrep.types import InferenceSettings, Sample


def folds_of(sample, h=None):
    fold = sample.speaker % 5
    h = sample.h if h is None else h
    return [VerificationTarget(h, fold != k, fold == k) for k in range(5)]


def test_every_column_is_measured_or_its_absence_explained():
    sample = WORLDS["linear"].draw(0, 40, 8, 8)
    accent = np.where(sample.speaker % 3 == 0, "north", "south")
    columns = {
        "gender": ["female" if g else "male" for g in sample.gender],
        "accent": [None if s == 7 else a for s, a in zip(sample.speaker, accent)],
        "wave": [f"{i}.wav" for i in range(len(sample.speaker))],
        "corpus": ["one"] * len(sample.speaker),
        "illness": ["yes" if s == 3 else "no" for s in sample.speaker],
        "note": [None] * len(sample.speaker),
    }
    settings = InferenceSettings(permutations=59)
    attributes, left_out = measure_attributes(sample.sample(), columns, settings)
    assert {attribute.name for attribute in attributes} == {"gender", "accent", "speaker"}
    by_name = {attribute.name: attribute for attribute in attributes}
    assert by_name["gender"].verdict.verdict == by_name["speaker"].verdict.verdict == "leaks"
    assert by_name["accent"].verdict.verdict != "leaks" and by_name["accent"].chance == 0.5
    above_chance = [attribute.verdict.uar - attribute.chance for attribute in attributes]
    assert above_chance == sorted(above_chance, reverse=True)
    assert left_out == {
        "wave": "has 320 values, and at most 20 are tried",
        "corpus": "has one value only",
        "illness": "has the value yes for one speaker, and 2 speakers of each value are needed",
        "note": "has no value",
    }


def test_the_session_itself_can_be_learned_although_sessions_are_kept_together():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(32), 6)
    h, room = rng.normal(size=(192, 6)), speaker // 4
    heard = h + 2 * rng.normal(size=(8, 6))[room]
    columns = {"session": [f"r{i}" for i in room]}
    settings = InferenceSettings(permutations=59)
    for x, verdict in ((heard, "leaks"), (h, "no_leak_shown")):
        sample = Sample.of(x, np.zeros(192, int), speaker, room)
        attributes, _ = measure_attributes(sample, columns, settings)
        (session,) = (a.verdict for a in attributes if a.name == "session")
        assert session.verdict == verdict and session.uar > 0.05, session


def test_verification_finds_voices_and_nothing_where_there_are_none():
    sample = WORLDS["speaker_only"].draw(0, 20, 10, 8)
    verification = verify(folds_of(sample), sample.speaker)
    assert verification.verdict == "leaks" and verification.lower > 0.5 and verification.uar > 0.65
    sample = WORLDS["no_leak"].draw(0, 20, 10, 8)
    verification = verify(folds_of(sample), sample.speaker)
    assert verification.verdict == "no_leak_shown" and abs(verification.uar - 0.5) < 0.05
    assert verification.lower < 0.5 < verification.upper < 0.6


def test_the_verification_score_is_the_equal_error_rate_of_whitened_cosines():
    """Held to the formula, on voices that two columns tell and eight noisy ones hide."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(12), 6)
    h = rng.normal(size=(72, 10)) * [0.1, 0.1, *[30.0] * 8]
    h[:, :2] += rng.normal(size=(12, 2))[speakers]
    learned, met = speakers < 6, speakers >= 6
    verification = verify([VerificationTarget(h, learned, met)], speakers)
    x = (h - h[learned].mean(0)) / h[learned].std(0)
    within = sum(np.cov(x[speakers == s].T, bias=True) for s in range(6)) / 6
    shrunk = 0.9 * within + 0.1 * np.diag(np.diag(within) + 1e-4)
    white = np.linalg.solve(np.linalg.cholesky(shrunk), x[met].T).T
    white /= np.linalg.norm(white, axis=1, keepdims=True)
    i, j = np.triu_indices(36, 1)
    same = speakers[met][i] == speakers[met][j]
    expected = 1 - equal_error_rate((white @ white.T)[i, j], same)
    assert verification.uar == pytest.approx(expected) and verification.uar > 0.8


def test_false_alarms_of_verification_are_rare():
    """40 corpora with nothing of the speaker: as many alarms as one in twenty makes likely."""
    alarms = 0
    for seed in range(40):
        sample = WORLDS["no_leak"].draw(seed, 10, 6, 4)
        settings = InferenceSettings(permutations=39, seed=seed)
        verification = verify(folds_of(sample), sample.speaker, settings)
        alarms += verification.verdict == "leaks"
    assert alarms <= 6


def test_one_utterance_each_cannot_be_verified():
    sample = WORLDS["no_leak"].draw(0, 10, 1, 4)
    with pytest.raises(ValueError, match="two utterances of one"):
        verify(folds_of(sample), sample.speaker)


def test_a_closed_set_of_voices_is_recognised_and_noise_is_not():
    known = np.ones(200, bool)
    voices = WORLDS["speaker_only"].draw(0, 20, 10, 8)
    accuracy, guessing = closed_set(0, 5 * voices.h, known, voices.speaker)
    assert accuracy > 0.25 and guessing == 1 / 20
    noise = WORLDS["no_leak"].draw(0, 20, 10, 8)
    accuracy, _ = closed_set(0, noise.h, known, noise.speaker)
    assert accuracy < 0.15
    separable = np.eye(20)[voices.speaker] + 1e-3 * noise.h[:, :1]
    assert closed_set(0, separable, known, voices.speaker)[0] == 1
    assert np.isnan(closed_set(0, separable, voices.speaker == 3, voices.speaker)).all()
