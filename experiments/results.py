"""What a result directory holds: flags.txt, which made it; runs.csv, one row per run; curves;
split_findings.csv, what is wrong with the folds.

Nothing here depends on the clock or the machine's name, so the same runs give the same bytes.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

import privrep
from privrep.files import replace_file
from privrep.split_linter import Finding

Value = str | float | int | bool | None

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
# Where results lie and whether they are continued is no part of what was computed.
_NOT_COMPARED = ("workdir", "resume", "noresume")


def append_rows(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    """Appends rows to a table of comma-separated values, which need not exist.

    The file is replaced as a whole, so a kill at any moment leaves all rows or those before.
    Columns stand in the order of first appearance: new ones on the right, empty in older rows. A
    float is written so that reading gives the same float, NaN as nan, None as an empty cell.

    Raises:
      ValueError: a value is no string, number, bool or None, or is a string with a line break; or
        the file is no such table.
    """
    if not rows:
        return
    header, cells = _cells(path)
    columns = list(dict.fromkeys([*header, *(column for row in rows for column in row)]))
    lines = [line + [""] * (len(columns) - len(header)) for line in cells]
    lines += [[_written(row.get(c), c) for c in columns] for row in rows]
    replace_file(path, _text(columns, lines))


def read_rows(path: Path) -> list[dict[str, Value]]:
    """The rows of `append_rows`, each with every column; [] where there is no file.

    A string that spells a number as Python would (a hash "1234567") comes back as that number; its
    str() is the string. An empty string comes back as None.
    """
    header, cells = _cells(path)
    return [{column: _read(cell) for column, cell in zip(header, line)} for line in cells]


def _text(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows([columns, *lines])
    return table.getvalue()


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    if not path.exists():
        return [], []
    with path.open(encoding="utf-8", newline="") as file:
        header, *cells = list(csv.reader(file)) or [[]]
    for number, line in enumerate(cells, start=2):
        if len(line) != len(header):
            raise ValueError(
                f"{path}, line {number}: {len(line)} cells under {len(header)} columns; the file "
                "was changed by another program, repair the line or choose another --workdir"
            )
    return header, cells


def _written(value: Value, column: str) -> str:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()  # a scalar of numpy or jax
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bool | int) or (isinstance(value, str) and not {*value} & {*"\r\n\0"}):
        return str(value)
    raise ValueError(f"column {column!r}: {value!r} does not fit into one cell of a table")


def _read(cell: str) -> Value:
    if cell == "":
        return None
    if cell in ("True", "False"):
        return cell == "True"
    for kind in (int, float):
        try:
            number = kind(cell)
        except ValueError:
            continue
        if repr(number) == cell:
            return number
    return cell


def write_findings(workdir: Path, pack: int, findings: Sequence[Finding]) -> None:
    """Puts what the split linter found for a pack into workdir/split_findings.csv.

    A row for each finding: pack, fold, severity (fatal, warning, note), text. Those of the same
    pack that stand there are replaced, so a resumed sweep says nothing twice.
    """
    path = workdir / "split_findings.csv"
    rows = [row for row in read_rows(path) if row["pack"] != pack]
    rows += [{"pack": pack} | f._asdict() | {"text": " ".join(f.text.split())} for f in findings]
    columns = ["pack", *Finding._fields]
    replace_file(path, _text(columns, [[_written(row[c], c) for c in columns] for row in rows]))


def write_flags(workdir: Path, text: str, resume: bool) -> bool:
    """Writes workdir/flags.txt, or makes sure that this program continues what stands there.

    Args:
      workdir: made if it does not exist. Results have begun where it holds runs.csv or checkpoints.
      text: one flag a line, "--name=value"; lines with # and --workdir, --resume are not compared.
      resume: continue if the flags are the same (flags.txt stays as it is).

    Returns:
      Whether there are results that this program continues.

    Raises:
      ValueError: results are there, and of other flags (the message shows the lines that differ),
        of unknown flags, or of the same without `resume`.
    """
    path = workdir / "flags.txt"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--workdir={workdir}: cannot be made: {error.strerror}") from error
    begun = (workdir / "runs.csv").exists() or (workdir / "checkpoints").exists()
    if begun and not path.exists():
        raise ValueError(
            f"{workdir} holds results but no flags.txt that says how they were made: choose "
            "another --workdir"
        )
    if not begun:  # whatever flags stand there, nothing came of them
        replace_file(path, text)
        return False
    there, now = _flags(path.read_text(encoding="utf-8")), _flags(text)
    differing = [name for name in sorted({*there, *now}) if there.get(name) != now.get(name)]
    if differing:
        lines = [
            f"  there: {there.get(name, f'no --{name}')}\n  now:   {now.get(name, f'no --{name}')}"
            for name in differing
        ]
        raise ValueError(
            f"{workdir} holds results of other flags:\n"
            + "\n".join(lines)
            + "\nChoose another --workdir, or give the same flags and --resume."
        )
    if not resume:
        raise ValueError(
            f"{workdir} holds results of the same flags: continue them with --resume, or choose "
            "another --workdir"
        )
    return True


def _flags(text: str) -> dict[str, str]:
    """{name: line}"""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("-")]
    flags = {line.lstrip("-").split("=")[0]: line for line in lines}
    return {name: line for name, line in flags.items() if name not in _NOT_COMPARED}


def versions() -> dict[str, str]:
    """{"version_jax": ...} and so on: columns that tell what computed a row."""
    found = {f"version_{package}": metadata.version(package) for package in _PACKAGES}
    # Its own word, since a checkout may run that is not the one installed.
    return found | {"version_privrep": privrep.__version__}


def stamp(prepared_hash: str, data_hash: str) -> dict[str, str]:
    """Of what data, as it lies here and wherever it lies, and by what a row was computed."""
    return {"prepared_hash": prepared_hash, "data_hash": data_hash} | versions()


def write_curves(workdir: Path, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Writes training curves for `tensorboard --logdir=<workdir>/tensorboard`.

    Args:
      curves: {run: {scalar: its value after each epoch}}; epochs count from 1. A run's curves of an
        earlier call are replaced.
    """
    for run, scalars in curves.items():
        directory = workdir / "tensorboard" / run
        directory.mkdir(parents=True, exist_ok=True)
        # SummaryWriter would put time and host into the file's name and start a thread per run.
        writer = RecordWriter(str(directory / "events.out.tfevents.0.privrep"))
        writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
        for index in range(max(map(len, scalars.values()), default=0)):
            values = [
                Summary.Value(tag=name, simple_value=float(series[index]))
                for name, series in scalars.items()
                if index < len(series) and math.isfinite(series[index])  # NaN once it stopped
            ]
            if values:
                event = Event(wall_time=index + 1.0, step=index + 1, summary=Summary(value=values))
                writer.write(event.SerializeToString())
        writer.close()
