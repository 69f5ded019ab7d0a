"""Any corpus, described by a CSV: a header, then one row for each utterance.

    id,audio,transcript,speaker,gender,activation,valence,emotion,session,split,accent
    u1,wav/u1.wav,what a day,anna,f,4.2,3.0,happy,day1,train,northern

Columns:
  id, speaker: required, and besides them at least one column to be learned or hidden.
  audio: a path, relative to the CSV; start, end: the utterance's place in it in seconds.
  transcript: the words. session: recordings made together.
  split: train, val (validation, dev, development) or test, in any case.
  activation, valence, dominance: ratings. gender, emotion: classes; f and m mean female and male.
  scale: the lowest and highest rating, such as 1-5, the same in every row. Without this column it
    is the smallest of 0-1, -1-1, 1-5, 1-7, 1-9 that holds all ratings, named in a warning.
  any other: a rating where every value is a number and more than 10 differ; else a class. Numbers
    off the scale, such as an age, are neither and are left out with a warning: write classes.
A class is a category and a private attribute, both: the flags say which is a task and which is to
be hidden. An empty cell is unknown. Commas, semicolons, tabs or bars separate; quotes as usual.
"""

import math
import re
import warnings
from pathlib import Path

from privrep.datasets.parsing import known, lookup, not_found, rating, sorted_by_id
from privrep.formats.tables import read_table
from privrep.formats.text_files import read_lines, read_text
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = (
    "Write it yourself: a CSV with the columns id and speaker and at least one to be learned or "
    "hidden, one row for each utterance, given as --data_dir=my_corpus.csv"
)
PLACES = ["id", "audio", "transcript", "speaker", "session", "split", "start", "end", "scale"]
RATINGS = ["activation", "valence", "dominance"]
CLASSES = ["gender", "emotion"]
SCALES = [(0.0, 1.0), (-1.0, 1.0), (1.0, 5.0), (1.0, 7.0), (1.0, 9.0)]
GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
SPLITS = {
    "train": "train",
    "val": "val",
    "validation": "val",
    "dev": "val",
    "development": "val",
    "test": "test",
}
ANY = (-math.inf, math.inf)
Rows = list[tuple[str, dict[str, str]]]


def read(root: Path) -> list[Utterance]:
    """Reads the CSV file `root`, in the form that the module describes.

    Raises:
      FileNotFoundError: `root` is no file.
      ValueError: a required column is missing, or a cell does not parse.
    """
    root = Path(root)
    if not root.is_file():
        raise not_found("a manifest", root, ["a CSV file at this path"], OBTAIN)
    rows = _rows(root)
    columns = [name for name in (rows[0][1] if rows else []) if name and name not in PLACES]
    if rows and not columns:
        raise misread(f"{root}:1", ", ".join(rows[0][1]), "a column besides, to learn or to hide")
    scale, ratings = _ratings(rows, columns, root)
    classes = [
        name
        for name in columns
        if name in CLASSES or (name not in RATINGS and not _numeric(rows, name))
    ]
    found = ((at, _utterance(row, at, root, scale, ratings, classes)) for at, row in rows)
    return sorted_by_id(found, root)


def _rows(root: Path) -> Rows:
    header = next((line for _, line in read_lines(root)), "")
    names = {m: {cell.strip(' "').lower() for cell in header.split(m)} for m in ",;\t|"}
    mark = next((m for m, cells in names.items() if {"id", "speaker"} <= cells), ",")
    return list(read_table(root, ["id", "speaker"], delimiter=mark, decode=read_text).rows())


def _numeric(rows: Rows, name: str) -> bool:
    """Whether every value is a number and more than 10 differ."""
    values = {row[name] for _, row in rows} - {""}
    try:
        return len({float(value) for value in values}) > 10
    except ValueError:
        return False


def _ratings(
    rows: Rows, columns: list[str], root: Path
) -> tuple[tuple[float, float] | None, list[str]]:
    """The scale, and the columns that are ratings on it."""
    named = [name for name in columns if name in RATINGS]
    further = [name for name in columns if name not in RATINGS + CLASSES and _numeric(rows, name)]
    values = {
        name: [v for at, row in rows if (v := rating(row[name], ANY, _cell(at, name))) is not None]
        for name in named + further
    }
    fitting = {name: [s for s in SCALES if _within(values[name], s)] for name in values}
    scale = _declared_scale(rows)
    if scale is None and values:
        shared = named or [name for name in further if fitting[name]]
        scale = next((s for s in SCALES if all(s in fitting[name] for name in shared)), None)
        if scale is None:
            raise ValueError(
                f"{root}: no usual scale holds all of {', '.join(named)}; add a column 'scale', "
                "such as 1-100 in every row"
            )
        if shared:
            warnings.warn(
                f"{root}: took {', '.join(shared)} to be rated from {scale[0]:g} to {scale[1]:g}; "
                "a column 'scale' would say it",
                stacklevel=3,
            )
    off = [name for name in further if not _within(values[name], scale)]
    if off:
        warnings.warn(
            f"{root}: left out {', '.join(off)}: numbers off the scale of the ratings, "
            f"{scale[0]:g} to {scale[1]:g}; write classes to use such a column",
            stacklevel=3,
        )
    return scale, named + [name for name in further if name not in off]


def _cell(at: str, column: str) -> str:
    return f"{at}, column {column}"


def _within(values: list[float], scale: tuple[float, float]) -> bool:
    return all(scale[0] <= value <= scale[1] for value in values)


def _declared_scale(rows: Rows) -> tuple[float, float] | None:
    scale, first = None, ""
    for at, row in rows:
        text = row.get("scale", "")
        if not text or text == first:
            continue
        match = re.fullmatch(r"(-?[\d.]+) *- *(-?[\d.]+)", text)
        if scale:
            raise misread(at, text, f"the scale of the rows above, {first}")
        if not match:
            raise misread(at, text, "a scale such as 1-5")
        first, scale = text, (rating(match[1], ANY, at), rating(match[2], ANY, at))
        if scale[0] >= scale[1]:
            raise misread(at, text, "a scale from low to high, such as 1-5")
    return scale


def _utterance(
    row: dict[str, str],
    at: str,
    root: Path,
    scale: tuple[float, float] | None,
    ratings: list[str],
    classes: list[str],
) -> Utterance:
    if not row["id"]:
        raise misread(_cell(at, "id"), row["id"], "an id")
    start, end = (
        rating(row.get(name, ""), (0.0, math.inf), _cell(at, name)) for name in ("start", "end")
    )
    if end is not None and end <= (start or 0.0):
        raise ValueError(
            f"{_cell(at, 'end')}: the end, {end:g} s, must be behind the start, {start or 0:g} s"
        )
    values = {name: row[name] or None for name in classes}
    if values.get("gender"):
        values["gender"] = GENDERS.get(values["gender"].lower(), values["gender"])
    split = row.get("split", "")
    return Utterance(
        id=row["id"],
        speaker=row["speaker"] or None,
        wav=root.parent / row["audio"] if row.get("audio") else None,
        start=start,
        end=end,
        transcript=row.get("transcript") or None,
        ratings=known({name: rating(row[name], scale, _cell(at, name)) for name in ratings}),
        scale=scale if ratings else None,
        categories=known(values),
        private=known(values),
        session=row.get("session") or None,
        split=lookup(SPLITS, split.lower(), _cell(at, "split"), "a split") if split else None,
    )
