"""Tables of text cells in .csv, .tsv, .jsonl and .parquet files, read with checks (host).

Every cell is text: "01" stays "01" and "NA" stays "NA". Nothing in a file is evaluated: no formula,
no pickle.
"""

import contextlib
import csv
import functools
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privrep.formats.limits import check_cells, check_promise
from privrep.formats.text_files import not_utf8, read_utf8
from privrep.messages import first, misread, shown

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
ID = "id"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MAX_CELL = 1 << 20  # characters
_LINE_BREAK = r"\r\n|\r|\n"
PICKLED = (
    "it holds Python objects, a pickle, which is never loaded, for it can run code. Where it was "
    "made, save an array of numbers: numpy.save(PATH, numpy.stack(h).astype('float32'))"
)
_SIGNATURES = {b"\x93NUMPY": ".npy", b"PK": ".npz", b"PAR1": ".parquet", b"\x1f\x8b": ".gz"}
_PEEK_BYTES = 64


@dataclass(frozen=True)
class Table:
    """A table of N rows as it was read.

    Attributes:
      cells: {column name: N cells} without outer blanks; "" where a cell is empty.
      lines: [N], the line of the file at which each row begins, from 1; in a .parquet file, the
        number of the row.
      path: the file, for error messages.
    """

    cells: dict[str, list[str]]
    lines: Sequence[int]
    path: Path

    @functools.cached_property
    def columns(self) -> dict[str, list[str | None]]:
        """{column name: N cells of `cell_of`}: each run of blanks as one, None where empty."""
        return {name: list(map(cell_of, column)) for name, column in self.cells.items()}

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yields ("path:line", {column name: cell}) for each row that has a cell that is not empty.

        The first element is what an error message names as the place.
        """
        for line, cells in zip(self.lines, zip(*self.cells.values())):
            if any(cells):
                yield f"{self.path}:{line}", dict(zip(self.cells, cells))


def read_table(
    path: str | Path,
    required: Collection[str] = (),
    *,
    delimiter: str | None = None,
    decode: Callable[[Path], str] = read_utf8,
) -> Table:
    """Reads a .csv or .tsv file with a header, .jsonl (one object per line) or .parquet.

    Args:
      path: the file.
      required: names of columns that must be there. If any are given, one column may lack a name,
        such as the row numbers that pandas writes.
      delimiter: the character between cells, for text of any ending; None takes the format from
        the ending of the file's name.
      decode: reads the file's text, `read_utf8` or, for releases in other encodings, `read_text`.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, another encoding, no header or one that names a column
        twice, a required column is missing, a row has another number of cells than the header,
        quotes do not close, or a cell has more than 2**20 characters. The message names the line.
    """
    path = Path(path) if delimiter else existing_file(path, TABLES)
    ending = path.suffix.lower()
    if not delimiter and ending == ".jsonl":
        return _json_lines(decode(path), required, path)
    if not delimiter and ending == ".parquet":
        parquet = parquet_of(path)
        _check_header(parquet.column_names, required, str(path))
        columns = {name: parquet[name].to_pylist() for name in parquet.column_names}
        return table_of_columns(columns, range(1, parquet.num_rows + 1), path)
    return _delimited_text(decode(path), delimiter or DELIMITERS[ending], required, path)


def _delimited_text(text: str, delimiter: str, required: Collection[str], path: Path) -> Table:
    import pandas as pd  # here, since it takes longer to import than a small table to read

    body = text.lstrip("\r\n")
    if not body.strip():
        raise ValueError(f"{path}: the file is empty; expected a header that names the columns")
    try:
        with _cell_limit():
            # The engine "python" reads quotes strictly and leaves NaN where a row is short.
            frame = pd.read_csv(
                io.StringIO(body, newline=""),
                sep=delimiter,
                header=None,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                engine="python",
            )
    except pd.errors.ParserError as error:
        _check_records(text, delimiter, path)
        raise ValueError(f"{path}: {error}") from error
    is_missing = frame.isna()
    is_blank_line = is_missing.all(axis=1)
    if (is_missing.any(axis=1) & ~is_blank_line).any():
        _check_records(text, delimiter, path)
    num_lines = pd.Series(1, frame.index)
    if '"' in body:  # only a quoted cell can span lines
        breaks = frame.apply(lambda column: column.str.count(_LINE_BREAK))
        num_lines += breaks.sum(axis=1).astype(int)
    first_line = 1 + len(re.findall(_LINE_BREAK, text[: len(text) - len(body)]))
    lines = first_line + num_lines.cumsum().shift(fill_value=0)
    header = frame.iloc[0].tolist()
    if len(header) == 1:
        check_separator(path, header, delimiter)
    names = [cell_of(name) or "" for name in header]
    _check_header(names, required, f"{path}:{first_line}", delimiter)
    is_row = ~is_blank_line & (frame.index > 0)
    cells = {name: frame.loc[is_row, i].str.strip().tolist() for i, name in enumerate(names)}
    return Table(cells, lines[is_row].tolist(), path)


def _check_records(text: str, delimiter: str, path: Path) -> None:
    """Raises the ValueError that names the first record with other cells than the header."""
    header: list[str] | None = None
    for line, cells in records(io.StringIO(text, newline=""), delimiter, path):
        header = header or cells
        if len(header) == 1:
            check_separator(path, header, delimiter)
        if len(cells) != len(header):
            expected = f"{len(header)} cells as in the header, not {len(cells)}"
            raise misread(f"{path}:{line}", delimiter.join(cells), expected)


def _check_header(
    header: Sequence[str], required: Collection[str], place: str, delimiter: str = ", "
) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        same_letters = [
            (name, wanted)
            for wanted in missing
            for name in header
            if name.lower() == wanted.lower()
        ]
        hint = "".join(
            f"; rename {name} to {wanted}, case matters" for name, wanted in same_letters
        )
        raise ValueError(
            f"{place}: no column {' and no column '.join(missing)} in the header; its columns are "
            f"{', '.join(header)}{hint}"
        )
    has_unnamed = "" in header and not required
    if not any(header) or has_unnamed or len(set(header)) < len(header):
        raise misread(place, delimiter.join(header), "a different name for each column")


@contextlib.contextmanager
def _cell_limit() -> Iterator[None]:
    previous = csv.field_size_limit(_MAX_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(previous)


def records(file: Iterable[str], delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields (line at which it begins, cells) for each record of delimited text that is not empty.

    Args:
      file: the lines with their ends; they are read as they are needed.
      delimiter: the character between cells.
      path: for error messages.

    Raises:
      ValueError: quotes do not close, or a cell has more than 2**20 characters.
    """
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    line = 1
    with _cell_limit():
        try:
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(f"{path}:{line}: this row is not CSV: {error}") from error


