"""Atomic replacement of files (host)."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

_PARTIAL = re.compile(r".+\.[0-9a-f]{8}\.partial")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yields a file whose content becomes that of `path` when the block ends without an exception.

    `path` is complete at any moment, old or new, through a crash of the process and a power
    failure. What is written lies beside it until then, under a name of its own for every call.

    Raises:
      OSError: the folder is missing or cannot be written.
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a write that fails does not know it
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a directory cannot be opened
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def replace_file(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, see `replacing`."""
    with replacing(path) as file:
        file.write(text.encode())


def drop_partial(folders: Iterable[Path]) -> None:
    """Removes what killed calls of `replacing` have left in these folders."""
    for folder in folders:
        for partial in folder.glob("*.partial"):
            if _PARTIAL.fullmatch(partial.name):
                partial.unlink(missing_ok=True)
