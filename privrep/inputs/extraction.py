"""Extraction of the features of every utterance in parallel, and the hash they depend on (host)."""

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
from typing import Any, NamedTuple, TypeVar

import numpy as np

from privrep.inputs.audio import (
    FEATURES_VERSION,
    FeatureSettings,
    UnusableUtterance,
    read_log_mel,
)
from privrep.inputs.ready_features import ReadyFeatures, open_ready, read_features, ready_files
from privrep.types import Utterance

TRANSCRIPTS = "transcripts"
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class FeatureSources(NamedTuple):
    """The source of each modality's features; None where the modality is not used.

    Attributes:
      acoustic: settings of log-Mel frames, which are computed from the audio, or sources of ready
        features (see `formats.sequences`), joined by +.
      lexical: `TRANSCRIPTS`, whose words are used, or sources of ready features.
    """

    acoustic: FeatureSettings | str | Path | None = None
    lexical: str | Path | None = None

    @property
    def log_mel(self) -> FeatureSettings | None:
        """Settings of log-Mel frames, where these are computed."""
        return self.acoustic if isinstance(self.acoustic, FeatureSettings) else None

    @property
    def uses_transcripts(self) -> bool:
        """Whether words of the transcripts are the lexical input."""
        return self.lexical == TRANSCRIPTS

    @property
    def ready(self) -> dict[str, str | Path]:
        """{"frames" or "words": sources of ready features}."""
        sources = {"frames": self.acoustic, "words": self.lexical}
        return {
            name: source
            for name, source in sources.items()
            if isinstance(source, str | Path) and source != TRANSCRIPTS
        }


def extract(
    utterances: Sequence[Utterance], sources: FeatureSources, workers: int
) -> Iterator[dict[str, Any] | UnusableUtterance]:
    """Yields the features of each utterance, or why there are none, in the utterances' order.

    Threads are used: decoding, resampling, transforms and sums run outside the interpreter lock,
    and threads neither fork a process in which jax runs nor import the main program again.

    Args:
      utterances: the corpus.
      sources: what is computed or read.
      workers: number of threads.

    Yields:
      {"seconds": length of the audio, 0.0 for ready features; "remark": see `audio.Heard`;
      "frames", "words": float16[T, F]}.

    Raises:
      FileNotFoundError, ValueError: a source of ready features cannot be opened.
    """
    ids = [utterance.id for utterance in utterances]
    ready = {name: open_ready(source, ids) for name, source in sources.ready.items()}

    def extract_one(utterance: Utterance) -> dict[str, Any] | UnusableUtterance:
        features: dict[str, Any] = {"seconds": 0.0, "remark": ""}
        try:
            if sources.log_mel is not None:
                heard = read_log_mel(utterance, sources.log_mel)
                features["frames"] = heard.frames.astype(np.float16)
                features |= {"seconds": heard.seconds, "remark": heard.remark}
            for name, opened in ready.items():
                features[name] = _as_float16(utterance, opened)
        except UnusableUtterance as fault:
            return fault
        return features

    return _map_in_order(extract_one, utterances, workers)


def _as_float16(utterance: Utterance, ready: ReadyFeatures) -> np.ndarray:
    values = read_features(ready, utterance.id)
    largest = np.finfo(np.float16).max
    if np.abs(values).max() > largest:
        raise UnusableUtterance(
            utterance.id, ready.path_of(utterance.id), f"features beyond float16's {largest:g}"
        )
    return values.astype(np.float16)


def _map_in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int
) -> Iterator[_Result]:
    """`map` in threads that computes only a few results before they are asked for."""
    with ThreadPoolExecutor(workers) as pool:
        remaining = iter(items)
        pending = deque(
            pool.submit(function, item) for item in itertools.islice(remaining, 8 * workers)
        )
        while pending:
            yield pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in itertools.islice(remaining, 1))


def fingerprint(utterances: Sequence[Utterance], sources: FeatureSources) -> str:
    """16 hex digits of the hash of everything that the features depend on.

    Of a file that is its place, size and time of change, not its content.
    """
    ready = sources.ready
    ids = [utterance.id for utterance in utterances]
    files = [ready_files(source, ids) for source in ready.values()]
    parts: list[Any] = [FEATURES_VERSION, sources.log_mel and astuple(sources.log_mel)]
    parts += ["frames" in ready, "words" in ready]
    states: dict[Path, list[Any]] = {}  # one file may hold many utterances

    def state(path: Path | None) -> list[Any] | None:
        if path is None:
            return None
        if path not in states:
            # The place too: two versions of a corpus may have come with equal sizes and times.
            states[path] = [os.path.abspath(path)]
            with contextlib.suppress(OSError):
                status = path.stat()
                states[path] += [status.st_size, status.st_mtime_ns]
        return states[path]

    for i, utterance in enumerate(utterances):
        part: list[Any] = [utterance.id]
        if sources.log_mel is not None:
            part += [utterance.start, utterance.end, state(utterance.wav)]
        part += [state(path) for of in files for path in of[i]]
        parts.append(part)
    return hash_of(parts)


def hash_of(parts: Iterable[Any]) -> str:
    """16 hex digits of the SHA-256 of `parts`, each of which can be JSON."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part).encode() + b"\n")
    return digest.hexdigest()[:16]
