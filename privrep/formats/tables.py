"""Tables of text cells in text, JSON and Parquet files, read with checks (host).

Every cell is text: "01" stays "01" and "NA" stays "NA"; what cells mean is of `values`, and what
columns are called of `columns`. Nothing in a file is evaluated: no formula, no pickle.
"""

import contextlib
import csv
import functools
import io
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from privrep.formats.blanks import split_at_blanks
from privrep.formats.comments import unmarked, without_comments
from privrep.formats.limits import check_cells, check_promise
from privrep.formats.text_files import decoded, not_utf8
from privrep.messages import first, misread, shown

JSON_LINES, JSON, PARQUET = (".jsonl", ".ndjson"), (".json",), (".parquet", ".pq")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".json", ".ndjson", ".pq", ".txt", ".tab", ".psv")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
ID = "id"
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_USUAL = (",", "\t", ";", "|")  # between the cells of a table of labels
_MAX_CELL = 1 << 20  # characters
_SNIFFED = 20  # records that are looked at for the separator
_CHUNK = 4096  # records
PICKLED = (
    "it holds Python objects, a pickle, which is never loaded, for it can run code. Where it was "
    "made, save an array of numbers: numpy.save(PATH, numpy.stack(h).astype('float32'))"
)
_SIGNATURES = {b"\x93NUMPY": ".npy", b"PK": ".npz", b"PAR1": ".parquet", b"\x1f\x8b": ".gz"}
_BINARY = {  # of files that no reader here takes
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls); save its sheet as 'CSV UTF-8'",
    b"SQLite": "an SQLite database; export its table as .csv",
    b"%PDF": "a PDF",
    b"RIFF": "a sound (.wav)",
    b"fLaC": "a sound (.flac)",
    b"\x89HDF": "an HDF5 file",
    b"ARROW1": "an Arrow file; save it as .parquet or .csv",
}
_UNPRINTED = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]{2}")  # a pickle holds such, too
_NAMED_SEPARATOR = re.compile(r'"?sep=([^\s"]|\t)"?[;,]*\r?\n', re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(-?\d+(,\d+)?)?")
_PEEK_BYTES = 64


@dataclass(frozen=True)
class Table:
    """A table of N rows as it was read.

    Attributes:
      cells: {column name: N cells} without outer blanks; "" where a cell is empty.
      lines: [N], the line of the file at which each row begins, from 1; where a file has no lines
        of rows, the number of the row.
      path: the file, for error messages.
      notes: sentences on what was guessed or left out.
      original: {column name: its name in the file} of columns that were given another name.
      header: the names in the file, where columns were given others.
      places: [N], where each row stands, if that is not a line of `path`.
    """

    cells: dict[str, list[str]]
    lines: Sequence[int]
    path: Path
    notes: tuple[str, ...] = ()
    original: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    places: Sequence[str] = ()

    @functools.cached_property
    def columns(self) -> dict[str, list[str | None]]:
        """{column name: N cells of `cell_of`}: each run of blanks as one, None where empty."""
        return {name: list(map(cell_of, column)) for name, column in self.cells.items()}

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """ "path:line" of a row, which an error message names."""
        return self.places[row] if self.places else f"{self.path}:{self.lines[row]}"

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yields ("path:line", {column name: cell}) for each row that has a cell that is not empty.

        The first element is what an error message names as the place.
        """
        for line, cells in zip(self.lines, zip(*self.cells.values())):
            if any(cells):
                yield f"{self.path}:{line}", dict(zip(self.cells, cells))


def read_table(
    path: str | Path, required: Collection[str] = (), *, delimiter: str | None = None
) -> Table:
    """Reads a table of text with a header, of JSON or of Parquet.

    Text is separated by commas, tabs, semicolons or bars, whatever the ending says, or, if the
    header has none of these, by blanks; comment lines begin with #. It is in any encoding of
    `text_files.decoded`. JSON is an object per line (.jsonl), a list of objects, an
    object of objects keyed by utterance, which becomes the column id, or what pandas writes.

    Args:
      path: the file.
      required: names of columns that must be there.
      delimiter: the character between cells, for text of any ending; None finds it out.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, no header or one that names a column twice, a column without
        a name that does not number the rows, a required column is missing, a row has another
        number of cells than the header, quotes do not close, or a cell has more than 2**20
        characters. The message names the line.
    """
    path = Path(path) if delimiter else existing_file(path, TABLES)
    ending = path.suffix.lower()
    if not delimiter and ending in PARQUET:
        table = _parquet(path)
    else:
        text, notes = decoded(path)
        is_json = not delimiter and text.lstrip()[:1] in ("{", "[")
        if not delimiter and ending in JSON_LINES:
            table = _json_lines(text, path)
        elif is_json and ending in JSON:
            table = _json(text, path)
        else:
            table = _delimited_text(text, delimiter, path)
        table = Table(table.cells, table.lines, path, (*notes, *table.notes))
    table = _without_row_numbers(table)
    _check_required(list(table.cells), required, path)
    return table


def _delimited_text(text: str, delimiter: str | None, path: Path) -> Table:
    if not text.strip():
        raise ValueError(f"{path}: the file is empty; expected a header that names the columns")
    if text.startswith("version https://git-lfs"):
        raise ValueError(
            f"{path}: is a pointer of Git LFS, not the file itself: fetch it, git lfs pull"
        )
    if "\0" in text or _UNPRINTED.search(text):
        raise ValueError(f"{path}: is no table of text: it holds bytes that no text has")
    if delimiter is not None:
        return _of_records(records(_opened(text), delimiter, path), path, delimiter)
    named = _NAMED_SEPARATOR.match(text)
    if named:  # a line for Excel alone; its place stays, for the numbers of the others
        text = "\n" + text[named.end() :]
    sample = unmarked(text)
    delimiter = named[1] if named else _separator(sample, path)
    if not named and not _has_separator(sample):
        bare, notes = without_comments(text, " ", path)
        if by_blanks := split_at_blanks(bare):
            notes += (f"{path}: its cells are separated by blanks.",)
            table = _of_records(by_blanks, path, " ")
            return _with_decimal_points(replace(table, notes=notes))
    text, notes = without_comments(text, delimiter, path)
    try:
        table = _of_records(records(_opened(text), delimiter, path), path, delimiter)
        table = replace(table, notes=notes)
        return table if delimiter == "," else _with_decimal_points(table)
    except ValueError:
        if delimiter != "\t" or '"' not in text:
            raise
    # Tables separated by tabs are often written without quotes, and a quote is one of the text.
    unquoted = records(_opened(text), delimiter, path, csv.QUOTE_NONE)
    table = _of_records(unquoted, path, delimiter)
    return replace(table, notes=(*notes, f"{path}: quotes were read as part of the text."))


def _with_decimal_points(table: Table) -> Table:
    """The table with points in fractions, where a column holds numbers with decimal commas alone.

    Programs in many languages write these, and separate cells by something else then.
    """
    with_commas = [
        name
        for name, cells in table.cells.items()
        if any("," in cell for cell in cells) and all(map(_DECIMAL_COMMA.fullmatch, cells))
    ]
    if not with_commas:
        return table
    cells = {
        name: [cell.replace(",", ".") for cell in column] if name in with_commas else column
        for name, column in table.cells.items()
    }
    note = f"{table.path}: the commas in {first(with_commas)} were read as decimal points."
    return replace(table, cells=cells, notes=(*table.notes, note))


def _opened(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def _separator(text: str, path: Path) -> str:
    """The separator by which the header has most cells, and the records agree with it."""
    likely = DELIMITERS.get(path.suffix.lower(), ",")

    def fits(delimiter: str) -> tuple[float, int, bool]:
        widths: list[int] = []
        with contextlib.suppress(ValueError):
            for _, cells in records(_opened(text), delimiter, path, _quoting(delimiter)):
                widths.append(len(cells))
                if len(widths) == _SNIFFED:
                    break
        if not widths or widths[0] < 2:
            return 0.0, 0, delimiter == likely
        agreeing = sum(width == widths[0] for width in widths) / len(widths)
        return round(agreeing, 1), widths[0], delimiter == likely

    by_header = max(_USUAL, key=lambda delimiter: fits(delimiter)[1:])
    best = max(_USUAL, key=fits)
    # A damaged row is named by its line; it does not make another character the separator.
    return best if fits(best)[0] == 1 else by_header


def _has_separator(text: str) -> bool:
    """Whether a usual separator stands in the header, the first line that is not empty."""
    header = next(filter(str.strip, _opened(text)), "")
    return any(delimiter in header.strip() for delimiter in _USUAL)


def _quoting(delimiter: str) -> Literal[0, 3]:
    return csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL


def _of_records(numbered: Iterable[tuple[int, list[str]]], path: Path, delimiter: str) -> Table:
    records_ = iter(numbered)
    line_of_header, header = next(records_)
    names = [cell_of(name) or "" for name in header]
    _check_names([*filter(None, names)], f"{path}:{line_of_header}", delimiter)
    columns: list[list[str]] = [[] for _ in names]
    lines: list[int] = []
    known: dict[str, str] = {}  # each text once in memory, since most cells repeat
    same = known.setdefault
    while chunk := list(itertools.islice(records_, _CHUNK)):
        for line, cells in chunk:
            if len(cells) != len(names):
                expected = f"{len(names)} cells as in the header, not {len(cells)}"
                if delimiter == " ":
                    expected += " (blanks separate cells here: quote a cell that holds one)"
                raise misread(f"{path}:{line}", _cut(delimiter.join(cells)), expected)
        lines += [line for line, _ in chunk]
        for column, of_chunk in zip(columns, zip(*(cells for _, cells in chunk))):
            column += [same(cell, cell) for cell in map(str.strip, of_chunk)]
    # A spreadsheet may write separators behind the last column.
    used = [(name, cells) for name, cells in zip(names, columns) if name or any(cells)]
    _check_names([name for name, _ in used], f"{path}:{line_of_header}", delimiter)
    return Table(dict(used), lines, path)


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"


def _check_names(names: Sequence[str], place: str, delimiter: str = ", ") -> None:
    if not any(names) or len(set(names)) < len(names):
        raise misread(place, _cut(delimiter.join(names)), "a different name for each column")


def _without_row_numbers(table: Table) -> Table:
    """The table without columns of row numbers, which pandas writes without a name.

    Raises:
      ValueError: a column without a name holds something else.
    """
    counted = []
    for name, cells in table.cells.items():
        if name and not re.fullmatch(r"#|Unnamed: \d+(\.\d+)?", name):
            continue
        if all(map(str.isdecimal, cells)) and len(set(cells)) == len(cells):
            counted.append(name)
        elif not name:
            raise misread(
                f"{table.path}:1",
                _cut(",".join(table.cells)),
                "a different name for each column; one without a name may only number the rows",
            )
    kept = {name: column for name, column in table.cells.items() if name not in counted}
    return Table(kept, table.lines, table.path, table.notes)


def _check_required(header: Sequence[str], required: Collection[str], path: Path) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        hint = "".join(
            f"; rename {name} to {wanted}, case matters"
            for wanted in missing
            for name in header
            if name.lower() == wanted.lower()
        )
        raise ValueError(
            f"{path}:1: no column {' and no column '.join(missing)} in the header; its columns are "
            f"{', '.join(header)}{hint}"
        )


@contextlib.contextmanager
def _cell_limit() -> Iterator[None]:
    previous = csv.field_size_limit(_MAX_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(previous)


def records(
    file: Iterable[str], delimiter: str, path: Path, quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
) -> Iterator[tuple[int, list[str]]]:
    """Yields (line at which it begins, cells) for each record of delimited text that is not empty.

    Args:
      file: the lines with their ends; they are read as they are needed.
      delimiter: the character between cells.
      path: for error messages.
      quoting: of the module csv.

    Raises:
      ValueError: quotes do not close, or a cell has more than 2**20 characters.
    """
    reader = csv.reader(file, delimiter=delimiter, strict=True, quoting=quoting)
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


def _json_lines(text: str, path: Path) -> Table:
    numbered = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = [_flat(_loaded(line, f"{path}:{i}"), f"{path}:{i}") for i, line in numbered]
    return _of_objects(rows, [number for number, _ in numbered], path)


def _json(text: str, path: Path) -> Table:
    """A list of objects, or an object of objects or lists."""
    try:
        content = _loaded(text, str(path))
    except ValueError:
        if "\n{" in text.strip():  # an object per line
            return _json_lines(text, path)
        raise
    if isinstance(content, dict) and content:
        if all(isinstance(cells, list) for cells in content.values()):
            lengths = {name: len(cells) for name, cells in content.items()}
            if len(set(lengths.values())) > 1:
                raise ValueError(f"{path}: columns of equal length are needed, not {lengths}")
            return table_of_columns(content, range(1, max(lengths.values()) + 1), path)
        content = [
            {ID: name, **row} if isinstance(row, dict) else row
            for name, row in _by_row(content).items()
        ]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError(
            f"{path}: is JSON, but no table: expected an object of objects keyed by utterance, "
            'such as {"u1": {"speaker": "s1", "gender": "female"}}, or a list of objects'
        )
    rows = [_flat(row, f"{path}:{i}") for i, row in enumerate(content, start=1)]
    return _of_objects(rows, range(1, len(rows) + 1), path)


def _by_row(content: dict[str, Any]) -> dict[str, Any]:
    """{row: {column: cell}}, also of {column: {row number: cell}}, which pandas writes."""
    columns = list(content.values())
    numbers = [str(i) for i in range(len(columns[0]))] if isinstance(columns[0], dict) else []
    if numbers and all(isinstance(c, dict) and list(c) == numbers for c in columns):
        return {i: {name: content[name][i] for name in content} for i in numbers}
    return content


def _loaded(text: str, place: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, place))
    except json.JSONDecodeError as error:
        raise ValueError(f"{place}: this is not JSON: {error}") from None
    except (ValueError, RecursionError) as error:
        if str(error).startswith(place):
            raise
        raise ValueError(f"{place}: this is not JSON of a table: {error}") from None


def _once(pairs: list[tuple[str, Any]], place: str) -> dict[str, Any]:
    """A dict, which would silently keep the last of two equal names."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"{place}: {shown(twice)} stands there twice; each needs a name of its own"
        )
    return content


