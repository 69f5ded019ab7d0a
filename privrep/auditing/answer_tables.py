"""The further questions of an audit as tables of text, for the card and for the terminal (host)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from privrep.auditing.report import AuditReport
from privrep.leakage.attribute_matrix import SPEAKER
from privrep.leakage.verification import ANY_SESSION

_ANY_SESSION = f"{SPEAKER}, {ANY_SESSION}"


class AnswerTable(NamedTuple):
    """A title, a header, rows of as many cells, and sentences to read after them. Plain text."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    sentences: Sequence[str]


def answer_tables(report: AuditReport) -> list[AnswerTable]:
    """Tables of covariates, of other attributes and of de-censoring, as far as there are any."""
    tables = [_given(report), _attributes(report), _numbers(report), _decensoring(report)]
    return [table for table in tables if table.rows or table.sentences]


def how_far(report: AuditReport) -> list[str]:
    """Sentences on alignment and sensitivity: how far the result can be relied on."""
    sentences = [" ".join([report.alignment.sentence, report.alignment.doubt]).strip()]
    for score, attacker, sensitivity in (
        ("correlation", "linear ridge regression", report.correlation_sensitivity),
        ("UAR", "the linear attacker", report.sensitivity),
    ):
        if sensitivity is None:
            continue
        planted = f"leaks planted in these representations ({score} {number(sensitivity.tried[0])}"
        if len(sensitivity.tried) > 1:
            planted += f" to {number(sensitivity.tried[-1])}"
        outcome = "none was detected"
        if math.isfinite(sensitivity.detected):
            outcome = f"{number(sensitivity.detected)} is the smallest that was detected"
        sentences.append(f"Sensitivity: of {planted}) {outcome}, by {attacker}.")
    return sentences


def number(value: float, digits: int = 3) -> str:
    """A score as it is printed; a dash for NaN and infinity, where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def interval(lower: float, upper: float) -> str:
    """Bounds as they are printed; a dash where there are none."""
    if not (math.isfinite(lower) or math.isfinite(upper)):
        return number(math.nan)
    return f"{number(lower)} to {number(upper)}"


def _given(report: AuditReport) -> AnswerTable:
    rows = [
        (
            z.name,
            number(z.total.uar),
            number(z.covariate_alone.uar),
            number(z.beyond.uar),
            number(z.shared),
            number(z.beyond.upper),
            number(z.beyond.p),
            worded(z.beyond.verdict),
        )
        for z in report.given
    ]
    sentences = [f"{z.name}: {z.conclusion}" for z in report.given]
    if rows:
        sentences.append(
            "h: UAR from h. covariate: UAR from the covariate without h. beyond: UAR from h among "
            "utterances with one value of the covariate, the mean within its strata; upper bound, "
            "p and verdict are of this. shared = h - beyond. All of it is measured on one deal of "
            "folds by one or two attackers; h is therefore close to the UAR of the headline, which "
            "is that of the strongest of all attackers over several deals, and not the same."
        )
    header = ("given", "h", "covariate", "beyond", "shared", "upper bound", "p", "verdict")
    return AnswerTable(f"What explains {report.attribute} in h", header, rows, sentences)


def _attributes(report: AuditReport) -> AnswerTable:
    rows = [
        (
            attribute.name,
            str(attribute.classes),
            number(attribute.chance),
            number(attribute.verdict.uar),
            number(attribute.verdict.upper),
            number(attribute.verdict.p),
            worded(attribute.verdict.verdict),
        )
        for attribute in report.attributes.rows
    ]
    sentences = [
        f"Not tried: {name}, which {reason}." for name, reason in report.attributes.left_out.items()
    ]
    if rows:
        sentences.append(
            "A linear attacker only; for speaker, the verification of unseen speakers (1 - equal "
            "error rate) on the kind of pairs that reveals most, corrected for that choice, and "
            "on each kind. Each attribute is tested separately at 5 %: of twenty that h does not "
            "reveal, one is expected to be called a leak."
        )
    if any(attribute.name == _ANY_SESSION for attribute in report.attributes.rows):
        sentences.append(
            "speaker, any session: two utterances of one session share its room, so that this may "
            "be the room alone; speaker is not."
        )
    header = ("attribute", "classes", "chance", "UAR", "upper bound", "p", "verdict")
    return AnswerTable("What else h reveals", header, rows, sentences)


def _numbers(report: AuditReport) -> AnswerTable:
    rows = [
        (
            attribute.name,
            str(attribute.values),
            number(attribute.verdict.correlation),
            number(attribute.verdict.upper),
            number(attribute.verdict.p),
            worded(attribute.verdict.verdict),
        )
        for attribute in report.attributes.numbers
    ]
    sentences = []
    if rows:
        sentences.append(
            "Linear ridge regression only, from all utterances of a held-out speaker; rank "
            "correlation, where 0 is no information."
        )
    header = ("number", "values", "correlation", "upper bound", "p", "verdict")
    return AnswerTable("Which numbers h reveals", header, rows, sentences)


def _decensoring(report: AuditReport) -> AnswerTable:
    header = ("attack", "UAR", "upper bound", "p", "verdict", "variance restored")
    if report.decensoring is None:
        return AnswerTable("De-censoring", header, (), ())
    verdict = report.decensoring.verdict
    row = (
        "map to unprotected h, then attack",
        number(verdict.uar),
        number(verdict.upper),
        number(verdict.p),
        worded(verdict.verdict),
        f"{report.decensoring.explained:.0%}",
    )
    sentences = (
        "The attacker holds protected and unprotected h of other speakers, fits a ridge map from "
        "the first to the second, and attacks the mapped h of unseen speakers (after Song & "
        "Shmatikov 2020).",
    )
    return AnswerTable("De-censoring", header, [row], sentences)


def worded(verdict: str) -> str:
    """A verdict as it is printed."""
    return verdict.replace("_", " ")
