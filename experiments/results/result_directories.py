"""Reading of result directories: rows, curves, maps of h, findings of the split linter, flags.

Directories of other corpora, modalities or settings lie beside one another; those of the same
settings and other seeds join. The same run in two directories is kept once, and where its scores
differ there, that is refused. Corpora of manifests go by the names of their files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.config.settings import FIELDS, flag_name
from experiments.results import parts
from experiments.results.checkpoints import check_chosen, read_chosen
from experiments.results.columns import PROTECTION, Row, is_score
from experiments.results.expected_rows import check_plan
from experiments.results.fold_files import FoldPart, fold_parts
from experiments.results.h_map import Map, read_maps
from experiments.results.runs_csv import read_rows, read_runs
from experiments.results.speaker_counts import FILE as COUNTS
from experiments.results.speaker_counts import SpeakerCounts, read_counts
from experiments.results.workdirs import result_directory, results_below
from privrep.datasets import DATASETS
from privrep.formats.sequences import JOINED, sources_of

# In messages: the settings of a run.
_NAMED = ("dataset", "modality", "task", "private", "lambda", "recipe", "fold", "seed")
_PATHS = ("data_dir", "speakers", "word_vectors", "acoustic_features", "lexical_features")
# Columns that say how a run was made, but neither where the data lay nor what is averaged over.
SETTINGS = [flag_name(name) for name in FIELDS if name not in ("data_dir", "seed")]
# What runs share that are averaged or compared, and that are therefore of the same data.
_COMPARED = [name for name in SETTINGS if name not in PROTECTION]


class Source(NamedTuple):
    """A result directory: its name, unlike the others'; flags.txt; how many rows it gave."""

    name: str
    flags: str
    rows: int


class Results(NamedTuple):
    """What the directories hold.

    Attributes:
      rows: of runs.csv, with every setting of SETTINGS.
      sources: in the order given.
      curves: (settings of a run, {scalar: its value after each epoch}).
      maps: (settings of a run, its map of h).
      findings: of the split linter, {source, pack, fold, severity, text}.
      notes: sentences about what is missing or was left out.
      folds: (name of the directory, a part of a fold and who is in it).
      counts: of each test speaker, of the runs of all packs.
    """

    rows: list[Row]
    sources: list[Source]
    curves: list[tuple[Row, dict[str, list[float]]]]
    maps: list[tuple[Row, Map]]
    findings: list[Row]
    notes: list[str]
    folds: list[tuple[str, FoldPart]]
    counts: list[SpeakerCounts]


def read_results(folders: Sequence[Path | str], keep_first: bool = False) -> Results:
    """Reads result directories of `experiments.main`.

    Args:
      folders: each is left as it is; out/<dataset> stands for its latest.
      keep_first: where two directories have other scores for one run, keep those of the first.

    Raises:
      FileNotFoundError: a folder is none, or holds no runs.csv.
      ValueError: a folder is named twice; its runs.csv holds no run, lacks columns, holds a run
        twice or fewer rows than its flags.txt plans; a file is not as it was written; two folders
        have other scores for the same run; or runs that differ in protection or seed only were
        made of different data, whatever `keep_first`.
    """
    paths = [result_directory(Path(folder)) for folder in folders]
    if not paths:
        raise ValueError("no result directory was named")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ValueError("a result directory is named twice: " + ", ".join(map(str, paths)))
    results = Results([], [], [], [], [], [], [], [])
    runs: dict[tuple, tuple[str, Row]] = {}
    data: dict[tuple, tuple[str, Row]] = {}
    for name, folder in zip(_names(paths), paths):
        rows, sealed, planned = _rows(folder)
        if not sealed:
            results.notes.append(f"{name}: no checksums; its files are read as they are.")
        if not planned:
            results.notes.append(
                f"{name}: no flags.txt of this version; its rows are not counted against a plan."
            )
        _check_data(rows, name, data)
        kept, twice, others = _joined(rows, name, runs, keep_first)
        results.rows.extend(kept)
        if twice:
            left = f", {others} of them with other scores, which are left out" if others else ""
            results.notes.append(
                f"{name}: {twice} rows stand in a directory named before it too{left}."
            )
        flags = folder / "flags.txt"
        text = flags.read_text(encoding="utf-8", errors="replace") if flags.exists() else ""
        results.sources.append(Source(name, text, len(kept)))
        if not text:
            results.notes.append(f"{name}: no flags.txt")
        for finding in read_rows(folder / "split_findings.csv"):
            results.findings.append({"source": name} | finding)
        results.folds.extend((name, part) for part in fold_parts(folder))
        _read_packs(folder, name, rows, sealed, results)
    return results


def _names(folders: Sequence[Path]) -> list[str]:
    """Last names of the folders, with a number where two are alike."""
    names: list[str] = []
    for folder in folders:
        name, number = folder.resolve().name, 2
        while name in names:
            name, number = f"{folder.resolve().name} ({number})", number + 1
        names.append(name)
    return names


