"""The driver's loop: tasks are carried out in any order, and taken in theirs."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from experiments.engines.tasks import DIED, DONE, FAULT, WRONG, Engine, Outcome, Task

SILENCE = 120.0  # seconds without a sign of life after which a task is submitted once more
MOST_DEATHS = 5  # of processes that were given one task
_WAIT = 0.5  # seconds
_LOOK = 5.0  # seconds between two looks at the signs of life


class Watch(NamedTuple):
    """What the driver sees of its tasks, whatever the engine says.

    Attributes:
      published: whether the result of a task is there.
      sign: (number of the latest attempt at a task, its sign of life); None without any.
    """

    published: Callable[[Task], bool]
    sign: Callable[[Task], tuple[int, bytes] | None] = lambda task: None


def in_order(
    engine: Engine, tasks: Sequence[Task], watch: Watch, say: Callable[[list[str]], None]
) -> Iterator[Task]:
    """Has tasks carried out, and yields each, in their order, once its result is there.

    A task whose process has died, or gives no sign of life for SILENCE seconds, is submitted again.
    Whatever ends the loop early cancels what is left.

    Raises:
      ValueError: a task says what the user or the system did wrong, or MOST_DEATHS processes died.
      RuntimeError: a task has failed by a fault of the program.
    """
    state = _State(engine, watch, say, {task.number: task for task in tasks})
    state.submit([task for task in tasks if not watch.published(task)])
    try:
        for task in tasks:
            while not watch.published(task):
                state.step()
            state.taken.add(task.number)
            yield task
    finally:
        engine.cancel()


class _State:
    """What is under way: of each task how many processes, and when it last gave a sign."""

    def __init__(
        self,
        engine: Engine,
        watch: Watch,
        say: Callable[[list[str]], None],
        tasks: dict[int, Task],
    ) -> None:
        self.engine, self.watch, self.say, self.tasks = engine, watch, say, tasks
        self.taken: set[int] = set()
        self._running: Counter[int] = Counter()
        self._deaths: Counter[int] = Counter()
        self._given_up: dict[int, int] = {}  # the latest attempt when a task was submitted
        self._signs: dict[int, tuple[tuple[int, bytes], float]] = {}
        self._looked = time.monotonic()

    def submit(self, tasks: Sequence[Task]) -> None:
        for task in tasks:  # whoever begins now is a later attempt
            sign = self.watch.sign(task)
            self._given_up[task.number] = sign[0] if sign else 0
        self.engine.submit(tasks)
        self._running.update(task.number for task in tasks)

    def step(self) -> None:
        """Waits for an outcome, and looks after the tasks that give none."""
        outcome = self.engine.wait(_WAIT)
        if outcome is not None:
            self._running[outcome.number] -= 1
            self._take(outcome)
        if time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            for number in [n for n, count in self._running.items() if count]:
                if number not in self.taken:
                    self._look(self.tasks[number])

    def _take(self, outcome: Outcome) -> None:
        task = self.tasks[outcome.number]
        if task.number in self.taken or self.watch.published(task):
            return
        if outcome.end == WRONG:
            raise ValueError(outcome.text)
        if outcome.end == FAULT:
            raise RuntimeError(f"a task has failed:\n{outcome.text}")
        if outcome.end == DIED:
            self._deaths[task.number] += 1
        # One that was thought dead, and too late, ends as DONE without a result.
        if self._running[task.number]:
            return
        if self._deaths[task.number] >= MOST_DEATHS:
            raise ValueError(
                f"pack {task.number:03d}: {MOST_DEATHS} processes that were given it have died, "
                f"the last by: {outcome.text}. Is there enough memory? What is finished is kept: "
                "go on with --resume"
            )
        reason = outcome.text or "its result is not there"
        self._again(task, f"its process has died ({reason})" if outcome.end != DONE else reason)

    def _look(self, task: Task) -> None:
        sign, now = self.watch.sign(task), time.monotonic()
        if sign is None or sign[0] <= self._given_up.get(task.number, 0):
            return
        if self._signs.get(task.number, (None, 0.0))[0] != sign:
            self._signs[task.number] = sign, now
        elif now - self._signs[task.number][1] > SILENCE:
            self._again(task, f"no sign of life for {SILENCE:.0f} s")

    def _again(self, task: Task, reason: str) -> None:
        self.say([f"pack {task.number:03d} is submitted again: {reason}"])
        self.submit([task])
