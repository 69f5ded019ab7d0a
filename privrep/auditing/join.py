"""Joins representations and labels by id or by row, and checks that they can be audited (host)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from privrep.auditing.pooling import are_the_same
from privrep.formats.tables import ID, Table, rows_by_id
from privrep.formats.vectors import Representations
from privrep.messages import first, nearest, shown
from privrep.types import renumber

_MIN_PER_CLASS = 2  # speakers
_MIN_SPEAKERS = 3  # one to train on, one to tune on, one to be tested on
_first = partial(first, most=8)
_FRAMES = "num_frames"
PART = "part"  # column of a split, in which "train" marks what the encoder was trained on
TRAIN = "train"


class JoinedSample(NamedTuple):
    """Representations with the labels of their utterances.

    Attributes:
      h: float32[N, D], or real numbers [N, T, D], perhaps mapped from a file.
      labels: int32[N], none unknown.
      classes: C names, in the order of their numbers.
      speaker: int32[N].
      num_speakers: {class: speakers who have it}.
      session: int32[N], or None.
      num_frames: int32[N], the number of frames that are no padding, or None where it is not known.
      notes: sentences about what was left out.
      columns: {name: N cells} of the whole table, None where a cell is empty.
    """

    h: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    speaker: np.ndarray
    num_speakers: dict[str, int]
    session: np.ndarray | None
    num_frames: np.ndarray | None
    notes: list[str]
    columns: dict[str, list[str | None]]


def join(
    representations: Representations,
    table: Table,
    attribute: str,
    speaker: str = "speaker",
    session: str = "session",
    only: Mapping[str, Sequence[str]] | None = None,
) -> JoinedSample:
    """Joins by the column id if both have it, else row by row.

    Two values of the attribute, or two speakers, that differ only in case are refused: one class
    counted as two makes a leak look small, and one speaker counted as two is both trained on and
    tested on. They are not merged, since they may be different, and a mere note would be missed
    where the exit status decides.

    Args:
      representations: N of them.
      table: the labels.
      attribute, speaker, session: columns of the table; one called session may be missing. A column
        num_frames is used where h is [N, T, D].
      only: {column: values}; a row is kept if it has one of the values in every column.

    Raises:
      ValueError: a column or value is missing (those there are listed), the numbers of rows differ,
        an id is missing in the labels, the ids stand in another column, the attribute is the
        speaker, two values of it, speakers or sessions differ in case only, only one class is left,
        a class has fewer than 2 speakers, there are fewer than 3 speakers, or all h are equal.
    """
    if attribute == speaker:
        raise ValueError(
            f"--attribute={attribute}: that is who speaks, which no two speakers share, so that it "
            "cannot be learned from some speakers and predicted for others. Whether h "
            "distinguishes unseen speakers is measured in every audit, by verification: the line "
            "speaker under 'What else h reveals'. Audit a column that several speakers share: "
            f"{_first([name for name in table.columns if name not in (speaker, ID)]) or 'none'}"
        )
    for name, needed in ((speaker, "who speaks"), (attribute, "what is private")):
        if name not in table.columns:
            raise ValueError(
                f"{table.path}: has no column {name!r}, {needed}. It has: "
                f"{', '.join(table.columns) or 'none'}{nearest(name, table.columns)}. Speakers are "
                "the sampling unit: without them no test is possible. Name columns by --speaker "
                "and --attribute."
            )
    if session not in table.columns and session != "session":
        raise ValueError(
            f"{table.path}: has no column {session!r}, recorded together (--session). It has: "
            f"{', '.join(table.columns)}{nearest(session, table.columns)}"
        )
    rows = _rows(representations, table)
    cells = {name: [table.columns[name][i] for i in rows] for name in (speaker, attribute)}
    selected = np.ones(len(rows), bool)
    notes = [note for note in (representations.first_line, *representations.notes) if note]
    num_rows = len(table.columns[speaker])
    if num_rows > len(rows):
        notes.append(
            f"{num_rows - len(rows):,} of {num_rows:,} rows of the labels have no representation "
            "and were left out."
        )
    for name, values in (only or {}).items():
        selected &= _has(name, values, table, rows)
    if only:
        condition = " and ".join(f"{name}={','.join(values)}" for name, values in only.items())
        notes.append(f"Of {len(rows):,} rows {selected.sum():,} were used, those of {condition}.")
    lacks = {n: selected & [c is None for c in column] for n, column in cells.items()}
    kept = np.flatnonzero(selected & ~(lacks[speaker] | lacks[attribute]))
    notes += [
        f"{count:,} of {selected.sum():,} rows have no {name} and were left out."
        for name, lack in lacks.items()
        if (count := int(lack.sum()))
    ]
    parts = table.columns.get(PART, [])
    num_train = sum(parts[rows[i]] == TRAIN for i in kept) if parts else 0
    if num_train:
        notes.append(
            f"{num_train:,} of {len(kept):,} utterances have {PART} {TRAIN}: if the encoder was "
            "trained on them, h of unseen speakers may reveal more than this audit shows (leave "
            f"them out: --only={PART}=test)."
        )
    if (representations.ids is None) != (ID not in table.columns):
        where = "the labels" if representations.ids is None else "the representations"
        notes.append(f"Representations and labels were joined row by row: only {where} have {ID}.")
    for name in (attribute, speaker):
        _check_case(name, {rows[i]: cells[name][i] or "" for i in kept}, table)
    labels, classes = _numbered([cells[attribute][i] or "" for i in kept])
    speakers = renumber([cells[speaker][i] for i in kept])
    total = int(speakers.max(initial=-1)) + 1
    num_speakers = {c: len(np.unique(speakers[labels == i])) for i, c in enumerate(classes)}
    _check_counts(num_speakers, total, attribute, table)
    if total == len(kept):
        notes.append(
            f"Every speaker has one utterance: does the column {speaker} identify the speaker? If "
            "several rows are of one person, no number here is valid."
        )
    sessions = None
    if session in table.columns and session != attribute:
        session_cells = [table.columns[session][rows[i]] for i in kept]
        if None in session_cells:
            notes.append(f"Some rows have no {session}; sessions were not used.")
        else:
            _check_case(session, {rows[i]: c or "" for i, c in zip(kept, session_cells)}, table)
            sessions = renumber(session_cells)
    mixed = sum(len(np.unique(labels[speakers == s])) > 1 for s in range(total))
    if mixed:
        notes.append(f"{mixed:,} of {total:,} speakers have more than one {attribute}.")
    # Without a copy where all rows are kept: frames may be mapped from a large file.
    h = representations.h if len(kept) == len(representations.h) else representations.h[kept]
    if are_the_same(h):
        raise ValueError(
            f"all {len(h):,} representations are the same: there is nothing to attack, and an h "
            "without information is not private but useless"
        )
    lengths = None
    if h.ndim == 3 and _FRAMES in table.columns:
        lengths = _lengths([table.columns[_FRAMES][rows[i]] for i in kept], h.shape[1], table)
    columns = {name: [column[rows[i]] for i in kept] for name, column in table.columns.items()}
    return JoinedSample(
        h=h,
        labels=labels,
        classes=classes,
        speaker=speakers,
        num_speakers=num_speakers,
        session=sessions,
        num_frames=lengths,
        notes=notes,
        columns=columns,
    )


def _lengths(cells: list[str | None], longest: int, table: Table) -> np.ndarray:
    for cell in cells:
        if cell is None or not cell.isdecimal() or not 1 <= int(cell) <= longest:
            raise ValueError(
                f"{table.path}: {_FRAMES} {cell!r} is no number of frames from 1 to {longest}"
            )
    return np.array(cells, np.int32)


def _rows(representations: Representations, table: Table) -> list[int]:
    """The table's row of each representation."""
    count = len(next(iter(table.columns.values())))
    if representations.ids is not None and ID not in table.columns:
        _check_elsewhere(representations.ids, table)
    elif representations.ids is not None:
        row_of = rows_by_id(table.columns[ID], table.path)
        absent = [name for name in representations.ids if name not in row_of]
        if absent:
            raise ValueError(
                f"{table.path}: has no row of {len(absent):,} of the representations: {ID} "
                f"{_first(absent)}"
            )
        return [row_of[name] for name in representations.ids]
    if count != len(representations.h):
        raise ValueError(
            f"{len(representations.h):,} representations and {count:,} rows in {table.path}: "
            f"without a column {ID} in both, row i of one is row i of the other, and their numbers "
            f"must be equal. {representations.first_line}".rstrip()
        )
    return list(range(count))


