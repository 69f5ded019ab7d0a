"""Parsing of the flags' texts into values of the fields of `Config`."""

import math
import os
import re
from collections.abc import Callable
from typing import Any

from experiments.config.help import usual_value
from experiments.config.recipes import LEFT, STATELESS
from experiments.config.settings import AUTO, FIELDS, flag_name
from privrep.attacks.trained.fresh_attackers import ATTACKER_NAMES
from privrep.formats.columns import naming_of, pieces
from privrep.formats.numbers import parse_bins
from privrep.formats.sequences import JOINED, sources_of
from privrep.formats.tables import TABLES
from privrep.inputs.labels import BINNINGS, CONTINUOUS, two_numbers
from privrep.inputs.selection import parse_classes, parse_only
from privrep.messages import nearest
from privrep.networks.emotion_net import PLACEMENTS


def parse(field: str, text: str) -> list[Any]:
    """The values of a flag, one or a comma list.

    A value of `lambda_` is a tuple of strengths, one or one per attribute; only with the attributes
    known, which are another flag, is it the {attribute: strength} of `Config`.

    Raises:
      ValueError: not a value of this flag; the message names the flag and what is valid.
    """
    spec = FIELDS[field]
    parts = [part.strip() for part in text.split(",")] if spec.swept else [text.strip()]
    if len(parts) > 1 and not all(parts):
        raise ValueError(f"--{flag_name(field)}={text}: empty value in the list")
    values = [_value(field, part) for part in parts]
    if len(set(values)) < len(values):
        raise ValueError(f"--{flag_name(field)}={text} names a value twice")
    return values


def _value(field: str, text: str) -> Any:
    spec, flag = FIELDS[field], f"--{flag_name(field)}"
    if text == spec.flag and text in (LEFT, AUTO):
        return text
    if field == "recipe" and text == STATELESS:
        return text
    if field == "lambda_":
        return _lambda(flag, text)
    kind = type(spec.default)
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{flag}={text}: {kind.__name__} expected") from None
    valid, least = spec.valid, spec.least
    if valid and value not in valid:
        names = [str(name) for name in valid]
        if field == "recipe" and text == "none":
            raise ValueError(f"{flag}={text}: the ordinary network is --lambda=0, such as =0,1")
        meant = usual_value(field, text) or nearest(text, names)
        raise ValueError(f"{flag}={text}: choose one of {', '.join(names)}{meant}")
    below = spec.below
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{flag}={text}: {value} is not a valid value; give a finite number")
    if least is not None and not least <= value < below:
        end = f" and below {below}" if below < float("inf") else ""
        raise ValueError(f"{flag}={text}: must be at least {least:g}{end}")
    check = _CHECKS.get(field)
    return check(flag, value) if check else value


def _lambda(flag: str, text: str) -> tuple[float, ...]:
    try:
        parts = [float(part) for part in re.split(r"(?<=[^eE])\+", text)]  # not that of 1e+3
    except ValueError:
        raise ValueError(f"{flag}={text}: a number, or numbers joined by +, expected") from None
    if not all(0 <= part < 1e6 for part in parts):
        raise ValueError(f"{flag}={text}: strengths are at least 0 and below a million")
    return tuple(part + 0.0 for part in parts)  # without a sign where it is -0