def utf8_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The `records` of a .csv or .tsv file in UTF-8, of which no more is read than is asked for.

    Raises:
      ValueError: as `records`, or the file is not in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from records(file, DELIMITERS[path.suffix.lower()], path)
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error


def check_separator(path: Path, cells: Sequence[str], delimiter: str) -> None:
    """Makes sure that no cell holds a character that separates cells in files of another kind.

    Raises:
      ValueError: a cell does; the message says how to save the file.
    """
    for separator, name in _SEPARATORS.items():
        if separator != delimiter and any(separator in cell for cell in cells):
            remedy = f"save it again with {_SEPARATORS.get(delimiter, repr(delimiter))}"
            if separator == "\t":
                remedy += ", or, separated by tabs, as .tsv"
            raise ValueError(
                f"{path}: is its text separated by {name}? A {path.suffix} file has "
                f"{_SEPARATORS.get(delimiter, repr(delimiter))} between its cells, and points in "
                f"its decimal fractions. Its first line begins with {shown(cells[0])}; {remedy}."
            )


def _json_lines(text: str, required: Collection[str], path: Path) -> Table:
    numbered = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = [_json_object(line, f"{path}:{number}") for number, line in numbered]
    names = dict.fromkeys(name for row in rows for name in row)
    check_cells(path, len(rows), len(names))
    _check_header([*names], required, str(path))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return table_of_columns(columns, [number for number, _ in numbered], path)


