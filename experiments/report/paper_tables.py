"""Tables 1a and 1b in the paper's layout: emotion, privacy and membership, with marks of a test.

A mark compares a network with the ordinary one (lambda 0, all else the same) over speakers: better
or worse where the paired test of `paired_comparison.compare` gives p < 0.05 and an interval
without 0, else no change. The p of a mark is corrected for the number of all comparisons that the
tables of a page make (Holm 1979).
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
    leak_of,
    task_order,
)
from experiments.results.summary import Entry, attributes, emotion_name, emotion_pooled

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
    "0.05, after Holm's correction for all comparisons of this page (permutation test that swaps "
    "the two networks' predictions of random speakers), and 0 lies outside its 95 % interval over "
    "speakers. · not compared (there is no ordinary network to compare with, one of "
    "the two collapsed or diverged, or the attribute is speaker, whose verification has no such "
    "test)."
)


class MarkedCell(NamedTuple):
    """A number of a table with the mark of its test.

    Attributes:
      cell, network: where it stands.
      measure: "emotion", "privacy", "membership", or such as "speaker privacy".
      mark: BETTER, WORSE, SAME or UNTESTED.
      p: corrected for the number of comparisons; None if it was not compared.
    """

    cell: Cell
    network: str
    measure: str
    mark: str
    p: float | None


def paper_tables(summary: Sequence[Entry]) -> dict[str, SideTable]:
    """{file name: a table for each value of --private}, 1a of gender, 1b of gender and speaker."""
    chosen = choices(summary)
    marks = marked_cells(chosen)
    tables = {}
    for private in dict.fromkeys(cell.private for cell in chosen):
        of_private = {
            cell: networks for cell, networks in chosen.items() if cell.private == private
        }
        names = tuple(sorted(private.split("+")))
        title = _TITLES.get(names, f"Unlearning {private}, in the layout of the paper's table 1")
        name = _FILES.get(names, f"table_{private}")
        tables[name] = _table(title, of_private, marks)
    return tables


def _table(
    title: str, chosen: Mapping[Cell, Mapping[str, Entry]], marks: Sequence[MarkedCell]
) -> SideTable:
    mark_of = {(m.cell, m.network, m.measure): MARKS[m.mark] for m in marks}
    tasks = task_order(cell.task for cell in chosen)
    entries = [entry for networks in chosen.values() for entry in networks.values()]
    has_membership = any(map(_has_membership, entries))
    measures, several = _measures(entries[0], has_membership), len(attributes(entries[0])) > 1
    titles = {MEMBERSHIP: "MI"}
    if several:
        titles["privacy"] = f"{hidden(entries[0])} privacy"
    columns = ["λ", *(titles.get(measure, measure) for measure in measures)]
    header = ["modality", "corpus", "network"]
    header += [f"{task}: {name}" for task in tasks for name in columns]
    names = list(dict.fromkeys(name for networks in chosen.values() for name in networks))
    lines: list[list[str]] = []
    for row in dict.fromkeys(cell[:3] for cell in chosen):
        cells_of_row = [Cell(*row, task) for task in tasks]
        of_task = [chosen.get(cell, {}) for cell in cells_of_row]
        lines += [[]] if lines else []
        placed = [row[1], corpus_name(row[2])]
        for name in [n for n in names if any(n in networks for networks in of_task)]:
            texts = [
                _cells(networks.get(name), {m: mark_of.get((cell, name, m), "") for m in measures})
                for cell, networks in zip(cells_of_row, of_task)
            ]
            lines.append([*placed, name, *itertools.chain(*texts)])
        printed = [signs(*row, task) for task in tasks]
        if any(printed):
            theirs = [["", *(MARKS.get(of.get(m, ""), "") for m in measures)] for of in printed]
            lines.append([*placed, "the poster", *itertools.chain(*theirs)])
    return SideTable(title, header, lines, "\n\n".join(_notes(chosen, marks, has_membership)))


def _measures(entry: Entry, has_membership: bool) -> list[str]:
    """What is marked: "privacy" is the paper's, that of `hidden`; others have the attribute."""
    others = [f"{a} privacy" for a in attributes(entry) if a != hidden(entry)]
    measures = ["emotion", "privacy", *others]
    return [*measures, MEMBERSHIP] if has_membership else measures


