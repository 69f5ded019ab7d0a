"""Counts of each test speaker that a pack keeps, to be compared with those of other packs."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.results.speaker_counts import SpeakerCounts
from experiments.run.attack_stage import AttackTarget
from experiments.run.load_data import Loaded
from experiments.run.pooled_scores import tested_speakers
from experiments.run.rating_scores import speaker_moments
from experiments.run.speaker_changes import Counted
from experiments.run.target_groups import Group, groups_of
from experiments.run.task_scores import speaker_counts


def kept_counts(
    targets: Sequence[AttackTarget], loaded: Loaded, kept: Mapping[str, Sequence[Counted]]
) -> list[SpeakerCounts]:
    """Of every run: emotion, and each attribute that is unlearned.

    Args:
      kept: of the attributes, see `pooled`.
    """
    folds = loaded.packed.data.folds
    groups = groups_of(targets, len(folds.split.train))
    tested = (folds.split.test & (folds.task >= 0)).any(0)
    names = [str(u.speaker) for u, is_tested in zip(loaded.utterances, tested) if is_tested]
    counts = []
    for group in groups:
        if group.is_of_networks and not group.targets[0].control:
            sums = (
                speaker_counts(group.targets, loaded)
                if group.has_classes
                else speaker_moments(group, loaded)
            )
            counts.append(SpeakerCounts(_settings(group), "emotion", np.unique(names), sums))
    for attribute, of_attribute in kept.items():
        speakers = tested_speakers(loaded, attribute) if of_attribute else np.array([])
        counts += [
            SpeakerCounts(_settings(group), attribute, speakers, sums)
            for group, sums in of_attribute
            if not group.targets[0].control
        ]
    return counts


def _settings(group: Group) -> dict:
    return {n: v for n, v in group.targets[0].settings.items() if n != "fold"}
