"""Tests of the words for emotions: what is one class where both occur, and what is left alone."""

import pytest

from privrep.formats.emotions import emotion_of
from privrep.formats.values import CLASS, EMOTION, like, unify


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (["anger", "anger", "Angry", "ANG", "Ang.", "A", " ang "], "anger"),
        (["happiness", "happy", "HAP", "Happy", "happy"], "happy"),
        (["sad", "SAD", "sadness", "S", "sadness"], "sadness"),
        (["neu", "neu", "neu", "Neutral", "N"], "Neutral"),
        (["fear", "fearful", "fea", "fearful", "F"], "fearful"),
        (["disgust", "disgusted", "dis", "disgust"], "disgust"),
        (["pleasant_surprise", "surprised", "sur", "ps", "surprised"], "surprised"),
        (["excited", "exc", "excitement", "excited"], "excited"),
        (["frustration", "fru", "frustration"], "frustration"),
        (["bored", "boredom", "bored"], "bored"),
        (["contempt", "con", "C"], "contempt"),
    ],
)
def test_words_and_abbreviations_of_one_emotion_are_one_class(cells, value):
    unified = unify("emotion", EMOTION, [*cells, "", "xxx", "joy"])
    assert unified.cells == [value] * len(cells) + ["", "xxx", "joy"]
    note, _ = unified.notes
    assert f"{len(set(cells))} spellings were merged into 1 values" in note
    assert all(f"{cell!r} ({cells.count(cell)})" in note for cell in cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["N", "X", "U", "A", "S", "H", "O", "F", "D", "C"],  # of MSP-Podcast
        ["W", "L", "E", "A", "F", "T", "N"],  # of EmoDB
        ["ang", "hap", "sad", "neu", "exc", "fru", "sur", "fea", "dis", "oth", "xxx"],
        ["anger", "W", "A", "N", "neutral"],  # letters of another language
        ["happy", "excited", "joy", "amused"],
        ["disgust", "disappointed", "dis"],
        ["contempt", "content", "con"],
        ["1", "2", "3"],
    ],
)
def test_codes_and_other_emotions_stay_what_they_are(cells):
    assert unify("emotion", EMOTION, cells).cells == cells


def test_a_letter_that_two_words_begin_with_is_kept_and_asked_about():
    unified = unify("emotion", EMOTION, ["S", "sad", "surprise", "N", "neutral"])
    assert unified.cells == ["S", "sad", "surprise", "neutral", "neutral"]
    assert "S may abbreviate other values" in unified.notes[1]
    assert "--values=emotion:S=NAME" in unified.notes[1]
    declared = unify("emotion", EMOTION, ["S", "sad", "surprise"], {"S": "sad"})
    assert declared.cells == ["sad", "sad", "surprise"] and len(declared.notes) == 1


def test_a_column_of_another_name_is_read_so_if_all_its_classes_are_emotions():
    assert unify("label", CLASS, ["ang", "angry", "sad"]).cells == ["angry", "angry", "sad"]
    spoken = ["happy", "happiness", "house"]
    assert unify("word", CLASS, spoken).cells == spoken


def test_a_word_of_a_flag_names_the_class_that_the_column_has():
    assert like("ANG", ["anger", "sad"], EMOTION) == "anger"
    assert like("A", ["anger"], EMOTION) == "A" and like("joy", ["happy"], EMOTION) == "joy"
    assert emotion_of("an") == "angry" and emotion_of("a") == ""
