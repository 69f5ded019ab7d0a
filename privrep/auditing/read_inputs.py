"""Reads and checks all inputs of an audit before anything is measured (host)."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.auditing.join import PART, JoinedSample, check_counts, check_given, join
from privrep.auditing.options import AuditOptions, Columns, Vectors
from privrep.auditing.pooling import pooled_blocks, pooled_sequences, side_by_side
from privrep.auditing.quantity import Quantity, quantity_of
from privrep.auditing.two_values import settle_values
from privrep.duplicates import shared_rows
from privrep.formats.columns import Labels, check_values_there, no_speaker
from privrep.formats.columns import labels as labels_of
from privrep.formats.numbers import NumberBin
from privrep.formats.sequences import Sequences, lengths_beside, open_sequences, sources_of
from privrep.formats.tables import ID, Table, read_table, table_of_columns
from privrep.formats.unpacked import taken
from privrep.formats.values import paired
from privrep.formats.vectors import Representations, checked_vectors
from privrep.leakage.threat_ladder import OtherCorpus
from privrep.messages import first
from privrep.types import NumberSample, Sample

_MIN_SPEAKERS = 3  # of another corpus


class AuditInputs(NamedTuple):
    """The data of an audit.

    Attributes:
      joined: the representations as they were read, with their labels.
      sample: h float32 or float64[N, D] pooled over time, each column divided by a power of two, so
        that its largest magnitude is at most 1.
      numbers: the same utterances with their numbers, where the attribute is a number; or None. The
        classes are its bins then.
      unprotected: float[N, D], the same utterances before the defence, in the units of h; or None.
      other: another corpus in the units of h; or None.
      shape: of the representations as they were given.
      notes: sentences about the inputs.
    """

    joined: JoinedSample
    sample: Sample
    numbers: NumberSample | None
    unprotected: np.ndarray | None
    other: OtherCorpus | None
    shape: tuple[int, ...]
    notes: list[str]


class Opened(NamedTuple):
    """What was read of files, by how it was asked for: several audits read each file once."""

    tables: dict[str, Table]
    vectors: dict[tuple[Any, ...], Representations]


class _Reader(NamedTuple):
    """The columns by which representations and labels are joined, and the files that were read."""

    attribute: str
    options: AuditOptions
    opened: Opened

    def labels(self, source: Columns, name: str) -> Labels:
        """Labels under the names of this project, with one spelling per value.

        Raises:
          FileNotFoundError, ValueError: see `table_of` and `columns.labels`; or a value of the
            attribute is not known.
        """
        options = self.options
        used = {self.attribute, options.speaker, options.session, *(options.given or ())}
        used |= {"num_frames", PART, *(options.only or ())}
        read = labels_of([self._table(source, name)], options.naming, used)
        if options.speaker == "speaker" and "speaker" not in read.cells:
            raise no_speaker(read.tables[0], [self.attribute], options.naming.columns)
        values = {*read.cells.get(self.attribute, ())} - {""}
        # In arrays, values of which none is a word are the numbers of a caller's own classes.
        if isinstance(source, str | Path) or values - {*read.unknown.get(self.attribute, ())}:
            read.check_known(self.attribute)
        return read

    def _table(self, source: Columns, name: str) -> Table:
        if not isinstance(source, str | Path):
            return table_of(source, name)
        if str(source) not in self.opened.tables:
            self.opened.tables[str(source)] = table_of(source, name)
        return self.opened.tables[str(source)]

    def vectors(
        self, source: Vectors, name: str, table: Table, lengths: str | Path | None = None
    ) -> Representations:
        """See `vectors_of`."""
        if isinstance(source, np.ndarray):
            return vectors_of(source, name, table, lengths)
        key = (str(source), str(lengths), *table.columns.get(ID, ()))
        if key not in self.opened.vectors:
            self.opened.vectors[key] = vectors_of(source, name, table, lengths)
        return self.opened.vectors[key]

    def join(
        self,
        read: Representations,
        table: Table,
        only: Mapping[str, Sequence[str]] | None = None,
        intervals: tuple[NumberBin, ...] | None = None,
    ) -> tuple[JoinedSample, Quantity | None]:
        """The joined sample, its classes checked, and its numbers if the attribute is a number.

        Args:
          read, table, only: see `join.join`.
          intervals: bins of another sample, to be used here; None makes bins of this one.
        """
        options = self.options
        columns = (self.attribute, options.speaker, options.session)
        raw = join(read, table, *columns, only, options.duplicates)
        joined, quantity = quantity_of(raw, self.attribute, options, intervals)
        if quantity is None:
            joined = settle_values(
                joined, self.attribute, options.speaker, options.two_values, table.path
            )
        check_counts(joined, self.attribute, table)
        return joined, quantity


def read_inputs(
    representations: Vectors,
    labels: Columns,
    attribute: str,
    options: AuditOptions,
    opened: Opened | None = None,
) -> AuditInputs:
    """Reads all files of an audit, or takes arrays in their place.

    Args:
      representations, labels, attribute, options: see `run_audit.audit`.
      opened: files that another audit has read; what is read here is added.

    Raises:
      FileNotFoundError, ValueError: a file cannot be read, or does not fit the others.
    """
    if (options.other is None) != (options.other_labels is None):
        raise ValueError(
            "another corpus takes both its representations and its labels: --other=FILE and "
            "--other_labels=FILE"
        )
    if options.duplicates in ("merge", "drop") and options.unprotected is not None:
        raise ValueError(
            f"--duplicates={options.duplicates} leaves out rows that --unprotected has: leave "
            "copies and failed rows out of both files, and give one person one name"
        )
    reader = _Reader(attribute, options, Opened({}, {}) if opened is None else opened)
    labelled = [reader.labels(labels, "labels")]
    if options.other_labels is not None:
        labelled.append(reader.labels(options.other_labels, "other_labels"))
    check_values_there(labelled)
    table = labelled[0].table
    read = reader.vectors(representations, "representations", table, options.lengths)
    if options.lengths is None:
        _check_rows(representations, read, table)
    joined, quantity = reader.join(read, table, options.only)
    if options.limits.above_correlation is not None and quantity is None:
        raise ValueError(
            f"--fail-above-correlation: {attribute} has classes ({first(joined.classes)}) and no "
            "correlation. Give --fail-above, or --as=number where they are numbers"
        )
    check_given(options.given, joined, attribute)
    h, pooling = pooled(joined)
    # The unit of h is arbitrary, and squares of 1e-30 or 1e30 would be out of the range of float32.
    # A power of two changes no digit: a leak may lie in the last ones.
    largest = np.abs(h).max(0)
    scale = np.exp2(np.ceil(np.log2(np.where(largest > 0, largest, 1)))).astype(h.dtype)
    sample = Sample(h / scale, joined.labels, joined.speaker, joined.session)
    numbers = None
    if quantity is not None:
        numbers = NumberSample(sample.h, quantity.values, sample.speaker, sample.session)
    other, of_other = None, list[str]()
    if options.other is not None:
        other, of_other = _other(reader, labelled[1].table, joined, sample.h, quantity, scale)
    return AuditInputs(
        joined=joined,
        sample=sample,
        numbers=numbers,
        unprotected=_unprotected(reader, read, table, scale),
        other=other,
        shape=read.shape or read.h.shape,
        notes=joined.notes + pooling + of_other,
    )


def read_labels(labels: Columns, attribute: str, options: AuditOptions) -> JoinedSample:
    """Reads labels without representations and checks them as an audit does.

    Raises:
      FileNotFoundError, ValueError: the labels cannot be read or audited.
    """
    reader = _Reader(attribute, options, Opened({}, {}))
    read = reader.labels(labels, "labels")
    check_values_there([read])
    # Rows of one table are not joined with others, so that ids have nothing to match.
    cells = {name: column for name, column in read.cells.items() if name != ID}
    table = replace(read.table, cells=cells)
    noise = np.random.default_rng(0).normal(size=(len(table), 2))
    joined, _ = reader.join(checked_vectors("labels", noise), table, options.only)
    check_given(options.given, joined, attribute)
    return joined


def speaker_names(inputs: AuditInputs, column: str) -> list[str]:
    """The name of each speaker of the sample, from the column of the labels that names them."""
    cells = inputs.joined.columns[column]
    first_row = np.unique(inputs.joined.speaker, return_index=True)[1]
    return [str(cells[row]) for row in first_row]


def vectors_of(
    source: Vectors, name: str, table: Table, lengths: str | Path | None = None
) -> Representations:
    """Representations from an array, or from one or several sources (see `formats.sequences`).

    Frames of utterances that lie one by one are pooled as they are read.

    Args:
      source: the array, or the sources joined by +.
      name: of the argument, for messages.
      table: the labels, whose ids are those that are looked for.
      lengths: of the utterances whose frames lie end to end in `source`.

    Raises:
      FileNotFoundError, ValueError: a source cannot be read, or does not fit the others.
    """
    if isinstance(source, np.ndarray):
        return checked_vectors(name, source)
    wanted = [cell for cell in table.columns[ID] if cell] if ID in table.columns else None
    parts = []
    for path in sources_of(source):
        opened = open_sequences(path, wanted, lengths)
        if isinstance(opened, Sequences):
            opened = pooled_sequences(opened)
        parts.append((Path(path).name, opened))
    return parts[0][1] if len(parts) == 1 else side_by_side(parts)


def _check_rows(source: Vectors, read: Representations, table: Table) -> None:
    """Says what to do where there are more rows than labels, as of frames that lie end to end."""
    num_labels = len(next(iter(table.columns.values())))
    if isinstance(source, np.ndarray) or read.ids is not None or len(read.h) <= num_labels:
        return
    if read.h.ndim != 2 or len(sources_of(source)) > 1 or Path(source).suffix.lower() != ".npy":
        return
    beside = lengths_beside(Path(source))
    advice = "give the number of each by --lengths=FILE"
    if beside is not None:
        advice = f"the file {beside.name} lies beside: --lengths={beside}"
    raise ValueError(
        f"{source}: shape {list(read.h.shape)}, {len(read.h):,} rows for {num_labels:,} rows of "
        f"{table.path}. If these are the frames of all utterances end to end, {advice}"
    )


def table_of(source: Columns, name: str) -> Table:
    """A table from a file, a dict of columns, a pandas.DataFrame or a structured array.

    Cells become strings as those of a file do; None and NaN are empty.

    Raises:
      FileNotFoundError, ValueError: a file cannot be read, no columns, or columns of unequal
        length.
    """
    if isinstance(source, str | Path):
        return read_table(source)
    columns = _columns(source, name)
    lengths = {column: len(cells) for column, cells in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"{name}: columns of equal length are needed, these have {lengths}")
    (num_rows,) = set(lengths.values())
    return table_of_columns(columns, range(1, num_rows + 1), Path(name))


def _columns(source: Any, name: str) -> dict[str, list]:
    if isinstance(source, Mapping):
        return {str(column): list(cells) for column, cells in source.items()}
    if isinstance(source, np.ndarray):
        if source.dtype.names is None:
            raise ValueError(
                f"{name}: an array of {source.dtype} has no columns; give a dict of columns, a "
                "pandas.DataFrame or a structured array"
            )
        return {column: source[column].tolist() for column in source.dtype.names}
    if hasattr(source, "columns") and hasattr(source, "notna"):  # a pandas.DataFrame
        cells = source.astype(object).where(source.notna(), None)
        return {str(column): cells[column].tolist() for column in cells.columns}
    raise ValueError(
        f"{name}: {type(source).__name__} is neither a file nor a table; give a path, a dict of "
        "columns, a pandas.DataFrame or a structured array"
    )


def check_output(folder: str | Path) -> None:
    """Creates the folder and makes sure that files can be written there.

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


