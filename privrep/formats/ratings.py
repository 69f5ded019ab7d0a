"""Other names of rating columns: abbreviations, affixes and joint columns (host).

A lone A or V may be anything (audio, video). They are activation and valence where they stand in
one table as a group (V,A,D or v_mean,a_mean) and hold numbers.
"""

import itertools
import re
from collections.abc import Mapping, Sequence

_SHORT = {
    "valence": ("v", "val", "vale", "pleasure", "valence"),
    "activation": ("a", "aro", "act", "ar", "arousal", "activation"),
    "dominance": ("d", "dom", "do", "control", "power", "dominance"),
}
_AFFIXES = ("", "mean", "means", "avg", "average", "score", "rating", "value", "emo", "gold", "gt")
_OF_WORD = {word: ours for ours, words in _SHORT.items() for word in words}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SEVERAL = re.compile(rf"[\[(]?\s*({_NUMBER}(?:\s*[,;/|\s]\s*{_NUMBER})+)\s*[\])]?")
_MISSING = re.compile(r"(?:|nan|na|n/a|none|null|-|\?)", re.IGNORECASE)


def abbreviated(cells: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """{valence, activation, dominance: name in the table} of a group of abbreviations.

    Names of one group have the same word before or behind them, such as mean, or none. Valence and
    activation must be there; without dominance no other column of the group may be a letter.

    Args:
      cells: {name in the table: N cells}.

    >>> abbreviated({"A": ["4"], "V": ["3.5"], "D": ["2"], "N": ["1"]})
    {'activation': 'A', 'valence': 'V', 'dominance': 'D'}
    >>> abbreviated({"A": ["1"], "V": ["1"], "T": ["0"]})
    {}
    """
    groups: dict[str, dict[str, str]] = {}
    letters: dict[str, set[str]] = {}
    for name, column in cells.items():
        for affix in _AFFIXES:
            word = _without(affix, name)
            if len(word) == 1:
                letters.setdefault(affix, set()).add(word)
            ours = _OF_WORD.get(word)
            if ours and _are_numbers(column):
                groups.setdefault(affix, {}).setdefault(ours, name)
    for affix, group in groups.items():
        others = letters.get(affix, set()) - {_without(affix, name) for name in group.values()}
        if {"valence", "activation"} <= {*group} and ("dominance" in group or not others):
            return group
    return {}


def _without(affix: str, name: str) -> str:
    """The letters of a name before or behind an affix; "" where the affix is not there."""
    letters = "".join(c for c in name.casefold() if c.isalnum())
    if affix and not letters.startswith(affix) and not letters.endswith(affix):
        return ""
    return letters.removeprefix(affix) if letters.startswith(affix) else letters.removesuffix(affix)


def _are_numbers(column: Sequence[str]) -> bool:
    """Whether most cells are; the reader of ratings names those that are not."""
    present = [cell for cell in map(str.strip, column) if not _MISSING.fullmatch(cell)]
    return 2 * sum(bool(re.fullmatch(_NUMBER, cell)) for cell in present) > len(present)


def divided(name: str, column: Sequence[str]) -> dict[str, list[str]]:
    """The columns of a joint column of ratings, such as V/A/D or VAD with cells such as 3/2.5/4.

    Args:
      name: of the column.
      column: N cells, each with as many numbers as the name has ratings, or missing.

    Returns:
      {our name: N cells}; empty where this is no such column.

    >>> divided("[V, A, D]", ["[2.5, 3, 4]", ""])
    {'valence': ['2.5', ''], 'activation': ['3', ''], 'dominance': ['4', '']}
    """
    words = re.findall(r"[^\W\d_]+", name.casefold())
    if len(words) == 1 and 2 <= len(words[0]) <= len(_SHORT):
        words = [*words[0]]
    ours = [_OF_WORD.get(word, "") for word in words]
    if len(ours) < 2 or not all(ours) or len({*ours}) < len(ours):
        return {}
    rows: list[list[str]] = []
    for cell in map(str.strip, column):
        match = _SEVERAL.fullmatch(cell)
        numbers = re.findall(_NUMBER, match[1]) if match else []
        if len(numbers) != len(ours) and not _MISSING.fullmatch(cell):
            return {}
        rows.append(numbers or [""] * len(ours))
    if not any(itertools.chain.from_iterable(rows)):
        return {}
    return {rating: [row[i] for row in rows] for i, rating in enumerate(ours)}
