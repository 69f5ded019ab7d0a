"""A speaker of two genders stops an audit, and one of several emotions does not."""

import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.read_inputs import read_inputs
from privrep.cli import main

SPEAKER = np.repeat(np.arange(12), 6)
GENDER = np.where(SPEAKER % 2, "female", "male")
SLIPS = GENDER.copy()
SLIPS[[0, 30, 31]] = "female", "male", "male"  # one of speaker 0, two of speaker 5
H = np.random.default_rng(0).normal(size=(len(SPEAKER), 4))


def labels(**columns):
    return {"speaker": [f"s{number}" for number in SPEAKER]} | columns


def read(column, cells, two_values="stop"):
    options = AuditOptions(two_values=two_values)
    return read_inputs(H, labels(**{column: cells}), column, options)


def notes_on(inputs):
    return [note for note in inputs.notes if "more than one" in note]


def test_two_genders_stop_the_audit_with_counts_and_what_to_do():
    with pytest.raises(ValueError) as refused:
        read("gender", SLIPS)
    said = str(refused.value)
    assert said.startswith("labels: 2 of 12 speakers have more than one gender: ")
    assert "s0 (male in 5 of 6, female in 1 of 6), s5 (female in 4 of 6, male in 2 of 6)." in said
    for flag in ("--two_values=drop", "--two_values=majority", "--two_values=keep"):
        assert flag in said


def test_they_are_dropped_given_the_usual_value_or_kept_on_request():
    dropped, settled, kept = (read("gender", SLIPS, w) for w in ("drop", "majority", "keep"))
    assert len(dropped.sample.labels) == len(dropped.sample.h) == 60
    assert dropped.joined.num_speakers == {"female": 5, "male": 5}
    assert [*dict.fromkeys(dropped.joined.columns["speaker"])].count("s0") == 0
    assert settled.joined.num_speakers == {"female": 6, "male": 6}
    np.testing.assert_array_equal(np.array(settled.joined.classes)[settled.sample.labels], GENDER)
    np.testing.assert_array_equal(np.array(kept.joined.classes)[kept.sample.labels], SLIPS)
    for inputs, done in (
        (dropped, "left out, 12 rows."),
        (settled, "given that of most"),
        (kept, ""),
    ):
        (note,) = notes_on(inputs)
        assert "2 of 12 speakers" in note and done in note


def test_equal_counts_have_no_majority_and_dropping_all_leaves_none():
    halves = GENDER.copy()
    halves[:3] = "female"
    with pytest.raises(ValueError, match=r"Of s0 \(.* no value has most utterances"):
        read("gender", halves, "majority")
    with pytest.raises(ValueError, match="leaves none"):
        read("gender", np.resize(["female", "male"], len(SPEAKER)), "drop")


def test_any_attribute_of_speakers_is_meant_and_none_of_utterances():
    accents = np.array(["north", "south", "west"])[SPEAKER % 3]
    accents[7] = "west"
    with pytest.raises(ValueError, match="1 of 12 speakers have more than one accent: s1"):
        read("accent", accents)
    rng = np.random.default_rng(1)
    for column, cells in (
        ("style", rng.choice(["read", "spontaneous"], len(SPEAKER))),
        ("style", np.where(rng.random(len(SPEAKER)) < 0.05, "spontaneous", "read")),  # rare
        ("emotion", np.where(SPEAKER == 3, "sad", np.where(np.arange(72) == 0, "sad", "angry"))),
        ("age", 20 + 2 * SPEAKER + (np.arange(72) == 3)),  # a birthday
    ):
        assert read(column, cells).sample.num_speakers == 12


def test_a_word_that_is_no_choice_is_refused():
    with pytest.raises(ValueError, match=r"--two_values=major: .*did you mean majority\?"):
        read("gender", GENDER, "major")


def test_the_flag_is_repeated_by_the_command(tmp_path, capsys):
    np.save(tmp_path / "h.npy", H)
    rows = [f"s{s},{g}" for s, g in zip(SPEAKER, SLIPS)]
    (tmp_path / "labels.csv").write_text("\n".join(["speaker,gender", *rows]))
    files = [str(tmp_path / "h.npy"), str(tmp_path / "labels.csv"), "--attribute=gender"]
    flags = ["--aligned", "--quick", "--attackers=linear", "--permutations=24"]
    flags += [f"--output={tmp_path / 'out'}"]
    assert main(["audit", *files, *flags]) == 2
    assert "labels.csv: 2 of 12 speakers" in capsys.readouterr().err
    assert not (tmp_path / "out" / "audit.json").exists()
    assert main(["audit", *files, *flags, "--two-values=majority"]) in (0, 1, 3)
    assert "--two_values=majority" in (tmp_path / "out" / "audit.json").read_text()
    assert main(["plan", str(tmp_path / "labels.csv"), "--attribute=gender"]) == 2
