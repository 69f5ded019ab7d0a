"""The number of cores this process may use (host)."""

import os


def usable_cores() -> int:
    """The number of cores that the operating system gives this process, at least 1.

    A job of Slurm, a container or `taskset` may leave a process few of a machine's cores; as many
    threads as the machine has cores would be several times as slow there.

    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows do not say
