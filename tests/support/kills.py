"""Kills whole jobs at random moments, resumes them, and compares what they leave.

    python -m tests.support.kills --kills=40 --seed=0

A job is killed up to three times, with SIGKILL and all of its processes, at moments drawn from its
whole length, imports and report among it; then it is resumed to its end. What it leaves must be, to
the byte, what the same job leaves undisturbed. Exit status 1 if it is not.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.config.settings import FIELDS, flag_name
from experiments.results.runs_csv import read_rows
from tests.support.experiment_runs import SMALL, shared_by
from tests.support.open_corpora_on_disk import write_manifest
from tests.support.paths import ROOT
from tests.support.small_data import devices

PROGRAM = """
from absl import app
from experiments import main
from experiments.run import train_pack
train_pack.SECONDS_BETWEEN_SAVES = 0
app.run(main.main)
"""
TINY = (*SMALL, "--folds=3", "--membership=off", "--recipe=paper", "--resume")
MOST = 3  # kills of a job


class Job(NamedTuple):
    """Flags of a whole job, and how many processes share it."""

    flags: tuple[str, ...]
    processes: int = 1


JOBS = {
    "report": Job(("--lambda=0,0.5", "--task=activation,valence")),
    "search": Job(("--lambda=0,0.5,1", "--search=grid")),
    "two_processes": Job(("--lambda=0,0.5",), 2),
    "export": Job(("--lambda=0,0.5", "--export=test")),
}


class Tally(NamedTuple):
    """What came of the kills of one job.

    Attributes:
      kills: how many came before its end.
      lost, doubled: rows of runs.csv.
      differing: files that are missing, more, or not the same to the byte.
    """

    kills: int
    lost: int
    doubled: int
    differing: tuple[str, ...]


def run_kills(folder: Path, jobs: Sequence[str], kills: int, seed: int) -> dict[str, Tally]:
    """{job: tally} of jobs of which each is killed `kills` times at least.

    Args:
      folder: an empty folder, in which they run.
    """
    rng = random.Random(seed)
    write_manifest(folder / "corpus" / "my.csv", 5, speakers=12)
    return {name: _run_kills(folder / name, JOBS[name], kills, rng) for name in jobs}


def _run_kills(folder: Path, job: Job, kills: int, rng: random.Random) -> Tally:
    _run(folder / "warm", job)  # what is compiled once is not compiled again
    began = time.monotonic()
    _run(folder / "whole", job)
    length = time.monotonic() - began
    rows, files = _rows(folder / "whole"), _files(folder / "whole")
    tally = Tally(0, 0, 0, ())
    for trial in range(5 * kills):  # a job that ends before it is killed does not count
        if tally.kills >= kills:
            break
        place = folder / f"{trial:03d}"
        killed = 0
        for _ in range(min(MOST, kills - tally.kills)):
            if not _run(place, job, rng.uniform(0, length)):
                break
            killed += 1
        _run(place, job)
        there, now = _rows(place), _files(place)
        differing = {name for name in {*files, *now} if files.get(name) != now.get(name)}
        tally = Tally(
            tally.kills + killed,
            tally.lost + (rows - there).total(),
            tally.doubled + (there - rows).total(),
            (*tally.differing, *(f"{place.name}/{name}" for name in sorted(differing))),
        )
    return tally


def _run(place: Path, job: Job, seconds: float | None = None) -> bool:
    """Runs a job to its end, or kills it after `seconds`; whether it was killed.

    Raises:
      RuntimeError: it failed by itself.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    flags_of_processes: Sequence[tuple[str, ...]] = [()]
    if job.processes > 1:
        environment["XLA_FLAGS"] = devices(1)
        flags_of_processes = shared_by(job.processes)
    corpus = place.parent.parent / "corpus" / "my.csv"
    flags = (*TINY, *job.flags, "--dataset=manifest", f"--data_dir={corpus}")
    # The folder has one name, which stands in what a job leaves; the cache is built by each.
    flags += (f"--workdir={place / 'out'}", f"--cache_dir={place / 'cache'}")
    place.mkdir(parents=True, exist_ok=True)
    with (place / "log").open("ab") as log:
        processes = []
        for more in flags_of_processes:
            command = [sys.executable, "-c", PROGRAM, *flags, *more]
            group = processes[0].pid if processes else 0
            processes.append(
                subprocess.Popen(
                    command, stdout=log, stderr=log, env=environment, process_group=group
                )
            )
        try:
            end = None if seconds is None else time.monotonic() + seconds
            for process in processes:
                process.wait(None if end is None else max(0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(processes[0].pid, signal.SIGKILL)
            for process in processes:
                process.wait()
            return True
    text = (place / "log").read_text(encoding="utf-8", errors="replace")
    if any(process.returncode for process in processes) or "Traceback" in text:
        raise RuntimeError(f"{place / 'log'}:\n{text[-3000:]}")
    return False


def _rows(place: Path) -> Counter[tuple]:
    names = [*map(flag_name, FIELDS), "pack", "fold", "control"]
    rows = read_rows(place / "out" / "runs.csv")
    return Counter(tuple(row.get(name) for name in names) for row in rows)


def _files(place: Path) -> dict[str, bytes]:
    """{name: content} of all that a job leaves, but for what only resuming it needs."""
    out = place / "out"
    paths = (path for path in out.rglob("*") if path.is_file())
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in paths
        if path.relative_to(out).parts[0] != "checkpoints"
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.kills", description=__doc__)
    parser.add_argument("--jobs", default=",".join(JOBS), help="comma list (%(default)s)")
    parser.add_argument("--kills", type=int, default=20, help="of each job (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = arguments.jobs.split(",")
        tallies = run_kills(Path(folder), jobs, arguments.kills, arguments.seed)
    for name, tally in tallies.items():
        print(
            f"{name}: {tally.kills} kills, rows lost {tally.lost}, doubled {tally.doubled}, "
            f"{len(tally.differing) or 'no'} files differ {' '.join(tally.differing[:5])}"
        )
    return int(any(tally.lost or tally.doubled or tally.differing for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
