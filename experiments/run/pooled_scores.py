"""What a setting's networks of all folds show together, over all speakers: columns of runs.csv.

A speaker is tested in one fold, so that the guesses of all folds together are about all speakers,
who are the sample; scores of single folds mean little. Attackers meet at most 10,000 utterances,
drawn evenly from the speakers, as in an audit: it is the speakers that there are few of.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from experiments.config.lambdas import is_zero
from experiments.results.columns import PROTECTION
from experiments.run.load_data import Loaded
from privrep.attacks.lda import linear
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.inputs.labels import private_labels
from privrep.leakage.attribute_matrix import why_not
from privrep.leakage.fold_measurement import measure_folds, threats_on_folds
from privrep.leakage.subsample import MAX_UTTERANCES, draw_evenly
from privrep.leakage.verification import VerificationTarget, closed_set, verify
from privrep.statistics.confidence import interval
from privrep.statistics.paired_comparison import compare
from privrep.statistics.uar import confusion_counts
from privrep.statistics.verdict import Verdict
from privrep.types import Split

Row = dict[str, Any]
Settings = Sequence[tuple[Row, str]]  # of each row its settings, `fold` among them, and its control
Columns = dict[str, list]

JUDGED = ("uar", "lower", "upper", "p", "verdict")
LINEAR = {"linear": linear}


def together(settings: Settings, h: Sequence[np.ndarray | None], num_folds: int) -> list[list[int]]:
    """Rows that differ in the fold alone, of settings with a finite h in every fold."""
    groups: dict[tuple, list[int]] = {}
    for i, (row, control) in enumerate(settings):
        told = tuple(value for name, value in row.items() if name != "fold")
        groups.setdefault((told, control), []).append(i)
    return [
        rows
        for rows in groups.values()
        if len({settings[i][0]["fold"] for i in rows}) == num_folds
        and all(h[i] is not None and np.isfinite(h[i]).all() for i in rows)
    ]


def fill(
    columns: Columns, count: int, rows: Sequence[int], place: str, values: Mapping[str, Any]
) -> None:
    """Puts what all `rows` show together under <place>_<name>, None where it is no finite number.

    Args:
      columns: added to; a new column has `count` cells.
    """
    for name, value in values.items():
        column = columns.setdefault(f"{place}_{name}", [None] * count)
        known = value is not None and (isinstance(value, str) or math.isfinite(value))
        for i in rows:
            column[i] = value if known else None


def pooled(
    h: Sequence[np.ndarray | None],
    settings: Settings,
    loaded: Loaded,
    attributes: Sequence[str],
    emotions: Sequence[np.ndarray],
) -> Columns:
    """All columns that are about the networks of all folds together, with a value per row.

    <a>_pooled_{uar, lower, upper, minimum_detectable, p, verdict}: `measure_folds`, of the
      attributes unlearned by the linear and the kernel attacker, of the others that the corpus has
      by the linear one; of speaker, unlearned or not, by verification.
    speaker_closed_set_{accuracy, chance}: `verification.closed_set` among the training speakers,
      mean over folds.
    <a>_pooled_{int8,ignorant}_uar: `threats_on_folds`, who is ignorant has learned at lambda 0.
    <a>_given_emotion_{...}: what h tells beyond the task's label, by the linear attacker.
    <a>_from_emotion_{...}: what the label tells alone.
    <a>_change_{difference, lower, upper, p}: the attacker's UAR less that at lambda 0, paired over
      speakers, all seeds together, with a 95 % interval.
    emotion_pooled_{uar, lower, upper}, emotion_change_{...}: of emotion, likewise.
    emotion_among_<a>=<value>_{uar, lower, upper}: of emotion, of the speakers with this value of an
      attribute unlearned; two of them at least.

    Args:
      h: float[N, D] of each row; None where there is none.
      settings: of each row.
      attributes: that are unlearned.
      emotions: int[N] of the first rows, the network's guess of each utterance's class.
    """
    folds, speakers = loaded.packed.data.folds, _speakers(loaded)
    found: Columns = {}
    put = partial(fill, found, len(h))
    groups = together(settings, h, len(folds.split.train))
    guessed: dict[int, np.ndarray] = {}  # counts by the first row of a group
    for rows in groups:
        if rows[0] < len(emotions):
            guessed[rows[0]] = _emotion_counts(rows, settings, folds, speakers, emotions)
    _intervals(guessed, groups, settings, put, "emotion_pooled")
    _compared(guessed, groups, settings, put, "emotion")
    met = _met(speakers, folds.split)
    people = speakers[met]

    def of(rows: Sequence[int]) -> tuple[np.ndarray, Split, np.ndarray]:
        """h [K, n, D], parts [K, n] and emotions [K, n] of the utterances that are met."""
        k = [settings[i][0]["fold"] for i in rows]
        split = Split(*(part[k][:, met] for part in folds.split))
        return np.stack([h[i][met] for i in rows]), split, folds.task[k][:, met]

    for attribute in [a for a in attributes if a != SPEAKER]:
        labels = folds.private[attribute][0]
        for code, value in enumerate(private_labels(loaded.utterances, attribute)[1]):
            among = labels == code
            counts = {
                rows[0]: _emotion_counts(rows, settings, folds, speakers, emotions, among)
                for rows in groups
                if rows[0] < len(emotions)
            }
            if all(len(of_speaker) > 1 for of_speaker in counts.values()):
                _intervals(counts, groups, settings, put, f"emotion_among_{attribute}={value}")
        labels = labels[met]
        if len(np.unique(labels[folds.split.test[:, met].any(0) & (labels >= 0)])) < 2:
            continue  # an official test part of one class, say
        counts = {}
        label_alone = None
        for rows in groups:
            x, split, emotion = of(rows)
            told = measure_folds(x, labels, people, split)
            put(rows, f"{attribute}_pooled", _judged(told.verdict))
            counts[rows[0]] = told.counts
            bare = without_protection(rows, groups, settings)
            before = None if bare is None else of(bare)[0]
            climbed = threats_on_folds(x, labels, people, split, unprotected=before)
            put(rows, f"{attribute}_pooled", {f"{name}_uar": v for name, v in climbed.items()})
            beyond = measure_folds(x, labels, people, split, given=emotion, attackers=LINEAR)
            put(rows, f"{attribute}_given_emotion", _judged(beyond.verdict))
            if label_alone is None:
                one_hot = (emotion[..., None] == np.arange(emotion.max() + 1)).astype(np.float32)
                label_alone = measure_folds(one_hot, labels, people, split, attackers=LINEAR)
            put(rows, f"{attribute}_from_emotion", _judged(label_alone.verdict))
        _compared(counts, groups, settings, put, attribute)
    for attribute, labels in others(loaded, attributes).items():
        for rows in groups:
            x, split, _ = of(rows)
            try:
                if attribute == SPEAKER:
                    parts = zip(x, split.train | split.val, split.test)
                    verdict = verify([VerificationTarget(*part) for part in parts], labels[met])
                    scores = [closed_set(0, *one, labels[met]) for one in zip(x, split.train)]
                    told = dict(zip(("accuracy", "chance"), np.mean(scores, 0).tolist()))
                    put(rows, f"{SPEAKER}_closed_set", told)
                else:
                    told = measure_folds(x, labels[met], people, split, attackers=LINEAR)
                    verdict = told.verdict
            except ValueError:  # too few of a class among the tested
                break
            put(rows, f"{attribute}_pooled", _judged(verdict))
    return found


def _met(speakers: np.ndarray, split: Split) -> np.ndarray:
    """int[n]: the utterances that attackers learn from and guess, at most MAX_UTTERANCES."""
    there = np.flatnonzero((split.train | split.val | split.test).any(0))
    codes = np.unique(speakers[there], return_inverse=True)[1]
    return there[draw_evenly(codes, MAX_UTTERANCES, seed=0)]


def without_protection(rows, groups, settings) -> list[int] | None:
    """The group at lambda 0 that is like `rows` in all else; None for itself and for controls."""

    def rest(i: int) -> dict:
        return {n: v for n, v in settings[i][0].items() if n not in (*PROTECTION, "fold")}

    row, control = settings[rows[0]]
    if control or is_zero(row["lambda"]):
        return None
    zeros = [
        of for of in groups if not settings[of[0]][1] and is_zero(settings[of[0]][0]["lambda"])
    ]
    return next((of for of in zeros if rest(of[0]) == rest(rows[0])), None)


def others(loaded: Loaded, attributes: Sequence[str]) -> dict[str, np.ndarray]:
    """{attribute: int32[N]} of the private attributes that are not unlearned and can be judged.

    And of speaker, unlearned or not, who is verified either way.
    """
    there = dict.fromkeys(name for u in loaded.utterances for name in u.private)
    # A manifest's columns may be both; what h is there to tell is no secret.
    tasks = {name for u in loaded.utterances for name in (*u.ratings, *u.categories)}
    found, speakers = {}, _speakers(loaded)
    for attribute in [*there, SPEAKER]:
        if (attribute in attributes and attribute != SPEAKER) or attribute in tasks:
            continue
        try:
            codes, names = private_labels(loaded.utterances, attribute)
        except ValueError:
            continue  # one value only
        if attribute == SPEAKER or not why_not(codes, names, speakers):
            found[attribute] = codes
    return found


def _speakers(loaded: Loaded) -> np.ndarray:
    return np.array([u.speaker for u in loaded.utterances])


def _judged(verdict: Verdict) -> dict[str, Any]:
    columns = {name: getattr(verdict, name) for name in JUDGED}
    return columns | {"minimum_detectable": verdict.minimum_detectable}


def _emotion_counts(rows, settings, folds, speakers, emotions, among=True) -> np.ndarray:
    """int64[S, C, C] of the tested speakers, by their utterances `among` bool[N]."""
    guessed = np.zeros(len(speakers), int)
    truth = np.full(len(speakers), -1)
    for i in rows:
        k = settings[i][0]["fold"]
        tested = folds.split.test[k]
        guessed[tested], truth[tested] = emotions[i][tested], folds.task[k][tested]
    tested = (truth >= 0) & among
    if not tested.any():
        return np.zeros((0, 1, 1), int)
    who = np.unique(speakers[tested], return_inverse=True)[1]
    return confusion_counts(guessed[tested], truth[tested], who, int(folds.task.max()) + 1)


def _by_seed(counts, groups, settings) -> dict[tuple, dict[Any, list[int]]]:
    """{(settings, control, protection): {seed: its rows}} of the groups with counts."""
    seeds: dict[tuple, dict[Any, list[int]]] = {}
    for rows in groups:
        row, control = settings[rows[0]]
        if rows[0] in counts:
            rest = tuple(v for n, v in row.items() if n not in ("fold", "seed", *PROTECTION))
            protection = tuple(None if control else row.get(name) for name in PROTECTION)
            seeds.setdefault((rest, control, protection), {})[row["seed"]] = rows
    return seeds


def _intervals(counts, groups, settings, put, place: str) -> None:
    """Of every setting; seeds are added up."""
    for of_seed in _by_seed(counts, groups, settings).values():
        rows = [i for one in of_seed.values() for i in one]
        score, lower, upper, _ = interval(sum(counts[one[0]] for one in of_seed.values()))
        put(rows, place, {"uar": score, "lower": lower, "upper": upper})


def _compared(counts, groups, settings, put, place: str) -> None:
    """The difference of every setting to lambda 0; seeds are added up."""
    seeds = _by_seed(counts, groups, settings)
    for (rest, control, (lambda_, *_)), of_seed in seeds.items():
        if control or is_zero(lambda_):
            continue
        zeros = next(
            (of for (r, c, (z, *_)), of in seeds.items() if r == rest and not c and is_zero(z)), {}
        )
        both = [seed for seed in of_seed if seed in zeros]
        if both:
            a = sum(counts[of_seed[seed][0]] for seed in both)
            b = sum(counts[zeros[seed][0]] for seed in both)
            told = compare(a, b)._asdict()
            told.pop("smallest_p")
            put([i for one in of_seed.values() for i in one], f"{place}_change", told)
