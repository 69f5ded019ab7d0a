"""An audit report as text for the terminal (host)."""

import textwrap

from privrep.auditing.answer_tables import answer_tables, number
from privrep.auditing.report import AuditReport
from privrep.messages import first, printable

_WIDTH = 100
_MAX_CLASSES = 12  # that are named


def table(report: AuditReport) -> str:
    """The tables of an audit, and its verdict as the last line."""
    lines: list[tuple[str, ...]] = [("attacker", "UAR", "lower", "upper", "p")]
    for result in sorted(report.attackers, key=lambda result: -result.uar):
        values = (result.uar, result.lower, result.upper, result.p)
        lines.append((result.name, *map(number, values)))
    values = (report.uar, report.lower, report.upper, report.p)
    lines.append(("strongest, corrected", *map(number, values)))
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
    return printable("\n".join(text))


def _summary(report: AuditReport) -> list[str]:
    data, code = report.data, report.online_code
    return [
        *data.notes,
        f"{data.utterances:,} utterances of {data.speakers:,} speakers; chance "
        f"{number(report.chance)}, minimum detectable {number(report.minimum_detectable)}, "
        f"limit {number(report.limit)}",
        f"online code: {number(code.bits)} bits per utterance in place of "
        f"{number(code.prior)} without h ({code.attacker})",
        f"{report.attribute}: {report.verdict}. {report.reason}",
    ]


def _attackers_of_threats(report: AuditReport) -> str:
    strongest, quick = report.strongest, report.strongest_quick
    if quick == strongest:
        return f"All threats are by {quick}."
    return (
        f"k utterances are by {strongest}, the other threats by {quick}, which is quickly trained."
    )


def _classes(report: AuditReport) -> str:
    counts = [f"{c.name} ({c.speakers:,})" for c in report.data.classes]
    if counts:
        counts[0] = counts[0].removesuffix(")") + " speakers)"
    # A class may have any name; the indent keeps it from imitating a line of the report.
    line = f"classes of {report.attribute}: {first(counts, _MAX_CLASSES)}"
    return textwrap.fill(line, _WIDTH, subsequent_indent="  ")
