"""Measurement of programs that do the same work in turn, each in a process of its own.

Every contestant has its own process because thread settings and peak memory belong to a whole
process. Contestants take turns because the speed of a machine drifts: two programs are compared by
the ratio of rounds that followed one another, never by figures of different minutes.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import IO, Any, NamedTuple

from tqdm import tqdm

CHECKOUT = Path(__file__).parents[2]
_SETTLE = 0.3  # seconds in which the threads of the previous program stop waiting for work
# Contestants share an accelerator's memory, so none may take it all at its start.
_MEASURED = {"JAX_ENABLE_COMPILATION_CACHE": "false", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
_QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


class Contestant(NamedTuple):
    """A program to measure: a function of a module of `experiments.benchmark.contestants`.

    Attributes:
      module, function: which function; it returns `Started`.
      arguments: its keyword arguments, which can be pickled.
      environment: variables on top of those of this process.
      processes: how many processes do the same work side by side.
    """

    module: str
    function: str
    arguments: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    processes: int = 1


class Started(NamedTuple):
    """A contestant that is ready to be measured.

    Attributes:
      units: work of one round, in the unit of the part.
      run_round: does the work once and returns further measurements of it; "seconds" and
        "cpu_seconds" among them replace those of the whole call.
      facts: constants to report, such as the device.
    """

    units: float
    run_round: Callable[[], Mapping[str, float]]
    facts: Mapping[str, Any] = {}


class RoundFigures(NamedTuple):
    """The measurements of a contestant.

    Attributes:
      facts: those of `Started`.
      first_seconds: duration of the first round, which includes compilation.
      rounds: of each later round "units", "seconds", "cpu_seconds" (all threads of the process),
        and what `run_round` returned.
      peak_mb: most resident memory in MB; of several processes the sum.
    """

    facts: Mapping[str, Any]
    first_seconds: float
    rounds: Sequence[Mapping[str, float]]
    peak_mb: float

    def rates(self, clock: str = "seconds") -> list[float]:
        """Units per second of each round, or per "cpu_seconds"."""
        return [each["units"] / each[clock] for each in self.rounds]

    def median(self, name: str) -> float:
        """The median of a measurement over the rounds."""
        return median(each[name] for each in self.rounds)


def ratio(ours: RoundFigures, theirs: RoundFigures, clock: str = "seconds") -> float:
    """How many times as fast `ours` is: the median over rounds of the ratio within a round."""
    return median(a / b for a, b in zip(ours.rates(clock), theirs.rates(clock)))


def interleave(
    title: str, contestants: Mapping[str, Contestant], rounds: int, quick: bool = False
) -> dict[str, RoundFigures]:
    """Lets every contestant do its work once to warm up and then `rounds` times, in turn.

    Args:
      title: title of the progress bar.
      contestants: {name: contestant}.
      rounds: how often each is measured after its first round.
      quick: the figures will not be read: all contestants work at once, compile with few
        optimisations, and use the compilation cache if the environment names one.

    Raises:
      RuntimeError: a contestant failed; the message ends with the end of its error output.
    """
    names = list(contestants)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bar = stack.enter_context(tqdm(desc=title, total=len(names) * (rounds + 1), unit="round"))
        children = {
            name: [
                stack.enter_context(child(name, contestant, folder, quick))
                for _ in range(contestant.processes)
            ]
            for name, contestant in contestants.items()
        }
        replies: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for number in range(rounds + 1):
            order = names[::-1] if number % 2 else names
            for together in [order] if quick else [[name] for name in order]:
                time.sleep(0 if quick else _SETTLE)
                for program in (c for name in together for c in children[name]):
                    program.start_round()
                for name in together:
                    replies[name].append(side_by_side([c.reply() for c in children[name]]))
                    bar.update()
    return {name: measured(each) for name, each in replies.items()}


def measured(replies: Sequence[dict[str, Any]]) -> RoundFigures:
    """The measurements of a contestant from its replies, the first of which compiled."""
    first, *later = replies
    return RoundFigures(first["facts"], first["seconds"], later, replies[-1]["peak_mb"])


def side_by_side(replies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The round of several processes as if it were that of one: their speeds are added."""
    units = sum(reply["units"] for reply in replies)
    speed = sum(reply["units"] / reply["seconds"] for reply in replies)
    sums = {name: sum(reply[name] for reply in replies) for name in ("cpu_seconds", "peak_mb")}
    return replies[0] | sums | {"units": units, "seconds": units / speed}


class Child(NamedTuple):
    """The process of a contestant, seen from here; `contestants/__main__.py` is its side."""

    name: str
    arguments: Mapping[str, Any]
    connection: Connection
    output: IO[bytes]

    def start_round(self) -> None:
        """Lets the process work; `reply` waits for its measurements."""
        with suppress(BrokenPipeError):  # `reply` will say that it failed
            self.connection.send(self.arguments)

    def reply(self, limit: float | None = None) -> dict[str, Any]:
        """The measurements of the round, waited for at most `limit` seconds.

        Raises:
          RuntimeError: the process failed, or took longer.
        """
        if not self.connection.poll(limit):
            raise RuntimeError(f"{self.name} was not done in time")
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.output.seek(0)
            end = self.output.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{self.name} failed:\n{end}") from None


@contextmanager
def child(name: str, contestant: Contestant, folder: str, quick: bool) -> Iterator[Child]:
    """The process of a contestant, which ends with the context; arguments as in `interleave`."""
    # What a child writes to its temporary folder is removed with `folder`.
    environment = os.environ | {"TMPDIR": folder} | (_QUICK if quick else _MEASURED)
    environment |= contestant.environment
    command = [sys.executable, "-m", "experiments.benchmark.contestants"]
    command += [contestant.module, contestant.function]
    here, far = Pipe()
    with tempfile.TemporaryFile() as output, here:
        with far:
            process = subprocess.Popen(
                [*command, str(far.fileno())],
                cwd=CHECKOUT,
                env=environment,
                stdout=output,
                stderr=output,
                pass_fds=[far.fileno()],
            )
        try:
            yield Child(name, contestant.arguments, here, output)
        finally:
            process.kill()
            process.wait()


def megabytes(max_rss: int) -> float:
    """The ru_maxrss of a process in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return max_rss * unit / 1e6
