"""The questions of data protection on a privacy card, and what the audit says of each (host).

They are the three risks of Opinion 05/2014 of the Article 29 Working Party of the EU, on
anonymisation techniques: singling out, linkability, inference.
"""

from privrep.auditing.answer_tables import interval, number
from privrep.auditing.card_page import table
from privrep.auditing.report import AuditReport
from privrep.leakage.attribute_matrix import SPEAKER
from privrep.leakage.headline import ANSWERS
from privrep.messages import first
from privrep.statistics.correlation import CorrelationVerdict
from privrep.statistics.verdict import Verdict
from privrep.types import NOT_JUDGED

_NOT_MEASURED = "not measured"
_HEADER = ("question", "answer", "figure", "how, or why not")


def questions_table(report: AuditReport) -> str:
    """The table with its heading."""
    rows = [_singling_out(), _linkability(report), _inference(report), _others(report)]
    return (
        "<h2>What data protection asks</h2>"
        + table(_HEADER, rows, text_columns=4)
        + '<p class="small">The three risks of Opinion 05/2014 of the Article 29 Working Party. An '
        "audit answers them for these representations and these attackers; it is no assessment of "
        "everything else that is kept or known.</p>"
    )


def _singling_out() -> tuple[str, ...]:
    return (
        "Singling out: can the records of one person be picked out?",
        _NOT_MEASURED,
        "–",
        "Each row is of one utterance, and so of one person: nothing was merged that would have to "
        "be separated. Whether two rows can be recognised as one person's is the next question.",
    )


def _linkability(report: AuditReport) -> tuple[str, ...]:
    question = "Linkability: can two records be recognised as one person's?"
    row = next((row for row in report.attributes.rows if row.name == SPEAKER), None)
    if row is None:
        why = report.attributes.left_out.get(SPEAKER, "the speakers were not compared")
        return question, _NOT_MEASURED, "–", f"{why[0].upper()}{why[1:]}."
    return (
        question,
        ANSWERS[row.verdict.verdict].word,
        _figure(row.verdict, "1 − equal error rate", row.chance),
        "Verification of speakers whom the attacker does not know: pairs of utterances of one or "
        "of two speakers, of the kind that reveals most.",
    )


def _inference(report: AuditReport) -> tuple[str, ...]:
    if report.number is not None and report.score == "correlation":
        figure = _figure(report.number.verdict, "correlation", 0.0)
        attackers = list(report.number.attackers)
    else:
        figure = _figure(report.of_classes, "UAR from one utterance", report.chance)
        attackers = [result.name for result in report.attackers]
    return (
        f"Inference: can {report.attribute} be deduced?",
        report.headline.word,
        figure,
        f"The strongest of {len(attackers)} attackers ({', '.join(attackers)}), trained on other "
        "speakers and tested on those it does not know.",
    )


def _others(report: AuditReport) -> tuple[str, ...]:
    question = "Inference: can anything else be deduced?"
    named = [row for row in report.attributes.rows if row.name.partition(",")[0] != SPEAKER]
    verdicts: dict[str, Verdict | CorrelationVerdict] = {row.name: row.verdict for row in named}
    verdicts |= {row.name: row.verdict for row in report.attributes.numbers}
    if not verdicts:
        why = "The labels have no other column that can be attacked."
        return question, _NOT_MEASURED, "–", why
    leaking = [name for name, verdict in verdicts.items() if verdict.verdict == "leaks"]
    words = {verdict.verdict for verdict in verdicts.values()}
    answer = "Some leaks" if leaking else "Cannot tell"
    if len(words) == 1 and not leaking:
        answer = ANSWERS[words.pop()].word
    return (
        question,
        answer,
        f"{len(leaking)} of {len(verdicts)} other columns"
        + (f": {first(leaking)}" if leaking else ""),
        "A linear attacker only, of the columns of the labels; what has no column was not tried. "
        "Figures: What else h reveals.",
    )


def _figure(verdict: Verdict | CorrelationVerdict, score: str, chance: float) -> str:
    value = verdict.uar if isinstance(verdict, Verdict) else verdict.correlation
    if verdict.verdict == NOT_JUDGED:
        return "–"
    bounds = interval(verdict.lower, verdict.upper)
    return f"{score} {number(value)}, bounds {bounds}; guessing {number(chance, 2)}"
