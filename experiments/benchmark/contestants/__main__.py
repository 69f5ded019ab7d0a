"""The process of a contestant: `python -m experiments.benchmark.contestants MODULE FUNCTION FD`.

`experiments.benchmark.rounds` starts it. For each round it receives keyword arguments through the
socket FD and sends measurements back; it ends when the other side closes the socket.
"""

import importlib
import resource
import sys
import time
from multiprocessing.connection import Connection

from experiments.benchmark.rounds import Started, megabytes


def main() -> None:
    module, function, descriptor = sys.argv[1:]
    contestant = importlib.import_module(f"experiments.benchmark.contestants.{module}")
    connection, started = Connection(int(descriptor)), None
    while True:
        try:
            arguments = connection.recv()
        except EOFError:
            return
        started = started or getattr(contestant, function)(**arguments)
        connection.send(_measured(started))


def _measured(started: Started) -> dict[str, object]:
    clock, cpu_clock = time.perf_counter(), time.process_time()
    further = started.run_round()
    seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu_clock
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "facts": dict(started.facts),
        "units": started.units,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": megabytes(max(usage.ru_maxrss for usage in usages)),
    } | dict(further)


if __name__ == "__main__":
    main()
