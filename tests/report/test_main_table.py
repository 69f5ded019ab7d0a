"""Tests that the main table and its conclusions state what is in the rows, and only that."""

import json
import math
import random
import re

import pytest

from experiments.report.chosen_network import conclusions_of
from experiments.report.main_table import (
    all_settings,
    fold_means,
    table_markdown,
    table_text,
    write_summary,
)
from experiments.results.runs_csv import append_rows, read_rows
from experiments.results.summary import summarise
from tests.support.result_rows import BOTH, NAN, ROWS, SETTINGS, control, run


def by_label(summary):
    return {entry["control"] or entry["settings"]["lambda"]: entry for entry in summary}


def cells(text):
    """{first cell that is not a setting: the line's cells}"""
    lines = [re.split(" {2,}", line.strip()) for line in text.splitlines() if line.strip()]
    return {line[0]: line for line in lines}


def test_mean_spread_and_paired_change():
    entries = by_label(summarise(ROWS, SETTINGS))
    entry = entries[1.0]
    assert entry["n"] == 2 and entry["diverged"] == 0
    assert entry["scores"]["test_emotion_uar"]["mean"] == pytest.approx(0.42)
    assert entry["scores"]["test_emotion_uar"]["sd"] == pytest.approx(0.04 / math.sqrt(2))
    change = entry["change"]["test_emotion_uar"]  # -0.10 and -0.16
    assert change["mean"] == pytest.approx(-0.13)
    assert change["sd"] == pytest.approx(0.06 / math.sqrt(2))
    assert (change["n"], change["lower"], change["higher"]) == (2, 2, 0)
    assert entry["change"]["test_gender_privacy"]["mean"] == pytest.approx(0.21)
    assert entries[0.0]["change"] == {} and entries["chance"]["change"] == {}


def test_changes_pair_fold_and_seed_and_leave_out_diverged_runs():
    rows = [
        run(0.0, 0, emotion=0.5),
        run(0.0, 1, emotion=0.9),
        run(0.0, 2, emotion=0.1, diverged=True),
        run(1.0, 0, emotion=0.4),
        run(1.0, 1, emotion=NAN, diverged=True),
        run(1.0, 2, emotion=0.6),
    ]
    entry = by_label(summarise(rows, SETTINGS))[1.0]
    assert (entry["n"], entry["diverged"]) == (2, 1)
    assert entry["scores"]["test_emotion_uar"]["mean"] == pytest.approx(0.5)
    change = entry["change"]["test_emotion_uar"]  # only fold 0 has both
    assert change["mean"] == pytest.approx(-0.1) and change["n"] == 1 and change["sd"] is None
    text = table_text(summarise(rows, SETTINGS))
    assert (
        "acoustic, activation, gender: runs that diverged are left out (ordinary: 1 of 3 runs; "
        "λ 1: 1 of 3 runs)."
    ) in " ".join(text.split())
    assert "nan" not in text


def pooled(verdict, upper, detectable, p=0.5, uar=0.6):
    values = {"verdict": verdict, "upper": upper, "p": p, "uar": uar}
    values["minimum_detectable"] = detectable
    return {f"gender_pooled_{name}": value for name, value in values.items()}


