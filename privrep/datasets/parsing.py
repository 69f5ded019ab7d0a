"""Parsing shared by the corpus readers, with errors that name the place in the file (host)."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from privrep.formats.text_files import read_text
from privrep.messages import misread
from privrep.types import Utterance

_Value = TypeVar("_Value")


def read_transcript(path: Path) -> str | None:
    """The text of a transcript file, blanks collapsed; None where there is no such file."""
    try:
        return " ".join(read_text(path).split())
    except FileNotFoundError:
        return None


def lookup(names: Mapping[str, _Value], key: str, place: str, what: str) -> _Value:
    """names[key].

    Args:
      names: {key as it is written in the release: value}.
      key: the text at `place`.
      place: "path:number", for the error message.
      what: the meaning of the key, with an article, for the error message.

    Raises:
      ValueError: there is no such key; the message lists the valid ones.
    """
    if key not in names:
        raise misread(place, key, f"{what}, one of {', '.join(names)}")
    return names[key]


def rating(text: str, scale: tuple[float, float], place: str) -> float | None:
    """The number in `text`; None where it is empty or NaN.

    Args:
      text: the cell.
      scale: lowest and highest valid number.
      place: "path:number", for the error message.

    Raises:
      ValueError: `text` is no number, infinite, or off the scale.
    """
    try:
        value = float(text) if text.strip() else math.nan
    except ValueError:
        raise misread(place, text, "a number with a decimal point, or nothing") from None
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError(f"{place}: {text!r} is not a valid value; expected a finite number")
    if not scale[0] <= value <= scale[1]:
        if scale[1] == math.inf:
            raise ValueError(f"{place}: {text!r} is too small; expected at least {scale[0]:g}")
        raise ValueError(f"{place}: {text!r} is off the scale from {scale[0]:g} to {scale[1]:g}")
    return value


def known(values: Mapping[str, _Value | None]) -> dict[str, _Value]:
    """`values` without those that are None, since records leave out what is unknown."""
    return {name: value for name, value in values.items() if value is not None}


def sorted_by_id(described: Iterable[tuple[str, Utterance]], root: Path) -> list[Utterance]:
    """The utterances sorted by id.

    Args:
      described: ("path:number", utterance) of each.
      root: the corpus, for the error message.

    Raises:
      ValueError: two utterances have the same id (the message names both places), or there is none.
    """
    places: dict[str, str] = {}
    utterances = []
    for place, utterance in described:
        if utterance.id in places:
            raise ValueError(
                f"utterance {utterance.id} is described twice: {places[utterance.id]} and {place}"
            )
        places[utterance.id] = place
        utterances.append(utterance)
    if not utterances:
        raise ValueError(f"{root}: the corpus exists, but describes no utterance")
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
