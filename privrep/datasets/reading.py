"""What the corpus readers share: text in any encoding, ratings, and errors that say where."""

import codecs
import csv
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from privrep.utterances import Utterance


def read_text(path: Path) -> str:
    """A file's text: UTF-8, UTF-16 that begins with its byte order mark, else Latin-1."""
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # "Unicode text" of Excel
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields ("path:number", line) for each line; the first is what an error names."""
    # str.splitlines would also split at the byte 0x85, which old Latin-1 files use as an ellipsis.
    for number, line in enumerate(io.StringIO(read_text(path), newline=None), 1):
        yield f"{path}:{number}", line.rstrip("\n")


def read_table(
    path: Path, required: Iterable[str], delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields ("path:number", {column: cell}) for each row of a CSV with a header, blanks stripped.

    Raises:
      ValueError: a required column is missing or a column is there twice, a row has other cells
        than the header, or quotes do not close.
    """
    rows = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    line = 1  # a quoted cell may span lines: the row is where it starts
    try:
        header = [name.strip() for name in next(rows, [])]
        if not any(header):
            raise ValueError(f"{path}: the file is empty; expected a header with columns")
        missing = [name for name in required if name not in header]
        if missing:
            case = [
                (has, name) for name in missing for has in header if has.lower() == name.lower()
            ]
            hint = "".join(f"; rename {has} to {name}, case matters" for has, name in case)
            raise ValueError(
                f"{path}:1: no column {' and no column '.join(missing)} in the header; its "
                f"columns are {', '.join(header)}{hint}"
            )
        if len(set(header)) < len(header):
            raise misread(f"{path}:1", delimiter.join(header), "each column once")
        while True:
            line = rows.line_num + 1
            cells = next(rows, None)
            if cells is None:
                return
            if not any(cells):
                continue
            if len(cells) != len(header):
                wanted = f"{len(header)} cells as in the header, not {len(cells)}"
                raise misread(f"{path}:{line}", delimiter.join(cells), wanted)
            yield f"{path}:{line}", dict(zip(header, (cell.strip() for cell in cells)))
    except csv.Error as error:
        raise ValueError(f"{path}:{line}: this row is no CSV: {error}") from None


def read_transcript(path: Path) -> str | None:
    """The words of a transcript file, blanks collapsed; None where there is no such file."""
    try:
        return " ".join(read_text(path).split())
    except FileNotFoundError:
        return None


def misread(at: str, text: object, expected: str) -> ValueError:
    """The error for `text` at "path:number" which is not what was `expected` there."""
    return ValueError(f"{at}: {text!r} does not parse; expected {expected}")


def lookup(names: dict, key: str, at: str, what: str):
    """names[key], or the error that lists the valid keys of `what`."""
    if key not in names:
        raise misread(at, key, f"{what}, one of {', '.join(names)}")
    return names[key]


def rating(text: str, scale: tuple[float, float], at: str) -> float | None:
    """The number in `text`; None where it is empty or NaN; an error where it is off the scale."""
    try:
        value = float(text) if text.strip() else math.nan
    except ValueError:
        raise misread(at, text, "a number with a decimal point, or nothing") from None
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError(f"{at}: {text!r} is not a valid value; expected a finite number")
    if not scale[0] <= value <= scale[1]:
        if scale[1] == math.inf:
            raise ValueError(f"{at}: {text!r} is too small; expected at least {scale[0]:g}")
        raise ValueError(f"{at}: {text!r} is off the scale from {scale[0]:g} to {scale[1]:g}")
    return value


def known(values: dict) -> dict:
    """`values` without those that are None: what is unknown is left out of a record."""
    return {name: value for name, value in values.items() if value is not None}


def sorted_by_id(found: Iterable[tuple[str, Utterance]], root: Path) -> list[Utterance]:
    """The utterances sorted by id, from pairs ("path:number", utterance).

    Raises:
      ValueError: two utterances with one id (naming both places), or no utterance at all.
    """
    places: dict[str, str] = {}
    utterances = []
    for at, utterance in found:
        if utterance.id in places:
            raise ValueError(
                f"utterance {utterance.id} is described twice: {places[utterance.id]} and {at}"
            )
        places[utterance.id] = at
        utterances.append(utterance)
    if not utterances:
        raise ValueError(f"{root}: the corpus is there, but describes no utterance")
    return sorted(utterances, key=lambda utterance: utterance.id)


def first_existing(root: Path, names: Iterable[str]) -> Path | None:
    """The first of root/name that exists; None where none does."""
    return next((root / name for name in names if (root / name).exists()), None)


def not_found(corpus: str, root: Path, wanted: Iterable[str], obtain: str) -> FileNotFoundError:
    """The error for a root that does not hold the corpus."""
    state = "does not look like" if root.exists() else "does not exist, so it cannot be"
    return FileNotFoundError(
        f"{root} {state} {corpus}: looked there for {' or '.join(wanted)}. {obtain}"
    )
