"""Tests of each finding of the split linter."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privrep.duplicates import SameContent
from privrep.inputs.labels import private_labels, task_labels
from privrep.inputs.split_linter import Finding, cramers_v, grouped, lint_split, stop_on_fatal
from privrep.types import Split, Utterance

EMOTIONS = ("angry", "sad")


def clean():
    """16 speakers, 8 train, 4 val, 4 test; every gender says every emotion equally often."""
    parts = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    return [
        Utterance(
            f"{s}-{emotion}-{i}",
            f"s{s:02}",
            transcript=f"{part} words of {emotion}",
            categories={"emotion": emotion},
            private={"gender": ("female", "male")[s % 2]},
            session=f"session{s // 2}",
            split=part,
        )
        for s, part in enumerate(parts)
        for emotion in EMOTIONS
        for i in range(5)
    ]


def lint(utterances):
    everyone = np.ones(len(utterances), bool)
    part = np.array([u.split for u in utterances])
    tasks = {"emotion": task_labels(utterances, "emotion", "midpoint", everyone)}
    private = {name: private_labels(utterances, name) for name in ("gender", "speaker")}
    split = Split(*(part == name for name in Split._fields))
    return lint_split(split, utterances, tasks, private)


def changed(which, **changes):
    return [replace(u, **changes) if which(u) else u for u in clean()]


def of(split=None, emotion=None, gender=None, speaker=None):
    return lambda u: (
        split in (None, u.split)
        and emotion in (None, u.categories["emotion"])
        and gender in (None, u.private["gender"])
        and speaker in (None, u.speaker)
    )


def test_a_clean_split_has_no_findings():
    assert lint(clean()) == []
    stop_on_fatal([])


@pytest.mark.parametrize(
    ("utterances", "severity", "texts"),
    [
        pytest.param(
            changed(of("val"), split="nowhere"),
            "fatal",
            ["the validation part has no utterance"],
            id="empty",
        ),
        pytest.param(
            changed(of("test", speaker="s12"), speaker="s00", session="session0"),
            "fatal",
            ["1 speakers are in both the training and the test part: s00 (10 and 10 utterances)"],
            id="shared speaker",
        ),
        pytest.param(
            changed(lambda u: u.id in ("0-sad-1", "15-sad-2"), wav=Path("a/b.wav"), start=1.5),
            "fatal",
            ["1 recordings are in both the training and the test part under two ids: a/b.wav 1.5"],
            id="recording twice",
        ),
        pytest.param(
            changed(of("test", "sad"), categories={"emotion": "angry"}),
            "fatal",
            ["the test part has no utterance of class sad of emotion", "be measured"],
            id="class not tested",
        ),
        pytest.param(
            changed(of("train", "sad"), categories={"emotion": "angry"}),
            "fatal",
            ["the training part has no utterance of class sad of emotion", "be learned"],
            id="class not trained",
        ),
        pytest.param(
            changed(of("val", gender="male"), private={"gender": "female"}),
            "fatal",
            ["the validation part has no utterance of value male of gender"],
            id="gender",
        ),
        pytest.param(
            changed(lambda u: u.speaker not in ("s01", "s03", "s13"), private={"gender": "female"}),
            "fatal",
            ["validation part has no utterance of value male", "Only 3 of all speakers have it"],
            id="too few for any split",
        ),
        pytest.param(
            changed(lambda u: u.speaker in ("s01", "s03", "s05"), private={"gender": "female"}),
            "fatal",
            ["the training part has a single speaker of gender male"],
            id="single speaker",
        ),
        pytest.param(
            changed(of("val", speaker="s08"), session="session0"),
            "warning",
            ["1 of 8 sessions have partners in different parts (session0"],
            id="session partners",
        ),
        pytest.param(
            changed(of("test", speaker="s12"), speaker=None),
            "warning",
            ["10 utterances have no known speaker"],
            id="unknown speaker",
        ),
        pytest.param(
            changed(of("test", speaker="s12"), speaker="s13"),
            "note",
            ["the test part has fewer than 4 speakers"],
            id="few test speakers",
        ),
        pytest.param(
            changed(of("test", "sad"), transcript="Train  words OF sad"),
            "note",
            ["50% of the test part's utterances have the words of a training utterance"],
            id="script",
        ),
        pytest.param(
            changed(of("val"), transcript="Train words of sad"),
            "note",
            ["100% of the validation part's utterances have the words of a training utterance"],
            id="script of validation",
        ),
    ],
)
def test_each_finding(utterances, severity, texts):
    findings = lint(utterances)
    reported = [f.text for f in findings if f.severity == severity]
    assert any(all(part in text for part in texts) for text in reported), findings
    if severity == "fatal":
        with pytest.raises(ValueError, match="cannot be used\nfold 0: "):
            stop_on_fatal(findings)
    else:
        assert not any(f.severity == "fatal" for f in findings)
        stop_on_fatal(findings)


def test_a_rare_class_of_the_training_part():
    some = [u.id for u in clean() if of("train", "sad")(u)]
    findings = lint(changed(lambda u: u.id in some[3:], categories={"emotion": "angry"}))
    assert [(f.severity, "sad has 3 of 80" in f.text) for f in findings] == [("warning", True)]


def test_emotion_associated_with_gender():
    utterances = changed(of("train", "sad", "female"), categories={"emotion": "angry"})
    findings = lint(utterances)
    assert [f.severity for f in findings] == ["warning"]
    assert "angry is 100% of female and 50% of male" in findings[0].text


def test_short_transcripts_are_no_script():
    assert lint([replace(u, transcript="oh yes") for u in clean()]) == []


def test_two_places_of_one_file_are_two_recordings():
    utterances = [
        replace(u, wav=Path("all.wav"), start=i, end=i + 1) for i, u in enumerate(clean())
    ]
    assert lint(utterances) == []


def test_an_utterance_in_two_parts():
    utterances = clean()
    train = np.array([u.split == "train" for u in utterances])
    (finding,) = (
        f
        for f in lint_split(Split(train, ~train, train), utterances, {}, {})
        if "training and the test" in f.text
    )
    assert finding.severity == "fatal"


def test_folds_are_numbered_and_each_has_its_own_labels():
    utterances = clean()
    part = np.array([u.split for u in utterances])
    split = Split(*(np.stack([part == name] * 2) for name in Split._fields))
    codes, names = task_labels(utterances, "emotion", "midpoint", split.train[0])
    per_fold = np.stack([codes, np.where(split.test[1], 0, codes)])
    findings = lint_split(split, utterances, {"emotion": (per_fold, names)}, {})
    assert [(f.fold, f.severity) for f in findings] == [(1, "fatal")]


def test_equal_findings_of_several_folds_are_one_line():
    findings = [
        Finding(0, "fatal", "one."),
        Finding(2, "fatal", "one."),
        Finding(1, "note", "two."),
    ]
    assert grouped(findings) == ["fatal, fold 0, 2: one.", "note, fold 1: two."]


def test_every_fatal_finding_is_named_and_no_other():
    findings = [Finding(0, "fatal", "one."), Finding(1, "note", "two."), Finding(2, "fatal", "3.")]
    with pytest.raises(ValueError) as error:
        stop_on_fatal(findings)
    assert str(error.value).splitlines()[1:] == ["fold 0: one.", "fold 2: 3."]


def test_cramers_v():
    assert cramers_v(np.diag([40, 60])) == pytest.approx(1)
    assert cramers_v(np.full((3, 2), 50)) == 0
    assert cramers_v(np.array([[10, 20]])) == 0
    # Independent labels of few utterances: the uncorrected V would be 0.3 on average.
    random = np.random.default_rng(0)
    tables = random.multinomial(40, np.full(6, 1 / 6), 500).reshape(-1, 3, 2)
    assert np.mean([cramers_v(t + 0.0) for t in tables]) < 0.12


def with_same(equal=(), copies=()):
    """Findings where the utterances at the places in each of `equal` have equal content."""
    utterances = clean()
    codes = np.full(len(utterances), -1)
    for number, rows in enumerate(equal):
        codes[list(rows)] = number
    part = np.array([u.split for u in utterances])
    split = Split(*(part == name for name in Split._fields))
    return lint_split(split, utterances, {}, {}, SameContent(codes, list(copies)))


def test_equal_sound_under_two_speakers_is_fatal_in_one_part_too():
    for rows in ((0, 10), (0, 155)):
        (finding,) = (f for f in with_same([rows]) if f.severity == "fatal")
        assert "1 recordings are under two speakers or more, equal in content" in finding.text
        assert f"0-angry-0 (s00) = {clean()[rows[1]].id}" in finding.text
        assert "--duplicates=merge" in finding.text and "--duplicates=drop" in finding.text


def test_equal_sound_of_one_speaker_is_a_warning_within_a_part():
    texts = [f.text for f in with_same([(0, 1, 2), (20, 21)]) if f.severity == "warning"]
    assert any(t.startswith("2 recordings of one speaker are there twice or more") for t in texts)
    assert not [f for f in with_same([(0, 1)]) if f.severity == "fatal"]


def test_cut_and_relevelled_recordings_are_counted():
    texts = [f.text for f in with_same(copies=[(0, 1), (0, 155)]) if f.severity == "warning"]
    (text,) = (t for t in texts if "one recording, cut or at another level" in t)
    assert text.startswith("2 pairs") and "1 of them under two speakers and 1 in two parts" in text
    assert "0-angry-0 (s00) ~ 15-sad-0 (s15)" in text
