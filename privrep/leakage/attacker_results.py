"""The scores of one attacker in plain values: all, victims, worst case (host)."""

from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import Attacked
from privrep.statistics import attack_scores as scores
from privrep.statistics.verdict import JudgedAttacker


class AttackerResult(NamedTuple):
    """The result of one attacker of the suite, in plain values (float, int, str, tuple).

    Attributes:
      name: in the suite.
      uar: over all speakers, each tested once by an attacker that was trained on other speakers.
      lower, upper: one-sided bounds of uar at 1 - alpha each, for this attacker by itself.
      p: for this attacker by itself.
      minimum_detectable: minimum detectable UAR for this attacker by itself; may be infinity.
      recalls: float per class.
      null_mean, null_sd: mean and standard deviation of the UAR under permuted labels.
      null: the UAR under every permuted labelling, for a histogram.
      auc: area under the ROC curve of class 1 against 0; NaN for more than two classes.
      equal_error_rate, tpr_at_1_percent: likewise.
      bits: V-information in bits per utterance (Xu et al. 2020); at most entropy.
      entropy: of the labels, in bits.
      chosen: hyper-parameters that were selected on validation speakers, per fold.
      deals: of folds, of which uar is the mean; all that is selected or calibrated is of the first.
    """

    name: str
    uar: float
    lower: float
    upper: float
    p: float
    minimum_detectable: float
    recalls: tuple[float, ...]
    null_mean: float
    null_sd: float
    null: tuple[float, ...]
    auc: float
    equal_error_rate: float
    tpr_at_1_percent: float
    bits: float
    entropy: float
    chosen: tuple[str, ...]
    deals: int


class VictimResult(NamedTuple):
    """The strongest attacker with several utterances of one victim, whose scores it adds.

    Attributes:
      utterances: of a victim; speakers with fewer are attacked with all they have.
      uar, lower, upper: as of `Verdict`: corrected for the choice of attacker, the upper bound by
        the spread under permuted labels or the error over speakers, whichever is larger.
      attacker: its name; the strongest with so many utterances.
    """

    utterances: int
    uar: float
    lower: float
    upper: float
    attacker: str = ""


class WorstProtected(NamedTuple):
    """The speaker of whom the strongest attacker names the most utterances rightly.

    Attributes:
      speaker: int, in the order of `numpy.unique` of the speakers with known labels.
      recall: the share of the utterances that were named rightly, over all deals.
      utterances: how many the speaker has; of speakers of like recall, the one who has most.
    """

    speaker: int
    recall: float
    utterances: int


def attacker_result(
    name: str,
    attacked: Attacked,
    counts: np.ndarray,
    uars: np.ndarray,
    judged: JudgedAttacker,
    labels: np.ndarray,
    deals: int,
) -> AttackerResult:
    """The result of an attacker in plain values.

    Args:
      name: in the suite.
      attacked: in the first deal.
      counts: int64[S, C, C] of the true labelling, over all deals.
      uars: float[P], of every labelling.
      judged: the attacker by itself.
      labels: int[N], the true ones.
      deals: in how many it took part.
    """
    share = np.bincount(labels) / len(labels)
    pooled = counts.sum(0)
    two_class = dict.fromkeys(("auc", "equal_error_rate", "tpr_at_1_percent"), float("nan"))
    if len(share) == 2:
        score = attacked.log_likelihoods[:, 1] - attacked.log_likelihoods[:, 0]
        two_class = {
            "auc": scores.auc(score, labels == 1),
            "equal_error_rate": scores.equal_error_rate(score, labels == 1),
            "tpr_at_1_percent": scores.tpr_at_fpr(score, labels == 1),
        }
    return AttackerResult(
        name=name,
        uar=float(uars[0]),
        recalls=tuple((np.diagonal(pooled) / np.maximum(pooled.sum(1), 1)).tolist()),
        null=tuple(uars[1:].tolist()),
        bits=scores.usable_bits(scores.log_posteriors(attacked.log_likelihoods, share), labels),
        entropy=scores.entropy(labels),
        chosen=attacked.chosen,
        deals=deals,
        **two_class,
        **judged._asdict(),
    )


def worst_protected(counts: np.ndarray, deals: int) -> WorstProtected:
    """From the confusion counts int64[S, C, C] of the strongest attacker over `deals` deals."""
    utterances = counts.sum((1, 2))
    recalls = np.trace(counts, axis1=1, axis2=2) / np.maximum(utterances, 1)
    worst = np.lexsort((utterances, recalls))[-1]
    return WorstProtected(int(worst), float(recalls[worst]), int(utterances[worst]) // deals)
