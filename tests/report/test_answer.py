"""Tests that the answer on top says what the rows hold, in words, and no more."""

import json
import re
from html import unescape

import jsonschema
import pytest

from experiments.config.recipes import MEANINGS, RECIPES
from experiments.report.answer import (
    answers,
    answers_markdown,
    answers_text,
    networks_in_words,
)
from experiments.report.answer_json import answers_json
from experiments.report.answer_page import answers_page
from experiments.report.main_table import narrow_text, write_summary
from experiments.results.summary import summarise
from privrep.leakage.headline import times
from tests.support.paths import ROOT
from tests.support.result_rows import BOTH, ROWS, SETTINGS, control, run

SETTINGS = [*SETTINGS, "recipe"]
CHANGE = ("difference", "lower", "upper", "p")


def judged(verdict, uar, upper, detectable=0.62, place="gender_pooled"):
    values = {"uar": uar, "lower": uar - 0.05, "upper": upper, "p": 0.01}
    values |= {"minimum_detectable": detectable, "verdict": verdict}
    return {f"{place}_{name}": value for name, value in values.items()}


def changed(*values):
    return dict(zip((f"emotion_change_{name}" for name in CHANGE), values))


def row(lambda_, recipe, verdict, uar, upper, **more):
    sizes = {"num_speakers": 40, "num_utterances": 800, "recipe": recipe}
    return run(lambda_, **sizes, **judged(verdict, uar, upper), **more)


LEAK = row(0.0, "none", "leaks", 0.78, 0.86)
QUIET = row(1.0, "posterior", "no_leak_shown", 0.52, 0.578) | changed(-0.012, -0.03, 0.006, 0.2)
PLAIN = row(1.0, "paper", "leaks", 0.81, 0.9) | changed(-0.05, -0.08, -0.02, 0.01)


def answer_of(*rows):
    (answer,) = answers(summarise(rows, SETTINGS), rows)
    return answer


def test_every_network_is_answered_and_the_first_sentence_sums_up():
    answer = answer_of(LEAK, QUIET, PLAIN)
    assert answer.question.startswith("demo (synthetic), acoustic, activation: can gender be read")
    assert answer.short == (
        "Gender can be read from the ordinary network and paper (λ 1); no leak of gender is shown "
        "from posterior (λ 1)."
    )
    ordinary, paper, posterior = answer.networks
    assert (ordinary.verdict, paper.verdict, posterior.verdict) == (
        *("leaks", "leaks", "no_leak_shown"),
    )
    assert "rightly 78 times in 100 (guessing 50, upper bound 86)" in ordinary.sentence
    assert "rightly 52 times in 100 (guessing 50, upper bound 58)" in posterior.sentence
    assert "0.012 less than the ordinary network, a difference that may" in posterior.sentence
    assert paper.sentence.endswith("0.050 less than the ordinary network.")
    assert "40 speakers and 800 utterances" in answer.certainty
    assert "A leak of 62 times in 100" in answer.certainty


def test_the_next_step_is_a_pick_of_the_network_that_shows_no_leak():
    assert "--pick=recipe=posterior,lambda=1" in answer_of(LEAK, QUIET, PLAIN).next_steps
    assert "--pick" not in answer_of(LEAK, PLAIN).next_steps
    assert "Treat all of them as revealing gender" in answer_of(LEAK, PLAIN).next_steps
    assert "--recipe=posterior" in answer_of(LEAK).next_steps
    assert "try --recipe=posterior or --recipe=keep, or" in answer_of(LEAK, PLAIN).next_steps
    leaking = row(1.0, "posterior", "leaks", 0.6, 0.7)
    assert "try --recipe=keep, or another --lambda" in answer_of(LEAK, leaking).next_steps
    unknown = row(1.0, "keep", "cannot_tell", 0.58, 0.71)
    answer = answer_of(LEAK, unknown)
    assert answer.next_steps == (
        "Treat the ordinary network as revealing gender. Do not take keep (λ 1) for a pass: "
        "measure with more speakers."
    )
    assert "keep, λ 1: a leak up to 71 times in 100 is not excluded" in answer.still_open


