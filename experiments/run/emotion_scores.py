"""Scores of emotion of the networks of all folds together, over all speakers."""

from collections.abc import Sequence

import numpy as np

from experiments.results.columns import Row
from experiments.run.load_data import Loaded
from experiments.run.speaker_changes import Counted, put_changes, put_intervals
from experiments.run.target_groups import Group
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.inputs.labels import private_labels
from privrep.statistics.uar import confusion_counts
from privrep.types import Fold, renumber


def put_emotion(
    rows: Sequence[Row], groups: Sequence[Group], loaded: Loaded, attributes: Sequence[str]
) -> None:
    """Columns of emotion: over all speakers, against lambda 0, and among groups of speakers."""
    folds = loaded.packed.data.folds
    speakers = np.array([u.speaker for u in loaded.utterances])
    networks = [group for group in groups if group.has_classes]
    counted = [Counted(group, _emotion_counts(group, folds, speakers)) for group in networks]
    put_intervals(rows, counted, "emotion_pooled")
    put_changes(rows, counted, "emotion")
    for attribute in [a for a in attributes if a != SPEAKER]:
        labels = folds.private[attribute][0]
        for code, value in enumerate(private_labels(loaded.utterances, attribute)[1]):
            among = labels == code
            counted = [
                Counted(group, _emotion_counts(group, folds, speakers, among)) for group in networks
            ]
            if all(len(of_group.counts) > 1 for of_group in counted):
                put_intervals(rows, counted, f"emotion_among_{attribute}={value}")


def _emotion_counts(
    group: Group, folds: Fold, speakers: np.ndarray, among: np.ndarray | bool = True
) -> np.ndarray:
    """int64[S, C, C] of the tested speakers, by their utterances `among` bool[N]."""
    predicted = np.zeros(len(speakers), int)
    truth = np.full(len(speakers), -1)
    for target in group.targets:
        tested = folds.split.test[target.fold]
        if target.logits is not None:
            predicted[tested] = target.logits.argmax(-1)[tested]
        truth[tested] = folds.task[target.fold][tested]
    tested = (truth >= 0) & among
    if not tested.any():
        return np.zeros((0, 1, 1), int)
    who = renumber(speakers[tested])
    return confusion_counts(predicted[tested], truth[tested], who, int(folds.task.max()) + 1)
