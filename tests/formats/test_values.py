"""Tests of the vocabulary of values: what is one value, what is none, what stops."""

import unicodedata

import pytest

from privrep.formats.values import (
    CLASS,
    EMOTION,
    GENDER,
    NUMBER,
    SPEAKER,
    SPLIT,
    TEXT,
    check_declared,
    like,
    not_known,
    not_there,
    paired,
    seconds,
    unify,
)


def test_all_words_for_a_gender_are_one_value_and_are_counted():
    words = ["F", "f", "female", "Woman", "w ", "female_feminine", "m", "MAN", "male-masculine"]
    unified = unify("gender", GENDER, words)
    assert unified.cells == ["female"] * 6 + ["male"] * 3 and not unified.unknown
    (note,) = unified.notes
    assert "9 spellings were merged into 2 values" in note and "'Woman' (1)" in note


@pytest.mark.parametrize(
    "word", ["NA", "n/a", "nan", "NaN", "None", "?", "unknown", "Unknown", "-"]
)
@pytest.mark.parametrize("kind", [GENDER, SPEAKER, CLASS, NUMBER, SPLIT])
def test_a_missing_value_is_no_value_of_any_kind(word, kind):
    unified = unify("x", kind, ["", word, word])
    assert unified.cells == ["", "", ""] and not unified.unknown
    assert f"{word!r} (2) is taken to be missing" in unified.notes[0]


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (GENDER, "u", ""),
        (SPEAKER, "U", ""),
        (CLASS, "U", "U"),  # the emotion surprise of MSP-Podcast
        (CLASS, "F", "F"),
        (SPEAKER, "w", "w"),
        (TEXT, "none", "none"),  # a word that was said
        (SPEAKER, "01", "01"),
    ],
)
def test_what_a_word_means_depends_on_the_kind_of_its_column(kind, cell, value):
    assert unify("x", kind, [cell]).cells == [value]


def test_spellings_of_one_value_are_merged_as_most_are_written():
    for cells, value in (
        (["Angry", "angry", "angry"], "angry"),
        (["1", "1.0", "1.00", "1"], "1"),
        (["José", unicodedata.normalize("NFD", "José"), "Jose\u0301\u200b"], "José"),
        (["a  b", " a b", "a\u00a0b"], "a b"),
    ):
        unified = unify("class", CLASS, cells)
        assert unified.cells == [value] * len(cells)
        assert "merged into 1 values" in unified.notes[0]
    assert unify("x", CLASS, ["1.0", "2.0"]) == (["1.0", "2.0"], [], {})
    assert unify("x", CLASS, ["1.1", "1.10"]).cells == ["1.1", "1.10"]


def test_leading_zeros_of_one_column_are_kept_and_asked_about():
    unified = unify("speaker", SPEAKER, ["01", "1", "2"])
    assert unified.cells == ["01", "1", "2"]
    assert "01 and 1 are counted as two" in unified.notes[0]


@pytest.mark.parametrize("pair", [("01", "1"), ("001", "1.0"), ("01.0", "1"), ("S1", "s01")])
def test_names_that_differ_in_leading_zeros_and_another_way_are_asked_about(pair):
    (note,) = unify("speaker", SPEAKER, [*pair, "2"]).notes
    assert f"{pair[0]} and {pair[1]} are counted as two" in note
    flag = note.split("--values=speaker:")[1].rstrip(".").split("=")
    assert len({*unify("speaker", SPEAKER, [*pair, "2"], dict([flag])).cells}) == 2


def test_all_pairs_of_padded_names_are_in_the_flag():
    (note,) = unify("speaker", SPEAKER, ["01", "02", "1", "2.0", "3"]).notes
    assert note == (
        "speaker: 01 and 1, 02 and 2.0 are counted as two; if they are one, "
        "--values=speaker:1=01,speaker:2.0=02."
    )


def test_what_is_declared_comes_first():
    declared = {"0": "male", "1": "female", "9": ""}
    cells = ["0.0", "1", "9"]
    assert unify("gender", GENDER, cells, declared).cells == ["male", "female", ""]
    assert unify("aid", CLASS, ["none", "left"], {"none": "no aid"}).cells == ["no aid", "left"]
    assert unify("gender", GENDER, ["1.0", "x", "x"]).unknown == {"1": 1, "x": 2}
    text = str(not_known("m.csv:2", "sex", GENDER, {"1.0": 3}))
    assert "'1.0' (3)" in text and "--values=sex:1=…" in text and "1 may mean female or" in text


