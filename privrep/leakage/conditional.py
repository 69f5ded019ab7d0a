"""Conditional leakage: how much of a leak a covariate (emotion, script, session, length) explains.

h may reveal the gender only because it reveals the emotion, and women were recorded angrier than
men. Such a leak is a property of the corpus: whoever recognises the emotion can predict the gender
as well, and unlearning the leak would remove the emotion too. Therefore three results are compared:
the UAR from h, the UAR from the covariate Z alone, and the UAR from h among utterances with one
value of Z (host).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import kernel, linear
from privrep.attacks.protocol import Attack, Attacked
from privrep.statistics.confidence import standard_error
from privrep.statistics.design import Design, design, speaker_labels
from privrep.statistics.permutation_test import permute
from privrep.statistics.strata import (
    Covariate,
    residual,
    share_judged,
    strata_of_speakers,
    studentised,
    within_uar,
)
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import Scores, Verdict, judge
from privrep.types import SECONDARY, InferenceSettings, Sample, renumber

ATTACKERS: dict[str, Attack] = {"linear": linear, "kernel": kernel}
_MIN_FOLDS = 3  # folds with speakers of a stratum, for it to have an attacker of its own
_MAX_COLUMNS = 256  # of Z alone: its most frequent values
_SMALL_SHARE = 0.5  # of utterances in strata with two classes, below which the share is reported


class Explained(NamedTuple):
    """The relation of a covariate Z to the leak, in plain values.

    Attributes:
      name: of Z.
      strata: number of values of Z, or of intervals of a number.
      share: of the utterances that lie in a stratum with two classes; only these can show what h
        reveals beyond Z.
      total: the verdict on h.
      covariate_alone: the verdict on Z without h.
      beyond: the verdict on h among utterances with one value of Z. Its scores are mean UARs within
        strata.
      shared: total.uar - beyond.uar; negative where Z hides a part of the leak.
      attacker: the strongest of `beyond`.
      conclusion: one or two sentences.
    """

    name: str
    strata: int
    share: float
    total: Verdict
    covariate_alone: Verdict
    beyond: Verdict
    shared: float
    attacker: str
    conclusion: str


def across(attack: Attack, covariate: Covariate) -> Attack:
    """One attacker of all strata together, on h minus its mean given Z."""

    def attacked(
        seed: int,
        h: np.ndarray,
        labels: np.ndarray,
        speakers: np.ndarray,
        folds: np.ndarray,
        num_classes: int,
        only: int | None = None,
    ) -> Attacked:
        left = residual(h, covariate)
        return attack(seed, left, labels, speakers, folds, num_classes, only)

    return attacked


def inside(attack: Attack, covariate: Covariate) -> Attack:
    """As `across`, but every stratum with speakers in three folds has an attacker of its own.

    This detects a leak that differs between strata. Little is lost by dividing the data, as the
    number of speakers, and not of utterances, is what limits an attacker.
    """

    def attacked(
        seed: int,
        h: np.ndarray,
        labels: np.ndarray,
        speakers: np.ndarray,
        folds: np.ndarray,
        num_classes: int,
        only: int | None = None,
    ) -> Attacked:
        left = residual(h, covariate)
        predictions = np.zeros(labels.shape, np.int16)
        scores = np.zeros((len(h), num_classes), np.float32)
        chosen: list[str] = []
        separate: list[np.ndarray] = []
        small: list[np.ndarray] = []
        for rows in covariate.rows:
            is_large = len(np.unique(folds[rows])) >= _MIN_FOLDS
            (separate if is_large else small).append(rows)
        parts = [*separate, *([np.concatenate(small)] if small else [])]
        for rows in parts:
            present, part_folds = np.unique(folds[rows], return_inverse=True)
            if len(present) < _MIN_FOLDS or (only is not None and only not in present):
                continue  # too few to train on: class 0 is predicted for all
            tested = None if only is None else int(np.searchsorted(present, only))
            speaker = renumber(speakers[rows])
            result = attack(
                seed, left[rows], labels[:, rows], speaker, part_folds, num_classes, tested
            )
            predictions[:, rows], scores[rows] = result.predictions, result.log_likelihoods
            chosen += result.chosen
        return Attacked(predictions, scores, tuple(chosen))

    return attacked


FORMS: dict[str, Callable[[Attack, Covariate], Attack]] = {"across": across, "inside": inside}


def explain(
    sample: Sample,
    covariates: Sequence[Covariate],
    *,
    attackers: Mapping[str, Attack] = ATTACKERS,
    settings: InferenceSettings = SECONDARY,
) -> tuple[Explained, ...]:
    """Measures a leak, the leak of each covariate alone, and the leak of h beyond it.

    Speakers, folds and permutations are as in `measurement.measure`. Beyond Z, every attacker is
    used in two forms, `across` and `inside`. Its score is the mean over strata of the UAR within
    them (`strata.score_within`), tested by the same permutation test over speakers with everything
    trained anew. Predicting from Z scores chance within strata, whatever Z reveals about the
    attribute. Where every speaker has one value of Z, labels are permuted between speakers of equal
    value; otherwise between all, and scores are studentised (`strata.studentised`).

    Args:
      sample: none of its labels unknown.
      covariates: each of N utterances; see `strata.covariate`.
      attackers: {name: Attack}, fast ones.
      settings: of the test.

    Raises:
      ValueError: too few speakers for 3 folds.
    """
    labels, speaker, seed = sample.labels, sample.speaker, settings.seed
    dealt = design(labels, speaker, sample.session, settings.folds, seed)
    permutations = permute(labels, speaker, dealt.strata, settings.permutations, seed, dealt.units)

    def verdict_on(attacks: Mapping[str, Attack], x: np.ndarray, folds: np.ndarray) -> Verdict:
        rows, errors = [], []
        for attack in attacks.values():
            result = attack(seed, x, permutations.labels, speaker, folds, sample.num_classes)
            rows.append(uars_of(result.predictions, permutations.labels, sample.num_classes))
            counts = confusion_counts(result.predictions[0], labels, speaker, sample.num_classes)
            errors.append(standard_error(counts, uar, speaker_labels(labels, speaker)))
        return judge(
            Scores(np.array(rows), np.array(errors)),
            permutations,
            sample.num_classes,
            settings.limit,
            settings.alpha,
        )[0]

    total = verdict_on(attackers, sample.h, dealt.folds)
    # Folds that keep the speakers of a session together would hide what the session reveals.
    free_folds = design(labels, speaker, None, settings.folds, seed).folds
    explained = []
    for z in covariates:
        alone = verdict_on({"linear": linear}, _one_hot(z), free_folds)
        beyond, attacker = _beyond(sample, z, dealt, attackers, settings)
        result = Explained(
            name=z.name,
            strata=int(z.strata.max()) + 1,
            share=share_judged(z, labels),
            total=total,
            covariate_alone=alone,
            beyond=beyond,
            shared=total.uar - beyond.uar,
            attacker=attacker,
            conclusion="",
        )
        explained.append(result._replace(conclusion=_conclusion(result)))
    return tuple(explained)


def _beyond(
    sample: Sample,
    covariate: Covariate,
    dealt: Design,
    attackers: Mapping[str, Attack],
    settings: InferenceSettings,
) -> tuple[Verdict, str]:
    """The verdict within strata, and the name of the strongest attacker with its form."""
    labels, speaker, num_classes = sample.labels, sample.speaker, sample.num_classes
    strata = strata_of_speakers(covariate, speaker, dealt.strata, dealt.units)
    permutations = permute(
        labels, speaker, strata, settings.permutations, settings.seed, dealt.units
    )
    chance = 1 / num_classes
    if len(permutations.labels) < 2 or not share_judged(covariate, labels):
        reason = (
            "No two classes, or no speakers whose labels could be permuted, share one "
            f"{covariate.name}."
        )
        bounds = (chance, 0.0, 1.0, 1.0, 1.0, np.inf, chance + settings.limit)
        return Verdict("cannot_tell", *bounds, reason), ""
    rows, errors, names = [], [], []
    for name, attack in attackers.items():
        for form_name, form in FORMS.items():
            result = form(attack, covariate)(
                settings.seed, sample.h, permutations.labels, speaker, dealt.folds, num_classes
            )
            scores, score_errors = within_uar(
                result.predictions, permutations.labels, speaker, covariate.strata, num_classes
            )
            rows.append(studentised(scores, score_errors, chance))
            errors.append(score_errors[0])
            names.append(f"{name}, {form_name} strata")
    of_all = Scores(np.array(rows), np.array(errors))
    verdict, _ = judge(of_all, permutations, num_classes, settings.limit, settings.alpha)
    return verdict, names[int(np.argmax(of_all.uars[:, 0]))]


def _one_hot(covariate: Covariate) -> np.ndarray:
    """float32[N, K + V]: indicators of the most frequent strata, and the numbers."""
    count = np.bincount(covariate.strata)
    kept = np.argsort(-count, kind="stable")[:_MAX_COLUMNS]
    columns = (covariate.strata[:, None] == np.sort(kept)).astype(np.float32)
    return np.concatenate([columns, covariate.values.astype(np.float32)], 1)


def _conclusion(result: Explained) -> str:
    z, beyond, alone = result.name, result.beyond, result.covariate_alone
    numbers = f"UAR {beyond.uar:.3f}, upper bound {beyond.upper:.3f}"
    if not result.share:
        return (
            f"No two classes share one {z}: leakage of the attribute and of {z} cannot be "
            "distinguished."
        )
    if beyond.verdict == "leaks":
        text = (
            f"h reveals the attribute beyond {z}: the leak remains among utterances of one {z} "
            f"({numbers})."
        )
        if alone.verdict == "leaks":
            text += f" {z} alone predicts the attribute with UAR {alone.uar:.3f}."
    elif result.total.verdict != "leaks":
        text = (
            f"No leak is shown with or without {z}, so that there is nothing to explain "
            f"({numbers})."
        )
    elif alone.verdict == "leaks":
        text = (
            f"The leak may be no more than the correlation of {z} with the attribute: {z} alone "
            f"predicts it with UAR {alone.uar:.3f}, and among utterances of one {z} no leak is "
            f"shown ({numbers}). Such a leak vanishes only together with what h reveals about {z}."
        )
    else:
        text = (
            f"Among utterances of one {z} no leak is shown ({numbers}), but {z} alone does not "
            "predict the attribute either and explains nothing: too few utterances can be compared."
        )
    if result.share < _SMALL_SHARE:
        text += f" Only {result.share:.0%} of the utterances share their {z} with another class."
    return text
