"""Formats of a table: Markdown, LaTeX, comma-separated values and HTML.

A cell may hold anything that a label holds; each format escapes what it would read as its own.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from experiments.report.latex import in_latex
from experiments.report.side_tables import SideTable
from experiments.results.markdown import in_markdown
from experiments.results.poster import BETTER, SAME, WORSE

# Shape and word carry the meaning; where there is colour it only repeats it.
MARKS = {BETTER: "▲", WORSE: "▼", SAME: "○", "not compared": "·"}
_MEANING = {mark: name for name, mark in MARKS.items()}
_MARKED = re.compile(f" ?([{''.join(_MEANING)}])$")
_NUMBER = re.compile(r"\(?[-+−]?\d[\d.,±−-]*(?<!,)[)*†%]*")
_BESIDE_NUMBERS = {"-", "to", "of", "/", "none", "upper", *_MEANING}
# Of LaTeX tables: one of more lines goes over pages; widths in points at 10 pt, of a page of the
# standard classes, of what shrinks to it in small print, and of a float; longer cells are
# paragraphs.
_LINES, _UPRIGHT, _SMALL, _FLOAT, _PARAGRAPH = 32, 345, 500, 600, 44


def numeric(table: SideTable) -> list[bool]:
    """Of each column whether its cells are numbers (or empty), which are set to the right.

    An interval is one, too; a list or a sentence that begins with a number is none.
    """
    lines = [line for line in table.lines if line]
    return [
        any(line[i] for line in lines) and all(_is_number(line[i]) for line in lines)
        for i in range(len(table.header))
    ]


def _is_number(cell: str) -> bool:
    """
    >>> [_is_number(cell) for cell in ("0.5 to 0.6", "1,440", "0.5 ▲", "", "4 pairs", "01, 04")]
    [True, True, True, True, False, False]
    """
    return all(part in _BESIDE_NUMBERS or _NUMBER.fullmatch(part) for part in cell.split())


def grouped(header: Sequence[str]) -> list[tuple[str, list[str]]]:
    """[(group, names)] of neighbours "group: name"; the group is "" where a column has none."""
    groups: list[tuple[str, list[str]]] = []
    for title in header:
        group, colon, name = title.partition(": ")
        group, name = (group, name) if colon else ("", title)
        if not groups or groups[-1][0] != group:
            groups.append((group, []))
        groups[-1][1].append(name)
    return groups


def markdown(table: SideTable) -> str:
    """A pipe table with its title and note."""
    sides = ["--:" if right else ":--" for right in numeric(table)]
    cells = [[in_markdown(cell) for cell in line] for line in [table.header, *table.lines] if line]
    lines = [f"| {' | '.join(line)} |" for line in [cells[0], sides, *cells[1:]]]
    parts = [
        f"## {in_markdown(table.title)}",
        "\n".join(lines),
        *map(in_markdown, table.note.split("\n\n")),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def latex(table: SideTable) -> str:
    """One file to be \\input, in booktabs' rules; its first line names the packages it needs.

    A table that fits a page is a float, shrunk to the line where it is wider. A longer one goes
    over pages, and one that shrinking would make illegible lies on pages turned by a quarter.
    """
    header = _latex_header(table.header)
    lines = [" & ".join(map(in_latex, line)) + r" \\" if line else r"\addlinespace"
             for line in table.lines]  # fmt: skip
    title = in_latex(re.sub(r"^Table \w+: ", "", table.title))  # LaTeX counts tables itself
    label = re.sub("[^a-z0-9]+", "-", table.title.lower()).strip("-")
    caption = rf"\caption{{{title}}}\label{{tab:{label}}}"
    note = []
    if table.note:
        note = [rf"{{\footnotesize\raggedright\noindent {in_latex(table.note)}\par}}"]
    wide = _latex_width(table)
    turned = _turned(table)
    if not turned and len(lines) <= _LINES:
        return _lines_of(
            r"% \usepackage{booktabs,amssymb,array,graphicx}",
            r"\begin{table}",
            r"\centering",
            caption,
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{_latex_columns(table)}}}",
            r"\toprule",
            *header,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            *([r"\par\smallskip"] if note else []),
            *note,
            r"\end{table}",
        )
    gap = rf"\scriptsize\setlength{{\tabcolsep}}{{{2 if turned else 3}pt}}"
    size = gap if wide > _UPRIGHT else r"\small"
    packages = "booktabs,amssymb,array,longtable" + (",pdflscape" if turned else "")
    begin = [r"\begin{landscape}"] if turned else []
    end = [r"\end{landscape}"] if turned else []
    return _lines_of(
        rf"% \usepackage{{{packages}}}",
        "% Of more than one page, or turned: for a document of one column.",
        *begin,
        rf"\begingroup{size}",
        rf"\begin{{longtable}}{{{_latex_columns(table)}}}",
        rf"{caption}\\",
        r"\toprule",
        *header,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        *header,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *lines,
        r"\end{longtable}",
        r"\endgroup",
        *note,
        *end,
    )


def _lines_of(*lines: str) -> str:
    return "\n".join([*lines, ""])


def _longest(table: SideTable) -> list[int]:
    """Characters of the longest cell of each column; a heading counts without its group."""
    names = [name for _, group in grouped(table.header) for name in group]
    cells = [names, *filter(None, table.lines)]
    return [max(len(line[i]) for line in cells) for i in range(len(names))]


def _latex_columns(table: SideTable) -> str:
    """l, r, and of long cells p, which share half a line, or 0.3 of a turned one."""
    longest, share = _longest(table), 0.3 if _turned(table) else 0.5
    long = sum(n for n in longest if n > _PARAGRAPH)
    return "".join(
        rf">{{\raggedright\arraybackslash}}p{{{share * n / long:.2f}\linewidth}}"
        if n > _PARAGRAPH
        else "lr"[right]
        for n, right in zip(longest, numeric(table))
    )


def _turned(table: SideTable) -> bool:
    return _latex_width(table) > (_FLOAT if len(table.lines) <= _LINES else _SMALL)


def _latex_width(table: SideTable) -> float:
    """About how wide it would be at 10 pt: a character has 5 pt, the gap of columns 12 pt."""
    return sum(5 * min(n, _PARAGRAPH) + 12 for n in _longest(table))


def _latex_header(header: Sequence[str]) -> list[str]:
    groups = grouped(header)
    names = [name for _, group in groups for name in group]
    above, rules, column = [], "", 1
    for group, of_group in groups:
        over = in_latex(group)
        above.append(rf"\multicolumn{{{len(of_group)}}}{{c}}{{{over}}}")
        last = column + len(of_group) - 1
        rules += rf"\cmidrule(lr){{{column}-{last}}}" if group else ""
        column = last + 1
    first = [" & ".join(above) + r" \\", rules] if rules else []
    return [*first, " & ".join(map(in_latex, names)) + r" \\"]


def comma_separated(table: SideTable) -> str:
    """The cells, marks as words behind a blank; empty lines left out."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for line in filter(None, [table.header, *table.lines]):
        words = [_MARKED.sub(lambda m: f" {_MEANING[m[1]]}", cell) for cell in line]
        writer.writerow([new if new == cell else new.strip() for new, cell in zip(words, line)])
    return text.getvalue()