def test_seeds_are_judged_together():
    rows = [
        run(0.0, 0, 0, **pooled("leaks", 0.81, 0.7, 0.01, 0.6)),
        run(0.0, 0, 1, **pooled("no_leak_shown", 0.58, 0.55, 0.9, 0.5)),
        run(0.0, 0, 2, **pooled("leaks", 0.8, 0.6, 0.02, 0.7)),
        run(0.5, 0, 0, **pooled("leaks", 0.66, 0.7, 0.01)),
        run(0.5, 0, 1, **pooled("no_leak_shown", 0.59, 0.55)),
        run(1.0, 0, 0, **pooled("cannot_tell", 0.93, None)),
        run(2.0, 0, 0, **pooled("no_leak_shown", 0.5, 0.55), collapsed=True),
        control("chance", 0.5),
    ]
    entries = by_label(summarise(rows, SETTINGS))
    verdict = entries[0.0]["verdicts"]["gender"]
    assert verdict.pop("uar") == pytest.approx(0.6) and verdict.pop("p") == pytest.approx(0.04)
    assert verdict == {"verdict": "leaks", "lower": None, "upper": 0.81, "minimum_detectable": 0.7}
    # One seed in two, of which the other finds nothing, is no leak shown by both together.
    assert entries[0.5]["verdicts"]["gender"]["verdict"] == "cannot_tell"
    assert entries[2.0]["verdicts"] == {} == entries["chance"]["verdicts"]
    text = table_text(summarise(rows, SETTINGS))
    of_all, _, means = text.partition("Means over folds and seeds")
    lines = cells(of_all)
    assert lines["ordinary"][-3:] == ["0.810", "0.700", "leaks"]
    assert lines["λ 2"][-1] == "1 of 1 collapsed"
    assert lines["λ 1"][-3:] == ["0.930", "none", "cannot tell"]
    assert "chance" not in lines and cells(means)["chance"][-1] == "0.500"
    assert "minimum detectable: the smallest UAR" in " ".join(of_all.split())
    assert "upper bound" not in table_text(summarise(ROWS, SETTINGS))


def test_baseline_comes_first_and_controls_last_in_any_order_of_rows():
    expected = summarise(ROWS, SETTINGS)
    labels = [entry["control"] or entry["settings"]["lambda"] for entry in expected]
    assert labels == [0.0, 0.5, 1.0, "chance", "shuffled", "untrained"]
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    assert table_text(summarise(shuffled, SETTINGS)) == table_text(expected)


def test_controls_are_those_of_the_least_protected_networks():
    """Another pack, such as that of another adversary, may have no network at lambda 0."""
    rows = [run(0.0, fold) for fold in range(2)] + [run(1.0, fold) for fold in range(2)]
    rows += [
        control("decision", gender, fold=fold, control_lambda=lambda_)
        for fold in range(2)
        for lambda_, gender in ((1.0, 0.9), (0.0, 0.6), ("0.5+1", 0.8))
    ]
    entry = by_label(summarise(rows, SETTINGS))["decision"]
    assert entry["n"] == 2
    assert entry["scores"]["test_gender_attacker_uar"]["mean"] == pytest.approx(0.6)


def test_order_is_modality_task_private_then_numbers_by_size():
    rows = [
        run(lambda_, modality=modality, task=task, kernels=kernels)
        for lambda_ in (0.5, 0.0)
        for kernels in (128, 64)
        for task in ("valence", "activation")
        for modality in ("lexical", "acoustic")
    ]
    order = [entry["settings"] for entry in summarise(rows, [*SETTINGS, "kernels"])]
    keys = [(s["modality"], s["task"], s["kernels"], s["lambda"]) for s in order]
    assert keys == sorted(keys) and len(keys) == 16


def test_lambdas_per_attribute_are_sorted_by_number_and_know_their_baseline():
    rows = [row | {"private": "a+b"} for row in map(run, ("10+0", "0.5+1", "0+0", "0.5+0.25"))]
    summary = summarise(rows, SETTINGS)
    order = [entry["settings"]["lambda"] for entry in summary]
    assert order == ["0+0", "0.5+0.25", "0.5+1", "10+0"]
    assert [bool(entry["change"]) for entry in summary] == [False, True, True, True]


def test_table_shows_means_spreads_changes_and_controls():
    lines = cells(table_text(summarise(ROWS, SETTINGS)))
    assert lines["ordinary"] == [
        "ordinary",
        "2",
        "0.550±0.071",
        "0.510±0.000",
        "0.750±0.071",
        "0.250",
    ]
    assert lines["λ 1"][2:4] == ["0.420±0.028", "-0.130"]
    assert lines["λ 1"][-3:] == ["0.540±0.057", "0.460", "+0.210"]
    assert lines["chance"] == ["chance", "2", "-", "-", "0.500", "0.500"]
    assert lines["shuffled"][-2:] == ["0.510±0.085", "0.490"]


