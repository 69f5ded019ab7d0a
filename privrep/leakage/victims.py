"""Several utterances of one victim, judged together (host)."""

from collections.abc import Sequence

import numpy as np

from privrep.attacks.protocol import Attacked
from privrep.statistics.design import speaker_labels
from privrep.statistics.uar import confusion_counts, uar

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
    class_of = speaker_labels(labels[0], speaker)
    if (labels[0] == class_of[speaker]).all():  # whatever the labelling, a person is a speaker
        return [_divided(speaker, order, size)] * len(labels)
    return [_divided(speaker * num_classes + row, order, size) for row in labels]


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


def person_counts(
    attacked: Attacked, row: int, labels: np.ndarray, speaker: np.ndarray, num_classes: int
) -> np.ndarray:
    """int64[S, C, C]: confusion counts of persons, each judged by all utterances together.

    Where the attribute varies within a speaker, the utterances of one class are a person of their
    own.

    Args:
      attacked: all labellings.
      row: of the labelling.
      labels: int[N], of this labelling.
      speaker: int[N] from 0.
      num_classes: C.
    """
    person = speaker * num_classes + labels
    return group_counts(attacked, row, labels, speaker, num_classes, person)


def group_counts(
    attacked: Attacked,
    row: int,
    labels: np.ndarray,
    speaker: np.ndarray,
    num_classes: int,
    group: np.ndarray,
) -> np.ndarray:
    """int64[S, C, C]: confusion counts of groups of utterances, each judged by all together.

    The scores of the utterances of a group add up, as log-likelihood ratios do; of an attacker
    that keeps none, the predictions are counted.

    Args:
      attacked, row, labels, speaker, num_classes: see `person_counts`.
      group: int[N], -1 for an utterance that is in none; a group has one speaker and one class.
    """
    size = int(group.max()) + 2
    group = np.where(group < 0, size - 1, group)
    if attacked.scores is None:
        predicted = attacked.predictions[row]
        sums = np.bincount(group * num_classes + predicted, minlength=size * num_classes)
        sums = sums.reshape(size, num_classes)
    else:
        columns = [
            np.bincount(group, attacked.scores[row, :, c], size) for c in range(num_classes - 1)
        ]
        sums = np.stack([np.zeros(size), *columns], 1)
    here, member = np.unique(group, return_index=True)
    here, member = here[here < size - 1], member[here < size - 1]
    return confusion_counts(sums[here].argmax(1), labels[member], speaker[member], num_classes)


def uars_of_groups(
    attacked: Attacked,
    labels: np.ndarray,
    speaker: np.ndarray,
    num_classes: int,
    groups: Sequence[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The UAR of every labelling float[P] and the counts of the first int64[S, C, C], of groups.

    Args:
      attacked, speaker, num_classes: see `person_counts`.
      labels: int[P, N].
      groups: int[N] of every labelling, see `groups_of`.
    """
    counts = [
        group_counts(attacked, row, labels[row], speaker, num_classes, groups[row])
        for row in range(len(labels))
    ]
    return uars_of_counts(counts), counts[0]


def uars_of_counts(of_labellings: Sequence[np.ndarray]) -> np.ndarray:
    """float[P]: the UAR of the counts int64[S, C, C] of every labelling."""
    return np.array([float(uar(counts.sum(0))) for counts in of_labellings])
