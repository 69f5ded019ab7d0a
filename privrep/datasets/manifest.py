"""Reader of a manifest: any corpus, described by a table with a header and a row per utterance.

    id,audio,transcript,speaker,gender,activation,valence,emotion,session,split,accent
    u1,wav/u1.wav,what a day,anna,f,4.2,3.0,happy,day1,train,northern

It is a table of any kind that `tables.read_table` takes; `columns.SYNONYMS` lists what its columns
may be called besides, and `values` what its cells may contain. Columns:
  speaker: required, and at least one column to predict or to hide.
  id: the path of the audio (and the start in it) where there is no such column.
  audio: a path, relative to the table; start, end: the utterance's place in it, in seconds or as
    00:00:03.795.
  transcript: the words. session: name of the recording session.
  split: train, val (validation, dev, development) or test (or Test1, Test2, …), in any case.
  activation, valence, dominance: ratings. gender, emotion: classes.
  scale: the lowest and highest rating, such as 1-5, the same in every row. Without this column it
    is the smallest of 0-1, -1-1, 1-5, 1-7, 1-9 that holds all ratings; a warning states it.
  any other: a rating if every value is a number and more than 10 differ; else a class, as are
    numbers of one length of which some begin with 0, such as postcodes. Numbers off
    the scale are neither and are left out with a warning: write classes.
A class is both a category and a private attribute; the flags choose which is a task and which is to
be hidden. An empty cell, or a word such as NA, is unknown.
"""

import math
import re
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

from privrep.datasets.parsing import known, not_found, official_part, rating, sorted_by_id
from privrep.formats.columns import (
    Labels,
    Naming,
    check_values_there,
    existing,
    labels,
    no_speaker,
    several,
    unified,
)
from privrep.formats.numbers import are_codes
from privrep.formats.tables import Table, read_table
from privrep.formats.values import seconds
from privrep.messages import first, misread, shown
from privrep.types import Utterance

OBTAIN = (
    "Write it yourself: a CSV with the columns id and speaker and at least one to predict or to "
    "hide, one row for each utterance, given as --data_dir=my_corpus.csv"
)
_DESCRIPTIVE = ["id", "audio", "transcript", "speaker", "session", "split", "start", "end", "scale"]
RATINGS = ["activation", "valence", "dominance"]
CLASSES = ["gender", "emotion"]
SCALES = [(0.0, 1.0), (-1.0, 1.0), (1.0, 5.0), (1.0, 7.0), (1.0, 9.0)]
NUMBERS_OF_SPEAKERS = ["age"]
_CODES = 5  # values of one flag that a message proposes
ANY = (-math.inf, math.inf)
Scale = tuple[float, float]
TableRows = list[tuple[str, dict[str, str]]]
_AS_WRITTEN = Naming()


def read(root: Path, naming: Naming = _AS_WRITTEN) -> list[Utterance]:
    """Reads the table `root`, or the tables of a comma list, in the form that the module describes.

    Raises:
      FileNotFoundError: `root` is no file.
      ValueError: a required column is missing, or a cell does not parse.
    """
    files = several(root)
    for _, path in files:
        if not path.is_file():
            raise not_found("a manifest", path, ["a CSV file at this path"], OBTAIN)
    read_ = labels([read_table(path) for _, path in files], naming)
    check_values_there([read_])
    for table in read_.tables:
        if "speaker" not in table.cells:
            raise no_speaker(table, CLASSES, naming.columns)
    if len(files) > 1:
        sizes = zip(files, read_.tables)
        read_.cells["split"] = [part for (part, _), table in sizes for _ in table.lines]
        read_.unknown.pop("split", None)
    for name in ("gender", "split"):
        read_.check_known(name)
    _check_ids(read_)
    return _utterances(read_)


def utterances_of(rows: TableRows, root: Path) -> list[Utterance]:
    """The utterances of ("path:line", {column: cell}), the columns those of the module's docstring.

    Args:
      rows: made from a corpus that comes as tables; all have the same columns.
      root: the corpus, for messages; audio is relative to its folder.

    Raises:
      ValueError: a cell does not parse, or there is nothing to predict or to hide.
    """
    names = rows[0][1] if rows else {}
    cells = {name: [row[name] for _, row in rows] for name in names}
    places = [place for place, _ in rows]
    read_ = unified([Table(cells, range(len(rows)), root, places=places)])
    read_.check_known("gender", with_flags=False)
    return _utterances(read_)


