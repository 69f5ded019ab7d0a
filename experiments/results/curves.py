"""Training curves: their names, and the trackers that receive them during training."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import row_settings
from experiments.results.trackers import tracking
from privrep.parallel.processes import is_first

Described = Sequence[tuple[Config, int]]  # of networks: settings and fold
LogEpoch = Callable[[int, Mapping[str, np.ndarray]], None]  # (epoch from 1, {scalar: float32[R]})
Track = Callable[[Described], LogEpoch]


def not_logged(epoch: int, scalars: Mapping[str, np.ndarray]) -> None:
    """A `LogEpoch` for nobody."""


def not_tracked(described: Described) -> LogEpoch:
    """A `Track` for nobody."""
    return not_logged


def curve_name(settings: Sequence[str], folder: Path, row: Mapping[str, Any]) -> str:
    """Of the training curves of a network, by the settings that tables name, seed and fold."""
    per_run = {flag_name(name) for name, f in FIELDS.items() if f.per_run}
    names = dict.fromkeys(
        ["lambda", "recipe", *(s for s in settings if s in per_run), "seed", "fold"]
    )
    settings_text = "_".join(f"{name}={row[name]}" for name in names)
    return f"{folder.name}_{row['modality']}_{row['task']}/{settings_text}"


def tracked(
    stack: contextlib.ExitStack, trackers: Sequence[str], workdir: Path, captions: Sequence[str]
) -> Callable[[Path], Track]:
    """What hands the scalars of a folder's pack to trackers, until `stack` ends."""
    if not is_first():
        return lambda folder: not_tracked
    log = stack.enter_context(tracking(trackers, workdir))

    def track(folder: Path, described: Described) -> LogEpoch:
        rows = [row_settings(config) | {"fold": fold} for config, fold in described]
        names = [curve_name(captions, folder, row) for row in rows]

        def log_epoch(epoch: int, scalars: Mapping[str, np.ndarray]) -> None:
            log(epoch, {n: {s: v[r] for s, v in scalars.items()} for r, n in enumerate(names)})

        return log_epoch

    return lambda folder: partial(track, folder)