@pytest.mark.parametrize(
    ("wanted", "there", "differ"),
    [
        (["u1"], ["u1", "u2"], ""),
        (["Jose\u0301"], ["José"], "composed letters"),
        (["1.0", "2.0"], ["1", "2", "3"], "1 and 1.0"),
        (["1", "2"], ["001", "002"], "leading zeros"),
        (["s1", "s2"], ["s01", "s02"], "leading zeros"),
        (["wav/a"], ["wav/a.wav"], "ending of a path"),
        (["a"], ["wav\\a.flac"], "folder and ending"),
    ],
)
def test_names_of_two_tables_are_found_and_it_is_said_how(wanted, there, differ):
    joined = paired(wanted, there)
    assert list(joined.pairs) == wanted and differ in joined.differ
    assert joined.changed == (len(wanted) if differ else 0)


def test_a_comparison_by_which_two_names_are_one_is_not_used():
    assert paired(["1"], ["01", "001"]).pairs == {}
    assert paired(["a"], ["x/a.wav", "y/a.wav"]).pairs == {}


def test_a_word_of_a_flag_is_a_spelling_like_any_other():
    assert like("Woman", ["female", "male"], GENDER) == "female"
    assert like("NORTH", ["north", None], CLASS) == "north" and like("east", ["north"]) == "east"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("nan", None),
        ("1.5", 1.5),
        ("0 days 00:00:01.5", 1.5),
        ("1 day 00:00:01", 86401.0),
        ("00:00:03.795", 3.795),
        ("00:16:16,059", 976.059),
        ("1:02", 62.0),
    ],
)
def test_times(text, expected):
    assert seconds(text, "m.csv:2") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "cells", "declared", "expected"),
    [
        (GENDER, "1 0 female male", {"1": "F", "0": "M"}, "female male female male"),
        (GENDER, "1 0 female male", {"1": "woman", "0": "male"}, "female male female male"),
        (GENDER, "1 9 f", {"1": "Man", "9": "n/a"}, "male  female"),
        (EMOTION, "3 hap hap sad", {"3": "happy"}, "happy happy happy sad"),
        (EMOTION, "3 happy 3", {"3": "hap"}, "happy happy happy"),
        (CLASS, "1 North north north", {"1": "NORTH"}, "north north north north"),
        (SPEAKER, "1 001 001", {"1": "001"}, "001 001 001"),
        (SPLIT, "1 2", {"1": "Training", "2": "dev"}, "train val"),
        (NUMBER, "99 3", {"99": ""}, " 3"),
        (CLASS, "none none left", {"none": "none"}, "none none left"),
    ],
)
def test_what_is_declared_is_read_by_the_same_vocabulary(kind, cells, declared, expected):
    unified = unify("x", kind, cells.split(" "), declared)
    assert (unified.cells, unified.unknown) == (expected.split(" "), {})


def test_a_meaning_that_a_closed_vocabulary_does_not_know_is_refused():
    with pytest.raises(
        ValueError, match=r"--values=sex:1=femle: 'femle' is not known.*mean female"
    ):
        check_declared("sex", GENDER, {"0": "", "1": "femle"})
    check_declared("accent", CLASS, {"0": "anything"})


def test_a_declared_value_that_no_cell_holds_is_named_with_those_there_are():
    said = not_there("sex", ["1", "1", "f", ""], {"X": "female", "1.0": "female"})
    assert said == {"X": "no cell of sex is 'X'. It has: 1, f"}
    assert "did you mean female?" in not_there("sex", ["female"], {"femal": "female"})["femal"]
    assert not_there("sex", [], {"0": ""}) == {"0": "no cell of sex is '0'. It has: no value"}


def test_a_class_of_no_agreement_is_said_with_the_flag_that_leaves_it_out():
    cells = ["hap", "sad", "xxx", "XXX"]
    notes = " ".join(unify("emotion", EMOTION, cells).notes)
    assert "'xxx' (2) is taken as a class; in IEMOCAP" in notes
    assert "--values=emotion:xxx=;" in notes
    assert unify("emotion", EMOTION, cells, {"xxx": ""}) == (["hap", "sad", "", ""], [], {})
    assert "agree" not in str(unify("emotion", EMOTION, cells, {"xxx": "xxx"}).notes)
    assert unify("part", CLASS, ["x", "xxx"]).notes == []
