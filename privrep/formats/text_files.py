"""Text files in any encoding, line by line with their places, and their tables."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from privrep.messages import misread


def read_text(path: Path) -> str:
    """A file's text: UTF-8, UTF-16 that begins with its byte order mark, else Latin-1."""
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # "Unicode text" of Excel
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields ("path:number", line) for each line; the first is what an error names."""
    # str.splitlines would also split at the byte 0x85, which old Latin-1 files use as an ellipsis.
    for number, line in enumerate(io.StringIO(read_text(path), newline=None), 1):
        yield f"{path}:{number}", line.rstrip("\n")


def read_table(
    path: Path, required: Iterable[str], delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields ("path:number", {column: cell}) for each row of a CSV with a header, blanks stripped.

    Raises:
      ValueError: a required column is missing or a column is there twice, a row has other cells
        than the header, or quotes do not close.
    """
    rows = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    line = 1  # a quoted cell may span lines: the row is where it starts
    try:
        header = [name.strip() for name in next(rows, [])]
        if not any(header):
            raise ValueError(f"{path}: the file is empty; expected a header with columns")
        missing = [name for name in required if name not in header]
        if missing:
            case = [
                (has, name) for name in missing for has in header if has.lower() == name.lower()
            ]
            hint = "".join(f"; rename {has} to {name}, case matters" for has, name in case)
            raise ValueError(
                f"{path}:1: no column {' and no column '.join(missing)} in the header; its "
                f"columns are {', '.join(header)}{hint}"
            )
        if len(set(header)) < len(header):
            raise misread(f"{path}:1", delimiter.join(header), "each column once")
        while True:
            line = rows.line_num + 1
            cells = next(rows, None)
            if cells is None:
                return
            if not any(cells):
                continue
            if len(cells) != len(header):
                wanted = f"{len(header)} cells as in the header, not {len(cells)}"
                raise misread(f"{path}:{line}", delimiter.join(cells), wanted)
            yield f"{path}:{line}", dict(zip(header, (cell.strip() for cell in cells)))
    except csv.Error as error:
        raise ValueError(f"{path}:{line}: this row is no CSV: {error}") from None
