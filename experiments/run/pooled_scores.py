"""Scores of the networks of all folds together, over all speakers: columns of runs.csv.

A speaker is tested in one fold, so that the predictions of all folds together are about all
speakers, who are the sample; scores of single folds mean little. Attackers see at most 10,000
utterances, drawn evenly from the speakers, as in an audit: speakers are the scarce resource.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from experiments.results.columns import Row
from experiments.run.attack_stage import AttackTarget
from experiments.run.emotion_scores import put_emotion
from experiments.run.load_data import Loaded
from experiments.run.speaker_changes import Counted, put_changes
from experiments.run.target_groups import Group, groups_of, put, without_protection
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.inputs.labels import private_labels
from privrep.leakage.attribute_matrix import why_not
from privrep.leakage.fold_measurement import (
    LINEAR,
    FoldAttackers,
    FoldMeasurement,
    measure_folds,
    threats_on_folds,
)
from privrep.leakage.fold_sample import FoldSample
from privrep.leakage.number_folds import measure_number_folds
from privrep.leakage.subsample import MAX_UTTERANCES, draw_evenly
from privrep.leakage.verification import Conditions, VerificationTarget, closed_set, verify
from privrep.statistics.correlation import CorrelationVerdict
from privrep.statistics.strata import covariate
from privrep.statistics.verdict import Verdict
from privrep.types import Split, renumber

# Of the emotion label alone, which no network has hidden of anybody.
SEEN = FoldAttackers(LINEAR.seen, {})


def pooled(
    targets: Sequence[AttackTarget],
    loaded: Loaded,
    attributes: Sequence[str],
    kept: dict[str, list[Counted]] | None = None,
    begins: Callable[[str, AttackTarget], None] = lambda attribute, target: None,
) -> list[Row]:
    """Scores of each target that are about the networks of all folds together.

    <a>_pooled_{uar, lower, upper, minimum_detectable, floor, p, verdict}: `measure_folds`, of the
      attributes unlearned by linear and kernel attackers, of the others that the corpus has by
      linear ones; of speaker, unlearned or not, by verification on the kind of pairs that reveals
      most (across sessions, of one transcript, of one emotion).
    <a>_pooled_attacker, <a>_pooled_{seen,own}_{...}: the strongest attacker of these, and the
      verdicts on attackers who know the network's own training speakers, or others too.
    <a>_pooled_{20,all}_utterances_{...}: of all attackers with so many utterances of a person.
    <a>_pooled_beyond_sessions_{...}: the verdict where labels are permuted within sessions, or with
      them; where every utterance names its session.
    <a>_number_{correlation, lower, upper, minimum_detectable, p, verdict}: `measure_number_folds`,
      of the attributes unlearned that were numbers before they were put in bins.
    speaker_closed_set_{accuracy, chance}: `verification.closed_set` among the training speakers,
      mean over folds.
    <a>_pooled_{int8,ignorant}_uar: `threats_on_folds`, the ignorant attacker was trained on the
      networks of lambda 0.
    <a>_given_emotion_{...}: what h reveals beyond the task's label, by the linear attacker.
    <a>_from_emotion_{...}: what the label reveals alone.
    <a>_change_{difference, lower, upper, p}: the attacker's UAR less that at lambda 0, paired over
      speakers, all seeds together, with a 95 % interval.
    emotion_pooled_{uar, lower, upper}, emotion_change_{...}: of emotion, likewise.
    emotion_among_<a>=<value>_{uar, lower, upper}: of emotion, of the speakers with this value of an
      attribute unlearned; two of them at least.

    Args:
      attributes: that are unlearned.
      kept: {attribute: counts of the strongest attacker of each group}, added to; speakers are
        those of `tested_speakers`.
      begins: is handed each attribute that is unlearned with the first target of each group.
    """
    rows: list[Row] = [{} for _ in targets]
    groups = groups_of(targets, len(loaded.packed.data.folds.split.train))
    put_emotion(rows, groups, loaded, attributes)
    shown = _Shown(loaded)
    for attribute in [a for a in attributes if a != SPEAKER]:
        counted = _put_unlearned(rows, groups, shown, attribute, partial(begins, attribute))
        if kept is not None:
            kept[attribute] = counted
    for attribute, labels in others(loaded, attributes).items():
        _put_other(rows, groups, shown, attribute, labels)
    return rows


def essential(
    targets: Sequence[AttackTarget], loaded: Loaded, attributes: Sequence[str]
) -> list[Row]:
    """Of `pooled` what a choice needs, of networks alone.

    emotion_pooled_{...}, emotion_among_{...}, emotion_change_{...}, and <a>_pooled_{...} by
    `measure_folds` of the attributes that are unlearned.
    """
    rows: list[Row] = [{} for _ in targets]
    of_all = groups_of(targets, len(loaded.packed.data.folds.split.train))
    groups = [group for group in of_all if group.is_of_networks]
    put_emotion(rows, groups, loaded, attributes)
    shown = _Shown(loaded)
    for attribute in [a for a in attributes if a != SPEAKER]:
        labels = shown.labels(attribute)
        for group in groups if shown.has_classes(labels) else ():
            _put_measured(rows, group, shown.sample(group, labels), attribute)
    return rows


class _Shown:
    """The utterances that attackers are trained on and predict, at most MAX_UTTERANCES.

    Attributes:
      index: int[n], of the utterances.
      speakers: [n].
      conditions: of verification: sessions, transcripts and emotions, as far as there are any; no
        sessions unless every utterance names its own.
    """

    def __init__(self, loaded: Loaded) -> None:
        split = loaded.packed.data.folds.split
        used = np.flatnonzero((split.train | split.val | split.test).any(0))
        speakers = _speakers(loaded)
        codes = renumber(speakers[used])
        self.folds = loaded.packed.data.folds
        self.index = used[draw_evenly(codes, MAX_UTTERANCES, seed=0)]
        self.speakers = speakers[self.index]
        self.utterances = loaded.utterances
        self.conditions = self._conditions(loaded)

    def labels(self, attribute: str) -> np.ndarray:
        """int32[n] of an attribute that is unlearned, -1 unknown."""
        return self.folds.private[attribute][0][self.index]

    def is_judged(self, labels: np.ndarray) -> np.ndarray:
        """bool[n]: whether the label is known and the speaker tested in some fold."""
        return (labels >= 0) & self.folds.split.test[:, self.index].any(0)

    def has_classes(self, labels: np.ndarray) -> bool:
        """Whether there is anything to distinguish; not in an official test part of one class."""
        return len(np.unique(labels[self.is_judged(labels)])) > 1

    def sample(self, group: Group, labels: np.ndarray) -> FoldSample:
        """The group's h with labels int[n]."""
        session = self.conditions.session
        return FoldSample(self.h(group), labels, self.speakers, self.split(group), session)

    def numbers(self, attribute: str) -> np.ndarray:
        """float64[n] of an attribute that was put in bins; NaN where there is no number."""
        return np.array([self.utterances[i].numbers.get(attribute, np.nan) for i in self.index])

    def _conditions(self, loaded: Loaded) -> Conditions:
        utterances = [loaded.utterances[i] for i in self.index]
        contents = [
            covariate("transcript", [u.transcript for u in utterances]),
            covariate("emotion", self.folds.task[0][self.index].astype(str)),
        ]
        contents = [z for z in contents if z.strata.any()]
        sessions = [u.session for u in utterances if u.session is not None]
        known = len(sessions) == len(utterances)
        return Conditions(renumber(sessions) if known else None, contents)

    def h(self, group: Group) -> np.ndarray:
        """float32[K, n, D]."""
        return np.stack([t.pooled_h[self.index] for t in group.targets if t.pooled_h is not None])

    def split(self, group: Group) -> Split:
        """The parts of the group's folds, bool[K, n] each."""
        return Split(*(part[group.folds][:, self.index] for part in self.folds.split))

    def emotion(self, group: Group) -> np.ndarray:
        """int32[K, n]."""
        return self.folds.task[group.folds][:, self.index]


