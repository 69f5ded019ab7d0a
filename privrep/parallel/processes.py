"""Several processes that go through one stack of runs together (`jax.distributed`).

Every process holds the same tables and makes the same decisions, and works on the runs that fall to
its own devices; after an epoch all learn what each has found.
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from orbax.checkpoint import multihost

PyTree = Any
_PATIENCE_MS = 24 * 3600 * 1000  # one process may have hours of work that the others have not


def is_first() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def wait_for_all(what: str) -> None:
    """Returns when every process has come to the same place; `what` names it in errors."""
    if jax.process_count() > 1:
        barrier = multihost.get_barrier_sync_fn(processes=set(range(jax.process_count())))
        barrier(key=multihost.unique_barrier_key(what), timeout_ms=_PATIENCE_MS)


def gather(rows: PyTree) -> PyTree:
    """Numpy rows of this process -> those of all processes, in order, on every one of them."""
    if jax.process_count() == 1:
        return rows
    # First at the coordinator, which waits for hours: a transfer gives up after half a minute.
    wait_for_all("gather")
    return multihost_utils.process_allgather(rows, tiled=True)


def decision_of_first(yes: bool) -> bool:
    """What the first process has decided, such as by its clock."""
    return bool(gather(np.array([yes]))[0])
