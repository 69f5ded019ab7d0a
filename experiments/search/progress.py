"""The plan of a search before it begins, and the time left while it runs."""

import math
from collections.abc import Sequence

from experiments.run.train_pack import Pace
from experiments.search.candidates import Candidate, is_ordinary


def planned(
    candidates: Sequence[Candidate], packs: int, networks: int, max_epochs: int
) -> list[str]:
    """A line on what a search is about to do, and a note on what it will lack.

    Args:
      networks: of all candidates and folds.
      max_epochs: of each network.
    """
    lines = [
        f"search: {len(candidates):,} settings, {networks:,} networks in {packs:,} packs; "
        f"{3 * packs:,} programs to compile before the choice; at most "
        f"{networks * max_epochs:,} run-epochs"
    ]
    if any(c.twin is None and not is_ordinary(c.config) for c in candidates):
        lines.append(
            "note: --lambda without a 0: what is chosen is compared with no ordinary network"
        )
    return lines


def left(paces: Sequence[Pace], packs: int, epochs: int) -> str:
    """A line on the speed so far and the time that is left.

    Args:
      paces: of the packs so far, one at least.
      packs: that are to be compiled yet.
      epochs: run-epochs to come at most.
    """
    trained, most = (sum(getattr(p, name) for p in paces) for name in ("epochs", "most"))
    if not trained:
        return "search: nothing was left to train here"
    overhead = sum(p.compiling for p in paces) / len(paces)
    speed = trained / max(sum(p.training for p in paces), 1e-9)
    seconds = packs * overhead + epochs * (trained / most) / speed
    return (
        f"search: {speed:.3g} run-epochs/s, {overhead:.0f} s a pack to compile and to measure it; "
        f"about {_duration(seconds)} left"
    )


def _duration(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
