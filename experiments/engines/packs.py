"""The packs of a job on an engine: which tasks they are, and how the driver takes their results.

The driver alone writes to the result directory, in the order of the packs, so that what it holds is
a function of the flags, whichever engine has carried them out.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.config.build import run_table, trained_alike
from experiments.config.settings import Config
from experiments.engines import attempts
from experiments.engines.driver import Watch, in_order
from experiments.engines.here import here
from experiments.engines.pack_task import (
    ATTACK_SCORES,
    CHECKPOINT,
    COMPARE,
    MEASURE,
    REPRESENTATIONS,
    TABLE,
    PackPlan,
)
from experiments.engines.tasks import DONE, Engine, EngineSettings, Outcome, Task
from experiments.results import parts, runs_csv
from experiments.results.checkpoints import drop_progress, load_history
from experiments.run.compiled_programs import free_programs
from experiments.run.load_data import Job
from experiments.run.loader import Loader
from experiments.search.grid import ComparedPack, Wanted, compared
from privrep.parallel.processes import is_first

TASKS = "tasks"  # folder of a result directory, while the job runs
ATTEMPTS = "attempts.csv"
_DEVICES = re.compile(r"--xla_force_host_platform_device_count=\d+")
_INHERITED = ("JAX_", "XLA_", "TF_CPP_")
Measured = Iterator[int]


class Stages(NamedTuple):
    """What is done with packs; each yields their numbers in order, when their rows are written.

    Attributes:
      measure: of {pack: runs} trains and attacks these.
      compare: of {pack: {run: candidate}} trains and scores these on validation speakers.
    """

    measure: Callable[[Mapping[int, Sequence[Config]]], Measured]
    compare: Callable[[Wanted], Iterator[ComparedPack]]


def in_this_process(
    jobs: Sequence[Job], load_job: Loader, measure: Callable[[Job, Sequence[Config]], None]
) -> Stages:
    """The stages by the engine `here`, with the data that this process has at hand."""

    def carried(numbers: Iterable[int], work: Callable[[int], Any]) -> Iterator[tuple[int, Any]]:
        results: dict[int, Any] = {}

        def carry_out(task: Task, environment: Mapping[str, str]) -> Outcome:
            results[task.number] = work(task.number)
            free_programs()
            return Outcome(task.number, DONE)

        watch = Watch(lambda task: task.number in results)
        with here(EngineSettings({}, {}, "", carry_out)) as engine:
            tasks = [Task(number, "", {}) for number in numbers]
            for task in in_order(engine, tasks, watch, load_job.say):
                yield task.number, results.pop(task.number)

    def compare(wanted: Wanted) -> Iterator[ComparedPack]:
        for number, (rows, pace) in carried(
            wanted, lambda number: compared(jobs[number], wanted[number], load_job)
        ):
            if is_first():
                load_job.writer.write(COMPARE, number, rows)
            yield ComparedPack(number, rows, pace)

    return Stages(
        lambda wanted: (
            number for number, _ in carried(wanted, lambda i: measure(jobs[i], wanted[i]))
        ),
        compare,
    )


@dataclass
class PackTasks:
    """The packs of a job as tasks of an engine.

    Attributes:
      given: {field of Config: text} of the job.
      export: value of --export.
    """

    engine: Engine
    jobs: Sequence[Job]
    load_job: Loader
    given: Mapping[str, str]
    export: str
    _folds: dict[int, int] = field(default_factory=dict)

    @property
    def stages(self) -> Stages:
        """The stages, carried out by the engine."""
        return Stages(self._measure, self._compare)

    def _measure(self, wanted: Mapping[int, Sequence[Config]]) -> Measured:
        yield from self._carried(MEASURE, {i: dict.fromkeys(of, 0) for i, of in wanted.items()})

    def _compare(self, wanted: Wanted) -> Iterator[ComparedPack]:
        workdir = self.load_job.writer.workdir
        for count, number in enumerate(self._carried(COMPARE, wanted), 1):
            self.load_job.say([f"search: {count:,} of {len(wanted):,} packs compared"])
            yield ComparedPack(number, parts.read_part(workdir, COMPARE, number), None)

    def _carried(self, stage: str, wanted: Wanted) -> Iterator[int]:
        tasks = [self._task(stage, number, runs) for number, runs in wanted.items()]
        watch = Watch(
            lambda task: attempts.has_published(_place(task)),
            lambda task: attempts.sign_of_life(_place(task)),
        )
        for task in in_order(self.engine, tasks, watch, self.load_job.say):
            self._take(stage, self.jobs[task.number], _place(task))
            yield task.number

    def _task(self, stage: str, number: int, runs: Mapping[Config, int]) -> Task:
        """The task of a pack, whose data are prepared and checked."""
        job, workdir = self.jobs[number], self.load_job.writer.workdir.resolve()
        loaded = self.load_job.read(job)
        self._folds[number] = len(loaded.split.train)
        place = workdir / TASKS / f"{stage}_{number:03d}"
        place.mkdir(parents=True, exist_ok=True)
        if attempts.has_published(place):  # before the driver was stopped
            record = attempts.read_record(place)
            if (record["data_hash"], record["export"]) != (loaded.hash, self.export):
                shutil.rmtree(place)
                place.mkdir()
        plan = PackPlan(
            given=dict(self.given),
            number=number,
            stage=stage,
            runs=[[job.pack.runs.index(run), candidate] for run, candidate in runs.items()],
            place=str(place),
            workdir=str(workdir),
            cache_dir=str(self.load_job.cache_dir.resolve()),
            data_hash=loaded.hash,
            export=self.export,
        )
        return Task(number, "experiments.engines.pack_task:perform", {"plan": plan._asdict()})

    def _take(self, stage: str, job: Job, place: Path) -> None:
        """Takes what was published into the result directory; a kill at any moment does no harm,
        since the rows, which make the pack finished, come last."""
        writer, published = self.load_job.writer, place / attempts.PUBLISHED
        writer.check()
        representations = writer.workdir / REPRESENTATIONS / job.folder.name
        for name, to in ((CHECKPOINT, job.folder), (REPRESENTATIONS, representations)):
            if (published / name).is_dir():
                shutil.rmtree(to, ignore_errors=True)
                to.parent.mkdir(parents=True, exist_ok=True)
                (published / name).rename(to)
        self._log(job, published / ATTACK_SCORES)
        self._count(stage, job.number, attempts.read_record(place)["attempt"])
        parts.take_part(writer.workdir, stage, job.number, published / TABLE)
        if stage == MEASURE:
            drop_progress(job.folder)
        shutil.rmtree(place, ignore_errors=True)

    def _log(self, job: Job, attack_scores: Path) -> None:
        """Hands the scalars of each epoch and attacker to trackers.

        The process of a pack, which may be too late, hands on none.
        """
        runs, described = run_table(job.pack.runs, self._folds[job.number])
        log = job.track([described[i] for i in trained_alike(runs)[0]])
        history = load_history(job.folder)
        for epoch, values in enumerate(zip(*history.values()), 1):
            log(epoch, dict(zip(history, values)))
        for scored in json.loads(attack_scores.read_text(encoding="utf-8")):
            networks = [(job.pack.runs[run], fold) for run, fold in scored["networks"]]
            scalars = {name: np.array(values) for name, values in scored["scalars"].items()}
            job.track_attack(networks)(scored["number"], scalars)

    def _count(self, stage: str, number: int, count: int) -> None:
        path = self.load_job.writer.workdir / ATTEMPTS
        rows = [r for r in runs_csv.read_rows(path) if (r["stage"], r["pack"]) != (stage, number)]
        path.unlink(missing_ok=True)
        runs_csv.append_rows(path, [*rows, {"stage": stage, "pack": number, "attempts": count}])


def _place(task: Task) -> Path:
    return Path(task.argument["plan"]["place"])


def environment_of_tasks(options: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a process that carries out a pack: its platform, its cores, its caches.

    Args:
      options: of the engine: `cpus`, `gpus`, and `tpus` where it has them.
    """
    inherited = {name: value for name, value in os.environ.items() if name.startswith(_INHERITED)}
    platform = "cuda" if options["gpus"] else "tpu" if options.get("tpus") else "cpu"
    cores = options["cpus"]
    # As many devices as `devices.set_flags` would make of these cores.
    devices = f"--xla_force_host_platform_device_count={min(max(cores, 2), 16)}"
    threads = dict.fromkeys(
        ("PRIVREP_CORES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(cores)
    )
    cache = {
        name: str(jax.config.values[name.lower()])
        for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    }
    pinned = {
        "JAX_PLATFORMS": inherited.get("JAX_PLATFORMS") or platform,
        "JAX_ENABLE_X64": "0",
        "XLA_FLAGS": f"{_DEVICES.sub('', inherited.get('XLA_FLAGS', ''))} {devices}".strip(),
        "TQDM_DISABLE": "1",
    }
    return inherited | threads | cache | pinned
