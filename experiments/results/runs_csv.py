"""Tables of a result directory: runs.csv, one row per run, and others of comma-separated values.

`read_runs` holds runs.csv to the schema of `columns`; `append_rows` and `read_rows` take any
table. Nothing here depends on the clock or the machine's name, so the same
runs give the same bytes.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.results.columns import Row, check_rows
from privrep.files import replace_file


def read_runs(path: Path) -> list[Row]:
    """The rows of runs.csv, as `read_rows`.

    Raises:
      ValueError: see `columns.check_rows`.
    """
    rows = read_rows(path)
    check_rows(rows, str(path), written=False)
    return rows


def append_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Appends rows to a table of comma-separated values, which need not exist.

    The file is replaced as a whole, so a kill at any moment leaves all rows or those before.
    Columns stand in the order of first appearance: new ones on the right, empty in older rows. A
    float is written so that reading gives the same float, NaN as nan, None as an empty cell.

    Raises:
      ValueError: a value is no string, number, bool or None, or is a string with a line break; or
        the file is no such table.
    """
    if not rows:
        return
    header, cells = read_cells(path)
    columns = list(dict.fromkeys([*header, *(column for row in rows for column in row)]))
    lines = [line + [""] * (len(columns) - len(header)) for line in cells]
    lines += [[written(row.get(c), c) for c in columns] for row in rows]
    replace_file(path, text_of(columns, lines))


def read_rows(path: Path) -> list[Row]:
    """The rows of `append_rows`, each with every column; [] where there is no file.

    A string that spells a number as Python would (a hash "1234567") comes back as that number; its
    str() is the string. An empty string comes back as None.
    """
    header, cells = read_cells(path)
    return [{column: _read(cell) for column, cell in zip(header, line)} for line in cells]


def text_of(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """The content of a table's file."""
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows([columns, *lines])
    return table.getvalue()


def read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """(header, lines) as they are written; ([], []) where there is no file."""
    if not path.exists():
        return [], []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *cells = list(csv.reader(file)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    for number, line in enumerate(cells, start=2):
        if len(line) != len(header):
            raise ValueError(
                f"{path}, line {number}: {len(line)} cells under {len(header)} columns; the file "
                "was changed by another program, repair the line or choose another --workdir"
            )
    return header, cells


def written(value: Any, column: str) -> str:
    """The cell of a value, see `append_rows`."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()  # a scalar of numpy or jax
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bool | int) or (isinstance(value, str) and not {*value} & {*"\r\n\0"}):
        return str(value)
    raise ValueError(f"column {column!r}: {value!r} does not fit into one cell of a table")


def _read(cell: str) -> str | float | int | bool | None:
    if cell == "":
        return None
    if cell in ("True", "False"):
        return cell == "True"
    kinds: tuple[type[int] | type[float], ...] = (int, float)
    for kind in kinds:
        try:
            number = kind(cell)
        except ValueError:
            continue
        if repr(number) == cell:
            return number
    return cell