def html(table: SideTable) -> str:
    """A table element with its caption and note; nothing in it is markup.

    Each cell names its column, which a page shows beside it where it is too narrow for a table.
    """
    right = numeric(table)
    groups = grouped(table.header)
    names = [name for _, group in groups for name in group]
    columns = [" ".join(filter(None, (of, name))) for of, group in groups for name in group]
    above = "".join(
        f"<th colspan={len(of_group)}{' class=over' if group else ''}>{escape(group)}</th>"
        for group, of_group in groups
    )
    head = _head(names, right)
    if any(group for group, _ in groups):
        head = f"<tr>{above}</tr>{head}"
    lines: list[str] = []
    previous = True
    for line in table.lines:
        lines += [_html_line(line, columns, right, ruled=not previous)] if line else []
        previous = bool(line)
    paragraphs = filter(None, table.note.split("\n\n"))
    note = "".join(f'<p class="note">{escape(paragraph)}</p>' for paragraph in paragraphs)
    return (
        f'<div class="wide"><table><caption>{escape(table.title)}</caption>\n'
        f"<thead>{head}</thead>\n<tbody>{chr(10).join(lines)}</tbody></table></div>{note}"
    )


def _head(names: Sequence[str], right: Sequence[bool]) -> str:
    cells = (f"<th{_class_of(of)}>{escape(name)}</th>" for name, of in zip(names, right))
    return f"<tr>{''.join(cells)}</tr>"


def _class_of(is_number: bool) -> str:
    return " class=n" if is_number else ""


def _html_line(
    cells: Sequence[str], columns: Sequence[str], right: Sequence[bool], ruled: bool
) -> str:
    texts = [
        f'<td{_class_of(of)} data-column="{escape(column)}">{_marked(escape(cell))}</td>'
        for cell, column, of in zip(cells, columns, right)
    ]
    return f"<tr{' class=ruled' if ruled else ''}>{''.join(texts)}</tr>"


def _marked(cell: str) -> str:
    def titled(match: re.Match[str]) -> str:
        name = _MEANING[match[1]]
        kind = name.split()[0]
        return f'&nbsp;<abbr class="{kind}" title="{name}">{match[1]}</abbr>'

    return _MARKED.sub(titled, cell)


FORMATS: Mapping[str, Callable[[SideTable], str]] = {
    "md": markdown,
    "tex": latex,
    "csv": comma_separated,
}
