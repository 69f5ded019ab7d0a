"""A policy file: which attributes are audited, and the limits of each (host).

    fail_on = ["leaks", "cannot_tell", "bound"]
    least_speakers = 40

    [attributes.gender]
    fail_above = 0.60

    [attributes.age]
    fail_above_correlation = 0.30
    least_speakers = 100

What stands above the first table is for every attribute that does not say otherwise.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privrep.auditing.gate import Limits, limits_of
from privrep.messages import nearest

_ATTRIBUTES = "attributes"
_KEYS: dict[str, tuple[type, ...]] = {
    "fail_on": (str, list),
    "fail_above": (int, float, str),
    "fail_above_person": (int, float, str),
    "fail_above_correlation": (int, float),
    "least_speakers": (int,),
}


def read_policy(path: str | Path) -> dict[str, Limits]:
    """{attribute: limits} of a policy file, in the order of the file.

    Raises:
      FileNotFoundError, ValueError: there is no such file, it is no TOML, names no attribute, or
        holds a key or a limit that is none.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such policy file")
    try:
        read = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no TOML ({error})") from error
    attributes = read.pop(_ATTRIBUTES, None)
    if not isinstance(attributes, dict) or not attributes:
        raise ValueError(
            f"{path}: names no attribute; write a table [attributes.NAME] for each, such as "
            "[attributes.gender]"
        )
    _check_keys(path, "", read)
    limits = {}
    for name, of_attribute in attributes.items():
        if not isinstance(of_attribute, dict):
            raise ValueError(f"{path}: attributes.{name} is no table; write [attributes.{name}]")
        _check_keys(path, f"attributes.{name}.", of_attribute)
        try:
            limits[name] = limits_of(**{**read, **of_attribute}, policy=str(path))
        except ValueError as error:
            raise ValueError(f"{path}: {name}: {error}") from error
    return limits


def _check_keys(path: str | Path, prefix: str, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if key not in _KEYS:
            known = [*_KEYS, _ATTRIBUTES] if not prefix else [*_KEYS]
            raise ValueError(
                f"{path}: there is no key {prefix}{key}{nearest(key, known)}; there are: "
                f"{', '.join(known)}"
            )
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise ValueError(f"{path}: {prefix}{key} = {value!r} is of another type than it takes")
        if isinstance(value, list) and not all(isinstance(word, str) for word in value):
            raise ValueError(f"{path}: {prefix}{key} = {value!r}: a list of words")
