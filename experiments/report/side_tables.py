"""What stands below the main table: short tables about all speakers together, from a summary."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.results.summary import Entry, attributes, blocks, place, varying


class SideTable(NamedTuple):
    """title; header; lines of as many cells, none for a blank line; note: how to read it."""

    title: str
    header: list[str]
    lines: list[list[str]]
    note: str


def side_tables(summary: Sequence[Entry]) -> list[SideTable]:
    """Those that have a line: change over speakers, what emotion explains, what else h tells, who
    was trained on."""
    made = (_changes(summary), _given(summary), _others(summary), _membership(summary))
    return [table for table in made if table.lines]


def _changes(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for what, told in entry["over_speakers"].items():
            known = what.removesuffix("_membership")
            name = "emotion" if what == "emotion" else f"{what} attacker"
            name = name if known == what else f"membership by {known}, AUC"
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


def _membership(summary: Sequence[Entry]) -> SideTable:
    lines = []
    for cells, entry in _placed(summary):
        for known, told in entry["membership"].items():
            scores = [_score(told[c]) for c in ("auc", "loss_auc", "shuffled", "accuracy")]
            least = (
                "nothing"
                if told["minimum_detectable"] is None
                else _score(min(told["minimum_detectable"], 1))
            )
            upper, *rest = _end(told)
            lines.append([*cells, known, *scores, upper, least, *rest])
    return SideTable(
        "Was this speaker in the training set?",
        [
            *_columns(summary),
            "attacker has",
            *("AUC", "loss alone", "shuffled", "accuracy", "at most", "finds", "p", "verdict"),
        ],
        lines,
        "AUC: how often a training speaker scores higher than a test speaker, neither of whom the "
        "attacker learned from; both sides are matched and equally many, chance 0.5. h: he has h "
        "alone. labels: and the emotion head with the true emotions; the strongest of h with the "
        "loss, the loss alone, and the loss less that in the other folds' networks. shuffled: the "
        "same attack with the speakers' places exchanged, of which p is. accuracy: balanced. An "
        "untrained network has trained on nobody: what is found there is which people they are.",
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
