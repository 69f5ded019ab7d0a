"""The attack on what a pack releases: every target is attacked by freshly trained attackers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from experiments.results.columns import Row
from experiments.run.load_data import Loaded
from privrep.attacks.trained.fresh_attackers import (
    SPEAKER,
    AttackerProgress,
    attack_data_of,
    attack_with_fresh,
    not_shown,
)
from privrep.attacks.trained.pair_verification import Pairs
from privrep.inputs.labels import private_labels
from privrep.parallel.run_axis import Run, take


class AttackTarget(NamedTuple):
    """One thing to attack: the h of one network on one fold, or of a control.

    Attributes:
      settings: columns of runs.csv that say how it was made, `fold` and `seed` among them.
      control: "" for a run, else the name of the control.
      run: number of the run whose key and fold its attackers take.
      h: float32[N, D], what the attackers of its fold are shown; None where there is nothing.
      labels: {attribute: int32[N]}, what they predict; -1 unknown.
      pairs: of its fold's test utterances, for verification; None unless speaker is private.
      pooled_h: float32[N, D'], what attackers of all folds together are shown; None where the
        target is not judged over all speakers.
      logits: float[N, C] of the emotion that is recognised from the released h, or [N, 1], the
        predictions of a regression; None without a network.
      scores: {column: score} of the network itself.
    """

    settings: Row
    control: str
    run: int
    h: np.ndarray | None
    labels: Mapping[str, np.ndarray]
    pairs: Pairs | None
    pooled_h: np.ndarray | None = None
    logits: np.ndarray | None = None
    scores: Mapping[str, Any] = MappingProxyType({})

    @property
    def fold(self) -> int:
        """The number of its fold."""
        return self.settings["fold"]


def attack_targets(
    targets: Sequence[AttackTarget],
    runs: Run,
    loaded: Loaded,
    attribute: str,
    attackers: Sequence[str],
    progress: AttackerProgress = not_shown,
) -> list[Row]:
    """Attacks all targets in one program.

    Args:
      runs: rows [R, ...], to which `AttackTarget.run` refers.
      attackers: names in ATTACKER_NAMES.
      progress: is handed each attacker with its UAR on every target that has h, in their order.

    Returns:
      {column: score} of each target, see `attack_with_fresh`; {} where it has no h.
    """
    folds = loaded.packed.data.folds
    numbers = [i for i, target in enumerate(targets) if target.h is not None]
    attacked = [targets[i] for i in numbers]
    h = np.stack([target.h for target in attacked if target.h is not None])
    stack = take(runs, np.array([target.run for target in attacked]))
    data = attack_data_of(folds, stack, h, attribute)
    data = data._replace(labels=np.stack([target.labels[attribute] for target in attacked]))
    pairs = None
    if attribute == SPEAKER:
        pairs = Pairs(*map(np.stack, zip(*(target.pairs for target in attacked))))
    speakers, _ = private_labels(loaded.utterances, SPEAKER)
    size = loaded.packed.num_private[attribute]
    columns = attack_with_fresh(attribute, data, size, attackers, pairs, speakers, progress)
    rows: list[Row] = [{} for _ in targets]
    for name, values in columns.items():
        cells = values if isinstance(values, list) else np.asarray(values).tolist()
        for i, cell in zip(numbers, cells):
            rows[i][name] = cell
    return rows
