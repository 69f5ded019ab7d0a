"""The design of a permutation test: speakers that share a fold, and permutable labels (host).

Null hypothesis: h carries no information about the attribute, so that the labels of speakers are
exchangeable. Nothing but the labels may differ between the true labelling and a permuted one.
Therefore the folds are made without looking at the labels: folds balanced for the true labels would
not be balanced for the permuted ones, which alone would set the true labelling apart.
"""

import itertools
from typing import NamedTuple

import numpy as np

from privrep.types import renumber

FREE, WITHIN, WHOLE = "speakers", "speakers of a session", "whole sessions"
BOTH = f"{WITHIN}, and {WHOLE}"
MOST_LEFT_OUT = 0.2  # of the speakers, so that sessions come apart


class Design(NamedTuple):
    """How speakers are assigned to folds, and between which of them labels are permuted.

    Attributes:
      folds: int32[N] in [0, K), the fold that tests the utterance; no speaker is in two.
      strata: int32[S]; labels are permuted only within a stratum.
      units: int32[S]; speakers of a unit keep their labels together, units are permuted.
      permuted_between: what is permuted, in words: FREE, WITHIN, WHOLE or BOTH.
    """

    folds: np.ndarray
    strata: np.ndarray
    units: np.ndarray
    permuted_between: str


def design(
    labels: np.ndarray,
    speaker: np.ndarray,
    session: np.ndarray | None,
    num_folds: int,
    seed: int,
) -> Design:
    """Assigns speakers to folds of similar numbers of utterances.

    The folds depend on the labels only through what every permitted permutation leaves unchanged:
    which sessions have several classes.

    What the speakers of a session share, such as the room, must not count as a leak of the
    attribute. Within a session with several classes (such as the dialogues of one woman and one man
    in IEMOCAP), labels are permuted between its speakers; sessions of one class are permuted as a
    whole. Sessions that share a speaker are merged. The speakers of a session share a fold if there
    are more than two sessions and each has several classes, or if there are at least `num_folds`
    sessions and none holds more than 2 / `num_folds` of the utterances.

    Args:
      labels: int32[N], none unknown; the class of a speaker is the most frequent one.
      speaker: int32[N], numbered from 0 to S - 1.
      session: int32[N], or None where there are none.
      num_folds: K, at least 3; fewer folds are made where there are fewer speakers or sessions.
      seed: for the fold assignment.

    Raises:
      ValueError: fewer than 3 folds can be made.
    """
    rule = permutation_rule(labels, speaker, session, num_folds)
    folds = deal_folds(speaker, rule.fold_group, num_folds, seed)
    return Design(folds, rule.strata, rule.units, rule.permuted_between)


class PermutationRule(NamedTuple):
    """Between whom labels are permuted, whatever the folds.

    Attributes:
      strata, units, permuted_between: as in `Design`.
      fold_group: int32[S]; speakers of a group share a fold; None: as many folds as are asked for
        cannot be made of whole sessions, so that speakers are assigned one by one.
    """

    strata: np.ndarray
    units: np.ndarray
    permuted_between: str
    fold_group: np.ndarray | None


def permutation_rule(
    labels: np.ndarray, speaker: np.ndarray, session: np.ndarray | None, num_folds: int
) -> PermutationRule:
    """Between whom labels are permuted; see `design` for the arguments and the rule."""
    num_speakers = int(speaker.max()) + 1
    each_speaker = np.arange(num_speakers, dtype=np.int32)
    if session is None:
        return PermutationRule(np.zeros(num_speakers, np.int32), each_speaker, FREE, None)
    session_of = tied_speakers(speaker, session)
    class_of = speaker_labels(labels, speaker)
    num_sessions = session_of.max() + 1
    mixed = np.array([len(set(class_of[session_of == s])) > 1 for s in range(num_sessions)])
    # Who may swap with whom; what `permuted_between` reports follows from these two.
    strata = np.where(mixed[session_of], 1 + session_of, 0)
    # Offset by num_speakers, so that units of sessions and of single speakers never collide.
    units = np.where(mixed[session_of], each_speaker, num_speakers + session_of)
    any_whole = bool((np.bincount(session_of)[~mixed] > 1).any())
    permuted_between = FREE
    if len(mixed) > 1 and mixed.any():
        permuted_between = BOTH if any_whole else WITHIN
    elif any_whole:
        permuted_between = WHOLE
    balanced = np.bincount(session_of[speaker]).max() * num_folds <= 2 * len(speaker)
    together = (mixed.all() and len(mixed) > 2) or (balanced and len(mixed) >= num_folds)
    return PermutationRule(
        strata.astype(np.int32),
        units.astype(np.int32),
        permuted_between,
        session_of if together else None,
    )


