"""Targets of one setting and seed, one of each fold, whose scores are of all folds together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.config.lambdas import is_zero
from experiments.results.columns import PROTECTION, Row
from experiments.run.attack_stage import AttackTarget


class Group(NamedTuple):
    """The targets of one setting and seed, one of each fold.

    Attributes:
      numbers: their numbers among all targets.
      targets: the targets themselves, each with a finite `pooled_h`.
    """

    numbers: tuple[int, ...]
    targets: tuple[AttackTarget, ...]

    @property
    def folds(self) -> list[int]:
        """The fold of each target."""
        return [target.fold for target in self.targets]

    @property
    def h(self) -> np.ndarray:
        """float32[K, N, D]."""
        return np.stack([t.pooled_h for t in self.targets if t.pooled_h is not None])

    @property
    def is_of_networks(self) -> bool:
        """Whether there is a network that recognises emotion."""
        return self.targets[0].logits is not None

    @property
    def has_classes(self) -> bool:
        """Whether there is a network that recognises classes of emotion, and no regression."""
        logits = self.targets[0].logits
        return logits is not None and logits.shape[1] > 1


def groups_of(targets: Sequence[AttackTarget], num_folds: int) -> list[Group]:
    """The groups of targets that differ in the fold alone, with a finite h in every fold."""
    numbers_of: dict[tuple, list[int]] = {}
    for i, target in enumerate(targets):
        rest = tuple(value for name, value in target.settings.items() if name != "fold")
        numbers_of.setdefault((rest, target.control), []).append(i)
    groups = [Group(tuple(n), tuple(targets[i] for i in n)) for n in numbers_of.values()]
    return [
        group
        for group in groups
        if len({*group.folds}) == num_folds
        and all(t.pooled_h is not None and np.isfinite(t.pooled_h).all() for t in group.targets)
    ]


def put(rows: Sequence[Row], group: Group, place: str, values: Mapping[str, Any]) -> None:
    """Puts the scores of a group under <place>_<name>, None where one is no finite number.

    Args:
      rows: of every target, added to.
    """
    for name, value in values.items():
        is_known = value is not None and (isinstance(value, str) or math.isfinite(value))
        for i in group.numbers:
            rows[i][f"{place}_{name}"] = value if is_known else None


def without_protection(group: Group, groups: Sequence[Group]) -> Group | None:
    """The group at lambda 0 that is like this one in all else; None for itself and for controls."""

    def rest(target: AttackTarget) -> dict[str, Any]:
        return {n: v for n, v in target.settings.items() if n not in (*PROTECTION, "fold")}

    first = group.targets[0]
    if first.control or is_zero(first.settings["lambda"]):
        return None
    others = ((other, other.targets[0]) for other in groups)
    return next(
        (
            other
            for other, target in others
            if not target.control
            and is_zero(target.settings["lambda"])
            and rest(target) == rest(first)
        ),
        None,
    )
