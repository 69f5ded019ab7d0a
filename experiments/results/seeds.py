"""What the rows of one setting say of all speakers together, all seeds taken as one."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from privrep.statistics.confidence import over_seeds
from privrep.types import ALPHA

Row = Mapping[str, Any]
_OF_SEEDS = {"lower": min, "upper": max, "minimum_detectable": max, "p": over_seeds}
VERDICTS = ("leaks", "cannot_tell", "no_leak_shown")  # the least favourable first


def verdicts(
    runs: Sequence[Row],
    place: str,
    scores: Sequence[str] = ("uar", "lower", "upper", "minimum_detectable"),
) -> dict[str, dict]:
    """{attribute: what the columns <attribute>_<place>_... say of it, all seeds taken together}.

    Of several seeds the mean scores, the widest bounds, and one p for all (`over_seeds`): "leaks"
    where it is small enough, "no_leak_shown" where every seed says so.
    """
    found, end = {}, f"_{place}_verdict"
    for column in dict.fromkeys(c for row in runs for c in row if c.endswith(end)):
        names = ("verdict", *scores, "p")
        cells = [column.removesuffix("verdict") + name for name in names]
        # The folds of a seed were judged together and say the same.
        lots = dict.fromkeys(
            (row.get("seed"), row[column], *(number(row.get(cell)) for cell in cells[1:]))
            for row in runs
            if row.get(column)
        )
        if not lots:
            continue
        _, says, *values = zip(*lots)
        of = dict(zip(names[1:], values))
        known = {name: all(map(math.isfinite, each)) for name, each in of.items()}
        joined = {n: _OF_SEEDS.get(n, fmean)(of[n]) if known[n] else None for n in names[1:]}
        verdict = min(says, key=VERDICTS.index)
        if len(says) > 1 and verdict == "leaks" and (joined["p"] or 1) > ALPHA:
            verdict = "cannot_tell"
        found[column.removesuffix(end)] = {"verdict": verdict, **joined}
    return found


def of_all(runs: Sequence[Row], place: str, names: Sequence[str]) -> dict[str, float]:
    """What stands in all rows that were run together alike; {} where it stands in none.

    Of several such lots the means, and the largest p, which is one whatever they have in common;
    1 where their differences are on both sides of 0.
    """
    rows = [tuple(number(row.get(f"{place}_{c}")) for c in names) for row in runs]
    lots = [lot for lot in dict.fromkeys(rows) if all(map(math.isfinite, lot))]
    if not lots or len(lots) == 1:
        return dict(zip(names, lots[0])) if lots else {}
    of = dict(zip(names, zip(*lots)))
    both_sides = min(of.get("difference", (1,))) < 0 < max(of.get("difference", (1,)))
    joined = {c: fmean(values) for c, values in of.items()}
    return joined | ({"p": 1.0 if both_sides else max(of["p"])} if "p" in of else {})


def among(runs: Sequence[Row]) -> dict[str, dict]:
    """{"attribute=value": emotion of these speakers, over them}"""
    first, last = "emotion_among_", "_uar"
    columns = dict.fromkeys(c for row in runs for c in row if c.startswith(first))
    whose = [c.removeprefix(first).removesuffix(last) for c in columns if c.endswith(last)]
    found = {who: of_all(runs, first + who, ("uar", "lower", "upper")) for who in whose}
    return {who: told for who, told in found.items() if told}


def changed(runs: Sequence[Row], whole: bool) -> dict[str, dict]:
    """{"emotion" or attribute: difference to lambda 0 over speakers}; of emotion if not whole."""
    columns = dict.fromkeys(c for row in runs for c in row if c.endswith("_change_difference"))
    places = [c.removesuffix("_difference") for c in columns]
    names = ("difference", "lower", "upper", "p")
    found = {
        place.removesuffix("_change"): of_all(runs, place, names)
        for place in sorted(places, key=lambda place: place != "emotion_change")
        if whole or place == "emotion_change"
    }
    return {what: told for what, told in found.items() if told}


def number(cell: Any) -> float:
    """Of a cell of runs.csv; NaN where it is empty."""
    return math.nan if cell in (None, "") or math.isnan(float(cell)) else float(cell)
