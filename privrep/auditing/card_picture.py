"""The picture of a privacy card: what each attacker reads, over zones of guess and leak (host)."""

import math

from privrep.auditing.answer_tables import interval, number
from privrep.auditing.card_svg import Mark, Zone, leak_zones, strips
from privrep.auditing.report import AuditReport
from privrep.leakage.number_measurement import NumberMeasurement
from privrep.types import NOT_JUDGED

_ONE, _ALL = "From one utterance", "From all utterances of a person together"
_LEFT = 0.35  # of the way from chance to 1, shown on the other side of chance


def picture(report: AuditReport) -> str:
    """The picture with its caption; a sentence in its place where nothing was judged."""
    if report.verdict == NOT_JUDGED:
        return (
            '<p class="small">There is no picture of the attackers: it is not known whether their '
            "scores mean anything.</p>"
        )
    is_number = report.number is not None and report.score == "correlation"
    score = "correlation" if is_number else "UAR"
    if report.number is not None and is_number:
        marks = _marks_of_number(report, report.number)
    else:
        marks = _marks_of_classes(report)
    drawn = strips(
        _in_words(report, marks, score),
        _zones(report.chance, report.limit, marks, least=-1.0 if is_number else 0.0),
        marks,
        high=1.0,
    )
    has_rings = any(mark.shape == "ring" for mark in marks)
    rings = " Rings: outside the test, trained for the true labels only." if has_rings else ""
    return (
        f"<figure>{drawn}<figcaption>{score[0].upper()}{score[1:]} of each attacker on speakers it "
        "does not know: the diamond is the strongest, dots are the others, and the line shows "
        "between which bounds the true score lies, each at "
        f"{1 - report.test.alpha:.0%} confidence.{rings} The right end of the strongest "
        "attacker's line is what to compare with the limit.</figcaption></figure>"
    )


def _marks_of_classes(report: AuditReport) -> list[Mark]:
    marks = []
    verdict = report.of_classes
    for result in sorted(report.attackers, key=lambda result: -result.uar):
        if result.name == report.strongest:
            marks.append(
                _mark(
                    f"{result.name} (strongest tested)",
                    (verdict.uar, verdict.lower, verdict.upper),
                    "diamond",
                )
            )
        else:
            marks.append(_mark(result.name, (result.uar, result.lower, result.upper)))
    marks += [
        _mark(f"{name} (outside the test)", (reads, math.nan, math.nan), "ring")
        for name, reads in report.untested.items()
    ]
    marks[0] = marks[0]._replace(heading=_ONE)
    person = report.person
    together = _mark("strongest attacker", (person.uar, person.lower, person.upper), "diamond")
    return [*marks, together._replace(heading=_ALL)]


def _marks_of_number(report: AuditReport, measured: NumberMeasurement) -> list[Mark]:
    marks = []
    first = measured.victims[0] if measured.victims else None
    if first is not None and first.utterances == 1:
        scores = (first.correlation, first.lower, first.upper)
        marks.append(_mark(f"{measured.strongest} (strongest)", scores, "diamond", _ONE))
    heading = _ALL
    for result in sorted(measured.attackers.values(), key=lambda r: -r.correlation):
        if result.name == measured.strongest:
            scores = (report.correlation, report.lower, report.upper)
            marks.append(_mark(f"{result.name} (strongest tested)", scores, "diamond", heading))
        else:
            scores = (result.correlation, result.lower, result.upper)
            marks.append(_mark(result.name, scores, "dot", heading))
        heading = ""
    return marks


def _mark(
    name: str, scores: tuple[float, float, float], shape: str = "dot", heading: str = ""
) -> Mark:
    value, low, high = scores
    bounds = f", bounds {interval(low, high)}" if math.isfinite(low) else ""
    return Mark(heading, f"{name}: {number(value)}{bounds}", value, low, high, shape)


def _zones(chance: float, limit: float, marks: list[Mark], least: float) -> list[Zone]:
    lows = [low for mark in marks for low in (mark.value, mark.low) if math.isfinite(low)]
    left = max(min([chance - _LEFT * (1 - chance), *lows]), least)
    return leak_zones(left, chance, limit)


def _in_words(report: AuditReport, marks: list[Mark], score: str) -> str:
    """The picture for those who do not see it: every number in it."""
    descriptions = []
    for mark in marks:
        descriptions.append(f"{mark.heading}: {mark.label}" if mark.heading else mark.label)
    return (
        f"{score} of each attacker. Guessing is {report.chance:.2f}, and a leak is above "
        f"{report.limit:.2f}. {'; '.join(descriptions)}."
    )