def pooled(joined: JoinedSample) -> tuple[np.ndarray, list[str]]:
    """[N, D] as it is; [N, T, D] as mean and standard deviation over the valid frames."""
    h = joined.h
    if h.ndim == 2:
        return h, []
    which = "." if joined.num_frames is not None else ", all of them, padding too if there is any."
    return pooled_blocks(h, joined.num_frames), [
        f"Frames [N, {h.shape[1]}, {h.shape[2]}] were pooled to mean and standard deviation over "
        f"time{which}"
    ]


def _unprotected(
    reader: _Reader, read: Representations, table: Table, scale: np.ndarray
) -> np.ndarray | None:
    """The audited utterances before the defence, pooled and divided by `scale`, or None."""
    source = reader.options.unprotected
    if source is None:
        return None
    name = "unprotected" if isinstance(source, np.ndarray) else str(source)
    before = reader.vectors(source, name, table, reader.options.lengths_of(source))
    if before.h.shape != read.h.shape or (before.ids is None) != (read.ids is None):
        raise ValueError(
            f"{name}: shape {list(before.h.shape)}{_with_ids(before)} beside {list(read.h.shape)}"
            f"{_with_ids(read)}: unprotected representations are of the same utterances, by the "
            "same kind of file"
        )
    if before.ids is not None and read.ids is not None:
        row_of = {utterance: i for i, utterance in enumerate(before.ids)}
        pairs = paired(read.ids, row_of).pairs
        absent = [utterance for utterance in read.ids if utterance not in pairs]
        if absent:
            raise ValueError(f"{name}: has no row of utterance {absent[0]!r}")
        rows = np.array([row_of[pairs[utterance]] for utterance in read.ids])
        before = Representations(taken(before.h, rows), read.ids)
    return pooled(reader.join(before, table, reader.options.only)[0])[0] / scale


