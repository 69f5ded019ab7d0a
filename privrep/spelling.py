"""What a misspelt name was perhaps meant to be (host)."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """Asks for the one of `names` that `name` is nearly spelt like; "" if there is none.

    Stands in an error behind what is valid. Upper and lower case are alike.
    """
    plain = {one.casefold(): one for one in names}
    found = difflib.get_close_matches(name.strip().casefold(), plain, n=1)
    return f" (did you mean {plain[found[0]]}?)" if found else ""
