"""Limits of what a file may unpack to, checked before anything of it is read (host).

A small file can promise gigabytes. The environment variables PRIVREP_MAX_GB and PRIVREP_MAX_COLUMNS
raise the limits.
"""

import math
import os
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

GIGABYTES = "PRIVREP_MAX_GB"
COLUMNS = "PRIVREP_MAX_COLUMNS"
_DEFAULTS = {GIGABYTES: 4.0, COLUMNS: 100_000.0}
_HONEST = 2  # times what it takes on the disk is what any file may unpack to
_CELL = 40  # bytes in memory of a cell that is text
_CHARACTERS = 160  # of a line, for each column that is allowed
_HEADER = 2000  # characters; numpy's header of an array of numbers has about a hundred
_TEXTS = (".csv", ".tsv", ".txt", ".tab", ".psv", ".jsonl", ".ndjson")
_SEPARATORS = b",;\t|"
# Bytes of a value in memory, by the physical type of its Parquet column.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT96": 12}
_WIDTH = 8  # of other types
# Of text in these, the unpacked size is the one that the file's metadata have.
_AS_THEY_ARE = {"PLAIN", "RLE", "BIT_PACKED"}


def limit_of(name: str) -> float:
    """The limit that an environment variable sets, or its default.

    Raises:
      ValueError: the variable holds no positive number.
    """
    text = os.environ.get(name, "")
    try:
        limit = float(text) if text else _DEFAULTS[name]
    except ValueError:
        limit = math.nan
    if not limit > 0:
        raise ValueError(f"{name}={text}: a positive number, such as {_DEFAULTS[name]:g}")
    return limit


def check_promise(path: Path, as_table: bool) -> None:
    """Makes sure that a file unpacks to no more than the limits, by its headers alone.

    Args:
      path: a file whose first bytes fit its ending.
      as_table: whether its cells become text.

    Raises:
      ValueError: it does; the message names the limit and how it is raised.
    """
    ending = path.suffix.lower()
    check_unpacked(path, path.stat().st_size)
    if ending == ".npy":
        with path.open("rb") as file:
            _check_header(path, file)
    elif ending == ".npz":
        _check_archive(path)
    elif ending in (".parquet", ".pq"):
        _check_parquet(path, as_table)
    elif ending in _TEXTS:
        _check_lines(path)


def check_unpacked(path: Path, size: float, what: str = "it") -> None:
    """Makes sure that `size` bytes may be unpacked from a file.

    Raises:
      ValueError: they are over the limit, and over twice of what the file takes on the disk.
    """
    status = path.stat()
    on_disk = min(status.st_size, getattr(status, "st_blocks", math.inf) * 512)  # it may have holes
    limit = limit_of(GIGABYTES)
    if size > max(limit * 1e9, _HONEST * on_disk):
        raise ValueError(
            f"{path}: is {on_disk / 1e6:.3g} MB, and {what} would unpack to {size / 1e9:,.3g} GB, "
            f"over the limit of {limit:g} GB: was it damaged, or made to fill memory? If it is "
            f"right, raise the limit: {GIGABYTES}={math.ceil(size / 1e9)}"
        )


def check_cells(path: Path, rows: int, columns: int) -> None:
    """Makes sure that a table of text has no more cells than fit into the limit.

    Raises:
      ValueError: it has more.
    """
    check_unpacked(path, float(rows) * columns * _CELL, f"a table of {rows:,} x {columns:,} cells")


def check_columns(path: Path, count: int) -> None:
    """Makes sure that a table has no more columns than are allowed.

    Raises:
      ValueError: it has more.
    """
    limit = int(limit_of(COLUMNS))
    if count > limit:
        raise ValueError(
            f"{path}: has {count:,} columns, over the limit of {limit:,}: was it damaged, or is it "
            f"no table? Many numbers a row are better kept as .npy; or raise the limit: "
            f"{COLUMNS}={count}"
        )


