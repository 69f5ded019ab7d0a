"""The rows that a sweep shall come to, by its flags: packs x runs x folds, and their controls."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.config.parse import PATHS
from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import expand, num_folds, row_settings
from experiments.results.columns import PROTECTION, Row
from experiments.results.fold_files import num_folds_in
from experiments.results.parts import REPAIR
from experiments.results.resume import read_flags, resume_command
from experiments.results.runs_csv import read_rows, written
from privrep.files import fault
from privrep.inputs.fold_file import is_fold_file

CONTROLS = ("chance", "majority", "shuffled", "decision", "untrained", "raw")
# A run is the same wherever its data lie.
_NAMES = [flag_name(name) for name in FIELDS if name not in PATHS]
_NAMED = ("modality", "task", "private", "lambda", "recipe", "fold", "seed", "control")


def wanted_runs(workdir: Path) -> dict[int, Sequence[Config]] | None:
    """{pack: the runs that are measured}, by flags.txt, and of a search by search.json.

    Returns:
      None where there is no flags.txt, or one of another version, whose plan is not known.

    Raises:
      ValueError: one of the two files is damaged, or the search is not over; the message says what
        to do.
    """
    flags = read_flags(workdir)
    if flags is None:
        return None
    search = flags.pop("search", "none")
    flags.pop("search_rule", None)
    names = {flag_name(field): field for field in FIELDS}
    if not {*flags} <= {*names}:
        return None
    try:
        packs = expand({names[name]: value for name, value in flags.items()})
    except ValueError:
        return None
    if search == "none":
        return {i: pack.runs for i, pack in enumerate(packs)}
    if not any((workdir / name).exists() for name in ("search.json", "search.sha256")):
        done = len({row["pack"] for row in read_rows(workdir / "search.csv")})
        raise ValueError(
            f"{workdir}: the search is not finished: {len(packs) - done:,} of {len(packs):,} packs "
            f"are missing, and what it chooses is measured afterwards. {_go_on(workdir)}"
        )
    problem = fault(workdir / "search.sha256", "search.json")
    if problem:
        raise ValueError(f"{problem}: {REPAIR}")
    measured = json.loads((workdir / "search.json").read_text(encoding="utf-8"))["measured"]
    return {int(i): [packs[int(i)].runs[r] for r in runs] for i, runs in measured.items()}


def check_plan(workdir: Path, rows: Sequence[Row]) -> bool:
    """Makes sure that runs.csv holds what the flags of its directory plan.

    Returns:
      False where that is not known, and rows are looked at only for those that stand there twice.

    Raises:
      ValueError: see `wanted_runs` and `check_expected`.
    """
    wanted = wanted_runs(workdir)
    configs = [config for runs in (wanted or {}).values() for config in runs]
    folds = None
    if any(is_fold_file(config.folds) for config in configs):
        folds = num_folds_in(workdir)  # the table that --folds names may be gone
        wanted = None if folds is None else wanted
    if wanted is None:
        check_once(rows, workdir)
    else:
        check_expected(rows, wanted, workdir, folds)
    return wanted is not None


def check_expected(
    rows: Sequence[Row],
    wanted: Mapping[int, Sequence[Config]],
    workdir: Path,
    folds: int | None = None,
) -> None:
    """Makes sure that every run is there on every fold, with its controls, and none twice.

    Args:
      rows: of runs.csv.
      wanted: see `wanted_runs`.
      workdir: of the rows, for the message.
      folds: their number, where a table says them.

    Raises:
      ValueError: rows are missing, stand there twice, or are of no run of the plan.
    """
    check_once(rows, workdir)
    expected = Counter(key for i, runs in wanted.items() for key in _expected(i, runs, folds))
    actual = Counter(map(_key, rows))
    missing, more = expected - actual, actual - expected
    if missing:
        raise ValueError(
            f"{workdir}: the sweep is not finished: {_runs(missing):,} of {_runs(expected):,} runs "
            f"(packs x runs x folds; with controls {missing.total():,} of {expected.total():,} "
            f"rows) are missing, by flags.txt, the first of {_named(next(iter(missing)))}. "
            f"{_go_on(workdir)}"
        )
    if more:
        raise ValueError(
            f"{workdir / 'runs.csv'} has {more.total():,} rows besides the {expected.total():,} "
            f"that flags.txt plans, the first of {_named(next(iter(more)))}: {REPAIR}"
        )


def _runs(rows: Counter[tuple[str, ...]]) -> int:
    return sum(count for key, count in rows.items() if not key[-1])


def _go_on(workdir: Path) -> str:
    return f"Go on with: {resume_command(workdir)}"


def check_once(rows: Sequence[Row], workdir: Path) -> None:
    """Makes sure that no run stands in a table twice.

    Raises:
      ValueError: one does.
    """
    twice = [(key, count) for key, count in Counter(map(_key, rows)).items() if count > 1]
    if twice:
        key, count = twice[0]
        raise ValueError(
            f"{workdir / 'runs.csv'}: {len(twice):,} runs stand there more than once, the first "
            f"{count} times ({_named(key)}); two programs may have written at the same time: "
            f"{REPAIR}"
        )


def _named(key: tuple[str, ...]) -> str:
    cells = dict(zip(("pack", *_NAMES, "fold", "control"), key))
    shown = ", ".join(f"{name}={cells[name]}" for name in _NAMED if cells[name])
    return f"pack {cells['pack']} ({shown})"


def _key(row: Row) -> tuple[str, ...]:
    """What identifies a row: its settings, without those of protection where it is a control."""
    defaults = {flag_name(name): field.default for name, field in FIELDS.items()}
    filled = defaults | row
    left = PROTECTION if row.get("control") else ()
    cells = ["" if name in left else written(filled.get(name), name) for name in _NAMES]
    pack, *others = (written(row.get(name), name) for name in ("pack", "fold", "control"))
    return pack, *cells, *others


def _expected(pack: int, runs: Sequence[Config], folds: int | None = None) -> list[tuple[str, ...]]:
    """The key of every row of a pack."""

    def keys(control: str | None) -> list[tuple[str, ...]]:
        rows = (
            {"pack": pack, "fold": fold, "control": control} | row_settings(config)
            for config in runs
            for fold in range(folds or num_folds(config))
        )
        return [_key(row) for row in rows]

    # Controls stand for all protections.
    return keys(None) + [key for control in CONTROLS for key in dict.fromkeys(keys(control))]