def _json_object(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: {error}") from error
    if not isinstance(row, dict) or any(isinstance(cell, dict | list) for cell in row.values()):
        raise ValueError(f"{place}: is not a JSON object of texts and numbers")
    return row


def table_of_columns(columns: dict[str, list[Any]], lines: Sequence[int], path: Path) -> Table:
    """A table from {column name: N cells of any type}; None and NaN are empty cells."""
    cells = {name: list(map(_stripped, column)) for name, column in columns.items()}
    return Table(cells, lines, path)


def parquet_of(path: Path) -> Any:
    """The whole file as a pyarrow.Table.

    Raises:
      ValueError: pyarrow is not installed, or this is not a Parquet file.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(
            f"{path}: needs pyarrow: pip install 'privrep[tables]' (in a checkout: pip install -e "
            "'.[tables]'), or save the table as .csv"
        ) from error
    try:
        return parquet.ParquetFile(path).read()
    except (ArrowException, OSError, ValueError, MemoryError) as error:
        raise ValueError(f"{path}: is not a Parquet file ({error})") from error


def cell_of(value: object) -> str | None:
    """A value as text: no outer blanks, each inner run of them as one; None where empty or NaN.

    A line break counts as a blank, so that no content of a file can begin a line of what is
    printed.

    >>> cell_of("  a \\n b"), cell_of(1.5), cell_of(float("nan"))
    ('a b', '1.5', None)
    """
    return " ".join(_stripped(value).split()) or None


def _stripped(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()  # NaN != NaN


def existing_file(path: str | Path, kinds: Sequence[str]) -> Path:
    """`path`, after a check that it is a file of one of the kinds, by ending and first bytes.

    Args:
      path: the file.
      kinds: endings, such as ".npy".

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: a folder, a file with another ending, an empty file, one whose first bytes are
        those of another kind, or one that would unpack to more than the limits of `limits`.
    """
    path = Path(path)
    if path.is_dir():
        names = sorted(child.name for child in path.iterdir() if child.suffix.lower() in kinds)
        content = f"In it: {first(names)}" if names else "It holds none."
        raise ValueError(f"{path}: is a folder; name a file, {', '.join(kinds)}. {content}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.suffix.lower() not in kinds:
        raise ValueError(
            f"{path}: cannot read {path.suffix or 'a file without an ending'} here, only "
            f"{', '.join(kinds)}. A pickle is never loaded, for it can run code: save numbers with "
            "numpy.save."
        )
    _check_first_bytes(path)
    check_promise(path, as_table=".jsonl" in kinds)
    return path


def _check_first_bytes(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(_PEEK_BYTES)
    if not head:
        raise ValueError(f"{path}: is empty, 0 bytes; was it written to its end?")
    text = head.decode("utf-8", "ignore")
    is_text = text.strip() and all(c.isprintable() or c.isspace() for c in text)
    kinds = (kind for signature, kind in _SIGNATURES.items() if head.startswith(signature))
    kind = "" if is_text else next(kinds, "")  # the first column of a table may be called PK
    ending = path.suffix.lower()
    if kind == (ending if ending in _SIGNATURES.values() else ""):
        return
    if kind:
        reason = f"it begins as {kind} files do; give it the ending of its kind, or save it again"
    elif head[:1] == b"\x80":  # the first byte of a pickle
        reason = PICKLED
    elif is_text:
        reason = (
            f"it is text that begins {shown(text.split()[0])}. A table of text ends in .csv or "
            ".tsv; if this is a note of where the file is kept, fetch the file itself"
        )
    else:
        reason = f"its first bytes are {head[:8]!r}; was it damaged, or given a wrong name?"
    raise ValueError(f"{path}: is no {ending} file, whatever its ending says: {reason}")


def rows_by_id(ids: Sequence[str | None], path: Path) -> dict[str, int]:
    """{id: number of its row, from 0}.

    Args:
      ids: one per row of the file.
      path: for error messages.

    Raises:
      ValueError: a row has no id, or the id of another row.
    """
    rows: dict[str, int] = {}
    for row, id_ in enumerate(ids):
        if id_ is None:
            raise ValueError(f"{path}: row {row} (from 0) has no {ID}; each row needs one")
        if rows.setdefault(id_, row) != row:
            raise ValueError(
                f"{path}: rows {rows[id_]} and {row} (from 0) have the same {ID}, {shown(id_)}; "
                "each row needs an id of its own"
            )
    return rows
