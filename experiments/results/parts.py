"""Tables of a result directory in parts, one for each pack, each with a checksum.

    <workdir>/rows/runs_003.csv, runs_003.sha256    rows of pack 3, written once, when it is done
    <workdir>/runs.csv                              the parts one after another, by pack

A table is made of its parts when a program begins and when it ends (`restore`), so nothing that
befalls it is taken for a result: rows that were lost, doubled or changed there come from the parts
again. In between, a part that comes last is added to it without reading the others.
"""

import csv
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.results.columns import Row, check_rows
from experiments.results.runs_csv import read_cells, read_rows, text_of, written
from privrep.files import fault, replace_file, replacing, write_seal
from privrep.inputs.split_linter import Finding

TABLES = ("runs", "search", "split_findings")
_FOLDER = "rows"


def write_part(
    workdir: Path,
    table: str,
    pack: int,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str] = (),
) -> None:
    """Writes the rows of a pack, and the table with them in place of its earlier ones.

    Before the first call `restore` must have made the table of the parts that are there.

    Args:
      table: one of TABLES.
      columns: those that the table has even without a row.

    Raises:
      ValueError: see `runs_csv.append_rows`; of "runs", `columns.check_rows`.
    """
    if table == "runs":
        check_rows(rows, f"a row for {_table(workdir, table)}", written=True)
    names = list(dict.fromkeys([*columns, *(column for row in rows for column in row)]))
    _put(workdir, table, pack, names, [[written(r.get(n), n) for n in names] for r in rows])


def take_part(workdir: Path, table: str, pack: int, folder: Path) -> None:
    """Takes the rows of a pack that `write_part` has written for another folder, as they are.

    Raises:
      ValueError: they are not as they were written.
    """
    path = _part(folder, table, pack)
    if problem := _fault(path):
        raise ValueError(f"{problem}: {REPAIR}")
    _put(workdir, table, pack, *read_cells(path))


def read_part(workdir: Path, table: str, pack: int) -> list[Row]:
    """The rows of a pack, see `runs_csv.read_rows`."""
    return read_rows(_part(workdir, table, pack))


def _put(
    workdir: Path, table: str, pack: int, names: list[str], cells: Sequence[Sequence[str]]
) -> None:
    path, text = _part(workdir, table, pack), text_of(names, cells)
    before = path.read_bytes() if path.exists() else None
    if before == text.encode() and _fault(path) is None:
        return
    path.parent.mkdir(exist_ok=True)
    replace_file(path, text)
    write_seal(path.with_suffix(".sha256"), [path])
    parts, content = _parts(workdir, table), None
    if before is None and parts[-1] == path:
        content = _longer(_table(workdir, table), names, cells)
    with replacing(_table(workdir, table)) as file:
        file.write(content or _joined(parts).encode())


def write_findings(workdir: Path, pack: int, findings: Sequence[Finding]) -> None:
    """Writes the findings of the split linter for a pack: fold, severity (fatal, warning, note) and
    text of each; those that stand there from before are replaced."""
    rows = [{"pack": pack} | f._asdict() | {"text": " ".join(f.text.split())} for f in findings]
    write_part(workdir, "split_findings", pack, rows, ["pack", *Finding._fields])


def finished(workdir: Path, table: str) -> set[int]:
    """The packs whose rows are there, whole. Those that are damaged are removed, with a warning."""
    packs = set()
    for path in _parts(workdir, table):
        problem = _fault(path)
        if problem is None:
            packs.add(_pack(path))
        else:
            warnings.warn(
                f"{problem}: pack {_pack(path):03d} of {table}.csv is made anew", stacklevel=2
            )
            remove_part(workdir, table, _pack(path))
    return packs


def remove_part(workdir: Path, table: str, pack: int) -> None:
    """Forgets the rows of a pack, which is to be made anew."""
    path = _part(workdir, table, pack)
    path.with_suffix(".sha256").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def has_parts(workdir: Path, table: str) -> bool:
    """Whether rows of any pack are there, whole or not."""
    return bool(_parts(workdir, table))


