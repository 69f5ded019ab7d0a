"""Files that are whole: replaced at once, and sealed with checksums of what was written (host)."""

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

_PARTIAL = re.compile(r".+\.[0-9a-f]{8}\.partial")
_HEADER = "# SHA-256 of the lines below: "


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


def replace_arrays(path: Path, arrays: Mapping[str, np.ndarray], compressed: bool = False) -> None:
    """Writes arrays as .npz, see `replacing`.

    Raises:
      ValueError: an array of objects, which could be read back only by running what it holds.
    """
    save: Callable[..., None] = np.savez_compressed if compressed else np.savez
    with replacing(path) as file:
        save(file, allow_pickle=False, **arrays)


def drop_partial(folders: Iterable[Path]) -> None:
    """Removes what killed calls of `replacing` have left in these folders."""
    for folder in folders:
        for partial in folder.glob("*.partial"):
            if _PARTIAL.fullmatch(partial.name):
                partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """64 hex digits of the SHA-256 of a file's content.

    Raises:
      OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_seal(seal: Path, paths: Iterable[Path]) -> None:
    """Writes the checksums of files, as `sha256sum --check` reads them, with one of their own.

    Args:
      seal: a name that ends in .sha256.
      paths: files, and folders of files, below the folder of `seal`.
    """
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    names = {file.relative_to(seal.parent).as_posix(): file for file in files if file.is_file()}
    lines = "".join(f"{sha256(names[name])}  {name}\n" for name in sorted(names))
    replace_file(seal, f"{_HEADER}{hashlib.sha256(lines.encode()).hexdigest()}\n{lines}")


def fault(seal: Path, *names: str) -> str | None:
    """What is wrong with the files that `write_seal` has sealed; None if all is as it was written.

    Args:
      names: of the files and folders that are looked at; none for all of them. One that is not
        sealed counts as changed.

    Returns:
      The first file that is missing or changed, and which of the two; this may be `seal` itself.
    """
    try:
        header, _, lines = seal.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return f"{seal} is missing"
    if header.decode(errors="replace") != _HEADER + hashlib.sha256(lines).hexdigest():
        return f"{seal} is not as it was written"
    sealed = dict(line.split("  ", 1)[::-1] for line in lines.decode().splitlines())
    for name in names:
        if not any(file == name or file.startswith(f"{name}/") for file in sealed):
            path = seal.parent / name
            return f"{path} is {'not as it was written' if path.exists() else 'missing'}"
    for file, digest in sealed.items():
        if names and not any(file == name or file.startswith(f"{name}/") for name in names):
            continue
        path = seal.parent / file
        if not path.is_file():
            return f"{path} is missing"
        if sha256(path) != digest:
            return f"{path} is not as it was written"
    return None
