"""The parts a privacy card is put together from: page, tables, folded sections, glossary (host).

Every argument called `markup` is HTML already; all other text is escaped here.
"""

import re
from collections.abc import Sequence
from html import escape

# Terms as they are written in headings and sentences of the card, in lower case.
GLOSSARY = {
    "attacker": "a program that learns from the representations of some speakers to predict the "
    "private attribute, and is then tested on other speakers",
    "auc": "area under the curve: how often the attacker ranks a speaker of one class over a "
    "speaker of another rightly; 0.5 is guessing",
    "bits": "how much an utterance reveals of the attribute, as this attacker can use it "
    "(V-information); 0 is nothing",
    "bounds": "the range in which the true score lies, by the same confidence as the verdict",
    "chance": "the score of guessing",
    "confidence": "how often such a bound holds when an audit is repeated with other speakers",
    "correlation": "Spearman's rank correlation of estimate and truth: 0 is guessing, 1 the right "
    "order of all speakers",
    "covariate": "something else that is known of an utterance, such as its emotion, and may "
    "explain what is read",
    "limit": "the score above which a leak counts; it was set before the audit",
    "lower bound": "with the stated confidence these attackers read at least so much",
    "minimum detectable": "the smallest leak that this audit would have detected with a "
    "probability of 80 %",
    "p": "how often labels that are dealt out at random give a score as high, times 1.25 (a fifth "
    "of the test is spent on scores below chance); small: not by chance",
    "representation": "the numbers that a network makes of a recording, and that are shared in "
    "its place",
    "session": "what was recorded on one occasion, in one room",
    "threat": "what the attacker holds and knows",
    "uar": "unweighted average recall: how often the attacker is right, each class counting "
    "equally; with two classes 0.5 is guessing and 1 always right",
    "upper bound": "with the stated confidence these attackers read no more than this",
    "verification": "whether two recordings are of one person, asked of speakers whom the attacker "
    "does not know",
}
_TERMS = re.compile(
    r"(?<![\w-])(" + "|".join(sorted(GLOSSARY, key=len, reverse=True)) + r")s?(?![\w-])",
    re.IGNORECASE,
)
_STYLE = """
:root{color-scheme:light dark;--page:#fff;--text:#1a1a1a;--soft:#4a4a4a;--line:#d0d0d0;
--box:#f4f4f4}
@media (prefers-color-scheme:dark){:root{--page:#16181c;--text:#ececec;--soft:#b9b9b9;
--line:#454850;--box:#22252b}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);
max-width:56rem;margin:0 auto;padding:1.5rem 1rem 3rem;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .8rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p{margin:.5rem 0}
.verdict{border:1px solid var(--line);border-left:.6rem solid;padding:.9rem 1.1rem;
background:var(--box)}
.answer{display:inline-block;font-size:1.4rem;font-weight:bold;color:#fff;padding:.1rem .7rem;
border-radius:.3rem;border:2px solid}
.sentence{font-size:1.1rem}
table{border-collapse:collapse;width:100%;margin:.6rem 0}
th,td{text-align:left;min-width:5.2rem;padding:.3rem .7rem .3rem 0;
border-bottom:1px solid var(--line);vertical-align:top}
th[scope=row]{font-weight:600;width:22%}
.n{text-align:right;font-variant-numeric:tabular-nums}
thead th{font-size:.875rem;color:var(--soft);overflow-wrap:normal}
svg{display:block;font-family:system-ui,sans-serif;overflow:visible}figure{margin:.8rem 0}
figcaption,.small{font-size:.875rem;color:var(--soft)}
details{border-top:1px solid var(--line)}
details:last-of-type{border-bottom:1px solid var(--line)}
summary{cursor:pointer;font-weight:600;padding:.55rem 0}
details>:last-child{margin-bottom:1rem}
abbr{text-decoration:underline dotted;text-underline-offset:.2em;cursor:help}
abbr:focus::after{content:" (" attr(title) ")";font-weight:normal;color:var(--soft)}
:focus-visible{outline:2px solid #0072B2;outline-offset:2px}
code{font-size:.875rem}
@media (max-width:45rem){.several thead{display:none}
table,tbody,tr,.several td,.several th,th[scope=row],td{display:block;width:auto;border:0;
padding:.1rem 0}
tr{padding:.4rem 0;border-bottom:1px solid var(--line)}.n{text-align:left}
td[data-name]::before{content:attr(data-name) ": ";color:var(--soft)}}
@media print{:root{color-scheme:light;--page:#fff;--text:#000;--soft:#333;--line:#aaa;--box:#fff}
body{max-width:none;padding:0;font-size:11pt}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
details::details-content{content-visibility:visible;display:block;height:auto}
.verdict,figure,tr,summary{break-inside:avoid}h2,summary{break-after:avoid}
abbr{text-decoration:none}}
"""


def document(title: str, markup: str) -> str:
    """A whole HTML document that forbids scripts and outside resources."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{markup}\n"
        "</body></html>\n"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A table whose first column names the rows; on a narrow page its rows are lists.

    Args:
      header: a name per column, or none.
      rows: plain text.
      text_columns: how many columns, from the left, are text; the others are numbers.
    """

    def cell(i: int, text: str) -> str:
        if not i:
            return f'<th scope="row">{explained(text)}</th>'
        mark = ' class="n"' if i >= text_columns else ""
        name = f' data-name="{escape(header[i])}"' if header else ""
        return f"<td{mark}{name}>{escape(text)}</td>"

    body = "".join(
        "<tr>{}</tr>".format("\n".join(cell(i, text) for i, text in enumerate(row))) for row in rows
    )
    if not header:
        return f"<table><tbody>{body}</tbody></table>"
    marks = ["" if i < text_columns else ' class="n"' for i in range(len(header))]
    names = "\n".join(
        f'<th scope="col"{mark}>{explained(name)}</th>' for mark, name in zip(marks, header)
    )
    return f'<table class="several"><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>'


def folded(title: str, markup: str) -> str:
    """A section of which the title is shown until it is opened; "" without content."""
    if not markup:
        return ""
    return f"<details><summary>{escape(title)}</summary>{markup}</details>"


def explained(text: str) -> str:
    """The text escaped; the first of each term of the glossary explains itself.

    A mouse that rests on it shows the explanation, and so does the keyboard: it takes the focus.

    >>> explained("no UAR")[:26], explained("<b>")
    ('no <abbr tabindex="0" titl', '&lt;b&gt;')
    """
    parts, end, seen = [], 0, set()
    for match in _TERMS.finditer(text):
        term = match[1].lower()
        if term in seen or (term == "p" and match[0] != "p"):
            continue
        seen.add(term)
        parts += [escape(text[end : match.start()]), _term(match[0], term)]
        end = match.end()
    return "".join([*parts, escape(text[end:])])


def _term(written: str, term: str) -> str:
    return f'<abbr tabindex="0" title="{escape(GLOSSARY[term])}">{escape(written)}</abbr>'


def glossary() -> str:
    """All terms as a table."""
    capitals = {"auc": "AUC", "uar": "UAR"}
    rows = [(capitals.get(term, term), meaning) for term, meaning in GLOSSARY.items()]
    cells = "".join(
        f'<tr><th scope="row">{escape(term)}</th>\n<td>{escape(meaning)}</td></tr>'
        for term, meaning in rows
    )
    return f"<table><tbody>{cells}</tbody></table>"