def _put_unlearned(
    rows: Sequence[Row],
    groups: Sequence[Group],
    shown: _Shown,
    attribute: str,
    begins: Callable[[AttackTarget], None],
) -> list[Counted]:
    """Columns of an attribute that is unlearned, by attackers of all folds together, and counts."""
    labels = shown.labels(attribute)
    if not shown.has_classes(labels):
        return []
    counted, label_alone = [], None
    numbers = shown.numbers(attribute)
    for group in groups:
        begins(group.targets[0])
        sample, emotion = shown.sample(group, labels), shown.emotion(group)
        measured = _put_measured(rows, group, sample, attribute)
        counted.append(Counted(group, measured.counts))
        if np.isfinite(numbers).any():
            verdict = measure_number_folds(sample.h, numbers, sample.speakers, sample.split)
            put(rows, group, f"{attribute}_number", _of_number(verdict))
        ordinary = without_protection(group, groups)
        before = None if ordinary is None else shown.h(ordinary)
        rungs = threats_on_folds(sample, unprotected=before)
        put(rows, group, f"{attribute}_pooled", {f"{name}_uar": uar for name, uar in rungs.items()})
        in_total = sample._replace(session=None)
        beyond = measure_folds(in_total, given=emotion, attackers=SEEN)
        put(rows, group, f"{attribute}_given_emotion", _columns_of(beyond.verdict))
        if label_alone is None:
            one_hot = (emotion[..., None] == np.arange(emotion.max() + 1)).astype(np.float32)
            label_alone = measure_folds(in_total._replace(h=one_hot), attackers=SEEN)
        put(rows, group, f"{attribute}_from_emotion", _columns_of(label_alone.verdict))
    put_changes(rows, counted, attribute)
    return counted


