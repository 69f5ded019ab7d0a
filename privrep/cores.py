"""The number of cores this process may use (host)."""

import functools
import os
from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


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


def one_blas_thread() -> AbstractContextManager:
    """A context in which products of numpy and scipy use one thread.

    Small matrices gain nothing from several, and are ten times as slow with them on a busy machine.
    The libraries are looked up once, which takes longer than a small audit's matrices do.
    """
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  # whose library must be there when it is looked up

    return ThreadpoolController()
