"""Programs that do the same work in turn, each in a process of its own.

A process of its own, because thread settings hold for a whole process and so does peak memory. In
turn, because the speed of a machine drifts: two programs are compared by the ratio of rounds that
followed one another, never by figures of different minutes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tqdm import tqdm

CHECKOUT = Path(__file__).parents[2]
_SETTLE = 0.3  # seconds: the threads of the program before it stop waiting for more work
# Contestants share an accelerator's memory, so none may take it all at its start.
_MEASURED = {"JAX_ENABLE_COMPILATION_CACHE": "false", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
_QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


class Contestant(NamedTuple):
    """One program: the work `name` of `module`, which calls `serve`.

    Attributes:
      work: keyword arguments, as JSON knows them.
      environment: variables on top of this process's.
      processes: how many do the same work side by side.
    """

    module: str
    name: str
    work: Mapping[str, Any]
    environment: Mapping[str, str] = {}
    processes: int = 1


class Measured(NamedTuple):
    """What a contestant did.

    Attributes:
      facts: what it said of its work; "units" is the work of one round.
      first_seconds: of the first round, with all compilation.
      rounds: of the others, each with "seconds" and "cpu_seconds" (all threads of the process).
      peak_mb: most resident memory, MB; of several processes the sum.
    """

    facts: dict[str, Any]
    first_seconds: float
    rounds: list[dict[str, float]]
    peak_mb: float

    def rates(self, clock: str = "seconds") -> list[float]:
        """Units per second of each round, or per "cpu_seconds"."""
        return [self.facts["units"] / one[clock] for one in self.rounds]

    def middle(self, name: str) -> float:
        """The median of `name` over the rounds."""
        return median(one[name] for one in self.rounds)


def ratio(ours: Measured, theirs: Measured, clock: str = "seconds") -> float:
    """How many times as fast `ours` is: the median over rounds of the ratio within a round."""
    return median(a / b for a, b in zip(ours.rates(clock), theirs.rates(clock)))


def interleave(
    title: str, contestants: Mapping[str, Contestant], rounds: int, quick: bool = False
) -> dict[str, Measured]:
    """Lets every contestant do its work once to warm up and then `rounds` times, in turn.

    Args:
      title: of the progress bar.
      quick: the figures will not be read: compile little, all at once, and only what jax's cache,
        if the environment names one, does not hold.

    Raises:
      RuntimeError: a contestant failed; the message has the end of what it said.
    """
    names = list(contestants)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        bar = stack.enter_context(tqdm(desc=title, total=len(names) * (rounds + 1), unit="round"))
        children = {
            name: [
                stack.enter_context(_child(name, one, Path(folder), quick))
                for _ in range(one.processes)
            ]
            for name, one in contestants.items()
        }

        def start_round(name: str) -> None:
            for child in children[name]:
                child.start_round()

        def reply(name: str) -> dict[str, Any]:
            bar.set_postfix_str(name, refresh=sys.stderr.isatty())
            found = side_by_side([child.reply() for child in children[name]])
            bar.update()
            return found

        first, found = {}, {name: [] for name in names}
        if quick:
            for name in names:
                start_round(name)
        for name in names:
            if not quick:
                start_round(name)
            first[name] = reply(name)
        for i in range(rounds):
            for name in names if i % 2 == 0 else reversed(names):
                time.sleep(_SETTLE)
                start_round(name)
                found[name].append(reply(name))
        peaks = {name: sum([child.leave() for child in each]) for name, each in children.items()}
        return {
            name: Measured(first[name]["facts"], first[name]["seconds"], found[name], peaks[name])
            for name in names
        }


def side_by_side(replies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What processes did in one round as if one had done it: their speeds are added."""
    units = sum(one["facts"]["units"] for one in replies)
    speed = sum(one["facts"]["units"] / one["seconds"] for one in replies)
    return replies[0] | {
        "facts": replies[0]["facts"] | {"units": units},
        "seconds": units / speed,
        "cpu_seconds": sum(one["cpu_seconds"] for one in replies),
    }


def cores() -> int:
    """How many this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


class _Child(NamedTuple):
    name: str
    process: subprocess.Popen
    errors: Path

    def start_round(self) -> None:
        """Lets the child go; `reply` waits for what it measured."""
        with suppress(BrokenPipeError):  # its reply will be missing
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def reply(self) -> dict[str, Any]:
        reply = self.process.stdout.readline()
        if not reply:
            raise RuntimeError(f"{self.name} failed:\n{_end(self.errors)}")
        return json.loads(reply)

    def leave(self) -> float:
        """Ends the child; its peak memory in MB."""
        self.process.stdin.close()
        return wait(self.process)


@contextmanager
def _child(name: str, one: Contestant, folder: Path, quick: bool) -> Iterator[_Child]:
    errors = folder / f"{len(list(folder.iterdir()))}.txt"
    # What a child writes to its temporary folder goes when this one goes.
    environment = os.environ | {"TMPDIR": str(folder)} | dict(one.environment)
    environment |= _QUICK if quick else _MEASURED
    module = f"experiments.benchmark.contestants.{one.module}"
    command = [sys.executable, "-m", module, one.name, json.dumps(one.work)]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield _Child(name, process, errors)
        finally:
            if process.returncode is None:
                process.kill()


def run_whole(arguments: Sequence[str]) -> tuple[float, float]:
    """Runs `python arguments` from start to end: seconds, and peak memory in MB.

    Raises:
      RuntimeError: it failed; the message has the end of what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder) / "output.txt"
        with errors.open("w") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=CHECKOUT, stdout=output, stderr=output
            )
            try:
                peak = wait(process)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
        seconds = time.perf_counter() - started
        if process.returncode:
            raise RuntimeError(f"python {' '.join(arguments[:2])} failed:\n{_end(errors)}")
        return seconds, peak


def wait(process: subprocess.Popen) -> float:
    """Waits for a process to end; the most resident memory that it or a child of it had, MB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return usage.ru_maxrss * unit / 1e6


def _end(errors: Path) -> str:
    return errors.read_text(errors="replace")[-2000:]


def serve(work: Mapping[str, Callable]) -> None:
    """The other side: `python -m experiments.<module> NAME JSON`.

    Args:
      work: {name: start}; start(**arguments) -> (facts, round). `round()` does the work once and
        returns {name: number} of what it measured; "seconds" among them replaces the round's own.
    """
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not end up among the replies
    name, arguments = sys.argv[1:]
    facts = None
    for _ in sys.stdin:
        started, cpu_started = time.perf_counter(), time.process_time()
        if facts is None:
            facts, once = work[name](**json.loads(arguments))
            started = time.perf_counter()
        found = once()
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        reply = {"facts": facts, "seconds": seconds, "cpu_seconds": cpu} | found
        print(json.dumps(reply), file=replies, flush=True)
