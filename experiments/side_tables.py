"""What stands below the main table: short tables about all speakers together, from a summary."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.summary import Entry, attributes, blocks, place, varying


class SideTable(NamedTuple):
    """title; header; lines of as many cells, none for a blank line; note: how to read it."""

    title: str
    header: list[str]
    lines: list[list[str]]
    note: str


def side_tables(summary: Sequence[Entry]) -> list[SideTable]:
    """Those that have a line: change over speakers, what emotion explains, what else h tells."""
    return [
        table for table in (_changes(summary), _given(summary), _others(summary)) if table.lines
    ]


def _changes(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for what, told in entry["over_speakers"].items():
            name = "emotion" if what == "emotion" else f"{what} attacker"
            difference, lower, upper = (f"{told[c]:+.3f}" for c in ("difference", "lower", "upper"))
            lines.append([*cells, name, difference, f"{lower} to {upper}", f"{told['p']:.3f}"])
    return SideTable(
        "Change of UAR against lambda 0, over speakers",
        [*_columns(summary), "UAR of", "change", "95 %", "p"],
        lines,
        "Both networks on the same speakers, the guesses of all folds and seeds together; p from "
        "exchanging the two networks' guesses of random speakers. The attacker is the strongest of "
        "linear and kernel.",
    )


def _given(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for a in [a for a in attributes(entry) if a in entry["given"]]:
            beyond = entry["given"][a]
            told = [entry["verdicts"].get(a, {}), entry["alone"].get(a, {}), beyond]
            lines.append([*cells, a, *(_score(one.get("uar")) for one in told), *_end(beyond)])
    return SideTable(
        "What the emotion label explains",
        [*_columns(summary), "attribute", "h", "label", "beyond", "at most", "p", "verdict"],
        lines,
        "h: UAR of the strongest attacker on all speakers. label: what the task's label alone "
        "tells of the attribute. beyond: what h tells among utterances of one label, by a linear "
        "attacker; bound, p and verdict are of this. What h tells only through the label cannot be "
        "unlearned without losing emotion.",
    )


def _others(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for a in [a for a in entry["verdicts"] if a not in attributes(entry)]:
            told = entry["verdicts"][a]
            lines.append([*cells, a, _score(told["uar"]), *_end(told)])
    return SideTable(
        "What else h tells",
        [*_columns(summary), "attribute", "UAR", "at most", "p", "verdict"],
        lines,
        "Private attributes of the corpus that were not unlearned, by a linear attacker; speaker "
        "by verification of strangers, 1 - equal error rate. Each is judged for itself.",
    )


def _placed(summary: Sequence[Entry]) -> list[tuple[list[str], Entry]]:
    """Entries in the order of the table, each with the cells that tell it from others."""
    columns = varying(summary)
    return [(place(entry, columns), entry) for _, entries in blocks(summary) for entry in entries]


def _columns(summary: Sequence[Entry]) -> list[str]:
    return [*varying(summary), "lambda"]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _end(told: Mapping) -> list[str]:
    return [_score(told["upper"]), _score(told["p"]), told["verdict"].replace("_", " ")]
