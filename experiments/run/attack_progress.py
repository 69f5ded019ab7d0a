"""Progress of the attack on a pack: which attacker reads which network, and how far it is."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from experiments.results.columns import Row
from experiments.results.curves import LogEpoch
from experiments.results.selected import network_name
from privrep.attacks.trained.fresh_attackers import SPEAKER, AttackerProgress
from privrep.parallel.processes import is_first


class AttackProgress(NamedTuple):
    """What is handed the steps of an attack as they begin and end.

    Attributes:
      stage: a step that has a name alone.
      fresh: of an attribute what is handed each of its freshly trained attackers.
      network: an attribute, and the settings and control of the network to be attacked by it.
    """

    stage: Callable[[str], None]
    fresh: Callable[[str], AttackerProgress]
    network: Callable[[str, Row, str], None]


@contextlib.contextmanager
def attack_progress(
    title: str, steps: int, networks: Sequence[Row], log: LogEpoch
) -> Iterator[AttackProgress]:
    """Shows the steps of an attack in a bar, and hands the scores of its attackers to trackers.

    Args:
      title: of the pack.
      steps: how many there will be.
      networks: settings of the R networks, which are the first of all targets.
      log: is handed the number of the attacker, from 1, and its UAR on every network.
    """
    several = len({row["seed"] for row in networks}) > 1
    count, begun = 0, 0
    with tqdm(total=steps, desc=f"{title}: attack", unit="step", disable=not is_first()) as bar:

        def begin(text: str) -> None:
            bar.set_postfix_str(text)

        def stage(text: str) -> None:
            nonlocal begun
            bar.update(min(begun, 1))  # the step before, if there was one, has ended
            begun += 1
            begin(text)

        def attacker(attribute: str, name: str, uars: Mapping[str, np.ndarray]) -> None:
            nonlocal count
            if not uars:
                return stage(f"{attribute}: {name} on all networks")
            count += 1
            column = "attacker" if attribute == SPEAKER else name  # as in runs.csv
            scores = {
                f"{part}_{attribute}_{column}_uar": np.asarray(of) for part, of in uars.items()
            }
            log(count, {name: of[: len(networks)] for name, of in scores.items()})

        def network(attribute: str, settings: Row, control: str) -> None:
            name = network_name({"control": control, "settings": settings})
            seed = f", seed {settings['seed']}" if several else ""
            stage(f"{attribute}: permutation test on {name}{seed}")

        yield AttackProgress(stage, lambda attribute: partial(attacker, attribute), network)
        bar.update(bar.total - bar.n)
        begin("done")
