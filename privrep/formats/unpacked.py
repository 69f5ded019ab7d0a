"""Arrays that may be larger than memory, in temporary files that are mapped (host).

An array [N, T, D] in a compressed file is unpacked to a file without a name, a few rows at a time,
and its rows are read from there. The file lies where `tempfile` says (TMPDIR), takes the size of
the array there, and is gone with the array or with the program.
"""

import contextlib
import math
import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import numpy as np

_LARGE = 1 << 26  # bytes of an array that is not kept in memory
BLOCK = 1 << 24  # bytes that are read together


class NoRoom(ValueError):
    """There is no room for a temporary file."""


def is_large(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether an array is one of frames, [N, T, D], that is to be mapped."""
    return len(shape) == 3 and math.prod(shape) * dtype.itemsize > _LARGE


def blocks(shape: tuple[int, ...], dtype: np.dtype, multiple: int = 1) -> Iterator[slice]:
    """Slices of a few rows; of `multiple` rows, or several times as many, where these are few."""
    count = max(1, BLOCK // (math.prod(shape[1:]) * dtype.itemsize or 1))
    count -= count % multiple if count > multiple else 0
    return (slice(i, min(i + count, shape[0])) for i in range(0, shape[0], count))


def mapped(shape: tuple[int, ...], dtype: np.dtype, rows: Iterable[np.ndarray]) -> np.ndarray:
    """The array [N, ...] of which `rows` gives a few after another, mapped from a file.

    Raises:
      NoRoom: the file cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with _room_for(shape, dtype):
            file = stack.enter_context(tempfile.TemporaryFile(prefix="privrep_"))
        for block in rows:
            content = np.ascontiguousarray(block, dtype).tobytes()
            with _room_for(shape, dtype):
                file.write(content)
                file.flush()
        return np.memmap(file, dtype, "r", shape=shape)


@contextlib.contextmanager
def _room_for(shape: tuple[int, ...], dtype: np.dtype) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        size = math.prod(shape) * dtype.itemsize / 1e9
        raise NoRoom(
            f"an array of shape {list(shape)} is unpacked to {size:.3g} GB in a temporary folder, "
            f"and that fails: {error.strerror}. Name another one: TMPDIR=FOLDER"
        ) from error


def release(array: np.ndarray) -> None:
    """Lets go of what was read of an array that is mapped from a file; else does nothing.

    The system would keep these pages until it needs the memory for something else.
    """
    mapping = getattr(array, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def taken(h: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`h[rows]`, mapped where it is large."""
    shape = (len(rows), *h.shape[1:])
    if not is_large(shape, h.dtype):
        return h[rows]
    return mapped(shape, h.dtype, (_let_go(h, rows[block]) for block in blocks(shape, h.dtype)))


def changed(
    h: np.ndarray, dtype: np.dtype, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """change(h), which makes numbers of `dtype` of each row; mapped where h is large."""
    if not is_large(h.shape, h.dtype):
        return change(h)
    of_blocks = (change(_let_go(h, block)) for block in blocks(h.shape, dtype))
    return mapped(h.shape, dtype, of_blocks)


def _let_go(h: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """A copy of h[rows], see `release`."""
    block = np.array(h[rows])
    release(h)
    return block


def npy_rows(file: IO[bytes]) -> np.ndarray | None:
    """The array [N, T, D] of a stream in numpy's .npy format, mapped.

    None where it is small, of another rank, of objects or text, or stored by columns (in Fortran's
    order), so that its rows are nowhere together.

    Raises:
      ValueError: the stream is damaged, or ends before the array does.
    """
    version = np.lib.format.read_magic(file)
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in headers:
        return None
    shape, by_columns, dtype = headers[version](file)
    if by_columns or dtype.kind not in "fiubV" or not is_large(shape, dtype):
        return None

    def rows() -> Iterator[np.ndarray]:
        for block in blocks(shape, dtype):
            of_block = (block.stop - block.start, *shape[1:])
            size = math.prod(of_block) * dtype.itemsize
            content = file.read(size)
            if len(content) < size:
                raise ValueError("it holds less than it promises; was it written to its end?")
            yield np.frombuffer(content, dtype).reshape(of_block)
        file.read()  # to the end, where the checksum of a zip file is compared

    return mapped(shape, dtype, rows())