def test_what_all_utterances_of_a_person_tell_is_said_where_it_is_more():
    more = judged("leaks", 0.7, 0.8, place="gender_pooled_all_utterances")
    sentence = answer_of(LEAK, QUIET | more).networks[1].sentence
    assert "; from all utterances of the speaker 70, upper bound 80 (it leaks)" in sentence
    same = judged("no_leak_shown", 0.52, 0.58, place="gender_pooled_all_utterances")
    assert "all utterances" not in answer_of(LEAK, QUIET | same).networks[1].sentence


def test_who_leaks_from_all_utterances_of_a_speaker_is_no_pass():
    """The first sentence says so, no step exports that network, and programs can see it."""
    more = judged("leaks", 0.7, 0.8, place="gender_pooled_all_utterances")
    answer = answer_of(LEAK, QUIET | more, PLAIN)
    assert answer.short.endswith(
        "; from all utterances of a speaker it can be read from posterior (λ 1) too."
    )
    assert "--pick" not in answer.next_steps
    # PLAIN leaks from one utterance, which the step must not leave out.
    assert answer.next_steps.startswith(
        "Treat the ordinary network and paper (λ 1) as revealing gender. Treat posterior (λ 1) as "
        "revealing gender of whoever sends several utterances"
    )
    assert answer.networks[2].verdict_of_speaker == "leaks"
    open_ = judged("cannot_tell", 0.6, 0.72, place="gender_pooled_all_utterances")
    answer = answer_of(LEAK, QUIET | open_, PLAIN)
    assert "from all utterances of a speaker a leak up to 72 times" in answer.still_open
    assert "--pick" in answer.next_steps and "too." not in answer.short


@pytest.mark.parametrize(
    "kind, said", [("lagging", "its adversary never learned"), ("collapsed", "h lost")]
)
def test_an_unsound_network_is_said_to_be_and_is_not_picked(kind, said):
    answer = answer_of(LEAK, QUIET, QUIET | {"fold": 1, kind: True})
    sentence = answer.networks[1].sentence
    assert f"In 1 of 2 trainings {said}" in sentence or "its networks collapsed" in sentence
    assert "--pick" not in answer.next_steps


def test_a_recipe_all_of_whose_networks_collapsed_is_named():
    lost = run(1.0, emotion=0.4, recipe="paper", collapsed=True, val=(0.4, 0.5))
    assert "paper: all of its networks collapsed" in answer_of(LEAK, QUIET, lost).still_open
    assert "collapsed" not in answer_of(LEAK, QUIET, PLAIN).still_open


def test_several_answers_begin_with_a_list_of_them():
    rows = [LEAK, QUIET, *({**row, "task": "valence"} for row in (LEAK, PLAIN))]
    given = answers(summarise(rows, SETTINGS), rows)
    page = answers_page(given)
    head, _, rest = page.replace("\N{NO-BREAK SPACE}", " ").partition('<section class="answer">')
    for i, answer in enumerate(given):
        assert answer.short in unescape(head) and f'href="#answer{i}"' in head
        assert f'id="answer{i}"' in rest
    assert "In short" not in answers_page(given[:1])


def test_a_training_set_that_can_be_read_is_said_on_top():
    values = {"verdict": "leaks", "auc": 0.74, "p": 0.01, "lower": 0.6, "upper": 0.8}
    values |= {"loss_auc": None, "shuffled": 0.5, "accuracy": 0.7, "minimum_detectable": 0.6}
    member = {f"h_membership_{name}": value for name, value in values.items()}
    said = answer_of(LEAK, QUIET | member).still_open
    assert "can be read, with an AUC of 0.74 from posterior (λ 1) (guessing 0.5" in said
    assert "Whether a speaker" not in answer_of(LEAK, QUIET).still_open


def test_of_what_was_not_tested_nothing_is_concluded():
    answer = answer_of(*ROWS)
    assert all(network.verdict == "not_tested" for network in answer.networks)
    assert answer.short.startswith("Not tested: ")
    assert "Nothing was judged" in answer.next_steps


