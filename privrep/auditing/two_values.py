"""Speakers with several values of an attribute that others have one value of (host).

A gender that differs between two utterances of one speaker is an error in the labels, or two
speakers under one name; either way the attack is judged by wrong labels. An emotion differs within
most speakers, which is as it should be.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from privrep.auditing.join import JoinedSample
from privrep.auditing.options import TWO_VALUES
from privrep.auditing.quantity import take
from privrep.formats.columns import kind_of
from privrep.formats.values import EMOTION, GENDER
from privrep.messages import first, nearest

_NAMED = 20  # speakers in a message
_FEW = 0.5  # of the speakers who would have several values if values did not depend on the speaker


def settle_values(
    joined: JoinedSample, attribute: str, speaker: str, two_values: str, path: Path
) -> JoinedSample:
    """Deals with speakers who have several values, where that is an exception.

    It is one of a gender, and of any other attribute but the emotion where fewer than half as many
    speakers have several values as if the values were dealt to the utterances at random.

    Args:
      joined: its classes are the values of the attribute.
      attribute, speaker: columns of the labels.
      two_values: in `options.TWO_VALUES`. "drop" leaves such speakers out; "majority" gives all
        utterances of each the value that most have; "keep" takes the labels as they are. Whatever
        is done, a note says who they are.
      path: of the labels, for messages.

    Raises:
      ValueError: there are such speakers, and it is not said what to do; or the values of one are
        equally frequent. The message names them, with counts.
    """
    if two_values not in TWO_VALUES:
        raise ValueError(
            f"--two_values={two_values}: it is one of {', '.join(TWO_VALUES)}"
            f"{nearest(two_values, TWO_VALUES)}"
        )
    counts = np.zeros((joined.speaker.max() + 1, len(joined.classes)), int)
    np.add.at(counts, (joined.speaker, joined.labels), 1)
    several = np.flatnonzero((counts > 0).sum(1) > 1)
    if not len(several):
        return joined
    described = _described(joined, counts, several, speaker)
    line = f"{len(several):,} of {len(counts):,} speakers have more than one {attribute}: "
    is_kept = two_values == "keep" or not _is_exception(counts, attribute)
    line += first(described) if is_kept else first(described, most=_NAMED)
    if is_kept:
        return joined._replace(notes=[*joined.notes, f"{line}."])
    if two_values == "stop":
        raise ValueError(
            f"{path}: {line}. Correct the labels, or give two speakers two names; or leave these "
            "speakers out, --two_values=drop, give each the value of most of their utterances, "
            "--two_values=majority, or, if it may differ within a speaker, --two_values=keep."
        )
    if two_values == "drop":
        kept = np.flatnonzero(~np.isin(joined.speaker, several))
        if not len(kept):
            raise ValueError(f"{path}: {line}. --two_values=drop leaves none: correct the labels.")
        note = f"{line}; left out, {len(joined.labels) - len(kept):,} rows."
        return _with_labels(take(joined, kept), joined.labels[kept], note)
    ordered = np.sort(counts[several], 1)
    tied = several[ordered[:, -1] == ordered[:, -2]]
    if len(tied):
        raise ValueError(
            f"{path}: {line}. Of {first(_described(joined, counts, tied, speaker))} no value has "
            "most utterances: correct the labels, or leave all of these speakers out, "
            "--two_values=drop."
        )
    note = f"{line}; each was given that of most utterances."
    return _with_labels(joined, counts.argmax(1)[joined.speaker], note)


def _is_exception(counts: np.ndarray, attribute: str) -> bool:
    """Whether an attribute belongs to speakers, by counts [speakers, classes] of utterances."""
    kind = kind_of(attribute)
    if kind in (GENDER, EMOTION):
        return kind == GENDER
    shares = counts.sum(0) / counts.sum()
    by_chance = 1 - (shares ** counts.sum(1)[:, None]).sum(1)
    return bool(((counts > 0).sum(1) > 1).sum() < _FEW * by_chance.sum())


def _described(
    joined: JoinedSample, counts: np.ndarray, speakers: np.ndarray, column: str
) -> list[str]:
    """Each of `speakers` by name, with the counts of its values."""
    first_row = np.unique(joined.speaker, return_index=True)[1]
    described = []
    for number in speakers:
        of_value = Counter(dict(zip(joined.classes, counts[number].tolist())))
        values = [f"{v} in {n:,} of {of_value.total():,}" for v, n in of_value.most_common() if n]
        described.append(f"{joined.columns[column][first_row[number]]} ({first(values, most=3)})")
    return described


def _with_labels(joined: JoinedSample, labels: np.ndarray, note: str) -> JoinedSample:
    """The sample with other labels, by the numbers of its classes, of which some may be gone."""
    remaining, renumbered = np.unique(labels, return_inverse=True)
    classes = tuple(joined.classes[i] for i in remaining)
    pairs = np.unique(np.stack([renumbered, joined.speaker]), axis=1)[0]
    return joined._replace(
        labels=renumbered.astype(np.int32),
        classes=classes,
        num_speakers=dict(zip(classes, np.bincount(pairs, minlength=len(classes)).tolist())),
        notes=[*joined.notes, note],
    )
