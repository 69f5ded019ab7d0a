"""Representations of any origin, read with care (host).

Nothing here unpickles, evaluates or follows what a file says.
"""

import itertools
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from privrep.formats.tables import (
    DELIMITERS,
    ID,
    PICKLED,
    cell_of,
    check_separator,
    lines,
    parquet_of,
    rows_by_id,
    there,
)
from privrep.messages import first, shown

ARRAYS = (".npy", ".npz", ".csv", ".tsv", ".parquet")


class Representations(NamedTuple):
    """What was read.

    Attributes:
      h: float32[N, D] or [N, T, D], finite.
      ids: N strings, or None where the file has none.
      first_line: for what the first line of text was taken where it holds numbers, a sentence.
    """

    h: np.ndarray
    ids: list[str] | None
    first_line: str = ""


_Read = tuple[np.ndarray, list[str | None] | None, str]  # the fields of Representations


def read_vectors(path: str | Path) -> Representations:
    """Reads numbers from .npy, .npz, .csv, .tsv or .parquet.

    An .npz holds one array of any name, and perhaps ids under the name id; where h and id are both
    there, other arrays are passed over. The columns of a table are the units of h, save one named
    id; a .parquet may instead have one column of lists.
    A .csv or .tsv may have a header: a first line of numbers alone is a row of h, but for 0, 1, 2
    and so on, which pandas writes over columns without names.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, no numbers, another shape, or rows that are not finite; the
        message names the first of them.
    """
    path = there(path, ARRAYS)
    read = {".npy": _npy, ".npz": _npz, ".parquet": _parquet_array}.get(
        path.suffix.lower(), _csv_array
    )
    try:
        h, ids, first_line = read(path)
    except MemoryError as error:
        raise ValueError(f"{path}: says it holds more numbers than fit into memory") from error
    return checked_vectors(str(path), h, ids, first_line)


def checked_vectors(
    name: str, h: np.ndarray, ids: list[str | None] | None = None, first_line: str = ""
) -> Representations:
    """Makes sure that `h` and `ids` are representations; `name` is the file or argument they are.

    Raises:
      ValueError: no numbers, another shape, ids that do not fit, or rows that are not finite.
    """
    if h.dtype.kind not in "fiub":
        raise ValueError(
            f"{name}: holds {h.dtype}, and no real numbers."
            + " Text becomes numbers by h.astype('float32')." * (h.dtype.kind in "SU")
        )
    if h.ndim not in (2, 3) or 0 in h.shape:
        raise ValueError(
            f"{name}: has shape {list(h.shape)}; representations are [N, D], a row of D numbers "
            "for each of N utterances, or [N, T, D]"
        )
    if ids is not None and len(ids) != len(h):
        raise ValueError(f"{name}: {len(ids):,} ids for {len(h):,} rows; each row takes one")
    with np.errstate(over="ignore"):
        h = h.astype(np.float32, copy=False)
    broken = np.flatnonzero(~np.isfinite(h).all(tuple(range(1, h.ndim))))
    if broken.size:
        rows = first([str(i if ids is None else ids[i]) for i in broken])
        raise ValueError(
            f"{name}: {broken.size:,} of {len(h):,} rows hold NaN, infinity or a number beyond "
            f"float32: {'row (from 0)' if ids is None else 'id'} {rows}. Leave them out, of the "
            "labels too; no number can be made up for them here."
        )
    if ids is not None:
        rows_by_id(ids, Path(name))  # each has one of its own
    return Representations(h, ids, first_line)


def _npy(path: Path) -> _Read:
    try:
        # Mapped first: a header that promises more than the file has is found before it costs.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False)), None, ""
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise ValueError(f"{path}: no .npy array of numbers: {_said(error)}") from error


