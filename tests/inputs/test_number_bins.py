"""Tests of the bins of private attributes that are numbers."""

import pytest

from privrep.formats.numbers import parse_bins
from privrep.inputs.number_bins import bin_numbers, is_numeric
from privrep.types import Utterance


def corpus(*ages, each=2):
    return [
        Utterance(f"{s}-{i}", f"s{s}", private={} if age is None else {"age": str(age)})
        for s, age in enumerate(ages)
        for i in range(each)
    ]


def classes(utterances):
    return [u.private.get("age") for u in utterances[::2]]


@pytest.mark.parametrize("text", ["tertiles", "age=tertiles"])
def test_tertiles_have_as_many_speakers_each_however_many_utterances_they_have(text):
    ages = [21, 23, 25.5, 31, 33, 44]
    talker = [Utterance(f"t{i}", "s0", private={"age": "21"}) for i in range(50)]
    binned, notes = bin_numbers(corpus(*ages) + talker, ["gender", "age"], parse_bins(text))
    expected = ["21-23", "21-23", "25.5-31", "25.5-31", "33-44", "33-44"]
    assert classes(binned[: 2 * len(ages)]) == expected
    assert notes == [
        "age in bins over all speakers: 21-23 (2 speakers), 25.5-31 (2 speakers), "
        "33-44 (2 speakers)"
    ]


def test_equal_numbers_are_in_one_bin():
    binned, _ = bin_numbers(corpus(20, 20, 20, 20, 30, 40), ["age"], parse_bins("age=tertiles"))
    assert classes(binned) == ["20"] * 4 + ["30", "40"]
    with pytest.raises(ValueError, match=r"2 different numbers among 4 speakers.*no 3 bins"):
        bin_numbers(corpus(20, 20, 30, 30), ["age"], parse_bins("tertiles"))


def test_intervals_hold_their_bounds_as_they_are_written():
    bins = parse_bins("age=<30,30-50,>50")
    binned, notes = bin_numbers(corpus(29.9, 30, 50, 50.1, 18), ["age"], bins)
    assert classes(binned) == ["<30", "30-50", "30-50", ">50", "<30"]
    bins = parse_bins("age=young:<=30,old:>40")
    binned, notes = bin_numbers(corpus(30, 35, 41, None), ["age"], bins)
    assert classes(binned) == ["young", None, "old", None]
    assert "1 speakers are in none" in notes[0]


def test_a_speaker_of_several_numbers_has_one_class():
    spoken = [Utterance(f"u{i}", "a", private={"age": age}) for i, age in enumerate(["29", "31"])]
    binned, notes = bin_numbers(spoken + corpus(60), ["age"], parse_bins("age=<=30,>30"))
    assert [u.private["age"] for u in binned] == ["<=30", "<=30", ">30", ">30"]
    assert [u.numbers for u in binned] == [{"age": age} for age in (29, 31, 60, 60)]
    assert "1 speakers have several numbers" in notes[0]


@pytest.mark.parametrize(
    ("bins", "attributes", "said"),
    [
        ("height=tertiles", ["age"], "--private has no height, only age"),
        ("age=<30,25-50", ["age"], "age 28 is in <30 and in 25-50"),
        ("age=<30,>90", ["age"], "no speaker is in >90 of age, which goes from 28 to 60"),
        ("tertiles", ["gender"], "no number to bin"),
    ],
)
def test_bins_that_do_not_fit_are_refused(bins, attributes, said):
    with pytest.raises(ValueError) as error:
        bin_numbers(corpus(28, 60), attributes, parse_bins(bins))
    assert said in str(error.value)


def test_words_are_no_numbers():
    words = corpus("thirties", "twenties")
    assert not is_numeric(words, "age") and is_numeric(corpus(1, None), "age")
    with pytest.raises(ValueError, match="'thirties' in utterance 0-0"):
        bin_numbers(words, ["age"], parse_bins("age=tertiles"))


@pytest.mark.parametrize(
    "text", ["tertils", "age=", "age=<30", "age=<30,30-", "age=50-30,>60", "tertiles;halves"]
)
def test_another_form_of_bins_is_refused(text):
    with pytest.raises(ValueError):
        parse_bins(text)
