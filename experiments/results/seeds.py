"""Statements about one setting over all speakers and seeds, joined from rows of runs.csv."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from experiments.results.columns import Row, members, name_of
from privrep.statistics.confidence import over_seeds
from privrep.types import ALPHA

_OVER_SEEDS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "lower": min,
    "upper": max,
    "minimum_detectable": max,
    "p": over_seeds,
}
VERDICTS = ("leaks", "cannot_tell", "no_leak_shown")  # the least favourable first
FLOOR = "floor"
SCORES = ("uar", "lower", "upper", "minimum_detectable")


def verdicts(
    runs: Sequence[Row], place: str, scores: Sequence[str] = SCORES
) -> dict[str, dict[str, Any]]:
    """The verdict about each attribute, all seeds taken together.

    Of several seeds the mean scores, the widest bounds, and one p for all (`over_seeds`): "leaks"
    where it is small enough, "no_leak_shown" where every seed says so.

    Args:
      place: the columns' names without the last word, such as "<attribute>_pooled".
      scores: the last words of the columns to join.

    Returns:
      {attribute: {"verdict": one of VERDICTS, score: over seeds, ..., "p": over seeds, "floor":
      their mean, where it is known}}.
    """
    joined = {}
    names = (*scores, "p")
    for attribute, column in members(f"{place}_verdict", _columns(runs)).items():
        cells = [name_of(f"{place}_{name}", attribute) for name in (*names, FLOOR)]
        # The folds of a seed were judged together and say the same.
        lots = dict.fromkeys(
            (row.get("seed"), row[column], *(number(row.get(cell)) for cell in cells))
            for row in runs
            if row.get(column)
        )
        if not lots:
            continue
        _, verdict_of_seed, *columns, floors = zip(*lots)
        over: dict[str, Any] = {"verdict": min(verdict_of_seed, key=VERDICTS.index)}
        for name, values in zip(names, columns):
            is_known = all(map(math.isfinite, values))
            over[name] = _OVER_SEEDS.get(name, fmean)(values) if is_known else None
        if all(map(math.isfinite, floors)):  # an earlier version has none
            over[FLOOR] = fmean(floors)
        if len(lots) > 1 and over["verdict"] == "leaks" and (over["p"] or 1) > ALPHA:
            over["verdict"] = "cannot_tell"
        joined[attribute] = over
    return joined


def strongest(runs: Sequence[Row]) -> dict[str, str]:
    """{attribute: name of the strongest attacker on all speakers, or of that in each seed}."""
    names = members("<attribute>_pooled_attacker", _columns(runs))
    joined = {
        attribute: " or ".join(dict.fromkeys(row[column] for row in runs if row.get(column)))
        for attribute, column in names.items()
    }
    return {attribute: text for attribute, text in joined.items() if text}


def of_all(runs: Sequence[Row], place: str, names: Sequence[str]) -> dict[str, float]:
    """The scores that all rows which were run together share; {} where there are none.

    Of several such lots the means, and the largest p, which is one whatever they have in common;
    1 where their differences are on both sides of 0.

    Args:
      place: the columns' names without the last word.
      names: the last words.
    """
    rows = [tuple(number(row.get(f"{place}_{name}")) for name in names) for row in runs]
    lots = [lot for lot in dict.fromkeys(rows) if all(map(math.isfinite, lot))]
    if not lots or len(lots) == 1:
        return dict(zip(names, lots[0])) if lots else {}
    values_of = dict(zip(names, zip(*lots)))
    joined = {name: fmean(values) for name, values in values_of.items()}
    if "p" in values_of:
        differences = values_of.get("difference", (1,))
        both_sides = min(differences) < 0 < max(differences)
        joined["p"] = 1.0 if both_sides else max(values_of["p"])
    return joined


def emotion_interval(runs: Sequence[Row], place: str) -> dict[str, float]:
    """{uar, or ccc of a regression, lower, upper} of emotion over speakers; {} where there is none.

    Args:
      place: the columns' names without the last word.
    """
    uar, ccc = (of_all(runs, place, (name, "lower", "upper")) for name in ("uar", "ccc"))
    return uar or ccc


def among(runs: Sequence[Row]) -> dict[str, dict[str, float]]:
    """{"attribute=value": emotion of these speakers, over them}"""
    groups = members("emotion_among_<group>_uar", _columns(runs))
    groups |= members("emotion_among_<group>_ccc", _columns(runs))
    joined = {g: emotion_interval(runs, f"emotion_among_{g}") for g in groups}
    return {group: scores for group, scores in joined.items() if scores}


READ = "_read"  # behind the name of a task that is read from h
RECOGNISED = ("macro_f1", "weighted_accuracy")


def recognised(runs: Sequence[Row]) -> dict[str, dict[str, float]]:
    """{"macro_f1", "weighted_accuracy", "recall_<class>": {score, lower, upper} over speakers}."""
    classes = members("emotion_pooled_recall_<class>", _columns(runs))
    joined = {}
    for name in (*RECOGNISED, *(f"recall_{value}" for value in classes)):
        scores = of_all(runs, "emotion_pooled", (name, f"{name}_lower", f"{name}_upper"))
        if scores:
            joined[name] = {
                which or "score": scores[f"{name}_{which}" if which else name]
                for which in ("", "lower", "upper")
            }
    return joined


def confusion(runs: Sequence[Row]) -> dict[str, dict[str, int]]:
    """{class: {recognised class: utterances of all folds and seeds}}; {} where there is none."""
    joined: dict[str, dict[str, int]] = {}
    # Rows of seeds that were run together share one cell; those of others are added.
    for cell in dict.fromkeys(row.get("emotion_confusion") for row in runs):
        for name, counts in (json.loads(cell) if cell else {}).items():
            total = joined.setdefault(name, dict.fromkeys(counts, 0))
            for other, count in counts.items():
                total[other] = total.get(other, 0) + count
    return joined


def gaps(runs: Sequence[Row]) -> dict[str, dict[str, float]]:
    """{"attribute=value": how much better the emotion of its speakers is recognised}."""
    groups = members("emotion_gap_<group>_difference", _columns(runs))
    names = ("difference", "lower", "upper")
    joined = {group: of_all(runs, f"emotion_gap_{group}", names) for group in groups}
    return {group: scores for group, scores in joined.items() if scores}


def read_tasks(runs: Sequence[Row]) -> dict[str, dict[str, float]]:
    """{task: {uar or ccc, lower, upper, chance} of a linear reader of h, over speakers}."""
    joined = {}
    for name in ("uar", "ccc"):
        for task in members(f"<task>_read_{name}", _columns(runs)):
            scores = of_all(runs, f"{task}_read", (name, "lower", "upper", "chance"))
            if scores:
                joined[task] = scores
    return joined


def changed(runs: Sequence[Row], whole: bool) -> dict[str, dict[str, float]]:
    """{subject: its difference to lambda 0 over speakers}, emotion first.

    Args:
      whole: no network collapsed; else there is nothing but emotion and tasks that are read.
    """
    subjects = sorted(
        members("<subject>_change_difference", _columns(runs)), key=lambda s: s != "emotion"
    )
    names = ("difference", "lower", "upper", "p")
    joined = {
        subject: of_all(runs, f"{subject}_change", names)
        for subject in subjects
        if whole or subject == "emotion" or subject.endswith(READ)
    }
    return {subject: scores for subject, scores in joined.items() if scores}


def _columns(runs: Sequence[Row]) -> Iterable[str]:
    return dict.fromkeys(column for row in runs for column in row)


def number(cell: Any) -> float:
    """The number of a cell of runs.csv; NaN where it is empty."""
    return math.nan if cell in (None, "") or math.isnan(float(cell)) else float(cell)
