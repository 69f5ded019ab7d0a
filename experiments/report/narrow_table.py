"""The table that a terminal of 80 columns holds: what each network keeps and what it reveals.

All of its scores are over the test speakers of all folds together, and verdict and upper bound are
of the attacker whose score stands beside them; means over folds are in the main table.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.report.side_tables import ends, score
from experiments.report.text_table import aligned
from experiments.results.questions import CONTROLS_SHOWN
from experiments.results.selected import network_name
from experiments.results.summary import (
    Entry,
    attributes,
    blocks,
    emotion_name,
    emotion_pooled,
)

_LONGEST = 24  # letters of a network's name
NOTE = (
    "UAR: how often the class is named rightly, averaged over the classes. "
    "emotion, attacker: on all test speakers together; emotion with its 95 % interval over "
    "speakers; attacker: the strongest freshly trained one; upper: the upper bound of its score at "
    "95 % confidence. --wide shows all columns and tables, summary.md and the report have them too."
)


def narrow_table(summary: Sequence[Entry]) -> list[str]:
    """Lines: of each block its title and a table, a line per network and attribute."""
    lines: list[str] = []
    for title, entries in blocks(summary):
        several = any(len(attributes(entry)) > 1 for entry in entries)
        header = ["network", *(["attribute"] if several else [])]
        header += [emotion_name(entries), "95 %", "attacker", "upper", "verdict"]
        rows = [line for entry in entries if _is_shown(entry) for line in _lines(entry, several)]
        lines += ["", title, *aligned(header, rows)]
    return lines[1:]


def _is_shown(entry: Entry) -> bool:
    """Not the controls that only say what guessing gives."""
    return not entry["control"] or entry["control"] in CONTROLS_SHOWN


def _lines(entry: Entry, several: bool) -> list[list[str]]:
    emotion = emotion_pooled(entry)
    known = None if math.isnan(emotion) else emotion
    cells = [_shortened(network_name(entry)), score(known), ends(entry["interval"])]
    lines: list[list[str]] = []
    for attribute in attributes(entry) or [""]:
        name, *emotion_cells = cells if not lines else [""] * len(cells)
        verdict = entry["verdicts"].get(attribute)
        placed = [name, *([attribute] if several else []), *emotion_cells]
        lines.append([*placed, *_attacker(verdict, bool(entry["collapsed"]))])
    return lines


def _shortened(name: str) -> str:
    """With an ellipsis in its middle if it is longer than a terminal has room for."""
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def _attacker(verdict: Mapping[str, Any] | None, has_collapsed: bool) -> list[str]:
    if verdict is None:
        return ["-", "-", "collapsed" if has_collapsed else ""]
    words = verdict["verdict"].replace("_", " ")
    return [score(verdict["uar"]), score(verdict["upper"]), words]
