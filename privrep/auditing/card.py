"""The privacy card: an audit as one HTML file without scripts or outside resources (host).

From the top: the headline, which needs no statistics; a picture; what data protection asks; and
everything else, folded. Whatever comes from an input is text and is escaped; the page forbids
scripts and outside resources.
"""

from html import escape

from privrep.auditing.card_background import background
from privrep.auditing.card_details import details
from privrep.auditing.card_page import document, explained, table
from privrep.auditing.card_picture import picture
from privrep.auditing.card_questions import questions_table
from privrep.auditing.report import AuditReport


def card(report: AuditReport) -> str:
    """The card of an audit, as a whole HTML document."""
    return document(
        f"Privacy card: {report.attribute}",
        f"<main><h1>{escape(report.headline.question)}</h1>\n"
        + "\n".join(
            (
                _headline(report),
                picture(report),
                questions_table(report),
                "<h2>Details</h2>",
                details(report) + background(report),
            )
        )
        + "</main>",
    )


def summary(report: AuditReport) -> str:
    """The headline and the picture, as a notebook shows them: HTML without a style sheet."""
    headline = report.headline
    further = "".join(f"<p>{escape(sentence)}</p>" for sentence in headline.further)
    rows = "".join(
        f"<tr><td style='text-align:left'><b>{escape(title)}</b></td>"
        f"<td style='text-align:left'>{escape(text)}</td></tr>"
        for title, text in (*headline.parts, ("Gate", report.gate.in_words))
    )
    return (
        f"<p>{escape(headline.question)}</p><p>{_answer(report)}</p>"
        f"<p>{escape(headline.sentence)}</p>{further}<table>{rows}</table>{picture(report)}"
    )


def _headline(report: AuditReport) -> str:
    headline = report.headline
    further = "".join(f"<p>{escape(sentence)}</p>" for sentence in headline.further)
    rows = [*headline.parts, ("Gate", report.gate.in_words)]
    return (
        f'<div class="verdict" style="border-left-color:{headline.colour}">{_answer(report)} '
        f"<code>{escape(headline.verdict)}</code>"
        f'<p class="sentence">{explained(headline.sentence)}</p>{further}</div>'
        + table((), rows, text_columns=2)
        + _in_statistical_terms(report)
    )


def _in_statistical_terms(report: AuditReport) -> str:
    """The reason of the verdict, unless the headline has given it as what is still open."""
    if report.reason in report.headline.still_open:
        return ""
    return f'<p class="small">In statistical terms: {explained(report.reason)}</p>'


def _answer(report: AuditReport) -> str:
    """Sign and word on the colour of the verdict, which white letters are legible on."""
    headline = report.headline
    return (
        f'<b class="answer" style="background:{headline.colour};border-color:{headline.colour};'
        f'color:#fff;padding:.1rem .7rem">{headline.sign} {escape(headline.word)}</b>'
    )
