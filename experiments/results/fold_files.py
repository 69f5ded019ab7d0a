"""The folds of a result directory: who trained, chose and tested in every fold.

    <workdir>/folds.csv         of the first pack, and of all that have the same folds
    <workdir>/folds_003.csv     of pack 3, where it has others than all packs before

A row is an utterance in a part of a fold: id, part, fold, speaker, session. `--folds=FILE` reads
such a table. A checksum lies beside each.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.results.parts import REPAIR
from experiments.results.runs_csv import read_cells
from privrep.files import fault, replace_file, write_seal
from privrep.inputs.fold_file import table_text
from privrep.types import Split, Utterance

_FIRST = "folds.csv"


class FoldPart(NamedTuple):
    """A part of a fold: utterances, speakers and sessions, the latter sorted by name."""

    file: str
    fold: int
    part: str
    utterances: int
    speakers: tuple[str, ...]
    sessions: tuple[str, ...]


def write_folds(workdir: Path, pack: int, split: Split, utterances: Sequence[Utterance]) -> None:
    """Writes the folds of a pack, unless a table of the same folds is there.

    Args:
      split: bool[K, N] each.
    """
    content = table_text(split, utterances).encode()
    same = (p for p in _tables(workdir) if p.exists() and p.read_bytes() == content)
    path = next(same, None)
    if path is None:
        path = workdir / (f"folds_{pack:03d}.csv" if pack else _FIRST)
        replace_file(path, content.decode())
    write_seal(path.with_suffix(".sha256"), [path])


def folds_lost(workdir: Path) -> bool:
    """Whether a table of folds is missing or damaged; those that are damaged are removed."""
    damaged = [path for path in _tables(workdir) if fault(path.with_suffix(".sha256"), path.name)]
    for path in damaged:
        path.unlink(missing_ok=True)
        path.with_suffix(".sha256").unlink(missing_ok=True)
    return bool(damaged) or not (workdir / _FIRST).exists()


def num_folds_in(workdir: Path) -> int | None:
    """The number of folds of the first pack; None where no table says it.

    Raises:
      ValueError: the table is not as it was written.
    """
    numbers = [part.fold for part in _parts_of(workdir / _FIRST)]
    return max(numbers) + 1 if numbers else None


def fold_parts(workdir: Path) -> list[FoldPart]:
    """The parts of all folds of all tables, in the order of the files.

    Raises:
      ValueError: a table is not as it was written.
    """
    return [part for path in _tables(workdir) for part in _parts_of(path)]


def _parts_of(path: Path) -> Iterator[FoldPart]:
    problem = fault(path.with_suffix(".sha256"), path.name) if path.exists() else None
    if problem:
        raise ValueError(f"{problem}: {REPAIR}")
    header, lines = read_cells(path)
    if not lines:
        return
    place = {name: i for i, name in enumerate(header)}
    rows: dict[tuple[int, str], list[list[str]]] = {}
    for line in lines:
        rows.setdefault((int(line[place["fold"]]), line[place["part"]]), []).append(line)
    for (fold, part), of_part in rows.items():
        names = [
            tuple(sorted({line[place[column]] for line in of_part} - {""}))
            if column in place
            else ()
            for column in ("speaker", "session")
        ]
        yield FoldPart(path.name, fold, part, len(of_part), *names)


def _tables(workdir: Path) -> list[Path]:
    """Those of which the file or its checksum is there."""
    names = {path.with_suffix(".csv") for path in workdir.glob("folds*.*")}
    return sorted(p for p in names if p.name == _FIRST or p.stem.removeprefix("folds_").isdecimal())