def _with_ids(read: Representations) -> str:
    return " without ids" if read.ids is None else " with ids"


def _other(
    reader: _Reader,
    table: Table,
    audited: JoinedSample,
    audited_h: np.ndarray,
    quantity: Quantity | None,
    scale: np.ndarray,
) -> tuple[OtherCorpus, list[str]]:
    """The other corpus, labelled by `table`, without audited speakers, in the classes of `audited`;
    and notes.

    Its h is divided by `scale`, as `audited_h` was.
    """
    options, attribute, classes = reader.options, reader.attribute, audited.classes
    intervals = None if quantity is None else quantity.intervals
    read = reader.vectors(options.other, "other", table)
    joined, _ = reader.join(read, table, intervals=intervals)
    number = {name: i for i, name in enumerate(classes)}
    shared = np.array([number.get(name, -1) for name in joined.classes])
    if (shared >= 0).sum() < 2:
        raise ValueError(
            f"{table.path}: {attribute} is {', '.join(joined.classes)} there and "
            f"{', '.join(classes)} here: two common values are needed to train on it"
        )
    h, _ = pooled(joined)
    name = "other" if isinstance(options.other, np.ndarray) else str(options.other)
    if h.shape[1:] != scale.shape:
        raise ValueError(
            f"{name}: {h.shape[1]} columns where the audited representations have "
            f"{len(scale)}: they must be made by the same encoder"
        )
    corpus = OtherCorpus(h / scale, shared[joined.labels], joined.speaker)
    pairs = _pairs(joined, audited)
    copies = shared_rows(corpus.h, joined.speaker, audited_h, audited.speaker, pairs)
    left, note = _without_copies(corpus, copies, joined, name, options)
    num_speakers = len(np.unique(left.speaker[left.labels >= 0]))
    if num_speakers < _MIN_SPEAKERS:
        text = (
            f"{note} {table.path}: {num_speakers} speakers have a value of {attribute} that occurs "
            f"here; {_MIN_SPEAKERS} at least are needed to train on: give one of other speakers"
        )
        raise ValueError(text.lstrip())
    return left, [note] if note else []


