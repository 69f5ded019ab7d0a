"""Parsing shared by the corpus readers, with errors that name the place in the file (host)."""

import functools
import math
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from privrep.formats.text_files import read_text
from privrep.formats.values import GENDER, SPEAKER, finite, unify
from privrep.messages import first, misread
from privrep.types import Utterance

_Value = TypeVar("_Value")
PARTS = {  # of an official split, by the words of the releases
    "Train": "train",
    "Validation": "val",
    "Development": "val",
    "Dev": "val",
    "Val": "val",
    "Test": "test",
}


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


def gender_of(text: str, place: str) -> str | None:
    """What the vocabulary of values has for a word for a gender; None where it is missing.

    Raises:
      ValueError: it has none.

    >>> gender_of("Female", ""), gender_of("m", ""), gender_of("Unknown", "")
    ('female', 'male', None)
    """
    gender, is_known = _meaning(text, GENDER)
    if not is_known:
        raise misread(
            place, text, "a gender, one of Female, Male, Unknown, or a usual word for them"
        )
    return gender


def speaker_of(text: str) -> str | None:
    """The name of a speaker; None where the text says that it is not known."""
    return _meaning(text, SPEAKER)[0]


@functools.cache
def _meaning(text: str, kind: str) -> tuple[str | None, bool]:
    unified = unify("", kind, [text])
    return unified.cells[0] or None, not unified.unknown


def official_part(text: str, place: str) -> tuple[str | None, str | None]:
    """The part of an official split and, of several test sets, which: ("test", "Test2").

    Case, blanks and underscores do not count; an empty text is no part.

    Args:
      text: a word of PARTS; "test" may be followed by a number.
      place: "path:number", for the error message.

    Raises:
      ValueError: another word; the message lists the valid ones.

    >>> official_part("Development", ""), official_part("test_2", ""), official_part("", "")
    (('val', None), ('test', 'Test2'), (None, None))
    """
    word = re.sub(r"[\s_-]", "", text).capitalize()
    if not word:
        return None, None
    if re.fullmatch(r"Test\d+", word):
        return "test", word
    if word not in PARTS:
        raise misread(
            place, text, "a split, one of Train, Validation, Development, Test1, Test2, …, or Test"
        )
    return PARTS[word], None


def rating(text: str, scale: tuple[float, float], place: str) -> float | None:
    """The number in `text`; None where it is empty or NaN.

    Args:
      text: the cell.
      scale: lowest and highest valid number.
      place: "path:number", for the error message.

    Raises:
      ValueError: `text` is no number, infinite, or off the scale.
    """
    if not text.strip():
        return None
    value = finite(text, place, "a number with a decimal point, or nothing")
    if value is not None and not scale[0] <= value <= scale[1]:
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


def locate(root: Path, is_corpus: Callable[[Path], bool], inner: Collection[str] = ()) -> Path:
    """`root`, or the folder just below or above it that holds the corpus, named in a warning.

    People name the folder that a release was unpacked into, or one of the release's own.

    Args:
      root: the folder that was named.
      is_corpus: whether a folder is that of the corpus.
      inner: names, in lower case, that only folders inside the corpus have, at any depth.

    Raises:
      ValueError: several folders below hold one.
    """
    if not root.is_dir():
        return root
    place = root.absolute()
    outermost = place
    while outermost.name.lower() in inner:
        outermost = outermost.parent
    if outermost == place and is_corpus(root):
        return root
    below = [path for path in sorted(root.iterdir()) if path.is_dir() and is_corpus(path)]
    above = [path for path in (outermost, place.parent) if path != place and is_corpus(path)]
    if len(below) > 1 and not above:
        raise ValueError(
            f"{root} holds {len(below)} copies or parts of the corpus: "
            f"{first([path.name for path in below])}; name one of these folders"
        )
    candidates = [*above, *below]
    if not candidates:
        return root
    warnings.warn(
        f"{root} is a folder {'in' if above else 'above'} the corpus, which is read from "
        f"{candidates[0]}",
        stacklevel=3,
    )
    return candidates[0]


def not_found(corpus: str, root: Path, wanted: Iterable[str], obtain: str) -> FileNotFoundError:
    """The error for a root that does not hold the corpus."""
    state = "does not look like" if root.exists() else "does not exist, so it cannot be"
    return FileNotFoundError(
        f"{root} {state} {corpus}: looked there for {' or '.join(wanted)}. {obtain}"
    )
