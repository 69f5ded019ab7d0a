"""An audit report as text for the terminal (host)."""

import math
import textwrap

from privrep.auditing.answer_tables import answer_tables, how_far, number
from privrep.auditing.report import AuditReport
from privrep.auditing.threats import of_victims
from privrep.leakage.number_measurement import NumberMeasurement
from privrep.messages import first, printable
from privrep.statistics.verdict import Verdict
from privrep.types import NOT_JUDGED

_WIDTH = 100
_MAX_CLASSES = 12  # that are named


def table(report: AuditReport) -> str:
    """The headline of an audit, its tables, and its verdict once more as the last line."""
    lines: list[tuple[str, ...]] = []
    if report.number is not None:
        lines += [*_of_number(report.number), ("", "", "", "", "")]
    lines.append(("attacker of classes" if lines else "attacker", "UAR", "lower", "upper", "p"))
    for result in sorted(report.attackers, key=lambda result: -result.uar):
        values = (result.uar, result.lower, result.upper, result.p)
        lines.append((result.name, *map(number, values)))
    for name, reads in report.untested.items():
        lines.append((f"{name} (outside the test)", number(reads), "", "", ""))
    for name, verdict in _verdicts(report).items():
        values = (verdict.uar, verdict.lower, verdict.upper, verdict.p)
        lines.append((name, *map(number, values)))
    lines += [("", "", "", "", ""), ("threat", "UAR", "lower", "upper", "")]
    for threat in report.threats:
        lines.append((threat.threat, *map(number, (threat.uar, threat.lower, threat.upper)), ""))
    width = max(len(line[0]) for line in lines)
    text = [
        (f"{name:{width}}" + "".join(f"{c:>8}" for c in cells)).rstrip() for name, *cells in lines
    ]
    text.append(textwrap.fill(_attackers_of_threats(report), _WIDTH))
    for answer in answer_tables(report):
        text.append("")
        if answer.rows:
            text.append(answer.title)
            widths = [max(map(len, cells)) for cells in zip(answer.header, *answer.rows)]
            for name, *cells in [answer.header, *answer.rows]:
                aligned = (cell.rjust(width) for cell, width in zip(cells, widths[1:]))
                text.append("  ".join([name.ljust(widths[0]), *aligned]))
        text += [textwrap.fill(sentence, _WIDTH) for sentence in answer.sentences]
    text += ["", _classes(report)]
    text += [textwrap.fill(sentence, _WIDTH) for sentence in _summary(report)]
    return printable("\n".join([*_headline(report), "", *text]))


def _headline(report: AuditReport) -> list[str]:
    """The headline; what may hold names from an input is indented, and begins no line."""
    headline = report.headline
    sentences = [headline.sentence, *headline.further]
    parts = [*headline.parts, ("Gate", report.gate.in_words)]
    sentences += [f"{title}: {part}" for title, part in parts]
    return [
        headline.question,
        f"{headline.sign} {headline.word}",
        *(textwrap.indent(textwrap.fill(sentence, _WIDTH - 2), "  ") for sentence in sentences),
    ]


def _verdicts(report: AuditReport) -> dict[str, Verdict]:
    """By what the strongest attacker has, corrected for having selected it."""
    verdicts = {"strongest, one utterance": report.of_classes, "all of a person": report.person}
    if report.beyond is not None:
        verdicts["beyond sessions"] = report.beyond
    return verdicts


def _of_number(measured: NumberMeasurement) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("attacker", "corr.", "lower", "upper", "p")]
    for result in sorted(measured.attackers.values(), key=lambda result: -result.correlation):
        values = (result.correlation, result.lower, result.upper, result.p)
        lines.append((result.name, *map(number, values)))
    verdict = measured.verdict
    values = (verdict.correlation, verdict.lower, verdict.upper, verdict.p)
    lines.append(("strongest, corrected", *map(number, values)))
    lines += [("", "", "", "", ""), ("threat", "corr.", "lower", "upper", "")]
    names = of_victims([victim.utterances for victim in measured.victims])
    for name, victim in zip(names, measured.victims):
        bounds = map(number, (victim.correlation, victim.lower, victim.upper))
        lines.append((name, *bounds, ""))
    return lines


def _summary(report: AuditReport) -> list[str]:
    data, code, worst = report.data, report.online_code, report.worst_protected
    scale = "of the correlation: " if report.score == "correlation" else ""
    sentences = [
        *data.notes,
        *how_far(report),
        f"{data.utterances:,} utterances of {data.speakers:,} speakers; {scale}chance "
        f"{number(report.chance)}, minimum detectable {number(report.minimum_detectable)}, "
        f"limit {number(report.limit)}",
        f"online code (how briefly the labels can be sent to someone who holds h): "
        f"{number(code.bits)} bits per utterance in place of {number(code.prior)} without h "
        f"({code.attacker})",
        f"worst protected: {worst.speaker}, {worst.recall:.0%} of {worst.utterances} utterances "
        "named rightly",
    ]
    certain = report.strongest_attacker.tpr_at_1_percent
    if math.isfinite(certain):
        sentences.append(f"true positive rate at 1 % false positives: {number(certain)}")
    if report.test.deals > 1 and math.isfinite(report.test.turned):
        sentences.append(
            f"{report.test.turned:.0%} of the {report.test.deals} deals of folds (random divisions "
            "of the speakers into training and test) would have given another verdict by "
            "themselves."
        )
    if report.verdict != NOT_JUDGED:
        person = report.person
        sentences.append(f"all utterances of a person: {person.verdict}. {person.reason}")
        if report.beyond is not None:
            sentences.append(f"beyond sessions: {report.beyond.verdict}. {report.beyond.reason}")
    quick = " (quick)" if report.test.quick else ""
    return [
        *sentences,
        *_beside(report),
        f"{report.attribute}: {report.verdict}{quick}. {report.reason}",
    ]


def _beside(report: AuditReport) -> list[str]:
    """A sentence on the correlation of bins that are the headline, or on bins beside it."""
    if report.number is None or report.bins is None or report.verdict == NOT_JUDGED:
        return []
    if report.score == "correlation":
        names = first([c.name for c in report.data.classes], _MAX_CLASSES)
        return [f"in bins, {names}: {report.bins.verdict}. {report.bins.reason}"]
    beside = report.number.verdict
    return [f"{report.attribute} as a number: {beside.verdict}. {beside.reason}"]


def _attackers_of_threats(report: AuditReport) -> str:
    quick = report.strongest_quick
    others = {t.threat: t.attacker for t in report.threats if t.attacker != quick}
    terms = (
        "informed: trained on representations like these, of other speakers; float16, int8: "
        "likewise, of values stored in so many bits."
    )
    if not others:
        return f"All threats are by {quick}. {terms}"
    by = [f"{threat} by {name}" for threat, name in others.items()]
    return f"{first(by, len(by))}; the other threats by {quick}, which is quickly trained. {terms}"


def _classes(report: AuditReport) -> str:
    counts = [f"{c.name} ({c.speakers:,})" for c in report.data.classes]
    if counts:
        counts[0] = counts[0].removesuffix(")") + " speakers)"
    # A class may have any name; the indent keeps it from imitating a line of the report.
    line = f"classes of {report.attribute}: {first(counts, _MAX_CLASSES)}"
    return textwrap.fill(line, _WIDTH, subsequent_indent="  ")
