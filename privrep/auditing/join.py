"""Representations and labels brought together: whose they are, and whether they can be judged."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from privrep.formats.tables import ID, Table, rows_by_id
from privrep.formats.vectors import Representations
from privrep.messages import first, nearest, shown

_LEAST = 2  # speakers of each class
_LEAST_OF_ALL = 3  # one to learn from, one to be chosen on, one to be tested on
_first = partial(first, most=8)
_FRAMES = "num_frames"
PART = "part"  # column: of a split, "train" being whom the encoder was trained on
TRAIN = "train"


class Samples(NamedTuple):
    """What is measured.

    Attributes:
      h: float32[N, D] or [N, T, D].
      labels: int32[N], no unknown.
      classes: C names, in the order of their numbers.
      speakers: int32[N].
      num_speakers: {class: speakers who have it}.
      sessions: int32[N], or None.
      num_frames: int32[N], how many of T are no padding, or None where nothing says so.
      notes: sentences about what was left out.
      columns: {name: N cells} of the whole table, None where a cell is empty.
    """

    h: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    speakers: np.ndarray
    num_speakers: dict[str, int]
    sessions: np.ndarray | None
    num_frames: np.ndarray | None
    notes: list[str]
    columns: dict[str, list[str | None]]


def bring_together(
    representations: Representations,
    table: Table,
    attribute: str,
    speaker: str = "speaker",
    session: str = "session",
    only: Mapping[str, Sequence[str]] | None = None,
) -> Samples:
    """Joins by the column id if both have it, else row by row.

    Two values of the attribute, or two speakers, that differ in upper and lower case only are
    refused, and neither joined nor only remarked on: one class as two makes a leak look small, one
    person as two is met in training and in the test, and a remark is not read where the exit
    status decides. Two names that are meant to differ in nothing else are easily changed.

    Args:
      attribute, speaker, session: columns of the table; a session that is called session may be
        missing. A column num_frames is looked at where h is [N, T, D].
      only: {column: values}, of each column one of which a row must have to stay.

    Raises:
      ValueError: a column or value is missing (those there are listed), the numbers of rows differ,
        an id has no partner, the ids stand in another column, the attribute is who speaks, two
        values of it, speakers or sessions differ in case only, only one class is left, a class has
        fewer than 2 speakers or all have fewer than 3, or all h are equal.
    """
    if attribute == speaker:
        raise ValueError(
            f"--attribute={attribute}: that is who speaks, and nobody shares it with another, so "
            "that it cannot be learned from some people and found in others. Whether h tells "
            "strangers apart is measured in every audit, by verification: the line speaker under "
            "'What else h tells'. Audit a column that several speakers share: "
            f"{_first([name for name in table.columns if name not in (speaker, ID)]) or 'none'}"
        )
    for name, needed in ((speaker, "who speaks"), (attribute, "what is private")):
        if name not in table.columns:
            raise ValueError(
                f"{table.path}: has no column {name!r}, {needed}. It has: "
                f"{', '.join(table.columns) or 'none'}{nearest(name, table.columns)}. Speakers are "
                "the sample: without them no number can be judged. Name columns by --speaker and "
                "--attribute."
            )
    if session not in table.columns and session != "session":
        raise ValueError(
            f"{table.path}: has no column {session!r}, recorded together (--session). It has: "
            f"{', '.join(table.columns)}{nearest(session, table.columns)}"
        )
    rows = _rows(representations, table)
    cells = {name: [table.columns[name][i] for i in rows] for name in (speaker, attribute)}
    asked = np.ones(len(rows), bool)
    notes = [representations.first_line] if representations.first_line else []
    held = len(table.columns[speaker])
    if held > len(rows):
        notes.append(
            f"{held - len(rows):,} of {held:,} rows of the labels have no representation and were "
            "left out."
        )
    for name, values in (only or {}).items():
        asked &= _has(name, values, table, rows)
    if only:
        said = " and ".join(f"{name}={','.join(values)}" for name, values in only.items())
        notes.append(f"Of {len(rows):,} rows {asked.sum():,} were looked at, those of {said}.")
    lacks = {n: asked & [cell is None for cell in of] for n, of in cells.items()}
    kept = np.flatnonzero(asked & ~(lacks[speaker] | lacks[attribute]))
    notes += [
        f"{count:,} of {asked.sum():,} rows have no {name} and were left out."
        for name, lack in lacks.items()
        if (count := int(lack.sum()))
    ]
    parts = table.columns.get(PART, [])
    trained = sum(parts[rows[i]] == TRAIN for i in kept) if parts else 0
    if trained:
        notes.append(
            f"{trained:,} of {len(kept):,} utterances have {PART} {TRAIN}: if the encoder was "
            "trained on them, h of strangers may tell more than this says (leave them out: "
            f"--only={PART}=test)."
        )
    if (representations.ids is None) != (ID not in table.columns):
        where = "the labels" if representations.ids is None else "the representations"
        notes.append(f"Row i of one file was taken for row i of the other: only {where} have {ID}.")
    for name in (attribute, speaker):
        _check_case(name, {rows[i]: cells[name][i] for i in kept}, table)
    labels, classes = _numbered([cells[attribute][i] for i in kept])
    speakers, names = _numbered([cells[speaker][i] for i in kept])
    num_speakers = {c: len(np.unique(speakers[labels == i])) for i, c in enumerate(classes)}
    _judge(num_speakers, len(names), attribute, table)
    if len(names) == len(kept):
        notes.append(
            f"Every speaker has one utterance: does the column {speaker} say who speaks? Where "
            "several rows are of one person, no number here holds."
        )
    sessions = None
    if session in table.columns and session != attribute:
        of = [table.columns[session][rows[i]] for i in kept]
        if None in of:
            notes.append(f"Some rows have no {session}; sessions were not looked at.")
        else:
            _check_case(session, {rows[i]: cell for i, cell in zip(kept, of)}, table)
            sessions, _ = _numbered(of)
    mixed = sum(len(np.unique(labels[speakers == s])) > 1 for s in range(len(names)))
    if mixed:
        notes.append(f"{mixed:,} of {len(names):,} speakers have more than one {attribute}.")
    h = representations.h[kept]
    if (h == h[:1]).all():
        raise ValueError(
            f"all {len(h):,} representations are the same: there is nothing to attack, and an h "
            "that says nothing is not private but useless"
        )
    lengths = None
    if h.ndim == 3 and _FRAMES in table.columns:
        lengths = _lengths([table.columns[_FRAMES][rows[i]] for i in kept], h.shape[1], table)
    columns = {name: [of[rows[i]] for i in kept] for name, of in table.columns.items()}
    return Samples(h, labels, classes, speakers, num_speakers, sessions, lengths, notes, columns)


def _lengths(cells: list[str | None], longest: int, table: Table) -> np.ndarray:
    for cell in cells:
        if not (cell or "").isdecimal() or not 1 <= int(cell) <= longest:
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
        place = rows_by_id(table.columns[ID], table.path)
        absent = [one for one in representations.ids if one not in place]
        if absent:
            raise ValueError(
                f"{table.path}: has no row of {len(absent):,} of the representations: {ID} "
                f"{_first(absent)}"
            )
        return [place[one] for one in representations.ids]
    if count != len(representations.h):
        raise ValueError(
            f"{len(representations.h):,} representations and {count:,} rows in {table.path}: "
            f"without a column {ID} in both, row i of one is row i of the other, and their numbers "
            f"must be equal. {representations.first_line}".rstrip()
        )
    return list(range(count))


def _check_elsewhere(ids: Sequence[str], table: Table) -> None:
    """Refuses a column of another name that holds all the ids: by place, rows would be mixed up."""
    wanted = set(ids)
    for name, cells in table.columns.items():
        held = [cell for cell in cells if cell in wanted]
        if len(held) == len(set(held)) == len(wanted):
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
    there = dict.fromkeys(cell for cell in cells if cell is not None)
    for value in values:
        if value not in there:
            raise ValueError(
                f"--only={name}={value}: no row has it. Column {name!r} of {table.path} has: "
                f"{_first([*there]) or 'no value'}{nearest(value, there)}"
            )
    return np.array([cell in values for cell in cells])


def _check_case(name: str, cells: Mapping[int, str], table: Table) -> None:
    """Refuses two cells {row of the table: cell} of the column `name` that differ in case only."""
    ids = table.columns.get(ID)
    seen: dict[str, int] = {}
    for row, cell in cells.items():
        before = seen.setdefault(cell.casefold(), row)
        if cells[before] != cell:
            one, other = (f"{ID} {ids[i]}" if ids else f"row {i} (from 0)" for i in (before, row))
            raise ValueError(
                f"{table.path}: column {name!r} has {shown(cells[before])} in {one} and "
                f"{shown(cell)} in {other}, which differ in upper and lower case only and would "
                "count as two. Write both alike; or, if they are two, name them so that they "
                "differ in more."
            )


def _numbered(values: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    names = sorted(set(values))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[value] for value in values], np.int32), tuple(names)


def _judge(num_speakers: dict[str, int], speakers: int, attribute: str, table: Table) -> None:
    told = _first([f"{name} ({count})" for name, count in num_speakers.items()])
    if len(num_speakers) < 2:
        raise ValueError(
            f"{table.path}: {attribute} has {f'one value only, {told}' if told else 'no value'}; "
            "there is nothing to tell apart. It takes 2 values or more."
        )
    few = [name for name, count in num_speakers.items() if count < _LEAST]
    if few:
        raise ValueError(
            f"{table.path}: {attribute} is known of {speakers} speakers, speakers of each value: "
            f"{told}. With one speaker of {_first(few)}, to know that voice would be to know the "
            f"{attribute}; each value needs {_LEAST} speakers or more."
        )
    if speakers < _LEAST_OF_ALL:
        raise ValueError(
            f"{table.path}: {attribute} is known of {speakers} speakers, and {_LEAST_OF_ALL} are "
            "needed: one to learn from, one to be chosen on, and one to be tested on"
        )
