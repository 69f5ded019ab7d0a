"""Attackers of a network's frozen h that are no networks: fitted by numpy and scikit-learn."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from privrep.attacks.boosted_trees import trees
from privrep.attacks.knn import knn
from privrep.attacks.lda import kernel, linear
from privrep.attacks.protocol import Attack
from privrep.statistics.permutation_test import design
from privrep.statistics.uar import uars_of
from privrep.types import Split

CLASSICAL: dict[str, Attack] = {"lda": linear, "kernel": kernel, "knn": knn, "trees": trees}
_PARTS = 3  # of the training speakers, to be chosen on


def attack_classically(
    names: Sequence[str],
    h: np.ndarray,
    labels: np.ndarray,
    split: Split,
    speakers: np.ndarray,
    num_classes: int,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Fits every named attacker to every threat.

    For the score on the validation part an attacker learns from the training part and is tuned on a
    share of its speakers; for that on the test part it learns from both, tuned on either part by
    what the other teaches. Utterances of unknown label do not count.

    Args:
      names: in CLASSICAL.
      h: float[R, N, D].
      labels: int[R, N], -1 unknown.
      split: bool[R, N] each.
      speakers: [N].
      num_classes: C.
      seed: of what the attackers draw.

    Returns:
      {part: UAR float32[len(names), R]} for val and test. NaN where h is not finite, the part or
      one that is learned from has no utterance, or the training part fewer than 3 speakers.
    """
    people = np.unique(speakers, return_inverse=True)[1].astype(np.int32)
    found = {part: np.full((len(names), len(h)), np.nan, np.float32) for part in ("val", "test")}

    def attack_run(r: int) -> None:
        of_run = h[r]
        of_part = Split(*(part[r] & (labels[r] >= 0) for part in split))
        if not (of_part.train.any() and of_part.val.any() and np.isfinite(of_run).all()):
            return
        learned = np.unique(people[of_part.train])
        if len(learned) < _PARTS:
            return
        dealt = np.zeros(people.max() + 1, np.int32)
        own = np.searchsorted(learned, people[of_part.train])
        folds = design(labels[r][of_part.train], own, None, _PARTS, seed).folds
        dealt[people[of_part.train]] = 1 + folds
        tasks = {
            "val": np.where(of_part.val, 0, np.where(of_part.train, dealt[people], -1)),
            "test": np.select([of_part.test, of_part.val, of_part.train], [0, 1, 2], -1),
        }
        for part, parts in tasks.items():
            if not (parts == 0).any():
                continue
            rows = np.flatnonzero(parts >= 0)
            own = np.unique(people[rows], return_inverse=True)[1].astype(np.int32)
            x, y = np.asarray(of_run[rows], np.float32), labels[r][rows][None]
            tested = parts[rows] == 0
            for i, name in enumerate(names):
                told = CLASSICAL[name](seed, x, y, own, parts[rows], num_classes, only=0)
                score = uars_of(told.predictions[:, tested], y[:, tested], num_classes)
                found[part][i, r] = score[0]

    # Runs side by side; one BLAS thread for each, said before any of them says it.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(attack_run, range(len(h))))
    return found
