"""Published folds: a table that says which utterances train, choose and test, and its writing.

    id,part,fold
    Ses01F_impro01_F000,train,0

A fold has a name, such as 0 or Session5; without a column `fold` there is one. Instead of `id` a
table may say it of every `speaker` or `session`. Host.
"""

import csv
import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from privrep.formats.columns import SYNONYMS
from privrep.formats.tables import Table, read_table
from privrep.formats.values import SPLITS, key_of, paired, plain
from privrep.messages import first, misread, nearest
from privrep.types import Split, Utterance

KEYS = ("id", "speaker", "session")  # what a table may assign to parts, the first it has
_PARTS = ("part", "set", *SYNONYMS["split"])
_FOLDS = ("fold", "folds", "foldid", "cvfold")
_MOST = 8  # names of a part that a sentence lists


class FoldTable(NamedTuple):
    """A table of folds as it was read.

    Attributes:
      path: the file.
      key: one of KEYS, what `parts` names.
      folds: names of the K folds, in order.
      parts: K times {name of an utterance, speaker or session: train, val or test}.
    """

    path: Path
    key: str
    folds: tuple[str, ...]
    parts: tuple[Mapping[str, str], ...]


class Folds(NamedTuple):
    """The split that a table makes of a corpus, bool[K, N] each, and sentences about it."""

    split: Split
    notes: list[str]


def is_fold_file(folds: str) -> bool:
    """Whether a value of --folds is the path of a table, neither a number nor "official"."""
    return folds != "official" and not folds.isdecimal()


def read_folds(path: Path) -> FoldTable:
    """Reads a table of folds; the same file is read once.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it has no column of a KEY or of the part, a part is none of train, val and test,
        or a name is in two parts of one fold; the message names the line.
    """
    status = path.stat() if path.exists() else None
    return _read(path, (status.st_mtime_ns, status.st_size) if status else (0, 0))


@functools.lru_cache(maxsize=4)
def _read(path: Path, version: tuple[int, int]) -> FoldTable:
    del version
    table = read_table(path)
    names = {"".join(c for c in plain(n).casefold() if c.isalnum()): n for n in table.cells}
    key = next((k for k in KEYS if any(s in names for s in SYNONYMS[k])), None)
    part = next((names[n] for n in _PARTS if n in names), None)
    if key is None or part is None:
        lacking = "part (train, val, test)" if key else "id, speaker or session"
        raise ValueError(
            f"{path} is no table of folds, it has no column {lacking}: expected a header "
            "id,part,fold, as in the folds.csv of a result directory. It has: "
            f"{', '.join(table.cells)}"
        )
    key_name = next(names[s] for s in SYNONYMS[key] if s in names)
    fold_name = next((names[n] for n in _FOLDS if n in names), None)
    folds = [""] * len(table) if fold_name is None else table.cells[fold_name]
    parts = _parts(table, key, zip(table.cells[key_name], table.cells[part], folds))
    order = sorted(parts, key=_in_order)
    return FoldTable(path, key, tuple(order), tuple(parts[fold] for fold in order))


def _parts(
    table: Table, key: str, rows: Iterable[tuple[str, str, str]]
) -> dict[str, dict[str, str]]:
    parts: dict[str, dict[str, str]] = {}
    for row, (name, cell, fold) in enumerate(rows):
        if not name and not cell:
            continue
        word = SPLITS.get(key_of(cell), "").lower()
        part = "test" if word.startswith("test") else word
        if part not in Split._fields or not name:
            raise misread(
                table.place(row), cell if name else name, f"an {key} and train, val or test"
            )
        of_fold = parts.setdefault(fold, {})
        if of_fold.setdefault(name, part) != part:
            raise ValueError(
                f"{table.place(row)}: {key} {name} is in the {part} and in the {of_fold[name]} "
                f"part{f' of fold {fold}' if fold else ''}: give it one"
            )
    if not parts:
        raise ValueError(f"{table.path}: the table of folds has no row")
    return parts


def _in_order(fold: str) -> tuple:
    """Numbers by size, before words."""
    return (0, int(fold), "") if fold.isdecimal() else (1, 0, fold)


def folds_of(table: FoldTable, utterances: Sequence[Utterance]) -> Folds:
    """The split of these utterances; who is not named in a fold is in none of its parts.

    Args:
      utterances: N of them.

    Raises:
      ValueError: the table names none of them, or an utterance is tested in two folds, so that it
        would count twice.
    """
    keys = [getattr(u, table.key) or "" for u in utterances]
    present = dict.fromkeys(key for key in keys if key)
    named = dict.fromkeys(name for of_fold in table.parts for name in of_fold)
    pairs = paired(named, present).pairs
    if not pairs:
        example, other = next(iter(named)), next(iter(present), "none")
        raise ValueError(
            f"--folds={table.path}: no {table.key} of the corpus is in this table, which names "
            f"{example}, where the corpus has {other}{nearest(example, present)}"
        )
    code = np.full((len(table.parts), len(utterances)), -1, np.int8)
    for k, of_fold in enumerate(table.parts):
        part_of = {
            pairs[name]: Split._fields.index(p) for name, p in of_fold.items() if name in pairs
        }
        code[k] = [part_of.get(key, -1) for key in keys]
    split = Split(*(code == part for part in range(3)))
    twice = np.flatnonzero(split.test.sum(0) > 1)
    if len(twice):
        i = int(twice[0])
        of = [table.folds[k] for k in np.flatnonzero(split.test[:, i])]
        raise ValueError(
            f"--folds={table.path}: {len(twice):,} utterances are tested in more than one fold, "
            f"the first, {utterances[i].id}, in {' and '.join(of)}: each must be tested once, as "
            "all folds together are one test; name folds that repeat it in another table"
        )
    notes = []
    absent = [name for name in named if name not in pairs]
    if absent:
        notes.append(
            f"folds: {len(absent):,} of {len(named):,} {table.key}s of {table.path} are not among "
            f"the utterances with labels: {first(absent)}"
        )
    unused = [u.id for u, part in zip(utterances, code.T) if (part < 0).all()]
    if unused:
        notes.append(
            f"folds: {len(unused):,} of {len(utterances):,} utterances are in no part of "
            f"{table.path} and left out: {first(unused)}"
        )
    return Folds(split, notes)


def named_parts(split: Split, utterances: Sequence[Utterance]) -> list[str]:
    """A sentence per fold that names the sessions and speakers that it validates and tests on."""
    sentences = []
    for k in range(len(split.test)):
        parts = []
        for name, part in (("validates", split.val[k]), ("tests", split.test[k])):
            members = [u for u, is_in in zip(utterances, part) if is_in]
            speakers = sorted({u.speaker for u in members if u.speaker})
            sessions = sorted({u.session for u in members if u.session})
            text = f"{name} on {len(members):,} utterances of {first(speakers, _MOST)}"
            parts.append(text + (f" in {first(sessions, _MOST)}" if sessions else ""))
        sentences.append(f"fold {k} {' and '.join(parts)}")
    return sentences


def table_text(split: Split, utterances: Sequence[Utterance]) -> str:
    """The folds as a table that `read_folds` reads: id, part, fold, speaker and session.

    Args:
      split: bool[K, N] each.
    """
    has_session = any(u.session for u in utterances)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "part", "fold", "speaker", *(["session"] if has_session else [])])
    for k in range(len(split.train)):
        code = np.select([part[k] for part in split], [1, 2, 3])
        for u, part in zip(utterances, code.tolist()):
            if part:
                session = [u.session or ""] if has_session else []
                writer.writerow([u.id, Split._fields[part - 1], k, u.speaker or "", *session])
    return text.getvalue()
