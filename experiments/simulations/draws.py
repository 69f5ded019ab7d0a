"""Rows of many simulated draws, of which none is made twice."""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Value
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import NamedTuple

from scipy.stats import binomtest

from privrep.cores import usable_cores


class Draws(NamedTuple):
    """What is drawn: seeds `first` to `end` - 1 of every line, and the folder of their rows.

    The seeds below `first` were drawn elsewhere, for instance on another machine.
    """

    end: int
    folder: Path
    first: int = 0


def resumed(
    path: Path,
    columns: Sequence[str],
    simulate: Callable[[str, int], tuple[str | float, ...]],
    draws_of: Mapping[str, int],
    first: int = 0,
) -> list[dict[str, str]]:
    """The rows of so many draws of every name; what the file holds is not drawn again.

    Args:
      path: of a CSV file, which gets a line per draw as soon as it is made.
      columns: its header, from "design", the name, and "seed".
      simulate: (name, seed) -> row of `columns`, in a process of its own.
      draws_of: seeds `first` to n - 1 of every name.
      first: the first seed of every name.
    """
    rows = _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(".partial")
    with whole.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(row.values() for row in rows)  # without a line that a kill cut short
    whole.replace(path)
    with (
        path.open("a", newline="", encoding="utf-8") as file,
        ProcessPoolExecutor(
            usable_cores(), initializer=_on_one_core, initargs=(Value("i"),)
        ) as pool,
    ):
        writer = csv.writer(file)
        done = {(row["design"], int(row["seed"])) for row in rows}
        # Seed by seed over all names, so that all are equally far if it ends early.
        tasks = sorted((s, name) for name, draws in draws_of.items() for s in range(first, draws))
        tasks = [(s, name) for s, name in tasks if (name, s) not in done]
        for row in pool.map(simulate, [name for _, name in tasks], [s for s, _ in tasks]):
            writer.writerow(row)
            file.flush()
    return [
        row for row in _read(path) if first <= int(row["seed"]) < draws_of.get(row["design"], 0)
    ]


def _on_one_core(started: Synchronized) -> None:
    """Keeps this process, the next of `started`, on a core of its own.

    So small a measurement in two threads takes up to twice the processor time.
    """
    with started.get_lock():
        number = started.value
        started.value += 1
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def share(count: int, of: int) -> str:
    """A count, and the exact 95 % interval of its share."""
    interval = binomtest(count, of).proportion_ci(0.95, method="exact")
    return f"{count:3d} of {of:4d} ({interval.low:.1%} to {interval.high:.1%})"


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # A line that a kill cut short has no last cell.
        return [row for row in csv.DictReader(file) if None not in row.values()]
