"""Membership of speakers: whether a setting's networks reveal whom they were trained on."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.special

from experiments.results.columns import Row
from experiments.run.attack_stage import AttackTarget
from experiments.run.load_data import Loaded
from experiments.run.target_groups import Group, groups_of, put, without_protection
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.leakage.membership.identify import Identified, Networks, changed, identify
from privrep.types import Split, renumber


def membership(
    targets: Sequence[AttackTarget], loaded: Loaded, attributes: Sequence[str]
) -> list[Row]:
    """Scores of `identify.identify` for h and labels, of each target.

    <known>_membership_{auc, accuracy, shuffled, lower, upper, minimum_detectable, p, verdict,
      attacker}: known is what the attacker has, h or labels.
    <known>_membership_{inputs_auc, inputs_p}: of the same attack on the features that the network
      is given, where no speaker is trained on in one fold and tested in another.
    labels_membership_{both, loss, reference}_auc: of each attacker who has labels.
    <known>_membership_change_{difference, lower, upper, p}: the AUC less that at lambda 0, paired
      over speakers, all seeds together.

    Where too few speakers are tested there are no columns.

    Args:
      attributes: that are unlearned.
    """
    rows: list[Row] = [{} for _ in targets]
    groups = groups_of(targets, len(loaded.packed.data.folds.split.train))
    identified = _identified(groups, loaded, attributes)
    for group in groups:
        for known, result in identified.get(group.numbers, {}).items():
            put(rows, group, f"{known}_membership", _columns_of(result))
            aucs = {f"{name}_auc": auc for name, auc in result.aucs.items() if known != name}
            put(rows, group, f"{known}_membership", aucs)
    for pairs in _against_zero(groups, identified):
        for known in set.intersection(*({*a} & {*b} for _, a, b in pairs)):
            change = changed([a[known] for _, a, _ in pairs], [b[known] for _, _, b in pairs])
            names = ("difference", "lower", "upper", "p")
            values = {name: getattr(change, name) for name in names}
            for group, _, _ in pairs:
                put(rows, group, f"{known}_membership_change", values)
    return rows


def _identified(
    groups: Sequence[Group], loaded: Loaded, attributes: Sequence[str]
) -> dict[tuple[int, ...], Mapping[str, Identified]]:
    """{numbers of a group: {known: result}}; of no further group once one has too few speakers."""
    folds, utterances = loaded.packed.data.folds, loaded.utterances
    speakers = np.array([u.speaker for u in utterances])
    balanced = [a for a in attributes if a != SPEAKER] or ["gender"]  # as the folds are
    kind = renumber([str([u.private.get(a) for a in balanced]) for u in utterances])
    sessions = [u.session for u in utterances if u.session is not None]
    raw = [t.pooled_h for group in groups for t in group.targets if t.control == "raw"]
    results: dict[tuple[int, ...], Mapping[str, Identified]] = {}
    for group in groups:
        task = folds.task[group.folds]
        known = (task >= 0).all(0)
        losses = None
        if group.is_of_networks:
            logits = [t.logits for t in group.targets if t.logits is not None]
            if group.has_classes:
                losses = np.stack([_losses(*of_fold) for of_fold in zip(logits, task)])
            else:
                target = np.asarray(folds.target)[group.folds]
                errors = np.stack(logits)[..., 0] - np.nan_to_num(target)
                losses = errors.astype(np.float64) ** 2
        try:
            networks = Networks(
                group.h,
                speakers,
                Split(*(part[group.folds] & known for part in folds.split)),
                losses=losses,
                emotion=task[0],
                kind=kind,
                session=renumber(sessions) if len(sessions) == len(utterances) else None,
                inputs=raw[0] if raw else None,
            )
            results[group.numbers] = identify(networks)
        except ValueError:  # too few speakers for a comparison
            break
    return results


def _columns_of(result: Identified) -> Row:
    return {
        "auc": result.auc,
        "accuracy": result.accuracy,
        "shuffled": result.shuffled,
        "lower": result.lower,
        "upper": result.upper,
        "minimum_detectable": result.minimum_detectable,
        "p": result.p,
        "verdict": result.verdict,
        "attacker": result.attacker,
        "inputs_auc": result.inputs_auc,
        "inputs_p": result.inputs_p,
    }


_Pair = tuple[Group, Mapping[str, Identified], Mapping[str, Identified]]


def _against_zero(
    groups: Sequence[Group], identified: Mapping[tuple[int, ...], Mapping[str, Identified]]
) -> list[list[_Pair]]:
    """For each setting, of all seeds: the group, its result, and that at lambda 0."""
    of_setting: dict[tuple, list[_Pair]] = {}
    for group in groups:
        ordinary = without_protection(group, groups)
        after = identified.get(group.numbers)
        before = None if ordinary is None else identified.get(ordinary.numbers)
        if after is not None and before is not None:
            settings = group.targets[0].settings
            key = tuple(v for n, v in settings.items() if n not in ("fold", "seed"))
            of_setting.setdefault(key, []).append((group, after, before))
    return list(of_setting.values())


def _losses(logits: np.ndarray, task: np.ndarray) -> np.ndarray:
    """float[N]: cross-entropy of logits [N, C] at the labels, of unknown ones at class 0."""
    odds = scipy.special.log_softmax(np.asarray(logits, np.float64), axis=1)
    return -odds[np.arange(len(task)), np.maximum(task, 0)]
