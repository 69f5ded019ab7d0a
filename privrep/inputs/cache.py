"""A corpus made ready: features computed once, kept as a tensorflow-datasets data set (host).

    <cache_dir>/<dataset>/<features' hash>/    a complete data set, readable by
                                               tfds.builder_from_directory; never changed

An utterance that cannot be used is found while building and remembered there, so a run that stops
for it and a run that drops it share the work, and so do runs on one modality and on both.
"""

import contextlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from privrep.inputs import cache_store as prepared_store
from privrep.inputs.audio import FEATURES_VERSION, FeatureSettings, UnusableUtterance
from privrep.inputs.extraction import Inputs, compute, fingerprint, hash_of
from privrep.inputs.text import tokenise
from privrep.types import Ragged, Utterance, take_rows

UNUSABLE = ("stop", "drop")


class Prepared(NamedTuple):
    """A corpus with its inputs.

    Attributes:
      utterances: the N that can be used, in the order they were given; labels as they were given.
      frames: float16[M, F] ragged, log-Mel or ready features; None without the acoustic modality.
      words: the words of each utterance; with ready lexical features float16[M, E] ragged; None
        without the lexical modality.
      hash: 16 hex digits of the corpus with its labels and all settings, and of where it lies.
      content: 16 hex digits of the utterances that can be used, their labels and lengths, which are
        the same wherever the corpus lies.
      dropped: {utterance id: reason} of those that cannot be used.
      built: True if this call computed the features, False if it found them.
      seconds_of_audio: of the utterances kept, before `max_seconds` cuts; 0 for ready features.
    """

    utterances: tuple[Utterance, ...]
    frames: Ragged | None
    words: tuple[tuple[str, ...], ...] | Ragged | None
    hash: str
    content: str
    dropped: Mapping[str, str]
    built: bool
    seconds_of_audio: float


def prepare(
    dataset: str,
    utterances: Sequence[Utterance],
    settings: FeatureSettings,
    cache_dir: Path,
    *,
    acoustic: bool,
    lexical: bool,
    acoustic_features: Path | None = None,
    lexical_features: Path | None = None,
    unusable: str = "stop",
    workers: int | None = None,
    progress: bool = True,
) -> Prepared:
    """Computes the inputs of `utterances`, or reads them back if that was done before.

    They are computed anew when a setting, `FEATURES_VERSION`, or the corpus changes: the ids, their
    order, start and end, or a file's place, size or time of change. (Not its content: reading 100
    GB to find that nothing changed would cost as much as the work it saves.) Labels and transcripts
    are not part of that; they are always the ones given. Any number of processes may prepare at
    once, and one that is killed leaves nothing that is later taken for whole.

    Args:
      dataset: the name of the folder in `cache_dir`.
      utterances: the corpus, ids unique.
      settings: for log-Mel frames; of no effect on ready features.
      acoustic, lexical: the modalities in use.
      acoustic_features, lexical_features: folders of ready `<id>.npy`, in place of audio and words.
      unusable: "stop" at utterances without usable input, or "drop" them.
      workers: threads; None is one per core.
      progress: show a bar.

    Raises:
      ValueError: ids twice; utterances without usable input and `unusable` is "stop"; none usable.
    """
    if unusable not in UNUSABLE:
        raise ValueError(f"unusable={unusable!r}: it is one of {', '.join(UNUSABLE)}")
    _check_ids(dataset, utterances)
    inputs = _inputs(settings, acoustic, lexical, acoustic_features, lexical_features)
    key = fingerprint(utterances, inputs)
    directory = Path(cache_dir) / dataset / key
    workers = workers or os.cpu_count() or 1

    faults: dict[str, list[str]] = {}
    built = False
    if not directory.is_dir():
        with prepared_store.building(directory) as unfinished:
            if unfinished is not None:  # None: another process has built it meanwhile
                results = compute(utterances, inputs, workers)
                # Closed before an error is printed, which would else end up in its line.
                with contextlib.closing(
                    _progress_bar(results, dataset, len(utterances), progress)
                ) as bar:
                    built = _build(unfinished, dataset, zip(bar, utterances), faults)
                if not built:
                    raise _refusal(dataset, len(utterances), faults)
    store = prepared_store.read(directory)
    faults = dict(store.faults)
    if lexical and inputs.lexical_features is None:
        for utterance in utterances:
            if utterance.transcript is None:
                faults.setdefault(utterance.id, ["no transcript", ""])
    kept = tuple(u for u in utterances if u.id not in faults)
    if faults and (unusable == "stop" or not kept):
        raise _refusal(dataset, len(utterances), faults)

    stored = [u.id not in faults for u in utterances if u.id not in store.faults]
    rows = np.flatnonzero(stored)
    words = _select(store.words, rows)
    if lexical and inputs.lexical_features is None:
        words = tuple(tokenise(u.transcript) for u in kept)
    frames = _select(store.frames, rows)
    lengths = [of.length.tolist() for of in (frames, words) if isinstance(of, Ragged)]
    return Prepared(
        kept,
        frames,
        words,
        _hash(key, acoustic, lexical, utterances),
        _hash(lengths, acoustic, lexical, kept),
        {id_: reason for id_, (reason, _) in faults.items()},
        built,
        float(store.seconds[rows].sum(dtype=np.float64)),
    )


