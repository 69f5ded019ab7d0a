"""What the corpus readers share: text in any encoding, ratings, and errors that say where."""

import math
from collections.abc import Iterable
from pathlib import Path

from privrep.formats.text_files import read_text
from privrep.messages import misread
from privrep.types import Utterance


def read_transcript(path: Path) -> str | None:
    """The words of a transcript file, blanks collapsed; None where there is no such file."""
    try:
        return " ".join(read_text(path).split())
    except FileNotFoundError:
        return None


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
