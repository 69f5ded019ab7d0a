"""The headline says in words what the numbers say, whatever the verdict and the attribute."""

import math

import pytest

from privrep.leakage.headline import (
    ANSWERS,
    Subject,
    headline_of_classes,
    headline_of_number,
)
from privrep.statistics.correlation import CorrelationVerdict
from privrep.statistics.verdict import Verdict

SUBJECT = Subject("gender", {"female": 30, "male": 30}, 60, 600, True, 0.95)
LEAK = Verdict("leaks", 0.69, 0.6, 0.777, 0.005, 0.005, 0.634, 0.6, "So it is.")
NONE = LEAK._replace(verdict="no_leak_shown", uar=0.51, lower=0.45, upper=0.583, p=0.4)
UNKNOWN = NONE._replace(verdict="cannot_tell", upper=0.65)
NUMBER = CorrelationVerdict("leaks", 0.73, 0.5, 0.842, 0.01, 0.01, 0.41, 0.3, "As it is.")


def text(headline):
    return " ".join([headline.sentence, *headline.further, *(part for _, part in headline.parts)])


def test_the_sentence_is_the_one_of_a_gender():
    headline = headline_of_classes(SUBJECT, LEAK)
    assert headline.question == "Can gender be read from these representations?"
    assert (headline.word, headline.sign) == ("It leaks", "▲")
    assert headline.sentence == (
        "Shown as many women as men, the strongest attacker names the gender of an unseen speaker "
        "rightly 69 times in 100 from one utterance; guessing 50; with 95% confidence not more "
        "than 78."
    )
    assert headline.certainty == (
        "It rests on 60 speakers and 600 utterances, of which the speakers count. A leak of 64 "
        "times in 100 would have been detected with 80 % probability; smaller ones may be missed."
    )
    assert headline.further == ()


@pytest.mark.parametrize(
    ("names", "shown", "guessing"),
    [
        (("male", "female"), "as many women as men", 50),
        (("a", "b"), "as many of a as of b", 50),
        (("e", "n", "s", "w"), "each of the 4 classes equally often", 25),
    ],
)
def test_chance_is_of_as_many_classes_as_there_are(names, shown, guessing):
    subject = SUBJECT._replace(attribute="accent", classes=dict.fromkeys(names, 15))
    sentence = headline_of_classes(subject, LEAK).sentence
    assert f"Shown {shown}, " in sentence and f"; guessing {guessing};" in sentence


def test_person_and_sessions_are_said_where_they_differ():
    person, beyond = LEAK._replace(uar=0.91, upper=0.97), NONE
    headline = headline_of_classes(SUBJECT, LEAK, person=person, beyond=beyond)
    of_person, of_sessions = headline.further
    assert of_person.endswith(
        "together: rightly 91 times in 100, with 95% confidence not more than 97 (it leaks)."
    )
    assert "such as a room: rightly 51 times in 100" in of_sessions
    assert of_sessions.endswith("not more than 59 (no leak shown).")
    assert headline_of_classes(SUBJECT, LEAK, person=LEAK, beyond=LEAK).further == ()


def test_a_pass_from_one_utterance_says_what_many_leave_open():
    headline = headline_of_classes(SUBJECT, NONE, person=UNKNOWN)
    assert headline.verdict == "no_leak_shown"
    assert headline.still_open[0].startswith("Whoever holds many utterances of a person")
    assert "not more than 65 (cannot tell)" in headline.still_open[0]
    assert "--fail-above-person" in headline.next_steps[0]
    assert "Whoever" not in text(headline_of_classes(SUBJECT, NONE, person=NONE))


def test_each_verdict_says_what_is_open_and_what_to_do():
    leak = headline_of_classes(SUBJECT, LEAK)
    assert "do not give them to anyone" in text(leak) and "room or the device" not in text(leak)
    alone = headline_of_classes(SUBJECT._replace(has_sessions=False), LEAK)
    assert "room or the device" in text(alone)
    none = headline_of_classes(SUBJECT, NONE)
    assert "A leak up to 59 times in 100 is not excluded" in text(none)
    assert "If less than 60 times in 100 is enough" in text(none)
    unknown = headline_of_classes(SUBJECT, UNKNOWN)
    assert "one up to 65 times in 100 is not excluded. So it is." in text(unknown)
    assert "in place of 60 exclude one over 60 times in 100 with a probability of 80 %" in text(
        unknown
    )
    assert "about 140 in place" in text(unknown)
    assert "Do not take this for a pass." in text(unknown)
    doubted = headline_of_classes(SUBJECT, UNKNOWN._replace(upper=0.58, reason="A rare class."))
    assert "A rare class." in text(doubted) and "Repair what is listed" in text(doubted)


@pytest.mark.parametrize("subject", [SUBJECT, SUBJECT._replace(attribute="age")])
def test_what_cannot_be_known_is_no_number(subject):
    few = {"upper": math.nan, "minimum_detectable": math.inf, "verdict": "cannot_tell"}
    for headline in (
        headline_of_classes(subject, LEAK._replace(**few)),
        headline_of_number(subject, NUMBER._replace(**few)),
    ):
        assert "no upper bound can be given" in headline.sentence
        assert "No leak, however large, would have been" in headline.certainty
        assert not any(word in text(headline) for word in ("nan", "inf ", "None"))


def test_a_number_is_said_as_a_correlation_and_as_halves():
    """Of normal numbers r = 0.73 tells the halves with 1/2 + arcsin(0.73) / pi = 0.760."""
    headline = headline_of_number(SUBJECT._replace(attribute="age"), NUMBER)
    assert "estimate of age has a correlation of 0.73 with the truth" in headline.sentence
    assert "rightly about 76 times in 100; guessing 50; with 95% confidence" in headline.sentence
    assert headline.sentence.endswith("not more than 0.84, or 82 times in 100.")
    assert "count. A correlation of 0.41 would have been" in headline.certainty


def test_a_negative_correlation_names_the_halves_wrongly():
    headline = headline_of_number(SUBJECT, NUMBER._replace(correlation=-0.19))
    assert "correlation of -0.19" in headline.sentence
    assert "rightly about 44 times in 100; guessing 50" in headline.sentence


def test_rows_that_may_not_belong_together_have_no_numbers():
    headline = headline_of_classes(SUBJECT._replace(misaligned="No column is read."), NONE)
    assert headline.verdict == "not_judged" and headline.word == "Not judged"
    assert headline.sentence.endswith("No column is read.") and headline.further == ()
    assert "--aligned" in text(headline) and "59" not in text(headline)
    assert "would have been detected" not in text(headline)


def test_a_doubt_about_the_order_is_open_where_no_leak_shows():
    subject = SUBJECT._replace(doubt="Who knows whose rows these are.")
    assert "Who knows" in headline_of_classes(subject, NONE).still_open[-1]
    assert "Who knows" not in text(headline_of_classes(subject, LEAK))


def test_every_answer_has_a_sign_of_its_own():
    assert len({answer.sign for answer in ANSWERS.values()}) == len(ANSWERS) == 4