def _check_elsewhere(ids: Sequence[str], table: Table) -> None:
    """Refuses a column of another name that holds all ids: joined by row they would be mixed up."""
    wanted = set(ids)
    for name, cells in table.columns.items():
        matching = [cell for cell in cells if cell in wanted]
        if len(matching) == len(set(matching)) == len(wanted):
            raise ValueError(
                f"{table.path}: column {name!r} holds every {ID} of the representations, each "
                f"once, and there is no column {ID}. Call it {ID}, or add it once more as {ID}: "
                "rows are joined by the column of that name alone"
            )


def _has(name: str, values: Sequence[str], table: Table, rows: Sequence[int]) -> np.ndarray:
    """bool[N]: whether the column `name` has one of the values."""
    if name not in table.columns:
        raise ValueError(
            f"--only={name}=…: {table.path} has no column {name!r}. It has: "
            f"{_first([*table.columns])}{nearest(name, table.columns)}"
        )
    cells = [table.columns[name][i] for i in rows]
    present = dict.fromkeys(cell for cell in cells if cell is not None)
    for value in values:
        if value not in present:
            raise ValueError(
                f"--only={name}={value}: no row has it. Column {name!r} of {table.path} has: "
                f"{_first([*present]) or 'no value'}{nearest(value, present)}"
            )
    return np.array([cell in values for cell in cells])


