"""The tables of all settings of a result directory, as text, Markdown and JSON.

Computed from rows (see `experiments.results.summary`), never while training.
"""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from experiments.report.answer import Answer, answers_markdown, answers_text, networks_in_words
from experiments.report.answer_json import answers_json
from experiments.report.chosen_network import conclusions_of
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
from experiments.report.table_notes import (
    TRANSDUCTIVE,
    fixed_settings,
    notes_of_all,
    notes_of_both,
    notes_of_means,
)
from experiments.report.text_table import aligned, is_word
from experiments.results.summary import (
    NOTHING,
    Entry,
    attributes,
    blocks,
    emotion_column,
    emotion_name,
    is_transductive,
    varying,
)
from privrep.files import replace_file

_WIDTH, _NARROW = 120, 80


def all_settings(summary: Sequence[Entry]) -> SideTable:
    """A line per network and private attribute, of all test speakers together.

    It has no line where nothing is known of them together; columns that would be empty are left
    out.
    """
    columns = varying(summary)
    several = any(len(attributes(entry)) > 1 for entry in summary)
    has_interval = any(entry["interval"] for entry in summary)
    has_verdict = any(a in entry["verdicts"] for entry in summary for a in attributes(entry))
    header = [*header_of(columns), "n", *([emotion_name(summary), "95 %"] if has_interval else [])]
    header += ["attribute"] if several else []
    if has_verdict:
        header += ["attacker", "by", "upper bound", "minimum detectable", "verdict"]
    lines: list[list[str]] = []
    for _, entries in blocks(summary) if has_interval or has_verdict else []:
        lines += [[]] if lines else []
        for entry in entries:
            known = [a for a in attributes(entry) if a in entry["verdicts"]]
            if not known and not entry["interval"] and not entry["collapsed"]:
                continue
            interval = entry["interval"]
            emotion = [str(entry["n"])]
            if has_interval:
                uar = interval.get("uar", interval.get("ccc"))
                emotion += [score(uar), ends(interval)]
            for attribute in attributes(entry) or [""]:
                cells = [attribute] if several else []
                cells += _verdict(entry, attribute) if has_verdict else []
                lines.append([*placed(entry, columns), *emotion, *cells])
                emotion = [""] * len(emotion)  # the emotion score belongs to no attribute
    notes = [*notes_of_all(summary), *notes_of_both(summary)]
    return SideTable("All settings", header, lines, "\n\n".join(notes))


def fold_means(summary: Sequence[Entry]) -> SideTable:
    """The means over folds and seeds of the same networks, and of all controls."""
    columns = varying(summary)
    several = any(len(attributes(entry)) > 1 for entry in summary)
    has_change = any(entry["change"] for entry in summary)  # none without lambda 0
    change = ["change"] if has_change else []
    header = [*header_of(columns), "n", emotion_name(summary), *change]
    header += [*(["attribute"] if several else []), "adversary", "attacker", "privacy", *change]
    lines: list[list[str]] = []
    for _, entries in blocks(summary):
        lines += [[]] if lines else []
        for entry in entries:
            emotion = [str(entry["n"]), _score(entry, emotion_column(entry, "test"))]
            emotion += [_change(entry, emotion_column(entry, "test"))] if has_change else []
            for attribute in attributes(entry) or [""]:
                cells = [attribute] if several else []
                cells += _privacy(entry, attribute, has_change)
                lines.append([*placed(entry, columns), *emotion, *cells])
                emotion = [""] * len(emotion)
    notes = [*notes_of_means(summary), *notes_of_both(summary)]
    return SideTable("Means over folds and seeds", header, lines, "\n\n".join(notes))


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
        collapsed = f"{entry['collapsed']} of {entry['n']} collapsed" if entry["collapsed"] else ""
        return [*[""] * 4, collapsed]
    words = verdict["verdict"].replace("_", " ")
    attacker = [score(verdict["uar"]), entry["strongest"].get(attribute, "")]
    return [*attacker, score(verdict["upper"]), detectable(verdict), words]


def _change(entry: Entry, column: str) -> str:
    change = entry["change"].get(column, NOTHING)["mean"]
    return "" if change is None else f"{change:+z.3f}".replace("+0.000", "0.000")


def narrow_text(summary: Sequence[Entry], given: Sequence[Answer]) -> str:
    """For a terminal: the answers, and what 80 columns hold of the table."""
    lines = [*answers_text(given), *narrow_table(summary), networks_in_words(given), NOTE]
    lines += [TRANSDUCTIVE] if any(map(is_transductive, summary)) else []
    return "\n".join(line if "  " in line.strip() else _wrapped(line, _NARROW) for line in lines)


def table_text(summary: Sequence[Entry], further: Sequence[SideTable] = ()) -> str:
    """All tables for a wide terminal, the settings that are the same everywhere, and the choice.

    Args:
      further: side tables that are not made of the summary; those that have a line are shown.
    """
    text: list[str] = []
    for of in _main_tables(summary):
        text += [*(["", of.title] if text else []), *aligned(of.header, of.lines)]
        text += map(_wrapped, of.note.split("\n\n"))
    text += map(_wrapped, filter(None, [fixed_settings(summary), *conclusions_of(summary)]))
    for side in (*side_tables(summary), *(side for side in further if side.lines)):
        text += ["", side.title, *aligned(side.header, side.lines), _wrapped(side.note)]
    return "\n".join(text)


def _main_tables(summary: Sequence[Entry]) -> list[SideTable]:
    """Those that have a line; notes of both stand below the last."""
    tables = [of for of in (all_settings(summary), fold_means(summary)) if of.lines]
    both = {*notes_of_both(summary)}
    notes = [[n for n in of.note.split("\n\n") if n not in both] for of in tables[:-1]]
    return [of._replace(note="\n\n".join(note)) for of, note in zip(tables, notes)] + tables[-1:]


def _wrapped(note: str, width: int = _WIDTH) -> str:
    hanging = "    " if note.startswith("  ") else ""
    return textwrap.fill(note, width, break_on_hyphens=False, subsequent_indent=hanging)


def table_markdown(summary: Sequence[Entry]) -> str:
    """The tables for a document, with the cells and notes of `table_text`."""
    parts: list[str] = []
    for of in _main_tables(summary):
        parts += [*([f"## {of.title}"] if parts else []), _markdown(of.header, of.lines), of.note]
    parts += filter(None, [fixed_settings(summary), *conclusions_of(summary)])
    for side in side_tables(summary):
        parts += [f"## {side.title}", _markdown(side.header, side.lines), side.note]
    return "\n\n".join(parts)


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    marks = [":--" if word else "--:" for word in is_word(header)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, marks, *filter(None, lines)])


def write_summary(workdir: Path, summary: Sequence[Entry], given: Sequence[Answer]) -> None:
    """Writes workdir/summary.md and summary.json (strict: null where there is no score).

    Args:
      summary: of `summarise`.
      given: the answers of it.
    """
    parts = [
        answers_markdown(given),
        networks_in_words(given),
        "## All settings",
        table_markdown(summary),
    ]
    text = "\n\n".join(["# Summary", *filter(None, parts)]) + "\n"
    replace_file(workdir / "summary.md", text)
    content = {"answers": answers_json(given), "table": summary, "reading": conclusions_of(summary)}
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    replace_file(workdir / "summary.json", text)
