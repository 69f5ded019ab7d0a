"""What an audit attacks and may learn from, all read and checked before anything is measured."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from privrep.auditing.join import Samples, bring_together
from privrep.auditing.questions import check_given
from privrep.formats.tables import Table, read_table
from privrep.formats.vectors import Representations, read_vectors
from privrep.leakage.threat_ladder import Corpus

_LEAST = 3  # speakers of another corpus


class Sources(NamedTuple):
    """Files of which attackers may learn besides those that are audited, and columns.

    Attributes:
      unprotected: representations of the same utterances before the defence, or None.
      other, other_labels: representations and labels of another corpus, or None.
      attribute, speaker, session: columns of both tables of labels.
      only: {column: values}, which rows of the audited corpus stay; None: all.
    """

    unprotected: str | Path | None
    other: str | Path | None
    other_labels: str | Path | None
    attribute: str
    speaker: str
    session: str
    only: Mapping[str, Sequence[str]] | None = None

    @property
    def roles(self) -> dict[str, str | Path]:
        """{role: file} of those that are given."""
        files = {n: getattr(self, n) for n in ("unprotected", "other", "other_labels")}
        return {name: path for name, path in files.items() if path is not None}


class Inputs(NamedTuple):
    """What an audit works on.

    Attributes:
      samples: whose the representations are, and what they are.
      h: float[N, D], pooled over time, each column divided by its largest magnitude.
      unprotected: float[N, D], the same utterances before the defence, in the units of h; or None.
      other: another corpus in the units of h; or None.
      shape: of the representations, as they lie in their file.
      notes: sentences about what was read.
    """

    samples: Samples
    h: np.ndarray
    unprotected: np.ndarray | None
    other: Corpus | None
    shape: tuple[int, ...]
    notes: list[str]


def read_inputs(
    representations: str | Path,
    labels: str | Path,
    sources: Sources,
    given: Sequence[str] | None = None,
) -> Inputs:
    """Reads all files of an audit.

    Args:
      given: columns that may explain the leak, see `questions.check_given`.

    Raises:
      FileNotFoundError, ValueError: a file cannot be read, or does not fit the others.
    """
    if (sources.other is None) != (sources.other_labels is None):
        raise ValueError(
            "another corpus takes both its representations and its labels: --other=FILE and "
            "--other_labels=FILE"
        )
    table, read = read_table(labels), read_vectors(representations)
    samples = _samples(read, table, sources, sources.only)
    check_given(given, samples.columns, sources.attribute)
    h, pooling = pooled(samples)
    # The unit of h is its maker's affair; squares of 1e-30 or 1e30 would leave float32.
    largest = np.abs(h).max(0)
    scale = np.where(largest > 0, largest, 1)
    return Inputs(
        samples,
        h / scale,
        _bare(sources, read, table, scale),
        _other(sources, samples.classes, scale),
        read.h.shape,
        samples.notes + pooling,
    )


def check_output(folder: str | Path) -> None:
    """Makes the folder and sees that files can be written there.

    Raises:
      ValueError: they cannot.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"--output={folder}: nothing can be written there: {error.strerror}"
        ) from error


def _samples(
    read: Representations,
    table: Table,
    sources: Sources,
    only: Mapping[str, Sequence[str]] | None = None,
) -> Samples:
    return bring_together(read, table, sources.attribute, sources.speaker, sources.session, only)


def pooled(samples: Samples) -> tuple[np.ndarray, list[str]]:
    """[N, D] as it is, [N, T, D] as mean and deviation over the frames that are no padding."""
    h = samples.h
    if h.ndim == 2:
        return h, []
    length = h.shape[1] if samples.num_frames is None else samples.num_frames[:, None, None]
    inside = np.arange(h.shape[1])[None, :, None] < length
    return np.concatenate([h.mean(1, where=inside), h.std(1, where=inside)], 1), [
        f"Frames [N, {h.shape[1]}, {h.shape[2]}] were pooled to mean and deviation over time"
        + ("." if samples.num_frames is not None else ", all of them, padding too if there is any.")
    ]


def _bare(
    sources: Sources, read: Representations, table: Table, scale: np.ndarray
) -> np.ndarray | None:
    """The audited utterances before the defence, pooled and divided by `scale`, or None."""
    path = sources.unprotected
    if path is None:
        return None
    found = read_vectors(path)
    if found.h.shape != read.h.shape or (found.ids is None) != (read.ids is None):
        raise ValueError(
            f"{path}: shape {list(found.h.shape)}{_with_ids(found)} beside {list(read.h.shape)}"
            f"{_with_ids(read)}: unprotected representations are of the same utterances, by the "
            "same kind of file"
        )
    if found.ids is not None and read.ids is not None:
        place = {one: i for i, one in enumerate(found.ids)}
        absent = [one for one in read.ids if one not in place]
        if absent:
            raise ValueError(f"{path}: has no row of utterance {absent[0]!r}")
        found = Representations(found.h[[place[one] for one in read.ids]], read.ids)
    return pooled(_samples(found, table, sources, sources.only))[0] / scale


def _with_ids(read: Representations) -> str:
    return " without ids" if read.ids is None else " with ids"


def _other(sources: Sources, classes: tuple[str, ...], scale: np.ndarray) -> Corpus | None:
    if sources.other is None or sources.other_labels is None:
        return None
    table = read_table(sources.other_labels)
    there = _samples(read_vectors(sources.other), table, sources)
    number = {name: i for i, name in enumerate(classes)}
    ours = np.array([number.get(name, -1) for name in there.classes])
    if (ours >= 0).sum() < 2:
        raise ValueError(
            f"{sources.other_labels}: {sources.attribute} is {', '.join(there.classes)} there and "
            f"{', '.join(classes)} here: two common values are needed to learn from it"
        )
    people = len(np.unique(there.speakers[ours[there.labels] >= 0]))
    if people < _LEAST:
        raise ValueError(
            f"{sources.other_labels}: {people} speakers have a {sources.attribute} that is told "
            f"apart here; {_LEAST} at least are needed to learn from"
        )
    h, _ = pooled(there)
    if h.shape[1:] != scale.shape:
        raise ValueError(
            f"{sources.other}: {h.shape[1]} columns where the audited representations have "
            f"{len(scale)}: they must be made by the same encoder"
        )
    return Corpus(h / scale, ours[there.labels], there.speakers)
