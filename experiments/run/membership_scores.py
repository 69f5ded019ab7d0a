"""Whether a setting's networks give away whom they were trained on: columns of runs.csv."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import scipy.special

from experiments.run.load_data import Loaded
from experiments.run.pooled_scores import Columns, Settings, fill, together, without_protection
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.leakage.membership.identify import Identified, Networks, changed, identify
from privrep.types import Split

TOLD = ("auc", "accuracy", "shuffled", "lower", "upper", "p", "verdict", "attacker")


def membership(
    h: Sequence[np.ndarray | None],
    settings: Settings,
    loaded: Loaded,
    attributes: Sequence[str],
    logits: Sequence[np.ndarray],
) -> Columns:
    """Columns of `identify.identify` for h and labels, a value per row.

    <known>_membership_{auc, accuracy, shuffled, lower, upper, minimum_detectable, p, verdict,
      attacker}: known is what the attacker has, h or labels.
    labels_membership_{both, loss, reference}_auc: of each attacker who has labels.
    <known>_membership_change_{difference, lower, upper, p}: the AUC less that at lambda 0, paired
      over speakers, all seeds together.

    Where too few speakers are tested there are no columns.

    Args:
      h, settings, attributes: as in `pooled_scores.pooled`.
      logits: float[N, C] of the first rows, of the emotion from the released h.
    """
    folds, utterances = loaded.packed.data.folds, loaded.utterances
    speakers = np.array([u.speaker for u in utterances])
    balanced = [a for a in attributes if a != SPEAKER] or ["gender"]  # as the folds are
    kind = _numbered([str([u.private.get(a) for a in balanced]) for u in utterances])
    sessions = [u.session for u in utterances]
    groups = together(settings, h, len(folds.split.train))
    found: dict[int, dict[str, Identified]] = {}
    for rows in groups:
        k = [settings[i][0]["fold"] for i in rows]
        task = folds.task[k]
        known = (task >= 0).all(0)
        losses = None
        if rows[-1] < len(logits):
            losses = np.stack([_losses(logits[i], of) for i, of in zip(rows, task)])
        try:
            networks = Networks(
                np.stack([h[i] for i in rows]),
                speakers,
                Split(*(part[k] & known for part in folds.split)),
                losses=losses,
                emotion=task[0],
                kind=kind,
                session=None if None in sessions else _numbered(sessions),
            )
            found[rows[0]] = identify(networks)
        except ValueError:  # too few speakers to be told apart
            break
    columns: Columns = {}
    put = partial(fill, columns, len(h))
    for rows in groups:
        for known, told in found.get(rows[0], {}).items():
            put(rows, f"{known}_membership", {name: getattr(told, name) for name in TOLD})
            put(rows, f"{known}_membership", {"minimum_detectable": told.minimum_detectable})
            each = {f"{name}_auc": auc for name, auc in told.aucs.items() if known != name}
            put(rows, f"{known}_membership", each)
    for pairs in _against_zero(groups, settings, found):
        rows = [i for own, _, _ in pairs for i in own]
        for known in set.intersection(*({*a} & {*b} for _, a, b in pairs)):
            told = changed([a[known] for _, a, _ in pairs], [b[known] for _, _, b in pairs])
            told = {name: getattr(told, name) for name in ("difference", "lower", "upper", "p")}
            put(rows, f"{known}_membership_change", told)
    return columns


def _against_zero(groups, settings, found) -> list[list[tuple]]:
    """For each setting of all seeds: rows, what was found, and what at lambda 0."""
    of_setting: dict[tuple, list[tuple]] = {}
    for rows in groups:
        zero = without_protection(rows, groups, settings)
        if zero is not None and rows[0] in found and zero[0] in found:
            told = settings[rows[0]][0]
            key = tuple(v for n, v in told.items() if n not in ("fold", "seed"))
            of_setting.setdefault(key, []).append((rows, found[rows[0]], found[zero[0]]))
    return list(of_setting.values())


def _losses(logits: np.ndarray, task: np.ndarray) -> np.ndarray:
    """float[N]: cross-entropy of logits [N, C] at the labels, of unknown ones at class 0."""
    odds = scipy.special.log_softmax(np.asarray(logits, np.float64), axis=1)
    return -odds[np.arange(len(task)), np.maximum(task, 0)]


def _numbered(values: Sequence[str]) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]
