"""The engine `here`: tasks are carried out in this process, one after another."""

import contextlib
from collections import deque
from collections.abc import Iterator

from experiments.engines.tasks import Engine, EngineSettings, Outcome, Task, carry_out


@contextlib.contextmanager
def here(settings: EngineSettings) -> Iterator[Engine]:
    """An engine that begins a task when it is waited for."""
    pending: deque[Task] = deque()
    carry = settings.carry_out or carry_out

    def wait(seconds: float) -> Outcome | None:
        return carry(pending.popleft(), settings.environment) if pending else None

    yield Engine(pending.extend, wait, pending.clear)
