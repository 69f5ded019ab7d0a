"""Attackers of numpy and scikit-learn on the fixed train, validation and test parts of a fold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from privrep.attacks.boosted_trees import trees
from privrep.attacks.knn import knn
from privrep.attacks.lda import kernel, linear
from privrep.attacks.protocol import Attack
from privrep.cores import one_blas_thread, usable_cores
from privrep.statistics.design import design
from privrep.statistics.uar import uars_of
from privrep.types import Split, renumber

CLASSICAL: dict[str, Attack] = {"lda": linear, "kernel": kernel, "knn": knn, "trees": trees}
_PARTS = 3  # into which the training speakers are divided for hyper-parameter selection


def attack_classically(
    names: Sequence[str],
    h: np.ndarray,
    labels: np.ndarray,
    split: Split,
    speakers: np.ndarray,
    num_classes: int,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Trains every named attacker on every run and scores it on validation and test part.

    For the validation score an attacker is trained on the training part, with hyper-parameters
    selected on a part of its speakers. For the test score it is trained on both parts, with
    hyper-parameters selected by predicting each part from the other. Utterances of unknown label
    do not count.

    Args:
      names: in CLASSICAL.
      h: float[R, N, D].
      labels: int[R, N], -1 unknown.
      split: bool[R, N] each.
      speakers: [N].
      num_classes: C.
      seed: of what the attackers draw.

    Returns:
      {part: UAR float32[len(names), R]} for val and test. NaN where h is not finite, the scored
      part or a part that is trained on is empty, or the training part has fewer than 3 speakers.
    """
    speaker = renumber(speakers)
    uars = {part: np.full((len(names), len(h)), np.nan, np.float32) for part in ("val", "test")}

    def attack_run(r: int) -> None:
        of_run = h[r]
        parts = Split(*(part[r] & (labels[r] >= 0) for part in split))
        if not (parts.train.any() and parts.val.any() and np.isfinite(of_run).all()):
            return
        training_speakers = np.unique(speaker[parts.train])
        if len(training_speakers) < _PARTS:
            return
        part_of = np.zeros(speaker.max() + 1, np.int32)
        within = np.searchsorted(training_speakers, speaker[parts.train])
        folds = design(labels[r][parts.train], within, None, _PARTS, seed).folds
        part_of[speaker[parts.train]] = 1 + folds
        tasks = {
            "val": np.where(parts.val, 0, np.where(parts.train, part_of[speaker], -1)),
            "test": np.select([parts.test, parts.val, parts.train], [0, 1, 2], -1),
        }
        for part, folds in tasks.items():
            if not (folds == 0).any():
                continue
            rows = np.flatnonzero(folds >= 0)
            x, y = np.asarray(of_run[rows], np.float32), labels[r][rows][None]
            numbered, tested = renumber(speaker[rows]), folds[rows] == 0
            for i, name in enumerate(names):
                attacked = CLASSICAL[name](seed, x, y, numbered, folds[rows], num_classes, only=0)
                uar = uars_of(attacked.predictions[:, tested], y[:, tested], num_classes)
                uars[part][i, r] = uar[0]

    # Runs in parallel; one BLAS thread each, set before any of them sets it.
    with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(attack_run, range(len(h))))
    return uars
