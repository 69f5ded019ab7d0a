"""Enrolment takes k utterances of each person, evenly or in a mood, and leaves others to score."""

import doctest

import numpy as np
import pytest

from privrep.inputs import enrolment
from privrep.inputs.enrolment import draw_enrolment, why_not_enrolled

SIZES = (60, 45, 44, 25, 10, 9, 5, 1)  # utterances of each person
SPEAKER = np.repeat(np.arange(len(SIZES)), SIZES)
EMOTION = np.random.default_rng(0).integers(-1, 6, len(SPEAKER))
BOTH = pytest.mark.parametrize("uneven", [False, True])


@BOTH
@pytest.mark.parametrize("k", [5, 10, 20, 40])
def test_each_person_enrols_k_or_at_most_half(k, uneven):
    drawn = draw_enrolment(3, SPEAKER, EMOTION, k, uneven)
    counts = np.bincount(SPEAKER[drawn.is_enrolled], minlength=len(SIZES))
    expected = [k if size >= k + 5 else min(k, size // 2) for size in SIZES]
    assert counts.tolist() == expected
    assert drawn.num_short == sum(count < k for count in expected) > 0
    scored = SIZES - counts
    assert ((scored >= 5) | (scored >= counts)).all() and scored.min() >= 1


@BOTH
def test_a_draw_is_seeded_and_holds_the_smaller_ones(uneven):
    def drawn(seed, k):
        return draw_enrolment(seed, SPEAKER, EMOTION, k, uneven).is_enrolled

    five, ten, twenty = (drawn(1, k) for k in (5, 10, 20))
    np.testing.assert_array_equal(five, drawn(1, 5))
    assert (five <= ten).all() and (ten <= twenty).all()
    assert (five != drawn(2, 5)).any()


@BOTH
def test_a_draw_does_not_depend_on_other_persons(uneven):
    whole = draw_enrolment(1, SPEAKER, EMOTION, 10, uneven).is_enrolled
    alone = SPEAKER == 3
    np.testing.assert_array_equal(
        draw_enrolment(1, SPEAKER[alone], EMOTION[alone], 10, uneven).is_enrolled, whole[alone]
    )
    # Rows of persons in another order: the rows of each stay in theirs.
    order = np.argsort(np.random.default_rng(0).permutation(len(SIZES))[SPEAKER], kind="stable")
    mixed = draw_enrolment(1, SPEAKER[order], EMOTION[order], 10, uneven).is_enrolled
    np.testing.assert_array_equal(mixed, whole[order])


def test_nobody_enrols_for_an_unknown_speaker():
    speaker = np.where(SPEAKER == 0, -1, SPEAKER)
    drawn = draw_enrolment(0, speaker, EMOTION, 5).is_enrolled
    assert not drawn[speaker < 0].any() and drawn[SPEAKER == 1].sum() == 5


def test_an_uneven_enrolment_is_of_few_emotions_and_an_even_one_is_of_all():
    """Shares of 8 emotions among 20 of 160 utterances; of Dirichlet(1) the largest is 0.34."""
    speaker = np.repeat(np.arange(200), 160)
    emotion = np.tile(np.arange(8), len(speaker) // 8)

    def shares(uneven):
        enrolled = draw_enrolment(0, speaker, emotion, 20, uneven).is_enrolled
        counts = np.zeros((200, 8))
        np.add.at(counts, (speaker[enrolled], emotion[enrolled]), 1)
        return counts / 20

    even, uneven = shares(False), shares(True)
    np.testing.assert_allclose([even.mean(0), uneven.mean(0)], 1 / 8, atol=0.03)
    assert even.max(1).mean() < 0.27 and 0.33 < uneven.max(1).mean() < 0.42
    # Within a person's mixture every utterance of an emotion is as likely.
    halves = draw_enrolment(0, speaker, emotion, 20, True).is_enrolled.reshape(200, 2, 80).sum(2)
    assert halves.sum(0)[0] == pytest.approx(2000, abs=150)


def test_enrolment_by_one_emotion_is_refused():
    emotions = ("anger", "joy", "neutral")
    message = why_not_enrolled(20, np.full(20, 2), emotions)
    assert "same emotion in all 20 utterances" in message and "(neutral)" in message
    assert why_not_enrolled(20, np.array([2] * 19 + [0]), emotions) is None
    assert "(2)" in why_not_enrolled(5, np.full(5, 2))


def test_enrolment_by_few_is_refused():
    for count in range(5):
        assert "at least 5" in why_not_enrolled(count, np.arange(count))
    assert why_not_enrolled(1).startswith("1 utterance is")
    assert why_not_enrolled(5) is None and why_not_enrolled(5, np.arange(5)) is None


def test_the_examples_of_the_docstrings():
    failed, tried = doctest.testmod(enrolment)
    assert tried > 3 and not failed