def test_a_change_that_is_no_change_has_no_sign():
    rows = [run(0.0), run(1.0, emotion=0.5 - 1e-5, gender=0.7 - 1e-5)]
    assert cells(table_text(summarise(rows, SETTINGS)))["λ 1"][3::4] == ["0.000", "0.000"]


def test_without_lambda_0_there_is_no_change_to_tell():
    rows = [row for row in ROWS if row["lambda"] != 0]
    text = table_text(summarise(rows, SETTINGS))
    header = " ".join(text.splitlines()[0].split())
    assert header == "network n emotion UAR adversary attacker privacy"
    assert cells(text)["λ 1"][-1] == "0.460" and "change =" not in text


def test_only_settings_that_vary_get_a_column():
    text = table_text(summarise(ROWS, SETTINGS))
    header, *_ = text.splitlines()
    assert header.split()[:2] == ["network", "n"]
    same = "dataset=demo placement=joint"
    assert "modality=acoustic task=activation private=gender " + same in text
    both = [row | {"task": task} for row in ROWS for task in ("activation", "valence")]
    header, *rest = table_text(summarise(both, SETTINGS)).splitlines()
    assert header.split()[:3] == ["task", "network", "n"]
    assert not any("task=" in line for line in rest)


def test_text_fits_the_terminal_and_columns_are_aligned():
    varied = [
        row | {"modality": modality, "task": task}
        for row in ROWS
        for modality in ("acoustic", "multimodal")
        for task in ("activation", "valence")
    ]
    text = table_text(summarise(varied, SETTINGS))
    assert max(map(len, text.splitlines())) <= 120
    header, rule, *lines = text.splitlines()
    ends = [match.end() for match in re.finditer("-+", rule)]
    assert len(header) == ends[-1]
    for line in lines[: lines.index(rule)]:
        padded = line.ljust(ends[-1] + 2)
        assert all(padded[end : end + 2] == "  " for end in ends), line


def test_speaker_has_a_line_of_its_own_and_a_dash_for_the_adversary():
    text = table_text(summarise(BOTH, SETTINGS))
    line = next(line for line in text.splitlines() if "speaker" in line and "0.550" in line)
    assert line.split() == ["λ", "1", "speaker", "-", "0.550±0.000", "0.450", "+0.250"]
    assert "1 - equal error rate" in text.replace("\n", " ")
    assert "equal error rate" not in table_text(summarise(ROWS, SETTINGS))


def test_markdown_has_the_cells_of_the_text():
    for rows in (ROWS, BOTH, ROWS + BOTH):
        summary = summarise(rows, SETTINGS)
        table = [line for line in table_markdown(summary).splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in table}) == 1
        words = " ".join(" ".join(table[:1] + table[2:]).replace("|", " ").split())
        above, _, below = table_text(summary).partition("-\n")
        assert words == " ".join((above.splitlines()[0] + " " + below.split("\n--")[0]).split())


def test_reading_chooses_on_validation_and_reports_on_test():
    """Lambda 1 protects best on test; validation prefers 0.5, so 0.5 is what is reported."""
    (said,) = conclusions_of(summarise(ROWS, SETTINGS))
    assert said == (
        "acoustic, activation, gender: of 3 networks validation chooses λ 0.5. On test speakers, "
        "as means over folds and seeds, it differs from the ordinary network in this: emotion UAR "
        "fell by 0.010 to 0.540 (chance 0.333), lower in 1 and higher in 1 of 2 pairs of fold and "
        "seed; the score of the gender attacker fell by 0.010 to 0.740 (chance 0.500), lower in 1 "
        "and higher in 1 of 2 pairs of fold and seed."
    )
    test = [row | {"test_emotion_uar": 1.0} if row["lambda"] == 1 else row for row in ROWS]
    assert "chooses λ 0.5." in conclusions_of(summarise(test, SETTINGS))[0]


def test_reading_says_when_the_attacker_rose():
    rows = [run(0.0, gender=0.69), run(1.0, gender=0.83, val=(0.7, 0.53))]
    (said,) = conclusions_of(summarise(rows, SETTINGS))
    assert "the score of the gender attacker rose by 0.140 to 0.830" in said
    assert "emotion UAR stayed at 0.500" in said


