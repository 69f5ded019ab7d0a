"""The table of labels, and what reading any table takes, with care (host).

Nothing here evaluates or follows what a file says; text stays text.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
ID = "id"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_NAMED = 5  # rows, columns or values that a message names
_LONGEST_CELL = 1 << 20
_SHOWN = 40  # characters of a cell in a message


class Table(NamedTuple):
    """columns: {name: N cells}, None where a cell is empty; path: for messages."""

    columns: dict[str, list[str | None]]
    path: Path


def read_table(path: str | Path) -> Table:
    """Reads labels from .csv or .tsv with a header, .jsonl (an object a line) or .parquet.

    Every cell becomes a string without outer blanks, an empty one None.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, or not a table; the message names the line.
    """
    path = there(path, TABLES)
    read = {".jsonl": _jsonl, ".parquet": _parquet_table}.get(path.suffix.lower(), _csv_table)
    return Table({name: list(map(_cell, cells)) for name, cells in read(path).items()}, path)


def there(path: str | Path, kinds: Sequence[str]) -> Path:
    """`path`, if it is a file of one of the kinds.

    Raises:
      FileNotFoundError, ValueError: it is not.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.suffix.lower() not in kinds:
        raise ValueError(
            f"{path}: cannot read {path.suffix or 'a file without an ending'} here, only "
            f"{', '.join(kinds)}. A pickle is never loaded, for it can run code: save numbers with "
            "numpy.save."
        )
    return path


def first(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def shown(cell: str) -> str:
    """A cell for a message: quoted, and not all of a long one."""
    return repr(cell if len(cell) <= _SHOWN else cell[:_SHOWN] + "…")


def lines(path: Path) -> Iterator[list[str]]:
    """The records of a .csv or .tsv that are not empty, as cells.

    Raises:
      ValueError: no text in UTF-8, or no table.
    """
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.reader(file, delimiter=DELIMITERS[path.suffix.lower()]):
                if line:
                    yield line
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no table of text in UTF-8 ({error})") from error
    finally:
        csv.field_size_limit(before)


def check_separator(path: Path, cells: Sequence[str]) -> None:
    """Makes sure that no cell holds what separates cells in files of another kind.

    Raises:
      ValueError: one does.
    """
    own = DELIMITERS[path.suffix.lower()]
    for sign, name in _SIGNS.items():
        if sign != own and any(sign in cell for cell in cells):
            raise ValueError(
                f"{path}: is its text separated by {name}? A {path.suffix} file has "
                f"{_SIGNS[own]} between its cells, and points in its decimal fractions. Its first "
                f"line begins with {shown(cells[0])}; save it anew with {_SIGNS[own]}"
                + (", or, separated by tabs, as .tsv." if sign == "\t" else ".")
            )


def _csv_table(path: Path) -> Mapping[str, list]:
    records = lines(path)
    header = [name.strip() for name in next(records, [])]
    if len(header) == 1:
        check_separator(path, header)
    _check_header(header, path)
    rows = []
    for number, line in enumerate(records, start=2):
        if len(line) != len(header):
            raise ValueError(
                f"{path}, record {number}: {len(line)} cells under {len(header)} columns"
            )
        rows.append(line)
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def _check_header(header: Sequence[str], path: Path) -> None:
    if not header or "" in header or len(set(header)) < len(header):
        raise ValueError(f"{path}: needs a header, a name of its own for each column")


def _jsonl(path: Path) -> Mapping[str, list]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: no text in UTF-8 ({error})") from error
    numbered = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = [_object(line, f"{path}, line {number}") for number, line in numbered]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _object(line: str, where: str) -> dict:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: {error}") from error
    if not isinstance(row, dict) or any(isinstance(cell, dict | list) for cell in row.values()):
        raise ValueError(f"{where}: not an object of texts and numbers")
    return row


def _parquet_table(path: Path) -> Mapping[str, list]:
    table = parquet_of(path)
    _check_header(table.column_names, path)
    return {name: table[name].to_pylist() for name in table.column_names}


def parquet_of(path: Path):
    """The whole file as a pyarrow.Table.

    Raises:
      ValueError: pyarrow is not installed, or this is no Parquet file.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(f"{path}: needs pyarrow, pip install 'privrep[parquet]'") from error
    try:
        return parquet.ParquetFile(path).read()
    except (ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: no Parquet file ({error})") from error


def _cell(value: object) -> str | None:
    text = "" if value is None or value != value else str(value).strip()  # NaN is not itself
    return text or None
