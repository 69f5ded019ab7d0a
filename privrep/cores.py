"""The number of cores this process may use (host)."""

import os


def usable_cores() -> int:
    """The number of cores that the operating system gives this process, at least 1.

    PRIVREP_CORES is the most of them, for schedulers that count cores and give none. A job of
    Slurm, a container or `taskset` may leave a process few of a machine's cores; as many threads as
    the machine has cores would be several times as slow there.

    >>> usable_cores() >= 1
    True
    """
    most = os.environ.get("PRIVREP_CORES", "")
    if hasattr(os, "sched_getaffinity"):
        given = len(os.sched_getaffinity(0))
    else:
        given = os.cpu_count() or 1  # macOS and Windows do not say
    return max(min(given, int(most)), 1) if most.isdecimal() else given
