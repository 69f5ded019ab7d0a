"""The report of a result directory: the table, what it says, and both as files.

Computed from rows (see `experiments.summary`), never while training.
"""

import json
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments.config.lambdas import is_zero
from experiments.report.side_tables import side_tables
from experiments.report.text_table import _is_word, aligned
from experiments.results.summary import (
    NOTHING,
    Entry,
    Row,
    attributes,
    blocks,
    label,
    mean,
    place,
    recipe_of,
    selected,
    sound,
    summarise,
    varying,
)

_WIDTH = 120


def table(summary: Sequence[Entry]) -> tuple[list[str], list[list[str]], list[str]]:
    """Header, lines and notes; a line per private attribute, an empty one between blocks."""
    columns = varying(summary)
    several = any(len(attributes(entry)) > 1 for entry in summary)
    change = ["change"] * any(entry["change"] for entry in summary)  # none without lambda 0
    sure = ["95 %"] * any(entry["interval"] for entry in summary)
    header = [*columns, "lambda", "n", "emotion UAR", *sure, *change, *["attribute"] * several]
    header += ["adversary", "attacker", "privacy", *change]
    judged = any(a in entry["verdicts"] for entry in summary for a in attributes(entry))
    header += ["at most", "finds", "verdict"] * judged
    lines = []
    for _, entries in blocks(summary):
        lines += [[]] if lines else []
        for entry in entries:
            placed = place(entry, columns)
            emotion = "test_emotion_uar"
            middle = [str(entry["n"]), _score(entry, emotion)]
            middle += [_interval(entry["interval"])] * len(sure)
            middle += [_change(entry, emotion)] * len(change)
            for a in attributes(entry) or [""]:
                uars = [_score(entry, f"test_{a}_{who}_uar") for who in ("adversary", "attacker")]
                privacy = f"test_{a}_privacy"  # spreads as the attacker does
                mark = "*" if entry["collapsed"] else ""
                uars.append(_score(entry, privacy).split("±")[0] + mark)
                uars += [_change(entry, privacy)] * len(change)
                uars += _verdict(entry["verdicts"].get(a)) * judged
                lines.append([*placed, *middle, *[a] * several, *uars])
                middle = [""] * len(middle)  # the emotion score is no attribute's
    return header, lines, _notes(summary)


def _score(entry: Entry, column: str) -> str:
    score = entry["scores"].get(column, NOTHING)
    if score["mean"] is None:
        return "-"
    spread = "" if score["sd"] is None or entry["control"] == "chance" else f"±{score['sd']:.3f}"
    return f"{score['mean']:.3f}{spread}"


def _interval(found: Mapping) -> str:
    return f"{found['lower']:.2f}-{found['upper']:.2f}" if found else ""


def _verdict(found: Mapping | None) -> list[str]:
    if found is None:
        return ["", "", ""]
    least = (
        "nothing"
        if found["minimum_detectable"] is None
        else f"{min(found['minimum_detectable'], 1):.3f}"
    )
    return [f"{found['upper']:.3f}", least, found["verdict"].replace("_", " ")]


def _change(entry: Entry, column: str) -> str:
    change = entry["change"].get(column, NOTHING)["mean"]
    return "" if change is None else f"{change:+z.3f}".replace("+0.000", "0.000")


def _notes(summary: Sequence[Entry]) -> list[str]:
    changing = [*varying(summary), "lambda"]
    first = summary[0]["settings"] if summary else {}
    same = [f"{n}={v}" for n, v in first.items() if n not in changing and v not in (None, "")]
    notes = [" ".join(same)] if same else []
    changed = " change = mean difference to lambda 0, paired by fold and seed."
    notes.append(
        "UAR on test speakers, mean±standard deviation over n runs (folds x seeds). That is no "
        "confidence interval: the sample is the speakers. privacy = 1 - attacker."
        + changed
        * any(entry["change"] for entry in summary)
    )
    if any(entry["verdicts"] for entry in summary):
        notes.append(
            "verdict: on all speakers together (of at most 10,000 utterances), by linear and "
            "kernel attackers trained anew for exchanged labels. at most = upper bound of the "
            "attacker's UAR at 95 % confidence; finds = the smallest UAR that this test finds in "
            "four cases of five; nothing where not even UAR 1 would be, as of so few speakers that "
            "p cannot reach 0.05. Of several seeds the widest bounds, and a leak where twice the "
            "median p is at most 0.05."
        )
    if any(entry["interval"] for entry in summary):
        notes.append(
            "95 %: where emotion UAR would lie with other test speakers, from the guesses of all "
            "folds and seeds together."
        )
    if any("speaker" in attributes(entry) for entry in summary):
        notes.append(
            "speaker: the attacker verifies speakers whom no training part holds, and scores 1 - "
            "equal error rate (chance 0.5). The adversary knows training speakers only: no score."
        )
    for title, entries in blocks(summary):
        for entry in (entry for entry in entries if entry["diverged"]):
            name = entry["control"] or f"lambda {_named(entry)}"
            runs = entry["diverged"] + entry["n"]
            notes.append(f"{title}, {name}: {entry['diverged']} of {runs} diverged, left out.")
        for entry in (entry for entry in entries if entry["collapsed"]):
            notes.append(
                f"* {title}, {entry['control'] or f'lambda {_named(entry)}'}: {entry['collapsed']} "
                f"of {entry['n']} collapsed (emotion at chance on validation, or h of one "
                "direction). An h that says nothing is not private: they do not count in privacy, "
                "whose starred mean is over the other runs, while the attacker's is over all."
            )
        closed = [e for e in entries if e["closed_set"] and "speaker" in attributes(e)]
        if closed:
            told = [f"{_named(e)} {e['closed_set']['accuracy']:.3f}" for e in closed]
            guessing = f"{closed[0]['closed_set']['chance']:.3f}"
            notes.append(
                f"{title}: which of its training speakers spoke is found out in a share of "
                f"{', '.join(told)} (guessing {guessing}): a closed set, easier to hide in than "
                "from one who verifies."
            )
    return notes + reading(summary)