def _put_measured(
    rows: Sequence[Row], group: Group, sample: FoldSample, attribute: str
) -> FoldMeasurement:
    measured = measure_folds(sample)
    put(rows, group, f"{attribute}_pooled", _measured_columns(measured))
    return measured


def tested_speakers(loaded: Loaded, attribute: str) -> np.ndarray:
    """str[S]: the speakers whose counts `pooled` keeps, in their order."""
    shown = _Shown(loaded)
    return np.unique(shown.speakers[shown.is_judged(shown.labels(attribute))])


def _put_other(
    rows: Sequence[Row],
    groups: Sequence[Group],
    shown: _Shown,
    attribute: str,
    labels: np.ndarray,
) -> None:
    """Columns of an attribute that is not unlearned, or of speaker."""
    labels = labels[shown.index]
    for group in groups:
        sample = shown.sample(group, labels)
        try:
            if attribute == SPEAKER:
                h, split = sample.h, sample.split
                parts = zip(h, split.train | split.val, split.test)
                attacked = [VerificationTarget(*part) for part in parts]
                verdict = verify(attacked, labels, conditions=shown.conditions).verdict
                columns = _columns_of(verdict)
                scores = [closed_set(0, *of_fold, labels) for of_fold in zip(h, split.train)]
                means = dict(zip(("accuracy", "chance"), np.mean(scores, 0).tolist()))
                put(rows, group, f"{SPEAKER}_closed_set", means)
            else:
                columns = _measured_columns(measure_folds(sample, attackers=LINEAR))
        except ValueError:  # too few of a class among the tested
            break
        put(rows, group, f"{attribute}_pooled", columns)


def others(loaded: Loaded, attributes: Sequence[str]) -> dict[str, np.ndarray]:
    """{attribute: int32[N]} of the private attributes that are not unlearned and can be judged.

    And of speaker, unlearned or not, who is verified either way.
    """
    at_hand = dict.fromkeys(name for u in loaded.utterances for name in u.private)
    # A manifest's columns may be both; what h is meant to reveal is not private.
    tasks = {name for u in loaded.utterances for name in (*u.ratings, *u.categories)}
    labels_of, speakers = {}, _speakers(loaded)
    for attribute in [*at_hand, SPEAKER]:
        if (attribute in attributes and attribute != SPEAKER) or attribute in tasks:
            continue
        try:
            codes, names = private_labels(loaded.utterances, attribute)
        except ValueError:
            continue  # one value only
        if attribute == SPEAKER or not why_not(codes, names, speakers):
            labels_of[attribute] = codes
    return labels_of


def _speakers(loaded: Loaded) -> np.ndarray:
    return np.array([u.speaker for u in loaded.utterances])


def _of_number(verdict: CorrelationVerdict) -> Row:
    return {
        "correlation": verdict.correlation,
        "lower": verdict.lower,
        "upper": verdict.upper,
        "minimum_detectable": verdict.minimum_detectable,
        "p": verdict.p,
        "verdict": verdict.verdict,
    }


def _columns_of(verdict: Verdict) -> Row:
    return {
        "uar": verdict.uar,
        "lower": verdict.lower,
        "upper": verdict.upper,
        "minimum_detectable": verdict.minimum_detectable,
        "floor": verdict.floor,
        "p": verdict.p,
        "verdict": verdict.verdict,
    }


def _measured_columns(measured: FoldMeasurement) -> Row:
    columns = _columns_of(measured.verdict) | {"attacker": measured.strongest}
    for knowledge, verdict in measured.by_knowledge.items():
        columns |= {f"{knowledge}_{name}": value for name, value in _columns_of(verdict).items()}
    most = max(measured.victims, default=0)
    for utterances, verdict in measured.victims.items():
        place = f"{'all' if utterances == most else utterances}_utterances"
        columns |= {f"{place}_{name}": value for name, value in _columns_of(verdict).items()}
    if measured.beyond_sessions is not None:
        beyond = _columns_of(measured.beyond_sessions)
        columns |= {f"beyond_sessions_{name}": value for name, value in beyond.items()}
    return columns