def deal_folds(
    speaker: np.ndarray, fold_group: np.ndarray | None, num_folds: int, seed: int
) -> np.ndarray:
    """int32[N]: folds of similar numbers of utterances, dealt at random; no group is in two.

    Args:
      speaker: int32[N], numbered from 0 to S - 1.
      fold_group: int32[S] from 0; None where every speaker is a group.
      num_folds: K, at least 3; fewer are made where there are fewer groups.
      seed: of the deal.

    Raises:
      ValueError: fewer than 3 folds can be made.
    """
    if fold_group is None:
        fold_group = np.arange(int(speaker.max()) + 1)
    num_groups = fold_group.max() + 1
    if min(num_folds, num_groups) < 3:
        raise ValueError(
            f"{num_groups} speakers for {num_folds} folds: at least 3 of each are needed, to "
            "train, to tune and to test an attacker"
        )
    num_folds = min(num_folds, num_groups)
    sizes = np.bincount(fold_group[speaker], minlength=num_groups)
    order = np.random.default_rng(seed).permutation(num_groups)
    order = order[np.argsort(-sizes[order], kind="stable")]
    load = np.zeros((num_folds, 2))  # utterances and groups of each fold
    fold_of = np.zeros(num_groups, np.int32)
    for group in order:  # the largest first, each into the fold with the fewest utterances
        fold_of[group] = min(range(num_folds), key=lambda fold: (load[fold, 0], load[fold, 1]))
        load[fold_of[group]] += sizes[group], 1
    return fold_of[fold_group[speaker]]


def tying_speakers(speaker: np.ndarray, session: np.ndarray) -> np.ndarray:
    """int32[n]: speakers without whom the sessions come apart, ascending; none where they do.

    Sessions that share a speaker cannot be told from one session (`tied_speakers`). An interviewer
    who is in all of them ties all into one, so that nothing is left to be compared between
    sessions. While fewer than half as many groups as sessions remain, the speaker of the most
    sessions is left out, as long as this is someone of three sessions or more, up to a fifth of the
    speakers. If that many do not suffice, none is named: the sessions of this corpus are not apart.

    Args:
      speaker, session: int32[N] from 0.

    >>> speaker = np.array([0, 1, 0, 2, 0, 3, 0, 4, 0, 5])  # 0 interviews all others
    >>> tying_speakers(speaker, np.arange(10) // 2).tolist()
    [0]
    """
    pairs = np.unique(np.stack([speaker, session], 1), axis=0)
    num_sessions, most = len(np.unique(session)), MOST_LEFT_OUT * (speaker.max() + 1)
    left_out: list[int] = []
    while True:
        kept = pairs[~np.isin(pairs[:, 0], left_out)]
        if 2 * (tied_speakers(renumber(kept[:, 0]), renumber(kept[:, 1])).max() + 1) > num_sessions:
            return np.array(sorted(left_out), np.int32)
        counts = np.bincount(kept[:, 0])
        if counts.max() < 3 or len(left_out) + 1 > most:
            return np.array([], np.int32)
        left_out.append(int(counts.argmax()))


def speaker_labels(labels: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """int32[S]: the most frequent class of each speaker, the first of equally frequent ones."""
    counts = np.zeros((speaker.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (speaker, labels), 1)
    return counts.argmax(1).astype(np.int32)


def speakers_per_class(labels: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """int[C]: how many speakers have each class at least as often as all utterances together.

    Where an attribute is constant within speakers, these are the speakers of the class. Where it
    varies, as a state does, all who share in it count, and who has a single slip does not.

    >>> speakers_per_class(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2])).tolist()
    [2, 1]
    >>> speakers_per_class(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])).tolist()
    [2, 2]
    """
    counts = np.zeros((speaker.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (speaker, labels), 1)
    return (counts * len(labels) >= counts.sum(1, keepdims=True) * counts.sum(0)).sum(0)


def speaker_blocks(speaker: np.ndarray, session: np.ndarray | None) -> np.ndarray | None:
    """int32[N]: the sessions of each speaker, as blocks of `permute`; None without sessions.

    What a speaker does in a session is alike whatever the attribute: where it varies within a
    speaker, utterances that changed places one by one would set the true labelling apart.

    Args:
      speaker, session: int[N] from 0.
    """
    return None if session is None else renumber(speaker * (int(session.max()) + 1) + session)


def tied_speakers(speaker: np.ndarray, session: np.ndarray) -> np.ndarray:
    """int32[S]: the session number of each speaker, sessions that share a speaker being merged."""
    group = np.arange(speaker.max() + 1)
    pairs = np.unique(np.stack([session, speaker], 1), axis=0)
    for _, rows in itertools.groupby(pairs.tolist(), key=lambda pair: pair[0]):
        together = group[[s for _, s in rows]]
        group[np.isin(group, together)] = together.min()
    return renumber(group)
