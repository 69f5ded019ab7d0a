"""Files that hold one array of representations h, read with checks (host).

`sequences.py` opens these and all other sources. bfloat16, which JAX writes and numpy does not
know, is read.

Nothing in a file is unpickled or evaluated.
"""

import itertools
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.formats import arrow
from privrep.formats.tables import (
    DELIMITERS,
    ID,
    PICKLED,
    cell_of,
    check_separator,
    existing_file,
    parquet_of,
    rows_by_id,
    utf8_records,
)
from privrep.formats.unpacked import NoRoom, changed, npy_rows, release
from privrep.messages import first, shown

NUMPY_FILES = (".npy", ".npz")
VECTORS = (*NUMPY_FILES, ".csv", ".tsv", ".parquet", ".arrow", ".feather")
_BLOCK = 1 << 24  # numbers that are looked at together


class Representations(NamedTuple):
    """The content of a file of representations.

    Attributes:
      h: float32 or float64[N, D], or real numbers [N, T, D], finite in float32; the latter may be
        mapped from a file, and is where it is large.
      ids: N strings, or None where the file has none.
      first_line: a sentence on whether a first line of numbers was taken for names of columns or
        for a row; "" where there is no doubt.
      notes: further sentences on what was taken for what.
      shape: of what was given; of `h` where None.
      units: names of the columns of h in a table; () where they have none.
    """

    h: np.ndarray
    ids: list[str] | None
    first_line: str = ""
    notes: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    units: tuple[str, ...] = ()


# h, ids, first_line, units
_Content = tuple[np.ndarray, list[str | None] | None, str, tuple[str, ...]]


def read_vectors(path: str | Path) -> Representations:
    """Reads representations from .npy, .npz, .csv, .tsv, .parquet, .arrow or .feather.

    An .npz holds one array of any name, and perhaps ids under the name id; where h and id are both
    there, other arrays are ignored. The columns of a table are the units of h, except one named id;
    a .parquet may instead have one column of lists.
    A .csv or .tsv may have a header. A first line of numbers only is a row of h, unless it is 0, 1,
    2 and so on, which pandas writes over columns without names.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, no numbers, another shape, or rows that are not finite; the
        message names the first of them.
    """
    path = existing_file(path, VECTORS)
    ending = path.suffix.lower()
    units: tuple[str, ...]
    try:
        if ending in NUMPY_FILES:
            h, ids, first_line, units = *_numpy_content(path), "", ()
        elif ending in arrow.ENDINGS:
            table = parquet_of(path) if ending == ".parquet" else arrow.table_of(path)
            h, ids, first_line, units = _arrow_content(path, table)
        else:
            h, ids, first_line, units = _text_content(path)
    except MemoryError as error:
        raise ValueError(
            f"{path}: its header promises more numbers than fit into memory"
        ) from error
    return checked_vectors(str(path), h, ids, first_line)._replace(units=units)


def checked_vectors(
    name: str, h: np.ndarray, ids: list[str | None] | None = None, first_line: str = ""
) -> Representations:
    """Checks that `h` and `ids` are representations; `name` is their file or argument.

    Raises:
      ValueError: no numbers, another shape, ids that do not fit, or rows that are not finite.
    """
    h, of_numbers = as_real(h)
    if h.dtype.kind not in "fiub":
        advice = " Text becomes numbers by h.astype('float32')." if h.dtype.kind in "SU" else ""
        if h.dtype.kind == "V":
            advice = " Numbers of a kind that numpy does not know are saved by h.astype('float32')."
        raise ValueError(
            f"{name}: holds {h.dtype} of shape {list(h.shape)}, which are not real numbers.{advice}"
        )
    if h.ndim not in (2, 3) or 0 in h.shape:
        raise ValueError(
            f"{name}: has shape {list(h.shape)}; representations are [N, D], a row of D numbers "
            "for each of N utterances, or [N, T, D]"
        )
    if ids is not None and len(ids) != len(h):
        raise ValueError(f"{name}: {len(ids):,} ids for {len(h):,} rows; each row needs one")
    # float64 is kept: a leak may lie below the precision of float32.
    if h.ndim == 2 and h.dtype != np.float64:
        h = h.astype(np.float32, copy=False)
    invalid = np.flatnonzero(~_are_finite(h))
    if invalid.size:
        names = first([str(row if ids is None else ids[row]) for row in invalid])
        raise ValueError(
            f"{name}: {invalid.size:,} of {len(h):,} rows hold NaN, infinity or a number beyond "
            f"float32: {'row (from 0)' if ids is None else 'id'} {names}. Leave them out, of the "
            "labels too; no number can be made up for them here."
        )
    notes = (f"{Path(name).name} {of_numbers}",) if of_numbers else ()
    if ids is None:
        return Representations(h, None, first_line, notes)
    return Representations(h, list(rows_by_id(ids, Path(name))), first_line, notes)


