"""The folded sections of a privacy card beside the measurement: threats, further questions, what
was not tested, the data and how to repeat the audit (host)."""

from html import escape

from privrep.auditing.answer_tables import answer_tables, how_far, interval, number
from privrep.auditing.card_page import folded, glossary, table
from privrep.auditing.report import AuditReport


def background(report: AuditReport) -> str:
    """The sections, each folded."""
    return (
        folded("The threat ladder", _threats(report))
        + _further_questions(report)
        + folded("What was not tested", _not_tested(report))
        + folded("Data and how to repeat this", _data(report))
        + folded("Terms", glossary())
    )


_THREATS = {
    "ignorant": "trained on the representations without the defence",
    "transferred": "trained on another corpus",
    "informed": "trained on representations like these",
    "float16": "informed, representations in half precision",
    "int8": "informed, representations in 256 steps per column",
}
_SEVERAL = "informed, scores of so many utterances of one victim added up"


def _threats(report: AuditReport) -> str:
    rows = [
        (
            threat.threat,
            _THREATS.get(threat.threat, _SEVERAL),
            threat.attacker,
            number(threat.uar),
            interval(threat.lower, threat.upper),
        )
        for threat in report.threats
    ]
    code = report.online_code
    header = ("threat", "the attacker", "name", "UAR", "bounds")
    return (
        table(header, rows, text_columns=3)
        + '<p class="small">Intervals are for the given attacker, not corrected for the selection '
        "of the strongest. Online code: to a receiver who holds the representations the labels can "
        f"be sent in {number(code.bits)} bits per utterance ({escape(code.attacker)}, trained on "
        f"the speakers sent before), instead of {number(code.prior)} by the frequencies of the "
        f"classes among them: a compression of {number(code.compression, 2)}, where 1 is none.</p>"
    )


def _further_questions(report: AuditReport) -> str:
    parts = []
    for answer in answer_tables(report):
        content = table(answer.header, answer.rows) if answer.rows else ""
        content += "".join(f'<p class="small">{escape(s)}</p>' for s in answer.sentences)
        parts.append(folded(answer.title, content))
    return "".join(parts)


def _not_tested(report: AuditReport) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.not_tested)
    return f"<ul>{items}</ul>"


def _data(report: AuditReport) -> str:
    data = report.data
    classes = [(c.name, f"{c.speakers:,}", f"{c.utterances:,}") for c in data.classes]
    inputs = [(record.role, record.name, record.sha256) for record in data.inputs]
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    sentences = [*data.notes, *how_far(report)]
    notes = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    parts = [
        table((report.attribute, "speakers", "utterances"), classes),
        f"<p>Shape {escape(str(list(data.shape)))}.</p>",
        f"<ul>{notes}</ul>",
        table(("input", "name", "sha256"), inputs, text_columns=3),
    ]
    if report.command is not None:
        parts.append(f"<p><code>{escape(report.command)}</code></p>")
    made = f"Made {report.date}; schema {report.schema_version}; {versions}"
    return "".join(parts) + f'<p class="small">{escape(made)}</p>'