def _pairs(joined: JoinedSample, audited: JoinedSample) -> list[tuple[int, int]]:
    """Rows of two samples with one id; without ids those at one place of as many."""
    ids, of_audited = joined.columns.get(ID), audited.columns.get(ID)
    if ids is not None and of_audited is not None:
        place = {id_: i for i, id_ in enumerate(of_audited) if id_}
        return [(i, place[id_]) for i, id_ in enumerate(ids) if id_ in place]
    count = len(joined.labels)
    return [(i, i) for i in range(count)] if count == len(audited.labels) else []


def _without_copies(
    other: OtherCorpus, copies: np.ndarray, joined: JoinedSample, name: str, options: AuditOptions
) -> tuple[OtherCorpus, str]:
    """The other corpus without the speakers of the rows `copies` bool[M], and a note on them.

    Where equal rows are declared to be equal by what was said, only the rows are left out.
    """
    if not copies.any():
        return other, ""
    by_rows = options.duplicates == "keep"
    gone = copies if by_rows else np.isin(other.speaker, other.speaker[copies])
    ids = joined.columns.get(ID)
    shown = [str(ids[i]) if ids else f"row {i}" for i in np.flatnonzero(copies)]
    who = dict.fromkeys(str(joined.columns[options.speaker][i]) for i in np.flatnonzero(gone))
    what = "These rows" if by_rows else f"Their speakers, {first([*who])},"
    note = (
        f"{name}: {len(shown):,} of {len(copies):,} rows are rows of the audited representations "
        f"({first(shown)}): an attacker trained there would know who is tested here. {what} were "
        f"left out there, {int(gone.sum()):,} rows."
    )
    kept = ~gone
    return OtherCorpus(other.h[kept], other.labels[kept], other.speaker[kept]), note
