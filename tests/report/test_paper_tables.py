"""Tables 1a and 1b show what the rows say, each cell marked by its own test."""

import pytest

from experiments.report import table_formats as formats
from experiments.report.paper_tables import agreement, holm, mark, paper_tables
from experiments.results.poster import BETTER, CORPORA, SAME, WORSE, signs
from experiments.results.result_directories import SETTINGS
from experiments.results.selected import ORDINARY, Cell, choices
from experiments.results.summary import summarise
from tests.support.result_rows import run

NAMES = [name for name in SETTINGS if name in ("dataset", "placement")]
NAMES += ["modality", "task", "private", "lambda", "recipe"]
CHANGES = {BETTER: (0.05, 0.0005), WORSE: (-0.05, 0.0005), SAME: (0.05, 0.2)}


def changed(place, sign, worse_is=1):
    difference, p = CHANGES[sign]
    about = worse_is * difference
    columns = {"difference": about, "lower": about - 0.04, "upper": about + 0.04, "p": p}
    return {f"{place}_change_{name}": value for name, value in columns.items()}


def rows_of(modality, dataset, task, emotion, privacy):
    """Two folds of lambda 0 and of the recipe paper, whose tests say `emotion` and `privacy`."""
    columns = {"modality": modality, "dataset": dataset, "task": task}
    marked = changed("emotion", emotion) | changed("gender", privacy, -1)
    return [
        row
        for fold in range(2)
        for row in (
            run(0.0, fold, recipe="none", **columns),
            run(1.0, fold, emotion=0.45, gender=0.6, recipe="paper", **columns, **marked),
        )
    ]


@pytest.fixture(scope="module")
def as_printed():
    """Every cell of the poster's first table, as the poster has it."""
    rows = []
    for corpus in CORPORA:
        for modality in ("acoustic", "lexical", "multimodal"):
            for task in ("activation", "valence"):
                columns = signs("gender", modality, corpus, task)
                if columns:
                    emotion, privacy = columns["emotion"], columns["privacy"]
                    rows += rows_of(modality, corpus, task, emotion, privacy)
    return rows


def test_rows_and_columns_are_the_papers(as_printed):
    (table,) = paper_tables(summarise(as_printed, NAMES)).values()
    assert table.title == "Table 1a: gender adversary"
    places = list(dict.fromkeys((line[0], line[1]) for line in table.lines if line))
    acoustic = [("acoustic", name) for name in ("MSP-Improv", "MSP-Podcast", "IEMOCAP", "MuSE")]
    both = [(m, name) for m in ("lexical", "multimodal") for name in ("IEMOCAP", "MuSE")]
    assert places == acoustic + both
    assert formats.grouped(table.header) == [
        ("", ["modality", "corpus", "network"]),
        ("activation", ["λ", "emotion", "privacy"]),
        ("valence", ["λ", "emotion", "privacy"]),
    ]


def test_a_cell_is_marked_by_its_test_and_the_posters_sign_stands_below(as_printed):
    (table,) = paper_tables(summarise(as_printed, NAMES)).values()
    lines = [line for line in table.lines if line[:2] == ["acoustic", "MuSE"]]
    assert lines == [
        ["acoustic", "MuSE", "ordinary", "0", "0.500", "0.300", "0", "0.500", "0.300"],
        ["acoustic", "MuSE", "paper", "1", "0.450 ▼", "0.400 ▲", "1", "0.450 ▲", "0.400 ○"],
        ["acoustic", "MuSE", "the poster", "", "▼", "▲", "", "▲", "○"],
    ]
    assert "AAAI 2020" in table.note and "p < 0.05" in table.note


def test_agreement_with_the_poster_is_counted(as_printed):
    table = agreement(summarise(as_printed, NAMES))
    assert len(table.lines) == 8 * 2 * 2 and {line[-1] for line in table.lines} == {"yes"}
    assert "paper: 32 of 32 cells" in table.note
    turned = [
        row | changed("emotion", WORSE) if row["dataset"] == "iemocap" and row["lambda"] else row
        for row in as_printed
    ]
    # IEMOCAP has three modalities and two tasks, none of which the poster says is worse.
    assert "paper: 26 of 32 cells" in agreement(summarise(turned, NAMES)).note


