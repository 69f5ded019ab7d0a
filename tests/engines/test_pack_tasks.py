"""A job on an engine leaves what the same job leaves here, to the byte, whatever happens to it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.engines.packs import environment_of_tasks
from experiments.engines.registry import ENGINES, parse_options
from experiments.engines.tasks import DONE, EngineSettings, Task
from experiments.results.runs_csv import read_rows
from privrep.cores import usable_cores
from tests.support.engine_kills import NODES, PACKS, WORKERS_KILLED, run_engine_kills
from tests.support.experiment_runs import SMALL
from tests.support.open_corpora_on_disk import write_manifest
from tests.support.paths import ROOT
from tests.support.small_data import devices

PROGRAM = """
from experiments.start import STOPPED
from privrep.program import begin
begin(STOPPED)
from absl import app
from experiments import main
main.finish = lambda *arguments: None
app.run(main.main)
"""
SLURM = ("--engine=slurm", "--engine_options=cluster=local,cpus=1")


def test_a_task_has_its_platform_its_cores_and_the_flags_of_the_job(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump=x --xla_force_host_platform_device_count=64")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    variables = environment_of_tasks(parse_options("ray", "cpus=4"))
    assert variables["XLA_FLAGS"].split() == [
        "--xla_dump=x",
        "--xla_force_host_platform_device_count=4",
    ]
    assert variables["JAX_PLATFORMS"] == "cpu" and variables["PRIVREP_CORES"] == "4"
    one_core = environment_of_tasks(parse_options("slurm", "gpus=1"))
    assert one_core["XLA_FLAGS"].endswith("_count=2")  # one device would round otherwise
    assert one_core["JAX_PLATFORMS"] == "cuda"
    assert environment_of_tasks(parse_options("ray", "tpus=4"))["JAX_PLATFORMS"] == "tpu"
    monkeypatch.setenv("JAX_PLATFORMS", "rocm")
    assert environment_of_tasks(parse_options("ray", "gpus=1"))["JAX_PLATFORMS"] == "rocm"


def test_a_task_uses_no_more_cores_than_it_has(monkeypatch):
    monkeypatch.setenv("PRIVREP_CORES", "1")
    assert usable_cores() == 1
    monkeypatch.delenv("PRIVREP_CORES")
    assert usable_cores() == len(os.sched_getaffinity(0))


@pytest.mark.long
def test_a_job_that_is_preempted_is_queued_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = EngineSettings(parse_options("slurm", "cluster=local"), {}, str(tmp_path / "jobs"))
    path = tmp_path / "process"
    with ENGINES["slurm"].open(settings) as engine:
        engine.submit([Task(0, "tests.support.engine_tasks:preempted", {"path": str(path)})])
        _wait_until(lambda: path.exists() and path.read_text())
        os.kill(int(path.read_text()), signal.SIGUSR2)
        outcomes = []
        _wait_until(lambda: outcomes.append(engine.wait(0.5)) or outcomes[-1])
    assert outcomes[-1].end == DONE


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_manifest(folder / "my.csv", 5, speakers=12)
    return folder / "my.csv"


@pytest.mark.long
def test_a_search_on_slurm_that_is_stopped_and_resumed_leaves_what_here_does(corpus, tmp_path):
    flags = ("--lambda=0,0.5,1", "--search=grid", "--export=test", "--task=activation,valence")
    _run(corpus, tmp_path / "here", *flags)
    job = _start(corpus, tmp_path / "slurm", *flags, *SLURM)
    alive = lambda: [*(tmp_path / "slurm" / "tasks").glob("*/attempt_*.alive")]  # noqa: E731
    _wait_until(lambda: alive() or job.poll() is not None)
    job.terminate()
    assert job.wait(60) == -signal.SIGTERM
    log = (tmp_path / "slurm.log").read_text(encoding="utf-8")
    assert "stopped; go on with the same flags and --resume\n" in log, log
    _wait_until(lambda: not _processes_of(tmp_path / "slurm"))  # it has cancelled them
    _run(corpus, tmp_path / "slurm", *flags, *SLURM, "--resume")
    here, slurm = (_files(tmp_path / name) for name in ("here", "slurm"))
    attempts = read_rows(tmp_path / "slurm" / "attempts.csv")
    assert sum(row["attempts"] for row in attempts) > len(attempts) == 4
    assert slurm.pop("attempts.csv") and {*here} == {*slurm}
    assert not [name for name in here if here[name] != slurm[name]]
    assert not (tmp_path / "slurm" / "tasks").exists()


@pytest.mark.long
def test_several_processes_share_a_pack_of_a_job_on_slurm(corpus, tmp_path):
    _run(corpus, tmp_path / "here", "--lambda=0,0.5")
    _run(corpus, tmp_path / "slurm", "--lambda=0,0.5", *SLURM[:1], f"{SLURM[1]},processes=2")
    here, slurm = (_files(tmp_path / name) for name in ("here", "slurm"))
    assert here["runs.csv"] == slurm["runs.csv"]


@pytest.mark.long
def test_nodes_and_workers_that_die_or_come_back_change_no_row(tmp_path):
    """A third of the nodes, a third of the workers, and one that stands still for a while."""
    tally = run_engine_kills(tmp_path, seed=0)
    assert (tally.nodes, tally.workers) == (NODES // 3, WORKERS_KILLED) and WORKERS_KILLED == 2
    assert tally.rows > 0 and not tally.lost and not tally.doubled and not tally.differing
    assert tally.attempts >= PACKS + tally.interrupted


def _run(corpus, workdir, *flags):
    job = _start(corpus, workdir, *flags)
    assert job.wait(900) == 0, workdir.with_suffix(".log").read_text(encoding="utf-8")[-3000:]


def _start(corpus, workdir, *flags):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "XLA_FLAGS": devices(2),
    }
    fixed = (*SMALL, "--folds=3", "--membership=off", "--recipe=paper", "--dataset=manifest")
    places = (f"--data_dir={corpus}", f"--cache_dir={corpus.parent / 'cache'}")
    command = [sys.executable, "-c", PROGRAM, *fixed, *places, f"--workdir={workdir}", *flags]
    with workdir.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _files(workdir):
    """All but the checkpoints, whose format names its files by chance."""
    paths = (path for path in workdir.rglob("*") if path.is_file())
    named = {path.relative_to(workdir).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in named.items() if not name.startswith("checkpoints")}


def _processes_of(workdir):
    lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    return [line for line in lines if b"submitit" in line and str(workdir).encode() in line]


def _wait_until(is_so):
    end = time.monotonic() + 300
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)
