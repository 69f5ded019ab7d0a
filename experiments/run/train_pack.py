"""Training of a pack: its networks are trained together and saved on the way."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from experiments.config import build
from experiments.config.settings import Config
from experiments.results import checkpoints
from experiments.results.curves import LogEpoch, not_logged
from experiments.run.expected_time import duration
from experiments.run.load_data import Job, Loaded, unsaid
from experiments.run.memory import memory_line, training_memory
from privrep.parallel.processes import decision_of_first, is_first
from privrep.parallel.run_axis import Run, one_by_one, take
from privrep.training.fit import fit, start_all
from privrep.training.problem import RUNNING, Fit, FitSettings, length
from privrep.training.streaming import place
from privrep.types import Data
from privrep.unlearning.objective import Architecture
from privrep.unlearning.training_problem import network_problem


class Observer(NamedTuple):
    """What receives the progress of a training.

    Attributes:
      title: of its progress bar.
      log: is handed the epoch, from 1, and its scalars; of a training that goes on those before as
        well.
      say: prints sentences: on the memory that it takes, and on the time, once that is known.
    """

    title: str
    log: LogEpoch = not_logged
    say: Callable[[list[str]], None] = unsaid


class Pace(NamedTuple):
    """The speed of a pack's training.

    Attributes:
      compiling: seconds spent on anything but training.
      training: seconds of training.
      epochs: run-epochs trained in these.
      most: how many of them there could have been, had no run stopped early.
    """

    compiling: float
    training: float
    epochs: int
    most: int = 0


PyTree = Any
SECONDS_BETWEEN_SAVES = 20.0
_SECONDS_OF_PACE = 2.0  # of training, without compiling, before the time that is left is said


class Trained(NamedTuple):
    """A pack whose networks are trained.

    Attributes:
      runs: rows [R, ...], every run on every fold.
      described: the run and the fold of every row.
      learners: int[U], the rows that train networks of their own, see `build.trained_alike`.
      learner_of: int[R], the number of every row's network among these.
      fits: rows [U, ...].
      history: {scalar: float32[epochs, U]}.
      pace: how fast it went in this call.
    """

    architecture: Architecture
    data: Data
    runs: Run
    described: Sequence[tuple[Config, int]]
    learners: np.ndarray
    learner_of: np.ndarray
    fits: Fit
    history: Mapping[str, np.ndarray]
    pace: Pace


def train_pack(job: Job, loaded: Loaded) -> Trained:
    """Trains a pack on every fold, going on from what its folder holds; progress is kept there."""
    pack = job.pack
    architecture = build.architecture(pack, loaded.packed)
    settings = build.fit_settings(pack.config)
    runs, described = build.run_table(pack.runs, len(loaded.split.train))
    data = place(loaded.packed.data)
    # Runs that differ only in what follows training share one network.
    learners, learner_of = build.trained_alike(runs)
    log = job.track([described[i] for i in learners])
    arguments = (architecture, settings, data, take(runs, learners))
    watch = Observer(job.title, log, job.say)
    fits, history, pace = train(*arguments, job.folder, watch)
    return Trained(architecture, data, runs, described, learners, learner_of, fits, history, pace)


def train(
    architecture: Architecture,
    settings: FitSettings,
    data: Data,
    runs: Run,
    folder: Path,
    watch: Observer,
) -> tuple[Fit, dict[str, np.ndarray], Pace]:
    """The pack after its last epoch, {scalar: float32[epochs, R]}, and how fast that went.

    It goes on from what the folder holds, and keeps its progress there.
    """
    like = jax.eval_shape(lambda: start_all(network_problem, architecture, settings, data, runs))
    fits, history = checkpoints.load_progress(folder, like)
    epochs = [] if not history else [dict(zip(history, e)) for e in zip(*history.values())]
    done = len(epochs)
    for epoch, scalars in enumerate(epochs, 1):  # of a run that goes on
        watch.log(epoch, scalars)
    count = len(runs.fold)
    # For the bar alone: each run ends by itself, after its steps or epochs.
    fewest = int(np.asarray(data.folds.split.train).sum(-1).min())
    until = int(length(settings, fewest).last)
    before = 0 if fits is None else int(fits.epoch.sum())
    watch.say([_memory(architecture, settings, data, like)])
    began = last_save = time.monotonic()
    first: tuple[float, int] | None = None
    is_said = False
    settings_of_bar: dict[str, Any] = {"unit": "epoch", "smoothing": 0, "disable": not is_first()}
    with tqdm(desc=watch.title, total=count * until, **settings_of_bar) as bar:
        bar.set_postfix_str("compiling", refresh=True)
        bar.update(before)
        stages = fit(network_problem, architecture, settings, data, runs, fits)
        for stage in stages:
            done += 1
            epochs.append(stage.history)
            watch.log(done, stage.history)
            if first is None:
                first = time.monotonic(), int(stage.epoch.sum())
                # The time left is without compiling, which is not to come again. A bar that began
                # after its last print would think that it was never shown, and end in no line.
                bar.initial, bar.start_t = first[1], time.time()
                bar.last_print_t = bar.start_t
            running = int((stage.status == RUNNING).sum())
            bar.total = int(stage.epoch.sum()) + running * max(until - done, 0)
            bar.n = int(stage.epoch.sum())
            bar.set_postfix_str(f"{running} of {count} runs training, epoch {done}")
            elapsed, trained = time.monotonic() - first[0], bar.n - first[1]
            if running and trained and not is_said and elapsed > _SECONDS_OF_PACE:
                each = elapsed / trained
                watch.say([_time(watch.title, count, until, each * (bar.total - bar.n))])
                is_said = True
            due = time.monotonic() - last_save > SECONDS_BETWEEN_SAVES
            if running and decision_of_first(due):
                checkpoints.save_progress(folder, done, stage.fits(), _stacked(epochs))
                last_save = time.monotonic()
            if not running:
                fits = stage.fits()
                break
    assert fits is not None  # --max_epochs is at least 1
    pace = _pace(began, before, first, time.monotonic(), int(fits.epoch.sum()))
    checkpoints.save_progress(folder, done, fits, _stacked(epochs))
    return fits, _stacked(epochs), pace


def _memory(architecture: Architecture, settings: FitSettings, data: Data, like: Fit) -> str:
    placed = place(data)
    count = like.epoch.shape[0]
    together = min(count, jax.device_count()) if one_by_one() else count
    memory = training_memory(architecture, settings.batch_size, placed, like, together)
    parameters = sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(like.params))
    return memory_line(memory, count, parameters)


def _time(title: str, networks: int, epochs: int, seconds: float) -> str:
    return (
        f"{title}: at most {duration(seconds)} more to train {networks:,} networks for up to "
        f"{epochs:,} epochs, at the speed of the first; the attack comes on top"
    )


def _pace(
    began: float, before: int, first: tuple[float, int] | None, ended: float, epochs: int
) -> Pace:
    """Of run-epochs `before`, after the first epoch (with its time) and at the end."""
    if first is None:
        return Pace(0.0, 0.0, 0)
    when, then = first
    if epochs == then:  # compiling and training cannot be separated
        return Pace(0.0, when - began, then - before)
    each = (ended - when) / (epochs - then)
    compiling = max(when - began - each * (then - before), 0.0)
    return Pace(compiling, ended - began - compiling, epochs - before)


def _stacked(epochs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([scores[name] for scores in epochs]) for name in epochs[0]}