def _flat(row: Any, place: str) -> dict[str, Any]:
    if not isinstance(row, dict) or any(isinstance(cell, dict | list) for cell in row.values()):
        raise ValueError(f"{place}: is not a JSON object of texts and numbers")
    return {cell_of(name) or "": cell for name, cell in row.items()}


def _of_objects(rows: Sequence[dict[str, Any]], lines: Sequence[int], path: Path) -> Table:
    names = dict.fromkeys(name for row in rows for name in row)
    check_cells(path, len(rows), len(names))
    _check_names([*names], str(path))
    check_cells(path, len(rows), len(names))
    return table_of_columns({n: [row.get(n) for row in rows] for n in names}, lines, path)


def _parquet(path: Path) -> Table:
    parquet = parquet_of(path)
    _check_names(parquet.column_names, str(path))
    texts, left_out = {}, []
    for name in parquet.column_names:
        kind = str(parquet.schema.field(name).type)
        if re.match(r"(large_|fixed_size_)?(binary|list|struct|map)", kind):
            left_out.append(f"{name} ({kind})")
        else:
            texts[name] = parquet[name].to_pylist()
    table = table_of_columns(texts, range(1, parquet.num_rows + 1), path)
    notes = [f"{path}: left out {first(left_out)}, whose cells are no text."] if left_out else []
    return Table(table.cells, table.lines, path, tuple(notes))


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
    if path.suffix.lower() in WORKBOOKS:
        raise ValueError(
            f"{path}: is a workbook ({path.suffix}), of which one sheet is needed: save the sheet "
            f"as 'CSV UTF-8'. Cannot read it here, only {', '.join(kinds)}"
        )
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
    is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if is_utf16 else "utf-8", "ignore")
    is_text = text.strip() and all(c.isprintable() or c.isspace() for c in text)
    kinds = (kind for signature, kind in _SIGNATURES.items() if head.startswith(signature))
    kind = "" if is_text else next(kinds, "")  # the first column of a table may be called PK
    ending = path.suffix.lower()
    wanted = ending if ending in _SIGNATURES.values() else ""
    wanted = ".parquet" if ending in PARQUET else wanted
    is_table = ending in TABLES
    marks = (name for mark, name in _BINARY.items() if is_table and head.startswith(mark))
    described = next(marks, "")
    if kind == wanted and (kind or not described or is_text):
        return
    if described and not is_text:
        reason = f"it is {described}"
    elif kind == ".npz" and is_table:
        reason = "it is a zip file, such as a workbook (.xlsx): save the sheet as 'CSV UTF-8'"
    elif kind:
        reason = f"it begins as {kind} files do; give it the ending of its kind, or save it again"
    elif head[:1] == b"\x80":  # the first byte of a pickle
        reason = PICKLED
    elif is_text:
        reason = (
            f"it is text that begins {shown(text.split()[0])}. A table of text ends in .csv or "
            ".tsv; if this is a note of where the file is kept, fetch the file itself"
        )
    else:
        reason = "its first bytes are of another kind; was it damaged, or given a wrong name?"
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
