"""How much of a leak the emotion label, the script, the session or the length explains (host).

h may tell the gender only because it tells the emotion, and women were recorded angrier than men.
Such a leak is not the network's: whoever hears the emotion knows as much, and unlearning it would
take the emotion with it. So three numbers stand side by side: what h tells, what the covariate Z
tells alone, and what h tells among utterances of one value of Z.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import kernel, linear
from privrep.attacks.protocol import Attack, Attacked
from privrep.statistics.confidence import standard_error
from privrep.statistics.permutation_test import Design, design, permute, speaker_labels
from privrep.statistics.strata import (
    Covariate,
    residual,
    share_judged,
    strata_of_speakers,
    studentised,
    within_uar,
)
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import ALPHA, LIMIT, Verdict, judge

ATTACKERS = {"linear": linear, "kernel": kernel}
_LEAST = 3  # folds that hold speakers of a stratum, for it to have an attacker of its own
_COLUMNS = 256  # of Z alone: the most frequent values
_FEW = 0.5  # share of utterances under which it is said how few could be judged


class Explained(NamedTuple):
    """What a covariate Z has to do with the leak, in plain values.

    Attributes:
      name: of Z.
      strata: how many values of Z, or intervals of a number.
      share: of the utterances that are in a stratum with speakers of two classes; only these can
        show what h tells beyond Z.
      total: what h tells.
      alone: what Z tells without h.
      given: what h tells among utterances of one Z. Its scores are mean UARs within strata.
      shared: total.uar - given.uar; negative where Z hides a part of the leak.
      attacker: the strongest of `given`.
      says: one or two sentences.
    """

    name: str
    strata: int
    share: float
    total: Verdict
    alone: Verdict
    given: Verdict
    shared: float
    attacker: str
    says: str


def across(attack: Attack, covariate: Covariate) -> Attack:
    """The attack on what is left of h when its mean given Z is taken off; of all strata at once."""

    def attacked(seed, h, labels, speakers, folds, num_classes, **asked):
        left = residual(h, covariate)
        return attack(seed, left, labels, speakers, folds, num_classes, **asked)

    return attacked


def inside(attack: Attack, covariate: Covariate) -> Attack:
    """As `across`, but every stratum with speakers in three folds has an attacker of its own.

    As speakers, and not utterances, are what there are few of, little is lost by the division, and
    a leak that differs from stratum to stratum is found.
    """

    def attacked(seed, h, labels, speakers, folds, num_classes, only=None):
        left = residual(h, covariate)
        predictions = np.zeros(labels.shape, np.int16)
        scores = np.zeros((len(h), num_classes), np.float32)
        chosen: list[str] = []
        order = np.argsort(covariate.strata, kind="stable")
        starts = np.flatnonzero(np.diff(covariate.strata[order], prepend=-1))
        alone, others = [], []
        for rows in np.split(order, starts[1:]):
            several = len(np.unique(folds[rows])) >= _LEAST
            (alone if several else others).append(rows)
        parts = [*alone, *([np.concatenate(others)] if others else [])]
        for rows in parts:
            there, of_part = np.unique(folds[rows], return_inverse=True)
            if len(there) < _LEAST or (only is not None and only not in there):
                continue  # too few to learn from: class 0 is guessed of all
            asked = {} if only is None else {"only": int(np.searchsorted(there, only))}
            people = np.unique(speakers[rows], return_inverse=True)[1].astype(np.int32)
            found = attack(seed, left[rows], labels[:, rows], people, of_part, num_classes, **asked)
            predictions[:, rows], scores[rows] = found.predictions, found.log_likelihoods
            chosen += found.chosen
        return Attacked(predictions, scores, tuple(chosen))

    return attacked


FORMS: dict[str, Callable[[Attack, Covariate], Attack]] = {"across": across, "inside": inside}


def explain(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    covariates: Sequence[Covariate],
    *,
    sessions: np.ndarray | None = None,
    attackers: Mapping[str, Attack] = ATTACKERS,
    num_folds: int = 5,
    num_permutations: int = 99,
    limit: float = LIMIT,
    alpha: float = ALPHA,
    seed: int = 0,
) -> tuple[Explained, ...]:
    """Measures a leak, what each covariate tells alone, and what h tells beyond it.

    Speakers, folds and exchanges are as in `measurement.measure`. Beyond Z, every attacker comes in
    two forms, `across` and `inside`; it is scored by the mean over strata of the UAR within them
    (`strata.score_within`) and judged by the same test over speakers, in which all is learned anew
    from exchanged labels. Guessing from Z scores chance within strata, whatever Z tells of the
    attribute. Where every speaker has one value of Z, labels are exchanged between speakers of the
    same value; else between all, and scores are studentised (`strata.studentised`).

    Args:
      h: float[N, D], finite.
      labels: int32[N], classes 0 to C - 1, none unknown.
      speakers: int32[N] from 0 to S - 1.
      covariates: each of N utterances; see `strata.covariate`.
      attackers: {name: Attack}, of those that cost little.
      sessions, num_folds, num_permutations, limit, alpha, seed: see `measurement.measure`.

    Raises:
      ValueError: too few speakers for 3 folds.
    """
    num_classes = int(labels.max()) + 1
    dealt = design(labels, speakers, sessions, num_folds, seed)
    exchanged = permute(labels, speakers, dealt.strata, num_permutations, seed, dealt.units)

    def tried(attacks: Mapping[str, Attack], x: np.ndarray, folds: np.ndarray) -> Verdict:
        rows, errors = [], []
        for attack in attacks.values():
            found = attack(seed, x, exchanged.labels, speakers, folds, num_classes)
            rows.append(uars_of(found.predictions, exchanged.labels, num_classes))
            counts = confusion_counts(found.predictions[0], labels, speakers, num_classes)
            errors.append(standard_error(counts, uar, speaker_labels(labels, speakers)))
        return judge(np.array(rows), np.array(errors), exchanged, num_classes, limit, alpha)[0]

    total = tried(attackers, h.astype(np.float32), dealt.folds)
    # Folds that keep a session together would hide what the session tells.
    free = design(labels, speakers, None, num_folds, seed).folds
    explained = []
    for one in covariates:
        alone = tried({"linear": linear}, _one_hot(one), free)
        given, attacker = _given(
            h, labels, speakers, one, dealt, attackers, num_permutations, limit, alpha, seed
        )
        share = share_judged(one, labels)
        told = Explained(
            one.name,
            int(one.strata.max()) + 1,
            share,
            total,
            alone,
            given,
            total.uar - given.uar,
            attacker,
            "",
        )
        explained.append(told._replace(says=_says(told, alpha)))
    return tuple(explained)


def _given(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    covariate: Covariate,
    dealt: Design,
    attackers: Mapping[str, Attack],
    num_permutations: int,
    limit: float,
    alpha: float,
    seed: int,
) -> tuple[Verdict, str]:
    """The verdict within strata, and the name of the strongest attacker with its form."""
    num_classes = int(labels.max()) + 1
    strata = strata_of_speakers(covariate, speakers, dealt.strata, dealt.units)
    exchanged = permute(labels, speakers, strata, num_permutations, seed, dealt.units)
    if len(exchanged.labels) < 2 or not share_judged(covariate, labels):
        chance = 1 / num_classes
        reason = (
            f"No two classes, or no speakers who could exchange labels, share one {covariate.name}."
        )
        bounds = (chance, 0.0, 1.0, 1.0, 1.0, np.inf, chance + limit)
        return Verdict("cannot_tell", *bounds, reason), ""
    rows, errors, names = [], [], []
    for name, attack in attackers.items():
        for form_name, form in FORMS.items():
            found = form(attack, covariate)(
                seed,
                h.astype(np.float32),
                exchanged.labels,
                speakers,
                dealt.folds,
                num_classes,
            )
            scores, of_scores = within_uar(
                found.predictions, exchanged.labels, speakers, covariate.strata, num_classes
            )
            rows.append(studentised(scores, of_scores, 1 / num_classes))
            errors.append(of_scores[0])
            names.append(f"{name}, {form_name} strata")
    uars = np.array(rows)
    told = judge(uars, np.array(errors), exchanged, num_classes, limit, alpha)[0]
    return told, names[int(np.argmax(uars[:, 0]))]


def _one_hot(covariate: Covariate) -> np.ndarray:
    """float32[N, K + V]: the most frequent strata, and numbers as they are."""
    count = np.bincount(covariate.strata)
    kept = np.argsort(-count, kind="stable")[:_COLUMNS]
    columns = (covariate.strata[:, None] == np.sort(kept)).astype(np.float32)
    return np.concatenate([columns, covariate.values.astype(np.float32)], 1)


def _says(told: Explained, alpha: float) -> str:
    z, given, alone = told.name, told.given, told.alone
    beyond = f"UAR {given.uar:.3f}, at most {given.upper:.3f}"
    if not told.share:
        return (
            f"No two classes share one {z}: what h tells of the one and what of the other cannot "
            "be told apart."
        )
    if given.verdict == "leaks":
        said = f"h tells it beyond {z}: among utterances of one {z} it is found too ({beyond})."
        if alone.verdict == "leaks":
            said += f" {z} alone finds it at UAR {alone.uar:.3f}."
    elif told.total.verdict != "leaks":
        said = f"No leak is found with {z} or without: there is nothing to explain ({beyond})."
    elif alone.verdict == "leaks":
        said = (
            f"The leak may be no more than {z}'s own correlation with it: {z} alone finds it at "
            f"UAR {alone.uar:.3f}, and among utterances of one {z} nothing more is shown "
            f"({beyond}). Such a leak goes only with what h tells of {z}."
        )
    else:
        said = (
            f"Among utterances of one {z} no leak is shown ({beyond}), but {z} alone does not find "
            "it either, so that it explains nothing: too few can be compared to tell."
        )
    if told.share < _FEW:
        said += f" Only {told.share:.0%} of the utterances share their {z} with another class."
    return said