def test_what_was_not_compared_is_neither_marked_nor_counted():
    rows = [row for row in rows_of("acoustic", "iemocap", "valence", SAME, SAME) if row["lambda"]]
    rows = [{c: v for c, v in row.items() if "_change_" not in c} for row in rows]
    summary = summarise(rows, NAMES)
    (table,) = paper_tables(summary).values()
    assert table.lines[0][2:] == ["paper", "1", "0.450 ·", "0.400 ·"]
    assert {line[-1] for line in agreement(summary).lines} == {"-"}
    assert "cells as on the poster" not in agreement(summary).note


def test_a_corpus_that_is_none_of_the_papers_has_no_signs():
    summary = summarise(rows_of("acoustic", "demo", "activation", SAME, BETTER), NAMES)
    (table,) = paper_tables(summary).values()
    assert agreement(summary) is None and "poster" not in str(table)
    assert table.lines[0][1] == "demo (synthetic)"


def test_table_1b_has_membership_where_it_was_measured():
    columns = {"private": "gender+speaker", "speaker_chance": 0.5}
    rows = [
        row | columns | {"test_speaker_attacker_uar": 0.7, "test_speaker_privacy": 0.3}
        for row in rows_of("lexical", "muse", "valence", SAME, SAME)
    ]
    (name, plain), *_ = paper_tables(summarise(rows, NAMES)).items()
    assert name == "table_1b" and "valence: MI" not in plain.header
    summary = summarise(rows, NAMES)
    columns = {"difference": -0.2, "lower": -0.3, "upper": -0.1, "p": 0.001}
    for entry, auc in zip(summary, (0.9, 0.7)):
        entry["membership"] = {"h": {"auc": auc}}
        entry["over_speakers"] |= {"h_membership": columns} if auc == 0.7 else {}
    (table,) = paper_tables(summary).values()
    assert table.header[-1] == "valence: MI"
    assert [line[-1] for line in table.lines] == ["0.900", "0.700 ▲", "▲"]


def test_every_attribute_that_is_unlearned_has_a_column_and_is_counted():
    columns = {"private": "gender+accent", "accent_chance": 0.5}
    columns |= {"test_accent_attacker_uar": 0.6, "test_accent_privacy": 0.4}
    rows = [row | columns for row in rows_of("acoustic", "demo", "valence", SAME, SAME)]
    rows = [row | changed("accent", WORSE, -1) if row["lambda"] else row for row in rows]
    (table,) = paper_tables(summarise(rows, NAMES)).values()
    assert [name.removeprefix("valence: ") for name in table.header[3:]] == [
        *("λ", "emotion", "gender privacy", "accent privacy")
    ]
    assert [line[-1] for line in table.lines] == ["0.400", "0.400 ▼"]
    assert "1 of the 3 comparisons" in table.note


@pytest.mark.parametrize(("auc", "marked"), [(0.148, SAME), (0.45, BETTER)])
def test_an_attacker_of_membership_below_chance_gets_no_better_at_it(auc, marked):
    summary = summarise(rows_of("acoustic", "emodb", "valence", SAME, SAME), NAMES)
    entry = summary[-1]
    entry["membership"] = {"h": {"auc": auc}}
    columns = {"difference": -0.204, "lower": -0.3, "upper": -0.1, "p": 0.001}
    entry["over_speakers"]["h_membership"] = columns
    assert mark(entry, "membership", 0.001) == marked


