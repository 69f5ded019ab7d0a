"""Numbers that stand on one page agree: of marks and their count, of a score and its verdict."""

import re

import pytest

from experiments.report.answer import answers
from experiments.report.chosen_network import conclusions_of
from experiments.report.detail_tables import tables
from experiments.report.main_table import all_settings, fold_means, narrow_text
from experiments.report.narrow_table import narrow_table
from experiments.report.paper_tables import paper_tables
from experiments.report.side_tables import side_tables
from experiments.results.summary import summarise
from tests.support.result_rows import SETTINGS, control, run

NAMES = [*SETTINGS, "recipe"]


def compared(place, difference, lower, upper, p):
    columns = {"difference": difference, "lower": lower, "upper": upper, "p": p}
    return {f"{place}_change_{name}": value for name, value in columns.items()}


@pytest.mark.parametrize(
    "of_emotion, marks",
    [((-0.05, -0.09, -0.01, 0.001), 1), ((-0.05, -0.11, 0.01, 0.001), 0), ((0.0, -1, 1, 0.9), 0)],
)
def test_as_many_cells_are_marked_as_are_counted_to_stand(of_emotion, marks):
    """Also where p is small and the interval holds 0: one rule, whoever counts."""
    rows = [
        run(0.0, recipe="none"),
        run(1.0, recipe="paper")
        | compared("emotion", *of_emotion)
        | compared("gender", -0.01, -0.05, 0.03, 0.6),
    ]
    (of_paper,) = paper_tables(summarise(rows, NAMES)).values()
    marked = len(re.findall("[▲▼]", str(of_paper.lines)))
    stand, of = re.search(r"(\d+) of the (\d+) comparisons of this page", of_paper.note).groups()
    assert (marked, int(stand), int(of)) == (marks, marks, 2)


def test_the_attacker_of_a_row_is_the_one_whose_verdict_and_bound_stand_in_it():
    """The best on validation has 0.484 on test; who leaks is another one, with 0.61."""
    judged = {"uar": 0.61, "lower": 0.55, "upper": 0.68, "p": 0.01, "verdict": "leaks"}
    judged |= {"attacker": "own_kernel", "minimum_detectable": 0.6}
    columns = {f"gender_pooled_{name}": value for name, value in judged.items()}
    row = run(1.0, gender=0.484, recipe="paper") | columns
    summary = summarise([row], NAMES)
    of_all = all_settings(summary)
    cells = dict(zip(of_all.header, of_all.lines[0]))
    assert cells["attacker"] == "0.610" and cells["by"] == "own_kernel"
    assert cells["upper bound"] == "0.680" and cells["verdict"] == "leaks"
    given = answers(summary, [row])
    printed = narrow_text(summary, given)
    assert "0.610" in printed and "0.680" in printed and "0.484" not in printed
    assert "rightly 61 times in 100" in given[0].networks[0].sentence
    assert "48" not in given[0].networks[0].sentence


def test_a_network_has_one_name_on_the_whole_page():
    """The ordinary one, recipe and lambda, or a control, in a column `network` of every table."""
    judged = {f"gender_pooled_{end}": 0.6 for end in ("uar", "lower", "upper")}
    judged |= {"gender_pooled_verdict": "cannot_tell", "gender_pooled_minimum_detectable": None}
    judged |= compared("emotion", -0.05, -0.09, -0.01, 0.001)
    rows = [
        *(run(0.0, recipe="none", placement=p, **judged) for p in ("joint", "modality")),
        *(run(1.0, recipe="paper", placement=p, **judged) for p in ("joint", "modality")),
        run(1.0, recipe="posterior", val=(0.7, 0.5), **judged),
        run(2.0, recipe="posterior", **judged),
        control("raw", 0.8, recipe=None, **judged),
    ]
    summary = summarise(rows, NAMES)
    shown = [*tables(summary, rows).values(), *side_tables(summary)]
    shown += [all_settings(summary), fold_means(summary)]
    assert len(shown) > 6
    names = {"ordinary", "paper, λ 1", "posterior, λ 1", "posterior, λ 2", "raw"}
    for of in shown:
        assert not {"λ", "lambda", "recipe"} & {*of.header}, of.title
        column = of.header.index("network")
        assert {line[column] for line in of.lines if line} <= names, of.title
    assert names - {"raw"} <= {line.split("  ")[0] for line in narrow_table(summary)}
    said = " ".join(conclusions_of(summary))
    assert "validation chooses posterior (λ 1)" in said and "lambda" not in said


def test_all_outputs_name_a_modality_as_its_flag_does():
    """What --modality=lexical made is called lexical, not text."""
    rows = [
        run(x, modality=modality, recipe=recipe, gender=0.6 + x / 10)
        for modality in ("acoustic", "lexical", "multimodal")
        for x, recipe in ((0.0, "none"), (1.0, "paper"))
    ]
    summary = summarise(rows, NAMES)
    (of_paper,) = paper_tables(summary).values()
    shown = [of_paper, *tables(summary, rows).values()]
    for of in shown:
        if "modality" in of.header:
            cells = {line[of.header.index("modality")] for line in of.lines if line}
            assert cells == {"acoustic", "lexical", "multimodal"}, of.title
        assert not re.search(r"\b(Audio|Lexical)\b", str(of.lines)), of.title
    assert "In the paper acoustic is called Audio" in of_paper.note
    assert [a.question.split(", ")[1] for a in answers(summary, rows)] == [
        *("acoustic", "lexical", "multimodal")
    ]
