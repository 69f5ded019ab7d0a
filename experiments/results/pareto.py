"""The Pareto front: settings that no other beats in every score on validation data."""

import math
from collections.abc import Sequence

from experiments.results.columns import attacker_uar
from experiments.results.summary import Entry, attributes, emotion_mean, mean


def pareto(entries: Sequence[Entry]) -> list[Entry]:
    """Those of a block for which no other has better emotion and a weaker attacker, on validation.

    At least as good in all and better in one is better. Controls, and settings in which a network
    collapsed, neither count nor beat: an h that holds nothing is not private. An attribute without
    a score on validation data (of speaker there is none) is left out.
    """
    points = {
        i: (emotion_mean(entry, "val"), *(-leak for leak in leaks_of(entry, "val")))
        for i, entry in enumerate(entries)
        if not entry["control"] and not entry["collapsed"] and entry["n"]
    }
    scores = [
        {i: point[j] for i, point in points.items()}
        for j in range(max(map(len, points.values()), default=0))
    ]
    known = [score for score in scores if not all(map(math.isnan, score.values()))]
    points = {i: tuple(score[i] for score in known) for i in points}
    points = {i: point for i, point in points.items() if not any(map(math.isnan, point))}
    return [
        entries[i]
        for i, point in points.items()
        if not any(other != point and _reaches(other, point) for other in points.values())
    ]


def _reaches(other: Sequence[float], point: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(other, point))


def leaks_of(entry: Entry, part: str) -> list[float]:
    """Mean UAR of the freshly trained attacker of each attribute on "val" or "test"."""
    return [mean(entry, attacker_uar(part, a)) for a in attributes(entry)]
