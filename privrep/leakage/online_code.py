"""Online code: the minimum description length of the labels for a receiver who holds h (host)."""

import itertools
from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.statistics.attack_scores import log2_loss, log_posteriors, online_code_length
from privrep.statistics.design import speaker_labels
from privrep.types import Sample

_FIRST = 8  # speakers of the first portion
_UNIFORM_SHARE = 0.01  # mixed into every posterior, so that no label costs infinitely many bits


class OnlineCode(NamedTuple):
    """The cost of sending the labels.

    Attributes:
      bits: length of the code, per utterance.
      uniform: log2 C, the cost of a label of which nothing is known.
      prior: length of the prequential code without h, per utterance: each portion is coded by the
        frequencies of the classes in the portions before it.
      compression: prior / bits; about 1 where h is of no use.
      speakers: number of speakers that were sent after each portion.
    """

    bits: float
    uniform: float
    prior: float
    compression: float
    speakers: tuple[int, ...]


def online_code(sample: Sample, *, attack: Attack, seed: int = 0) -> OnlineCode:
    """Minimum description length by online coding over speakers (Voita & Titov 2020).

    The speakers come in random order, the classes evenly mixed, in portions of 8, 8, 16, 32 and so
    on; where there are fewer than 16 speakers half of them form the first portion, and it has at
    least two speakers of each class. Each later portion is coded by the attacker that was trained,
    tuned and calibrated on all portions before it. The fewer speakers an attacker needs, the
    shorter the code. It is compared with the same code without h, because few bits are needed for
    the labels of a rare class, whatever h reveals.

    Args:
      sample: none of its labels unknown.
      attack: see `protocol.Attack`.
      seed: of the order of speakers and of the attacker.
    """
    x, y, speaker, num_classes = sample.h, sample.labels, sample.speaker, sample.num_classes
    class_of = speaker_labels(y, speaker)
    num_speakers = len(class_of)
    rng = np.random.default_rng(seed)
    place = np.zeros(num_speakers, np.int32)  # of a speaker within his class
    for c in np.unique(class_of):
        of_class = np.flatnonzero(class_of == c)
        place[of_class] = rng.permutation(len(of_class))
    position = (place + 0.5) / np.bincount(class_of)[class_of] + 1e-6 * rng.random(num_speakers)
    rank = np.empty(num_speakers, np.int32)
    rank[np.argsort(position)] = np.arange(num_speakers)
    # Attackers are trained and tuned on the first portion, which takes two speakers of every class.
    least = max(np.sort(rank[class_of == c])[:2].max() for c in np.unique(class_of)) + 1
    first = max(min(_FIRST, num_speakers // 2), int(least))
    ends = [first * 2**i for i in range(32) if first * 2**i < num_speakers] + [num_speakers]
    counts = [int((rank[speaker] < ends[0]).sum())]
    losses, losses_of_prior = [], []
    for before, end in itertools.pairwise(ends):
        sent = rank < before
        num_folds = np.clip(np.bincount(class_of[sent], minlength=2).min(), 2, 4)
        rows = np.flatnonzero(rank[speaker] < end)
        is_training = sent[speaker[rows]]
        folds = np.where(is_training, 1 + place[speaker[rows]] % num_folds, 0)
        attacked = attack(seed, x[rows], y[rows][None], speaker[rows], folds, num_classes, only=0)
        prior = np.bincount(y[rows][is_training], minlength=num_classes) / is_training.sum()
        posterior = np.exp(log_posteriors(attacked.log_likelihoods[~is_training], prior))
        truth = y[rows][~is_training]
        losses.append(_loss(posterior, truth))
        losses_of_prior.append(_loss(np.broadcast_to(prior, posterior.shape), truth))
        counts.append(int((~is_training).sum()))
    bits = online_code_length(losses, counts, num_classes) / len(y)
    prior_bits = online_code_length(losses_of_prior, counts, num_classes) / len(y)
    return OnlineCode(
        bits=bits,
        uniform=float(np.log2(num_classes)),
        prior=prior_bits,
        compression=prior_bits / bits,
        speakers=tuple(int(end) for end in ends),
    )


def _loss(posterior: np.ndarray, labels: np.ndarray) -> float:
    """Bits per label of a code by posteriors float[N, C], mixed with the uniform distribution."""
    mixed = (1 - _UNIFORM_SHARE) * posterior + _UNIFORM_SHARE / posterior.shape[1]
    return log2_loss(np.log(mixed), labels)
