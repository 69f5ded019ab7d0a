"""Several utterances of one victim, judged together (host)."""

from collections.abc import Sequence

import numpy as np

from privrep.attacks.lda_moments import choose
from privrep.attacks.protocol import Attacked
from privrep.statistics.design import speaker_labels
from privrep.statistics.uar import confusion_counts, uars_of

VICTIM_UTTERANCES = (1, 2, 5, 20)


def victim_sizes(speaker: np.ndarray, labels: np.ndarray) -> tuple[tuple[int, ...], int]:
    """The victim sizes over 1 that at least half of the speakers have, and the maximum.

    Sizes are numbers of utterances, of VICTIM_UTTERANCES and smaller than the maximum.

    The utterances of one speaker and class count as one speaker.

    >>> victim_sizes(np.repeat([0, 1, 2], 5), np.repeat([0, 1, 0], 5))
    ((2,), 5)
    """
    counts = np.unique(np.stack([speaker, labels]), axis=1, return_counts=True)[1]
    middle, most = float(np.median(counts)), int(counts.max())
    return tuple(n for n in VICTIM_UTTERANCES if n > 1 and n <= middle and n < most), most


def groups_of(
    labels: np.ndarray, speaker: np.ndarray, num_classes: int, size: int, seed: int
) -> list[np.ndarray]:
    """int[N] of every labelling: which group of `size` utterances of a person each belongs to.

    The utterances of each speaker and class are put in random order and divided; those that are
    left over are in no group, -1, but a person with fewer than `size` is one group.

    Args:
      labels: int[P, N].
      speaker: int[N] from 0.
      num_classes: C.
      size: utterances per group.
      seed: of the order.
    """
    order = np.random.default_rng(seed).permutation(len(speaker))
    if is_of_speakers(labels[0], speaker):  # whatever the labelling, a person is a speaker
        return [_divided(speaker, order, size)] * len(labels)
    return [_divided(speaker * num_classes + row, order, size) for row in labels]


def persons_of(labels: np.ndarray, speaker: np.ndarray, num_classes: int) -> list[np.ndarray]:
    """int[N] of every labelling: the person to whom an utterance belongs.

    Where the attribute varies within a speaker, the utterances of one class are a person of their
    own. Arguments as of `groups_of`.
    """
    if is_of_speakers(labels[0], speaker):
        return [speaker] * len(labels)
    return [speaker * num_classes + row for row in labels]


def is_of_speakers(labels: np.ndarray, speaker: np.ndarray) -> bool:
    """Whether every speaker has one class: labels int[N], speaker int[N] from 0."""
    return bool((labels == speaker_labels(labels, speaker)[speaker]).all())


def _divided(person: np.ndarray, order: np.ndarray, size: int) -> np.ndarray:
    order = order[np.argsort(person[order], kind="stable")]
    counts = np.bincount(person)
    counts = counts[counts > 0]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    num_groups = np.maximum(counts // size, 1)
    part = rank // size
    number = np.repeat(np.cumsum(num_groups) - num_groups, counts) + part
    group = np.empty(len(order), np.int32)
    group[order] = np.where(part < np.repeat(num_groups, counts), number, -1)
    return group


def uars_of_groups(
    attacked: Attacked,
    labels: np.ndarray,
    speaker: np.ndarray,
    num_classes: int,
    groups: Sequence[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The UAR of every labelling float[P] and the counts of the first int64[S, C, C], of groups.

    A group is judged by all its utterances together: their scores add up, as log-likelihood ratios
    do; of an attacker that keeps none, the predictions are counted.

    Args:
      attacked: of these labellings, or more, the first of which count.
      labels: int[P, N].
      speaker: int[N] from 0.
      num_classes: C.
      groups: int[N] of every labelling, -1 for an utterance that is in none; a group has one
        speaker and one class. See `groups_of`.
    """
    if all(group is groups[0] for group in groups):  # all labellings at once
        return _judged_together(attacked, labels, speaker, num_classes, groups[0])
    each = [
        _judged_together(_of_row(attacked, row), labels[row : row + 1], speaker, num_classes, group)
        for row, group in enumerate(groups)
    ]
    return np.concatenate([uars for uars, _ in each]), each[0][1]


def _of_row(attacked: Attacked, row: int) -> Attacked:
    scores = None if attacked.scores is None else attacked.scores[row : row + 1]
    return attacked._replace(predictions=attacked.predictions[row : row + 1], scores=scores)


def _judged_together(
    attacked: Attacked,
    labels: np.ndarray,
    speaker: np.ndarray,
    num_classes: int,
    group: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`uars_of_groups` where the groups `group` int[N] are those of every labelling."""
    order = np.argsort(group, kind="stable")
    order = order[np.searchsorted(group[order], 0) :]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    if attacked.scores is None:
        votes = attacked.predictions[: len(labels)].T[order]
        sums = np.stack(
            [
                np.add.reduceat((votes == c).astype(np.float64), starts, axis=0)
                for c in range(num_classes)
            ],
            -1,
        )
        named = sums.argmax(-1).T
    else:
        scores = attacked.scores[: len(labels)].swapaxes(0, 1)[order]
        named = choose(np.add.reduceat(scores, starts, axis=0, dtype=np.float64)).T
    member = order[starts]
    counts = confusion_counts(named[0], labels[0, member], speaker[member], num_classes)
    return uars_of(named, labels[:, member], num_classes), counts
