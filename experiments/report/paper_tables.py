"""Tables 1a and 1b in the paper's layout: emotion, privacy and membership, with marks of a test.

A mark compares a network with the ordinary one (lambda 0, all else the same) over speakers: better
or worse where the paired test of `paired_comparison.compare` gives p < 0.05 and an interval
without 0, else no change.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.config.lambdas import lambda_text
from experiments.report.side_tables import SideTable
from experiments.report.table_formats import MARKS
from experiments.results.poster import BETTER, CITATION, CORPORA, SAME, WORSE, signs
from experiments.results.selected import (
    ORDINARY,
    Cell,
    choices,
    corpus_name,
    hidden,
    modality_name,
    task_order,
)
from experiments.results.summary import Entry, attributes, emotion_mean, emotion_name, mean

ALPHA = 0.05
UNTESTED = "not compared"
MEMBERSHIP = "membership"
_TITLES = {
    ("gender",): "Table 1a: gender adversary",
    ("gender", "speaker"): "Table 1b: gender and identity adversaries",
}
_FILES = {("gender",): "table_1a", ("gender", "speaker"): "table_1b"}
_MARKS_NOTE = (
    "▲ better, ▼ worse, ○ no change from the ordinary network: a difference is marked where p < "
    "0.05 (permutation test that swaps the two networks' predictions of random speakers) and 0 "
    "lies outside its 95 % interval over speakers. The test is of all speakers together, for "
    "privacy by the strongest attacker on all speakers, and not of the means over folds "
    "that stand in the cells. · not compared (there is no ordinary network to compare with, one of "
    "the two collapsed or diverged, or the attribute is speaker, whose verification has no such "
    "test)."
)


class MarkedCell(NamedTuple):
    """A number of a table with the mark of its test.

    Attributes:
      cell, network: where it stands.
      measure: "emotion", "privacy", "membership", or such as "speaker privacy".
      mark: BETTER, WORSE, SAME or UNTESTED.
      p: None if it was not compared.
    """

    cell: Cell
    network: str
    measure: str
    mark: str
    p: float | None


def paper_tables(summary: Sequence[Entry]) -> dict[str, SideTable]:
    """{file name: a table for each value of --private}, 1a of gender, 1b of gender and speaker."""
    chosen = choices(summary)
    tables = {}
    for private in dict.fromkeys(cell.private for cell in chosen):
        of_private = {
            cell: networks for cell, networks in chosen.items() if cell.private == private
        }
        names = tuple(sorted(private.split("+")))
        title = _TITLES.get(names, f"Unlearning {private}, in the layout of the paper's table 1")
        name = _FILES.get(names, f"table_{private}")
        tables[name] = _table(title, of_private)
    return tables


def _table(title: str, chosen: Mapping[Cell, Mapping[str, Entry]]) -> SideTable:
    tasks = task_order(cell.task for cell in chosen)
    entries = [entry for networks in chosen.values() for entry in networks.values()]
    has_membership = any(map(_has_membership, entries))
    measures, several = _measures(entries[0], has_membership), len(attributes(entries[0])) > 1
    titles = {MEMBERSHIP: "MI"}
    if several:
        titles["privacy"] = f"{hidden(entries[0])} privacy"
    columns = ["λ", *(titles.get(measure, measure) for measure in measures)]
    header = ["", "corpus", "network"]
    header += [f"{task}: {name}" for task in tasks for name in columns]
    names = list(dict.fromkeys(name for networks in chosen.values() for name in networks))
    lines: list[list[str]] = []
    for row in dict.fromkeys(cell[:3] for cell in chosen):
        of_task = [chosen.get(Cell(*row, task), {}) for task in tasks]
        lines += [[]] if lines else []
        placed = [modality_name(row[1]), corpus_name(row[2])]
        for name in [n for n in names if any(n in networks for networks in of_task)]:
            cells = [_cells(networks.get(name), name, measures) for networks in of_task]
            lines.append([*placed, name, *itertools.chain(*cells)])
        printed = [signs(*row, task) for task in tasks]
        if any(printed):
            marks = [["", *(MARKS.get(of.get(m, ""), "") for m in measures)] for of in printed]
            lines.append([*placed, "the poster", *itertools.chain(*marks)])
    return SideTable(title, header, lines, " ".join(_notes(chosen, has_membership)))


def _measures(entry: Entry, has_membership: bool) -> list[str]:
    """What is marked: "privacy" is the paper's, that of `hidden`; others have the attribute."""
    others = [f"{a} privacy" for a in attributes(entry) if a != hidden(entry)]
    measures = ["emotion", "privacy", *others]
    return [*measures, MEMBERSHIP] if has_membership else measures


def _attribute(entry: Entry, measure: str) -> str:
    return hidden(entry) if measure == "privacy" else measure.removesuffix(" privacy")


def _number(entry: Entry, measure: str) -> float:
    if measure == MEMBERSHIP:
        return _membership(entry)
    if measure == "emotion":
        return emotion_mean(entry, "test")
    return mean(entry, f"test_{_attribute(entry, measure)}_privacy")


def _cells(entry: Entry | None, name: str, measures: Sequence[str]) -> list[str]:
    """lambda and the numbers of a network, each with its star and mark."""
    if entry is None:
        return [""] * (1 + len(measures))
    cells = [lambda_text(entry["settings"]["lambda"])]
    for measure in measures:
        number = _number(entry, measure)
        star = "*" if measure.endswith("privacy") and entry["collapsed"] else ""
        marked = "" if name == ORDINARY else f" {MARKS[mark(entry, measure)]}"
        cells.append("-" if math.isnan(number) else f"{number:.3f}{star}{marked}")
    return cells


