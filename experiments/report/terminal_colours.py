"""Colours of the verdicts on a terminal; each verdict has a sign and words besides."""

import re
from collections.abc import Mapping
from typing import TextIO

from privrep.leakage.headline import ANSWERS

# Colours that any colour vision tells apart, on light and dark terminals.
_CODES = {"leaks": "33", "no_leak_shown": "36", "cannot_tell": "35"}
_SIGNS = {ANSWERS[verdict].sign: code for verdict, code in _CODES.items()}
_WORDS = {verdict.replace("_", " "): code for verdict, code in _CODES.items()}
# A sign before a network of an answer, and a verdict that ends a line of a table.
_SIGN = re.compile(rf"(?m)^  ([{re.escape(''.join(_SIGNS))}]) ")
_WORD = re.compile(rf"(?m)(?<=  )({'|'.join(_WORDS)})$")


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream is a terminal that shows colours, and nobody asked for none.

    Args:
      environment: NO_COLOR, if not empty, asks for none (https://no-color.org); TERM=dumb shows
        none.
    """
    is_asked = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return is_asked and stream.isatty()


def coloured(text: str) -> str:
    """The text of a terminal with its verdicts in colour.

    >>> coloured("  ▲ ordinary: it leaks.")
    '  \\x1b[33m▲\\x1b[0m ordinary: it leaks.'
    >>> coloured("raw  0.9  leaks")
    'raw  0.9  \\x1b[33mleaks\\x1b[0m'
    """
    text = _SIGN.sub(lambda match: f"  {_in(match[1], _SIGNS[match[1]])} ", text)
    return _WORD.sub(lambda match: _in(match[1], _WORDS[match[1]]), text)


def _in(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"
