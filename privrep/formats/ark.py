"""Kaldi archives (.ark) and their indices (.scp) of vectors and matrices (host).

Where entries lie is found from their headers alone. Commands, with which an .scp may name where its
entries come from, are never run, and entries of other kinds (pickles, sound) are never loaded.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from privrep.formats.text_files import read_utf8
from privrep.messages import shown

ENDINGS = (".ark", ".scp")
_MATRICES = {"FM": 4, "DM": 8}  # bytes of a number
_VECTORS = {"FV": 4, "DV": 8}
_COMPRESSED = {"CM": 1, "CM2": 2, "CM3": 1}
_LONGEST_KEY = 4096


class ArkEntry(NamedTuple):
    """An entry of an archive.

    Attributes:
      path: the archive.
      read: reads its vector [D] or matrix [T, D].
    """

    path: Path
    read: Callable[[], np.ndarray]


def entries_of(path: Path) -> dict[str, ArkEntry]:
    """{key: entry} of an .ark, or of the archives that an .scp names.

    Raises:
      FileNotFoundError: an archive that an .scp names is not there.
      ValueError: kaldiio is not installed, a line or an entry cannot be read, or a key comes twice.
    """
    try:
        import kaldiio  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"{path}: needs kaldiio: pip install 'privrep[tables]' (in a checkout: pip install -e "
            "'.[tables]'), or save the arrays as .npz"
        ) from error
    places = _lines(path) if path.suffix.lower() == ".scp" else _headers(path)
    entries: dict[str, ArkEntry] = {}
    for key, archive, offset in places:
        if key in entries:
            raise ValueError(f"{path}: the key {shown(key)} comes twice")
        entries[key] = ArkEntry(archive, partial(_read, archive, key, offset))
    if not entries:
        raise ValueError(f"{path}: holds no entry")
    return entries


def files_of(scp: Path) -> list[Path]:
    """The archives that an .scp names, each once."""
    return [*dict.fromkeys(archive for _, archive, _ in _lines(scp))]


def _lines(scp: Path) -> Iterator[tuple[str, Path, int]]:
    """Yields (key, archive, offset) of each line of an .scp."""
    archives: dict[str, Path] = {}
    for number, line in enumerate(read_utf8(scp).splitlines(), 1):
        if not line.strip():
            continue
        key, _, place = line.strip().partition(" ")
        place = place.strip()
        if not place:
            raise ValueError(f"{scp}:{number}: {shown(line)} is no key and a place, u1 a.ark:17")
        if "|" in place:
            raise ValueError(
                f"{scp}:{number}: {shown(place)} is a command, which is never run: write what it "
                "gives into an archive, and name that"
            )
        parts = re.fullmatch(r"(.+?)(?::(\d+))?", place)
        if parts is None or place.endswith("]"):
            raise ValueError(
                f"{scp}:{number}: {shown(place)}: a range of an entry is not read here, only ARK "
                "or ARK:OFFSET"
            )
        name = parts[1]
        if name not in archives:
            archives[name] = _archive(name, scp, number)
        yield key, archives[name], int(parts[2] or 0)


def _archive(name: str, scp: Path, number: int) -> Path:
    """An archive by its path from the working directory, the folder of the .scp or that above."""
    tried = [Path(name), scp.parent / name, scp.parent.parent / name, scp.parent / Path(name).name]
    for path in tried:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{scp}:{number}: there is no {name}, from here, from {scp.parent} or from the folder above"
    )


def _headers(ark: Path) -> Iterator[tuple[str, Path, int]]:
    """Yields (key, archive, offset) of each entry, of which only the headers are read."""
    with ark.open("rb") as file:
        while True:
            key = _key(file, ark)
            if not key:
                return
            offset = file.tell()
            yield key, ark, offset
            if file.read(2) == b"\0B":
                file.seek(offset)
                file.seek(_binary_end(file, ark, key))
            else:
                file.seek(offset)
                _text_entry(file, ark, key)


def _key(file: BinaryIO, ark: Path) -> str:
    """The key before the next entry, "" at the end of the archive."""
    start = file.tell()
    token = bytearray()
    while char := file.read(1):
        if char in b" \t":
            break
        if char in b"\r\n" and not token.strip():
            token.clear()
            continue
        token += char
        if len(token) > _LONGEST_KEY or char in b"\0\r\n":
            raise _no_archive(ark, start, bytes(token))
    else:
        if token.strip():
            raise _no_archive(ark, start, bytes(token))
        return ""
    key = token.decode("utf-8", "replace")
    if not key.isprintable() or "\N{REPLACEMENT CHARACTER}" in key:
        raise _no_archive(ark, start, bytes(token))
    return key


def _no_archive(ark: Path, start: int, token: bytes) -> ValueError:
    return ValueError(
        f"{ark}: no Kaldi archive, or a damaged one: at byte {start:,} there is {token[:12]!r} in "
        "place of a key and an entry"
    )


def _shape_and_end(file: BinaryIO, ark: Path, key: str) -> tuple[list[int], int]:
    """Shape of the binary entry that begins here, and the offset at which it ends."""
    file.seek(2, io.SEEK_CUR)
    kind = bytearray()
    while (char := file.read(1)) not in (b" ", b"") and len(kind) < 4:
        kind += char
    name = kind.decode("ascii", "replace")
    header = {**dict.fromkeys(_MATRICES, 10), **dict.fromkeys(_VECTORS, 5)}
    header |= dict.fromkeys(_COMPRESSED, 16)
    if name not in header:
        raise ValueError(
            f"{ark}: entry {shown(key)} is of kind {name!r}; vectors and matrices of real numbers "
            f"are read, {', '.join(header)}"
        )
    data = file.read(header[name])
    if len(data) < header[name]:
        raise ValueError(f"{ark}: ends within the header of entry {shown(key)}")
    if name in _VECTORS:
        shape = [*struct.unpack("<xi", data)]
        size = shape[0] * _VECTORS[name]
    elif name in _MATRICES:
        shape = [*struct.unpack("<xixi", data)]
        size = shape[0] * shape[1] * _MATRICES[name]
    else:
        shape = [*struct.unpack("<8xii", data)]
        size = shape[0] * shape[1] * _COMPRESSED[name] + (8 * shape[1] if name == "CM" else 0)
    end = file.tell() + size
    length = file.seek(0, io.SEEK_END)
    if min(shape) < 0 or end > length:
        raise ValueError(
            f"{ark}: entry {shown(key)} promises {shape}, to byte {end:,}, and the file has "
            f"{length:,}: was it written, or copied, to its end?"
        )
    return shape, end


def _binary_end(file: BinaryIO, ark: Path, key: str) -> int:
    return _shape_and_end(file, ark, key)[1]


def _text_entry(file: BinaryIO, ark: Path, key: str) -> np.ndarray:
    """The vector or matrix in text that begins here, [ 1 2 ] or [ and rows of numbers ]."""
    start = file.readline().strip()
    if not start.startswith(b"["):
        raise ValueError(
            f"{ark}: entry {shown(key)} begins with {start[:8]!r}; a vector or matrix of Kaldi "
            "begins with \\0B or [, and nothing else is loaded"
        )
    rows = [start.removeprefix(b"[")]
    while not rows[-1].rstrip().endswith(b"]"):
        line = file.readline()
        if not line:
            raise ValueError(f"{ark}: ends within entry {shown(key)}, which has no closing bracket")
        rows.append(line)
    rows[-1] = rows[-1].rstrip().removesuffix(b"]")
    is_vector = len(rows) == 1
    try:
        values = [[float(cell) for cell in row.split()] for row in rows if row.strip()]
        array = np.array(values, np.float32)
    except ValueError as error:
        raise ValueError(f"{ark}: entry {shown(key)} is no vector or matrix ({error})") from error
    return array[0] if is_vector and values else array


def _read(ark: Path, key: str, offset: int) -> np.ndarray:
    from kaldiio.matio import read_matrix_or_vector

    with ark.open("rb") as file:
        file.seek(offset)
        if file.read(2) != b"\0B":
            file.seek(offset)
            return _text_entry(file, ark, key)
        file.seek(offset)
        shape, _ = _shape_and_end(file, ark, key)
        file.seek(offset)
        try:
            return read_matrix_or_vector(file) if min(shape) else np.zeros(shape, np.float32)
        except (ValueError, AssertionError, struct.error) as error:
            raise ValueError(f"{ark}: entry {shown(key)} cannot be read: {error}") from error