def test_reading_without_reversal_or_without_a_baseline():
    (said,) = conclusions_of(summarise([run(0.0, val=(0.9, 0.5)), run(1.0)], SETTINGS))
    assert said.endswith("validation chooses the ordinary network, which has no protection.")
    (said,) = conclusions_of(summarise([run(0.0)], SETTINGS))
    assert said.endswith("only the ordinary network was run, which has no protection.")
    (said,) = conclusions_of(summarise([run(0.5), run(1.0)], SETTINGS))
    assert "No ordinary network (λ 0) was run" in said
    assert conclusions_of(summarise([run(0.0, diverged=True)], SETTINGS)) == []


def test_reading_follows_the_selection_of_the_runs():
    """Emotion alone prefers lambda 0; less leak is worth more by default."""
    rows = [run(0.0, val=(0.6, 0.9)), run(1.0, val=(0.5, 0.5))]
    names = [*SETTINGS, "selection"]
    for rule, network in (("paper", "λ 1."), ("emotion", "the ordinary network,")):
        (said,) = conclusions_of(summarise([row | {"selection": rule} for row in rows], names))
        assert f"chooses {network}" in said


def test_a_lagging_adversary_is_named_and_its_network_never_chosen():
    """Whatever its validation scores: a constant adversary is no evidence of privacy."""
    rows = [
        run(0.0, gender=0.7, val=(0.6, 0.7)),
        run(1.0, gender=0.8, val=(0.9, 0.5), lagging=True),
        run(2.0, gender=0.6, val=(0.5, 0.6), lagging=False),
    ]
    summary = summarise(rows, SETTINGS)
    assert [by_label(summary)[x]["lagging"] for x in (0.0, 1.0, 2.0)] == [0, 1, 0]
    said = " ".join(table_text(summary).split())
    assert (
        "adversary stood at chance on the very utterances that it was trained on (λ 1: 1 of 1"
        in said
    )
    assert (
        "chooses the ordinary network, which has no protection; λ 1 had runs that collapsed,"
        in said
    )
    assert "λ 2: 1 of" not in said


def test_rows_known_by_heart_are_a_warning_below_the_table():
    rows = [
        run(0.0, 0, train_emotion_uar=0.995),
        run(0.0, 1, train_emotion_uar=0.97),
        run(1.0, 0, train_emotion_uar=0.99),
        run(2.0, 0, train_emotion_uar=0.989),
        control("decision", 0.6, train_emotion_uar=1.0),
    ]
    summary = summarise(rows, SETTINGS)
    said = " ".join(table_text(summary).split())
    assert "(emotion UAR of 0.99 or more on them; ordinary: 1 of 2 runs; λ 1: 1 of 1 runs)" in said
    assert "attackers who learn from training speakers (seen) are weaker" in said
    assert "by heart" not in table_text(summarise(rows[3:], SETTINGS))
    ratings = [row | {"train_emotion_uar": None, "train_emotion_ccc": 0.98} for row in rows[:1]]
    ratings = [row | {"test_emotion_ccc": 0.5, "test_emotion_uar": None} for row in ratings]
    said = " ".join(table_text(summarise(ratings, SETTINGS)).split())
    assert "(emotion CCC of 0.98 or more on them; ordinary: 1 of 1 runs)" in said


