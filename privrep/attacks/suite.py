"""The attackers of a measurement by name, and what each of them costs.

What only the slow ones need (jax, scikit-learn) is imported when one of them attacks: it takes
longer to import than a small audit takes.
"""

from collections.abc import Sequence

import numpy as np

from privrep.attacks.knn import knn
from privrep.attacks.lda import kernel, linear
from privrep.attacks.protocol import Attack, Attacked
from privrep.messages import nearest


def trees(*arguments, **asked) -> Attacked:
    """See `boosted_trees.trees`."""
    from privrep.attacks.boosted_trees import trees as attack

    return attack(*arguments, **asked)


def mlp(*arguments, **asked) -> Attacked:
    """See `mlp_and_gru.mlp`."""
    from privrep.attacks.trained.mlp_and_gru import mlp as attack

    return attack(*arguments, **asked)


def sequence(frames: np.ndarray, num_frames: np.ndarray | None) -> Attack:
    """See `mlp_and_gru.sequence`."""
    from privrep.attacks.trained.mlp_and_gru import sequence as attack_on

    return attack_on(frames, num_frames)


# Those of h that serve hundreds of labellings at one go: the suite unless another is asked for.
QUICK: dict[str, Attack] = {"linear": linear, "kernel": kernel, "knn": knn}
# Those of h that train anew for every labelling.
SLOW: dict[str, Attack] = {"trees": trees, "mlp": mlp}
SEQUENCE = "sequence"  # of frames [N, T, D]
NAMES = (*QUICK, *SLOW, SEQUENCE)
FEW = 39  # exchanges by default where a slow attacker takes part: p can reach 0.031


def suite(
    names: Sequence[str], frames: np.ndarray | None = None, num_frames: np.ndarray | None = None
) -> dict[str, Attack]:
    """The attackers called `names`.

    Args:
      names: in NAMES.
      frames: float[N, T, D] and num_frames int[N] of them, for the attacker that reads frames.

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
    vectors = QUICK | SLOW
    return {
        name: sequence(frames, num_frames) if name == SEQUENCE else vectors[name] for name in names
    }


def exchanges(names: Sequence[str], usual: int) -> int:
    """How many exchanged labellings the suite can afford: FEW if a slow attacker is in it."""
    return usual if set(names) <= set(QUICK) else min(FEW, usual)
