"""Several processes that train one stack of runs together (`jax.distributed`).

Every process holds the same tables, makes the same decisions and computes the runs that are on its
own devices. After an epoch the processes exchange their results.
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

PyTree = Any
_PATIENCE_MS = 24 * 3600 * 1000  # one process may work for hours while the others wait


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return jax.process_index() == 0


def wait_for_all(what: str) -> None:
    """Blocks until every process has made the same call; `what` names the place in errors."""
    if jax.process_count() > 1:
        from orbax.checkpoint import multihost  # here: it takes a second to import

        barrier = multihost.get_barrier_sync_fn(processes=set(range(jax.process_count())))
        barrier(key=multihost.unique_barrier_key(what), timeout_ms=_PATIENCE_MS)


def gather(rows: PyTree) -> PyTree:
    """The numpy rows of all processes, in their order, on every process."""
    if jax.process_count() == 1:
        return rows
    # The barrier waits for hours; a transfer alone would give up after half a minute.
    wait_for_all("gather")
    return multihost_utils.process_allgather(rows, tiled=True)


def decision_of_first(decision: bool) -> bool:
    """The decision of the first process, for decisions that depend on a clock or on rounding."""
    return bool(gather(np.array([decision]))[0])


def text_of_first(text: str) -> str:
    """The text of the first process, on every process."""
    content = np.frombuffer(text.encode(), np.uint8)
    length = int(gather(np.array([len(content)]))[0])
    padded = np.zeros((1, length), np.uint8)
    padded[0, : len(content)] = content[:length]
    return gather(padded)[0].tobytes().decode(errors="replace") if length else ""