def table_text(summary: Sequence[Entry]) -> str:
    """The table for a terminal. A setting that is the same everywhere stands below it instead."""
    header, lines, notes = table(summary)
    said = [*aligned(header, lines), *map(_wrapped, notes)]
    for side in side_tables(summary):
        said += ["", side.title, *aligned(side.header, side.lines), _wrapped(side.note)]
    return "\n".join(said)


def _wrapped(note: str) -> str:
    return textwrap.fill(note, _WIDTH, break_on_hyphens=False)


def table_markdown(summary: Sequence[Entry]) -> str:
    """The table for a document, with the cells and notes of `table_text`."""
    header, lines, notes = table(summary)
    said = [_markdown(header, lines), *notes]
    for side in side_tables(summary):
        said += [f"## {side.title}", _markdown(side.header, side.lines), side.note]
    return "\n\n".join(said)


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    marks = [":--" if word else "--:" for word in _is_word(header)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, marks, *filter(None, lines)])


def reading(summary: Sequence[Entry]) -> list[str]:
    """For each block the lambda that validation chooses, and what became of its test scores."""
    said = []
    for title, entries in blocks(summary):
        runs = [e for e in entries if not e["control"] and not math.isnan(selected(e))]
        standing = [e for e in runs if e["collapsed"] < e["n"]]
        if not standing:
            said += [f"{title}: every network collapsed; there is nothing to choose."] * bool(runs)
            continue
        best = max(standing, key=lambda e: (sound(e), selected(e)))
        zero = any(is_zero(e["settings"]["lambda"]) for e in runs)
        grid = ", ".join(map(_named, runs))
        chosen = f"{title}: validation chooses lambda {_named(best)} of {grid}"
        passed = [e for e in runs if not sound(e) and selected(e) > selected(best)]
        if not sound(best):
            chosen += " (every setting had runs that collapsed or diverged; "
            chosen += f"{best['collapsed']} of its {best['n']} networks collapsed)"
        elif passed:
            names = ", ".join(map(_named, passed))
            chosen += f", passing over {names}, of which runs collapsed or diverged"
        if len(runs) == 1 and zero:
            said.append(f"{title}: lambda 0 alone was run, which is no protection.")
        elif is_zero(best["settings"]["lambda"]):
            said.append(f"{chosen}, which is no protection.")
        elif not zero:
            said.append(f"{chosen}; lambda 0 was not run, so there is nothing to compare it with.")
        else:
            scores = [_became(best, "emotion UAR", "test_emotion_uar", "emotion")]
            scores += [
                _became(best, f"fresh {a} attacker", f"test_{a}_attacker_uar", a)
                for a in attributes(best)
            ]
            said.append(f"{chosen}. On test, against lambda 0: {'; '.join(scores)}.")
    return said


def _named(entry: Entry) -> str:
    """Its lambda, and the recipe if it has one."""
    return f"{label(entry)} ({recipe_of(entry)})" if recipe_of(entry) else label(entry)


def _became(entry: Entry, name: str, column: str, of: str) -> str:
    change = entry["change"].get(column, NOTHING)
    if change["mean"] is None:
        return f"{name} cannot be compared"
    verb = "rose" if change["mean"] > 0 else "fell"
    size = f"{abs(change['mean']):.3f}"
    moved = "stayed at" if float(size) == 0 else f"{verb} by {size} to"
    chance = f" (chance {entry['chance'][of]:.3f})" if of in entry["chance"] else ""
    return (
        f"{name} {moved} {mean(entry, column):.3f}{chance}, lower in {change['lower']} and higher "
        f"in {change['higher']} of {change['n']} pairs"
    )


def write_summary(workdir: Path, rows: Iterable[Row], settings: Sequence[str]) -> list[dict]:
    """Writes workdir/summary.md and summary.json (strict: null where there is no score).

    Returns:
      The summary, as of `summarise`.
    """
    summary = summarise(rows, settings)
    text = f"# Summary\n\n{table_markdown(summary)}\n"
    (workdir / "summary.md").write_text(text, encoding="utf-8")
    content = {"table": summary, "reading": reading(summary)}
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    (workdir / "summary.json").write_text(text, encoding="utf-8")
    return summary
