"""The pick of a setting whose networks are to be used: by words, and among what they leave, by
validation.

Words name columns of runs.csv, recipe=posterior,lambda=1. Where several settings are left,
validation picks by the leak-aware rule (`selection.emotion_within_leak`): the best emotion of those
whose freshly trained attacker is near chance on validation speakers, else the least leak. Test
scores pick nothing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.config.settings import FIELDS, flag_name
from experiments.results.columns import Row, attacker_uar
from experiments.results.selected import Cell, best, cell_of
from experiments.results.summary import (
    Entry,
    attributes,
    emotion_mean,
    emotion_name,
    is_transductive,
    mean,
    selected_within_leak,
    sound,
    summarise,
)
from privrep.messages import first, nearest

_NAMES = (*map(flag_name, FIELDS), "fold", "pack")
CELL = Cell._fields
SETTINGS = [flag_name(name) for name in FIELDS if name not in ("data_dir", "seed")]


class Picked(NamedTuple):
    """The networks that were picked.

    Attributes:
      rows: of runs.csv, one for each fold.
      notes: sentences on what was picked, out of what and why.
      of_seeds: `rows`, and those of the other seeds of the setting that the words leave.
    """

    rows: list[Row]
    notes: list[str]
    of_seeds: list[Row]


def parse_words(text: str) -> dict[str, str]:
    """{column: value} of "recipe=posterior,lambda=1"; {} of "".

    Raises:
      ValueError: a word has no =, or names no column, or a column twice.
    """
    words: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(f"--pick={text}: {part!r} is no setting and value: recipe=posterior")
        if name not in _NAMES:
            raise ValueError(
                f"--pick={text}: there is no setting {name!r}{nearest(name, _NAMES)}; settings "
                "are the flags of experiments.main, and fold"
            )
        if name in words:
            raise ValueError(f"--pick={text}: {name} stands there twice")
        words[name] = value
    return words


def pick(rows: Sequence[Row], words: Mapping[str, str]) -> Picked:
    """Picks the networks of one setting and one seed.

    Args:
      rows: of runs.csv, of all packs.
      words: see `parse_words`.

    Raises:
      ValueError: no run has these settings, or they are of several tasks, among which validation
        cannot pick.
    """
    runs = [row for row in rows if row["control"] is None]
    kept = [row for row in runs if all(_is(row, name, value) for name, value in words.items())]
    if not kept:
        raise ValueError(f"--pick: no run has {_named(words)}: {_values(runs, words)}")
    entries = [entry for entry in summarise(kept, SETTINGS) if entry["n"]]
    if not entries:
        raise ValueError("--pick: all of these runs diverged, and have no network to export")
    lasting = [e for e in entries if not is_transductive(e)] or entries
    pool = [e for e in lasting if not is_zero(e["settings"]["lambda"])] or lasting
    cells = dict.fromkeys(cell_of(entry) for entry in pool)
    if len(cells) > 1:
        values = {name: dict.fromkeys(cell._asdict()[name] for cell in cells) for name in CELL}
        varying = {name: [*of] for name, of in values.items() if len(of) > 1}
        listed = "; ".join(f"{name} is {first(of)}" for name, of in varying.items())
        example = ",".join(f"{name}={of[0]}" for name, of in varying.items())
        raise ValueError(
            f"these networks are of different questions, among which validation cannot pick: "
            f"{listed}. Say which: --pick={example}"
        )
    entry = best(pool, _score) or pool[0]
    of_entry = [row for row in kept if _is_of(row, entry)]
    seeds = sorted({row["seed"] for row in of_entry})
    chosen = sorted((r for r in of_entry if r["seed"] == seeds[0]), key=lambda row: row["fold"])
    notes = [_sentence(entry, pool, seeds), *_warnings(entry, chosen)]
    return Picked(chosen, notes, of_entry)


def _score(entry: Entry) -> float:
    if is_zero(entry["settings"]["lambda"]):
        return emotion_mean(entry, "val")
    return selected_within_leak(entry)


def _is(row: Row, name: str, value: str) -> bool:
    cell = row.get(name)
    try:
        if name == "lambda":
            wanted, actual = strengths(value), strengths(row["lambda"])
            return wanted == actual or (len(wanted) == 1 and {*wanted} == {*actual})
        if isinstance(cell, int | float):
            return float(value) == float(cell)
    except ValueError:
        return False
    return str("" if cell is None else cell) == value


def _is_of(row: Row, entry: Entry) -> bool:
    return all(row.get(name) == value for name, value in entry["settings"].items())


def _named(words: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in words.items())


def _values(runs: Sequence[Row], words: Mapping[str, str]) -> str:
    parts = []
    for name in words:
        values = dict.fromkeys(
            lambda_text(row[name]) if name == "lambda" else str(row.get(name)) for row in runs
        )
        parts.append(f"{name} is {first([*values], most=12)}")
    return "; ".join(parts)


def _sentence(entry: Entry, pool: Sequence[Entry], seeds: Sequence[int]) -> str:
    settings = entry["settings"]
    setting = f"recipe={settings['recipe']},lambda={lambda_text(settings['lambda'])}"
    leaks = {a: mean(entry, attacker_uar("val", a)) for a in attributes(entry)}
    scores = [f"{emotion_name([entry])} {emotion_mean(entry, 'val'):.3f}"]
    scores += [f"attacker of {a} {uar:.3f}" for a, uar in leaks.items()]
    who = f"picked {setting}, the only setting left"
    if len(pool) > 1:
        ordinary = is_zero(settings["lambda"])
        which = "settings" if ordinary else "protected settings (recipe none is not counted)"
        rule = "by emotion alone" if ordinary else "by the rule emotion_within_leak"
        who = f"validation picks {setting} of {len(pool)} {which} {rule}"
    seed = f"seed {seeds[0]}" + (f", the first of {len(seeds)}" if len(seeds) > 1 else "")
    return f"{who} ({' and '.join(scores)} on validation speakers); {seed}"


def _warnings(entry: Entry, rows: Sequence[Row]) -> list[str]:
    warnings = []
    if is_transductive(entry):
        warnings.append("its states of persons are of the utterances that were scored")
    if not sound(entry):
        folds = [str(row["fold"]) for row in rows if row.get("collapsed") or row.get("diverged")]
        what = f"fold {first(folds)} collapsed or diverged" if folds else "an adversary lagged"
        warnings.append(f"not sound: {what}; its figures do not count as privacy")
    return warnings
