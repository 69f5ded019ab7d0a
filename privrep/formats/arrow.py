"""Frames in Parquet and Arrow files: a column of lists of lists, [T, D] in each row (host)."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.formats.limits import check_promise, check_unpacked
from privrep.formats.tables import ID, cell_of
from privrep.messages import first

ENDINGS = (".parquet", ".arrow", ".feather")
_ROWS = 1  # decoded at once; eight take twice the memory and three quarters of the time


class Frames(NamedTuple):
    """The frames of N utterances, of which one is in memory at a time.

    Attributes:
      ids: N of them, or None where there is no column id.
      total: N.
      read: the frames [T, D] of row i.
    """

    ids: list[str] | None
    total: int
    read: Callable[[int], np.ndarray]


def frames_of(path: Path) -> Frames | None:
    """The frames of a file whose only column beside `id` is of lists of lists; else None.

    Rows are decoded a few at a time into a temporary file, from which they are read by number.

    Raises:
      ValueError: pyarrow is not installed, the file is damaged, or it has several such columns.
    """
    import_arrow(path)
    import pyarrow as pa

    try:
        schema, batches = _batches(path)
        names = [name for name in schema.names if name != ID]
        nested = [name for name in names if _is_nested(schema.field(name).type)]
        if not nested:
            return None
        if len(nested) > 1:
            raise ValueError(f"{path}: has frames in columns {first(nested)}; leave one, and {ID}")
        rows, cells = _spooled(schema, batches)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: is damaged: {error}") from error
    name, ids = nested[0], None
    if ID in schema.names:
        for row, cell in enumerate(cells):
            if cell is None:
                raise ValueError(f"{path}: row {row} (from 0) has no {ID}; each row needs one")
        ids = [cell or "" for cell in cells]
        (twice, count), *_ = Counter(ids).most_common(1) or [("", 0)]
        if count > 1:
            raise ValueError(f"{path}: two rows have the {ID} {twice!r}; each needs one of its own")
    return Frames(
        ids,
        rows.num_record_batches,
        lambda i: _frames(path, rows.get_batch(i)[name][0], i, name),
    )


def table_of(path: Path) -> Any:
    """The whole of an .arrow or .feather file as a pyarrow.Table.

    Raises:
      ValueError: pyarrow is not installed, or the file is damaged.
    """
    import_arrow(path)
    import pyarrow as pa

    try:
        schema, batches = _batches(path)
        held, size = [], 0
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            check_unpacked(path, size)
        return pa.Table.from_batches(held, schema)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: is no {path.suffix} file ({error})") from error


def import_arrow(path: Path) -> None:
    """Makes sure that pyarrow is there.

    Raises:
      ValueError: it is not; the message says how to get it.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"{path}: needs pyarrow: pip install 'privrep[tables]' (in a checkout: pip install -e "
            "'.[tables]'), or save the table as .csv"
        ) from error


def _batches(path: Path) -> tuple[Any, Iterable[Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    if path.suffix.lower() == ".parquet":
        try:
            # Buffered, or it would read a group of rows, which may be the whole file, at once.
            file = parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        except ValueError as error:
            raise ValueError(f"{path}: is not a Parquet file ({error})") from error
        check_promise(path, as_table=False)
        return file.schema_arrow, file.iter_batches(_ROWS, use_threads=False)
    source = pa.memory_map(str(path))
    try:
        reader = pa.ipc.open_file(source)
        return reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, stream


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return any(
        test(kind)
        for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )


def _is_nested(kind: Any) -> bool:
    return _is_list(kind) and _is_list(kind.value_type)


def _spooled(schema: Any, batches: Iterable[Any]) -> tuple[Any, list[str | None]]:
    """A reader of batches of one row each, and the cells of the column id.

    They lie in a temporary file that has no name any more.
    """
    import pyarrow as pa

    cells: list[str | None] = []
    with tempfile.NamedTemporaryFile(suffix=".arrow", delete=False) as file:
        try:
            with pa.ipc.new_file(file, schema) as writer:
                for batch in batches:
                    for i in range(batch.num_rows):
                        writer.write_batch(batch.slice(i, 1))
                    if ID in schema.names:
                        cells += map(cell_of, batch[ID].to_pylist())
            file.flush()
            return pa.ipc.open_file(pa.OSFile(file.name)), cells
        finally:
            os.unlink(file.name)


def _frames(path: Path, cell: Any, row: int, name: str) -> np.ndarray:
    inner = cell.values
    if inner is None:
        raise ValueError(f"{path}: row {row} (from 0) has no frames in column {name!r}")
    if len(inner) == 0:
        return np.zeros((0, 0), np.float32)
    lengths = np.unique(inner.value_lengths().to_numpy(zero_copy_only=False))
    flat = inner.flatten()
    if len(lengths) != 1 or inner.null_count or flat.null_count:
        raise ValueError(
            f"{path}: row {row} (from 0), column {name!r}: frames are lists of as many numbers "
            f"each, and these have {lengths.min():g} to {lengths.max():g}, or lack some"
        )
    return flat.to_numpy(zero_copy_only=False).reshape(len(inner), -1)
