"""A whole command of this project, such as `python -m privrep audit`, as one contestant."""

import subprocess
import sys
from collections.abc import Sequence

from experiments.benchmark.rounds import Started


def run(arguments: Sequence[str]) -> Started:
    """A round is `python arguments` from start to end."""

    def run_round() -> dict[str, float]:
        subprocess.run([sys.executable, *arguments], check=True)
        return {}

    return Started(1, run_round)