def _npz(path: Path) -> _Read:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = [name for name in arrays.files if name != ID]
            # Without id, an array that is passed over may be the ids by another name: rows would
            # be mixed up.
            if {"h", ID} <= {*arrays.files}:
                names = ["h"]
            if len(names) != 1:
                raise ValueError(
                    f"it holds {first(arrays.files) or 'nothing'}: name the representations h, the "
                    f"utterances {ID}, and leave out the rest"
                )
            h = _member(arrays, names[0])
            ids = _member(arrays, ID) if ID in arrays.files else None
    except (ValueError, OSError, EOFError, SyntaxError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no .npz of an array of numbers: {_said(error)}") from error
    if ids is not None and ids.ndim != 1:
        raise ValueError(f"{path}: {ID} has shape {list(ids.shape)}; it is [N], one for each row")
    return h, None if ids is None else [cell_of(one) for one in ids.astype(str)], ""


def _member(arrays, name: str) -> np.ndarray:
    try:
        array = arrays[name]
    except ValueError as error:
        if name == ID and _said(error) == PICKLED:
            raise ValueError(
                f"its {ID} is an array of objects, which are never loaded, for they can run code. "
                f"Save it as text: numpy.savez(PATH, h=h, {ID}={ID}.astype(str))"
            ) from error
        raise
    if not isinstance(array, np.ndarray):  # another kind of zip file
        raise ValueError(f"its part {shown(name)} is no array")
    return array


def _said(error: Exception) -> str:
    # numpy's own words on pickles tell how to load them all the same.
    text = str(error)
    if "mmap length" in text or "not a zip file" in text:  # its first bytes are those of one
        return "it holds less than it promises; was it written, or copied, to its end?"
    return PICKLED if "pickle" in text.lower() or "Python object" in text else text


def _csv_array(path: Path) -> _Read:
    header = [cell_of(cell) or "" for cell in next(lines(path), [])]
    numbers = bool(header) and all(map(_is_number, header))
    counted = header == list(map(str, range(len(header))))
    named = counted or not numbers
    if named and "" in header:
        raise ValueError(
            f"{path}: {_column(header, header.index(''), False)} has no name: if it numbers the "
            "rows, as pandas writes it, leave it out (index=False), or it will be taken for a unit "
            "of h"
        )
    units = [i for i, name in enumerate(header) if not named or name != ID]
    if not units:
        raise ValueError(f"{path}: has no column of numbers")
    if named and next(itertools.islice(lines(path), 1, None), None) is None:
        raise ValueError(f"{path}: has a header and no row of numbers")
    try:
        h = np.loadtxt(
            path,
            np.float32,
            comments=None,
            delimiter=DELIMITERS[path.suffix.lower()],
            skiprows=int(named),
            usecols=units if len(units) < len(header) else None,
            ndmin=2,
            encoding="utf-8-sig",
            quotechar='"',
        )
    except ValueError as error:
        raise ValueError(_first_fault(path, header, units, named) or f"{path}: {error}") from error
    if len(h) and h.shape[1] != len(units):  # the rows agree with one another, not with the header
        raise ValueError(_first_fault(path, header, units, named))
    if not numbers:
        return h, None if ID not in header else _ids(path, header), ""
    taken = (
        f"The first line of {path.name}, 0 to {len(header) - 1}, was taken for the names of its "
        "columns, as pandas writes them, and not for a row."
        if counted
        else f"The first line of {path.name}, all numbers, was taken for a row: it has no header."
    )
    return h, None, taken


def _ids(path: Path, header: Sequence[str]) -> list[str | None]:
    place, found = header.index(ID), []
    for number, line in enumerate(itertools.islice(lines(path), 1, None), start=2):
        if len(line) != len(header):
            raise ValueError(_of_another_length(path, number, line, header))
        found.append(cell_of(line[place]))
    return found


def _first_fault(path: Path, header: Sequence[str], units: Sequence[int], named: bool) -> str:
    """What the first record that cannot be read lacks; "" if every record can be read."""
    # The header is read anew where separators are looked for: in a clean cell a tab is a blank.
    for number, line in enumerate(lines(path), start=1):
        if number == 1 and named:
            continue
        if len(line) != len(header):
            check_separator(path, next(lines(path)))
            return _of_another_length(path, number, line, header)
        for i in units:
            if not _is_number(line[i]):
                check_separator(path, [*next(lines(path)), line[i]])
                return (
                    f"{path}, record {number} (from 1, the header too), "
                    f"{_column(header, i, named)}: {shown(line[i])} is no number. Every column but "
                    f"{ID!r} is a unit of h and holds a number in every row."
                )
    return ""


def _of_another_length(path: Path, number: int, line: list[str], header: Sequence[str]) -> str:
    return (
        f"{path}, record {number} (from 1, the header too): {len(line)} cells, where the first "
        f"record has {len(header)}"
    )


def _column(header: Sequence[str], i: int, named: bool) -> str:
    place = f"column {i + 1} of {len(header)}"
    return f"{place}, {shown(header[i])}" if named else place


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parquet_array(path: Path) -> _Read:
    table = parquet_of(path)
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
    ids = list(map(cell_of, table[ID].to_pylist())) if ID in table.column_names else None
    return np.concatenate(columns, 1), ids, ""
