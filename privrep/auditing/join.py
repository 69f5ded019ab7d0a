"""Joins representations and labels by id or by row, and checks that they can be audited (host)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from privrep.auditing.options import DUPLICATES
from privrep.auditing.pooling import are_the_same, pooled_blocks
from privrep.duplicates import (
    classes_of,
    copied_rows,
    failed_rows,
    named,
    one_name,
    repeats_one_value,
)
from privrep.formats.columns import kind_of, proposal
from privrep.formats.tables import ID, Table
from privrep.formats.unpacked import taken
from privrep.formats.values import like, paired
from privrep.formats.vectors import Representations
from privrep.messages import first, nearest, pasted, shown
from privrep.types import renumber

_MIN_PER_CLASS = 2  # speakers
_MIN_SPEAKERS = 3  # one to train on, one to tune on, one to be tested on
_first = partial(first, most=8)
_MIN_COUNTED = 8  # rows
_FEW_WITHOUT_SESSION = 0.05  # of the rows, which are left out
_FRAMES = "num_frames"
PART = "part"  # column of a split, in which "train" marks what the encoder was trained on
TRAIN = "train"


class JoinedSample(NamedTuple):
    """Representations with the labels of their utterances.

    Attributes:
      h: float32 or float64[N, D], or real numbers [N, T, D], perhaps mapped from a file.
      labels: int32[N], none unknown.
      classes: C names, in the order of their numbers.
      speaker: int32[N].
      num_speakers: {class: speakers who have it}.
      session: int32[N], or None.
      num_frames: int32[N], the number of frames that are no padding, or None where it is not known.
      notes: sentences about what was left out.
      columns: {name: N cells} of the whole table, None where a cell is empty.
      by_id: whether both inputs have ids, by which they were joined; else by position.
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
    by_id: bool


def join(
    representations: Representations,
    table: Table,
    attribute: str,
    speaker: str = "speaker",
    session: str = "session",
    only: Mapping[str, Sequence[str]] | None = None,
    duplicates: str = "stop",
) -> JoinedSample:
    """Joins by the column id if both have it, else row by row.

    Args:
      representations: N of them.
      table: the labels, with one spelling per value (see `columns.labels`): one class counted as
        two makes a leak look small, and one speaker counted as two is both trained on and tested
        on.
      attribute, speaker, session: columns of the table; one called session may be missing. A column
        num_frames is used where h is [N, T, D].
      only: {column: values}; a row is kept if it has one of the values in every column.
      duplicates: in `options.DUPLICATES`, what to do about equal rows of different speakers.
        "merge" makes one speaker of those who share a row and keeps one row of each lot; "keep"
        keeps all. Rows of which the embedding failed are left out by "merge" and "drop".

    Raises:
      ValueError: a column or value is missing (those there are listed), the numbers of rows differ,
        an id is missing in the labels, the ids stand in another column, the attribute is the
        speaker, no row is left, all h are equal, rows of different speakers are equal, or a unit of
        h is a label or counts the rows. Whether classes and speakers suffice is left to
        `check_counts`.
    """
    if attribute == speaker:
        raise ValueError(
            f"--attribute={attribute}: that is who speaks, which no two speakers share, so that it "
            "cannot be learned from some speakers and predicted for others. Whether h "
            "distinguishes unseen speakers is measured in every audit, by verification: the line "
            "speaker under 'What else h reveals'. Audit a column that several speakers share: "
            f"{_first([name for name in table.columns if name not in (speaker, ID)]) or 'none'}"
        )
    for name, needed, advice in (
        (
            speaker,
            "who speaks",
            "Speakers are the sampling unit: without them no test is possible. Name the column by "
            "--speaker",
        ),
        (attribute, "what is private", "Name the column by --attribute"),
    ):
        if name not in table.columns:
            raise ValueError(
                f"{table.path}: has no column {name!r}, {needed}. It has: "
                f"{', '.join(table.columns) or 'none'}{nearest(name, table.columns)}. {advice}."
                f"{_believed(table, name, attribute)}"
            )
    if session not in table.columns and session != "session":
        raise ValueError(
            f"{table.path}: has no column {session!r}, recorded together (--session). It has: "
            f"{', '.join(table.columns)}{nearest(session, table.columns)}"
        )
    _check_units(representations, table)
    rows, matching = _rows(representations, table)
    cells = {name: [table.columns[name][i] for i in rows] for name in (speaker, attribute)}
    selected = np.ones(len(rows), bool)
    of_representations = (representations.first_line, *representations.notes, matching)
    notes = [*table.notes, *filter(None, of_representations)]
    num_rows = max(len(_filled(table)), len(rows))
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
    uses_sessions = session in table.columns and session != attribute
    if uses_sessions:
        of_rows = [table.columns[session][rows[i]] for i in kept]
        without = np.array([cell is None for cell in of_rows], bool)
        if without.any():
            uses_sessions = without.mean() < _FEW_WITHOUT_SESSION
            shown = _shown(representations, kept[without])
            notes.append(_of_sessions(session, shown, len(kept), uses_sessions))
            kept = kept[~without] if uses_sessions else kept
    if duplicates not in DUPLICATES:
        raise ValueError(f"duplicates={duplicates!r}: it is one of {', '.join(DUPLICATES)}")
    failed, equal = _failed_and_equal(representations, kept, cells[speaker], cells[attribute])
    if failed.any():
        shown = _shown(representations, kept[failed])
        notes.append(
            _of_failed(shown, len(kept), attribute, duplicates, (equal[failed] >= 0).any())
        )
        if duplicates in ("drop", "merge"):
            kept = kept[~failed]
            _, equal = _failed_and_equal(representations, kept, cells[speaker], cells[attribute])
    kept, cells[speaker], of_copies = _settle_copies(
        representations, kept, cells[speaker], duplicates, equal
    )
    notes += of_copies
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
    if not len(kept):
        raise ValueError(
            f"{table.path}: {attribute} has no value; there is nothing to predict. It takes 2 "
            "values or more."
        )
    labels, classes = _numbered([cells[attribute][i] or "" for i in kept])
    speakers = renumber([cells[speaker][i] for i in kept])
    total = int(speakers.max(initial=-1)) + 1
    owners = np.bincount(np.unique(np.stack([labels, speakers]), axis=1)[0], minlength=len(classes))
    num_speakers = dict(zip(classes, owners.tolist()))
    if total == len(kept):
        notes.append(
            f"Every speaker has one utterance: does the column {speaker} identify the speaker? If "
            "several rows are of one person, no number here is valid."
        )
    sessions = None
    if uses_sessions:
        sessions = renumber([table.columns[session][rows[i]] for i in kept])
    # Without a copy where all rows are kept: frames may be mapped from a large file.
    h = representations.h if len(kept) == len(representations.h) else taken(representations.h, kept)
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
        by_id=representations.ids is not None and ID in table.columns,
    )


