"""Cache of a corpus's features: computed once, kept as a tensorflow-datasets data set (host).

    <cache_dir>/<dataset>/<features' hash>/    a complete data set, readable by
                                               tfds.builder_from_directory; never changed

An utterance that cannot be used is found while the data set is built, and recorded in it. A run
that stops at such utterances and a run that drops them share the work, and so do runs on one
modality and on both.
"""

import contextlib
import itertools
import json
import warnings
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from privrep.cores import usable_cores
from privrep.duplicates import SameContent, same_content
from privrep.formats.text_files import LFS_POINTER, LFS_SIGNATURE
from privrep.inputs import cache_store, digests
from privrep.inputs.audio import (
    CANCELLED,
    CONSTANT,
    FEATURES_VERSION,
    SILENT,
    UnusableUtterance,
)
from privrep.inputs.extraction import (
    FEATURES_CONSTANT,
    UNUSABLE,
    FeatureSources,
    extract,
    files_of,
    fingerprint,
    hash_of,
)
from privrep.inputs.text import tokenise
from privrep.messages import first
from privrep.types import Ragged, Utterance, take_rows

_MAX_UTTERANCES = 10  # that an error message lists
_MAX_FILES = 5
_SAME = "same.npz"
_Features = dict[str, Any] | UnusableUtterance


class PreparedCorpus(NamedTuple):
    """A corpus with its features.

    Attributes:
      utterances: the N that can be used, in the order and with the labels they were given.
      frames: float16[M, F] ragged, log-Mel or ready features; None without the acoustic modality.
      words: the words of each utterance; with ready lexical features float16[M, E] ragged; None
        without the lexical modality.
      hash: 16 hex digits of the corpus with its labels, the content of its files, and all settings.
      content: 16 hex digits of the utterances that can be used, their labels and lengths. Neither
        depends on where the corpus lies.
      dropped: {utterance id: reason} of those that were left out.
      remarks: {utterance id: remark} of those kept, see `audio.Heard`.
      same: which of the utterances have the same frames; None without the acoustic modality.
      built: whether this call computed the features; False if it read them from the cache.
      seconds_of_audio: of the utterances kept, before `max_seconds` cuts; 0 for ready features.
    """

    utterances: tuple[Utterance, ...]
    frames: Ragged | None
    words: tuple[tuple[str, ...], ...] | Ragged | None
    hash: str
    content: str
    dropped: Mapping[str, str]
    remarks: Mapping[str, str]
    same: SameContent | None
    built: bool
    seconds_of_audio: float


def prepare(
    dataset: str,
    utterances: Sequence[Utterance],
    sources: FeatureSources,
    cache_dir: Path,
    *,
    unusable: str = "stop",
    workers: int | None = None,
    progress: bool = True,
) -> PreparedCorpus:
    """Computes the features of `utterances`, or reads them from the cache if that was done before.

    They are computed again when a setting, `FEATURES_VERSION`, or the corpus changes: the ids,
    their order, start and end, or a file's content, which is read again where its place, size or
    times have changed. What is read from the cache is compared with its checksums, and computed
    again where it is damaged, which a warning says. Labels and transcripts are not cached; they are
    always those of `utterances`. Any number of processes may prepare at once, and one that is
    killed leaves nothing that is later taken for complete.

    Args:
      dataset: the name of the folder in `cache_dir`.
      utterances: the corpus, ids unique.
      sources: where the features of each modality come from.
      cache_dir: the folder of the cache, which is created if needed.
      unusable: "stop" at utterances without usable input; or "drop" them and those of silence or
        constant sound; or "drop_repaired", those with channels of opposite phase too.
      workers: threads; None is one per core.
      progress: whether a progress bar is shown.

    Raises:
      ValueError: no utterances, two with the same id, utterances without usable input where
        `unusable` is "stop", none that can be used, or ready features that differ in width.
    """
    if unusable not in UNUSABLE:
        raise ValueError(f"unusable={unusable!r}: it is one of {', '.join(UNUSABLE)}")
    _check_ids(dataset, utterances)
    workers = workers or usable_cores()
    key = fingerprint(utterances, sources, _contents(dataset, utterances, sources, cache_dir))
    directory = Path(cache_dir) / dataset / key
    fault, built = cache_store.fault(directory), False
    if fault is not None:
        if directory.exists():
            warnings.warn(f"{fault}: {dataset} is prepared anew", stacklevel=2)
        built = _build(directory, dataset, utterances, sources, workers, progress)
    store = cache_store.read(directory)
    faults = _faults_here(store.faults, utterances, sources)
    if sources.uses_transcripts:
        for utterance in utterances:
            if utterance.transcript is None:
                faults.setdefault(utterance.id, ("no transcript", ""))
            elif utterance.transcript.startswith(LFS_SIGNATURE):
                faults.setdefault(utterance.id, (f"transcript is {LFS_POINTER}", ""))
    if unusable != "stop":
        dropped = {SILENT, CONSTANT, FEATURES_CONSTANT}
        dropped |= {CANCELLED} if unusable == "drop_repaired" else set()
        remarks = {i: (remark, "") for i, remark in store.remarks.items() if remark in dropped}
        faults = remarks | faults
    kept = tuple(u for u in utterances if u.id not in faults)
    if faults and (unusable == "stop" or not kept):
        raise _refusal(dataset, len(utterances), faults)

    rows = np.flatnonzero([u.id not in faults for u in utterances if u.id not in store.faults])
    frames, ready_words = _select(store.frames, rows), _select(store.words, rows)
    lengths = [part.length.tolist() for part in (frames, ready_words) if part is not None]
    return PreparedCorpus(
        utterances=kept,
        frames=frames,
        words=tuple(tokenise(u.transcript or "") for u in kept)
        if sources.uses_transcripts
        else ready_words,
        hash=_hash(key, sources, utterances),
        content=_hash(lengths, sources, kept),
        dropped={id_: reason for id_, (reason, _) in faults.items()},
        remarks={id_: reason for id_, reason in store.remarks.items() if id_ not in faults},
        same=None if frames is None else _same(directory).take(rows),
        built=built,
        seconds_of_audio=float(store.seconds[rows].sum(dtype=np.float64)),
    )