def _notes(chosen: Mapping[Cell, Mapping[str, Entry]], has_membership: bool) -> Iterator[str]:
    entries = [entry for networks in chosen.values() for entry in networks.values()]
    speaker = ""
    if "speaker" in attributes(entries[0]):
        speaker = "; of speaker, the equal error rate of verification of held-out speakers"
    yield (
        "Means over folds and seeds on test speakers. "
        f"{emotion_name(entries).replace(' ', ': ', 1)}. privacy: 1 - UAR of the "
        f"freshly trained attacker that was best on validation{speaker}. λ and all other settings "
        "that were swept are those that validation chooses, for the ordinary network by emotion "
        "alone."
    )
    if has_membership:
        yield (
            "MI, membership identification: AUC of an attacker who has h alone and separates "
            "training speakers from held-out speakers; lower is more private (chance 0.5). It is "
            "marked better or worse only where one of the two networks has an AUC above 0.5, since "
            "no AUC below it reveals membership."
        )
    yield _MARKS_NOTE
    yield "An empty cell was not run, or every network of it collapsed."
    if any(entry["collapsed"] for entry in entries):
        yield (
            "* some networks collapsed; they are left out, because an h without information is not "
            "private."
        )
    tests = [(cell.mark, cell.p) for cell in marked_cells(chosen) if cell.p is not None]
    if tests:
        differing = sum(mark != SAME for mark, _ in tests)
        yield (
            f"{differing} of {len(tests)} comparisons are marked better or worse; "
            f"{survivors([p for _, p in tests])} remain significant after Holm's correction for "
            "their number."
        )
    if any(signs(*cell) for cell in chosen):  # in the order of Cell
        yield f"the poster: {CITATION}."


def mark(entry: Entry, measure: str) -> str:
    """BETTER, WORSE, SAME or UNTESTED: the mark of a measure (see `MarkedCell`) of a network."""
    test = _test(entry, measure)
    if test is None:
        return UNTESTED
    # p and interval must agree: for membership permutation and jackknife do not always.
    if test["p"] >= ALPHA or test["lower"] <= 0 <= test["upper"]:
        return SAME
    # An attacker who is below chance in both networks reveals nothing in either.
    auc = _membership(entry)
    if measure == MEMBERSHIP and max(auc, auc - test["difference"]) <= 0.5:
        return SAME
    if entry["lagging"] and measure != "emotion" and test["difference"] < 0:
        return SAME
    # A lower score is better for an attacker's measure, a higher one for emotion.
    return BETTER if (test["difference"] > 0) == (measure == "emotion") else WORSE


def _test(entry: Entry, measure: str) -> Mapping[str, Any] | None:
    place = "h_membership" if measure == MEMBERSHIP else _attribute(entry, measure)
    return entry["over_speakers"].get(place)


def marked_cells(chosen: Mapping[Cell, Mapping[str, Entry]]) -> list[MarkedCell]:
    """Every marked number of the chosen networks."""
    cells = []
    for cell, networks in chosen.items():
        for name, entry in networks.items():
            if name == ORDINARY:
                continue
            for measure in _measures(entry, _has_membership(entry)):
                test = _test(entry, measure)
                p = test["p"] if test else None
                cells.append(MarkedCell(cell, name, measure, mark(entry, measure), p))
    return cells


def survivors(ps: Sequence[float]) -> int:
    """How many are under ALPHA after the step-down correction of Holm (1979).

    >>> survivors([0.04, 0.001, 0.02])
    3
    """
    adjusted = [p * (len(ps) - i) for i, p in enumerate(sorted(ps))]
    return next((i for i, p in enumerate(adjusted) if p >= ALPHA), len(adjusted))


def agreement(summary: Sequence[Entry]) -> SideTable | None:
    """Our marks beside the poster's signs, and how many agree; None without one of its corpora."""
    lines: list[list[str]] = []
    agreeing: dict[str, list[bool]] = {}
    for cell, network, measure, ours, _ in marked_cells(choices(summary)):
        theirs = signs(*cell).get(measure)
        if theirs is None:
            continue
        agrees = "-"
        if ours != UNTESTED:
            agreeing.setdefault(network, []).append(ours == theirs)
            agrees = "yes" if ours == theirs else "no"
        placed = [modality_name(cell.modality), CORPORA[cell.dataset], cell.private, cell.task]
        marks = [f"{mark} {MARKS[mark]}" for mark in (ours, theirs)]
        lines.append([*placed, measure, network, *marks, agrees])
    if not lines:
        return None
    notes = [
        f"{network}: {sum(cells)} of {len(cells)} cells as on the poster."
        for network, cells in agreeing.items()
    ]
    header = ["", "corpus", "unlearned", "task", "measure", "recipe", "ours", "poster", "agree"]
    notes += ["A cell that was not compared counts neither way.", f"{CITATION}."]
    return SideTable(
        "Our marks beside the signs of the paper's poster", header, lines, " ".join(notes)
    )


def _has_membership(entry: Entry) -> bool:
    return not math.isnan(_membership(entry))


def _membership(entry: Entry) -> float:
    """AUC of the membership attacker who has h alone, NaN where it was not measured."""
    auc = entry.get("membership", {}).get("h", {}).get("auc")
    return math.nan if auc is None else auc