def _check_lines(path: Path) -> None:
    size = _CHARACTERS * int(limit_of(COLUMNS))
    with path.open("rb") as file:
        block = head = file.read(size)
        while len(block) == size:
            if b"\n" not in block and b"\r" not in block:
                raise ValueError(
                    f"{path}: has a line of more than {size / 1e6:.3g} MB, over the limit: was it "
                    f"damaged, or is it no table? If it is right, raise the limit, {_CHARACTERS} "
                    f"characters a column: {COLUMNS}={10 * int(limit_of(COLUMNS))}"
                )
            block = file.read(size)
    first = head.lstrip(b"\r\n").split(b"\n", 1)[0].split(b"\r", 1)[0]
    check_columns(path, 1 + max(first.count(separator) for separator in _SEPARATORS))


def _check_header(path: Path, file: IO[bytes], name: str = "") -> None:
    """Looks at the header of an .npy file, or of a member of an .npz file, as text."""
    magic = file.read(12)
    if len(magic) < 12 or not magic.startswith(b"\x93NUMPY"):
        return  # numpy says what it is
    length = (
        struct.unpack("<H", magic[8:10])[0] if magic[6] == 1 else struct.unpack("<I", magic[8:])[0]
    )
    where = f"{path}{name and f', array {name}'}"
    if length > _HEADER:
        raise ValueError(
            f"{where}: is no .npy array of numbers: its header has {length:,} characters, and at "
            f"most {_HEADER:,} are read; was it damaged? Save it again with numpy.save."
        )
    if any(kind in file.read(length) for kind in (b"U0'", b"S0'", b"V0'")):
        raise ValueError(f"{where}: its elements have no size; save it again with numpy.save")


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                check_unpacked(path, member.file_size, f"its array {name!r}")
                with archive.open(member) as file:
                    _check_header(path, file, name)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, struct.error):
        return  # numpy says what is wrong


def _check_parquet(path: Path, as_table: bool) -> None:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        return  # the reader says what is missing
    try:
        file = parquet.ParquetFile(path)
    except (ArrowException, OSError, ValueError, MemoryError):
        return  # the reader says what is wrong
    with file:
        metadata = file.metadata
        check_columns(path, metadata.num_columns)
        if as_table:
            check_cells(path, metadata.num_rows, metadata.num_columns)
        chunks = [
            (group, metadata.row_group(group).column(column), metadata.schema.column(column))
            for group in range(metadata.num_row_groups)
            for column in range(metadata.num_columns)
        ]
    sizes = [_size(chunk, kind) for _, chunk, kind in chunks]
    check_unpacked(path, sum(sizes))
    longest = (chunk.num_values * chunk.total_uncompressed_size for _, chunk, _ in chunks)
    repeated = {
        kind.name
        for (_, chunk, kind), most in zip(chunks, longest)
        if kind.physical_type == "BYTE_ARRAY"
        and not {*chunk.encodings} <= _AS_THEY_ARE
        and most > limit_of(GIGABYTES) * 1e9
    }
    for name in sorted(repeated & {kind.path for _, _, kind in chunks}):  # no lists
        check_unpacked(path, _size_of_text(path, name), f"its column {name!r}")


def _size(chunk: Any, kind: Any) -> int:
    """Bytes of a column in a row group; of text that is stored once and repeated, too few."""
    width = kind.length if kind.physical_type == "FIXED_LEN_BYTE_ARRAY" else None
    width = width or _WIDTHS.get(kind.physical_type, _WIDTH)
    return max(chunk.total_uncompressed_size, chunk.num_values * width)


def _size_of_text(path: Path, name: str) -> int:
    """Bytes of a column of text, each text of which is read once, however often it occurs."""
    from pyarrow import compute, parquet

    size = 0
    with parquet.ParquetFile(path, read_dictionary=[name]) as file:
        for group in range(file.num_row_groups):
            for part in file.read_row_group(group, [name])[name].chunks:
                lengths = compute.binary_length(part.dictionary)
                size += compute.sum(lengths.take(part.indices)).as_py() or 0
    return size