def test_speakers_are_told_apart_and_not_named():
    rows = [r | judged("leaks", 0.8, 0.9, place="speaker_pooled") for r in BOTH]
    of_gender, of_speaker = answers(summarise(rows, SETTINGS), rows)
    assert "speaker" in of_speaker.question and "gender" in of_gender.question
    assert (
        "decides rightly 80 times in 100 whether two utterances are of one unseen"
        in of_speaker.networks[0].sentence
    )


def test_terminal_and_document_say_the_same_and_the_terminal_fits_80_columns():
    rows = [LEAK, QUIET, PLAIN, control("decision", 0.5, recipe=None)]
    summary = summarise(rows, SETTINGS)
    given = answers(summary, rows)
    text, document = "\n".join(answers_text(given)), answers_markdown(given)
    for network in given[0].networks:
        assert network.sentence in text and network.sentence in document
    printed = narrow_text(summary, given)
    assert max(map(len, printed.splitlines())) <= 80
    assert given[0].short in " ".join(printed.split())
    lines = printed.splitlines()
    line = next(line for line in lines if line.startswith("posterior, λ 1  "))
    assert line.split()[3:] == ["0.500", "0.520", "0.578", "no", "leak", "shown"]
    assert any(line.startswith("decision") for line in lines)


def test_terminal_document_page_and_object_say_the_same_in_words_and_numbers(tmp_path):
    rows = [LEAK, QUIET, PLAIN]
    summary = summarise(rows, SETTINGS)
    given = answers(summary, rows)
    write_summary(tmp_path, summary, given)
    (answer,) = json.loads((tmp_path / "summary.json").read_text("utf-8"))["answers"]
    page = " ".join(unescape(re.sub("<[^>]*>", "", answers_page(given))).split())
    document = (tmp_path / "summary.md").read_text("utf-8")
    terminal = " ".join(narrow_text(summary, given).split())
    sentences = [answer[n] for n in ("question", "short", "certainty", "still_open", "next_steps")]
    sentences += [network["sentence"] for network in answer["networks"]]
    for place in (page, document, terminal):
        for sentence in sentences:
            assert sentence in place
    assert [network["network"] for network in answer["networks"]] == [
        *("ordinary", "paper, λ 1", "posterior, λ 1")
    ]
    for network, row in zip(answer["networks"], (LEAK, PLAIN, QUIET)):
        assert network["uar"] == row["gender_pooled_uar"]
        assert network["upper"] == row["gender_pooled_upper"]
        assert network["verdict"] == row["gender_pooled_verdict"]
        numbers = (times(network["uar"]), times(network["upper"], up=True))
        assert (
            "rightly {} times in 100 (guessing 50, upper bound {})".format(*numbers)
            in (network["sentence"])
        )
        # The picture and the terminal's table have the same numbers, as shares.
        assert f"{network['network']}: {network['uar']:.3f}, bounds" in page
        assert f"{network['uar']:.3f}" in terminal and f"{network['upper']:.3f}" in terminal


@pytest.mark.parametrize("rows", [[LEAK, QUIET, PLAIN], ROWS, BOTH])
def test_the_object_keeps_its_schema_whatever_was_tested(rows):
    schema = json.loads((ROOT / "experiments/report/answers.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    written = json.dumps(answers_json(answers(summarise(rows, SETTINGS), rows)), allow_nan=False)
    jsonschema.Draft202012Validator(schema).validate(json.loads(written))


def test_every_recipe_is_explained_where_it_is_named(tmp_path):
    """Once on page, terminal and document; a reader need not know the project's names."""
    assert {*MEANINGS} == {*RECIPES}
    rows = [LEAK, QUIET, PLAIN]
    summary = summarise(rows, SETTINGS)
    given = answers(summary, rows)
    words = networks_in_words(given)
    assert words.startswith("ordinary: the network without protection. paper: in training an")
    assert f"posterior: {MEANINGS['posterior']}." in words and "keep:" not in words
    write_summary(tmp_path, summary, given)
    for place in (
        (tmp_path / "summary.md").read_text("utf-8"),
        narrow_text(summary, given),
        unescape(answers_page(given)),
    ):
        assert " ".join(place.split()).count(words) == 1