def prepared_hash(
    utterances: Sequence[Utterance],
    settings: FeatureSettings,
    *,
    acoustic: bool,
    lexical: bool,
    acoustic_features: Path | None = None,
    lexical_features: Path | None = None,
) -> str:
    """`Prepared.hash` of what `prepare` makes of these; no file is read, only its size and time."""
    inputs = _inputs(settings, acoustic, lexical, acoustic_features, lexical_features)
    return _hash(fingerprint(utterances, inputs), acoustic, lexical, utterances)


def _inputs(
    settings: FeatureSettings,
    acoustic: bool,
    lexical: bool,
    acoustic_features: Path | None,
    lexical_features: Path | None,
) -> Inputs:
    return Inputs(
        settings if acoustic and acoustic_features is None else None,
        Path(acoustic_features) if acoustic and acoustic_features is not None else None,
        Path(lexical_features) if lexical and lexical_features is not None else None,
    )


def _hash(key: Any, acoustic: bool, lexical: bool, utterances: Sequence[Utterance]) -> str:
    return hash_of([key, acoustic, lexical, *(_record(u, files=False) for u in utterances)])


def _check_ids(dataset: str, utterances: Sequence[Utterance]) -> None:
    if not utterances:
        raise ValueError(f"{dataset}: no utterances to prepare")
    id_, count = Counter(u.id for u in utterances).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{dataset}: {count} utterances have the id {id_}; ids must be unique")


def _progress_bar(results: Iterator, dataset: str, total: int, progress: bool) -> Iterator:
    seconds = 0.0
    with tqdm(
        total=total, desc=f"preparing {dataset}", unit=" utterances", disable=not progress
    ) as bar:
        for result in results:
            if not isinstance(result, UnusableUtterance):
                seconds += result["seconds"]
                bar.set_postfix_str(f"{seconds / 3600:.2f} h of audio", refresh=False)
            bar.update()
            yield result


def _build(
    directory: Path,
    dataset: str,
    results: Iterable[tuple[dict[str, Any] | UnusableUtterance, Utterance]],
    faults: dict[str, list[str]],
) -> bool:
    """Writes the usable results into `directory`, the others into `faults`; False if all are."""
    sizes: dict[str, tuple[int, str]] = {}
    others: list[str] = []

    def examples() -> Iterator[dict[str, Any]]:
        for result, utterance in results:
            if isinstance(result, UnusableUtterance):
                faults[utterance.id] = [result.reason, str(result.path or "")]
                continue
            for name in result.keys() - {"seconds"}:
                width, first = result[name].shape[1], f"{utterance.id}.npy"
                if sizes.setdefault(name, (width, first))[0] != width:
                    others.append(f"{first} ({width}, not {sizes[name][0]})")
            if not others:
                about = {"id": utterance.id, "utterance": _record(utterance, files=True)}
                yield about | result
        if others:
            firsts = " and ".join(f"{first} is {width}" for width, first in sizes.values())
            more = f" and {len(others) - 5:,} more" * (len(others) > 5)
            raise ValueError(
                f"{dataset}: the ready features differ in width: {firsts} wide, {len(others):,} "
                f"others are not: {', '.join(others[:5])}{more}. All must be of one kind."
            )

    return prepared_store.write(directory, dataset, FEATURES_VERSION, examples(), faults)


def _select(sequences: Ragged | None, rows: np.ndarray) -> Ragged | None:
    if sequences is None or len(rows) == len(sequences.length):
        return sequences
    return take_rows(sequences, rows)


def _refusal(dataset: str, total: int, faults: Mapping[str, Sequence[str]]) -> ValueError:
    counts = Counter(reason for reason, _ in faults.values()).most_common()
    message = f"{dataset}: {len(faults):,} of {total:,} utterances cannot be used: "
    message += ", ".join(f"{reason} ({count:,})" for reason, count in counts) + "."
    for id_, (reason, path) in itertools.islice(faults.items(), 10):
        message += f"\n  {id_}: {reason}" + (f": {path}" if path else "")
    if len(faults) > 10:
        message += f"\n  and {len(faults) - 10:,} more"
    if len(faults) == total:
        message += "\nNot one is left: is the data in this folder, and copied whole?"
    else:
        message += "\nRepair them, or leave them out with --unusable=drop."
    return ValueError(message)


def _record(utterance: Utterance, *, files: bool) -> str:
    """The utterance as JSON; its file's place, which says nothing about it, only with `files`."""
    record = {k: v for k, v in vars(utterance).items() if files or k != "wav"}
    return json.dumps(
        record, default=lambda v: dict(v) if isinstance(v, Mapping) else str(v), sort_keys=True
    )
