"""The main table of a result directory, its notes and conclusions, as text, Markdown and JSON.

Computed from rows (see `experiments.results.summary`), never while training.
"""

import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.config.lambdas import is_zero
from experiments.report.answer import Answer, answers_markdown, answers_text
from experiments.report.answer_json import answers_json
from experiments.report.narrow_table import NOTE, narrow_table
from experiments.report.side_tables import (
    SideTable,
    detectable,
    ends,
    header_of,
    placed,
    score,
    side_tables,
)
from experiments.report.text_table import aligned, is_word
from experiments.results.selected import in_sentence, listed, network_name
from experiments.results.summary import (
    MEMORISED,
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
    varying,
)
from privrep.files import replace_file
from privrep.training.selection import ALLOWED_LEAK

_TRANSDUCTIVE = (
    "transductive: the state of a person (mean, covariance) is of the very utterances that are "
    "scored. No device knows them beforehand: these rows are no results to quote and are never "
    "chosen. --enrolment=20 takes the state from utterances that are not scored."
)
_WIDTH, _NARROW = 120, 80


class MainTable(NamedTuple):
    """The main table.

    Attributes:
      header: names of the columns.
      lines: cells, a line per private attribute of a setting; an empty line between blocks.
      notes: paragraphs that say how to read it.
      conclusions: see `conclusions_of`.
    """

    header: list[str]
    lines: list[list[str]]
    notes: list[str]
    conclusions: list[str]


def table(summary: Sequence[Entry]) -> MainTable:
    """The main table of a summary; columns that would be empty are left out."""
    columns = varying(summary)
    several = any(len(attributes(entry)) > 1 for entry in summary)
    has_change = any(entry["change"] for entry in summary)  # none without lambda 0
    has_interval = any(entry["interval"] for entry in summary)
    has_verdict = any(a in entry["verdicts"] for entry in summary for a in attributes(entry))
    change = ["change"] if has_change else []
    header = [*header_of(columns), "n", emotion_name(summary)]
    header += [*(["95 %"] if has_interval else []), *change]
    header += [*(["attribute"] if several else []), "adversary", "attacker", "privacy", *change]
    if has_verdict:
        header += ["strongest", "by", "upper bound", "minimum detectable", "verdict"]
    lines: list[list[str]] = []
    for _, entries in blocks(summary):
        lines += [[]] if lines else []
        for entry in entries:
            emotion = [str(entry["n"]), _score(entry, emotion_column(entry, "test"))]
            emotion += [ends(entry["interval"])] if has_interval else []
            emotion += [_change(entry, emotion_column(entry, "test"))] if has_change else []
            for attribute in attributes(entry) or [""]:
                cells = [attribute] if several else []
                cells += _privacy(entry, attribute, has_change)
                cells += _verdict(entry, attribute) if has_verdict else []
                lines.append([*placed(entry, columns), *emotion, *cells])
                emotion = [""] * len(emotion)  # the emotion score belongs to no attribute
    return MainTable(header, lines, _notes(summary), conclusions_of(summary))


def _privacy(entry: Entry, attribute: str, has_change: bool) -> list[str]:
    cells = [_score(entry, f"test_{attribute}_{who}_uar") for who in ("adversary", "attacker")]
    privacy = f"test_{attribute}_privacy"  # has the spread of the attacker
    mark = "*" if entry["collapsed"] else ""
    cells.append(_score(entry, privacy).split("±")[0] + mark)
    return [*cells, _change(entry, privacy)] if has_change else cells


def _score(entry: Entry, column: str) -> str:
    scores = entry["scores"].get(column, NOTHING)
    if scores["mean"] is None:
        return "-"
    spread = "" if scores["sd"] is None or entry["control"] == "chance" else f"±{scores['sd']:.3f}"
    return f"{scores['mean']:.3f}{spread}"


def _verdict(entry: Entry, attribute: str) -> list[str]:
    verdict = entry["verdicts"].get(attribute)
    if verdict is None:
        return [""] * 5
    words = verdict["verdict"].replace("_", " ")
    strongest = [score(verdict["uar"]), entry["strongest"].get(attribute, "")]
    return [*strongest, score(verdict["upper"]), detectable(verdict), words]


