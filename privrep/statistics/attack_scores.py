"""Scores of an attacker from its log-likelihoods or scores, on the host, from plain definitions.

Of two classes or two kinds of pairs: AUC, equal error rate, TPR at a low FPR, linkability. Of any
number of classes: bits. UAR over speakers is in `statistics`.
"""

from collections.abc import Sequence

import numpy as np


def roc(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates, float[J] each, from (0, 0) to (1, 1).

    An item counts as positive when its score reaches the threshold, which takes every value of the
    scores from the highest to the lowest; equal scores pass at once.

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
    """The chance that a positive item scores higher than another, ties counting half."""
    return float(np.trapezoid(*roc(scores, positive)[::-1]))


def equal_error_rate(scores: np.ndarray, positive: np.ndarray) -> float:
    """Where false positive and false negative rate are equal on the straight-line ROC curve.

    The same as `metrics.equal_error_rate` of the device.
    """
    false, true = roc(scores, positive)
    gap = false - (1 - true)  # rises from -1 to 1
    j = int(np.argmax(gap >= 0))
    share = -gap[j - 1] / (gap[j] - gap[j - 1])
    return float(false[j - 1] + share * (false[j] - false[j - 1]))


def tpr_at_fpr(scores: np.ndarray, positive: np.ndarray, fpr: float = 0.01) -> float:
    """The highest true positive rate of a threshold with at most this false positive rate.

    Membership inference is judged by it: a few certain finds harm more than many vague ones
    (Carlini et al. 2022).
    """
    false, true = roc(scores, positive)
    return float(true[false <= fpr].max())


def entropy(labels: np.ndarray) -> float:
    """Of the labels int[N], in bits: -sum_c p_c log2 p_c."""
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
    """V-information: the bits about the label an attacker of this family gets out of h.

        I_V(h -> y) = H_V(y) - H_V(y | h)

    the log2-loss of the best guess without h, which is the entropy, less that with h, on utterances
    not learned from (Xu et al. 2020). It may be under 0: an attacker that does worse than guessing.
    """
    return entropy(labels) - log2_loss(log_posterior, labels)


def online_code_length(
    losses: Sequence[float], counts: Sequence[int], num_classes: int
) -> tuple[float, float]:
    """Minimum description length by online coding (Voita & Titov 2020).

    The utterances come in portions, here of whole speakers. The first is sent at log2 C bits per
    label, each further one with the attacker that has learned from all before it.

    Args:
      losses: log2-loss per utterance of portions 2, 3, ...
      counts: utterances of portions 1, 2, 3, ...
      num_classes: C.

    Returns:
      The code length in bits, and how many times shorter it is than log2 C per label.

    Raises:
      ValueError: not one portion more than losses.
    """
    if len(counts) != len(losses) + 1:
        raise ValueError(
            f"{len(counts)} portions and {len(losses)} losses: every portion but the first has one"
        )
    uniform = np.log2(num_classes)
    length = counts[0] * uniform + float(np.dot(losses, counts[1:]))
    return float(length), float(sum(counts) * uniform / length)


def linkability(mated: np.ndarray, non_mated: np.ndarray, bins: int = 100) -> float:
    """Global linkability D_sys of two kinds of scores (Gomez-Barrero et al. 2018), in [0, 1].

        D(s) = max(0, 2 r / (1 + r) - 1),  r = p(s | mated) / p(s | non-mated)
        D_sys = sum over s of p(s | mated) D(s)

    with equal priors, the densities being histograms over the common range. 0: scores of the same
    speaker and of different ones are distributed alike; 1: they never meet.

    Args:
      mated, non_mated: float, scores of pairs of one speaker and of two.
      bins: of the histograms; few enough that most hold scores.
    """
    both = np.concatenate([mated, non_mated])
    edges = np.linspace(both.min(), both.max(), bins + 1)
    same = np.histogram(mated, edges)[0] / len(mated)
    other = np.histogram(non_mated, edges)[0] / len(non_mated)
    total = same + other
    local = np.where(total > 0, (same - other) / np.where(total > 0, total, 1), 0)
    return float((same * np.maximum(local, 0)).sum())


def combine(
    log_likelihoods: np.ndarray, speakers: np.ndarray, labels: np.ndarray, k: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of the log-likelihoods of k utterances of one victim, drawn without replacement.

    The utterances of a speaker and class, in random order, are cut into groups of k; those left
    over are not used, but a speaker with fewer than k makes one group of all. Adding up is right
    for utterances that are independent given the class; those of one speaker are not, so the sum is
    surer of itself than it should be, and its sign is what counts.

    Args:
      log_likelihoods: float[N, C].
      speakers, labels: int[N].
      k: utterances per victim.
      seed: of the order.

    Returns:
      float64[M, C], and the speaker and label int[M] of each group.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.lexsort((labels[order], speakers[order]))]
    owner = np.stack([speakers[order], labels[order]], 1)
    starts = np.flatnonzero(np.append(True, (np.diff(owner, axis=0) != 0).any(1)))
    sizes = np.diff(np.append(starts, len(order)))
    place = np.arange(len(order)) - np.repeat(starts, sizes)
    whole = np.repeat(np.maximum(sizes // k, 1), sizes)
    kept = place // k < whole
    heads = np.flatnonzero(kept & (place % k == 0))
    order = order[kept]
    cuts = np.searchsorted(np.flatnonzero(kept), heads)
    sums = np.add.reduceat(np.asarray(log_likelihoods, float)[order], cuts)
    return sums, owner[heads, 0], owner[heads, 1]
