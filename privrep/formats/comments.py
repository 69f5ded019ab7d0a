"""Comment lines of tables of text: which lines that begin with # are none of the table (host).

A cell may begin with #, too: the header may name a column #, ids may be #1, #2. Such a line is left
out unless it is the header, most rows begin so, or it stands within a quoted cell; where it may be
either, the reader asks.
"""

import contextlib
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from privrep.messages import shown

_MARKED = re.compile(r'^[ \t]*"?#', re.MULTILINE)
_MARK = re.compile(r'^[ \t]*"?#+ *')
_OF_ROWS = re.compile(r"\d|[/\\]|\.\w{2,4}$")  # in a cell that is hardly the name of a column
_UNSPACED = re.compile(r"[ \t]*#[^\s#]")
_COMPARED = 20  # records
_Record = tuple[int, list[str]]


def unmarked(text: str) -> str:
    """The text without lines that begin with #, for a first look; all of it if nothing is left."""
    if not _MARKED.search(text):
        return text
    lines = [line for line in io.StringIO(text, newline="") if not _MARKED.match(line)]
    return "".join(lines) if any(map(str.strip, lines)) else text


def without_comments(text: str, delimiter: str, path: Path) -> tuple[str, tuple[str, ...]]:
    """The text with empty lines in place of comments, and a sentence that counts them.

    Args:
      text: of a table.
      delimiter: the character between cells; a blank stands for any number of them.
      path: for the sentence.

    Raises:
      ValueError: there are comments alone, or a line may be a comment and a row.
    """
    if not _MARKED.search(text):
        return text, ()
    lines = [*io.StringIO(text, newline="")]
    records, count, marked = _records(lines, delimiter)
    widths = {len(cells) for _, cells in marked}
    if not records and marked and (delimiter == " " or len(widths) > 1 or widths == {1}):
        raise ValueError(
            f"{path}: all of its lines begin with #, as comments do; expected a header that names "
            "the columns, and rows"
        )
    if not records or not marked:
        return text, ()
    header = _header(records, marked, delimiter)
    names = header or records[0]
    rows = count - (header is None)
    like_rows = {
        line: cells
        for line, cells in marked
        if line > names[0] and len(cells) == len(names[1]) and _UNSPACED.match(lines[line])
    }
    are_cells = 2 * len(like_rows) > len(like_rows) + rows
    if not are_cells:
        _check_commented(like_rows, names[1], records[1 - (header is not None) :], path)
    kept = {names[0], *(like_rows if are_cells else ())}
    comments = [line for line, _ in marked if line not in kept]
    for line in comments:
        lines[line] = re.sub(r"[^\r\n]+", "", lines[line])
    if header and header[1][0]:
        lines[header[0]] = _MARK.sub("", lines[header[0]])
    note = f"{path}: {len(comments):,} lines that begin with # were left out as comments"
    if like_rows and not are_cells:
        note += f", of which {len(like_rows):,} would be rows without it"
    return "".join(lines), (f"{note}.",) if comments else ()


def _check_commented(
    like_rows: Mapping[int, Sequence[str]],
    header: Sequence[str],
    rows: Sequence[_Record],
    path: Path,
) -> None:
    """Makes sure that lines such as #u3,anna,f are rows that were commented out.

    They are where their first cell, without the mark, is an id, number or path of the form that
    the rows have; #metoo may be what was said.

    Raises:
      ValueError: a line may be a comment and a row; the message says how to write either.
    """
    forms = {_form(cells[0]) for _, cells in rows}
    for line, cells in like_rows.items():
        if cells == header:  # of a table that was appended
            continue
        form = _form(cells[0])
        if form not in forms or not _OF_ROWS.search(cells[0]):
            raise ValueError(
                f"{path}:{line + 1}: is {shown('#' + cells[0])} a cell or the beginning of a "
                "comment? Quote the cell, or write a comment with a blank behind #"
            )


def _form(cell: str) -> str:
    """A cell with one letter for all letters in a row, and one figure for all figures."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", cell.strip()))


def _records(lines: Sequence[str], delimiter: str) -> tuple[list[_Record], int, list[_Record]]:
    """(line from 0, cells) of the first records, their count, and the marked lines between them."""
    modes: tuple[Literal[0, 3], ...] = (csv.QUOTE_MINIMAL,)
    if delimiter == "\t":  # or a quote is one of the text
        modes += (csv.QUOTE_NONE,)
    for quoting in modes:
        outside = _Outside(lines, delimiter, quoting)
        reader = csv.reader(
            outside,
            delimiter=delimiter,
            strict=True,
            quoting=quoting,
            skipinitialspace=delimiter == " ",
        )
        records: list[_Record] = []
        count = 0
        try:
            for cells in reader:
                count += bool(cells)
                if cells and count <= _COMPARED:
                    records.append((outside.begun, cells))
                outside.is_between = True
        except csv.Error:  # the reader of the table names the line
            continue
        break
    return records, count, outside.marked


class _Outside:
    """The lines for a reader of records, with empty ones in place of those that begin with #.

    A reader takes a line when it needs one: it stands between two records until it has begun one,
    and what begins with # within a record is a part of a quoted cell.
    """

    def __init__(self, lines: Sequence[str], delimiter: str, quoting: Literal[0, 3]) -> None:
        self._lines, self._delimiter, self._quoting = lines, delimiter, quoting
        self.is_between, self.begun = True, 0
        self.marked: list[_Record] = []

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._lines):
            if self.is_between and (cells := self._marked_cells(line)):
                self.marked.append((number, cells))
                yield "\n"
                continue
            if self.is_between and line.strip():
                self.is_between, self.begun = False, number
            yield line.strip() + "\n" if self._delimiter == " " else line

    def _marked_cells(self, line: str) -> list[str]:
        """The cells behind the mark of a line; none if it has no mark, or quotes a cell with it."""
        if not _MARKED.match(line):
            return []
        is_quoted = line.lstrip().startswith('"')
        cells = _cells(line if is_quoted else _MARK.sub("", line), self._delimiter, self._quoting)
        if is_quoted and (any(cells[1:]) or line.count('"') % 2):
            return []
        return cells or [""]


def _cells(line: str, delimiter: str, quoting: Literal[0, 3]) -> list[str]:
    text = line.strip() if delimiter == " " else line.rstrip("\r\n")
    with contextlib.suppress(csv.Error):
        reader = csv.reader([text], delimiter=delimiter, quoting=quoting, skipinitialspace=True)
        return [cell.strip() for cell in next(reader, [])]
    return [text]


def _header(
    records: Sequence[_Record], marked: Sequence[_Record], delimiter: str
) -> _Record | None:
    """The line that begins with # and is the header, if one is: #id,speaker or #,id,speaker."""
    before = [record for record in marked if record[0] < records[0][0]]
    if not before:
        return None
    line, cells = before[-1]
    width = len(records[0][1])
    is_named = all(cells[1:]) and not any(" " in cell for cell in cells)
    # A column # of row numbers has no name of its own where blanks separate.
    widths = (width, width - 1) if delimiter == " " else (width,)
    if width < 2 or len(cells) not in widths or not is_named:
        return None
    first_cells = records[0][1]
    recurs = any(
        cell and cell == other for _, row in records[1:] for cell, other in zip(first_cells, row)
    )
    is_row = recurs or any(_OF_ROWS.search(cell.strip()) for cell in first_cells)
    looks_like_row = any(_OF_ROWS.search(cell) for cell in cells)
    return (line, cells) if not cells[0] or (is_row and not looks_like_row) else None
