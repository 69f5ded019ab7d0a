"""The online code: in how few bits the labels could be sent to one who holds h."""

import itertools
from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.statistics.attack_scores import log2_loss, log_posteriors, online_code_length
from privrep.statistics.permutation_test import speaker_labels

_FIRST = 8  # speakers of the first portion
_ESCAPE = 0.01  # of the probability is dealt evenly: no label costs infinitely many bits


class OnlineCode(NamedTuple):
    """What the labels cost to send.

    Attributes:
      bits: length of the code, per utterance.
      uniform: log2 C, the cost without h.
      compression: uniform / bits; about 1 where h is of no use.
      speakers: known after each portion.
    """

    bits: float
    uniform: float
    compression: float
    speakers: tuple[int, ...]


def online_code(
    h: np.ndarray, labels: np.ndarray, speakers: np.ndarray, *, attack: Attack, seed: int = 0
) -> OnlineCode:
    """Minimum description length by online coding over speakers (Voita & Titov 2020).

    The speakers come in random order, the classes mixed evenly, in portions of 8, 8, 16, 32 and so
    on, or of half of them first where there are fewer, but two of each class. Each portion after
    the first is sent by the attacker that has learned from all before it and was chosen and
    calibrated on them. The sooner an attacker learns, the shorter the code.

    Args:
      h: float[N, D], finite.
      labels: int[N], classes 0 to C - 1, none unknown.
      speakers: [N].
      attack: see `protocol.Attack`.
    """
    people = np.unique(speakers, return_inverse=True)[1].astype(np.int32)
    y, x = labels.astype(np.int32), h.astype(np.float32)
    usual, num_classes = speaker_labels(y, people), int(y.max()) + 1
    rng = np.random.default_rng(seed)
    place = np.zeros(len(usual), np.int32)  # of a speaker among those of his class
    for c in np.unique(usual):
        of_class = np.flatnonzero(usual == c)
        place[of_class] = rng.permutation(len(of_class))
    turn = (place + 0.5) / np.bincount(usual)[usual] + 1e-6 * rng.random(len(usual))
    rank = np.empty(len(usual), np.int32)
    rank[np.argsort(turn)] = np.arange(len(usual))
    # Of the first portion attackers learn and are chosen: it takes two speakers of every class.
    least = max(np.sort(rank[usual == c])[:2].max() for c in np.unique(usual)) + 1
    first = max(min(_FIRST, len(usual) // 2), int(least))
    ends = [first * 2**i for i in range(32) if first * 2**i < len(usual)] + [len(usual)]
    counts = [int((rank[people] < ends[0]).sum())]
    losses = []
    for before, end in itertools.pairwise(ends):
        known = rank < before
        parts = np.clip(np.bincount(usual[known], minlength=2).min(), 2, 4)
        rows = np.flatnonzero(rank[people] < end)
        learned = known[people[rows]]
        folds = np.where(learned, 1 + place[people[rows]] % parts, 0)
        found = attack(seed, x[rows], y[rows][None], people[rows], folds, num_classes, only=0)
        prior = np.bincount(y[rows][learned], minlength=num_classes) / learned.sum()
        told = np.exp(log_posteriors(found.log_likelihoods[~learned], prior))
        told = (1 - _ESCAPE) * told + _ESCAPE / num_classes
        losses.append(log2_loss(np.log(told), y[rows][~learned]))
        counts.append(int((~learned).sum()))
    length, compression = online_code_length(losses, counts, num_classes)
    return OnlineCode(
        length / len(y), float(np.log2(num_classes)), compression, tuple(int(e) for e in ends)
    )
