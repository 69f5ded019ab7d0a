"""Tables of text whose cells are separated by blanks, or stand one below another (host)."""

import csv
import io
import re
from collections.abc import Sequence

_Record = tuple[int, list[str]]
_AGREEING = 0.5  # of the rows: so many make it a table, and the others damaged rows


def split_at_blanks(text: str) -> list[_Record] | None:
    """(line from 1, cells) of each line that is not empty; None where this is no such table.

    Cells are separated by any number of blanks; by two and more where cells hold single ones; or
    begin below the names of the header, where some are empty. A quoted cell may hold blanks. Where
    every row begins with its number and the header does not name it, as pandas and R print, the
    name of that column is empty.

    >>> split_at_blanks("id   speaker\\nu1   Anna M\\nu22  Bo\\n")
    [(1, ['id', 'speaker']), (2, ['u1', 'Anna M']), (3, ['u22', 'Bo'])]
    """
    numbered = enumerate(io.StringIO(text, newline=None), 1)
    lines = [(i, line.expandtabs().rstrip()) for i, line in numbered if line.strip()]
    if not lines:
        return None
    runs = _numbered([(i, _at_any(line)) for i, line in lines])
    if _agreeing(runs) == 1:
        return runs
    wide = _numbered([(i, _at_two(line)) for i, line in lines])
    for table in (wide, _in_columns(lines, " +"), _in_columns(lines, " {2,}")):
        if table and _agreeing(table) == 1:
            return table
    is_damaged = _agreeing(runs) >= _AGREEING or all(len(cells) > 1 for _, cells in runs)
    return runs if len(runs) > 2 and is_damaged else None


def _numbered(table: list[_Record]) -> list[_Record]:
    """The table, with an empty name in its header where that does not name the rows' numbers."""
    number, header = table[0]
    firsts = [cells[0] for _, cells in table[1:]]
    is_numbered = all(map(str.isdecimal, firsts)) and len({*firsts}) == len(firsts)
    if is_numbered and firsts and all(len(cells) == len(header) + 1 for _, cells in table[1:]):
        return [(number, ["", *header]), *table[1:]]
    return table


def _at_any(line: str) -> list[str]:
    try:
        return next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True, strict=True))
    except csv.Error:  # quotes do not close: a damaged row, of one cell
        return [line.strip()]


def _at_two(line: str) -> list[str]:
    return [re.sub(r'^"(.*)"$', r"\1", cell) for cell in re.split(" {2,}", line.strip())]


def _in_columns(lines: Sequence[tuple[int, str]], between: str) -> list[_Record]:
    """The cells below the names of the header, which the pattern `between` separates.

    None where a cell reaches into the next column or a column has no cell.
    """
    starts = [match.end() - 1 for match in re.finditer(rf"(?:^ *|{between})\S", lines[0][1])]
    if any(line[start - 1 : start].strip() for _, line in lines for start in starts if start):
        return []
    ends = [*starts[1:], None]
    table = [(i, [line[a:b].strip() for a, b in zip(starts, ends)]) for i, line in lines]
    is_full = all(map(any, zip(*(cells for _, cells in table[1:]))))
    return table if is_full else []


def _agreeing(table: Sequence[_Record]) -> float:
    """The share of rows that have as many cells as the header, which has two or more."""
    width = len(table[0][1])
    rows = [len(cells) == width for _, cells in table[1:]]
    return sum(rows) / len(rows) if rows and width > 1 else 0.0
