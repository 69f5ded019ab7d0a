"""Every engine keeps the same promises: submit, wait and cancel, whatever the machines."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.config.program_flags import ENGINES as NAMES
from experiments.engines.driver import Watch, in_order
from experiments.engines.registry import ENGINES, parse_options
from experiments.engines.tasks import DONE, FAULT, WRONG, EngineSettings, Task
from tests.support.paths import ROOT

WORK = "tests.support.engine_tasks"
OPTIONS = {"here": "", "ray": "", "slurm": "cluster=local"}
REMOTE = [pytest.param("ray", marks=pytest.mark.long), "slurm"]


@pytest.fixture(params=["here", *REMOTE])
def engine(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PRIVREP_CORES", "7")  # that `here` leaves behind what was there
    options = parse_options(request.param, OPTIONS[request.param])
    settings = EngineSettings(options, {"PRIVREP_CORES": "1"}, str(tmp_path / "engine"))
    with ENGINES[request.param].open(settings) as engine:
        yield engine


@pytest.fixture(params=REMOTE)
def remote(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    options = parse_options(request.param, OPTIONS[request.param])
    with ENGINES[request.param].open(EngineSettings(options, {}, str(tmp_path / "engine"))) as it:
        yield it


def outcomes(engine, count):
    end, got = time.monotonic() + 60, []
    while len(got) < count:
        assert time.monotonic() < end
        outcome = engine.wait(0.5)
        got += [outcome] if outcome else []
    return {outcome.number: outcome for outcome in got}


def test_the_flag_names_every_engine():
    assert (*ENGINES,) == NAMES == (*OPTIONS,)


def test_every_task_is_carried_out_with_its_environment_and_every_end_is_said(engine, tmp_path):
    tasks = [
        Task(4, f"{WORK}:write", {"path": str(tmp_path / "a"), "text": "first"}),
        Task(2, f"{WORK}:wrong", {}),
        Task(0, f"{WORK}:fault", {}),
    ]
    engine.submit(tasks)
    of = outcomes(engine, 3)
    assert {number: outcome.end for number, outcome in of.items()} == {4: DONE, 2: WRONG, 0: FAULT}
    assert (tmp_path / "a").read_text() == "first 1"
    assert of[2].text == "--lambda: no such value"
    assert of[0].text.startswith("Traceback") and "KeyError: 'of the program'" in of[0].text
    assert engine.wait(0) is None


def test_what_is_cancelled_has_no_outcome_and_the_engine_goes_on(engine, tmp_path):
    engine.submit([Task(0, f"{WORK}:write", {"path": str(tmp_path / "b"), "text": "x"})])
    engine.cancel()
    assert engine.wait(0.1) is None
    engine.submit([Task(1, f"{WORK}:write", {"path": str(tmp_path / "a"), "text": "x"})])
    assert outcomes(engine, 1)[1].end == DONE


def test_each_task_has_a_process_of_its_own_which_cancelling_ends(remote, tmp_path):
    paths = [tmp_path / name for name in "ab"]
    remote.submit([Task(i, f"{WORK}:write_process", {"path": str(p)}) for i, p in enumerate(paths)])
    outcomes(remote, 2)
    assert len({os.getpid(), *(int(path.read_text()) for path in paths)}) == 3
    path = tmp_path / "waiting"
    remote.submit([Task(2, f"{WORK}:wait_for_ever", {"path": str(path)})])
    wait_until(lambda: path.exists() and path.read_text())
    process = int(path.read_text())
    remote.cancel()
    wait_until(lambda: not is_running(process))


def test_a_process_that_dies_is_named_and_its_task_submitted_again(remote, tmp_path):
    tasks, said = [], []
    for number in range(2):
        place = tmp_path / f"place_{number}"
        place.mkdir()
        tasks.append(Task(number, f"{WORK}:die_once", {"place": str(place)}))
    watch = Watch(lambda task: Path(task.argument["place"], "published").exists())
    taken = [task.number for task in in_order(remote, tasks, watch, said.extend)]
    assert taken == [0, 1] and len(said) == 2 and all("submitted again" in line for line in said)
    assert "its process has died" in said[0]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_tasks_of_ray_end_with_the_driver_however_it_ends(number, tmp_path):
    program = f"""
from privrep.program import begin
begin("stopped")
from tests.engines.test_engines import *
settings = EngineSettings(parse_options("ray", ""), {{}}, "")
with ENGINES["ray"].open(settings) as engine:
    engine.submit([Task(0, WORK + ":wait_for_ever", {{"path": {str(tmp_path / "process")!r}}})])
    while True:
        engine.wait(0.5)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE, text=True
    )
    path = tmp_path / "process"
    wait_until(lambda: driver.poll() is not None or (path.exists() and path.read_text()))
    driver.send_signal(number)
    assert driver.wait(30) == -number
    assert number == signal.SIGKILL or driver.stderr.read().endswith("stopped\n")
    wait_until(lambda: not is_running(int(path.read_text())))


def wait_until(is_so):
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize(
    ("engine", "text", "message"),
    [
        ("here", "cpus=2", "no option of --engine=here"),
        ("ray", "cpu=2", "did you mean cpus"),
        ("ray", "cpus", "'cpus' is no option"),
        ("ray", "cpus=two", "cpus is a whole number"),
        ("ray", "cpus=0", "cpus is at least 1"),
        ("slurm", "cluster=pbs", "cluster is one of slurm, local"),
    ],
)
def test_a_wrong_option_is_named_with_those_there_are(engine, text, message):
    with pytest.raises(ValueError, match=message) as raised:
        parse_options(engine, text)
    assert f"--engine_options={text}" in str(raised.value)


@pytest.mark.parametrize("name", ["ray", "slurm"])
def test_an_engine_that_is_not_installed_says_the_pip_command(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, ENGINES[name].package, None)
    settings = EngineSettings(parse_options(name, ""), {}, str(tmp_path))
    message = rf"--engine={name} needs .*pip install 'privrep\[{name}\]'"
    with pytest.raises(ValueError, match=message), ENGINES[name].open(settings):
        pass


def test_without_slurm_the_engine_says_where_to_start(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = EngineSettings(parse_options("slurm", ""), {}, str(tmp_path))
    with (
        pytest.raises(ValueError, match="there is no srun on this machine"),
        ENGINES["slurm"].open(settings),
    ):
        pass