def _check_case(name: str, cells: Mapping[int, str], table: Table) -> None:
    """Refuses two cells {row of the table: cell} of the column `name` that differ in case only."""
    ids = table.columns.get(ID)
    first_rows: dict[str, int] = {}
    for row, cell in cells.items():
        before = first_rows.setdefault(cell.casefold(), row)
        if cells[before] != cell:
            a, b = (f"{ID} {ids[i]}" if ids else f"row {i} (from 0)" for i in (before, row))
            raise ValueError(
                f"{table.path}: column {name!r} has {shown(cells[before])} in {a} and "
                f"{shown(cell)} in {b}, which differ in upper and lower case only and would "
                "count as two. Write both alike; or, if they are two, name them so that they "
                "differ in more."
            )


def _numbered(values: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    names = sorted(set(values))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[value] for value in values], np.int32), tuple(names)


def _check_counts(
    num_speakers: dict[str, int], speakers: int, attribute: str, table: Table
) -> None:
    counts = _first([f"{name} ({count})" for name, count in num_speakers.items()])
    if len(num_speakers) < 2:
        raise ValueError(
            f"{table.path}: {attribute} has "
            f"{f'one value only, {counts}' if counts else 'no value'}; there is nothing to "
            "predict. It takes 2 values or more."
        )
    few = [name for name, count in num_speakers.items() if count < _MIN_PER_CLASS]
    if few:
        raise ValueError(
            f"{table.path}: {attribute} is known of {speakers} speakers, speakers of each value: "
            f"{counts}. With one speaker of {_first(few)}, recognising that speaker would predict "
            f"the {attribute}; each value needs {_MIN_PER_CLASS} speakers or more."
        )
    if speakers < _MIN_SPEAKERS:
        raise ValueError(
            f"{table.path}: {attribute} is known of {speakers} speakers, and {_MIN_SPEAKERS} are "
            "needed: one to train on, one to tune on, and one to be tested on"
        )


def check_given(given: Sequence[str] | None, joined: JoinedSample, attribute: str) -> None:
    """Makes sure that the columns `given` can be covariates.

    Raises:
      ValueError: one is missing, is the attribute itself, or is constant.
    """
    columns = joined.columns
    for name in given or ():
        if name not in columns or name == attribute:
            usable = [n for n in columns if n not in (attribute, ID)]
            raise ValueError(
                f"--given={name}: a covariate is a column of the labels other than {attribute}. "
                f"There are: {', '.join(usable)}{nearest(name, usable)}"
            )
        if len(set(columns[name])) < 2:
            raise ValueError(
                f"--given={name}: it is the same in every row, and can explain nothing"
            )
