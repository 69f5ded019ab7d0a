"""What is computed of each utterance of a corpus, in parallel, and what that depends on (host)."""

import contextlib
import hashlib
import itertools
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.inputs.audio import (
    FEATURES_VERSION,
    FeatureSettings,
    UnusableUtterance,
    read_features,
    read_log_mel,
)
from privrep.types import Utterance


class Inputs(NamedTuple):
    """What to compute of an utterance: nothing in a modality whose two fields are empty."""

    settings: FeatureSettings | None
    acoustic_features: Path | None
    lexical_features: Path | None


def compute(
    utterances: Sequence[Utterance], inputs: Inputs, workers: int
) -> Iterator[dict[str, Any] | UnusableUtterance]:
    """The arrays of each utterance, or why there are none, in order.

    In threads: decoding, resampling, transforms and sums run outside the interpreter lock, and
    threads neither fork a process in which jax runs nor import the main program again.
    """

    def one(utterance: Utterance) -> dict[str, Any] | UnusableUtterance:
        result: dict[str, Any] = {"seconds": 0.0}
        try:
            if inputs.settings is not None:
                frames, result["seconds"] = read_log_mel(utterance, inputs.settings)
                result["frames"] = frames.astype(np.float16)
            for name, folder in (
                ("frames", inputs.acoustic_features),
                ("words", inputs.lexical_features),
            ):
                if folder is not None:
                    result[name] = _as_float16(utterance, folder)
        except UnusableUtterance as fault:
            return fault
        return result

    return _map_in_order(one, utterances, workers)


def _as_float16(utterance: Utterance, folder: Path) -> np.ndarray:
    values = read_features(folder, utterance.id)
    largest = np.finfo(np.float16).max
    if np.abs(values).max() > largest:
        raise UnusableUtterance(
            utterance.id, folder / f"{utterance.id}.npy", f"features beyond float16's {largest:g}"
        )
    return values.astype(np.float16)


def _map_in_order(function: Callable, items: Iterable, workers: int) -> Iterator:
    """Like `map` in threads, never more than a few results ahead of who asks for them."""
    with ThreadPoolExecutor(workers) as pool:
        items = iter(items)
        ahead = itertools.islice(items, 8 * workers)
        pending = deque(pool.submit(function, item) for item in ahead)
        while pending:
            yield pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in itertools.islice(items, 1))


def fingerprint(utterances: Sequence[Utterance], inputs: Inputs) -> str:
    """The hash of all that the features depend on."""
    parts: list[Any] = [FEATURES_VERSION, inputs.settings and astuple(inputs.settings)]
    parts += [inputs.acoustic_features is not None, inputs.lexical_features is not None]
    states: dict[Path, Any] = {}  # many utterances may lie in one file

    def state(path: Path | None) -> Any:
        if path is not None and path not in states:
            # The place too: two versions of a corpus may have come with equal sizes and times.
            states[path] = [os.path.abspath(path)]
            with contextlib.suppress(OSError):
                status = path.stat()
                states[path] += [status.st_size, status.st_mtime_ns]
        return path and states[path]

    for utterance in utterances:
        part: list[Any] = [utterance.id]
        if inputs.settings is not None:
            part += [utterance.start, utterance.end, state(utterance.wav)]
        for folder in (inputs.acoustic_features, inputs.lexical_features):
            if folder is not None:
                part += [state(folder / f"{utterance.id}{end}") for end in (".npy", ".npz")]
        parts.append(part)
    return hash_of(parts)


def hash_of(parts: Iterable[Any]) -> str:
    """16 hex digits of `parts`, of which each can be JSON."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part).encode() + b"\n")
    return digest.hexdigest()[:16]
