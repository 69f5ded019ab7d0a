"""The results of record as one page, experiments/RESULTS.md, and README's picture.

    python -m experiments.report.results_page

Each table is a small JSON file in experiments/results_of_record/: rows, and the command, commit,
date, seeds and machine of their measurement. The page and the picture hold nothing else, so that no
number is written by hand in two places.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what may fail

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
_NETWORKS = {
    "none": "ordinary network",
    "paper": "gradient reversal",
    "posterior": "posterior released",
    "decision": "decision released",
    "untrained": "untrained network",
    "raw": "frames, no network",
}
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
    """An SVG of attackers by network: a dot is the mean UAR, the line ends at the upper bound.

    It has no background and takes its colours from the reader's theme.
    """
    column = {name: number for number, name in enumerate(record.columns)}
    drawn = [
        row
        for row in record.rows
        if row[column["modality"]] == "acoustic" and row[column["upper bound"]]
    ]
    top, step, left, width = 74, 24, 250, 400

    def x(uar: float) -> float:
        return left + (uar - 0.4) / 0.6 * width

    bottom = top + step * len(drawn)
    lines = [
        f'<rect class="guess" x="{x(0.5):.1f}" y="{top - 14}" width="{x(0.6) - x(0.5):.1f}" '
        f'height="{bottom - top + 8}"/>'
    ]
    for tick in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        lines.append(f'<text class="axis" x="{x(tick):.1f}" y="{bottom + 16}">{tick:.1f}</text>')
    for number, row in enumerate(drawn):
        y = top + step * number
        uar, upper = float(row[column["attacker"]].split("±")[0]), row[column["upper bound"]]
        network = row[column["recipe"]] or row[column["lambda"]]
        name = html.escape(f"{row[column['task']]}: {_NETWORKS[network]}")
        lines.append(f'<text class="name" x="{left - 14}" y="{y + 4}">{name}</text>')
        lines.append(
            f'<path d="M{x(uar):.1f} {y}H{x(float(upper)):.1f}m0 -4v8"/>'
            f'<circle cx="{x(uar):.1f}" cy="{y}" r="4"><title>{name}: attacker {uar:.3f}, '
            f"upper bound {upper}</title></circle>"
        )
    height = bottom + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {height}" role="img" '
        'font-family="sans-serif" font-size="12">\n'
        "<title>How often a freshly trained attacker names the gender of a held-out speaker</title>"
        "\n<style>text{fill:#24292f}.name{text-anchor:end}.axis{text-anchor:middle}"
        ".guess{fill:#2da44e;opacity:.18}path{stroke:#0072b2;stroke-width:2;fill:none}"
        "circle{fill:#0072b2}@media(prefers-color-scheme:dark){text{fill:#e6edf3}"
        "path{stroke:#56b4e9}circle{fill:#56b4e9}}</style>\n"
        '<text x="14" y="20" font-size="14">How often a freshly trained attacker names the gender'
        " of a held-out speaker</text>\n"
        '<text x="14" y="40">dot: UAR, guessing 0.5; line: to the upper bound at 95 %; green: below'
        " the limit of 0.6. Demo corpus, sound.</text>\n" + "\n".join(lines) + "\n</svg>\n"
    )


def main() -> None:
    records = {path.stem: read(path) for path in sorted(RECORDS.glob("*.json"))}
    PAGE.write_text(page(list(records.values())), encoding="utf-8")
    PICTURE.write_text(picture(records["demo"]), encoding="utf-8")
    print(f"{PAGE}\n{PICTURE}")


if __name__ == "__main__":
    main()
