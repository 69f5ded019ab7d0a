"""The engine `slurm`: job arrays of Slurm, submitted by submitit.

A job that is preempted or reaches its time limit is queued again, and so is one whose node fails;
its task goes on from what it has saved. `cluster=local` runs the jobs on this machine, at once.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from experiments.engines.tasks import (
    DIED,
    DONE,
    Engine,
    EngineSettings,
    Outcome,
    Task,
    carry_out,
    imported,
)

ROOT = Path(__file__).resolve().parents[2]
_SIGNAL_SECONDS = 120  # before the time limit, in which a job is queued again
_POLL = 0.2


class _Resumable:
    """Carries out a task; to be queued again with the same task where Slurm takes its node."""

    def __call__(self, task: Task, environment: Mapping[str, str]) -> Outcome:
        import submitit

        job = submitit.JobEnvironment()
        if job.num_tasks > 1:  # several processes that share the pack
            port = 20_000 + zlib.crc32(job.job_id.encode()) % 20_000
            environment = {
                **environment,
                "PRIVREP_COORDINATOR": f"{job.hostnames[0]}:{port}",
                "PRIVREP_PROCESSES": str(job.num_tasks),
                "PRIVREP_PROCESS": str(job.global_rank),
            }
        return carry_out(task, environment)

    def checkpoint(self, task: Task, environment: Mapping[str, str]) -> Any:
        import submitit

        return submitit.helpers.DelayedSubmission(self, task, environment)


@contextlib.contextmanager
def slurm(settings: EngineSettings) -> Iterator[Engine]:
    """An engine of jobs that outlive this process, unless a signal ends it or it cancels them.

    Raises:
      ValueError: submitit is not installed, or there is no Slurm here.
    """
    executor = _executor(imported("submitit", "slurm"), settings)
    jobs: list[tuple[Any, int]] = []

    def submit(tasks: Sequence[Task]) -> None:
        if tasks:
            with _checkout_on_path(), executor.batch():
                new = [executor.submit(_Resumable(), t, settings.environment) for t in tasks]
            jobs.extend(zip(new, (task.number for task in tasks)))

    def wait(seconds: float) -> Outcome | None:
        end = time.monotonic() + seconds
        while True:
            for job, number in jobs:
                if job.done():
                    jobs.remove((job, number))
                    return _outcome(job, number, settings.options["cluster"])
            if time.monotonic() >= end:
                return None
            time.sleep(min(_POLL, seconds))

    def cancel() -> None:
        ids = [job.job_id for job, _ in jobs]
        if ids and settings.options["cluster"] == "slurm":
            # One process, not waited for: a signal leaves a second to end in.
            subprocess.Popen(["scancel", *ids], start_new_session=True)
        else:
            for job, _ in jobs:
                job.cancel(check=False)
        jobs.clear()

    with _cancelling(cancel):
        try:
            yield Engine(submit, wait, cancel)
        finally:
            cancel()


def _executor(submitit: Any, settings: EngineSettings) -> Any:
    options = settings.options
    try:
        executor = submitit.AutoExecutor(
            settings.folder, cluster=options["cluster"], slurm_max_num_timeout=1000
        )
    except RuntimeError:
        raise ValueError(
            "--engine=slurm: there is no srun on this machine: start the job where jobs of Slurm "
            "are submitted; --engine_options=cluster=local tries it without Slurm"
        ) from None
    given = {
        "slurm_partition": options["partition"],
        "slurm_account": options["account"],
        "slurm_array_parallelism": options["at_once"],
        "mem_gb": options["memory_gb"],
        "gpus_per_node": options["gpus"],
    }
    executor.update_parameters(
        name="privrep",
        timeout_min=options["minutes"],
        cpus_per_task=options["cpus"],
        nodes=options["nodes"],
        tasks_per_node=options["processes"],
        slurm_signal_delay_s=_SIGNAL_SECONDS,
        **{name: value for name, value in given.items() if value},
    )
    return executor


def _outcome(job: Any, number: int, cluster: str) -> Outcome:
    """Of a job that has ended; of several processes the first that did not do its part."""
    of_processes = [job.task(i).paths.result_pickle for i in range(job.num_tasks)]
    if cluster == "local" and not all(path.exists() for path in of_processes):
        return Outcome(number, DIED, "it left no result")  # on a shared disk one may come later
    try:
        outcomes = [Outcome(*outcome) for outcome in job.results()]
    except Exception as error:  # submitit's own, and what a torn result file gives
        return Outcome(number, DIED, str(error).strip().partition("\n")[0])
    return next((outcome for outcome in outcomes if outcome.end != DONE), outcomes[0])


@contextlib.contextmanager
def _checkout_on_path() -> Iterator[None]:
    """Jobs inherit the environment, and import `experiments` wherever they are started."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _cancelling(cancel: Any) -> Iterator[None]:
    """For the block SIGINT and SIGTERM cancel before they do what they do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        cancel()
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number, handler in handlers.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