def _utterances(read_: Labels) -> list[Utterance]:
    path = read_.tables[0].path
    for note in read_.notes:
        warnings.warn(note, stacklevel=4)
    columns = [name for name in read_.cells if name and name not in _DESCRIPTIVE]
    if not columns and read_.cells:
        expected = "another column, to predict or to hide"
        raise misread(f"{path}:1", ", ".join(read_.cells), expected)
    facts = [name for name in columns if _is_of_speakers(read_, name)]
    columns = [name for name in columns if name not in facts]
    scale, ratings = _ratings(read_, columns, path)
    classes = [
        name
        for name in columns
        if name in CLASSES or (name not in RATINGS and not _is_numeric(read_, name))
    ]
    shared: dict[tuple[str, ...], dict[str, str]] = {}  # most utterances have the classes of others
    described = []
    for table, place, row in read_.rows():
        cells = tuple(row[name] for name in classes)
        values = shared.setdefault(cells, {n: cell for n, cell in zip(classes, cells) if cell})
        folder = table.path.parent
        utterance = _utterance(row, place, folder, scale, ratings, values)
        if facts:
            numbers = {name: row[name] for name in facts if row[name]}
            utterance = replace(utterance, private=values | numbers)
        described.append((place, utterance))
    return sorted_by_id(described, path)


def _check_ids(read_: Labels) -> None:
    """Makes sure that there is a column of ids, or says why paths could not serve."""
    if "id" in read_.cells:
        return
    path = read_.tables[0].path
    if "audio" not in read_.cells:
        header = ", ".join(read_.tables[0].header)
        raise ValueError(
            f"{path}:1: no column id in the header, and none of paths; its columns are {header}. "
            "Name one, --id=COLUMN or --columns=audio=COLUMN"
        )
    before: dict[str, str] = {}
    for _, place, row in read_.rows():
        if not row["audio"]:
            raise ValueError(f"{place}, column audio: '' is no path, and there is no column id")
        name = f"{row['audio']} {row.get('start', '')}".strip()
        if name in before:
            raise ValueError(
                f"utterance {name} is described twice: {before[name]} and {place} (there is no "
                "column id, and the path serves as one; name another by --id=COLUMN)"
            )
        before[name] = place


def _is_numeric(read_: Labels, name: str) -> bool:
    """Whether every value of a column is a number, no code, and more than 10 differ."""
    values = {*read_.cells[name]} - {""}
    if are_codes(values):
        return False
    try:
        return len({float(value) for value in values}) > 10
    except ValueError:
        return False


def _is_of_speakers(read_: Labels, name: str) -> bool:
    """Whether a column is of numbers that describe speakers, such as their age, and no rating."""
    if name in NUMBERS_OF_SPEAKERS:
        return True
    if name in RATINGS + CLASSES or not _is_numeric(read_, name):
        return False
    values: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for speaker, cell in zip(read_.cells.get("speaker", []), read_.cells[name]):
        if speaker and cell:
            values.setdefault(speaker, set()).add(cell)
            counts[speaker] += 1
    is_constant = all(len(of_speaker) == 1 for of_speaker in values.values())
    return is_constant and max(counts.values(), default=0) > 1


def _ratings(read_: Labels, columns: list[str], root: Path) -> tuple[Scale | None, list[str]]:
    """The scale, and the columns that are ratings on it."""
    named = [name for name in columns if name in RATINGS]
    others = [
        name for name in columns if name not in RATINGS + CLASSES and _is_numeric(read_, name)
    ]
    values: dict[str, list[float]] = {name: [] for name in named + others}
    for _, place, row in read_.rows() if values else ():
        for name, numbers in values.items():
            if (value := rating(row[name], ANY, _cell(place, name))) is not None:
                numbers.append(value)
    declared = _declared_scale(read_) if "scale" in read_.cells else None
    if not values:
        return declared, []
    scale = declared or _smallest_scale(read_, values, named, root)
    if declared and not all(_is_within(values[name], declared) for name in named):
        off = _off(read_, named, declared)
        raise ValueError(f"{_off_scale(off, declared)}correct the column 'scale'")
    off_scale = [name for name in others if not _is_within(values[name], scale)]
    if off_scale:
        warnings.warn(
            f"{root}: left out {', '.join(off_scale)}: numbers off the scale of the ratings, "
            f"{scale[0]:g} to {scale[1]:g}; write classes to use such a column",
            stacklevel=5,
        )
    return scale, named + [name for name in others if name not in off_scale]


