"""Tables 1a and 1b in the paper's layout, from a summary: emotion, privacy, membership, and marks.

A mark compares a network with the ordinary one (lambda 0, all else the same) over speakers: better
or worse where the paired test of `paired_comparison.compare` gives p < 0.05 and an interval
without 0, else no change.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

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
from experiments.results.summary import Entry, attributes, mean

ALPHA = 0.05
UNTESTED = "not compared"
MEMBERSHIP = "membership"
_TITLES = {
    ("gender",): "Table 1a: gender adversary",
    ("gender", "speaker"): "Table 1b: gender and identity adversaries",
}
_MARKED = (
    "▲ better, ▼ worse, ○ no change against the ordinary network: difference over speakers, "
    "p < 0.05 by exchanging the two networks' guesses of random speakers and 0 outside the 95 % "
    "interval. The test is of all speakers together, of privacy by the strongest of linear and "
    "kernel attackers, and not of the means over folds that stand in the cells; "
    "· not compared (no ordinary network beside it, or one of the two collapsed or "
    "diverged; verification of speakers has no such test)."
)


class Judged(NamedTuple):
    """A marked number: which network, of what, its mark and p (None if not compared)."""

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
        of_private = {cell: told for cell, told in chosen.items() if cell.private == private}
        names = tuple(sorted(private.split("+")))
        title = _TITLES.get(names, f"Unlearning {private}, in the layout of the paper's table 1")
        name = {("gender",): "table_1a", ("gender", "speaker"): "table_1b"}.get(names)
        tables[name or f"table_{private}"] = _table(title, of_private)
    return tables


def _table(title: str, chosen: Mapping[Cell, Mapping[str, Entry]]) -> SideTable:
    tasks = task_order(cell.task for cell in chosen)
    member = any(_has_membership(e) for told in chosen.values() for e in told.values())
    some = next(entry for told in chosen.values() for entry in told.values())
    whats, several = _measures(some, member), len(attributes(some)) > 1
    titles = {MEMBERSHIP: "MI"} | ({"privacy": f"{hidden(some)} privacy"} if several else {})
    measures = [titles.get(what, what) for what in whats]
    header = ["", "corpus", "network"]
    header += [f"{task}: {name}" for task in tasks for name in ("λ", *measures)]
    names = list(dict.fromkeys(name for told in chosen.values() for name in told))
    lines: list[list[str]] = []
    for row in dict.fromkeys(cell[:3] for cell in chosen):
        of_task = {t: chosen.get(Cell(*row, t), {}) for t in tasks}
        lines += [[]] if lines else []
        placed = [modality_name(row[1]), corpus_name(row[2])]
        for name in [n for n in names if any(n in told for told in of_task.values())]:
            cells = [_cells(of_task[task].get(name), name, whats) for task in tasks]
            lines.append([*placed, name, *(cell for told in cells for cell in told)])
        printed = {t: signs(*row, t) for t in tasks}
        if any(printed.values()):
            cells = [["", *(MARKS.get(printed[t].get(m), "") for m in whats)] for t in tasks]
            lines.append([*placed, "the poster", *(c for told in cells for c in told)])
    return SideTable(title, header, lines, " ".join(_notes(chosen, member)))


def _measures(entry: Entry, member: bool) -> list[str]:
    """What is marked: "privacy" is the paper's, that of `hidden`; others have the attribute."""
    others = [f"{a} privacy" for a in attributes(entry) if a != hidden(entry)]
    return ["emotion", "privacy", *others, *[MEMBERSHIP] * member]


def _attribute(entry: Entry, what: str) -> str:
    return hidden(entry) if what == "privacy" else what.removesuffix(" privacy")


def _number(entry: Entry, what: str) -> float:
    if what == MEMBERSHIP:
        return _membership(entry)
    if what == "emotion":
        return mean(entry, "test_emotion_uar")
    return mean(entry, f"test_{_attribute(entry, what)}_privacy")


def _cells(entry: Entry | None, name: str, whats: Sequence[str]) -> list[str]:
    if entry is None:
        return [""] * (1 + len(whats))
    marks = ["" if name == ORDINARY else f" {MARKS[mark(entry, what)]}" for what in whats]
    stars = ["*" * (what.endswith("privacy") and entry["collapsed"] > 0) for what in whats]
    ends = [star + mark for star, mark in zip(stars, marks)]
    shown = [_number(entry, what) for what in whats]
    numbers = [f"{v:.3f}{end}" if v == v else "-" for v, end in zip(shown, ends)]
    return [lambda_text(entry["settings"]["lambda"]), *numbers]


