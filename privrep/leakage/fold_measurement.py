"""The measurement of a network that was trained once per fold (see `measurement` for one h)."""

import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import ATTACKS, linear
from privrep.attacks.protocol import Attack
from privrep.leakage.conditional import FORMS
from privrep.leakage.threat_ladder import in_steps
from privrep.statistics.confidence import standard_error
from privrep.statistics.permutation_test import permute
from privrep.statistics.strata import Covariate, studentised, within_uar
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import ALPHA, LIMIT, Verdict, judge
from privrep.types import Split

Shown = Callable[[int], np.ndarray]  # fold -> h float[N, D] as its attacker has it


class FoldMeasurement(NamedTuple):
    """verdict; counts: int64[S, C, C], confusion counts of the strongest attacker per tested
    speaker, in the order of `numpy.unique(speakers)`, for `paired_comparison.compare`.
    """

    verdict: Verdict
    counts: np.ndarray


def measure_folds(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    split: Split,
    *,
    given: np.ndarray | None = None,
    attackers: Mapping[str, Attack] = ATTACKS,
    num_permutations: int = 99,
    limit: float = LIMIT,
    alpha: float = ALPHA,
    seed: int = 0,
) -> FoldMeasurement:
    """Attacks the representations of K networks on the speakers each was not trained on.

    In fold k the attackers learn from h[k] of the training and validation speakers, are chosen by
    predicting one of these parts from the other, and guess the test speakers; the guesses of all
    folds are pooled, as every speaker is tested once. All is repeated with the attribute exchanged
    between speakers that are tested in the same fold, since folds are balanced for the attribute,
    which exchange between folds would undo and the truth thereby stand out.

    With a covariate `given`, such as the emotion labels, every attacker is tried in both forms of
    `conditional.FORMS` and scored within strata, as in `conditional.explain`: what h tells beyond.

    A network that unlearned saw the true labels of its training speakers; under exchanged ones its
    attackers learn from an h that was not cleaned of these. What they find on unseen speakers of
    whom h says nothing is chance either way.

    Args:
      h: float[K, N, D], finite.
      labels: int[N], classes 0 to C - 1, -1 for unknown, which does not count.
      speakers: [N].
      split: bool[K, N] each.
      given: int[K, N], of each fold, -1 for unknown; or None.
      attackers, limit, alpha, seed: as in `measurement.measure`.
      num_permutations: exchanged labellings.

    Raises:
      ValueError: h is not finite, or fewer than two classes among the tested.
    """
    if not np.isfinite(h).all():
        raise ValueError("h is not finite: a network that diverged says nothing")
    tested = np.where(split.test.any(0), split.test.argmax(0), -1)
    known = np.flatnonzero((labels >= 0) & (split.test | split.val | split.train).any(0))
    people = np.unique(np.asarray(speakers)[known], return_inverse=True)[1].astype(np.int32)
    truth, tested = labels[known].astype(np.int32), tested[known]
    if len(np.unique(truth[tested >= 0])) < 2:
        raise ValueError("the tested speakers are all of one class: there is nothing to tell apart")
    strata = np.zeros(people.max() + 1, np.int32)
    strata[people] = tested + 1
    exchanged = permute(truth, people, strata, num_permutations, seed)
    num_classes, rows = int(truth.max()) + 1, np.flatnonzero(tested >= 0)
    who = np.unique(people[rows], return_inverse=True)[1]
    of_test = None
    if given is not None:
        of_test = np.unique(given[tested[rows], known[rows]], return_inverse=True)[1]
    forms = [None] if given is None else list(FORMS.values())
    uars, errors, counts = [], [], []
    for attack, form in itertools.product(attackers.values(), forms):

        def of_fold(k: int, there: np.ndarray, attack=attack, form=form) -> Attack:
            return attack if form is None else form(attack, _covariate(given[k, there]))

        guessed = _guessed(of_fold, h.__getitem__, exchanged.labels, people, known, split, seed)
        guesses, truths = guessed[:, rows], exchanged.labels[:, rows]
        counts.append(confusion_counts(guesses[0], truth[rows], who, num_classes))
        if form is None:
            uars.append(uars_of(guesses, truths, num_classes))
            errors.append(standard_error(counts[-1], uar, counts[-1].sum(2).argmax(1)))
        else:
            scores, of_scores = within_uar(guesses, truths, who, of_test, num_classes)
            uars.append(studentised(scores, of_scores, 1 / num_classes))
            errors.append(of_scores[0])
    verdict, _ = judge(np.array(uars), np.array(errors), exchanged, num_classes, limit, alpha)
    return FoldMeasurement(verdict, counts[int(np.argmax(np.array(uars)[:, 0]))])


def threats_on_folds(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    split: Split,
    *,
    unprotected: np.ndarray | None = None,
    attack: Attack = linear,
    seed: int = 0,
) -> dict[str, float]:
    """Two rungs of the ladder of `threat_ladder.ladder`, for a network trained once per fold.

    Args:
      h, labels, speakers, split: as in `measure_folds`.
      unprotected: float[K, N, D], of the networks of the same folds that unlearned nothing, of
        which an ignorant attacker learns; None: no such rung.
      attack: see `protocol.Attack`.

    Returns:
      {"int8": pooled UAR of an attacker that learns from and is shown h in 256 steps per column,
      "ignorant": of one that learned from `unprotected` and is shown h}.
    """
    known = np.flatnonzero((labels >= 0) & (split.test | split.val | split.train).any(0))
    people = np.unique(np.asarray(speakers)[known], return_inverse=True)[1].astype(np.int32)
    truth = labels[known].astype(np.int32)[None]
    rows, num_classes = split.test.any(0)[known], int(truth.max()) + 1
    learned = split.train | split.val
    shown: dict[str, Shown] = {"int8": lambda k: in_steps(h[k], learned[k])}
    if unprotected is not None:
        shown["ignorant"] = lambda k: np.where(learned[k, :, None], unprotected[k], h[k])
    found = {}
    for threat, of_fold in shown.items():
        guessed = _guessed(lambda *_: attack, of_fold, truth, people, known, split, seed)
        found[threat] = float(uars_of(guessed[:, rows], truth[:, rows], num_classes)[0])
    return found


def _guessed(
    attack: Callable[[int, np.ndarray], Attack],
    shown: Shown,
    labels: np.ndarray,
    people: np.ndarray,
    known: np.ndarray,
    split: Split,
    seed: int,
) -> np.ndarray:
    """What the attackers of every fold guess of its test speakers, int16[P, n].

    Args:
      attack: of a fold, and the rows int[m] of N that are in one of its parts.
      shown: h of all utterances as the attacker of a fold has it.
      labels: int32[P, n] of the rows `known` int[n] of N, whose speakers are `people` int32[n].
    """
    guessed, num_classes = np.zeros(labels.shape, np.int16), int(labels.max()) + 1
    for k in range(len(split.test)):
        part = np.where(split.test[k], 0, np.where(split.val[k], 1, 2))[known]
        there = np.flatnonzero((split.test[k] | split.val[k] | split.train[k])[known])
        x = np.asarray(shown(k)[known[there]], np.float32)
        one = attack(k, known[there])
        found = one(seed, x, labels[:, there], people[there], part[there], num_classes, only=0)
        own = part[there] == 0
        guessed[:, there[own]] = found.predictions[:, own]
    return guessed


def _covariate(codes: np.ndarray) -> Covariate:
    strata = np.unique(codes, return_inverse=True)[1].astype(np.int32)
    return Covariate("", strata, np.zeros((len(codes), 0)))
