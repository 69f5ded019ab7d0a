"""Tests of what an official split is used with: speakers in two parts, several test sets."""

import pytest

from privrep.inputs.official_split import in_official_split
from privrep.types import Utterance

PARTS = {
    "Train": ("train", None),
    "Dev": ("val", None),
    **{f"Test{i}": ("test", f"Test{i}") for i in (1, 2)},
}


def corpus(**speakers):
    """Two utterances of each speaker in each of the parts that are given, joined by blanks."""
    return [
        Utterance(f"{name}-{part}-{i}", name, split=PARTS[part][0], test_set=PARTS[part][1])
        for name, parts in speakers.items()
        for part in parts.split()
        for i in range(2)
    ]


RELEASE = corpus(
    a="Train", b="Dev", c="Test1 Test2", d="Train Test2", e="Dev Test1", f="Dev Test2", g="Train"
)


def kept(utterances, *test_sets):
    rows, notes = in_official_split(utterances, test_sets)
    return {utterances[i].id[:-2] for i in rows}, notes


def test_a_speaker_in_two_parts_stays_in_the_test_part_alone():
    parts, (of_sets, *notes) = kept(RELEASE)
    assert parts == {
        *("a-Train", "g-Train", "b-Dev", "c-Test1", "c-Test2"),
        *("d-Test2", "e-Test1", "f-Test2"),
    }
    assert of_sets.startswith("test part: Test1 (4 utterances) and Test2 (6 utterances)")
    assert notes == [
        "official split: 1 speakers of the training part are in the validation or test part too "
        "(d); their 2 utterances for training are left out",
        "official split: 2 speakers of the validation part are in the test part too (e, f); their "
        "4 utterances for validation are left out",
    ]


def test_a_test_set_is_chosen_and_who_is_in_another_is_not_left_out():
    parts, notes = kept(RELEASE, "Test2")
    assert parts == {
        *("a-Train", "g-Train", "b-Dev", "e-Dev", "c-Test2", "d-Test2", "f-Test2"),
    }
    assert notes[0] == "test part: Test2; 4 utterances of others are left out"
    assert kept(RELEASE, "Test1", "Test2")[0] == kept(RELEASE)[0]


def test_a_speaker_of_training_and_validation_stays_in_validation():
    assert kept(corpus(a="Train", b="Train Dev", c="Test1"))[0] == {"a-Train", "b-Dev", "c-Test1"}


def test_of_a_split_that_is_not_by_speaker_nothing_is_left_out():
    utterances = corpus(a="Train Dev Test1", b="Train Dev Test1")
    parts, notes = kept(utterances)
    assert len(parts) == 6 and notes == []


def test_a_split_without_shared_speakers_is_used_whole():
    utterances = corpus(a="Train", b="Dev", c="Test1")
    assert kept(utterances) == ({"a-Train", "b-Dev", "c-Test1"}, [])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Test3", r"no test set 'Test3' with labels; this corpus has Test1, Test2"),
        ("test1", r"\(did you mean Test1\?\)"),
    ],
)
def test_a_test_set_that_is_not_there_lists_those_that_are(name, message):
    with pytest.raises(ValueError, match=message):
        kept(RELEASE, name)


def test_a_corpus_without_test_sets_says_so():
    with pytest.raises(ValueError, match="this corpus has a single one"):
        kept([Utterance("u", "s", split="test")], "Test1")
