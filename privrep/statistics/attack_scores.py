"""Scores of an attacker, computed from its scores or log-likelihoods by their definitions (host).

For two classes or two kinds of pairs: area under the ROC curve (AUC), equal error rate, and true
positive rate (TPR) at a low false positive rate (FPR). For any number of classes: V-information in
bits and the online code length. The unweighted average recall is in `uar`.
"""

from collections.abc import Sequence

import numpy as np


def roc(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates, float[J] each, from (0, 0) to (1, 1).

    An item is classified as positive when its score is at least the threshold. The threshold takes
    every value of the scores from the highest to the lowest, so that equal scores pass together.

    Args:
      scores: float[N], finite.
      positive: bool[N].

    Raises:
      ValueError: only one kind, or a score that is not finite.
    """
    scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
    if positive.all() or not positive.any():
        raise ValueError("a ROC curve needs items of both kinds, all of these are of one")
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).sum()} scores are not finite")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    true, false = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    return np.append(0, false / false[-1]), np.append(0, true / true[-1])


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive item scores higher than a negative one, ties counting half.

    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    return float(np.trapezoid(*roc(scores, positive)[::-1]))


def equal_error_rate(scores: np.ndarray, positive: np.ndarray) -> float:
    """The error rate at which false positives and false negatives are equally frequent.

    Between the points of the ROC curve the rates are interpolated linearly, as in the device's
    `training.metrics.equal_error_rate`.
    """
    false, true = roc(scores, positive)
    gap = false - (1 - true)  # increases from -1 to 1
    j = int(np.argmax(gap >= 0))
    share = -gap[j - 1] / (gap[j] - gap[j - 1])
    return float(false[j - 1] + share * (false[j] - false[j - 1]))


def tpr_at_fpr(scores: np.ndarray, positive: np.ndarray, fpr: float = 0.01) -> float:
    """The highest true positive rate of a threshold whose false positive rate is at most `fpr`.

    Membership inference is evaluated by it, because a few certain identifications do more harm
    than many uncertain ones (Carlini et al. 2022).
    """
    false, true = roc(scores, positive)
    return float(true[false <= fpr].max())


def entropy(labels: np.ndarray) -> float:
    """Entropy of the labels int[N] in bits: -sum_c p_c log2 p_c."""
    p = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(p * np.log2(p)).sum())


def log_posteriors(log_likelihoods: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """log p(class | h) float64[N, C], by Bayes from log p(h | class) and the prior float[C]."""
    with np.errstate(divide="ignore"):
        joint = np.asarray(log_likelihoods, float) + np.log(prior)
    top = joint.max(1, keepdims=True)
    return joint - top - np.log(np.exp(joint - top).sum(1, keepdims=True))


def log2_loss(log_posterior: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log2 p(label | h) over utterances: float[N, C] natural logs, int[N]."""
    return float(-log_posterior[np.arange(len(labels)), labels].mean() / np.log(2))


def usable_bits(log_posterior: np.ndarray, labels: np.ndarray) -> float:
    """V-information: the bits about the label that an attacker of this family extracts from h.

        I_V(h -> y) = H_V(y) - H_V(y | h)

    H_V(y), the log2-loss of the best prediction without h, is the entropy; H_V(y | h) is the
    log2-loss on held-out utterances (Xu et al. 2020). The result is negative for an attacker whose
    loss is larger than the entropy.
    """
    return entropy(labels) - log2_loss(log_posterior, labels)


def online_code_length(losses: Sequence[float], counts: Sequence[int], num_classes: int) -> float:
    """Minimum description length by online coding, in bits (Voita & Titov 2020).

    The utterances are sent in portions, here of whole speakers. The first portion costs log2 C bits
    per label; each further portion is coded by the attacker trained on all portions before it.

    Args:
      losses: log2-loss per utterance of portions 2, 3, ...
      counts: utterances of portions 1, 2, 3, ...
      num_classes: C.

    Raises:
      ValueError: the number of portions is not one more than the number of losses.
    """
    if len(counts) != len(losses) + 1:
        raise ValueError(
            f"{len(counts)} portions and {len(losses)} losses: every portion but the first has one"
        )
    return float(counts[0] * np.log2(num_classes) + np.dot(losses, counts[1:]))


def combine(
    log_likelihoods: np.ndarray, speaker: np.ndarray, labels: np.ndarray, size: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of the log-likelihoods of `size` utterances of one victim, drawn without replacement.

    The utterances of each speaker and class are put in random order and divided into groups of
    `size`. Left-over utterances are not used, but a speaker with fewer than `size` forms one group
    of all of them. The sum is the log-likelihood of the group if utterances are independent given
    the class. Those of one speaker are not, so the sum is overconfident and only the class with the
    largest sum is used.

    Args:
      log_likelihoods: float[N, C].
      speaker, labels: int[N].
      size: utterances per victim.
      seed: of the order.

    Returns:
      float64[M, C], and the speaker and label int[M] of each group.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.lexsort((labels[order], speaker[order]))]
    owner = np.stack([speaker[order], labels[order]], 1)
    starts = np.flatnonzero(np.append(True, (np.diff(owner, axis=0) != 0).any(1)))
    counts = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    num_groups = np.repeat(np.maximum(counts // size, 1), counts)
    kept = rank // size < num_groups
    heads = np.flatnonzero(kept & (rank % size == 0))
    order = order[kept]
    cuts = np.searchsorted(np.flatnonzero(kept), heads)
    sums = np.add.reduceat(np.asarray(log_likelihoods, float)[order], cuts)
    return sums, owner[heads, 0], owner[heads, 1]