def _rows(folder: Path) -> tuple[list[Row], bool, bool]:
    """The rows of a directory, whether it has checksums, and whether its plan is known."""
    path = folder / "runs.csv"
    sealed = parts.check(folder, "runs")
    if not path.exists():
        check_plan(folder, [])  # of a sweep that was stopped says how much is missing
        problem = "holds no runs.csv" if folder.is_dir() else "is no folder"
        raise FileNotFoundError(
            f"{folder} {problem}: name a result directory of experiments.main, its --workdir, in "
            f"which all packs of runs have finished{results_below(folder)}"
        )
    rows = read_runs(path)
    if not rows or all(row.get("control") for row in rows):
        raise ValueError(f"{path} holds no run: there is nothing to report")
    planned = check_plan(folder, rows)
    if sealed:
        parts.check(folder, "split_findings")
    return [_filled(row) for row in rows], sealed, planned


def _filled(row: Row) -> Row:
    """The row with every setting: those that a later version added had their default before."""
    defaults = {flag_name(name): field.default for name, field in FIELDS.items()}
    row = defaults | row | {name: _last_parts(str(row.get(name) or "")) for name in _PATHS}
    if isinstance(row["folds"], str):  # a table goes by its name
        row["folds"] = Path(row["folds"]).name
    # An empty cell of the table is a setting that is empty text.
    row |= {name: "" for name, value in defaults.items() if value == "" and row[name] is None}
    name = Path(row["data_dir"]).stem
    if row["dataset"] != "manifest" or not name:
        return row
    return row | {"dataset": f"{name} (manifest)" if name in DATASETS else name}


def _last_parts(path: str) -> str:
    """The last part of a path, or of several joined by +."""
    return JOINED.join(Path(source).name for source in sources_of(path)) if path else ""


def _joined(
    rows: Sequence[Row], name: str, runs: dict[tuple, tuple[str, Row]], keep_first: bool
) -> tuple[list[Row], int, int]:
    """The rows that no directory before had, how many it had, and of these with other scores."""
    kept, twice, others = [], 0, 0
    new: dict[tuple, tuple[str, Row]] = {}
    for row in rows:
        key = tuple(row.get(n) for n in (*SETTINGS, "seed", "fold", "control"))
        if key not in runs:
            kept.append(row)
            new.setdefault(key, (name, row))
            continue
        twice += 1
        first, other = runs[key]
        differing = [column for column in row if is_score(column) and _differ(row, other, column)]
        # Controls stand for all protections of their pack, which may be another one.
        if not differing or row.get("control"):
            continue
        others += 1
        if not keep_first:
            column = differing[0]
            place = ", ".join(f"{n}={row[n]}" for n in _NAMED)
            raise ValueError(
                f"{first} and {name} have other scores for the same run ({place}): {column} is "
                f"{other.get(column)} and {row[column]}. Report them apart, or say --keep_first "
                "to take the first directory's."
            )
    runs |= new
    return kept, twice, others


def _differ(row: Row, other: Row, column: str) -> bool:
    a, b = row[column], other.get(column)
    return a is not None and b is not None and a != b and not (a != a and b != b)


def data_of(row: Row) -> str | None:
    """The hash of the run's data: of earlier versions one that depends on where it lay."""
    return row.get("data_hash") or row.get("prepared_hash")


def _check_data(rows: Sequence[Row], name: str, before: dict[tuple, tuple[str, Row]]) -> None:
    """Makes sure that runs to be averaged or compared are of the same data, and notes of which."""
    for row in rows:
        if data_of(row) is None:
            continue
        first, other = before.setdefault(tuple(row[n] for n in _COMPARED), (name, row))
        # What earlier versions wrote depends on where the corpus lies.
        known = "data_hash" if row.get("data_hash") and other.get("data_hash") else "prepared_hash"
        if row.get(known) != other.get(known):
            changed = "the corpus, its labels or where its files lie"
            if known == "data_hash":
                changed = "the corpus or its labels"
            raise ValueError(
                f"{row['dataset']}, {row['modality']}, {row['task']}: the runs of {first} and "
                f"{name} are of different data (hashes {other.get(known)} and {row.get(known)}): "
                f"{changed} has changed between them, or there are two. Report them apart; corpora "
                "of manifests are told apart by the names of their files."
            )


def _read_packs(
    folder: Path, name: str, rows: Sequence[Row], sealed: bool, results: Results
) -> None:
    """Curves and maps of the packs that have finished."""
    for pack in sorted({row["pack"] for row in rows if row.get("pack") is not None}):
        place = folder / "checkpoints" / f"{pack:03d}"
        if sealed and place.exists():
            check_chosen(place, "runs.json", "history.npz")
            for name in ("map.npz", COUNTS):
                if (place / name).exists():
                    check_chosen(place, name)
        if not (place / "runs.json").exists() or not (place / "history.npz").exists():
            results.notes.append(f"{name}: no training curves of pack {pack:03d}.")
            continue
        described, history = read_chosen(place)
        described = [_filled(row) for row in described]
        for r, row in enumerate(described):
            scalars = {key: np.asarray(series)[:, r].tolist() for key, series in history.items()}
            results.curves.append((row, scalars))
        counts = read_counts(place)
        results.counts.extend(of._replace(settings=_filled(of.settings)) for of in counts)
        results.maps.extend((described[r], map_of_h) for r, map_of_h in read_maps(place))
