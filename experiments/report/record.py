"""A table of a report as a record of results_of_record/.

    python -m experiments.report.record rq1_demo out/rq1 --table=table_1a --commit=5dd275c

The record keeps its words: section, title, about, command, machine and notes. Columns, rows, seeds
and the date are those of the result directories, so that no number is copied by hand. A record of
something new is begun as a copy of another one with words of its own.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what may fail

import argparse
import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.report.results_page import RECORDS, Record, read
from experiments.report.side_tables import SideTable
from experiments.report.write_report import report_tables
from experiments.results.result_directories import SETTINGS, Results, read_results
from experiments.results.summary import summarise
from experiments.results.workdirs import result_directory
from privrep.files import replace_file
from privrep.program import errors_in_a_line


def recorded(
    record: Record, table: SideTable, results: Results, without: Sequence[str] = ()
) -> Record:
    """The record with the table's cells and the seeds of the results.

    Lines that part groups are left out, and so are columns that are empty in every line.

    Args:
      table: of the report of `results`.
      without: cells, such as names of networks, whose lines are left out.
    """
    lines = [line for line in table.lines if line and not set(line) & set(without)]
    filled = [i for i in range(len(table.header)) if any(line[i] for line in lines)]
    return record._replace(
        columns=[table.header[i] for i in filled],
        rows=[[line[i] for i in filled] for line in lines],
        seeds=sorted({row["seed"] for row in results.rows}),
    )


def table_named(tables: Mapping[str, SideTable], name: str) -> SideTable:
    """The table of this name.

    Raises:
      ValueError: there is none; the message lists those there are.
    """
    if name not in tables:
        raise ValueError(f"--table={name}: the report's tables are {', '.join(tables)}")
    return tables[name]


def main(argv: Sequence[str] | None = None) -> None:
    """The command: writes the record anew, and prints its path."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.report.record",
        description="Writes a table of a report into a record that RESULTS.md is made of.",
    )
    parser.add_argument("name", help="of a file NAME.json in experiments/results_of_record")
    parser.add_argument("folders", nargs="+", metavar="DIR", help="result directory")
    parser.add_argument("--table", required=True, help="its name in report/tables/ of a directory")
    parser.add_argument(
        "--without", default="", help="networks that are left out, such as untrained,raw"
    )
    parser.add_argument("--commit", required=True, help="at which the results were measured")
    given = parser.parse_args(argv)
    path = RECORDS / f"{given.name}.json"
    if not path.is_file():
        parser.error(f"{path} is missing: begin it as a copy of another record")
    with errors_in_a_line():
        results = read_results(given.folders)
        tables = report_tables(summarise(results.rows, SETTINGS), results)
        table, without = table_named(tables, given.table), given.without.split(",")
        record = recorded(read(path), table, results, [name for name in without if name])
        record = record._replace(commit=given.commit, date=_date(given.folders))
        text = json.dumps(record._asdict(), indent=1, ensure_ascii=False)
        replace_file(path, f"{text}\n")
        print(path)


def _date(folders: Sequence[str]) -> str:
    """The day on which the last row was written."""
    tables = [result_directory(Path(folder)) / "runs.csv" for folder in folders]
    last = max(table.stat().st_mtime for table in tables)
    return datetime.date.fromtimestamp(last).isoformat()


if __name__ == "__main__":
    main()