def _lengths(cells: list[str | None], longest: int, table: Table) -> np.ndarray:
    for cell in cells:
        if cell is None or not cell.isdecimal() or not 1 <= int(cell) <= longest:
            raise ValueError(
                f"{table.path}: {_FRAMES} {cell!r} is no number of frames from 1 to {longest}"
            )
    return np.array(cells, np.int32)


def _believed(table: Table, name: str, attribute: str) -> str:
    guess = proposal(table, [name], [ID, "speaker", attribute])
    return f" Believed right: {guess}" if guess else ""


def _rows(representations: Representations, table: Table) -> tuple[list[int], str]:
    """The table's row of each representation, and a sentence on ids that are not written alike."""
    count, filled = len(table), _filled(table)
    if representations.ids is not None and ID not in table.columns:
        _check_elsewhere(representations.ids, table)
    elif representations.ids is not None:
        row_of = _row_of(table, filled)
        joined = paired(representations.ids, row_of)
        absent = [name for name in representations.ids if name not in joined.pairs]
        if absent:
            raise ValueError(
                f"{table.path}: has no row of {len(absent):,} of the representations: {ID} "
                f"{_first(absent)}. Leave them out of the representations, or add their rows"
            )
        note = (
            f"{joined.changed:,} of {len(joined.pairs):,} ids are written in two ways, in "
            f"representations and labels, which differ in {joined.differ}; they were joined."
        )
        rows = [row_of[joined.pairs[name]] for name in representations.ids]
        return rows, note if joined.changed else ""
    if len(filled) == len(representations.h):
        return filled, ""
    if count != len(representations.h):
        raise ValueError(
            f"{len(representations.h):,} representations and {count:,} rows in {table.path}: "
            f"without a column {ID} in both, row i of one is row i of the other, and their numbers "
            f"must be equal. {representations.first_line}".rstrip()
        )
    return list(range(count)), ""


def _filled(table: Table) -> list[int]:
    """The rows of which a cell is not empty; spreadsheets write others, of commas alone."""
    return [row for row, cells in enumerate(zip(*table.cells.values())) if any(cells)]