def _smallest_scale(
    read_: Labels, values: dict[str, list[float]], named: list[str], root: Path
) -> Scale:
    """The first of SCALES that holds all `named` ratings, or all others that any scale holds."""
    fitting = {name: [s for s in SCALES if _is_within(v, s)] for name, v in values.items()}
    shared = named or [name for name in values if fitting[name]]
    scale = next((s for s in SCALES if all(s in fitting[name] for name in shared)), None)
    if scale is None:
        numbers = [value for name in shared for value in values[name]]
        nearest = min(SCALES, key=lambda s: sum(not s[0] <= v <= s[1] for v in {*numbers}))
        off = _off(read_, shared, nearest)
        which = f"{root}: no usual scale holds all of {', '.join(shared)}"
        scale_column = "add a column 'scale', such as 1-100 in every row"
        if 2 * sum(map(len, off.values())) > len(numbers):  # these are no codes
            low, high = min(numbers), max(numbers)
            raise ValueError(f"{which}, from {low:g} to {high:g}; {scale_column}")
        raise ValueError(f"{which}: {_off_scale(off, nearest)}{scale_column}")
    if shared:
        warnings.warn(
            f"{root}: took {', '.join(shared)} to be rated from {scale[0]:g} to {scale[1]:g}; add "
            "a column 'scale' to state it",
            stacklevel=6,
        )
    return scale


def _off(read_: Labels, names: list[str], scale: Scale) -> dict[tuple[str, str], list[str]]:
    """{(column, cell): places} of the ratings that a scale does not hold."""
    off: dict[tuple[str, str], list[str]] = {}
    for _, place, row in read_.rows():
        for name in names:
            value = rating(row[name], ANY, _cell(place, name))
            if value is not None and not scale[0] <= value <= scale[1]:
                off.setdefault((name, row[name]), []).append(place)
    return off


def _off_scale(off: dict[tuple[str, str], list[str]], scale: Scale) -> str:
    """The first of the ratings off a scale, how many there are, and how to declare them."""
    (name, cell), places = next(iter(off.items()))
    rows = f"{len(places):,} rows" if len(places) > 1 else "1 row"
    others = [f"{n} {c} ({len(p):,})" for (n, c), p in list(off.items())[1:]]
    also = f", and so are {first(others)}" if others else ""
    low, high = scale
    codes = ",".join(f"{n}:{c}=" for n, c in list(off)[:_CODES])
    return (
        f"{_cell(places[0], name)}: {shown(cell)} is off the scale from {low:g} to {high:g}, in "
        f"{rows}{also}. If it says that the rating is missing: --values={codes}; if it is a "
        "rating, "
    )


def _cell(place: str, column: str) -> str:
    return f"{place}, column {column}"


def _is_within(values: list[float], scale: Scale) -> bool:
    return all(scale[0] <= value <= scale[1] for value in values)


def _declared_scale(read_: Labels) -> Scale | None:
    scale, declared = None, ""
    for _, place, row in read_.rows():
        text = row.get("scale", "")
        if not text or text == declared:
            continue
        match = re.fullmatch(r"(-?[\d.]+) *- *(-?[\d.]+)", text)
        if scale:
            raise misread(place, text, f"the scale of the rows above, {declared}")
        if not match:
            raise misread(place, text, "a scale such as 1-5")
        low, high = (rating(number, ANY, place) for number in match.groups())
        if low is None or high is None or low >= high:
            raise misread(place, text, "a scale from low to high, such as 1-5")
        declared, scale = text, (low, high)
    return scale


def _utterance(
    row: dict[str, str],
    place: str,
    folder: Path,
    scale: Scale | None,
    ratings: list[str],
    values: dict[str, str],
) -> Utterance:
    if not row["id"]:
        raise misread(_cell(place, "id"), row["id"], "an id")
    start, end = (seconds(row.get(name, ""), _cell(place, name)) for name in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise ValueError(
            f"{_cell(place, 'end')}: the end, {end:g} s, must be after the start, {start or 0:g} s"
        )
    split, test_set = official_part(row.get("split", ""), _cell(place, "split"))
    return Utterance(
        id=row["id"],
        speaker=row["speaker"] or None,
        wav=existing(folder, row["audio"]) if row.get("audio") else None,
        start=start,
        end=end,
        transcript=row.get("transcript") or None,
        ratings=known(
            {name: rating(row[name], scale or ANY, _cell(place, name)) for name in ratings}
        ),
        scale=scale if ratings else None,
        categories=values,
        private=values,
        session=row.get("session") or None,
        split=split,
        test_set=test_set,
    )
