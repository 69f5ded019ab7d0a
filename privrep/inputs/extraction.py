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
    read_log_mel,
)
from privrep.inputs.ready_features import ReadyFeatures, open_ready, read_features, ready_files
from privrep.types import Utterance

TRANSCRIPTS = "transcripts"
FEATURES_CONSTANT = "features are one value repeated"  # a remark, of ready ones
UNUSABLE = ("stop", "drop", "drop_repaired")
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
      {"seconds": length of the audio, 0.0 for ready features; "remark": see `audio.Heard`, or
      FEATURES_CONSTANT;
      "frames", "words": float16[T, F]}.

    Raises:
      FileNotFoundError, ValueError: a source of ready features cannot be opened.
    """
    ids = [utterance.id for utterance in utterances]
    ready = {name: open_ready(source, ids) for name, source in sources.ready.items()}

    def extract_utterance(utterance: Utterance) -> dict[str, Any] | UnusableUtterance:
        features: dict[str, Any] = {"seconds": 0.0, "remark": ""}
        try:
            if sources.log_mel is not None:
                heard = read_log_mel(utterance, sources.log_mel)
                features["frames"] = heard.frames.astype(np.float16)
                features |= {"seconds": heard.seconds, "remark": heard.remark}
            for name, opened in ready.items():
                features[name] = _as_float16(utterance, opened)
                if features[name].size > 1 and (features[name] == features[name].flat[0]).all():
                    features["remark"] = features["remark"] or FEATURES_CONSTANT
        except UnusableUtterance as fault:
            return fault
        return features

    return map_in_order(extract_utterance, utterances, workers)


def _as_float16(utterance: Utterance, ready: ReadyFeatures) -> np.ndarray:
    values = read_features(ready, utterance.id)
    return as_float16(values, utterance.id, ready.path_of(utterance.id))


def as_float16(values: np.ndarray, utterance_id: str, path: Path | None) -> np.ndarray:
    """Ready features as they are kept.

    Raises:
      UnusableUtterance: one is too large.
    """
    largest = np.finfo(np.float16).max
    if np.abs(values).max() > largest:
        raise UnusableUtterance(utterance_id, path, f"features beyond float16's {largest:g}")
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
    """The files on which the features of each utterance depend; they need not be there."""
    ids = [utterance.id for utterance in utterances]
    ready = [ready_files(source, ids) for source in sources.ready.values()]
    return [
        ([u.wav] if sources.log_mel is not None and u.wav is not None else [])
        + [path for of in ready for path in of[i]]
        for i, u in enumerate(utterances)
    ]


def fingerprint(
    utterances: Sequence[Utterance], sources: FeatureSources, contents: Sequence[list[Any]]
) -> str:
    """16 hex digits of the hash of everything that the features depend on.

    Args:
      contents: what says which content the files of each utterance have, in the order of
        `files_of`; where they lie and when they were written is of no account.
    """
    ready = sources.ready
    parts: list[Any] = [FEATURES_VERSION, sources.log_mel and astuple(sources.log_mel)]
    parts += ["frames" in ready, "words" in ready]
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
