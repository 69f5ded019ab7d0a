"""Words of error messages: lists cut short, quoted cells, spelling suggestions (host)."""

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence

_NAMED = 5  # rows, columns or values that a message names
_SHOWN = 40  # characters of a cell in a message


def first(names: Sequence[str], most: int = _NAMED) -> str:
    """The first of the names, and the number of the others.

    >>> first(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def shown(cell: str) -> str:
    """A cell for a message: quoted, and cut short if it is long."""
    return repr(cell if len(cell) <= _SHOWN else cell[:_SHOWN] + "…")


def pasted(value: str) -> str:
    """The value of a flag as it is pasted into a shell: quoted where that would divide it.

    >>> pasted("speaker=subj"), pasted("id=Utterance ID")
    ('speaker=subj', "'id=Utterance ID'")
    """
    return value if re.fullmatch(r"[\w=,./:…-]*", value) else shlex.quote(value)


def misread(at: str, text: object, expected: str) -> ValueError:
    """The error for `text` at "path:number" which does not parse as what was `expected` there."""
    return ValueError(f"{at}: {text!r} does not parse; expected {expected}")


def nearest(name: str, names: Iterable[str]) -> str:
    """A question that suggests the one of `names` with the most similar spelling; "" if none is.

    It is appended to an error message. Case is ignored.

    >>> nearest("gendr", ["speaker", "gender"])
    ' (did you mean gender?)'
    """
    by_folded = {candidate.casefold(): candidate for candidate in names}
    matches = difflib.get_close_matches(name.strip().casefold(), by_folded, n=1)
    return f" (did you mean {by_folded[matches[0]]}?)" if matches else ""


def printable(text: str) -> str:
    """`text` with every character replaced that could control a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
