"""Targets of attacks with a given h, and the columns that their scores make."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.run.attack_stage import AttackTarget


def target_of(
    settings: Mapping[str, Any],
    h: np.ndarray | None,
    logits: np.ndarray | None = None,
    control: str = "",
) -> AttackTarget:
    """A target that only attackers of all folds together are shown."""
    return AttackTarget(dict(settings), control, 0, None, {}, None, pooled_h=h, logits=logits)


def logits_of(labels: np.ndarray, classes: int) -> np.ndarray:
    """float[N, C]: a network that recognises these classes."""
    return np.eye(classes)[labels]


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """{column: the cell of each row, None where it has none}."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