def _row_of(table: Table, rows: Sequence[int]) -> dict[str, int]:
    """{id: its row}, of the given rows.

    Raises:
      ValueError: a row has no id, or the id of another row. The message names file and line.
    """
    row_of: dict[str, int] = {}
    for row in rows:
        id_ = table.columns[ID][row]
        if id_ is None:
            raise ValueError(f"{table.place(row)}: no {ID}; each row needs one")
        if row_of.setdefault(id_, row) != row:
            raise ValueError(
                f"{table.place(row_of[id_])} and {table.place(row)} have the same {ID}, "
                f"{shown(id_)}; each row needs an id of its own"
            )
    return row_of


def _check_units(representations: Representations, table: Table) -> None:
    """Refuses units of h that are a column of the labels by their name, or count the rows."""
    units, h = representations.units, representations.h
    labels = {name.strip().casefold(): name for name in table.columns}
    shared = [name for name in units if name.strip().casefold() in labels]
    if shared:
        raise ValueError(
            f"{_first(shared)}: a unit of h and, in {table.path}, a column of the labels. An "
            "attacker would read the label itself; leave it out of one of the two files"
        )
    if h.ndim != 2:
        return
    counters = [i for i in range(h.shape[1]) if counts_rows(h[:, i])]
    if counters and (len(counters) < h.shape[1] or len(counters) == 1):  # all: h holds ranks
        names = [repr(units[i]) if units and units[i] else f"unit {i} (from 0)" for i in counters]
        raise ValueError(
            f"{_first(names)} of the representations counts the rows, as pandas writes it without "
            "index=False: rows stand in the order of speakers, so that an attacker would read who "
            "speaks. Leave it out"
        )


def counts_rows(unit: np.ndarray) -> bool:
    """Whether a unit float[N] goes up or down by equal steps, or is a mixed-up count 0, 1, 2, ....

    Fewer than 8 rows may do so by chance, and a float16 has steps of its own.
    """
    count = len(unit)
    if count < _MIN_COUNTED:
        return False
    values = unit.astype(np.float64)
    low, high = values.min(), values.max()
    if low == high:
        return False
    mixed_up = np.sort(values)
    is_whole = (mixed_up == np.round(mixed_up)).all()
    if is_whole and (np.diff(mixed_up) > 0).all() and high - low < 1.5 * count:
        return True  # with gaps, where rows were left out
    steps = np.linspace(values[0], values[-1], count)
    return bool(np.abs(values - steps).max() < 1e-3 * (high - low) / (count - 1))


def _failed_and_equal(
    representations: Representations,
    kept: np.ndarray,
    speakers: Sequence[str | None],
    values: Sequence[str | None],
) -> tuple[np.ndarray, np.ndarray]:
    """Of the rows `kept`: which have an embedding that failed bool[n], and `copied_rows` int[n]."""
    h = representations.h
    # frames may be more than memory holds
    vectors = (h if h.ndim == 2 else pooled_blocks(h, None))[kept]
    who = renumber([str(speakers[i]) for i in kept])
    equal = copied_rows(vectors, who)
    failed = failed_rows(vectors, equal, who, renumber([str(values[i]) for i in kept]))
    if h.ndim == 2:
        failed |= repeats_one_value(vectors)
    else:  # of frames, means and deviations
        means, deviations = np.split(vectors, 2, axis=1)
        failed |= repeats_one_value(means) & (deviations == 0).all(1)
    return (np.zeros(len(kept), bool) if failed.all() else failed), equal


def _shown(representations: Representations, rows: np.ndarray) -> list[str]:
    """The ids of rows, or their numbers."""
    ids = representations.ids
    return [ids[i] if ids else f"row {i}" for i in rows]


def _of_sessions(session: str, rows: Sequence[str], total: int, left_out: bool) -> str:
    """A note on rows without a session: few are left out, else sessions are not used."""
    count = f"{len(rows):,} of {total:,} rows have no {session} ({first(rows, 3)})"
    if left_out:
        return f"{count} and were left out."
    return (
        f"{count}, too many to be left out: sessions were not used. Fill these cells, or name "
        "another column by --session."
    )


