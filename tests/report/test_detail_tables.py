"""Tests that the tables of detail and the conclusions state what is in the rows."""

import pytest

from experiments.report.conclusions import (
    lambda_conclusions,
    modality_conclusions,
    not_tested,
)
from experiments.report.detail_tables import modalities, tables
from experiments.results.modalities import Compared
from experiments.results.result_directories import Results
from experiments.results.summary import summarise
from tests.support.result_rows import ROWS, SETTINGS, control, run


def judged(uar, lower, upper, verdict="leaks"):
    columns = {"uar": uar, "lower": lower, "upper": upper, "verdict": verdict}
    return {f"gender_pooled_{name}": value for name, value in columns.items()}


def of(name, rows):
    return tables(summarise(rows, SETTINGS), rows)[name]


def test_leakage_lists_networks_and_controls_with_their_bounds():
    rows = [
        run(0.0, gender=0.8, **judged(0.82, 0.7, 0.9)),
        run(1.0, gender=0.6, **judged(0.61, 0.5, 0.7, "cannot_tell")),
        control("raw", 0.85, **judged(0.9, 0.8, 1.0)),
        control("chance", 0.5),
        run(0.0, gender=0.8, modality="lexical", collapsed=True),
    ]
    lines = [line[2:] for line in of("leakage", rows).lines]
    assert lines == [
        ["acoustic", "ordinary", "gender", "0.820", "0.700 to 0.900", "leaks"],
        ["acoustic", "λ 1", "gender", "0.610", "0.500 to 0.700", "cannot tell"],
        ["acoustic", "raw", "gender", "0.900", "0.800 to 1.000", "leaks"],
        ["lexical", "ordinary", "gender", "", "", "1 of 1 collapsed"],
    ]
    (line, *_) = of("leakage", [run(0.0, gender=0.8)]).lines
    assert line[2:] == ["acoustic", "ordinary", "gender", "0.800", "", ""]


def test_placements_stand_beside_each_other_where_both_were_run():
    """All of a line is of all speakers together, whatever the means over folds are."""
    emotion = {"emotion_pooled_uar": 0.52, "emotion_pooled_lower": 0.4, "emotion_pooled_upper": 0.6}
    pooled = emotion | judged(0.61, 0.5, 0.7)
    rows = [run(x, placement=p, **pooled) for x in (0.0, 1.0) for p in ("joint", "modality")]
    lines = of("placement", [*rows, run(0.5)]).lines
    scores = ["0.520", "0.400 to 0.600", "gender", "0.610", "0.500 to 0.700", "leaks"]
    assert [line[3:] for line in lines] == [["λ 1", p, *scores] for p in ("joint", "modality")]
    assert "placement" not in tables(summarise(ROWS, SETTINGS), ROWS)


def test_folds_are_those_of_the_chosen_network():
    lines = of("folds", ROWS).lines  # validation chooses lambda 0.5
    assert [line[5:] for line in lines] == [
        ["emotion", "0.500", "0.600"],
        ["gender attacker", "0.700", "0.800"],
        ["emotion", "0.520", "0.560"],
        ["gender attacker", "0.740", "0.740"],
    ]


def test_groups_show_emotion_of_each_value_of_the_attribute():
    columns = {"emotion_among_gender=female_uar": 0.5, "emotion_among_gender=female_lower": 0.4}
    rows = [run(0.0, **columns, **{"emotion_among_gender=female_upper": 0.6})]
    assert [line[4:] for line in of("groups", rows).lines] == [
        ["ordinary", "gender", "female", "0.500", "0.400 to 0.600", "", ""]
    ]


def test_the_front_lists_what_nothing_beats_on_validation():
    lines = of("front", ROWS).lines
    assert [line[1] for line in lines] == [
        "λ 0.5",
        "λ 1",
    ]  # lambda 0 leaks more, and recognises less
    assert lines[0][2:4] == ["0.600", "0.520"]


def test_words_say_where_the_attacker_gains_again():
    rows = [run(x, fold, gender=g) for fold in (0, 1) for x, g in ((0, 0.8), (0.5, 0.6), (1, 0.7))]
    (sentence,) = lambda_conclusions(summarise(rows, SETTINGS), rows)
    assert "most private, at λ 0.5 (0.600) and higher beyond it, 0.700 at λ 1" in sentence
    assert "stronger there in 2 of 2 pairs" in sentence
    rising = [row for row in rows if row["lambda"] != 1]
    (sentence,) = lambda_conclusions(summarise([*rising, run(2.0, gender=0.5)], SETTINGS), rows)
    assert "at λ 2 (0.500), the largest that was run: it does not rise again" in sentence


def test_words_call_no_score_higher_that_is_printed_alike():
    rows = [run(x, gender=g) for x, g in ((0, 0.8), (0.5, 0.6), (1, 0.6001), (2, 0.6))]
    (sentence,) = lambda_conclusions(summarise(rows, SETTINGS), rows)
    assert "at λ 0.5 (0.600): beyond it the score rises by less than 0.001" in sentence


