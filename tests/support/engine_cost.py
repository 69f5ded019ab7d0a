"""What an engine costs beside the work of its tasks.

    python -m tests.support.engine_cost

Of each engine: seconds until it is open; of a task that does nothing, and of one that imports what
the process of a pack imports, seconds from submission to outcome, one after another, and processor
time of its process, which a busy machine hardly changes.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.engines.packs import environment_of_tasks
from experiments.engines.registry import ENGINES, parse_options
from experiments.engines.tasks import DONE, Engine, EngineSettings, Task
from tests.support.paths import ROOT

OPTIONS = {"here": "", "ray": "cpus=1", "slurm": "cluster=local"}
WORK = "tests.support.engine_tasks:spend"


class Spent(NamedTuple):
    """Seconds by the clock, and of processor time in the process of the task."""

    wall: float
    processor: float


def measured(name: str, folder: Path, count: int) -> tuple[float, list[Spent], list[Spent]]:
    """Seconds of opening; what `count` tasks spend that do nothing, and that import."""
    options = parse_options(name, OPTIONS[name])
    environment = {} if name == "here" else environment_of_tasks(options)
    began = time.monotonic()
    with ENGINES[name].open(EngineSettings(options, environment, str(folder / name))) as engine:
        opened = time.monotonic() - began
        nothing, importing = (
            [_spent(engine, folder / "spent", is_importing) for _ in range(count)]
            for is_importing in (False, True)
        )
    return opened, nothing, importing


def _spent(engine: Engine, path: Path, importing: bool) -> Spent:
    before, began = time.process_time(), time.monotonic()
    engine.submit([Task(0, WORK, {"path": str(path), "importing": importing})])
    while (outcome := engine.wait(0.5)) is None:
        pass
    assert outcome.end == DONE, outcome
    wall = time.monotonic() - began
    process, seconds = json.loads(path.read_text(encoding="utf-8"))
    return Spent(wall, seconds - (before if process == os.getpid() else 0))


def _shown(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.engine_cost", description=__doc__
    )
    parser.add_argument("--tasks", type=int, default=5, help="of each kind (%(default)s)")
    count = parser.parse_args().tasks
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # else others go first
    print("engine | open | nothing: wall | processor | importing: wall | processor", flush=True)
    for name in OPTIONS:
        with tempfile.TemporaryDirectory() as folder:
            opened, *kinds = measured(name, Path(folder), count)
        cells = [_shown([spent[i] for spent in kind]) for kind in kinds for i in (0, 1)]
        print(" | ".join([name, f"{opened:.2f}", *cells]), flush=True)


if __name__ == "__main__":
    main()