def remove_table(workdir: Path, table: str) -> None:
    """Forgets a table and the rows of all packs."""
    for path in _parts(workdir, table):
        remove_part(workdir, table, _pack(path))
    _table(workdir, table).unlink(missing_ok=True)


def restore(workdir: Path, table: str) -> None:
    """Makes the table of its parts, with a warning where it held anything else.

    Raises:
      ValueError: there is a table and nothing that it was made of.
    """
    path = _table(workdir, table)
    parts = _parts(workdir, table)
    if path.exists() and not (workdir / _FOLDER).exists():
        raise ValueError(
            f"{path} has no {_FOLDER}/ beside it, of which it was made: an earlier version wrote "
            "it, or that folder was removed, and nothing says whether its rows are right. Choose "
            f"another --workdir, or remove {path.name} to make them anew"
        )
    text = _joined(parts)
    if path.exists():
        if parts and path.read_bytes() == text.encode():
            return
        warnings.warn(
            f"{path} is not what was written, or was not yet written: it is made anew, of "
            f"{len(parts)} finished packs in {path.parent / _FOLDER}",
            stacklevel=2,
        )
    if parts:
        replace_file(path, text)
    else:
        path.unlink(missing_ok=True)


def check(workdir: Path, table: str) -> bool:
    """Makes sure that a table is what its parts say.

    Returns:
      False where there are no parts, as in a directory of an earlier version.

    Raises:
      ValueError: it is not, or a part is damaged; the message says what to do.
    """
    parts = _parts(workdir, table)
    if not parts:
        return False
    problems = [problem for problem in map(_fault, parts) if problem]
    path = _table(workdir, table)
    if not problems and (not path.exists() or path.read_bytes() != _joined(parts).encode()):
        problems = [f"{path} is {'not as it was written' if path.exists() else 'missing'}"]
    if problems:
        raise ValueError(f"{problems[0]}: {REPAIR}")
    return True


REPAIR = (
    "run experiments.main with the flags of this directory's flags.txt and --resume, which makes "
    "anew what is lost"
)


def _part(workdir: Path, table: str, pack: int) -> Path:
    return workdir / _FOLDER / f"{table}_{pack:03d}.csv"


def _table(workdir: Path, table: str) -> Path:
    return workdir / f"{table}.csv"


def _parts(workdir: Path, table: str) -> list[Path]:
    """Those of which the file or its checksum is there, by pack."""
    folder = workdir / _FOLDER
    paths = [*folder.glob(f"{table}_*.csv"), *folder.glob(f"{table}_*.sha256")]
    names = {path.with_suffix(".csv") for path in paths}
    return sorted((p for p in names if p.stem.rpartition("_")[2].isdecimal()), key=_pack)


def _pack(part: Path) -> int:
    return int(part.stem.rpartition("_")[2])


def _fault(part: Path) -> str | None:
    return fault(part.with_suffix(".sha256"), part.name)


def _joined(parts: Sequence[Path]) -> str:
    """The table; columns in the order of first appearance."""
    tables = [read_cells(path) for path in parts]
    columns = list(dict.fromkeys(column for header, _ in tables for column in header))
    lines = [line for header, cells in tables for line in _laid_out(columns, header, cells)]
    return text_of(columns, lines)


def _laid_out(
    columns: Sequence[str], header: Sequence[str], cells: Sequence[Sequence[str]]
) -> list[list[str]]:
    """The lines under other columns, "" where they have none."""
    place = {column: i for i, column in enumerate(header)}
    return [[line[place[c]] if c in place else "" for c in columns] for line in cells]


def _longer(table: Path, header: Sequence[str], cells: Sequence[Sequence[str]]) -> bytes | None:
    """The table with more lines below; None where it lacks one of their columns."""
    content = table.read_bytes() if table.exists() else b""
    first_line = content.partition(b"\n")[0].decode(errors="replace")
    columns = next(csv.reader([first_line]), [])
    if not {*header} <= {*columns} or not content.endswith(b"\n"):
        return None
    lines = text_of(columns, _laid_out(columns, header, cells))
    return content + lines.partition("\n")[2].encode()