def _notes(chosen: Mapping[Cell, Mapping[str, Entry]], member: bool) -> Iterator[str]:
    some = next(entry for told in chosen.values() for entry in told.values())
    verified = "; of speaker, the equal error rate of verification of strangers"
    speaker = verified * ("speaker" in attributes(some))
    yield (
        "Means over folds and seeds on test speakers. emotion: UAR. privacy: 1 - UAR of the fresh "
        f"attacker that was best on validation{speaker}. λ and all other settings that were "
        "swept are those that validation chooses, for the ordinary network by emotion alone."
    )
    if member:
        yield (
            "MI: AUC of an attacker who has h alone and tells training speakers from others, lower "
            "is more private (chance 0.5); marked better or worse only where that of one of the "
            "two networks is above 0.5, for below it nobody is told from others."
        )
    yield _MARKED
    yield "An empty cell was not run, or every network of it collapsed."
    if any(entry["collapsed"] for told in chosen.values() for entry in told.values()):
        yield "* some networks collapsed; an h that says nothing is not private, they do not count."
    found = [one for one in judged(chosen) if one.p is not None]
    if found:
        marked = sum(one.mark != SAME for one in found)
        yield (
            f"{marked} of {len(found)} comparisons are marked better or worse; "
            f"{survivors([one.p for one in found])} stand after Holm's correction for their number."
        )
    if any(signs(*cell) for cell in chosen):  # in the order of Cell
        yield f"the poster: {CITATION}."


def mark(entry: Entry, what: str) -> str:
    """BETTER, WORSE, SAME or UNTESTED, of "emotion", "privacy", "membership", "speaker privacy"."""
    told = _tested(entry, what)
    if told is None:
        return UNTESTED
    # Both must say so: for membership the exchange and the jackknife do not always agree.
    if told["p"] >= ALPHA or told["lower"] <= 0 <= told["upper"]:
        return SAME
    # Away from chance on its wrong side an attacker does not get better at it.
    auc = _membership(entry)
    if what == MEMBERSHIP and max(auc, auc - told["difference"]) <= 0.5:
        return SAME
    # Of an attacker, less is better.
    return BETTER if (told["difference"] > 0) == (what == "emotion") else WORSE


def _tested(entry: Entry, what: str) -> Mapping | None:
    place = "h_membership" if what == MEMBERSHIP else _attribute(entry, what)
    return entry["over_speakers"].get(place)


def judged(chosen: Mapping[Cell, Mapping[str, Entry]]) -> list[Judged]:
    """Every marked number of the chosen networks."""
    found = []
    for cell, networks in chosen.items():
        for name, entry in networks.items():
            for measure in _measures(entry, _has_membership(entry)) * (name != ORDINARY):
                told = _tested(entry, measure)
                found.append(
                    Judged(cell, name, measure, mark(entry, measure), told["p"] if told else None)
                )
    return found


def survivors(ps: Sequence[float]) -> int:
    """How many are under ALPHA after the step-down correction (Holm 1979)."""
    stands = [p * (len(ps) - i) < ALPHA for i, p in enumerate(sorted(ps))]
    return next((i for i, stood in enumerate(stands) if not stood), len(stands))


def agreement(summary: Sequence[Entry]) -> SideTable | None:
    """Our marks beside the poster's signs, and how many agree; None without one of its corpora."""
    lines, said = [], []
    counts: dict[str, list[int]] = {}
    for one in judged(choices(summary)):
        sign = signs(*one.cell)
        if one.measure not in sign:
            continue
        theirs, same = sign[one.measure], "-"
        if one.mark != UNTESTED:
            same = "yes" if one.mark == theirs else "no"
            counts.setdefault(one.network, []).append(one.mark == theirs)
        placed = [modality_name(one.cell.modality), CORPORA[one.cell.dataset], one.cell.private]
        ours = f"{one.mark} {MARKS[one.mark]}"
        theirs = f"{theirs} {MARKS[theirs]}"
        lines.append([*placed, one.cell.task, one.measure, one.network, ours, theirs, same])
    if not lines:
        return None
    for network, same in counts.items():
        said.append(f"{network}: {sum(same)} of {len(same)} cells as on the poster.")
    header = ["", "corpus", "unlearned", "task", "measure", "recipe", "ours", "poster", "agree"]
    note = " ".join([*said, "A cell that was not compared counts neither way.", f"{CITATION}."])
    return SideTable("Signs beside those of the paper's poster", header, lines, note)


def _has_membership(entry: Entry) -> bool:
    return _membership(entry) == _membership(entry)


def _membership(entry: Entry) -> float:
    """AUC of the membership attacker who has h alone, NaN where it was not measured."""
    found = entry.get("membership", {}).get("h", {}).get("auc")
    return math.nan if found is None else found
