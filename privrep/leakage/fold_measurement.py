"""The measurement of networks that were trained once per fold; see also `measurement` (host)."""

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
from privrep.statistics.verdict import Verdict, judge
from privrep.types import SECONDARY, InferenceSettings, Split, renumber

OfFold = Callable[[int], np.ndarray]  # fold -> h float[N, D] as its attacker has it


class FoldMeasurement(NamedTuple):
    """verdict; counts: int64[S, C, C], confusion counts of the strongest attacker per test speaker,
    in the order of `numpy.unique(speakers)`, for `paired_comparison.compare`.
    """

    verdict: Verdict
    counts: np.ndarray


class _Known(NamedTuple):
    """The utterances with known labels that are in some part of some fold.

    Attributes:
      rows: int[n] of N.
      speaker, labels: int32[n].
      split: bool[K, N] each, of all utterances.
    """

    rows: np.ndarray
    speaker: np.ndarray
    labels: np.ndarray
    split: Split

    @classmethod
    def of(cls, labels: np.ndarray, speakers: np.ndarray, split: Split) -> "_Known":
        rows = np.flatnonzero((labels >= 0) & (split.test | split.val | split.train).any(0))
        speaker = renumber(np.asarray(speakers)[rows])
        return cls(rows, speaker, labels[rows].astype(np.int32), split)

    @property
    def num_classes(self) -> int:
        return int(self.labels.max()) + 1


def measure_folds(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    split: Split,
    *,
    given: np.ndarray | None = None,
    attackers: Mapping[str, Attack] = ATTACKS,
    settings: InferenceSettings = SECONDARY,
) -> FoldMeasurement:
    """Attacks the representations of K networks on the speakers that each was not trained on.

    In fold k the attackers are trained on h[k] of the training and validation speakers, tuned by
    predicting one of these parts from the other, and predict the test speakers. The predictions of
    all folds are pooled, as every speaker is tested once. All is repeated with the attribute
    permuted between speakers that are tested in the same fold: the folds are balanced for the
    attribute, and permuting it between folds would destroy the balance and thereby set the true
    labelling apart.

    With a covariate `given`, such as the emotion labels, every attacker is used in both forms of
    `conditional.FORMS` and scored within strata, as in `conditional.explain`: the leak beyond the
    covariate.

    A network that unlearned was trained with the true labels of its training speakers; under
    permuted labels its attackers are trained on an h from which these labels were not removed. If h
    carries no information about unseen speakers, their UAR on them is chance either way.

    Args:
      h: float[K, N, D], finite.
      labels: int[N], classes 0 to C - 1, -1 for unknown, which does not count.
      speakers: [N].
      split: bool[K, N] each.
      given: int[K, N], of each fold, -1 for unknown; or None.
      attackers: {name: Attack}, see `protocol.Attack`.
      settings: of the test; its folds are not used.

    Raises:
      ValueError: h is not finite, or fewer than two classes among the test speakers.
    """
    if not np.isfinite(h).all():
        raise ValueError("h is not finite: a network that diverged cannot be measured")
    known = _Known.of(labels, speakers, split)
    truth, num_classes = known.labels, known.num_classes
    tested_in = np.where(split.test.any(0), split.test.argmax(0), -1)[known.rows]
    if len(np.unique(truth[tested_in >= 0])) < 2:
        raise ValueError(
            "the test speakers are all of one class: there is nothing to be distinguished"
        )
    strata = np.zeros(known.speaker.max() + 1, np.int32)
    strata[known.speaker] = tested_in + 1
    permutations = permute(truth, known.speaker, strata, settings.permutations, settings.seed)
    rows = np.flatnonzero(tested_in >= 0)
    speaker = renumber(known.speaker[rows])
    given_tested = None
    if given is not None:
        given_tested = renumber(given[tested_in[rows], known.rows[rows]])
    forms = [None] if given is None else list(FORMS.values())
    uars, errors, counts = [], [], []
    for attack, form in itertools.product(attackers.values(), forms):

        def attack_of(k: int, part: np.ndarray, attack=attack, form=form) -> Attack:
            if form is None or given is None:
                return attack
            return form(attack, _covariate(given[k, part]))

        predictions = _predictions(
            attack_of, h.__getitem__, permutations.labels, known, settings.seed
        )
        predicted, truths = predictions[:, rows], permutations.labels[:, rows]
        counts.append(confusion_counts(predicted[0], truth[rows], speaker, num_classes))
        if given_tested is None:
            uars.append(uars_of(predicted, truths, num_classes))
            errors.append(standard_error(counts[-1], uar, counts[-1].sum(2).argmax(1)))
        else:
            scores, score_errors = within_uar(predicted, truths, speaker, given_tested, num_classes)
            uars.append(studentised(scores, score_errors, 1 / num_classes))
            errors.append(score_errors[0])
    stacked = np.array(uars)
    verdict, _ = judge(
        stacked, np.array(errors), permutations, num_classes, settings.limit, settings.alpha
    )
    return FoldMeasurement(verdict, counts[int(np.argmax(stacked[:, 0]))])


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
    """Two threats of `threat_ladder.ladder`, for a network that was trained once per fold.

    Args:
      h, labels, speakers, split: as in `measure_folds`.
      unprotected: float[K, N, D], from the networks of the same folds without unlearning, on which
        an ignorant attacker is trained; None: no such threat.
      attack: see `protocol.Attack`.
      seed: of the attacker.

    Returns:
      {"int8": pooled UAR of an attacker trained and tested on h in 256 steps per column,
      "ignorant": of one trained on `unprotected` and tested on h}.
    """
    known = _Known.of(labels, speakers, split)
    truth, rows = known.labels[None], split.test.any(0)[known.rows]
    training = split.train | split.val
    h_of: dict[str, OfFold] = {"int8": lambda k: in_steps(h[k], training[k])}
    if unprotected is not None:
        h_of["ignorant"] = lambda k: np.where(training[k, :, None], unprotected[k], h[k])
    uars = {}
    for threat, of_fold in h_of.items():
        predictions = _predictions(lambda *_: attack, of_fold, truth, known, seed)
        pooled = uars_of(predictions[:, rows], truth[:, rows], known.num_classes)
        uars[threat] = float(pooled[0])
    return uars


def _predictions(
    attack_of: Callable[[int, np.ndarray], Attack],
    h_of: OfFold,
    labels: np.ndarray,
    known: _Known,
    seed: int,
) -> np.ndarray:
    """The predictions of the attackers of every fold for its test speakers, int16[P, n].

    Args:
      attack_of: of a fold, and the rows int[m] of N that are in one of its parts.
      h_of: h of all utterances as the attacker of a fold has it.
      labels: int32[P, n] of the known rows.
      known: n utterances.
      seed: of the attackers.
    """
    predictions, num_classes = np.zeros(labels.shape, np.int16), int(labels.max()) + 1
    split = known.split
    for k in range(len(split.test)):
        part = np.where(split.test[k], 0, np.where(split.val[k], 1, 2))[known.rows]
        used = np.flatnonzero((split.test[k] | split.val[k] | split.train[k])[known.rows])
        x = np.asarray(h_of(k)[known.rows[used]], np.float32)
        attack = attack_of(k, known.rows[used])
        attacked = attack(
            seed, x, labels[:, used], known.speaker[used], part[used], num_classes, only=0
        )
        tested = part[used] == 0
        predictions[:, used[tested]] = attacked.predictions[:, tested]
    return predictions


def _covariate(codes: np.ndarray) -> Covariate:
    return Covariate("", renumber(codes), np.zeros((len(codes), 0)))