def test_words_pass_over_what_collapsed_or_diverged_and_say_so():
    rows = [run(x, fold, gender=g) for fold in (0, 1) for x, g in ((0, 0.8), (0.5, 0.6), (1, 0.7))]
    rows += [run(2.0, 0, gender=0.5, collapsed=True), run(2.0, 1, gender=0.5)]
    rows += [run(3.0, 0, diverged=True), run(3.0, 1, gender=0.4)]
    (sentence,) = lambda_conclusions(summarise(rows, SETTINGS), rows)
    assert "lowest, which is most private, at λ 0.5 (0.600)" in sentence
    assert sentence.endswith("Left out: λ 2 (of 2 runs 1 collapsed), λ 3 (of 2 runs 1 diverged).")
    (sentence,) = lambda_conclusions(
        summarise([r for r in rows if r["lambda"] in (0.5, 2)], SETTINGS), rows
    )
    assert "fewer than two λ are left at which" in sentence and "Left out: λ 2 (" in sentence


def test_words_speak_of_the_numbers_that_are_drawn():
    rows = [
        run(0.5, gender=0.6, **judged(0.72, 0.7, 0.9)),
        run(1.0, gender=0.5, **judged(0.75, 0.7, 0.9)),
    ]
    (sentence,) = lambda_conclusions(summarise(rows, SETTINGS), rows)
    assert "at λ 0.5 (0.720) and higher beyond it, 0.750 at λ 1" in sentence
    rows = [run(0.0, modality=m, **judged(g, 0.5, 0.9)) for m, g in (("acoustic", 0.8), ("b", 0.6))]
    (sentence,) = modality_conclusions(summarise(rows, SETTINGS))
    assert "acoustic 0.800, b 0.600" in sentence


def test_words_order_the_modalities_by_what_they_leak():
    rows = [run(0.0, gender=0.6, modality="lexical"), run(0.0, gender=0.8)]
    (sentence,) = modality_conclusions(summarise(rows, SETTINGS))
    assert sentence.endswith(
        "score of the gender attacker on the ordinary network: acoustic 0.800, lexical 0.600."
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([run(1.0)], "No ordinary network"),
        ([run(0.0)], "Membership identification was not measured."),
        ([run(0.0)], "MSP-Improv, MSP-Podcast, IEMOCAP, MuSE"),
        ([run(0.0)], "The demo corpus is synthetic"),
        ([run(0.0, attackers="linear+kernel")], "no others: linear+kernel."),
        ([run(0.0, collapsed=True)], "the table All settings marks"),
        ([run(0.0, modality="multimodal")], "placed in one way only (joint)"),
        ([run(0.0, num_speakers=10)], "has 10 speakers here"),
        ([run(0.0, seed=0), run(0.0, seed=1)], "2 seeds were run"),
    ],
)
def test_what_was_not_tested_is_said(rows, sentence):
    results = Results(rows, [], [], [], [], [], [], [])
    assert any(sentence in line for line in not_tested(summarise(rows, SETTINGS), results))


def test_the_choice_on_validation_has_both_scores_and_who_chose():
    rows = [
        run(x, val=val) for x, val in ((0.0, (0.7, 0.9)), (0.5, (0.6, 0.59)), (1.0, (0.55, 0.5)))
    ]
    lines = [line[1:] for line in of("choice", rows).lines]
    assert lines == [
        ["λ 0.5", "0.600", "0.590", "0.510", "0.600", "leak-aware"],
        ["λ 1", "0.550", "0.500", "0.550", "0.550", "paper"],
    ]


def test_confusion_is_shown_as_shares_of_the_true_class():
    counts = '{"low": {"low": 3, "high": 1}, "high": {"low": 0, "high": 4}}'
    (table,) = [
        table
        for name, table in tables(
            summarise([run(0.0, emotion_confusion=counts)], SETTINGS), []
        ).items()
        if name.startswith("confusion_")
    ]
    assert table.header[-4:] == ["true", "low", "high", "utterances"]
    assert [line[-4:] for line in table.lines] == [
        ["low", "0.75", "0.25", "4"],
        ["high", "0.00", "1.00", "4"],
    ]


def test_groups_have_their_gap():
    place = "emotion_among_gender=female"
    columns = {f"{place}_uar": 0.5, f"{place}_lower": 0.4, f"{place}_upper": 0.6}
    gap = {"difference": -0.1, "lower": -0.25, "upper": 0.05}
    columns |= {f"emotion_gap_gender=female_{name}": value for name, value in gap.items()}
    (line,) = of("groups", [run(0.0, **columns)]).lines
    assert line[-2:] == ["-0.100", "-0.250 to +0.050"]


def test_modalities_that_chose_two_lambdas_name_both():
    rows = [
        run(0.0, recipe="none"),
        run(1.0, recipe="paper"),
        run(2.0, recipe="paper", modality="multimodal"),
    ]
    values = (0.6, 0.5, 0.1, 0.05, 0.15, 0.01, 20, 1)
    of_pair = ("emotion", "UAR", "multimodal", "acoustic", *values)
    row = Compared("demo", "activation", "gender", "paper", *of_pair)
    (line,) = modalities([row], summarise(rows, [*SETTINGS, "recipe"])).lines
    assert line[3:6] == ["paper, λ 2, λ 1", "emotion UAR", "multimodal - acoustic"]