class Described(NamedTuple):
    """What `prepare` would make, without making it.

    Attributes:
      hash: `PreparedCorpus.hash`.
      utterances: those given to `describe`.
      contents: of each [digest, size in bytes] of its files, None of one that is not there.
    """

    hash: str
    utterances: Sequence[Utterance]
    contents: Sequence[list[Any]]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yields of each utterance its fields but `wav`, as JSON has them, and `files`."""
        for utterance, files in zip(self.utterances, self.contents):
            yield json.loads(_record(utterance, with_file=False)) | {"files": files}


def describe(
    dataset: str, utterances: Sequence[Utterance], sources: FeatureSources, cache_dir: Path
) -> Described:
    """What the data are, by content; arguments as of `prepare`."""
    contents = _contents(dataset, utterances, sources, cache_dir)
    key = fingerprint(utterances, sources, contents)
    return Described(_hash(key, sources, utterances), utterances, contents)


def _contents(
    dataset: str, utterances: Sequence[Utterance], sources: FeatureSources, cache_dir: Path
) -> list[list[Any]]:
    """Of each utterance [digest, size] of its files, None of one that is not there."""
    files = files_of(utterances, sources)
    content_of = digests.contents(
        itertools.chain.from_iterable(files),
        Path(cache_dir) / dataset / "digests.json",
        f"reading {dataset}",
    )
    as_json = {path: None if of is None else [*of] for path, of in content_of.items()}
    return [[as_json[path] for path in paths] for paths in files]


def _hash(key: Any, sources: FeatureSources, utterances: Sequence[Utterance]) -> str:
    modalities = [sources.acoustic is not None, sources.lexical is not None]
    return hash_of([key, *modalities, *(_record(u, with_file=False) for u in utterances)])


def _check_ids(dataset: str, utterances: Sequence[Utterance]) -> None:
    if not utterances:
        raise ValueError(f"{dataset}: no utterances to prepare")
    id_, count = Counter(u.id for u in utterances).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{dataset}: {count} utterances have the id {id_}; ids must be unique")


def _build(
    directory: Path,
    dataset: str,
    utterances: Sequence[Utterance],
    sources: FeatureSources,
    workers: int,
    progress: bool,
) -> bool:
    """Builds the data set; False if another process has built it meanwhile."""
    with cache_store.building(directory) as unfinished:
        if unfinished is None:
            return False
        features = extract(utterances, sources, workers)
        faults: dict[str, tuple[str, str]] = {}
        remarks: dict[str, str] = {}
        # Closed before an error is printed, which would otherwise end up in the line of the bar.
        with contextlib.closing(
            _with_progress_bar(features, dataset, len(utterances), progress)
        ) as shown:
            examples = _examples(dataset, zip(shown, utterances), faults, remarks)
            is_any_usable = cache_store.write(
                unfinished, dataset, FEATURES_VERSION, examples, faults, remarks
            )
        if not is_any_usable:
            raise _refusal(dataset, len(utterances), faults)
        _write_same(unfinished)
    return True


def _write_same(directory: Path) -> None:
    """Keeps in the data set which of its utterances have the same content."""
    frames = cache_store.read(directory).frames
    if frames is not None:
        equal, copies = same_content(frames)
        np.savez(directory / _SAME, equal=equal, copies=np.array(copies, np.int64).reshape(-1, 2))


def _same(directory: Path) -> SameContent:
    with np.load(directory / _SAME, allow_pickle=False) as kept:
        return SameContent(kept["equal"], [(int(a), int(b)) for a, b in kept["copies"]])


def _with_progress_bar(
    features: Iterator[_Features], dataset: str, total: int, progress: bool
) -> Generator[_Features, None, None]:
    seconds = 0.0
    with tqdm(
        total=total, desc=f"preparing {dataset}", unit=" utterances", disable=not progress
    ) as bar:
        for result in features:
            if not isinstance(result, UnusableUtterance):
                seconds += result["seconds"]
                bar.set_postfix_str(f"{seconds / 3600:.2f} h of audio", refresh=False)
            bar.update()
            yield result


def _examples(
    dataset: str,
    results: Iterable[tuple[_Features, Utterance]],
    faults: dict[str, tuple[str, str]],
    remarks: dict[str, str],
) -> Iterator[dict[str, Any]]:
    """Yields the usable utterances as the store writes them; adds the others to `faults`.

    What is remarked on the usable ones is added to `remarks`.

    Raises:
      ValueError: at the end, if features of one modality differ in width.
    """
    shapes: dict[str, tuple[str, list[int]]] = {}  # of the first utterance
    deviating: list[str] = []
    for result, utterance in results:
        if isinstance(result, UnusableUtterance):
            faults[utterance.id] = (result.reason, str(result.path or ""))
            continue
        if remark := result.pop("remark"):
            remarks[utterance.id] = remark
        for name in sorted(result.keys() - {"seconds"}):
            shape = list(result[name].shape)
            if shapes.setdefault(name, (utterance.id, shape))[1][1] != shape[1]:
                deviating.append(f"{utterance.id} {shape}")
        if not deviating:
            record = {"id": utterance.id, "utterance": _record(utterance, with_file=True)}
            yield record | result
    if deviating:
        expected = " and ".join(f"{id_} has {shape}" for id_, shape in shapes.values())
        raise ValueError(
            f"{dataset}: the ready features differ in width: {expected}, {len(deviating):,} "
            f"others are not as wide: {first(deviating, _MAX_FILES)}. All must be of one kind."
        )


def _faults_here(
    faults: Mapping[str, tuple[str, str]], utterances: Sequence[Utterance], sources: FeatureSources
) -> dict[str, tuple[str, str]]:
    """The faults of a store with the files where they lie now, which was elsewhere when built."""
    if not faults:
        return {}
    files = zip(utterances, files_of(utterances, sources))
    here = {u.id: {f.name: str(f) for f in of} for u, of in files if u.id in faults}
    return {
        id_: (reason, here[id_].get(Path(file).name, file) if id_ in here else file)
        for id_, (reason, file) in faults.items()
    }


def _select(sequences: Ragged | None, rows: np.ndarray) -> Ragged | None:
    if sequences is None or len(rows) == len(sequences.length):
        return sequences
    return take_rows(sequences, rows)


def _refusal(dataset: str, total: int, faults: Mapping[str, tuple[str, str]]) -> ValueError:
    counts = Counter(reason for reason, _ in faults.values()).most_common()
    message = f"{dataset}: {len(faults):,} of {total:,} utterances cannot be used: "
    message += ", ".join(f"{reason} ({count:,})" for reason, count in counts) + "."
    for id_, (reason, path) in itertools.islice(faults.items(), _MAX_UTTERANCES):
        message += f"\n  {id_}: {reason}" + (f": {path}" if path else "")
    if len(faults) > _MAX_UTTERANCES:
        message += f"\n  and {len(faults) - _MAX_UTTERANCES:,} more"
    if len(faults) == total:
        message += "\nNot one is left: is the data in this folder, and copied completely?"
    else:
        message += "\nRepair them, or leave them out with --unusable=drop."
    return ValueError(message)


def _record(utterance: Utterance, *, with_file: bool) -> str:
    """The utterance as JSON, with or without the place of its file, which does not describe it."""
    # Without numbers where there are none, as in records of before there could be.
    record = {
        k: v
        for k, v in vars(utterance).items()
        if (with_file or k != "wav") and (v or k != "numbers")
    }
    return json.dumps(
        record, default=lambda v: dict(v) if isinstance(v, Mapping) else str(v), sort_keys=True
    )
