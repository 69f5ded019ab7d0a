"""The privacy card: an audit as one HTML file without scripts or outside resources (host).

Whatever comes from an input is text and is escaped; the page forbids scripts and outside resources.
"""

import math
from collections.abc import Sequence
from html import escape

from privrep.auditing.answer_tables import answer_tables, how_far, interval, number, worded
from privrep.auditing.card_svg import Dot, curve, dots, histogram
from privrep.auditing.report import AuditReport
from privrep.auditing.threats import of_victims
from privrep.leakage.headline import ANSWERS
from privrep.statistics.permutation_test import MAX_DISTINCT
from privrep.statistics.verdict import Verdict
from privrep.types import NOT_JUDGED

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#111;max-width:46em;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:2em 0 .4em;border-bottom:1px solid #ccc}
.verdict{border-left:.6em solid;padding:.6em 1em;margin:1em 0;background:#f6f6f6}
.verdict b{font-size:1.4em}
table{border-collapse:collapse;width:100%}.wide{overflow-x:auto;margin:.6em 0}
th,td{text-align:left;padding:.2em .7em .2em 0;border-bottom:1px solid #e3e3e3;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}figure{margin:.5em 0}
figcaption,.small{font-size:.87em;color:#444}
code{font-size:.85em;overflow-wrap:anywhere}
@media print{body{margin:0;max-width:none;font-size:11px}h2,figure,table{break-inside:avoid}
h2{break-after:avoid}.wide{overflow:visible}
.verdict{background:none;border:2px solid;border-left-width:.6em}
*{print-color-adjust:exact}}
"""


def card(report: AuditReport) -> str:
    """The card of an audit, as a whole HTML document."""
    attribute = escape(report.attribute)
    sections = (
        _headline(report),
        _numbers(report),
        _as_a_number(report),
        _threat_model(report),
        _attackers(report),
        _learning_curve(report),
        _null(report),
        _threats(report),
        _further_questions(report),
        _not_tested(report),
        _data(report),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>Privacy card: {attribute}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(report.headline.question)}</h1>\n"
        + "\n".join(section for section in sections if section)
        + "\n</body></html>\n"
    )


def _headline(report: AuditReport) -> str:
    headline = report.headline
    further = "".join(f"<p>{escape(sentence)}</p>" for sentence in headline.further)
    rows = [*headline.parts, ("Gate", report.gate.in_words)]
    return (
        f'<div class="verdict" style="border-color:{headline.colour}"><b>{headline.sign} '
        f"{escape(headline.word)}</b> <code>{escape(headline.verdict)}</code>"
        f"<p>{escape(headline.sentence)}</p>{further}</div>"
        + _table((), rows, text_columns=2)
        + f'<p class="small">In statistical terms: {escape(report.reason)}</p>'
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        marks = ["" if i < text_columns else ' class="n"' for i in range(len(cells))]
        return "".join(f"<{tag}{m}>{escape(c)}</{tag}>" for m, c in zip(marks, cells))

    lines = [line(row, "td") for row in rows]
    if header:
        lines.insert(0, line(header, "th"))
    body = "".join(f"<tr>{text}</tr>" for text in lines)
    return f'<div class="wide"><table>{body}</table></div>'  # a phone scrolls it, not the page


def _numbers(report: AuditReport) -> str:
    test, level = report.test, f"{1 - report.test.alpha:.0%}"
    score, strongest, victim = "UAR", report.strongest, "one utterance"
    tried, possible = test.permutations, test.possible_permutations
    if report.number is not None and report.score == "correlation":
        score, strongest, victim = (
            "correlation",
            report.number.strongest,
            "all utterances of a speaker",
        )
        tried, possible = report.number.num_permutations, report.number.distinct_permutations
    value = report.correlation if score == "correlation" else report.uar
    if report.verdict == NOT_JUDGED:
        detectable = "nothing is judged"
    elif number(report.minimum_detectable) == "–":
        detectable = "no leak, however large, could be shown: p cannot be small enough"
    else:
        detectable = (
            f"the smallest {score} that is detected with 80 % power; lower ones may be missed"
        )
    rows = [
        (f"Strongest attacker's {score}", number(value), strongest),
        ("Chance", number(report.chance), f"{score} of guessing"),
        (
            "Upper bound",
            number(report.upper),
            f"these attackers predict no better from {victim}, at {level} over speakers; "
            "this is the number to read",
        ),
        ("Lower bound", number(report.lower), f"nor worse than this, at {level}"),
        ("Minimum detectable", number(report.minimum_detectable), detectable),
        (
            "p",
            number(report.p),
            f"labels permuted over speakers {tried:,} times of {_count(possible)} possible, the "
            "attackers trained anew each time; the smallest possible p is "
            f"{number(report.smallest_p, 4)}",
        ),
        ("Limit", number(report.limit), f"the {score} above which a leak counts"),
    ]
    return "<h2>The numbers</h2>" + _table((), rows + _further_numbers(report), text_columns=3)


def _further_numbers(report: AuditReport) -> list[tuple[str, str, str]]:
    """What else was measured of the attribute, in the form of the rows of `_numbers`."""
    person, sessions, worst = report.person, report.beyond_sessions, report.worst_protected
    several = [
        ("From all utterances of a person", number(person.uar), _tested(person)),
        (
            "Worst-protected speaker",
            number(worst.recall),
            f"share of the {worst.utterances} utterances of {worst.speaker} named rightly",
        ),
    ]
    certain = report.strongest_attacker.tpr_at_1_percent
    if math.isfinite(certain):
        meaning = "true positive rate at 1 % false positives"
        several.append(("Certain identifications", number(certain), meaning))
    if report.beyond is not None and sessions is not None:
        several.append(
            (
                "Beyond sessions",
                number(report.beyond.uar),
                f"{_tested(report.beyond)}. {sessions.note}",
            )
        )
    several += [
        (f"{name} (untested)", number(reads), "UAR; trained for the true labels only")
        for name, reads in report.untested.items()
    ]
    if report.test.deals > 1 and math.isfinite(report.test.turned):
        meaning = (
            f"share of the {report.test.deals} deals of folds that by themselves would have given "
            "another verdict"
        )
        several.append(("Turned verdicts", number(report.test.turned), meaning))
    return several


def _tested(verdict: Verdict) -> str:
    if verdict.verdict == NOT_JUDGED:
        return worded(verdict.verdict)
    bounds = interval(verdict.lower, verdict.upper)
    return f"{worded(verdict.verdict)}; bounds {bounds}, p {number(verdict.p)}"


def _as_a_number(report: AuditReport) -> str:
    """The attackers of an attribute that is a number, and what the other sections are about."""
    measured = report.number
    if measured is None or report.bins is None:
        return ""
    rows = [
        (
            result.name + (" (strongest)" if result.name == measured.strongest else ""),
            number(result.correlation),
            interval(result.lower, result.upper),
            number(result.p),
        )
        for result in sorted(measured.attackers.values(), key=lambda r: -r.correlation)
    ]
    names = of_victims([victim.utterances for victim in measured.victims])
    rows += [
        (
            f"{measured.strongest}, {name}",
            number(victim.correlation),
            interval(victim.lower, victim.upper),
            "–",
        )
        for name, victim in zip(names, measured.victims)
    ]
    bins = ", ".join(c.name for c in report.data.classes)
    verdict = report.bins if report.score == "correlation" else measured.verdict
    beside = "In bins" if report.score == "correlation" else "As a number"
    return (
        f"<h2>{escape(report.attribute)} as a number</h2>"
        + _table(("attacker", "correlation", "bounds", "p"), rows)
        + f'<p class="small">Spearman\'s rank correlation between the number of a held-out speaker '
        f"({measured.lowest:g} to {measured.highest:g}) and its prediction, the mean over the "
        f"speaker's utterances; 0 is no information. Pearson's is {number(measured.pearson)}. "
        f"Speakers were dealt into {measured.num_folds} folds {measured.num_deals} times.</p>"
        f"<p>{beside}: <b>{escape(ANSWERS[verdict.verdict].word)}</b>. {escape(verdict.reason)}</p>"
        f"<p>All that follows is about the bins {escape(bins)}.</p>"
    )


def _count(count: int) -> str:
    return "10^18 or more" if count >= MAX_DISTINCT else f"{count:,}"


def _chance(report: AuditReport) -> float:
    """The UAR of guessing the classes, which are bins where the attribute is a number."""
    return 1 / len(report.data.classes)


def _threat_model(report: AuditReport) -> str:
    data, attribute = report.data, escape(report.attribute)
    return (
        "<h2>Threat model</h2><p>The attacker holds representations like these of other speakers, "
        f"whose {attribute} is known (an <i>informed</i> attacker), trains on them, and predicts "
        f"the {attribute} of held-out speakers from the representations alone. All "
        f"{data.speakers:,} speakers are tested once in each of {report.test.deals} deals of "
        f"{report.test.folds} folds; each attacker "
        "is tuned on validation speakers. The sampling unit is the speaker, not the "
        f"utterance ({data.utterances:,}): bounds and p come from permuting {attribute} between "
        f"{escape(report.test.permuted_between)}.</p><p class='small'>UAR is the mean recall over "
        "the classes. A UAR below chance is a leak too if it is lower than permuted labels "
        "explain.</p>"
    )


def _attackers(report: AuditReport) -> str:
    rows, marks, chance = [], [], _chance(report)
    for result in sorted(report.attackers, key=lambda result: -result.uar):
        is_strongest = result.name == report.strongest
        rows.append(
            (
                result.name + (" (strongest)" if is_strongest else ""),
                "; ".join(dict.fromkeys(result.chosen)),
                number(result.uar),
                interval(result.lower, result.upper),
                number(result.p),
                number(result.auc),
                number(result.bits),
            )
        )
        ends = (result.lower, result.upper)
        low, high = (end if math.isfinite(end) else result.uar for end in ends)
        marks.append(Dot(result.name, result.uar, low, high, is_strongest))
    header = ("attacker", "selected on validation speakers", "UAR", "bounds", "p", "AUC", "bits")
    return (
        "<h2>Attackers</h2><figure>"
        + dots("UAR of each attacker with its bounds", marks, chance, report.of_classes.limit)
        + "</figure>"
        + _table(header, rows, text_columns=2)
        + '<p class="small">Bounds and p of an attacker are for this attacker alone; those above '
        "are corrected for having selected the strongest. Bits are V-information per utterance."
        "</p>"
    )


def _learning_curve(report: AuditReport) -> str:
    points = [(point.speakers, point.uar) for point in report.leak_by_speakers]
    if len(points) < 2:
        return ""
    return (
        "<h2>Leak against the number of training speakers</h2><figure>"
        + curve("UAR against speakers", points, _chance(report), "training speakers")
        + f"<figcaption>The attacker {escape(report.strongest_quick)}, trained on fewer speakers. "
        "If the curve still rises at its right end, an attacker with more speakers has a higher "
        "UAR than this card shows.</figcaption></figure>"
    )


def _null(report: AuditReport) -> str:
    strongest = report.strongest_attacker
    if not strongest.null:
        return ""
    return (
        "<h2>Null distribution</h2><figure>"
        + histogram(
            "UAR under permuted labels",
            strongest.null,
            observed=strongest.uar,
            chance=_chance(report),
        )
        + "<figcaption>UAR of the strongest attacker after the labels have been permuted between "
        "speakers, so that nothing can be learned: the random variation with this many speakers."
        "</figcaption></figure>"
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
        "<h2>The threat ladder</h2>"
        + _table(header, rows, text_columns=3)
        + '<p class="small">Intervals are for the given attacker, not corrected for the selection '
        "of the strongest. Online code: to a receiver who holds the representations the labels can "
        f"be sent in {number(code.bits)} bits per utterance ({escape(code.attacker)}, trained on "
        f"the speakers sent before), instead of {number(code.prior)} by the frequencies of the "
        f"classes among them: a compression of {number(code.compression, 2)}, where 1 is none.</p>"
    )


def _further_questions(report: AuditReport) -> str:
    parts = []
    for answer in answer_tables(report):
        parts.append(f"<h2>{escape(answer.title)}</h2>")
        if answer.rows:
            parts.append(_table(answer.header, answer.rows))
        parts += [f'<p class="small">{escape(sentence)}</p>' for sentence in answer.sentences]
    return "".join(parts)


def _not_tested(report: AuditReport) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.not_tested)
    return f"<h2>What was not tested</h2><ul>{items}</ul>"


def _data(report: AuditReport) -> str:
    data = report.data
    classes = [(c.name, f"{c.speakers:,}", f"{c.utterances:,}") for c in data.classes]
    inputs = [(record.role, record.name, record.sha256) for record in data.inputs]
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    sentences = [*data.notes, *how_far(report)]
    notes = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    parts = [
        "<h2>Data and how to repeat this</h2>",
        _table((report.attribute, "speakers", "utterances"), classes),
        f"<p>Shape {escape(str(list(data.shape)))}.</p>",
        f"<ul>{notes}</ul>",
        _table(("input", "name", "sha256"), inputs, text_columns=3),
    ]
    if report.command is not None:
        parts.append(f"<p><code>{escape(report.command)}</code></p>")
    made = f"Made {report.date}; schema {report.schema_version}; {versions}"
    return "".join(parts) + f'<p class="small">{escape(made)}</p>'
