"""Kills and stops what a job on a cluster of Ray runs on, at seeded moments, and counts rows.

    python -m tests.support.engine_kills --seed=0

A head and three nodes of this machine carry out six packs. A worker is stopped until another has
taken its place, and then goes on; a third of the nodes dies, and a new one joins; two of the six
workers are killed. What the job leaves is compared, to the byte, with what the engine `here` does.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from experiments.results.runs_csv import read_cells, read_rows
from tests.support.experiment_runs import SMALL
from tests.support.open_corpora_on_disk import write_manifest
from tests.support.paths import ROOT
from tests.support.small_data import devices

PROGRAM = """
from absl import app
from experiments import main
from experiments.engines import driver
driver.SILENCE = 15
main.finish = lambda *arguments: None
app.run(main.main)
"""
FLAGS = (*SMALL, "--folds=3", "--membership=off", "--recipe=paper", "--lambda=0,0.5")
FLAGS += ("--task=activation,valence", "--private=gender,accent,gender+accent")
PACKS = 6
NODES = 3
WORKERS_KILLED = PACKS // 3
FILES = ("runs.csv", "split_findings.csv", "folds.csv", "flags.txt")
PATIENCE = 900.0  # seconds for anything that must come


class EngineTally(NamedTuple):
    """What came of it.

    Attributes:
      nodes, workers: how many were killed.
      interrupted: attempts that a kill or a stop has ended or made too late.
      attempts: that began, of all packs.
      rows: of runs.csv.
      lost, doubled: of these, beside those of the engine `here`.
      differing: files that are not the same to the byte.
    """

    nodes: int
    workers: int
    interrupted: int
    attempts: int
    rows: int
    lost: int
    doubled: int
    differing: tuple[str, ...]


class Worker(NamedTuple):
    """A process that carries out a pack: the pack's place and the number of the attempt."""

    place: str
    attempt: int
    process: int


def run_engine_kills(folder: Path, seed: int) -> EngineTally:
    """Runs the job by `here`, and on the cluster that is being killed.

    Args:
      folder: an empty folder, in which all of it lies.
    """
    from ray.cluster_utils import Cluster

    write_manifest(folder / "corpus" / "my.csv", 5, speakers=12)
    _wait(_start(folder, "here"), folder)
    small: dict[str, Any] = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    try:
        nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(NODES)]
        job = _start(folder, "ray", "--engine=ray", f"--engine_options=address={cluster.address}")
        events = _disturb(cluster, nodes, folder / "ray", random.Random(seed), small)
        for _ in events:
            assert job.poll() is None, (folder / "ray.log").read_text(encoding="utf-8")
        _wait(job, folder)
    finally:
        cluster.shutdown()
    return _tally(folder)


def _disturb(
    cluster: Any, nodes: list[Any], workdir: Path, rng: random.Random, small: dict[str, Any]
) -> Iterator[str]:
    """Yields while it waits, and after each event its name."""
    gone: set[int] = set()

    def others() -> list[Worker]:
        return [worker for worker in _workers(workdir) if worker.process not in gone]

    def moment() -> Iterator[str]:
        yield from _until(lambda: bool(others()))
        yield from _sleep(rng.uniform(0, 4))
        yield from _until(lambda: bool(others()))

    yield from moment()
    stopped = rng.choice(others())
    os.kill(stopped.process, signal.SIGSTOP)
    gone.add(stopped.process)
    yield "stopped"

    yield from moment()
    hit = rng.choice(others())
    (node,) = [node for node in nodes if _raylet(node) == _parent(hit.process)]
    gone.add(hit.process)
    cluster.remove_node(node, allow_graceful=False)
    yield "node"

    for _ in range(WORKERS_KILLED):
        yield from moment()
        hit = rng.choice(others())
        gone.add(hit.process)
        os.kill(hit.process, signal.SIGKILL)
        yield "worker"
    cluster.add_node(num_cpus=1, **small)

    # Another attempt at its pack has begun, or is over: it comes back, and must lose.
    yield from _until(
        lambda: (
            not Path(stopped.place).exists()
            or any(w.place == stopped.place and w.attempt > stopped.attempt for w in others())
        )
    )
    os.kill(stopped.process, signal.SIGCONT)
    yield "continued"


def _workers(workdir: Path) -> list[Worker]:
    workers = []
    for path in sorted((workdir / "tasks").glob("runs_*/attempt_*.alive")):
        try:
            process = json.loads(path.read_text(encoding="utf-8"))["pid"]
        except (OSError, ValueError):  # it ends, or begins
            continue
        if Path(f"/proc/{process}").exists():
            workers.append(Worker(str(path.parent), int(path.stem.partition("_")[2]), process))
    return workers


def _raylet(node: Any) -> int:
    return node.all_processes["raylet"][0].process.pid


def _parent(process: int) -> int:
    stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[1])


def _until(is_so: Callable[[], bool]) -> Iterator[str]:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)
        yield ""


def _sleep(seconds: float) -> Iterator[str]:
    end = time.monotonic() + seconds
    yield from _until(lambda: time.monotonic() > end)


def _start(folder: Path, name: str, *flags: str) -> subprocess.Popen:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "XLA_FLAGS": devices(2),
    }
    places = (f"--data_dir={folder / 'corpus' / 'my.csv'}", f"--workdir={folder / name}")
    command = [sys.executable, "-c", PROGRAM, *FLAGS, "--dataset=manifest", *places, *flags]
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [*command, f"--cache_dir={folder / 'cache'}"], stdout=log, stderr=log, env=environment
        )


def _wait(job: subprocess.Popen, folder: Path) -> None:
    if job.wait(PATIENCE):
        logs = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.log")))
        raise RuntimeError(logs[-5000:])


def _tally(folder: Path) -> EngineTally:
    here, on_ray = folder / "here", folder / "ray"
    wanted, there = (Counter(map(tuple, read_cells(of / "runs.csv")[1])) for of in (here, on_ray))
    counts = read_rows(on_ray / "attempts.csv")
    return EngineTally(
        nodes=1,
        workers=WORKERS_KILLED,
        interrupted=2 + WORKERS_KILLED,  # by the stop, the node's end and each kill
        attempts=sum(int(row["attempts"]) for row in counts),
        rows=there.total(),
        lost=(wanted - there).total(),
        doubled=(there - wanted).total(),
        differing=tuple(
            name for name in FILES if (here / name).read_bytes() != (on_ray / name).read_bytes()
        ),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.engine_kills", description=__doc__
    )
    parser.add_argument("--seed", default="0", help="of the moments, a comma list (%(default)s)")
    failed = False
    for seed in parser.parse_args().seed.split(","):
        with tempfile.TemporaryDirectory() as folder:
            tally = run_engine_kills(Path(folder), int(seed))
        print(f"seed {seed}: {tally}", flush=True)
        failed |= bool(tally.lost or tally.doubled or tally.differing)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
