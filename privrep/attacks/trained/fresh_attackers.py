"""Freshly trained attackers on the h of trained networks, and the scores of the best one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from privrep.attacks.fixed_split import CLASSICAL, attack_classically
from privrep.attacks.trained.dense import ATTACKERS, AttackData, attack
from privrep.attacks.trained.pair_verification import Pairs, verification_eer
from privrep.parallel.run_axis import ReservedKey, Run, reserved_key
from privrep.types import Fold, Split

SPEAKER = "speaker"
_SCORED = ("val", "test")
ATTACKER_NAMES = (*ATTACKERS, *CLASSICAL)
# Is handed the name of an attacker that begins, with {}, and that ends, with {part: UAR [R]}.
AttackerProgress = Callable[[str, Mapping[str, np.ndarray]], None]


def not_shown(attacker: str, uars: Mapping[str, np.ndarray]) -> None:
    """An `AttackerProgress` for nobody."""


def attack_data_of(folds: Fold, runs: Run, h: jax.Array | np.ndarray, attribute: str) -> AttackData:
    """The data of the informed attack: the attacker learns on the run's own training part.

    Args:
      folds: K of them; `private` holds the labels to predict.
      runs: rows [R, ...].
      h: float[R, N, D].

    Returns:
      Rows [R, ...].
    """
    return AttackData(
        key=jax.vmap(lambda key: reserved_key(key, ReservedKey.ATTACKERS))(runs.key),
        h=h,
        labels=jnp.asarray(folds.private[attribute])[runs.fold],
        weights=jnp.asarray(folds.private_weights[attribute])[runs.fold],
        split=Split(*(jnp.asarray(part)[runs.fold] for part in folds.split)),
    )


def attack_with_fresh(
    attribute: str,
    attack_data: AttackData,
    num_classes: int,
    attackers: Sequence[str] = tuple(ATTACKERS),
    pairs: Pairs | None = None,
    speakers: np.ndarray | None = None,
    progress: AttackerProgress = not_shown,
) -> dict[str, Any]:
    """Trains attackers from scratch on h and reports the one that is best on validation.

    The attackers learn on the training part. The one with the highest UAR on the validation part is
    chosen, of equals the first, and scored on the test part. "speaker" is attacked by verification
    of unseen speakers instead; the attacker's score is then 1 - equal error rate.

    Args:
      attribute: the private attribute.
      attack_data: rows [R, ...].
      num_classes: C of the attribute.
      attackers: names in ATTACKER_NAMES.
      pairs: rows [R, ...], for "speaker".
      speakers: [N], the speaker of each utterance, for the attackers of CLASSICAL.
      progress: is handed each attacker; the dense ones are trained together and begin as one.

    Returns:
      {score: [R]}: <part>_<attribute>_<attacker>_uar of every attacker for val and test,
      <part>_<attribute>_attacker_uar of the chosen one, <attribute>_attacker its name,
      test_<attribute>_privacy = 1 - test_<attribute>_attacker_uar.

    Raises:
      ValueError: "speaker" without pairs, or attackers of CLASSICAL without speakers.
    """
    scores: dict[str, Any] = {}
    if attribute == SPEAKER:
        if pairs is None:
            raise ValueError("the attribute speaker is attacked by verification, which needs pairs")
        progress("verification", {})
        accuracy = 1 - verification_eer(attack_data, *pairs)
        progress("verification", {"test": np.asarray(accuracy)})
        names = ["verification"] * len(accuracy)
        scores[f"test_{attribute}_attacker_uar"] = accuracy
    else:
        parts = _uars(attackers, attack_data, num_classes, speakers, progress)
        best = jnp.argmax(jnp.nan_to_num(parts["val"], nan=-1.0), 0)
        names = [attackers[i] for i in best]
        for part in ("val", "test"):
            for name, uars in zip(attackers, parts[part]):
                scores[f"{part}_{attribute}_{name}_uar"] = uars
            chosen = jnp.take_along_axis(parts[part], best[None], 0)[0]
            scores[f"{part}_{attribute}_attacker_uar"] = chosen
    privacy = 1 - scores[f"test_{attribute}_attacker_uar"]
    return scores | {f"{attribute}_attacker": names, f"test_{attribute}_privacy": privacy}


def _uars(
    attackers: Sequence[str],
    attack_data: AttackData,
    num_classes: int,
    speakers: np.ndarray | None,
    progress: AttackerProgress,
) -> dict[str, np.ndarray]:
    """{part: UAR [len(attackers), R]} of dense and classical attackers, in the given order."""
    dense = [name for name in attackers if name in ATTACKERS]
    classical = [name for name in attackers if name in CLASSICAL]
    of_name: dict[str, dict[str, np.ndarray]] = {}
    if dense:
        progress(", ".join(dense), {})
        of_dense = attack(dense, attack_data, num_classes)
        for i, name in enumerate(dense):
            of_name[name] = {part: np.asarray(of_dense[part][i]) for part in _SCORED}
            progress(name, of_name[name])
    if classical:
        if speakers is None:
            raise ValueError(f"the attackers {', '.join(classical)} need the speakers")
        h, labels = np.asarray(attack_data.h), np.asarray(attack_data.labels)
        split = Split(*(np.asarray(part) for part in attack_data.split))
        for name in classical:
            progress(name, {})
            uars = attack_classically([name], h, labels, split, speakers, num_classes)
            of_name[name] = {part: uars[part][0] for part in _SCORED}
            progress(name, of_name[name])
    return {part: np.stack([of_name[name][part] for name in attackers]) for part in _SCORED}
