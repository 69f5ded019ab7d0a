"""Representations of any origin and the table of their labels, read with care (host).

Nothing here unpickles, evaluates or follows what a file says; text stays text.
"""

import csv
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ARRAYS = (".npy", ".npz", ".csv", ".tsv", ".parquet")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
ID = "id"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NAMED = 5  # rows, columns or values that a message names
_LONGEST_CELL = 1 << 20


class Representations(NamedTuple):
    """h: float32[N, D] or [N, T, D], finite; ids: N strings, or None where the file has none."""

    h: np.ndarray
    ids: list[str] | None


class Table(NamedTuple):
    """columns: {name: N cells}, None where a cell is empty; path: for messages."""

    columns: dict[str, list[str | None]]
    path: Path


def read_representations(path: str | Path) -> Representations:
    """Reads numbers from .npy, .npz, .csv, .tsv or .parquet.

    An .npz holds one array, or one named h, and perhaps ids under the name id. The columns of a
    table are the units of h, save one named id; a .parquet may instead have one column of lists.
    A .csv or .tsv may have a header.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, no numbers, another shape, or rows that are not finite; the
        message names the first of them.
    """
    path = _there(path, ARRAYS)
    read = {".npy": _npy, ".npz": _npz, ".parquet": _parquet_array}.get(
        path.suffix.lower(), _csv_array
    )
    try:
        h, ids = read(path)
    except MemoryError as error:
        raise ValueError(f"{path}: says it holds more numbers than fit into memory") from error
    if h.ndim not in (2, 3) or 0 in h.shape:
        raise ValueError(
            f"{path}: has shape {list(h.shape)}; representations are [N, D], a row of D numbers "
            "for each of N utterances, or [N, T, D]"
        )
    if h.dtype.kind not in "fiub":
        raise ValueError(f"{path}: holds {h.dtype}, which are no real numbers")
    with np.errstate(over="ignore"):
        h = h.astype(np.float32, copy=False)
    broken = np.flatnonzero(~np.isfinite(h).all(tuple(range(1, h.ndim))))
    if broken.size:
        rows = _first([str(i if ids is None else ids[i]) for i in broken])
        raise ValueError(
            f"{path}: {broken.size:,} of {len(h):,} rows hold NaN, infinity or a number beyond "
            f"float32: {'row (from 0)' if ids is None else 'id'} {rows}. Leave them out, of the "
            "labels too; no number can be made up for them here."
        )
    if ids is not None:
        _distinct(ids, path)
    return Representations(h, ids)


def read_table(path: str | Path) -> Table:
    """Reads labels from .csv or .tsv with a header, .jsonl (an object a line) or .parquet.

    Every cell becomes a string without outer blanks, an empty one None.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, or not a table; the message names the line.
    """
    path = _there(path, TABLES)
    read = {".jsonl": _jsonl, ".parquet": _parquet_table}.get(path.suffix.lower(), _csv_table)
    return Table({name: list(map(_cell, cells)) for name, cells in read(path).items()}, path)


def _there(path: str | Path, kinds: Sequence[str]) -> Path:
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


