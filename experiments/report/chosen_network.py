"""The network that validation chooses in each block, in words, beside the ordinary one."""

import math
from collections.abc import Sequence

from experiments.config.lambdas import is_zero
from experiments.results.selected import listed, named
from experiments.results.summary import (
    NOTHING,
    Entry,
    attributes,
    blocks,
    emotion_column,
    emotion_name,
    is_transductive,
    mean,
    selected,
    selected_within_leak,
    sound,
)
from privrep.training.selection import ALLOWED_LEAK


def conclusions_of(summary: Sequence[Entry]) -> list[str]:
    """For each block the network that validation chooses, and its test scores beside those of the
    ordinary one.

    Returns:
      A sentence or two for each block that has a run with validation scores.
    """
    conclusions = []
    for title, entries in blocks(summary):
        runs = [
            e
            for e in entries
            if not e["control"] and not is_transductive(e) and not math.isnan(selected(e))
        ]
        if runs:
            conclusions.append(f"{title}: {_conclusion(runs)}")
    return conclusions


def _conclusion(runs: Sequence[Entry]) -> str:
    standing = [entry for entry in runs if entry["collapsed"] < entry["n"]]
    if not standing:
        return "every network collapsed; there is nothing to choose."
    best = max(standing, key=lambda e: (sound(e), selected(e)))
    has_zero = any(is_zero(entry["settings"]["lambda"]) for entry in runs)
    if len(runs) == 1 and has_zero:
        return "only the ordinary network was run, which has no protection."
    is_ordinary = is_zero(best["settings"]["lambda"])
    chosen = f"of {len(runs)} networks validation chooses {named(best)}"
    chosen += ", which has no protection" if is_ordinary else ""
    unsound = [e for e in runs if not sound(e) and selected(e) > selected(best)]
    if not sound(best):
        chosen += ", although runs of it, as of every other, collapsed, diverged or had a lagging "
        chosen += "adversary"
    elif unsound:
        chosen += (
            f"; {listed([*map(named, unsound)])} had runs that collapsed, diverged or had a "
            "lagging adversary and could not be chosen"
        )
    if is_ordinary:
        return f"{chosen}."
    if not has_zero:
        return f"{chosen}. No ordinary network (λ 0) was run to compare it with."
    name, column = emotion_name([best]), emotion_column(best, "test")
    scores = [_comparison(best, name, column, "emotion")]
    scores += [
        _comparison(best, f"the score of the {a} attacker", f"test_{a}_attacker_uar", a)
        for a in attributes(best)
    ]
    return (
        f"{chosen}. On test speakers, as means over folds and seeds, it differs from the ordinary "
        f"network in this: {'; '.join(scores)}.{_within_leak(standing, best)}"
    )


def _within_leak(standing: Sequence[Entry], best: Entry) -> str:
    """A sentence where the leak-aware rule chooses another network than the paper's."""
    protected = [e for e in standing if not is_zero(e["settings"]["lambda"])]
    other = max(protected, key=lambda e: (sound(e), selected_within_leak(e)))
    if other is best:
        return ""
    return (
        f" This is the choice of the paper's rule, emotion less the leak; the leak-aware rule, "
        f"emotion while the leak is within {ALLOWED_LEAK:g} of chance, chooses {named(other)}."
    )


def _comparison(entry: Entry, name: str, column: str, measure: str) -> str:
    change = entry["change"].get(column, NOTHING)
    if change["mean"] is None:
        return f"{name} cannot be compared"
    verb = "rose" if change["mean"] > 0 else "fell"
    size = f"{abs(change['mean']):.3f}"
    moved = "stayed at" if float(size) == 0 else f"{verb} by {size} to"
    chance = f" (chance {entry['chance'][measure]:.3f})" if measure in entry["chance"] else ""
    return (
        f"{name} {moved} {mean(entry, column):.3f}{chance}, lower in {change['lower']} and higher "
        f"in {change['higher']} of {change['n']} pairs of fold and seed"
    )
