"""A whole command of this project, such as `python -m privrep audit`, as one contestant."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmark.rounds import Started


def run(
    arguments: Sequence[str], checkout: Path | None = None, output: Path | None = None
) -> Started:
    """A round is `python arguments` from start to end.

    Args:
      arguments: of the interpreter.
      checkout: the folder in which it starts, whose modules are the first to be imported; None for
        that of this process.
      output: a folder that the program makes, which is removed before each round; None for none.
    """

    def run_round() -> dict[str, float]:
        if output is not None:
            shutil.rmtree(output, ignore_errors=True)
        before = _cpu_seconds()
        subprocess.run([sys.executable, *arguments], check=True, cwd=checkout)
        return {"cpu_seconds": _cpu_seconds() - before}

    return Started(1, run_round)


def _cpu_seconds() -> float:
    """Of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
