"""Text files, read whole or line by line, with the place of each line for error messages (host)."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from privrep.messages import shown

LFS_SIGNATURE = "version https://git-lfs"
LFS_POINTER = "a Git LFS pointer in place of the file, which git lfs pull fetches"
_LARGEST_POINTER = 1024  # bytes, by its specification
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_lfs_pointer(path: Path) -> bool:
    """Whether the file is the few lines that Git LFS leaves where it has not fetched a file."""
    if path.stat().st_size >= _LARGEST_POINTER:
        return False
    with path.open("rb") as file:
        return file.read(len(LFS_SIGNATURE)) == LFS_SIGNATURE.encode()


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, in UTF-16 with a byte order mark, or else in Latin-1.

    Corpora are released in all three. Files that a user writes are read by `read_utf8`, which does
    not guess.
    """
    raw = path.read_bytes()
    if raw.startswith(_UTF16_MARKS):  # "Unicode text" of Excel
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_utf8(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises:
      ValueError: the file is in another encoding; the message names the first line that is.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error


def not_utf8(path: Path) -> ValueError:
    """The error for a file that is not in UTF-8: its first such line, or UTF-16 by its mark."""
    with path.open("rb") as file:
        if file.read(2) in _UTF16_MARKS:
            return ValueError(
                f"{path}: is text in UTF-16, by its first bytes, and UTF-8 is needed (from a "
                "spreadsheet: save as 'CSV UTF-8')"
            )
        file.seek(0)
        # No byte of a character of several bytes is a line feed, so lines can be decoded alone.
        number, line = next(
            (number, line)
            for number, line in enumerate(file, start=1)
            if line.decode("utf-8", "ignore").encode() != line
        )
    return ValueError(
        f"{path}:{number}: is not in UTF-8. The line is {shown(line.decode('latin-1'))} if the "
        "file is in Latin-1 (from a spreadsheet: save as 'CSV UTF-8'); save it again as UTF-8."
    )


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields ("path:number", line) for each line of `read_text`, numbered from 1.

    The first element is what an error message names as the place.
    """
    # str.splitlines would also split at the byte 0x85, which old Latin-1 files use as an ellipsis.
    for number, line in enumerate(io.StringIO(read_text(path), newline=None), 1):
        yield f"{path}:{number}", line.rstrip("\n")
