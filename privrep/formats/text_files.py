"""Text files, read whole or line by line, with the place of each line for error messages (host)."""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from privrep.messages import shown

LFS_SIGNATURE = "version https://git-lfs"
LFS_POINTER = "a Git LFS pointer in place of the file, which git lfs pull fetches"
_LARGEST_POINTER = 1024  # bytes, by its specification
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Windows-1252 has letters where Latin-1, and Unicode after it, have control characters.
_WINDOWS = {
    code: bytes([code]).decode("cp1252")
    for code in range(0x80, 0xA0)
    if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)  # which it leaves undefined
}
_BYTE_OF = {letter: code for code, letter in _WINDOWS.items()}
_CONTINUED = "[\u0080-\u00bf" + "".join(_BYTE_OF) + "]"
# UTF-8 that was read as Windows-1252 or Latin-1 and written once more. Only what no language writes
# is taken for it: "é…”" is a word's end, and would be UTF-8 too.
_TORN = re.compile(
    f"\u00f0[\u0178\u009f]{_CONTINUED}{{2}}"  # an emoji
    f"|\u00e2[\u20ac\u0080]{_CONTINUED}"  # a quotation mark, a dash, an ellipsis
    "|\u00e2[\u201a\u0082]\u00ac|\u00e2[\u201e\u0084]\u00a2"  # euro, trademark
    "|\u00c3[\u00a1-\u00ba\u00bc-\u00bf]"  # a letter with an accent
    "|[\u00c2-\u00df][\u0080-\u009f]"
    "|\u00c3\u0192[\u00c2\u00c6]"  # such a letter that was torn twice, or more often
)
_MOST_TEARS = 4  # by as many programs, one after another
_CONTROL = re.compile("[" + "".join(map(chr, _WINDOWS)) + "]")


def is_lfs_pointer(path: Path) -> bool:
    """Whether the file is the few lines that Git LFS leaves where it has not fetched a file."""
    if path.stat().st_size >= _LARGEST_POINTER:
        return False
    with path.open("rb") as file:
        return file.read(len(LFS_SIGNATURE)) == LFS_SIGNATURE.encode()


class Decoded(NamedTuple):
    """The text of a file, and sentences on how it was decoded where that was a guess."""

    text: str
    notes: tuple[str, ...]


def decoded(path: Path) -> Decoded:
    """The text of a file in UTF-8, in UTF-16 with a byte order mark, or in Windows-1252.

    Lines that are not UTF-8 are taken for Windows-1252. Letters that were torn by another program
    before, so that Windows-1252 stands in the UTF-8 as control characters U+0080 to U+009F, or
    UTF-8 as two or three letters of it, are mended. Both are counted in the notes.
    """
    raw = path.read_bytes()
    if raw.startswith(_UTF16_MARKS):  # "Unicode text" of Excel
        return Decoded(raw.decode("utf-16", errors="replace"), ())
    try:
        text, windows = raw.decode("utf-8-sig"), 0
    except UnicodeDecodeError:
        text, windows = _windows_lines(raw.removeprefix(codecs.BOM_UTF8))
    notes = []
    if windows:
        notes.append(
            f"{path}: {windows:,} lines are not in UTF-8 and were read as Windows-1252; save the "
            "file again as UTF-8 if it is in another encoding."
        )
    if text.isascii() or not (_CONTROL.search(text) or _TORN.search(text)):
        return Decoded(text, tuple(notes))
    mended, letters = zip(*map(_mended_line, text.split("\n")))
    whole, controls = _CONTROL.subn(_windows_letter, "\n".join(mended))
    lines = sum(a != b for a, b in zip(text.split("\n"), whole.split("\n")))
    if lines:
        notes.append(
            f"{path}: {sum(letters) + controls:,} characters in {lines:,} lines were torn by "
            "another program (Windows-1252 taken for another encoding) and were mended."
        )
    return Decoded(whole, tuple(notes))


def _windows_lines(raw: bytes) -> tuple[str, int]:
    """The text, and how many of its lines are not UTF-8."""
    lines, count = [], 0
    for line in raw.split(b"\n"):  # no byte of a character of several bytes is a line feed
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("latin-1").translate(_WINDOWS))
            count += 1
    return "\n".join(lines), count


def _mended_line(line: str) -> tuple[str, int]:
    """The line without what was torn, once or again and again, and how many characters that was."""
    letters = 0
    for _ in range(_MOST_TEARS):
        if not _TORN.search(line):
            break
        try:  # all of it
            line = bytes(_BYTE_OF.get(letter, ord(letter)) for letter in line).decode("utf-8")
        except ValueError:  # or parts, where other text stands between them
            line, count = _TORN.subn(_mended, line)
            return line, letters + count
        letters = sum(not letter.isascii() for letter in line)
    return line, letters


def _mended(torn: re.Match[str]) -> str:
    try:
        return bytes(_BYTE_OF.get(letter, ord(letter) & 0xFF) for letter in torn[0]).decode("utf-8")
    except UnicodeDecodeError:
        return torn[0]


def _windows_letter(control: re.Match[str]) -> str:
    return _WINDOWS.get(ord(control[0]), control[0])


def read_text(path: Path) -> str:
    """The text of `decoded`. Corpora are released in all of these encodings."""
    return decoded(path).text


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
    # str.splitlines would also split at U+0085, which torn files hold in place of an ellipsis.
    for number, line in enumerate(io.StringIO(read_text(path), newline=None), 1):
        yield f"{path}:{number}", line.rstrip("\n")
