"""A table as text for people and programs: Markdown, LaTeX, comma-separated values, HTML.

A cell may hold anything that a label holds; each format escapes what it would read as its own.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from experiments.poster import BETTER, SAME, WORSE
from experiments.side_tables import SideTable

# Shape and word carry the meaning; where there is colour it only repeats it.
MARKS = {BETTER: "▲", WORSE: "▼", SAME: "○", "not compared": "·"}
_MEANING = {mark: name for name, mark in MARKS.items()}
_MARKED = re.compile(f" ?([{''.join(_MEANING)}])$")
_NUMBER = re.compile(rf"[-+−]?\d|-?$|[{''.join(_MEANING)}]$")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "λ": r"$\lambda$",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "–": "--",
    "…": r"\ldots{}",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "○": r"$\circ$",
    "·": r"$\cdot$",
}


def numeric(table: SideTable) -> list[bool]:
    """Of each column whether its cells are numbers (or empty), which are set to the right."""
    lines = [line for line in table.lines if line]
    return [
        any(line[i] for line in lines) and all(_NUMBER.match(line[i]) for line in lines)
        for i in range(len(table.header))
    ]


def grouped(header: Sequence[str]) -> list[tuple[str, list[str]]]:
    """[(group, names)] of neighbours "group: name"; the group is "" where a column has none."""
    found: list[tuple[str, list[str]]] = []
    for title in header:
        group, colon, name = title.partition(": ")
        group, name = (group, name) if colon else ("", title)
        if not found or found[-1][0] != group:
            found.append((group, []))
        found[-1][1].append(name)
    return found


def markdown(table: SideTable) -> str:
    """A pipe table with its title and note."""
    sides = ["--:" if right else ":--" for right in numeric(table)]
    cells = [[_in_markdown(cell) for cell in line] for line in [table.header, *table.lines] if line]
    lines = [f"| {' | '.join(line)} |" for line in [cells[0], sides, *cells[1:]]]
    parts = [f"## {_in_markdown(table.title)}", "\n".join(lines), _in_markdown(table.note)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", " ".join(text.split()))


def latex(table: SideTable) -> str:
    """A table environment in booktabs' rules, of one file that can be \\input."""
    columns = "".join("r" if right else "l" for right in numeric(table))
    body = _latex_header(table.header)
    for line in table.lines:
        body.append(" & ".join(map(in_latex, line)) + r" \\" if line else r"\addlinespace")
    return "\n".join(
        [
            r"% \usepackage{booktabs,amssymb,graphicx}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{in_latex(table.title)}. {in_latex(table.note)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def _latex_header(header: Sequence[str]) -> list[str]:
    groups = grouped(header)
    names = [name for _, told in groups for name in told]
    above, rules, column = [], "", 1
    for group, told in groups:
        over = in_latex(group)
        above.append(rf"\multicolumn{{{len(told)}}}{{c}}{{{over}}}")
        last = column + len(told) - 1
        rules += rf"\cmidrule(lr){{{column}-{last}}}" if group else ""
        column = last + 1
    first = [" & ".join(above) + r" \\", rules] if rules else []
    return [*first, " & ".join(map(in_latex, names)) + r" \\", r"\midrule"]


def in_latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def comma_separated(table: SideTable) -> str:
    """The cells, marks as words behind a blank; empty lines left out."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for line in filter(None, [table.header, *table.lines]):
        told = [_MARKED.sub(lambda m: f" {_MEANING[m[1]]}", cell) for cell in line]
        writer.writerow([new if new == cell else new.strip() for new, cell in zip(told, line)])
    return text.getvalue()


def html(table: SideTable) -> str:
    """A table element with its caption and note; nothing in it is markup."""
    right = numeric(table)
    groups = grouped(table.header)
    names = [name for _, told in groups for name in told]
    above = "".join(
        f"<th colspan={len(told)}{' class=over' * (group != '')}>{escape(group)}</th>"
        for group, told in groups
    )
    head = f"<tr>{above}</tr>" * any(group for group, _ in groups) + _html_line("th", names, right)
    lines, previous = [], True
    for line in table.lines:
        lines += [_html_line("td", line, right, ruled=not previous)] if line else []
        previous = bool(line)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="wide"><table><caption>{escape(table.title)}</caption>\n'
        f"<thead>{head}</thead>\n<tbody>{chr(10).join(lines)}</tbody></table></div>{note}"
    )


def _html_line(tag: str, cells: Sequence[str], right: Sequence[bool], ruled: bool = False) -> str:
    told = [
        f"<{tag}{' class=n' * n}>{_marked(escape(cell))}</{tag}>" for cell, n in zip(cells, right)
    ]
    return f"<tr{' class=ruled' * ruled}>{''.join(told)}</tr>"


def _marked(cell: str) -> str:
    def titled(found: re.Match) -> str:
        name = _MEANING[found[1]]
        kind = name.split()[0]
        return f'&nbsp;<abbr class="{kind}" title="{name}">{found[1]}</abbr>'

    return _MARKED.sub(titled, cell)


FORMATS: Mapping[str, Callable[[SideTable], str]] = {
    "md": markdown,
    "tex": latex,
    "csv": comma_separated,
}