def _change(entry: Entry, column: str) -> str:
    change = entry["change"].get(column, NOTHING)["mean"]
    return "" if change is None else f"{change:+z.3f}".replace("+0.000", "0.000")


def _notes(summary: Sequence[Entry]) -> list[str]:
    changing = [*varying(summary), "lambda"]
    first = summary[0]["settings"] if summary else {}
    same = [f"{n}={v}" for n, v in first.items() if n not in changing and v not in (None, "")]
    notes = [" ".join(same)] if same else []
    scores = (
        "UAR on test speakers, mean±standard deviation over n runs (folds x seeds). The deviation "
        "is no confidence interval: the sample is the speakers, not the runs. privacy = 1 - "
        "attacker."
    )
    if any(entry["change"] for entry in summary):
        scores += " change = mean difference from the ordinary network, paired by fold and seed."
    notes.append(scores)
    if "CCC" in emotion_name(summary):
        notes.append(
            "CCC: concordance correlation coefficient of the predicted ratings, 1 where all are "
            "right and 0 for a constant or for guessing; a regression has it in place of UAR."
        )
    if any(entry["verdicts"] for entry in summary):
        notes.append(
            "verdict: permutation test on all test speakers together (up to 10,000 utterances), "
            "with linear and kernel attackers that are trained afresh for every permutation of the "
            "labels over speakers: those called seen know h of the network's own training and "
            "validation speakers, those called own also of other speakers, whom it has not seen. "
            "strongest: the highest UAR among them, and by whom. upper bound: of the attackers' "
            "UAR, at 95 % confidence. "
            "minimum detectable: the smallest UAR that this test detects with 80 % power; none "
            "where not even UAR 1 would be detected, because with so few speakers p cannot reach "
            "0.05. With several seeds the bounds are the widest of theirs, and the verdict is a "
            "leak where twice the median p is 0.05 or less."
        )
    if any(entry["interval"] for entry in summary):
        notes.append(
            f"95 %: confidence interval of {emotion_name(summary)} over test speakers, from the "
            "predictions of all folds and seeds together."
        )
    if any("speaker" in attributes(entry) for entry in summary):
        notes.append(
            "speaker: the attacker verifies held-out speakers, and scores 1 - equal error rate "
            "(chance 0.5). The adversary has no score, because its classes are the training "
            "speakers."
        )
    if any(map(is_transductive, summary)):
        notes.append(_TRANSDUCTIVE)
    for title, entries in blocks(summary):
        notes += _notes_of_block(title, entries)
    return notes


def _notes_of_block(title: str, entries: Sequence[Entry]) -> list[str]:
    notes = []
    for entry in (entry for entry in entries if entry["diverged"]):
        diverged = f"{entry['diverged']} of {entry['diverged'] + entry['n']} diverged, left out."
        notes.append(f"{title}, {network_name(entry)}: {diverged}")
    for entry in (entry for entry in entries if entry["collapsed"]):
        notes.append(
            f"* {title}, {network_name(entry)}: {entry['collapsed']} of {entry['n']} collapsed "
            "(emotion at chance on validation, or h of one direction). An h without information is "
            "not private: collapsed runs are left out of privacy, whose starred mean is over the "
            "other runs, while the attacker's is over all."
        )
    for entry in (entry for entry in entries if entry["lagging"]):
        notes.append(
            f"{title}, {network_name(entry)}: in {entry['lagging']} of {entry['n']} runs the "
            "adversary stood at chance on the very utterances that it was trained on. It did not "
            "find what it should have taken away, and such a reversal can raise the leak: it is "
            "not chosen and no privacy is marked as better. An adversary that leads: "
            "--recipe=strong."
        )
    memorised = [e for e in entries if e["memorised"] and not e["control"]]
    if memorised:
        runs = ", ".join(f"{e['memorised']} of {e['n']} of {_named(e)}" for e in memorised)
        score = emotion_name(memorised)
        least = " or ".join(f"{MEMORISED[name]}" for name in MEMORISED if name in score)
        notes.append(
            f"{title}: networks know their training utterances by heart ({score} of {least} or "
            f"more on them; {runs}). h of training utterances then looks unlike h of new ones, and "
            "attackers who learn from training speakers (seen) are weaker than the leak: read "
            "those called own."
        )
    closed = [e for e in entries if e["closed_set"] and "speaker" in attributes(e)]
    if closed:
        accuracies = ", ".join(f"{_named(e)} {e['closed_set']['accuracy']:.3f}" for e in closed)
        notes.append(
            f"{title}: accuracy of an attacker who identifies which training speaker spoke: "
            f"{accuracies} (chance {closed[0]['closed_set']['chance']:.3f}). This is a "
            "closed set of speakers; verification of held-out speakers is the harder test of "
            "privacy."
        )
    return notes


