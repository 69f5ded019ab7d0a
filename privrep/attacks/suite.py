"""The table of attackers by name, and the number of permutations that each can afford (host).

An attacker is imported when a suite that contains it is built: jax and scikit-learn take longer to
import than a small audit takes.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.messages import nearest

_MODULES = {  # "module:function"
    "linear": "privrep.attacks.lda:linear",
    "kernel": "privrep.attacks.lda:kernel",
    "knn": "privrep.attacks.knn:knn",
    "floor": "privrep.attacks.floor:floor",
    "trees": "privrep.attacks.boosted_trees:trees",
    "mlp": "privrep.attacks.trained.mlp_and_gru:mlp",
    "sequence": "privrep.attacks.trained.mlp_and_gru:sequence",
}
# Attackers on h that train for hundreds of labellings at once: the default suite.
QUICK = ("linear", "kernel", "knn", "floor")
# Attackers on h that are trained separately for every labelling.
SLOW = ("trees", "mlp")
SEQUENCE = "sequence"  # an attacker on frames [N, T, D], trained separately likewise
NAMES = (*QUICK, *SLOW, SEQUENCE)
FEW = 39  # default permutations of a suite with a slow attacker: p can be as small as 0.031


def suite(
    names: Sequence[str], frames: np.ndarray | None = None, num_frames: np.ndarray | None = None
) -> dict[str, Attack]:
    """The attackers called `names`.

    Args:
      names: in NAMES.
      frames: float[N, T, D] and num_frames int[N] of them, for the attacker on frames.

    Raises:
      ValueError: an unknown name, one twice, none, or "sequence" without frames.
    """
    unknown = [name for name in names if name not in NAMES]
    if not names or len(set(names)) < len(names) or unknown:
        raise ValueError(
            f"--attackers={','.join(names)}: name one or several of {', '.join(NAMES)}, each once"
            + nearest("".join(unknown[:1]), NAMES)
        )
    if SEQUENCE in names and frames is None:
        raise ValueError(
            f"--attackers={','.join(names)}: {SEQUENCE} reads frames [N, T, D], and these "
            "representations are [N, D], a row per utterance"
        )
    return {
        name: _load(name)(frames, num_frames) if name == SEQUENCE else _load(name) for name in names
    }


def _load(name: str) -> Any:
    """The function of the table, an `Attack`; for SEQUENCE one that makes an `Attack` of frames."""
    module, function = _MODULES[name].split(":")
    return getattr(importlib.import_module(module), function)


def affordable_permutations(names: Sequence[str], usual: int) -> int:
    """The number of permuted labellings for a suite: at most FEW if a slow attacker is in it."""
    return usual if set(names) <= set(QUICK) else min(FEW, usual)
