"""Reader of a database in audformat: a header in YAML, db.yaml, and tables db.<name>.csv.

Header and tables (also .parquet) are read as they are, without the package audformat. Tables of
files and of segments (file, start, end) are joined; the facts of a speaker, which the header or a
misc table states, are joined to their utterances; splits are those that the header gives to tables.
Columns mean what they mean in a manifest; arousal is activation.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from privrep.datasets.manifest import utterances_of
from privrep.datasets.parsing import PARTS, locate, not_found
from privrep.formats.tables import read_table
from privrep.formats.text_files import read_text
from privrep.messages import first, misread
from privrep.types import Utterance

OBTAIN = (
    "A database in audformat has db.yaml and its tables beside it; audb and audformat write them "
    "(https://audeering.github.io/audformat)"
)
HEADER = "db.yaml"
SUFFIXES = (".csv", ".parquet")
COLUMNS = {  # by the name of a column or, where that says nothing, of its scheme
    "speaker": "speaker",
    "gender": "gender",
    "sex": "gender",
    "emotion": "emotion",
    "activation": "activation",
    "arousal": "activation",
    "valence": "valence",
    "dominance": "dominance",
    "transcription": "transcript",
    "transcript": "transcript",
    "text": "transcript",
    "session": "session",
    "age": "age",
}
RATINGS = ("activation", "valence", "dominance")
NO_LABELS = ("time", "date")  # types of columns that hold no labels
TIME = re.compile(r"(?:(\d+) days? *)?(?:\+?(\d+):(\d\d):(\d\d(?:\.\d+)?))?")
_Key = tuple[str, str, str]  # file, start and end in seconds, "" where it is the file's own


class _Table(NamedTuple):
    """A table of the header.

    Attributes:
      columns: {its column: the column it is of a manifest}.
      split: the part of its rows, "" where it has none.
    """

    name: str
    path: Path
    columns: dict[str, str]
    split: str


def read(root: Path) -> list[Utterance]:
    """Reads the database in the folder `root`, or in the one below or above it.

    Raises:
      FileNotFoundError: no db.yaml there.
      ValueError: the header or a table does not parse, or a table is missing.
    """
    root = Path(root)
    root = root.parent if root.name == HEADER else root
    root = locate(root, lambda folder: (folder / HEADER).is_file())
    if not (root / HEADER).is_file():
        raise not_found("a database in audformat", root, [HEADER], OBTAIN)
    header = _header(root / HEADER)
    schemes = _section(header, "schemes", root)
    tables = _tables(header, schemes, root)
    values, places = _joined(tables)
    facts = {
        speaker: {str(COLUMNS.get(name, name)): str(cell) for name, cell in fact.items() if cell}
        for speaker, fact in _labels_of(header, "speaker", tables, root).items()
        if isinstance(fact, dict)
    }
    sentences = _labels_of(header, "transcript", tables, root)
    scale = _scale(header, schemes, tables)
    rows = []
    for key, cells in _utterances(values, root):
        file, start, end = key
        row = {"id": "_".join(filter(None, key)), "audio": str((root / file).absolute())}
        row |= {"start": start, "end": end, "speaker": "", **scale}
        row |= facts.get(cells.get("speaker", ""), {}) | cells
        if isinstance(words := sentences.get(row.get("transcript", "")), str) and words:
            row |= {"sentence": row["transcript"], "transcript": words}
        rows.append((places[key], row))
    names = dict.fromkeys(name for _, row in rows for name in row)
    return utterances_of(
        [(place, {name: row.get(name, "") for name in names}) for place, row in rows],
        root / HEADER,
    )


def _header(path: Path) -> dict[str, Any]:
    try:  # every scalar as text: no "no" becomes False, no 01 becomes 1
        header = yaml.load(read_text(path), yaml.BaseLoader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: this is not YAML: {reason}") from None
    if not isinstance(header, dict) or not isinstance(header.get("tables"), dict):
        raise ValueError(f"{path}: expected the header of a database, with a section 'tables'")
    return header


def _section(header: Mapping[str, Any], name: str, root: Path) -> dict[str, dict[str, Any]]:
    """{id: {field: value}} of a section of the header; {} where there is none."""
    section = header.get(name) or {}
    if not isinstance(section, dict):
        raise ValueError(f"{root / HEADER}: expected the section {name} to name its parts")
    return {id_: part if isinstance(part, dict) else {} for id_, part in section.items()}


def _tables(header: Mapping[str, Any], schemes: Mapping[str, Any], root: Path) -> list[_Table]:
    splits, tables, left_out = _section(header, "splits", root), [], []
    described = _section(header, "tables", root)
    # Of two tables that contradict one another the gold standard counts.
    for name in sorted(described, key=lambda name: "gold_standard" not in name):
        columns = _section(described[name], "columns", root)
        schemes_of = {column: str(columns[column].get("scheme_id", "")) for column in columns}
        labels = [
            column
            for column, scheme in schemes_of.items()
            if schemes.get(scheme, {}).get("dtype") not in NO_LABELS
        ]
        left_out += [f"{name}.{column}" for column in columns if column not in labels]
        direct = {column: COLUMNS[column] for column in labels if column in COLUMNS}
        for column in labels:
            meant = COLUMNS.get(schemes_of[column], column)
            direct.setdefault(column, column if meant in direct.values() else meant)
        split = str(described[name].get("split_id") or "")
        part = str(splits.get(split, {}).get("type") or split)
        part = part if part.capitalize() in PARTS else ""
        tables.append(_Table(name, _file(root, name), direct, part))
    if left_out:
        warnings.warn(f"{root / HEADER}: left out times and dates: {first(left_out)}", stacklevel=4)
    return tables


def _file(root: Path, name: str) -> Path:
    paths = [root / f"db.{name}{suffix}" for suffix in SUFFIXES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        pickled = (root / f"db.{name}.pkl").is_file()
        raise ValueError(
            f"{root / HEADER}: of the table {name} there is "
            + (
                f"only db.{name}.pkl, a pickle, which is never loaded, for it can run code: save "
                "the database again with storage_format='csv'"
                if pickled
                else f"no {' or '.join(path.name for path in paths)}"
            )
        )
    return path


def _joined(tables: list[_Table]) -> tuple[dict[_Key, dict[str, str]], dict[_Key, str]]:
    """{key: {column of a manifest: cell}} of all tables, and where a key stands first."""
    values: dict[_Key, dict[str, str]] = {}
    places: dict[_Key, str] = {}
    contradictions: Counter[tuple[str, str]] = Counter()
    for table in tables:
        for place, row in read_table(table.path, ["file", *table.columns]).rows():
            start, end = (_seconds(row.get(n, ""), f"{place}, {n}") for n in ("start", "end"))
            key = (row["file"], start, end)
            cells = {meant: row[column] for column, meant in table.columns.items() if row[column]}
            cells |= {"split": table.split} if table.split else {}
            known = values.setdefault(key, {})
            places.setdefault(key, place)
            for column, cell in cells.items():
                if known.setdefault(column, cell) != cell:
                    contradictions[column, table.path.name] += 1
    for (column, name), count in contradictions.items():
        warnings.warn(
            f"{name}: {column} of {count:,} rows is another than in an earlier table, which counts",
            stacklevel=3,
        )
    return values, places


def _utterances(
    values: Mapping[_Key, dict[str, str]], root: Path
) -> Iterator[tuple[_Key, dict[str, str]]]:
    """Each segment with the columns of its file or, where no file has segments, each file."""
    segmented = {key[0] for key in values if key[1:] != ("", "")}
    whole = [key for key in values if key[0] not in segmented]
    if segmented and whole:
        warnings.warn(
            f"{root / HEADER}: {len(whole):,} files have no segment and are taken whole",
            stacklevel=3,
        )
    for key, cells in values.items():
        if key[0] not in segmented:
            yield key, cells
        elif key[1:] != ("", ""):
            yield key, values.get((key[0], "", ""), {}) | cells


def _labels_of(
    header: Mapping[str, Any], meant: str, tables: list[_Table], root: Path
) -> dict[str, Any]:
    """{value: what the header says of it} of the schemes of the columns that mean `meant`."""
    labels: dict[str, Any] = {}
    schemes, described = _section(header, "schemes", root), _section(header, "tables", root)
    for table in tables:
        columns = _section(described[table.name], "columns", root)
        for column in (name for name, known in table.columns.items() if known == meant):
            of_scheme = schemes.get(str(columns[column].get("scheme_id", "")), {}).get("labels")
            if isinstance(of_scheme, str):  # the name of a misc table
                of_scheme = _misc(header, of_scheme, root)
            labels |= of_scheme if isinstance(of_scheme, dict) else {}
    return labels


def _misc(header: Mapping[str, Any], name: str, root: Path) -> dict[str, dict[str, str]]:
    """{value of its first level: {column: cell}} of a misc table."""
    described = _section(header, "misc_tables", root).get(name)
    if described is None:
        raise misread(
            f"{root / HEADER}", name, "the labels of a scheme or the name of a misc table"
        )
    levels: list[str] = [*described.get("levels", [])]  # a list, or a mapping of the levels' types
    if len(levels) != 1:
        raise ValueError(f"{root / HEADER}: the misc table {name} has {len(levels)} levels, not 1")
    level, columns = levels[0], [*_section(described, "columns", root)]
    table = read_table(_file(root, name), [level, *columns])
    return {row[level]: {column: row[column] for column in columns} for _, row in table.rows()}


def _scale(
    header: Mapping[str, Any], schemes: Mapping[str, Any], tables: list[_Table]
) -> dict[str, str]:
    """{"scale": "1-7"} if the schemes of all ratings state the same one; else {}."""
    scales = set()
    for table in tables:
        described = header["tables"][table.name].get("columns") or {}
        for column, meant in table.columns.items():
            if meant in RATINGS:
                scheme = schemes.get(str(described[column].get("scheme_id", "")), {})
                scales.add((scheme.get("minimum"), scheme.get("maximum")))
    if len(scales) != 1 or None in (scale := scales.pop()):
        return {}
    return {"scale": f"{scale[0]}-{scale[1]}"}


def _seconds(text: str, place: str) -> str:
    """A time as a number of seconds; "" where it is not given.

    >>> _seconds("0 days 00:00:01.500000", ""), _seconds("00:01:03.25", ""), _seconds("NaT", "")
    ('1.5', '63.25', '')
    """
    if text in ("", "NaT"):
        return ""
    match = TIME.fullmatch(text)
    if match is None or not any(match.groups()):
        try:
            return f"{float(text):.12g}"
        except ValueError:
            raise misread(place, text, "a time such as 0 days 00:00:01.5") from None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return f"{86_400 * days + 3600 * hours + 60 * minutes + seconds:.12g}"
