"""The results of record as one page, experiments/RESULTS.md, and README's picture.

    python -m experiments.report.results_page

Each table is a small JSON file in experiments/results_of_record/: rows, and the command, commit,
date, seeds and machine of their measurement. The page and the picture hold nothing else, so that no
number is written by hand in two places.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what may fail

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from privrep.auditing.card_svg import Mark, leak_zones, strips
from privrep.types import LIMIT

EXPERIMENTS = Path(__file__).resolve().parents[1]
RECORDS = EXPERIMENTS / "results_of_record"
PAGE = EXPERIMENTS / "RESULTS.md"
PICTURE = RECORDS / "attackers.svg"
SECTIONS = (
    "The demo corpus (synthetic speech: no finding about people)",
    "Open corpora (recorded speech of actors)",
    "The measurement, on simulated corpora",
    "Speed, and what survives a kill",
)
_PICTURED = "emotion"  # the task of the networks in README's picture
_NETWORKS = {
    "none": "ordinary network",
    "paper": "gradient reversal (paper)",
    "posterior": "class posterior released (posterior)",
    "keep": "representation relative to the person (keep)",
}
_HEADING = "What the strongest attacker reads from one utterance: gender of unseen actors, RAVDESS"
_THEMES = "svg{color:#24292f}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}"
_HEADER = """\
# Results of record

Made from `results_of_record/*.json` by `python -m experiments.report.results_page`; do not edit it.
Each table names the commit of its measurement. How to read a verdict: ../README.md.
"""


class Record(NamedTuple):
    """One table, as it stands in a file of results_of_record/.

    Attributes:
      section: one of SECTIONS.
      title, about: what was measured, in a heading and in one or two sentences.
      command: what repeats it.
      commit, date, machine: of the measurement.
      seeds: that it ran over.
      columns: names, in order.
      rows: cells in the order of the columns, as text.
      notes: sentences below the table.
    """

    section: str
    title: str
    about: str
    command: str
    commit: str
    date: str
    seeds: Sequence[int]
    machine: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]


def read(path: Path) -> Record:
    """The record in a file.

    Raises:
      ValueError: a field is missing or unknown, a row has not a cell per column, or the section is
        none of SECTIONS; the message names the file.
    """
    fields = json.loads(path.read_text(encoding="utf-8"))
    if set(fields) != set(Record._fields):
        differing = ", ".join(sorted(set(fields) ^ set(Record._fields)))
        raise ValueError(f"{path}: fields missing or unknown: {differing}")
    record = Record(**fields)
    if record.section not in SECTIONS:
        raise ValueError(f"{path}: section {record.section!r} is none of {', '.join(SECTIONS)}")
    for number, row in enumerate(record.rows, 1):
        if len(row) != len(record.columns):
            raise ValueError(f"{path}: row {number} has {len(row)} cells, not one per column")
    return record


def page(records: Sequence[Record]) -> str:
    """The page as Markdown."""
    parts = [_HEADER]
    for section in SECTIONS:
        parts.append(f"## {section}\n")
        parts += [_table(record) for record in records if record.section == section]
    return "\n".join(parts)


def _table(record: Record) -> str:
    lines = [f"### {record.title}", "", record.about, "", "```bash", record.command, "```", ""]
    lines += [_row(record.columns), _row([":--"] * len(record.columns))]
    lines += [_row(row) for row in record.rows]
    seeds = ", ".join(map(str, record.seeds))
    lines += ["", *record.notes]
    lines.append(
        f"Measured {record.date} at commit {record.commit}, seeds {seeds}. {record.machine}."
    )
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"


def picture(record: Record) -> str:
    """An SVG of attackers by network: the strongest attacker's UAR, and a line to its upper bound.

    It has no background and takes its colours from the reader's theme.
    """
    rows = [dict(zip(record.columns, row)) for row in record.rows]
    of_task = {row["recipe"]: row for row in rows if row["task"] == _PICTURED}
    marks = []
    for recipe, name in _NETWORKS.items():
        row = of_task[recipe]
        reads, upper = max(float(row["seen"]), float(row["own"])), float(row["upper bound"])
        label = (
            f"{name}: {reads:.2f}, upper bound {upper:.2f}; from 20 utterances "
            f"{float(row['20']):.2f}. Emotion UAR {float(row['UAR']):.2f}"
        )
        marks.append(Mark("", label, reads, reads, upper, "dot"))
    marks[0] = marks[0]._replace(heading=_HEADING)
    zones = leak_zones(0.4, 0.5, 0.5 + LIMIT)
    drawn = strips(f"{_HEADING}. {'; '.join(mark.label for mark in marks)}.", zones, marks, high=1)
    # A file of its own has no page whose width and colour it could take.
    begin, end = drawn.split(">", 1)
    begin = begin.replace('width="100%"', 'width="760"') + ' font-family="sans-serif"'
    return f"{begin}><style>{_THEMES}</style>{end}\n"


def main() -> None:
    records = {path.stem: read(path) for path in sorted(RECORDS.glob("*.json"))}
    PAGE.write_text(page(list(records.values())), encoding="utf-8")
    PICTURE.write_text(picture(records["ravdess"]), encoding="utf-8")
    print(f"{PAGE}\n{PICTURE}")


if __name__ == "__main__":
    main()
