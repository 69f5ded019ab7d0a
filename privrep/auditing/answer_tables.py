"""The further questions of an audit as tables of text, for the card and for the terminal (host)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

Report = dict[str, Any]


class Answer(NamedTuple):
    """A title, a header, rows of as many cells, and sentences to read after them. Plain text."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    said: Sequence[str]


def answers(report: Report) -> list[Answer]:
    """Of a `run_audit.Report`: what explains the leak, what else h tells, what undoes a defence."""
    found = [_given(report), _attributes(report), _decensoring(report)]
    return [answer for answer in found if answer.rows or answer.said]


def number(value: float | None, digits: int = 3) -> str:
    """A score as it is printed; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def _given(report: Report) -> Answer:
    rows = [
        (
            one["name"],
            number(one["total"]["uar"]),
            number(one["alone"]["uar"]),
            number(one["given"]["uar"]),
            number(one["shared"]),
            number(one["given"]["upper"]),
            number(one["given"]["p"]),
            _words(one["given"]["verdict"]),
        )
        for one in report["given"]
    ]
    said = [f"{one['name']}: {one['says']}" for one in report["given"]]
    if rows:
        said.append(
            "h: what h tells. alone: what the covariate tells without h. beyond: what h tells "
            "among utterances of one value of the covariate, the mean UAR within its strata; "
            "bound, p and verdict are of this. shared = h - beyond."
        )
    header = ("given", "h", "alone", "beyond", "shared", "at most", "p", "verdict")
    return Answer(f"What explains {report['attribute']} in h", header, rows, said)


def _attributes(report: Report) -> Answer:
    matrix = report["attributes"]
    rows = [
        (
            one["name"],
            str(one["classes"]),
            number(one["chance"]),
            number(one["verdict"]["uar"]),
            number(one["verdict"]["upper"]),
            number(one["verdict"]["p"]),
            _words(one["verdict"]["verdict"]),
        )
        for one in matrix["found"]
    ]
    said = [f"Not tried: {name}, which {why}." for name, why in matrix["left_out"].items()]
    if rows:
        said.append(
            "A linear attacker alone, or for speaker the verification of strangers (1 - equal "
            "error rate). Each is judged for itself at 5 %: of twenty that h does not tell, one is "
            "expected to be called a leak."
        )
    header = ("attribute", "classes", "chance", "UAR", "at most", "p", "verdict")
    return Answer("What else h tells", header, rows, said)


def _decensoring(report: Report) -> Answer:
    undone = report["decensoring"]
    header = ("attack", "UAR", "at most", "p", "verdict", "variance restored")
    if undone is None:
        return Answer("De-censoring", header, (), ())
    told = undone["verdict"]
    row = (
        "map to unprotected h, then attack",
        number(told["uar"]),
        number(told["upper"]),
        number(told["p"]),
        _words(told["verdict"]),
        f"{undone['explained']:.0%}",
    )
    said = (
        "The attacker holds protected and unprotected h of other people, learns a ridge map from "
        "one to the other, and attacks what the map makes of strangers' protected h (after Song & "
        "Shmatikov 2020).",
    )
    return Answer("De-censoring", header, [row], said)


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")