def test_a_collapsed_run_is_marked_and_never_counted_as_private():
    rows = [
        *(run(0.0, fold, gender=0.7) for fold in range(3)),
        run(1.0, 0, gender=0.5, collapsed=True),
        run(1.0, 1, gender=0.66, val=(0.8, 0.5), collapsed=False),
        run(1.0, 2, gender=0.5, collapsed=True),
        *(run(5.0, fold, gender=0.5, val=(0.9, 0.5), collapsed=True) for fold in range(3)),
    ]
    summary = summarise(rows, SETTINGS)
    entries = by_label(summary)
    assert [entries[x]["collapsed"] for x in (0.0, 1.0, 5.0)] == [0, 2, 3]
    lambda_1, lambda_5 = entries[1.0], entries[5.0]
    assert (lambda_1["n"], lambda_1["scores"]["test_gender_privacy"]["n"]) == (3, 1)
    assert lambda_1["scores"]["test_gender_privacy"]["mean"] == pytest.approx(0.34)
    assert lambda_1["change"]["test_gender_privacy"]["mean"] == pytest.approx(0.04)
    assert lambda_1["scores"]["test_gender_attacker_uar"]["n"] == 3  # it is still what was found
    assert lambda_5["scores"]["test_gender_privacy"]["mean"] is None
    text = table_text(summary)
    lines = cells(text)
    assert lines["λ 1"][-2:] == ["0.340*", "+0.040"] and lines["λ 5"][-1] == "-*"
    assert "*" not in " ".join(lines["ordinary"])
    said = " ".join(text.split())
    assert "one direction; λ 1: 2 of 3 runs; λ 5: 3 of 3 runs) are left out of privacy" in said
    assert "an h without information is not private" in said
    assert "a starred mean is over the other runs, that of the attacker over all" in said
    # Lambda 5 looks best on validation, then 1; a sound setting is preferred to both.
    assert "chooses the ordinary network, which has no protection; λ 1 and λ 5 had runs" in said
    (reading_of_one,) = conclusions_of(summarise(rows[3:6], SETTINGS))
    assert (
        "λ 1, although runs of it, as of every other, collapsed, diverged or had a lagging"
        in reading_of_one
    )
    (reading_of_five,) = conclusions_of(summarise(rows[-3:], SETTINGS))
    assert reading_of_five.endswith("every network collapsed; there is nothing to choose.")


def test_summary_files_are_strict_and_the_same_from_disk(tmp_path):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    append_rows(tmp_path / "runs.csv", ROWS + BOTH)
    summary = summarise(read_rows(tmp_path / "runs.csv"), SETTINGS)
    write_summary(tmp_path, summary, [])
    content = json.loads((tmp_path / "summary.json").read_text("utf-8"), parse_constant=refuse)
    assert content["table"] == summary == summarise(ROWS + BOTH, SETTINGS)
    assert content["reading"] == conclusions_of(summary)
    speaker = content["table"][-1]["scores"]["test_speaker_adversary_uar"]
    assert speaker == {"mean": None, "sd": None, "n": 0}
    assert table_markdown(summary) in (tmp_path / "summary.md").read_text("utf-8")


def regression(lambda_, fold, ccc, **changed):
    """A row of a regression: its CCC in place of UAR."""
    none = {"val_emotion_uar": None, "test_emotion_uar": None}
    scores = {"test_emotion_ccc": ccc, "val_emotion_ccc": ccc, "emotion_chance": 0.0}
    return run(lambda_, fold, bins="continuous") | none | scores | changed


def test_a_regression_has_its_ccc_in_the_table():
    interval = {"emotion_pooled_ccc": 0.4, "emotion_pooled_lower": 0.3, "emotion_pooled_upper": 0.5}
    rows = [regression(0.0, fold, 0.4 + fold / 10, **interval) for fold in (0, 1)]
    summary = summarise(rows, [*SETTINGS, "bins"])
    for of, value in ((all_settings(summary), "0.400"), (fold_means(summary), "0.450")):
        assert "emotion CCC" in of.header and "emotion UAR" not in of.header
        line = dict(zip(of.header, of.lines[0]))
        assert (
            line["emotion CCC"].startswith(value) and line.get("95 %", "0.30-0.50") == "0.30-0.50"
        )
        assert "CCC: concordance" in of.note
    both = [*rows, run(0.0, 0, task="valence")]
    assert "emotion UAR or CCC" in fold_means(summarise(both, [*SETTINGS, "bins"])).header


def test_words_say_where_the_leak_aware_rule_chooses_otherwise():
    rows = [
        run(lambda_, fold, val=val)
        for fold in (0, 1)
        for lambda_, val in ((0.0, (0.7, 0.9)), (0.5, (0.6, 0.59)), (1.0, (0.55, 0.5)))
    ]
    (sentence,) = conclusions_of(summarise(rows, SETTINGS))
    assert "validation chooses λ 1." in sentence
    assert sentence.endswith("emotion while the leak is within 0.1 of chance, chooses λ 0.5.")
