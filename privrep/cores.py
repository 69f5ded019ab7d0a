"""The number of cores this process may use (host)."""

import functools
import os
from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


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
