"""The privacy card: an audit as one HTML file that loads nothing and runs nothing.

Whatever comes from a file is text and is escaped; the page forbids scripts and outside resources.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from privrep.auditing.answer_tables import answers, number
from privrep.auditing.card_svg import Dot, curve, dots, histogram

Report = dict[str, Any]

_VERDICTS = {  # words and shape carry the meaning, the colour only repeats it
    "leaks": ("▲", "It leaks", "#D55E00"),
    "no_leak_shown": ("●", "No leak shown", "#0072B2"),
    "cannot_tell": ("?", "Cannot tell", "#5A5A5A"),
}
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


def card(report: Report) -> str:
    """The card of a `run_audit.Report`, as a whole HTML document."""
    attribute = escape(report["attribute"])
    sections = (
        _verdict(report),
        _numbers(report),
        _threat(report),
        _attackers(report),
        _curve(report),
        _null(report),
        _threats(report),
        _further(report),
        _not_tested(report),
        _data(report),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>Privacy card: {attribute}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Privacy card: can {attribute} be read from these representations?</h1>\n"
        + "\n".join(section for section in sections if section)
        + "\n</body></html>\n"
    )


def _verdict(report: Report) -> str:
    shape, words, colour = _VERDICTS[report["verdict"]]
    return (
        f'<div class="verdict" style="border-color:{colour}"><b>{shape} {words}</b> '
        f"<code>{escape(report['verdict'])}</code><br>{escape(report['reason'])}</div>"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        marks = ["" if i < text_columns else ' class="n"' for i in range(len(cells))]
        return "".join(f"<{tag}{m}>{escape(c)}</{tag}>" for m, c in zip(marks, cells))

    lines = [line(header, "th")] * bool(header) + [line(row, "td") for row in rows]
    body = "".join(f"<tr>{one}</tr>" for one in lines)
    return f'<div class="wide"><table>{body}</table></div>'  # a phone scrolls it, not the page


def _numbers(report: Report) -> str:
    level = f"{1 - report['test']['alpha']:.0%}"
    possible = report["test"]["possible_permutations"]
    rows = [
        ("Strongest attacker's UAR", number(report["uar"]), report["strongest"]),
        ("Chance", number(report["chance"]), "what guessing scores"),
        (
            "Upper bound",
            number(report["upper_bound"]),
            f"these attackers find no more in one utterance, at {level} over speakers; read this "
            "one",
        ),
        ("Lower bound", number(report["lower_bound"]), f"nor less than this, at {level}"),
        (
            "Minimum detectable",
            number(report["minimum_detectable"]),
            "a UAR that this many speakers show 4 times in 5; what lies below may be missed"
            if report["minimum_detectable"] is not None
            else "no leak, however large, could be shown: p cannot be small enough",
        ),
        (
            "p",
            number(report["p"]),
            f"labels exchanged over speakers {report['test']['permutations']:,} times of "
            f"{_many(possible)} possible, the attackers trained anew each time; the smallest "
            f"p in reach is {number(report['smallest_p'], 4)}",
        ),
        ("Limit", number(report["limit"]), "a UAR above which a leak counts"),
    ]
    return "<h2>The numbers</h2>" + _table((), rows, text_columns=3)


def _many(count: int) -> str:
    return "10^18 or more" if count >= 10**18 else f"{count:,}"


def _threat(report: Report) -> str:
    data, a = report["data"], escape(report["attribute"])
    return (
        "<h2>Threat model</h2><p>The attacker holds representations like these of other speakers, "
        f"whose {a} is known (an <i>informed</i> attacker), trains on them, and guesses the {a} of "
        "speakers never met before. Nothing but the representations is seen. All "
        f"{data['speakers']:,} speakers are attacked once, in {report['test']['folds']} folds; "
        "each attacker is tuned on further speakers. The sample is the speakers, not their "
        f"{data['utterances']:,} utterances: bounds and p come from exchanging {a} between "
        f"{escape(report['test']['exchanged'])}.</p><p class='small'>UAR is the mean recall over "
        "the classes. A UAR below chance is a leak too if it lies below what chance explains.</p>"
    )


def _attackers(report: Report) -> str:
    rows, marks = [], []
    for one in sorted(report["attackers"], key=lambda one: -one["uar"]):
        strong = one["name"] == report["strongest"]
        rows.append(
            (
                one["name"] + (" (strongest)" if strong else ""),
                _common(one["chosen"]),
                number(one["uar"]),
                f"{number(one['lower'])} to {number(one['upper'])}",
                number(one["p"]),
                number(one["auc"]),
                number(one["bits"]),
            )
        )
        marks.append(Dot(one["name"], one["uar"], one["lower"], one["upper"], strong))
    header = ("attacker", "chosen on validation speakers", "UAR", "bounds", "p", "AUC", "bits")
    return (
        "<h2>Attackers</h2><figure>"
        + dots("UAR of each attacker with its bounds", marks, report["chance"], report["limit"])
        + "</figure>"
        + _table(header, rows, text_columns=2)
        + '<p class="small">Bounds and p of one attacker are for it alone; those above are '
        "corrected for having taken the strongest. Bits are V-information per utterance.</p>"
    )


def _common(chosen: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(chosen))


def _curve(report: Report) -> str:
    points = [(p["speakers"], p["uar"]) for p in report["leak_by_speakers"]]
    if len(points) < 2:
        return ""
    return (
        "<h2>Leak against the number of known speakers</h2><figure>"
        + curve("UAR against speakers", points, report["chance"], "speakers known")
        + f"<figcaption>The attacker {escape(report['strongest_quick'])} where fewer speakers are "
        "known. If the curve still "
        "rises at its right end, an attacker with more speakers finds more than this card says."
        "</figcaption></figure>"
    )


def _null(report: Report) -> str:
    (strongest,) = (o for o in report["attackers"] if o["name"] == report["strongest"])
    if not strongest["null"]:
        return ""
    return (
        "<h2>Where there is nothing to find</h2><figure>"
        + histogram(
            "UAR under exchanged labels",
            strongest["null"],
            report["uar"],
            report["chance"],
        )
        + "<figcaption>How the strongest attacker scores when the labels have been exchanged "
        "between speakers, so that nothing can be learned: the spread that chance makes with this "
        "many speakers.</figcaption></figure>"
    )


_THREATS = {
    "ignorant": "learned from the representations without the defence",
    "transferred": "learned from another corpus",
    "informed": "learned from representations like these",
    "float16": "informed, representations sent in half precision",
    "int8": "informed, representations sent in 256 steps per column",
}


def _threats(report: Report) -> str:
    rows = [
        (
            one["threat"],
            _THREATS.get(
                one["threat"], "informed, so many of one victim (or all there are), added up"
            ),
            one["attacker"],
            number(one["uar"]),
            f"{number(one['lower'])} to {number(one['upper'])}",
        )
        for one in report["threats"]
    ]
    code = report["online_code"]
    header = ("threat", "the attacker", "which", "UAR", "95 % over speakers")
    return (
        "<h2>The ladder of threats</h2>"
        + _table(header, rows, text_columns=3)
        + '<p class="small">Intervals are of the attacker as it is, not corrected for the choice '
        "of the strongest. Online code: to one who holds the representations the labels can be "
        f"sent in {number(code['bits'])} bits per utterance ({escape(code['attacker'])}, learning "
        f"as the speakers come), in place of {number(code['uniform'])}: a compression of "
        f"{number(code['compression'], 2)}, where 1 is none.</p>"
    )


def _further(report: Report) -> str:
    return "".join(
        f"<h2>{escape(one.title)}</h2>"
        + (_table(one.header, one.rows) if one.rows else "")
        + "".join(f'<p class="small">{escape(sentence)}</p>' for sentence in one.said)
        for one in answers(report)
    )


def _not_tested(report: Report) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in report["not_tested"])
    return f"<h2>What was not tested</h2><ul>{items}</ul>"


def _data(report: Report) -> str:
    data = report["data"]
    classes = [(c["name"], f"{c['speakers']:,}", f"{c['utterances']:,}") for c in data["classes"]]
    inputs = [(one["role"], one["name"], one["sha256"]) for one in data["inputs"]]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in data["notes"])
    return (
        "<h2>Data and how to repeat this</h2>"
        + _table((report["attribute"], "speakers", "utterances"), classes)
        + f"<p>Shape {escape(str(data['shape']))}.</p>"
        + (f"<ul>{notes}</ul>" if notes else "")
        + _table(("file", "name", "sha256"), inputs, text_columns=3)
        + f"<p><code>{escape(report['command'])}</code></p>"
        + f'<p class="small">{escape(versions)}</p>'
    )