def test_networks_are_chosen_on_validation_and_the_ordinary_one_by_emotion():
    rows = [
        run(0.0, width=1, recipe="none", val=(0.60, 0.9), emotion=0.1),
        run(0.0, width=2, recipe="none", val=(0.58, 0.5), emotion=0.9),
        run(0.5, width=1, recipe="paper", val=(0.58, 0.6), emotion=0.9),
        run(1.0, width=2, recipe="paper", val=(0.55, 0.5), emotion=0.2),
        run(1.0, width=1, recipe="paper", val=(0.9, 0.5), emotion=0.3, collapsed=True),
        run(1.0, width=1, recipe="paper", val=(0.9, 0.5), placement="modality"),
    ]
    (cell,), (columns,) = zip(*choices(summarise(rows, [*NAMES, "width"])).items())
    assert cell == Cell("gender", "acoustic", "demo", "activation")
    assert (
        columns[ORDINARY]["settings"]["width"] == 1 and columns["paper"]["settings"]["width"] == 2
    )


@pytest.mark.parametrize("fault", ["collapsed", "diverged", "lagging"])
def test_a_setting_with_a_fault_stands_behind_all_others_as_in_a_search(fault):
    rows = [run(0.0, fold, recipe="none") for fold in range(2)]
    rows += [run(1.0, fold, recipe="paper", val=(0.5, 0.85)) for fold in range(2)]
    rows += [run(2.0, 0, recipe="paper", val=(0.9, 0.5)), run(2.0, 1, recipe="paper")]
    rows[-1][fault] = True
    (columns,) = choices(summarise(rows, NAMES)).values()
    assert columns["paper"]["settings"]["lambda"] == 1.0
    (columns,) = choices(summarise(rows[-2:], NAMES)).values()  # there is no other
    assert columns["paper"]["settings"]["lambda"] == 2.0


def test_holms_correction_steps_down():
    assert holm([0.04, 0.001, 0.02]) == pytest.approx([0.04, 0.003, 0.04])
    assert holm([0.04, 0.001, 0.03]) == pytest.approx([0.06, 0.003, 0.06])
    assert holm([0.2]) == [0.2] and holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_mark_stands_after_the_correction_for_all_comparisons_of_the_page():
    """p 0.02 is marked alone and not among others: what is marked is what is significant."""
    barely = {"emotion_change_p": 0.02}
    alone = [row | barely for row in rows_of("acoustic", "demo", "activation", WORSE, SAME)]
    others = rows_of("lexical", "demo", "activation", SAME, SAME)
    assert "▼" in str(paper_tables(summarise(alone, NAMES))["table_1a"].lines)
    together = paper_tables(summarise([*alone, *others], NAMES))["table_1a"]
    assert "▼" not in str(together.lines)
    assert "0 of the 4 comparisons of this page" in together.note


def test_cells_are_of_all_speakers_together_where_that_is_known():
    pooled = {"emotion_pooled_uar": 0.61, "emotion_pooled_lower": 0.5, "emotion_pooled_upper": 0.7}
    pooled |= {f"gender_pooled_{n}": v for n, v in (("uar", 0.9), ("verdict", "leaks"))}
    pooled |= {f"gender_pooled_{n}": 0.9 for n in ("lower", "upper", "p", "minimum_detectable")}
    rows = [row | pooled for row in rows_of("acoustic", "demo", "activation", SAME, SAME)]
    (table,) = paper_tables(summarise(rows, NAMES)).values()
    assert table.lines[0][3:] == ["0", "0.610", "0.100"]


def test_an_interval_that_holds_no_change_marks_nothing_however_small_p_is():
    (entry, *_) = [
        e
        for e in summarise(rows_of("acoustic", "muse", "valence", WORSE, BETTER), NAMES)
        if e["over_speakers"]
    ]
    assert mark(entry, "emotion", 0.01) == WORSE and mark(entry, "privacy", 0.01) == BETTER
    assert mark(entry, "emotion", 0.06) == SAME
    lagging = entry | {"lagging": 1}
    assert mark(lagging, "privacy", 0.01) == SAME and mark(lagging, "emotion", 0.01) == WORSE
    entry["over_speakers"]["gender"]["upper"] = 0.01
    assert mark(entry, "privacy", 0.01) == SAME