def _of_failed(
    rows: Sequence[str], total: int, attribute: str, duplicates: str, several_speakers: bool
) -> str:
    """A note on rows of which the embedding failed.

    Raises:
      ValueError: several speakers share one, and `duplicates` is "stop".
    """
    line = (
        f"{len(rows):,} of {total:,} representations look like an embedding that failed "
        f"({first(rows)}): one value repeated, or one row under many speakers who differ in "
        f"{attribute}"
    )
    if duplicates in ("drop", "merge"):
        return f"{line}. They were left out."
    if duplicates == "stop" and several_speakers:
        raise ValueError(
            f"{line}. Leave them out, --duplicates=drop, or make them anew. Where rows are equal "
            "by what was said, as h of words is, --duplicates=keep uses them as they are."
        )
    return f"{line}. They were kept; --duplicates=drop leaves them out."


def _settle_copies(
    representations: Representations,
    kept: np.ndarray,
    speakers: Sequence[str | None],
    duplicates: str,
    equal: np.ndarray,
) -> tuple[np.ndarray, list[str | None], list[str]]:
    """The rows that are kept, who speaks in all rows, and notes.

    Equal rows of different speakers are one person under two names, unless something else explains
    them, see `copied_rows`.

    Raises:
      ValueError: there are such rows, and `duplicates` is neither "merge" nor "keep".
    """
    names = [str(speakers[i]) for i in kept]
    lots = [rows for rows in classes_of(equal) if len({names[i] for i in rows}) > 1]
    if not lots:
        return kept, [*speakers], []
    shown_ids = _shown(representations, kept)
    pairs = Counter(" and ".join(sorted({names[i] for i in rows})[:4]) for rows in lots)
    shared = _first([f"{who} ({count:,})" for who, count in pairs.most_common()])
    listed = first([named(rows, shown_ids, names) for rows in lots], most=3)
    line = (
        f"{len(lots):,} representations are there under two speakers or more, equal up to the "
        f"rounding of float16: {listed}. They are shared by {shared}"
    )
    if duplicates in ("stop", "drop"):
        raise ValueError(
            f"{line}. One person under two names is trained on and tested on, which shows as a "
            "leak. Give one person one name and leave copies out; or --duplicates=merge makes one "
            "speaker of those who share a row and keeps one of each. Where rows are equal by what "
            "was said, as h of words is, --duplicates=keep uses them as they are."
        )
    if duplicates == "keep":
        return kept, [*speakers], [f"{line}. They were kept."]
    in_lots = np.full(len(equal), -1)
    for number, rows in enumerate(lots):
        in_lots[rows] = number
    name_of = one_name(in_lots, names)
    copies = {int(i) for rows in lots for i in rows[1:]}
    rest = kept[[i for i in range(len(kept)) if i not in copies]]
    merged = sum(name != speaker for speaker, name in name_of.items())
    return (
        rest,
        [None if name is None else name_of.get(name, name) for name in speakers],
        [f"{line}. {merged:,} speakers were merged into others, {len(copies):,} rows left out."],
    )


def _check_elsewhere(ids: Sequence[str], table: Table) -> None:
    """Refuses a column of another name that holds all ids: joined by row they would be mixed up."""
    wanted = set(ids)
    for name, cells in table.columns.items():
        matching = [cell for cell in cells if cell in wanted]
        if len(matching) == len(set(matching)) == len(wanted):
            raise ValueError(
                f"{table.path}: column {name!r} holds every {ID} of the representations, each "
                f"once, and there is no column {ID}. Call it {ID}, --{ID}={pasted(name)}: numbers, "
                "and columns of names that are not known, are taken for ids only where it is said"
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
    values = [like(value, present, kind_of(name)) for value in values]
    for value in values:
        if value not in present:
            raise ValueError(
                f"--only={name}={value}: no row has it. Column {name!r} of {table.path} has: "
                f"{_first([*present]) or 'no value'}{nearest(value, present)}"
            )
    return np.array([cell in values for cell in cells])


def _numbered(values: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    names = sorted(set(values))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[value] for value in values], np.int32), tuple(names)


def check_counts(joined: JoinedSample, attribute: str, table: Table) -> None:
    """Makes sure that classes and speakers suffice for a test.

    Raises:
      ValueError: one class only, a class of fewer than 2 speakers, or fewer than 3 speakers.
    """
    num_speakers, speakers = joined.num_speakers, int(joined.speaker.max(initial=-1)) + 1
    counts = _first([f"{name} ({count})" for name, count in num_speakers.items()])
    if len(num_speakers) < 2:
        raise ValueError(
            f"{table.path}: {attribute} has one value only, {counts}; there is nothing to predict. "
            "It takes 2 values or more."
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
