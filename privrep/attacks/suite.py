"""The table of attackers by name, and how much of the test each can afford (host).

An attacker is imported when a suite that contains it is built: jax and scikit-learn take longer to
import than a small audit takes.
"""

import importlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.messages import nearest

_MODULES = {  # "module:function"
    "linear": "privrep.attacks.lda:linear",
    "kernel": "privrep.attacks.lda:kernel",
    "ranks": "privrep.attacks.lda:ranks",
    "kernel_ranks": "privrep.attacks.lda:kernel_ranks",
    "knn": "privrep.attacks.knn:knn",
    "trees": "privrep.attacks.boosted_trees:trees",
    "mlp": "privrep.attacks.trained.mlp_and_gru:mlp",
    "sequence": "privrep.attacks.trained.mlp_and_gru:sequence",
}
# Attackers on h that train for hundreds of labellings at once.
EVERY_DEAL = ("linear", "kernel")  # cheap enough to repeat with several deals of folds
SMALL_H = ("ranks", "kernel_ranks", "knn")  # cheap enough where h has at most SMALL values
QUICK = (*EVERY_DEAL, *SMALL_H)
SMALL = 65_536  # N D: a corpus where one deal would decide the verdict is smaller
# Attackers on h that are trained separately for every labelling.
SLOW = ("trees", "mlp")
SEQUENCE = "sequence"  # an attacker on frames [N, T, D], trained separately likewise
NAMES = (*QUICK, *SLOW, SEQUENCE)
UNTESTED = ("trees",)  # of the usual suite, on the true labels only
FEW = 39  # default permutations of a suite with a slow attacker: p can be as small as 0.031

_NO_ATTACKERS: Mapping[str, Attack] = MappingProxyType({})


class Suite(NamedTuple):
    """Attackers by name, by what the test does with them.

    Attributes:
      every_deal: trained for every labelling in every deal of folds.
      small_h: likewise where h has at most SMALL values, else in the first deal. The upper bound is
        the largest of all attackers: one that saw a single deal moves it with the seed.
      one_deal: trained for every labelling in the first deal.
      untested: trained for the true labels only, in the first deal. No p comes from them; if one
        predicts better than the upper bound of the others, "no leak shown" is not said.
    """

    every_deal: Mapping[str, Attack]
    small_h: Mapping[str, Attack] = _NO_ATTACKERS
    one_deal: Mapping[str, Attack] = _NO_ATTACKERS
    untested: Mapping[str, Attack] = _NO_ATTACKERS

    @property
    def tested(self) -> dict[str, Attack]:
        """Those that are trained for every labelling."""
        return {**self.every_deal, **self.small_h, **self.one_deal}

    def repeated(self, size: int) -> dict[str, Attack]:
        """Those that are trained in every deal for an h of N D = `size` values."""
        return {**self.every_deal, **(self.small_h if is_small(size) else {})}


def is_small(size: int) -> bool:
    """Whether all attackers take part in every deal of an h of N D = `size` values."""
    return size <= SMALL


def usual_suite() -> Suite:
    """All quick attackers, and trees on the true labels."""
    return suite(QUICK, UNTESTED)


def suite(
    names: Sequence[str],
    untested: Sequence[str] = (),
    frames: np.ndarray | None = None,
    num_frames: np.ndarray | None = None,
) -> Suite:
    """The attackers called `names`, and those of `untested` that are not among them.

    Args:
      names, untested: in NAMES.
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
    attacks = {
        name: _load(name)(frames, num_frames) if name == SEQUENCE else _load(name) for name in names
    }
    every_deal = {name: attack for name, attack in attacks.items() if name in EVERY_DEAL}
    small_h = {name: attack for name, attack in attacks.items() if name in SMALL_H}
    one_deal = {name: attack for name, attack in attacks.items() if name not in QUICK}
    once = {name: _load(name) for name in untested if name not in names}
    return Suite(every_deal, small_h, one_deal, once)


def attacker(name: str) -> Attack:
    """The attacker on h called `name`, by itself."""
    return _load(name)


def _load(name: str) -> Any:
    """The function of the table, an `Attack`; for SEQUENCE one that makes an `Attack` of frames."""
    module, function = _MODULES[name].split(":")
    return getattr(importlib.import_module(module), function)


def affordable_permutations(names: Sequence[str], usual: int) -> int:
    """The number of permuted labellings for a suite: at most FEW if a slow attacker is in it."""
    return usual if set(names) <= set(QUICK) else min(FEW, usual)
