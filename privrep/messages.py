"""What a misspelt name was perhaps meant to be (host)."""

import difflib
from collections.abc import Iterable, Sequence

_NAMED = 5  # rows, columns or values that a message names
_SHOWN = 40  # characters of a cell in a message


def first(names: Sequence[str], most: int = _NAMED) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def shown(cell: str) -> str:
    """A cell for a message: quoted, and not all of a long one."""
    return repr(cell if len(cell) <= _SHOWN else cell[:_SHOWN] + "…")


def misread(at: str, text: object, expected: str) -> ValueError:
    """The error for `text` at "path:number" which is not what was `expected` there."""
    return ValueError(f"{at}: {text!r} does not parse; expected {expected}")


def nearest(name: str, names: Iterable[str]) -> str:
    """Asks for the one of `names` that `name` is nearly spelt like; "" if there is none.

    Stands in an error behind what is valid. Upper and lower case are alike.
    """
    plain = {one.casefold(): one for one in names}
    found = difflib.get_close_matches(name.strip().casefold(), plain, n=1)
    return f" (did you mean {plain[found[0]]}?)" if found else ""
