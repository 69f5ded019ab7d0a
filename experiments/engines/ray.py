"""The engine `ray`: tasks of Ray, on this machine or on the nodes of a cluster.

Each task has a fresh process, which is given the task's description alone: the corpus, the cache
and the results lie in folders that all nodes share. Nodes may join and leave while a job runs.
"""

import contextlib
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.engines.tasks import (
    DIED,
    Engine,
    EngineSettings,
    Outcome,
    Task,
    carry_out,
    imported,
)

_SHARED_MEMORY = 80 * 2**20  # bytes, close to the least that Ray takes: tasks are a few lines


@contextlib.contextmanager
def ray(settings: EngineSettings) -> Iterator[Engine]:
    """An engine on the cluster of option `address` or RAY_ADDRESS, else on this machine alone.

    The tasks end when this process does, however it ends.

    Raises:
      ValueError: Ray is not installed, or there is no cluster at that address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    module: Any = imported("ray", "ray")
    options = settings.options
    address = options["address"] or os.environ.get("RAY_ADDRESS") or "local"
    _connect(module, address)
    remote = module.remote(
        num_cpus=options["cpus"],
        num_gpus=options["gpus"],
        resources={"TPU": options["tpus"]} if options["tpus"] else None,
        max_calls=1,  # a process of its own: jax keeps its devices and its memory till the end
        max_retries=0,  # who dies is counted, and submitted again, by the driver
    )(carry_out)
    number_of: dict[Any, int] = {}

    def submit(tasks: Sequence[Task]) -> None:
        for task in tasks:
            number_of[remote.remote(task, settings.environment)] = task.number

    def wait(seconds: float) -> Outcome | None:
        ready, _ = module.wait([*number_of], timeout=seconds) if number_of else ([], [])
        if not ready:
            return None
        number = number_of.pop(ready[0])
        try:
            return Outcome(*module.get(ready[0]))
        except module.exceptions.RayError as error:
            return Outcome(number, DIED, str(error).strip().partition("\n")[0].partition(". ")[0])

    def cancel() -> None:
        for reference in number_of:
            module.cancel(reference, force=True)
        number_of.clear()

    try:
        yield Engine(submit, wait, cancel)
    finally:
        module.shutdown()


def _connect(module: Any, address: str) -> None:
    more = {"include_dashboard": False, "object_store_memory": _SHARED_MEMORY}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # jax warns of every fork; these go on to other programs
            module.init(
                address=address,
                log_to_driver=False,
                logging_level="error",
                **(more if address == "local" else {}),
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"--engine=ray: no cluster of Ray answers at address={address}: start one with `ray "
            "start --head`, or leave address out of --engine_options to use this machine alone "
            f"({str(error).partition(chr(10))[0]})"
        ) from None
    finally:
        for number, handler in handlers.items():  # Ray has put its own there
            signal.signal(number, handler)