def _first(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _distinct(ids: Sequence[str | None], path: Path) -> None:
    seen: set[str | None] = {None}
    for i, one in enumerate(ids):
        if one in seen:
            raise ValueError(f"{path}: row {i} (from 0) has no id, or one used before: {one!r}")
        seen.add(one)


def _cell(value: object) -> str | None:
    text = "" if value is None or value != value else str(value).strip()  # NaN is not itself
    return text or None


# Arrays ------------------------------------------------------------------------------------------


def _npy(path: Path) -> tuple[np.ndarray, None]:
    try:
        # Mapped first: a header that promises more than the file has is found before it costs.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False)), None
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise ValueError(f"{path}: no .npy array of numbers ({error})") from error


def _npz(path: Path) -> tuple[np.ndarray, list[str] | None]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = [name for name in arrays.files if name != ID]
            # An array that is passed over may be the ids by another name: rows would be mixed up.
            if len(names) != 1:
                raise ValueError(
                    f"it holds {_first(arrays.files)}: name the representations h, the utterances "
                    f"{ID}, and leave out the rest"
                )
            h = arrays[names[0]]
            ids = arrays[ID].astype(str).tolist() if ID in arrays.files else None
    except (ValueError, OSError, EOFError, SyntaxError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no .npz of an array of numbers ({error})") from error
    if ids is not None and len(ids) != len(h):
        raise ValueError(f"{path}: {len(ids):,} ids for {len(h):,} rows")
    return h, ids


def _csv_array(path: Path) -> tuple[np.ndarray, list[str] | None]:
    delimiter = _DELIMITERS[path.suffix.lower()]
    header = next(_lines(path), [])
    named = not all(_is_number(cell) for cell in header)
    names = [cell.strip() for cell in header]
    if named and "" in names:
        raise ValueError(
            f"{path}: column {names.index('')} has no name: if it numbers the rows, as pandas "
            "writes it, leave it out (index=False), or it will be taken for a unit of h"
        )
    units = [i for i, name in enumerate(names) if not named or name != ID]
    if not units:
        raise ValueError(f"{path}: has no column of numbers")
    try:
        h = np.loadtxt(
            path,
            np.float32,
            comments=None,
            delimiter=delimiter,
            skiprows=int(named),
            usecols=units,
            ndmin=2,
            encoding="utf-8-sig",
            quotechar='"',
        )
    except ValueError as error:
        raise ValueError(
            f"{path}: {str(error).rstrip('.')}. Every column but {ID!r} is a unit of h and holds a "
            "number in every row (the row is counted without header, the column from 0 or 1)."
        ) from error
    if not named or ID not in names:
        return h, None
    place = names.index(ID)
    ids = [line[place].strip() for number, line in enumerate(_lines(path)) if number]
    return h, ids


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parquet_array(path: Path) -> tuple[np.ndarray, list[str] | None]:
    table = _parquet(path)
    names = [name for name in table.column_names if name != ID]
    columns = []
    for name in names:
        column = table[name].combine_chunks()
        if column.null_count:
            row = next(i for i, value in enumerate(column) if not value.is_valid)
            raise ValueError(f"{path}: row {row} (from 0) has no number in column {name!r}")
        try:
            if hasattr(column, "flatten") and hasattr(column, "value_lengths"):
                sizes = np.unique(column.value_lengths().to_numpy(zero_copy_only=False))
                if len(sizes) != 1:
                    raise ValueError(f"lists of {sizes.min()} to {sizes.max()} numbers")
                flat = column.flatten().to_numpy(zero_copy_only=False)
                columns.append(flat.astype(np.float32).reshape(len(column), -1))
            else:
                values = column.to_numpy(zero_copy_only=False)
                columns.append(values.astype(np.float32)[:, None])
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path}: column {name!r} is no number in every row ({error}); every column but "
                f"{ID!r} is a unit of h, or a list of as many numbers in each row"
            ) from error
    if not columns:
        raise ValueError(f"{path}: has no column of numbers")
    ids = [str(value) for value in table[ID].to_pylist()] if ID in table.column_names else None
    return np.concatenate(columns, 1), ids


# Tables ------------------------------------------------------------------------------------------


def _lines(path: Path):
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.reader(file, delimiter=_DELIMITERS[path.suffix.lower()]):
                if line:
                    yield line
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no table of text in UTF-8 ({error})") from error
    finally:
        csv.field_size_limit(before)


def _csv_table(path: Path) -> Mapping[str, list]:
    lines = _lines(path)
    header = [name.strip() for name in next(lines, [])]
    _check_header(header, path)
    rows = []
    for number, line in enumerate(lines, start=2):
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
    lines = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = [_object(line, f"{path}, line {number}") for number, line in lines]
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
    table = _parquet(path)
    _check_header(table.column_names, path)
    return {name: table[name].to_pylist() for name in table.column_names}


def _parquet(path: Path):
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(f"{path}: needs pyarrow, pip install 'privrep[parquet]'") from error
    try:
        return parquet.ParquetFile(path).read()
    except (ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: no Parquet file ({error})") from error
