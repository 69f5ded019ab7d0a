"""Scores of the recognised emotion besides its UAR: columns of runs.csv.

Macro-F1, weighted accuracy and recall by class, fold by fold and of all folds together; the
confusion matrix; and how far emotion is recognised better of some speakers than of the others.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from experiments.results.columns import Row
from experiments.run.attack_stage import AttackTarget
from experiments.run.load_data import Loaded
from experiments.run.speaker_changes import Counted, by_seed, summed
from experiments.run.target_groups import groups_of, put
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.inputs.labels import private_labels
from privrep.statistics.classification import macro_f1, recall_of, recalls, weighted_accuracy
from privrep.statistics.confidence import interval
from privrep.statistics.group_gap import gap
from privrep.statistics.uar import confusion_counts
from privrep.types import renumber

Score = Callable[[np.ndarray], np.ndarray]
_PARTS = ("val", "test")
_SCORES: Mapping[str, Score] = {"macro_f1": macro_f1, "weighted_accuracy": weighted_accuracy}


def task_scores(
    targets: Sequence[AttackTarget], loaded: Loaded, attributes: Sequence[str]
) -> list[Row]:
    """Scores of the emotion that each target's network recognises; {} of a target without one.

    <part>_emotion_{macro_f1, weighted_accuracy, recall_<class>}: of its fold.
    emotion_pooled_{macro_f1, weighted_accuracy, recall_<class>}{, _lower, _upper}: of all folds and
      seeds together, with 95 % intervals over speakers.
    emotion_confusion: the counts of these utterances, as JSON, {class: {recognised class: count}}.
    emotion_gap_<group>_{difference, lower, upper}: UAR of the group's speakers less that of the
      others; of an attribute with two values the first is the group.

    Args:
      attributes: that are unlearned.
    """
    rows: list[Row] = [{} for _ in targets]
    names = loaded.packed.task_names
    for target, row in zip(targets, rows):
        if target.logits is not None:
            row |= _of_fold(target, loaded, names)
    groups = groups_of(targets, len(loaded.packed.data.folds.split.train))
    networks = [group for group in groups if group.is_of_networks]
    counted = [Counted(group, speaker_counts(group.targets, loaded)) for group in networks]
    for of_seed in by_seed(counted).values():
        counts = summed([*of_seed.values()])
        for seed in of_seed.values():
            put(rows, seed.group, "emotion", _of_all_folds(counts, names))
    for attribute in [a for a in attributes if a != SPEAKER]:
        codes, values = private_labels(loaded.utterances, attribute)
        for code, value in enumerate(values[:1] if len(values) == 2 else values):
            _put_gap(rows, networks, loaded, f"{attribute}={value}", codes == code, codes >= 0)
    return rows


def _of_fold(target: AttackTarget, loaded: Loaded, names: Sequence[str]) -> Row:
    folds, row = loaded.packed.data.folds, Row()
    truth = folds.task[target.fold]
    predicted = np.asarray(target.logits).argmax(-1)
    for part in _PARTS:
        tested = getattr(folds.split, part)[target.fold] & (truth >= 0)
        if not tested.any():
            continue
        everyone = np.zeros(tested.sum(), int)
        (counts,) = confusion_counts(predicted[tested], truth[tested], everyone, len(names))
        values = {name: score(counts) for name, score in _SCORES.items()}
        values |= {f"recall_{name}": value for name, value in zip(names, recalls(counts))}
        row |= {f"{part}_emotion_{name}": float(value) for name, value in values.items()}
    return row


def _of_all_folds(counts: np.ndarray, names: Sequence[str]) -> Row:
    """Columns of confusion counts [S, C, C], without "emotion_" before their names."""
    scores = dict(_SCORES)
    support = counts.sum((0, 2))
    for i, name in enumerate(names):
        if support[i]:
            scores[f"recall_{name}"] = partial(recall_of, i)
    row: Row = {}
    for name, score in scores.items():
        value, lower, upper, _ = interval(counts, score)
        bounds = {"": value, "_lower": lower, "_upper": upper}
        row |= {f"pooled_{name}{which}": bound for which, bound in bounds.items()}
    matrix = {
        name: dict(zip(names, of_class)) for name, of_class in zip(names, counts.sum(0).tolist())
    }
    return row | {"confusion": json.dumps(matrix, ensure_ascii=False)}


def _put_gap(
    rows: Sequence[Row],
    networks: Sequence,
    loaded: Loaded,
    group_name: str,
    inside: np.ndarray,
    known: np.ndarray,
) -> None:
    """Columns of the gap between the utterances `inside` bool[N] and the other `known` ones."""
    inner = [Counted(group, speaker_counts(group.targets, loaded, inside)) for group in networks]
    outer = [
        Counted(group, speaker_counts(group.targets, loaded, known & ~inside)) for group in networks
    ]
    for of_seed, of_others in zip(by_seed(inner).values(), by_seed(outer).values()):
        difference = gap(summed([*of_seed.values()]), summed([*of_others.values()]))
        if difference is not None:
            for seed in of_seed.values():
                put(rows, seed.group, f"emotion_gap_{group_name}", difference._asdict())


def speaker_counts(
    targets: Sequence[AttackTarget], loaded: Loaded, among: np.ndarray | bool = True
) -> np.ndarray:
    """int64[S, C, C] of all tested speakers, 0 of those without an utterance `among` bool[N].

    The speakers are those that are tested in some fold, in the order of their names.
    """
    folds = loaded.packed.data.folds
    predicted = np.zeros(len(loaded.utterances), int)
    truth = np.full(len(loaded.utterances), -1)
    for target in targets:
        tested = folds.split.test[target.fold]
        predicted[tested] = np.asarray(target.logits).argmax(-1)[tested]
        truth[tested] = folds.task[target.fold][tested]
    tested = truth >= 0
    speaker = renumber([u.speaker for u, is_tested in zip(loaded.utterances, tested) if is_tested])
    truth = np.where(among, truth, -1)[tested]
    return confusion_counts(predicted[tested], truth, speaker, len(loaded.packed.task_names))
