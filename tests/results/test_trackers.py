"""Tests of the trackers: each holds the scalars of every network and epoch, without a network."""

import builtins
import math
import time

import pytest

from experiments.results import trackers
from experiments.results.tensorboard import write_curves
from experiments.results.trackers import TRACKERS, tracking

FIRST = {"a/fold=0": {"train_loss": 2.0, "val_emotion_uar": 0.5}, "b/fold=0": {"train_loss": 1.0}}
SECOND = {"a/fold=0": {"train_loss": 1.5}, "b/fold=0": {"train_loss": math.nan}}  # b has stopped


def track(names, workdir):
    workdir.mkdir(parents=True, exist_ok=True)
    with tracking(names, workdir) as log:
        log(1, FIRST)
        log(2, SECOND)


def test_tensorboard_has_each_epoch_at_once_and_in_the_end_what_a_whole_run_writes(tmp_path):
    file = tmp_path / "live" / "tensorboard" / "a" / "fold=0" / "events.out.tfevents.0.privrep"
    (tmp_path / "live").mkdir()
    with tracking(["tensorboard"], tmp_path / "live") as log:
        log(1, FIRST)
        size = file.stat().st_size
        log(2, SECOND)
        assert file.stat().st_size > size > 0
    a = {"train_loss": [2.0, 1.5], "val_emotion_uar": [0.5, math.nan]}
    write_curves(tmp_path / "whole", {"a/fold=0": a, "b/fold=0": {"train_loss": [1.0, math.nan]}})
    for path in (tmp_path / "whole").rglob("events*"):
        live = tmp_path / "live" / path.relative_to(tmp_path / "whole")
        assert live.read_bytes() == path.read_bytes()
    track(["tensorboard"], tmp_path / "live")  # of a job that goes on: all epochs once more
    assert (
        file.read_bytes() == (tmp_path / "whole" / file.relative_to(tmp_path / "live")).read_bytes()
    )


@pytest.mark.long
def test_mlflow_has_a_run_for_every_network(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    track(["mlflow"], tmp_path / "demo" / "trial")
    import mlflow

    client = mlflow.MlflowClient()
    (experiment,) = (e for e in client.search_experiments() if e.name == "privrep")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {*runs} == {"demo/trial/a/fold=0", "demo/trial/b/fold=0"}
    run = runs["demo/trial/a/fold=0"]
    history = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(m.step, m.value) for m in history] == [(1, 2.0), (2, 1.5)]
    assert run.info.status == "FINISHED"


@pytest.mark.long
def test_weights_and_biases_has_them_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    track(["wandb"], tmp_path / "demo" / "trial")
    (folder,) = (tmp_path / "demo" / "trial" / "wandb").glob("offline-run-*")
    (written,) = folder.glob("*.wandb")
    end = time.monotonic() + 60  # a process of its own writes it, which may lag
    while b"a/fold=0/train_loss" not in written.read_bytes() and time.monotonic() < end:
        time.sleep(0.2)
    assert b"a/fold=0/train_loss" in written.read_bytes()


@pytest.mark.parametrize("name", [name for name in TRACKERS if name != "tensorboard"])
def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch, name):
    real = builtins.__import__

    def missing(module, *arguments):
        if module == name:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return real(module, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match=rf"--track={name} needs {name}.*privrep\[tracking\]"):
        track([name], tmp_path)


def test_every_tracker_is_offered_by_the_flag():
    from experiments.config.program_flags import TRACKERS as offered

    assert tuple(trackers.TRACKERS) == offered
