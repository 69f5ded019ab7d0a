"""The table of labels, and what reading any table takes, with care (host).

Nothing here evaluates or follows what a file says; text stays text.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from privrep.messages import first, shown

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
ID = "id"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LONGEST_CELL = 1 << 20
PICKLED = (
    "it holds Python objects, a pickle, which is never loaded, for it can run code. Where it was "
    "made, save an array of numbers: numpy.save(PATH, numpy.stack(h).astype('float32'))"
)
_BEGINNINGS = {b"\x93NUMPY": ".npy", b"PK": ".npz", b"PAR1": ".parquet", b"\x1f\x8b": ".gz"}
_LOOKED_AT = 64  # bytes
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # what such a text begins with


class Table(NamedTuple):
    """columns: {name: N cells}, None where a cell is empty; path: for messages."""

    columns: dict[str, list[str | None]]
    path: Path


def read_table(path: str | Path) -> Table:
    """Reads labels from .csv or .tsv with a header, .jsonl (an object a line) or .parquet.

    Every cell becomes a string (`cell_of`), an empty one None.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, or not a table; the message names the line.
    """
    path = there(path, TABLES)
    read = {".jsonl": _jsonl, ".parquet": _parquet_table}.get(path.suffix.lower(), _csv_table)
    return Table({name: list(map(cell_of, cells)) for name, cells in read(path).items()}, path)


def there(path: str | Path, kinds: Sequence[str]) -> Path:
    """`path`, if it is a file of one of the kinds, by its ending and by its first bytes.

    Raises:
      FileNotFoundError, ValueError: it is not.
    """
    path = Path(path)
    if path.is_dir():
        held = sorted(one.name for one in path.iterdir() if one.suffix.lower() in kinds)
        raise ValueError(
            f"{path}: is a folder; name a file, {', '.join(kinds)}. "
            + (f"In it: {first(held)}" if held else "It holds none.")
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.suffix.lower() not in kinds:
        raise ValueError(
            f"{path}: cannot read {path.suffix or 'a file without an ending'} here, only "
            f"{', '.join(kinds)}. A pickle is never loaded, for it can run code: save numbers with "
            "numpy.save."
        )
    _check_beginning(path)
    return path


def _check_beginning(path: Path) -> None:
    with path.open("rb") as file:
        begins = file.read(_LOOKED_AT)
    if not begins:
        raise ValueError(f"{path}: is empty, 0 bytes; was it written to its end?")
    text = begins.decode("utf-8", "ignore")
    readable = text.strip() and all(c.isprintable() or c.isspace() for c in text)
    found = (kind for sign, kind in _BEGINNINGS.items() if begins.startswith(sign))
    like = "" if readable else next(found, "")  # a table's first column may be called PK
    ending = path.suffix.lower()
    if like == (ending if ending in _BEGINNINGS.values() else ""):
        return
    if like:
        told = f"it begins as {like} files do; give it the ending of what it is, or save it anew"
    elif begins[:1] == b"\x80":  # the first of a pickle's bytes
        told = PICKLED
    elif readable:
        told = (
            f"it is text that begins {shown(text.split()[0])}. A table of text ends in .csv or "
            ".tsv; if this is a note of what is kept elsewhere, fetch the file itself"
        )
    else:
        told = f"its first bytes are {begins[:8]!r}; was it damaged, or named by mistake?"
    raise ValueError(f"{path}: is no {ending} file, whatever its ending says: {told}")


def rows_by_id(ids: Sequence[str | None], path: Path) -> dict[str, int]:
    """{id: its row} of what a file holds.

    Raises:
      ValueError: a row has none, or another's.
    """
    rows: dict[str, int] = {}
    for i, one in enumerate(ids):
        if one is None:
            raise ValueError(f"{path}: row {i} (from 0) has no {ID}; each row takes one")
        if rows.setdefault(one, i) != i:
            raise ValueError(
                f"{path}: rows {rows[one]} and {i} (from 0) have the same {ID}, {shown(one)}; each "
                "row takes one of its own"
            )
    return rows


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
    except UnicodeDecodeError as error:
        raise ValueError(_not_utf8(path)) from error
    except csv.Error as error:
        raise ValueError(f"{path}: no table of text ({error})") from error
    finally:
        csv.field_size_limit(before)


def _not_utf8(path: Path) -> str:
    with path.open("rb") as file:
        mark = file.read(2)
    if mark in _UTF16:
        return (
            f"{path}: is text in UTF-16, by its first bytes, and UTF-8 is needed (of a "
            "spreadsheet: save as 'CSV UTF-8')"
        )
    with path.open("rb") as file:  # a byte that is a line's end is no part of another sign
        numbered = ((i, line) for i, line in enumerate(file, start=1))
        number, line = next(
            (i, line) for i, line in numbered if line.decode("utf-8", "ignore").encode() != line
        )
    return (
        f"{path}, line {number}: no text in UTF-8. The line is {shown(line.decode('latin-1'))} if "
        "the file is Latin-1 (of a spreadsheet: save as 'CSV UTF-8'); save it anew as UTF-8."
    )


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
    cells = next(records, [])
    if len(cells) == 1:
        check_separator(path, cells)  # before they are cleaned: a tab is a blank
    header = [cell_of(name) or "" for name in cells]
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
        raise ValueError(_not_utf8(path)) from error
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
        raise ValueError(
            f"{path}: needs pyarrow: pip install pyarrow, or save it as .csv"
        ) from error
    try:
        return parquet.ParquetFile(path).read()
    except (ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: no Parquet file ({error})") from error


def cell_of(value: object) -> str | None:
    """A value as a string without outer blanks, one for each inner run of them; empty, NaN: None.

    A line break is a blank: nothing that a file says can begin a line of what is printed.
    """
    text = "" if value is None or value != value else " ".join(str(value).split())  # NaN != NaN
    return text or None