def _attackers(flag: str, text: str) -> str:
    names = text.split("+")
    unknown = [name for name in names if name not in ATTACKER_NAMES]
    if "all" in names and len(names) > 1:
        raise ValueError(f"{flag}={text}: all are all, and it stands alone")
    if text != "all" and unknown:
        raise ValueError(
            f"{flag}: no attacker {unknown[0]!r}: all, or {', '.join(ATTACKER_NAMES)}"
            + nearest(unknown[0], ("all", *ATTACKER_NAMES))
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{flag}={text} names an attacker twice")
    return text


def _layers(flag: str, text: str) -> str:
    parts = text.split("+")
    if not all(part.isdecimal() for part in parts) or max(map(int, parts)) > 16:
        raise ValueError(
            f"{flag}={text}: a number of layers from 0 to 16, or several joined by +, expected"
        )
    return "+".join(str(int(part)) for part in parts)


def _placement(flag: str, text: str) -> str:
    unknown = [part for part in text.split("+") if part not in PLACEMENTS]
    if unknown:
        raise ValueError(
            f"{flag}={text}: choose one of {', '.join(PLACEMENTS)}, or join them by +"
            + nearest(unknown[0], PLACEMENTS)
        )
    return text


def _folds(flag: str, text: str) -> str:
    path = os.path.expanduser(text)
    if os.path.splitext(path)[1].lower() in TABLES or os.path.isfile(path):
        return _path(flag, text)
    if text != "official" and not (text.isdecimal() and int(text) >= 3):
        raise ValueError(
            f"{flag}={text}: official (the corpus's own split), a number of speaker-independent "
            "folds of at least 3, such as 5, or the path of a table id,part,fold, such as folds.csv"
            + nearest(text, ("official",))
        )
    return text


def _bins(flag: str, text: str) -> str:
    if text in (*BINNINGS, CONTINUOUS):
        return text
    try:  # of a task without ratings, too, where nothing would look at them
        low, high = two_numbers(text)
    except ValueError as error:
        raise ValueError(
            f"{flag}={text}: {error}; or {CONTINUOUS} for a regression"
            f"{nearest(text, (*BINNINGS, CONTINUOUS))}"
        ) from None
    if not low < high:
        raise ValueError(f"{flag}={text}: of LOW:HIGH, LOW below HIGH expected")
    return text


def _parsed_by(parser: Callable[[str], Any]) -> Callable[[str, str], str]:
    """A check that `parser` takes the text."""

    def check(flag: str, text: str) -> str:
        try:
            parser(text)
        except ValueError as error:
            raise ValueError(f"{flag}={text}: {error}") from None
        return text

    return check


def _private(flag: str, text: str) -> str:
    parts = text.split("+")
    if not all(parts) or len(set(parts)) < len(parts):
        raise ValueError(f"{flag}={text}: names of attributes joined by +, each once")
    return text


def _batch_size(flag: str, value: int) -> int:
    if value % 4:
        raise ValueError(f"{flag}={value}: a batch is computed in 4 parts; give a multiple of 4")
    return value


def _path(flag: str, text: str) -> str:
    del flag
    # Absolute, so that flags.txt means the same in any folder; a shell leaves the ~ as it is.
    return os.path.abspath(os.path.expanduser(text)) if text else ""


def _sources(flag: str, text: str) -> str:
    return JOINED.join(_path(flag, source) for source in sources_of(os.path.expanduser(text)))


def _data_dir(flag: str, text: str) -> str:
    """A path, or a comma list of paths, some with the name of a part before it: train=a.csv."""
    pairs = [("", text)] if os.path.exists(text) else pieces(text)
    return ",".join((f"{part}=" if part else "") + _path(flag, path) for part, path in pairs)


def _columns(flag: str, text: str) -> str:
    naming_of(columns=text)
    return text


def _speaker_from(flag: str, text: str) -> str:
    naming_of(speaker_from=text)
    return text


def _values(flag: str, text: str) -> str:
    naming_of(values=text)
    return text


PATHS = ("data_dir", "speakers", "acoustic_features", "lexical_features", "word_vectors")
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(PATHS, _path),
    **dict.fromkeys(("acoustic_features", "lexical_features"), _sources),
    "data_dir": _data_dir,
    "columns": _columns,
    "speaker_from": _speaker_from,
    "values": _values,
    "adversary_layers": _layers,
    "attackers": _attackers,
    "private": _private,
    "batch_size": _batch_size,
    "bins": _bins,
    "classes": _parsed_by(parse_classes),
    "only": _parsed_by(parse_only),
    "private_bins": _parsed_by(parse_bins),
    "folds": _folds,
    "placement": _placement,
}
