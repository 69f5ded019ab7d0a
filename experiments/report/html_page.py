"""Writer of the report as one HTML file that loads nothing and runs nothing; it holds its images.

Whatever comes from a file is text and is escaped; the page forbids scripts and outside resources.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from experiments.report import table_formats as formats
from experiments.report.side_tables import SideTable

_STYLE = """
:root{color-scheme:light dark;--page:#fff;--text:#111;--soft:#444;--line:#bbb;--box:#f6f6f6;
--better:#00735c;--worse:#b34700}
@media (prefers-color-scheme:dark){:root{--page:#16181c;--text:#ececec;--soft:#b9b9b9;
--line:#454850;--box:#22252b;--better:#4cc9a7;--worse:#ff9a57}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);max-width:76em;
margin:1.2em auto;padding:0 1em}
h1{font-size:1.3em;margin:0}
h2{font-size:1.15em;margin:2.2em 0 .5em;border-bottom:1px solid var(--line)}
.answer h2{margin-top:.6em}
details>summary{font-size:1.15em;font-weight:600;margin:2.2em 0 .5em;cursor:pointer}
nav{columns:2;font-size:.92em;margin:1em 0;padding:.6em 1em;background:var(--box)}
nav a{color:inherit;display:block;text-decoration:none}nav a:hover{text-decoration:underline}
.wide{overflow-x:auto;margin:1em 0 .3em}
table{border-collapse:collapse;font-size:.87em}
caption{text-align:left;font-weight:600;padding:.2em 0}
th,td{text-align:left;padding:.18em 1em .18em 0;vertical-align:top}
thead th{vertical-align:bottom}thead tr:first-child th{border-top:2px solid var(--text)}
thead tr:last-child th{border-bottom:1px solid var(--text)}
th.over{text-align:center;border-bottom:1px solid var(--text)}
tbody tr:last-child td{border-bottom:2px solid var(--text)}
tr.ruled td{border-top:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td.n,td[data-column="network"]{white-space:nowrap}
abbr{text-decoration:none;font-weight:600}
abbr.better{color:var(--better)}abbr.worse{color:var(--worse)}
abbr.no,abbr.not{color:var(--soft)}
.note,figcaption{font-size:.85em;color:var(--soft);margin:.2em 0 1em}
figure{margin:1em 0;overflow-x:auto}
@media screen and (max-width:1040px){table{font-size:.73em}th,td{padding-right:.5em}}
@media screen and (max-width:600px){nav{columns:1}table{font-size:.87em}
table,tbody,caption{display:block}thead{position:absolute;left:-200em}
tbody tr{display:block;border-top:1px solid var(--line);padding:.4em 0}
tbody td,tbody td[data-column],tbody tr:last-child td,tr.ruled td{display:flex;gap:1em;
text-align:left;padding:.05em 0;border:0;white-space:normal;overflow-wrap:anywhere}
tbody td:empty{display:none}
tbody td::before{content:attr(data-column);flex:0 0 45%;color:var(--soft)}}
pre{font-size:.8em;white-space:pre-wrap;overflow-wrap:anywhere;background:var(--box);padding:.7em}
@page{size:A4;margin:12mm}
@media print{:root{color-scheme:light;--page:#fff;--text:#000;--soft:#333;--line:#aaa;--box:#fff}
body{margin:0;max-width:none;font-size:11px}nav{padding:0}
h2,caption,summary,.short{break-after:avoid}.answer,.short,figure,tr{break-inside:avoid}
thead{display:table-header-group}
details::details-content{content-visibility:visible;display:block;height:auto}
.wide{overflow:visible}table{font-size:.8em}th,td{padding-right:.8em}
pre{padding:0}*{print-color-adjust:exact}}
"""


class Picture(NamedTuple):
    """A figure: its <svg>, and its caption."""

    svg: str
    caption: str


class Listing(NamedTuple):
    """Text as it stands in a file."""

    text: str


Part = SideTable | Picture | Listing | str | list[str]  # a paragraph is a str, a list its items


class Section(NamedTuple):
    """A section of the page."""

    title: str
    parts: Sequence[Part]


class Page(NamedTuple):
    """The whole of a report.

    Attributes:
      title: its heading.
      style: CSS of `top`.
      top: HTML of what stands first.
      sections: what follows.
      appendix: what is folded behind them.
    """

    title: str
    style: str
    top: str
    sections: Sequence[Section]
    appendix: Sequence[Section]


def document(page: Page) -> str:
    """A whole HTML document; empty parts, and sections without parts, are left out."""
    shown, folded = map(_with_parts, (page.sections, page.appendix))
    links = "".join(
        f'<a href="#s{i}">{escape(s.title)}</a>' for i, s in enumerate([*shown, *folded], 1)
    )
    body = _sections(shown, 1)
    if folded:
        body += (
            f"\n<details><summary>All the evidence</summary>\n{_sections(folded, 1 + len(shown))}"
        )
        body += "</details>"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{_STYLE}{page.style}</style></head>\n<body>"
        f"<h1>{escape(page.title)}</h1>\n{page.top}\n<nav>{links}</nav>\n{body}\n</body></html>\n"
    )


def _with_parts(sections: Sequence[Section]) -> list[Section]:
    kept = [Section(s.title, [part for part in s.parts if part]) for s in sections]
    return [section for section in kept if section.parts]


def _sections(sections: Sequence[Section], first: int) -> str:
    return "\n".join(
        f'<section><h2 id="s{i}">{escape(section.title)}</h2>\n'
        + "\n".join(map(_part, section.parts))
        + "</section>"
        for i, section in enumerate(sections, first)
    )


def _part(part: Part) -> str:
    if isinstance(part, SideTable):
        return formats.html(part)
    if isinstance(part, Picture):
        return f"<figure>{part.svg}<figcaption>{escape(part.caption)}</figcaption></figure>"
    if isinstance(part, Listing):
        return f"<pre>{escape(part.text)}</pre>"
    if isinstance(part, list):
        return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in part)}</ul>"
    return f"<p>{escape(part)}</p>"