def _attribute(entry: Entry, measure: str) -> str:
    return hidden(entry) if measure == "privacy" else measure.removesuffix(" privacy")


def _number(entry: Entry, measure: str) -> float:
    """The score on all test speakers together; the mean over folds where that is not known."""
    if measure == MEMBERSHIP:
        return _membership(entry)
    if measure == "emotion":
        return emotion_pooled(entry)
    return 1 - leak_of(entry, _attribute(entry, measure))[0]


def _cells(entry: Entry | None, marks: Mapping[str, str]) -> list[str]:
    """lambda and the numbers of a network, each with its star and its mark {measure: mark}."""
    if entry is None:
        return [""] * (1 + len(marks))
    cells = [lambda_text(entry["settings"]["lambda"])]
    for measure, mark in marks.items():
        number = _number(entry, measure)
        star = "*" if measure.endswith("privacy") and entry["collapsed"] else ""
        cells.append("-" if math.isnan(number) else f"{number:.3f}{star} {mark}".rstrip())
    return cells


def _notes(
    chosen: Mapping[Cell, Mapping[str, Entry]], marks: Sequence[MarkedCell], has_membership: bool
) -> Iterator[str]:
    entries = [entry for networks in chosen.values() for entry in networks.values()]
    speaker = ""
    if "speaker" in attributes(entries[0]):
        speaker = "; of speaker, the equal error rate of verification of held-out speakers"
    yield (
        "On the test speakers of all folds together. "
        f"{emotion_name(entries).replace(' ', ': ', 1)}. privacy: 1 - UAR of the "
        f"strongest freshly trained attacker{speaker}. λ and all other settings "
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
    tests = [cell for cell in marks if cell.p is not None]
    if tests:
        differing = sum(cell.mark != SAME for cell in tests)
        yield f"Marked better or worse: {differing} of the {len(tests)} comparisons of this page."
    yield "In the paper acoustic is called Audio, and multimodal Audio+Lexical."
    if any(signs(*cell) for cell in chosen):  # in the order of Cell
        yield f"the poster: {CITATION}."


def mark(entry: Entry, measure: str, p: float | None) -> str:
    """BETTER, WORSE, SAME or UNTESTED: the mark of a measure (see `MarkedCell`) of a network.

    Args:
      p: corrected for the number of comparisons.
    """
    test = _test(entry, measure)
    if test is None or p is None:
        return UNTESTED
    # p and interval must agree: for membership permutation and jackknife do not always.
    if p >= ALPHA or test["lower"] <= 0 <= test["upper"]:
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
    """Every marked number of the chosen networks; all of them are one family of comparisons."""
    places = [
        (cell, name, measure)
        for cell, networks in chosen.items()
        for name, entry in networks.items()
        if name != ORDINARY
        for measure in _measures(entry, _has_membership(entry))
    ]
    tests = [_test(chosen[cell][name], measure) for cell, name, measure in places]
    corrected = iter(holm([test["p"] for test in tests if test is not None]))
    ps = [None if test is None else next(corrected) for test in tests]
    return [
        MarkedCell(*place, mark(chosen[place[0]][place[1]], place[2], p), p)
        for place, p in zip(places, ps)
    ]


def holm(ps: Sequence[float]) -> list[float]:
    """Each p after the step-down correction of Holm (1979) for their number.

    >>> holm([0.04, 0.001, 0.02])
    [0.04, 0.003, 0.04]
    """
    corrected, least = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, ps[i] * (len(ps) - rank)))
        corrected[i] = least
    return corrected


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
        placed = [cell.modality, CORPORA[cell.dataset], cell.private, cell.task]
        marks = [f"{mark} {MARKS[mark]}" for mark in (ours, theirs)]
        lines.append([*placed, measure, network, *marks, agrees])
    if not lines:
        return None
    notes = [
        f"{network}: {sum(cells)} of {len(cells)} cells as on the poster."
        for network, cells in agreeing.items()
    ]
    header = ["modality", "corpus", "unlearned", "task", "measure", "network"]
    header += ["ours", "poster", "agree"]
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
