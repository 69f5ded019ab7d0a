"""What an engine costs beside the work of its tasks.

    python -m tests.support.engine_cost --rounds=3

Of each engine: seconds until it is open, of a task that does nothing, and of one that imports what
the process of a pack imports; each from its submission to its outcome, one after another.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from experiments.engines.packs import environment_of_tasks
from experiments.engines.registry import ENGINES, parse_options
from experiments.engines.tasks import DONE, Engine, EngineSettings, Task
from tests.support.paths import ROOT

OPTIONS = {"here": "", "ray": "cpus=1", "slurm": "cluster=local"}
WORK = "tests.support.engine_tasks"
TASKS = 5  # of a kind, of one round


def measured(name: str, folder: Path) -> tuple[float, list[float], list[float]]:
    """Seconds of opening, of tasks that do nothing, and of those that import."""
    options = parse_options(name, OPTIONS[name])
    environment = {} if name == "here" else environment_of_tasks(options)
    nothing = Task(0, f"{WORK}:write", {"path": str(folder / "written"), "text": ""})
    began = time.monotonic()
    with ENGINES[name].open(EngineSettings(options, environment, str(folder / name))) as engine:
        opened = time.monotonic() - began
        importing = Task(1, f"{WORK}:import_pack_task", {})
        return (
            opened,
            [_seconds(engine, nothing) for _ in range(TASKS)],
            [_seconds(engine, importing) for _ in range(TASKS)],
        )


def _seconds(engine: Engine, task: Task) -> float:
    began = time.monotonic()
    engine.submit([task])
    while (outcome := engine.wait(0.5)) is None:
        pass
    assert outcome.end == DONE, outcome
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.engine_cost", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3, help="of all engines (%(default)s)")
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # else others go first
    kinds = ("opening", "nothing", "importing")
    seconds: dict[tuple[str, str], list[float]] = {(n, k): [] for n in OPTIONS for k in kinds}
    for _ in range(parser.parse_args().rounds):
        for name in OPTIONS:
            with tempfile.TemporaryDirectory() as folder:
                opened, *of_tasks = measured(name, Path(folder))
            for kind, values in zip(kinds, ([opened], *of_tasks)):
                seconds[name, kind] += values
    print("median, least and most seconds")
    for (name, kind), values in seconds.items():
        print(
            f"{name:6} {kind:10} {statistics.median(values):7.3f} {min(values):7.3f} "
            f"{max(values):7.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
