"""Trackers of a training: after every epoch each is handed the scalars of every network.

TensorBoard's files lie in the result directory. Weights & Biases and MLflow receive the scalars
too where --track names them (extra `[tracking]`), configured by their own environment variables.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

from experiments.results import tensorboard

Scalars = Mapping[str, float]
Log = Callable[[int, Mapping[str, Scalars]], None]  # (epoch from 1, {network: {scalar: value}})
_PROJECT = "privrep"


@contextlib.contextmanager
def _tensorboard(workdir: Path) -> Iterator[Log]:
    begun: set[str] = set()

    def log(epoch: int, scalars_of: Mapping[str, Scalars]) -> None:
        for network, scalars in scalars_of.items():
            tensorboard.append(workdir, network, epoch, scalars, anew=network not in begun)
        begun.update(scalars_of)

    yield log


@contextlib.contextmanager
def _wandb(workdir: Path) -> Iterator[Log]:
    """One run of Weights & Biases; the scalars of a network have its name before them."""
    wandb = _imported("wandb")
    run = wandb.init(project=_PROJECT, name=_name(workdir), dir=str(workdir))
    run.define_metric("*", step_metric="epoch")  # epochs of later packs begin at 1 again

    def log(epoch: int, scalars_of: Mapping[str, Scalars]) -> None:
        named = {f"{n}/{name}": v for n, of in scalars_of.items() for name, v in of.items()}
        run.log(named | {"epoch": epoch})

    try:
        yield log
    finally:
        run.finish()


@contextlib.contextmanager
def _mlflow(workdir: Path) -> Iterator[Log]:
    """A run of MLflow for every network, in <workdir>/mlflow.db if nothing else is said."""
    mlflow = _imported("mlflow")
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        mlflow.set_tracking_uri((workdir / "mlruns").resolve().as_uri())
    client = mlflow.MlflowClient()
    experiment = mlflow.set_experiment(_PROJECT).experiment_id
    run_of: dict[str, str] = {}

    def log(epoch: int, scalars_of: Mapping[str, Scalars]) -> None:
        now = int(time.time() * 1000)
        for network, scalars in scalars_of.items():
            if network not in run_of:
                name = f"{_name(workdir)}/{network}"
                run_of[network] = client.create_run(experiment, run_name=name).info.run_id
            metrics = [
                mlflow.entities.Metric(key, value, now, epoch) for key, value in scalars.items()
            ]
            client.log_batch(run_of[network], metrics)

    try:
        yield log
    finally:
        for run in run_of.values():
            client.set_terminated(run)


_Tracker = Callable[[Path], AbstractContextManager[Log]]
TRACKERS: dict[str, _Tracker] = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}


@contextlib.contextmanager
def tracking(names: Sequence[str], workdir: Path) -> Iterator[Log]:
    """All trackers of these names, for the block; scalars that are no numbers are left out.

    Raises:
      ValueError: a package is not installed.
    """
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(TRACKERS[name](workdir)) for name in names]

        def log(epoch: int, scalars_of: Mapping[str, Scalars]) -> None:
            finite = {
                network: {n: float(v) for n, v in scalars.items() if math.isfinite(v)}
                for network, scalars in scalars_of.items()
            }
            running = {network: scalars for network, scalars in finite.items() if scalars}
            for each in logs:
                each(epoch, running)

        yield log


def _imported(name: str) -> ModuleType:
    try:
        return __import__(name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--track={name} needs {error.name}, which is not installed: pip install "
            "'privrep[tracking]'"
        ) from error


def _name(workdir: Path) -> str:
    """Such as "demo/2026-12-01_060735"."""
    path = workdir.resolve()
    return f"{path.parent.name}/{path.name}"
