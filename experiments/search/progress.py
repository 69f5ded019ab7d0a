"""The plan of a search, and how long what is left of it will take."""

import math
from collections.abc import Sequence

from experiments.config.lambdas import is_zero
from experiments.config.settings import Config
from experiments.run.train_pack import Pace
from experiments.rungs import Rungs
from experiments.search.candidates import Setting

SEARCHES = ("none", "grid", "halving")


def num_folds(config: Config) -> int:
    """Of --folds; a corpus has one official split."""
    return 1 if config.folds == "official" else int(config.folds)


def planned(
    rungs: Rungs, settings: Sequence[Setting], packs: int, networks: int, most: Sequence[int]
) -> list[str]:
    """What a search is about to do, a line, and what it will lack.

    Args:
      networks: of all settings and folds.
      most: see `most_epochs`.
    """
    *early, last = rungs.epochs
    line = (
        f"search: {len(settings):,} settings, {networks:,} networks in {packs:,} packs; "
        f"{3 * packs:,} programs to compile before the choice; at most {sum(most):,} run-epochs"
    )
    if early:
        behind = ", ".join(map(str, early))
        line += f", one setting of {rungs.eta} going on behind {behind} (all: {networks * last:,})"
    lonely = any(s.twin is None and not is_zero(s.config.lambda_) for s in settings)
    alone = "note: --lambda without a 0: what is chosen is compared with no ordinary network"
    return [line] + [alone] * lonely


def left(paces: Sequence[Pace], packs: int, epochs: int) -> str:
    """A line on the speed so far and the time that is left.

    Args:
      paces: of the packs so far, one at least.
      packs: that are to be compiled yet.
      epochs: run-epochs to come at most.
    """
    trained, most = (sum(getattr(p, name) for p in paces) for name in ("epochs", "most"))
    beside = sum(p.compiling for p in paces) / len(paces)
    if not trained:
        return "search: nothing was left to train here"
    speed = trained / max(sum(p.training for p in paces), 1e-9)
    ahead = packs * beside + epochs * (trained / most) / speed
    return (
        f"search: {speed:.3g} run-epochs/s, {beside:.0f} s a pack to compile and to measure it; "
        f"about {_duration(ahead)} left"
    )


def _duration(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
