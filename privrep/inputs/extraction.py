"""Extraction of the features of every utterance in parallel, and the hash they depend on (host)."""

import hashlib
import itertools
import json
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
    read_features,
    read_log_mel,
)
from privrep.types import Utterance

TRANSCRIPTS = "transcripts"
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class FeatureSources(NamedTuple):
    """The source of each modality's features; None where the modality is not used.

    Attributes:
      acoustic: settings of log-Mel frames, which are computed from the audio, or a folder of ready
        features `<id>.npy`.
      lexical: `TRANSCRIPTS`, whose words are used, or a folder of ready features `<id>.npy`.
    """

    acoustic: FeatureSettings | Path | None = None
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
    def folders(self) -> dict[str, Path]:
        """{"frames" or "words": folder of ready features}."""
        sources = {"frames": self.acoustic, "words": self.lexical}
        return {name: source for name, source in sources.items() if isinstance(source, Path)}


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
      {"seconds": length of the audio, 0.0 for ready features; "frames", "words": float16[T, F]}.
    """

    def extract_one(utterance: Utterance) -> dict[str, Any] | UnusableUtterance:
        features: dict[str, Any] = {"seconds": 0.0}
        try:
            if sources.log_mel is not None:
                frames, features["seconds"] = read_log_mel(utterance, sources.log_mel)
                features["frames"] = frames.astype(np.float16)
            for name, folder in sources.folders.items():
                features[name] = _as_float16(utterance, folder)
        except UnusableUtterance as fault:
            return fault
        return features

    return map_in_order(extract_one, utterances, workers)


def _as_float16(utterance: Utterance, folder: Path) -> np.ndarray:
    values = read_features(folder, utterance.id)
    largest = np.finfo(np.float16).max
    if np.abs(values).max() > largest:
        raise UnusableUtterance(
            utterance.id, folder / f"{utterance.id}.npy", f"features beyond float16's {largest:g}"
        )
    return values.astype(np.float16)


def map_in_order(
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


def files_of(utterances: Sequence[Utterance], sources: FeatureSources) -> list[list[Path]]:
    """The files that the features of each utterance come from; those of ready features by either
    of their endings, one of which need not exist."""
    return [
        ([u.wav] if sources.log_mel is not None and u.wav is not None else [])
        + [
            folder / f"{u.id}{ending}"
            for folder in sources.folders.values()
            for ending in (".npy", ".npz")
        ]
        for u in utterances
    ]


def fingerprint(
    utterances: Sequence[Utterance], sources: FeatureSources, contents: Sequence[list[Any]]
) -> str:
    """16 hex digits of the hash of everything that the features depend on.

    Args:
      contents: what says which content the files of each utterance have, in the order of
        `files_of`; where they lie and when they were written is of no account.
    """
    folders = sources.folders
    parts: list[Any] = [FEATURES_VERSION, sources.log_mel and astuple(sources.log_mel)]
    parts += ["frames" in folders, "words" in folders]
    for utterance, content in zip(utterances, contents):
        cut = [utterance.start, utterance.end] if sources.log_mel is not None else []
        parts.append([utterance.id, *cut, content])
    return hash_of(parts)


def hash_of(parts: Iterable[Any]) -> str:
    """16 hex digits of the SHA-256 of `parts`, each of which can be JSON."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part).encode() + b"\n")
    return digest.hexdigest()[:16]
