"""Settings that no other beats in everything, on validation data."""

import math
from collections.abc import Sequence

from experiments.results.summary import Entry, attributes, mean


def pareto(entries: Sequence[Entry]) -> list[Entry]:
    """Those of a block for which no other has better emotion and a weaker attacker, on validation.

    At least as good in all and better in one is better. Controls, and settings in which a network
    collapsed, neither count nor beat: an h that says nothing is not private. An attribute without
    a score on validation data (of speaker there is none) is left out.
    """
    points = {
        i: (mean(entry, "val_emotion_uar"), *(-leak for leak in leaks_of(entry, "val")))
        for i, entry in enumerate(entries)
        if not entry["control"] and not entry["collapsed"] and entry["n"]
    }
    scores = [
        {i: point[j] for i, point in points.items()}
        for j in range(max(map(len, points.values()), default=0))
    ]
    known = [of for of in scores if not all(map(math.isnan, of.values()))]
    points = {i: tuple(of[i] for of in known) for i in points}
    points = {i: point for i, point in points.items() if not any(map(math.isnan, point))}
    return [
        entries[i]
        for i, point in points.items()
        if not any(other != point and _reaches(other, point) for other in points.values())
    ]


def _reaches(other: Sequence[float], point: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(other, point))


def leaks_of(entry: Entry, part: str) -> list[float]:
    """Mean score of the fresh attacker of each attribute on "val" or "test"."""
    return [mean(entry, f"{part}_{a}_attacker_uar") for a in attributes(entry)]
