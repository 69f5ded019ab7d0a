"""Escaping of text for LaTeX, in ASCII, which any engine and any font encoding take."""

import re
import unicodedata

_PRINTED = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    # At the start of a line these two would be arguments of the \\ before it.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "○": r"$\circ$",
    "·": r"$\cdot$",
    "’": "'",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "ς": r"$\varsigma$",
    "ο": "o",
}
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327",
                    ("`", "'", "^", "~", "=", "u", ".", '"', "r", "H", "v", "c")))  # fmt: skip
_SMALL = re.compile("GREEK SMALL LETTER ([A-Z]+)$")
_CAPITAL = re.compile("GREEK CAPITAL LETTER ([A-Z]+)$")
_CAPITALS = {  # the others look as Latin ones
    *("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
}


def in_latex(text: str) -> str:
    """Text that LaTeX prints as it stands; blanks are one blank.

    A letter that no macro here writes comes out as its code point, such as U+4E2D.

    >>> in_latex("λ = 50 %")
    '$\\\\lambda$ = 50 \\\\%'
    """
    printed: list[str] = []
    for character in unicodedata.normalize("NFD", " ".join(text.split())):
        if character in _ACCENTS and printed:
            base = {"i": r"\i{}", "j": r"\j{}"}.get(printed[-1], printed[-1])
            printed[-1] = f"\\{_ACCENTS[character]}{{{base}}}"
        elif character == "-" and printed and printed[-1].endswith("-"):
            printed.append("{}-")  # two hyphens, as of a flag, no dash
        else:
            printed.append(_character(character))
    return "".join(printed)


def _character(character: str) -> str:
    if character in _PRINTED:
        return _PRINTED[character]
    if " " <= character <= "~":
        return character
    name = unicodedata.name(character, "")
    small, capital = (
        match[1].lower().replace("lamda", "lambda") if match else ""
        for match in (_SMALL.match(name), _CAPITAL.match(name))
    )
    if small:
        return f"$\\{small}$"
    if capital in _CAPITALS:
        return f"$\\{capital.capitalize()}$"
    return rf"\texttt{{U+{ord(character):04X}}}"
