"""Tests of the choice of utterances, classes and genders before anything is computed."""

import numpy as np
import pytest

from privrep.inputs.selection import (
    choose_classes,
    parse_classes,
    parse_only,
    select,
    settle_duplicates,
    settle_genders,
)
from privrep.types import Utterance


def spoken(speaker, gender=None, **categories):
    private = {} if gender is None else {"gender": gender}
    return Utterance(
        f"{speaker}-{len(categories)}", speaker, categories=categories, private=private
    )


CORPUS = [
    spoken("a", "female", emotion="happy", scenario="improvised"),
    spoken("a", "female", emotion="excited", scenario="scripted"),
    spoken("b", "male", emotion="sad", scenario="improvised"),
    spoken("c", None, scenario="scripted"),
]


def test_only_keeps_utterances_with_a_value_of_every_column_and_counts_them():
    kept, notes = select(CORPUS, parse_only("scenario=improvised,gender=female,male"))
    assert kept == [CORPUS[0], CORPUS[2]]
    assert notes == ["only scenario=improvised and gender=female,male: 2 of 4 utterances"]
    assert select(CORPUS, {"speaker": ("c",)}).utterances == [CORPUS[3]]
    assert select(CORPUS, {}) == (CORPUS, [])


@pytest.mark.parametrize(
    ("only", "parts"),
    [
        ("scenari=improvised", ["scenario", "did you mean scenario?"]),
        ("scenario=improvisd", ["improvised (2)", "did you mean improvised?"]),
        ("gender=male,emotion=happy", ["gender=male and emotion=happy"]),
    ],
)
def test_only_what_no_utterance_has_is_refused_with_what_there_is(only, parts):
    with pytest.raises(ValueError) as error:
        select(CORPUS, parse_only(only))
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize("text", ["improvised", "scenario=", "a=b,a=c", "a=b,,c"])
def test_another_form_of_only_is_refused(text):
    with pytest.raises(ValueError):
        parse_only(text)


def test_classes_are_chosen_joined_and_counted():
    kept, notes = choose_classes(CORPUS, "emotion", parse_classes("sad,happy+excited"))
    assert [u.categories["emotion"] for u in kept] == ["happy+excited", "happy+excited", "sad"]
    assert notes == ["emotion: 3 of 4 utterances, happy+excited (2), sad (1)"]
    assert kept[0].categories["scenario"] == "improvised"
    kept, notes = choose_classes(CORPUS, "emotion", parse_classes("happy,sad"))
    assert len(kept) == 2 and "left out excited (1)" in notes[0]


def test_words_of_flags_are_spellings_of_what_the_corpus_has():
    kept, _ = choose_classes(CORPUS, "emotion", parse_classes("sadness,happiness+exc"))
    assert [u.categories["emotion"] for u in kept] == ["happy+excited", "happy+excited", "sad"]
    assert len(select(CORPUS, parse_only("emotion=HAP,gender=F")).utterances) == 1
    with pytest.raises(ValueError, match="two of its names mean happy"):
        choose_classes(CORPUS, "emotion", parse_classes("happy,happiness"))


def test_without_classes_or_without_categories_nothing_is_left_out():
    assert choose_classes(CORPUS, "emotion", ()) == (CORPUS, [])
    kept, notes = choose_classes(CORPUS, "activation", parse_classes("happy,sad"))
    assert kept == CORPUS and "no effect" in notes[0]


@pytest.mark.parametrize("text", ["sad", "sad,", "sad,happy+", "sad,happy+sad"])
def test_another_form_of_classes_is_refused(text):
    with pytest.raises(ValueError):
        parse_classes(text)
    with pytest.raises(ValueError, match="excited \\(1\\), happy \\(1\\), sad \\(1\\)"):
        choose_classes(CORPUS, "emotion", parse_classes("sad,hapy"))


def slips():
    return [
        *[spoken("a", "female")] * 5,
        spoken("a", "male"),
        spoken("a"),
        *[spoken("b", "male")] * 3,
        *[spoken("c", "male")] * 2,
        spoken("c", "female"),
    ]


def test_all_speakers_of_two_genders_are_listed_at_once_with_counts():
    with pytest.raises(ValueError) as error:
        settle_genders(slips(), "stop")
    message = str(error.value)
    assert message.startswith("2 of 3 speakers have more than one gender: a (female in 5 of 6, ")
    assert "c (male in 2 of 3, female in 1 of 3)" in message and " b (" not in message
    assert "--two_genders=drop" in message and "--two_genders=majority" in message


def test_they_are_left_out_or_have_the_gender_of_most_of_their_utterances():
    kept, notes = settle_genders(slips(), "drop")
    assert {u.speaker for u in kept} == {"b"} and "10 of 13 utterances" in notes[0]
    kept, notes = settle_genders(slips(), "majority")
    genders = {u.speaker: set() for u in kept}
    for u in kept:
        genders[u.speaker].add(u.private.get("gender"))
    assert genders == {"a": {"female", None}, "b": {"male"}, "c": {"male"}}
    assert len(kept) == 13 and "each was given" in notes[0]


def test_a_tie_has_no_majority_and_a_clean_corpus_nothing_to_settle():
    tied = [spoken("a", "female"), spoken("a", "male")]
    with pytest.raises(ValueError, match="Of a no gender has most"):
        settle_genders(tied, "majority")
    assert settle_genders(CORPUS, "stop") == (CORPUS, [])


EQUAL = np.array([0, 0, 1, -1, 1])
COPIED = [Utterance(f"u{i}", speaker) for i, speaker in enumerate("aabbc")]


def test_copies_are_left_out_whole_where_their_speakers_differ():
    assert settle_duplicates(COPIED, EQUAL, "stop") == (COPIED, [])
    kept, notes = settle_duplicates(COPIED, EQUAL, "drop")
    assert [u.id for u in kept] == ["u0", "u3"]
    assert "u2 (b) = u4 (c)" in notes[0] and "3 of 5 utterances left out" in notes[0]


def test_speakers_that_share_a_recording_are_merged():
    kept, notes = settle_duplicates(COPIED, EQUAL, "merge")
    assert [(u.id, u.speaker) for u in kept] == [("u0", "a"), ("u2", "b"), ("u3", "b")]
    assert "1 speakers were merged into others; 2 of 5 utterances left out" in notes[0]
    women = [spoken("a", "female"), spoken("b", "male")]
    with pytest.raises(ValueError, match="Merging b with a makes one speaker of two genders"):
        settle_duplicates(women, np.array([0, 0]), "merge")
