"""From a stack of runs to their scores: train, release, attack."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from privrep.attacks.fixed_split import CLASSICAL, attack_classically
from privrep.attacks.trained.dense import ATTACKERS, Threat, attack
from privrep.attacks.trained.pair_verification import Pairs, verify
from privrep.parallel.run_axis import Run
from privrep.types import Fold, Split

PyTree = Any
SPEAKER = "speaker"
ATTACKER_NAMES = (*ATTACKERS, *CLASSICAL)


def threats_of(folds: Fold, runs: Run, h: jax.Array, attribute: str) -> Threat:
    """The informed threat to every run: an attacker that learns on the run's own training part.

    Args:
      folds: K of them; `private` holds the labels to guess.
      runs: rows [R, ...].
      h: float[R, N, D].
    """
    # A key that is never one of the epochs' keys, which are fold_in(key, epoch).
    return Threat(
        key=jax.vmap(lambda key: jax.random.fold_in(key, jnp.uint32(2**32 - 2)))(runs.key),
        h=h,
        labels=jnp.asarray(folds.private[attribute])[runs.fold],
        weights=jnp.asarray(folds.private_weights[attribute])[runs.fold],
        split=Split(*(jnp.asarray(part)[runs.fold] for part in folds.split)),
    )


def attack_all(
    attribute: str,
    threats: Threat,
    num_classes: int,
    attackers: Sequence[str] = tuple(ATTACKERS),
    pairs: Pairs | None = None,
    speakers: np.ndarray | None = None,
) -> dict[str, Any]:
    """Fresh attackers on frozen representations.

    The attackers learn on the training part, are compared on the validation part, and the best of
    them is what counts on the test part. "speaker" is attacked by verification of people never
    seen before; its attacker's score is 1 - equal error rate.

    Args:
      threats: rows [R, ...].
      attackers: names in ATTACKER_NAMES.
      pairs: rows [R, ...], for "speaker".
      speakers: [N], who speaks, for the attackers of CLASSICAL.

    Returns:
      {score: [R]}: <part>_<attribute>_<attacker>_uar of every attacker for val and test,
      <part>_<attribute>_attacker_uar of the chosen one, <attribute>_attacker its name,
      test_<attribute>_privacy = 1 - test_<attribute>_attacker_uar.
    """
    if attribute == SPEAKER:
        found = 1 - verify(threats, *pairs)
        names = ["verification"] * len(found)
        scores = {f"test_{attribute}_attacker_uar": found}
    else:
        parts = _attacked(attackers, threats, num_classes, speakers)
        best = jnp.argmax(jnp.nan_to_num(parts["val"], nan=-1.0), 0)  # of equals, the simplest
        names = [attackers[i] for i in best]
        scores = {}
        for part in ("val", "test"):
            for name, found in zip(attackers, parts[part]):
                scores[f"{part}_{attribute}_{name}_uar"] = found
            chosen = jnp.take_along_axis(parts[part], best[None], 0)[0]
            scores[f"{part}_{attribute}_attacker_uar"] = chosen
    privacy = 1 - scores[f"test_{attribute}_attacker_uar"]
    return scores | {f"{attribute}_attacker": names, f"test_{attribute}_privacy": privacy}


def _attacked(attackers, threats, num_classes, speakers) -> dict[str, np.ndarray]:
    """{part: UAR [len(attackers), R]} of both kinds of attackers, in the order of their names."""
    dense = [name for name in attackers if name in ATTACKERS]
    classical = [name for name in attackers if name in CLASSICAL]
    of_dense = attack(dense, threats, num_classes) if dense else {}
    of_classical = {}
    if classical:
        h, labels = np.asarray(threats.h), np.asarray(threats.labels)
        split = Split(*(np.asarray(part) for part in threats.split))
        of_classical = attack_classically(classical, h, labels, split, speakers, num_classes)
    found = {}
    for part in ("val", "test"):
        of_name = dict(zip(dense, of_dense.get(part, ())))
        of_name |= zip(classical, of_classical.get(part, ()))
        found[part] = np.stack([of_name[name] for name in attackers])
    return found