def _are_finite(h: np.ndarray) -> np.ndarray:
    """bool[N]: whether all numbers of a row are finite in float32, a few rows at a time."""
    size = max(1, _BLOCK // (h[0].size or 1))
    finite = np.empty(len(h), bool)
    for i in range(0, len(h), size):
        with np.errstate(over="ignore"):
            block = h[i : i + size].astype(np.float32, copy=False)
        finite[i : i + size] = np.isfinite(block).all(tuple(range(1, h.ndim)))
        release(h)
    return finite


def as_real(array: np.ndarray) -> tuple[np.ndarray, str]:
    """`array` and ""; of bfloat16, float32 and a sentence, the name of the file to be put before.

    numpy does not know bfloat16 and calls it V2, two bytes of no kind. They are the upper half of a
    float32. Other kinds stay as they are.
    """
    kind = array.dtype
    if kind.kind != "V" or kind.itemsize != 2 or kind.names is not None or kind.subdtype:
        return array, ""
    reals = changed(array, np.dtype(np.float32), _bfloat16)
    return reals, "holds numbers of two bytes without a kind (V2), which were read as bfloat16."


def _bfloat16(array: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(array).view(np.uint16).astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32).reshape(array.shape)


def mapped_array(path: Path) -> np.ndarray:
    """The array of an .npy file, mapped and not read.

    Raises:
      ValueError: a damaged file, or one that holds objects.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except MemoryError:
        raise
    except Exception as error:  # numpy has no closed set of errors for damaged files
        raise ValueError(f"{path}: is no .npy array of numbers: {_reason(error)}") from error


def array_names(path: Path) -> list[str]:
    """The names of the arrays of an .npz file.

    Raises:
      ValueError: a damaged file.
    """
    try:
        # A file that numpy opens by its name stays open where it is no zip file.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return list(arrays.files)
    except Exception as error:  # see `mapped_array`
        raise ValueError(f"{path}: is no .npz file: {_reason(error)}") from error


def named_arrays(path: Path, names: Sequence[str]) -> Mapping[str, Callable[[], np.ndarray]]:
    """{name: reader} of arrays of an .npz file, none of which is read yet."""
    file = path.open("rb")
    arrays = np.load(file, allow_pickle=False)
    weakref.finalize(arrays, file.close)  # also where an error's traceback holds the readers

    def reader(name: str) -> Callable[[], np.ndarray]:
        def read() -> np.ndarray:
            try:
                return _array_of(arrays, name)
            except MemoryError:
                raise
            except Exception as error:  # see `mapped_array`
                raise ValueError(f"{path}: array {shown(name)}: {_reason(error)}") from error

        return read

    return {name: reader(name) for name in names}


def read_array(path: str | Path) -> np.ndarray:
    """The only array of an .npy or .npz file, of any shape and of any dtype but object.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: another kind of file, a damaged one, one with several arrays, or objects.
    """
    return _numpy_content(existing_file(path, NUMPY_FILES))[0]


def _numpy_content(path: Path) -> tuple[np.ndarray, list[str | None] | None]:
    """h or the only array of an .npy or .npz file, and the ids of an .npz."""
    ending = path.suffix.lower()
    try:
        if ending == ".npy":
            # Mapped first, so that a header that promises more than the file holds costs nothing.
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            return mapped if mapped.ndim == 3 else np.array(mapped), None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = [name for name in arrays.files if name != ID]
            # Without id, an array that is ignored may be the ids by another name, and rows would
            # be mixed up.
            if {"h", ID} <= {*arrays.files}:
                names = ["h"]
            if len(names) != 1:
                raise ValueError(
                    f"it holds {first(arrays.files) or 'nothing'}: name the representations h, the "
                    f"utterances {ID}, and leave out the rest; or name each array by the {ID} of "
                    "its utterance, which the labels have too"
                )
            h = _frames_of(arrays, names[0])
            h = _array_of(arrays, names[0]) if h is None else h
            ids = _array_of(arrays, ID) if ID in arrays.files else None
    except MemoryError:
        raise
    except NoRoom as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # numpy has no closed set of errors for damaged files
        raise ValueError(f"{path}: is no {ending} array of numbers: {_reason(error)}") from error
    if ids is not None and ids.ndim != 1:
        raise ValueError(f"{path}: {ID} has shape {list(ids.shape)}; it is [N], one for each row")
    return h, None if ids is None else [cell_of(id_) for id_ in ids.astype(str)]


def _frames_of(arrays: Any, name: str) -> np.ndarray | None:
    """The array `name` of a loaded .npz, mapped; None unless it is a large one, [N, T, D]."""
    member = f"{name}.npy"
    if member not in arrays.zip.namelist():
        return None  # numpy says what it is
    with arrays.zip.open(member) as file:
        return npy_rows(file)


def _array_of(arrays: Any, name: str) -> np.ndarray:
    """The array `name` of a loaded .npz."""
    try:
        array = arrays[name]
    except ValueError as error:
        if name == ID and _reason(error) == PICKLED:
            raise ValueError(
                f"its {ID} is an array of objects, which are never loaded, for they can run code. "
                f"Save it as text: numpy.savez(PATH, h=h, {ID}=numpy.array({ID}.tolist(), "
                'dtype="U"))'
            ) from error
        raise
    if not isinstance(array, np.ndarray):  # another kind of zip file
        raise ValueError(f"its part {shown(name)} is no array")
    return array


def _reason(error: Exception) -> str:
    """The text of numpy's error, but for pickles, since numpy explains how to load them anyway."""
    text = str(error)
    if "mmap length" in text or "not a zip file" in text:  # its first bytes are those of one
        return "it holds less than it promises; was it written, or copied, to its end?"
    return PICKLED if "pickle" in text.lower() or "Python object" in text else text


def _text_content(path: Path) -> _Content:
    _, cells = next(utf8_records(path), (1, []))
    header = [cell_of(cell) or "" for cell in cells]
    is_numbers = bool(header) and all(map(_is_number, header))
    is_counted = header == list(map(str, range(len(header))))
    has_names = is_counted or not is_numbers
    if has_names and "" in header:
        raise ValueError(
            f"{path}: {_column(header, header.index(''), False)} has no name: if it numbers the "
            "rows, as pandas writes it, leave it out (index=False), or it will be taken for a unit "
            "of h"
        )
    units = [i for i, name in enumerate(header) if not has_names or name != ID]
    if not units:
        raise ValueError(f"{path}: has no column of numbers")
    if has_names and next(itertools.islice(utf8_records(path), 1, None), None) is None:
        raise ValueError(f"{path}: has a header and no row of numbers")
    try:
        h = np.loadtxt(
            path,
            np.float32,
            comments=None,
            delimiter=DELIMITERS[path.suffix.lower()],
            skiprows=int(has_names),
            usecols=units if len(units) < len(header) else None,
            ndmin=2,
            encoding="utf-8-sig",
            quotechar='"',
        )
    except ValueError as error:
        _check_numbers(path, header, units, has_names)
        raise ValueError(f"{path}: {error}") from error
    if len(h) and h.shape[1] != len(units):  # the rows agree with one another, not with the header
        _check_numbers(path, header, units, has_names)
    if not is_numbers:
        names = tuple(header[i] for i in units)
        return h, None if ID not in header else _ids(path, header), "", names
    first_line = (
        f"The first line of {path.name}, all numbers, was taken for a row: it has no header."
    )
    if is_counted:
        first_line = (
            f"The first line of {path.name}, 0 to {len(header) - 1}, was taken for the names of "
            "its columns, as pandas writes them, and not for a row."
        )
    return h, None, first_line, ()


def _ids(path: Path, header: Sequence[str]) -> list[str | None]:
    column, ids = header.index(ID), []
    for line, cells in itertools.islice(utf8_records(path), 1, None):
        _check_length(path, line, cells, header)
        ids.append(cell_of(cells[column]))
    return ids


def _check_numbers(path: Path, header: Sequence[str], units: Sequence[int], named: bool) -> None:
    """Raises the ValueError that names the first cell of a unit that holds no number."""
    first_record: list[str] = []  # as it is in the file, since a tab counts as a blank in `header`
    for line, cells in utf8_records(path):
        first_record = first_record or cells
        if named and cells is first_record:
            continue
        if len(cells) != len(header):
            check_separator(path, first_record, DELIMITERS[path.suffix.lower()])
        _check_length(path, line, cells, header)
        for i in units:
            if not _is_number(cells[i]):
                check_separator(path, [*first_record, cells[i]], DELIMITERS[path.suffix.lower()])
                raise ValueError(
                    f"{path}:{line}, {_column(header, i, named)}: {shown(cells[i])} is no number. "
                    f"Every column but {ID!r} is a unit of h and holds a number in every row."
                )


def _check_length(path: Path, line: int, cells: list[str], header: Sequence[str]) -> None:
    if len(cells) != len(header):
        raise ValueError(
            f"{path}:{line}: {len(cells)} cells, where the first line has {len(header)}"
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


def _arrow_content(path: Path, table: Any) -> _Content:
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
    h = np.concatenate(columns, 1)
    return h, ids, "", tuple(names) if len(names) == h.shape[1] else ()