def narrow_text(summary: Sequence[Entry], given: Sequence[Answer]) -> str:
    """For a terminal: the answers, and what 80 columns hold of the table."""
    lines = [*answers_text(given), *narrow_table(summary), NOTE]
    lines += [_TRANSDUCTIVE] if any(map(is_transductive, summary)) else []
    return "\n".join(line if "  " in line.strip() else _wrapped(line, _NARROW) for line in lines)


def table_text(summary: Sequence[Entry], further: Sequence[SideTable] = ()) -> str:
    """The whole table for a wide terminal. A setting that is the same everywhere stands below it.

    Args:
      further: side tables that are not made of the summary; those that have a line are shown.
    """
    header, lines, notes, conclusions = table(summary)
    text = [*aligned(header, lines), *map(_wrapped, notes + conclusions)]
    for side in (*side_tables(summary), *(side for side in further if side.lines)):
        text += ["", side.title, *aligned(side.header, side.lines), _wrapped(side.note)]
    return "\n".join(text)


def _wrapped(note: str, width: int = _WIDTH) -> str:
    hanging = "    " if note.startswith("  ") else ""
    return textwrap.fill(note, width, break_on_hyphens=False, subsequent_indent=hanging)


def table_markdown(summary: Sequence[Entry]) -> str:
    """The table for a document, with the cells and notes of `table_text`."""
    header, lines, notes, conclusions = table(summary)
    parts = [_markdown(header, lines), *notes, *conclusions]
    for side in side_tables(summary):
        parts += [f"## {side.title}", _markdown(side.header, side.lines), side.note]
    return "\n\n".join(parts)


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    marks = [":--" if word else "--:" for word in is_word(header)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, marks, *filter(None, lines)])


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
    chosen = f"of {len(runs)} networks validation chooses {_named(best)}"
    unsound = [e for e in runs if not sound(e) and selected(e) > selected(best)]
    if not sound(best):
        chosen += (
            f", although {best['collapsed']} of its {best['n']} runs collapsed: every network had "
            "runs that collapsed, diverged or had a lagging adversary"
        )
    elif unsound:
        chosen += (
            f"; {listed([*map(_named, unsound)])} had runs that collapsed, diverged or had a "
            "lagging adversary and could not be chosen"
        )
    if is_zero(best["settings"]["lambda"]):
        return f"{chosen}. It has no protection."
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
        f"emotion while the leak is within {ALLOWED_LEAK:g} of chance, chooses {_named(other)}."
    )


def _named(entry: Entry) -> str:
    return in_sentence(network_name(entry))


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


def write_summary(workdir: Path, summary: Sequence[Entry], given: Sequence[Answer]) -> None:
    """Writes workdir/summary.md and summary.json (strict: null where there is no score).

    Args:
      summary: of `summarise`.
      given: the answers of it.
    """
    parts = [answers_markdown(given), "## All settings", table_markdown(summary)]
    text = "\n\n".join(["# Summary", *filter(None, parts)]) + "\n"
    replace_file(workdir / "summary.md", text)
    content = {"answers": answers_json(given), "table": summary, "reading": conclusions_of(summary)}
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    replace_file(workdir / "summary.json", text)
