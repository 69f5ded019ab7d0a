"""How long packs take: what they took on this machine before, kept in the cache.

A pack's seconds are those from its data to its rows, by the settings of which they depend: those of
its program, the number of utterances, and the devices.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import jax

from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import row_settings
from privrep.files import replace_file

_FILE = "seconds_of_packs.json"
# Where the data lie, and what runs of one program may differ in, changes no time to speak of.
_OF_NO_ACCOUNT = {"data_dir", *(flag_name(name) for name, f in FIELDS.items() if f.per_run)}


def expected_seconds(
    cache_dir: Path, packs: Iterable[tuple[Config, int]], utterances: int
) -> float | None:
    """How long packs will take, by those that this machine has run before; None where it has not.

    Args:
      packs: settings of each, and the number of its runs.
    """
    known = _known(cache_dir)
    seconds = [(known.get(_key(config, utterances)), float(runs)) for config, runs in packs]
    if not seconds or any(of_run is None for of_run, _ in seconds):
        return None
    return sum(of_run * runs for of_run, runs in seconds if of_run is not None)


def keep_seconds(cache_dir: Path, config: Config, utterances: int, seconds_of_run: float) -> None:
    """Keeps what a run of a pack has taken."""
    known = _known(cache_dir) | {_key(config, utterances): round(seconds_of_run, 3)}
    replace_file(cache_dir / _FILE, json.dumps(known, indent=0) + "\n")


def _known(cache_dir: Path) -> dict[str, float]:
    """What the file holds; {} of one that is damaged, which is then written anew."""
    try:
        known = json.loads((cache_dir / _FILE).read_text("utf-8"))
        return {str(key): float(value) for key, value in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _key(config: Config, utterances: int) -> str:
    settings = {n: v for n, v in row_settings(config).items() if n not in _OF_NO_ACCOUNT}
    devices = [jax.devices()[0].device_kind, jax.device_count()]
    facts = json.dumps([settings, utterances, devices], default=str, sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def duration(seconds: float) -> str:
    """
    >>> duration(5), duration(50), duration(300), duration(8000)
    ('10 s', '50 s', '5 min', '2 h 13 min')
    """
    if seconds < 55:
        return f"{max(round(seconds / 10), 1) * 10} s"
    hours, minutes = divmod(max(round(seconds / 60), 1), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
