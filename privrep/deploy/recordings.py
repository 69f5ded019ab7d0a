"""Recordings and their inputs, prepared as training prepared those of its corpus (host)."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.deploy.description import AcousticInput, LexicalInput
from privrep.files import sha256
from privrep.inputs.audio import UnusableUtterance
from privrep.inputs.extraction import as_float16
from privrep.inputs.text import coverage, encode_all, tokenise
from privrep.inputs.word_vectors import read_word_vectors

Audio = str | os.PathLike | np.ndarray
Frames = np.ndarray | UnusableUtterance
_LISTED = 10  # utterances that an error message lists


@dataclass(frozen=True, eq=False, repr=False)
class Recordings:
    """N utterances as a model reads them; what it does not read is None.

    Attributes:
      audio: N paths of audio files, or waveforms of floats in [-1, 1], [n] or [n, channels]; of
        several channels the mean is taken, and other rates are resampled, as in training. A single
        path is a single file, and a single waveform [n] a single recording, as a single text is one
        transcript or id.
      sample_rate: of waveforms, in Hz.
      transcripts: N texts, of a model that reads words.
      frames: N ready acoustic features [T, F], of a model that was trained on such.
      words: N ready word vectors [L, E], likewise.
      ids: N names; None: files go by theirs, others by their number.
      unusable: "stop" at recordings that cannot be used, such as silence; or "drop" them.
      word_vectors: the file that the model was trained with, for words its corpus had not.
    """

    audio: Sequence[Audio] | np.ndarray | str | os.PathLike | None = None
    _: KW_ONLY
    sample_rate: int | None = None
    transcripts: Sequence[str] | str | None = None
    frames: Sequence[np.ndarray] | None = None
    words: Sequence[np.ndarray] | None = None
    ids: Sequence[str] | str | None = None
    unusable: str = "stop"
    word_vectors: str | Path | None = None

    def __repr__(self) -> str:
        """One line: the inputs that are given, and how many."""
        names = ("audio", "transcripts", "frames", "words")
        given = {name: getattr(self, name) for name in names}
        counts = [f"{name}={_count(value)}" for name, value in given.items() if value is not None]
        return f"Recordings({', '.join(counts)})"


def _count(value: Any) -> Any:
    """How many utterances a value is of; "?" where that cannot be said."""
    if isinstance(value, str | os.PathLike) or getattr(value, "ndim", 0) == 1:
        return 1
    return len(value) if hasattr(value, "__len__") else "?"


class UnusableRecordings(ValueError):
    """Some of the recordings cannot be used.

    Attributes:
      what: which, and why.
      can_drop: whether others are left.
    """

    def __init__(self, what: str, can_drop: bool) -> None:
        remedy = "\nRepair them, or leave them out with unusable='drop'." if can_drop else ""
        super().__init__(what + remedy)
        self.what, self.can_drop = what, can_drop


class MissingInput(ValueError):
    """What the network reads was not given.

    Attributes:
      name: the argument of `Recordings`.
    """

    def __init__(self, sentence: str, name: str) -> None:
        super().__init__(sentence)
        self.name = name


class Words(NamedTuple):
    """The words of N transcripts.

    Attributes:
      rows: int32[L] of each, numbers of vectors.
      vectors: float32[V, E]; None where the network has learned them.
      notes: a sentence on how many of the words are known.
    """

    rows: list[np.ndarray]
    vectors: np.ndarray | None
    notes: tuple[str, ...]


def ready_frames(arrays: Sequence[np.ndarray], ids: Sequence[str], size: int) -> list[Frames]:
    """Ready features float16[T, F] of each utterance, or why they cannot be used.

    Args:
      arrays: N of them, real numbers [T, F], or [F], a single frame.
      size: F, as the network reads it.
    """
    return [_ready(np.asarray(array), id_, size) for array, id_ in zip(arrays, ids)]


def _ready(array: np.ndarray, id_: str, size: int) -> Frames:
    shape = f"shape {list(array.shape)}, the network reads [T, {size}]"
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or array.size == 0:
        return UnusableUtterance(id_, None, "features are not real numbers [T, F] or [F]", shape)
    with np.errstate(over="ignore"):
        frames = np.atleast_2d(array).astype(np.float32)
    if frames.shape[1] != size:
        return UnusableUtterance(id_, None, "features of another width", shape)
    if not np.isfinite(frames).all():
        return UnusableUtterance(id_, None, "features are not finite", shape)
    try:
        return as_float16(frames, id_, None)
    except UnusableUtterance as fault:
        return fault


def words_of_transcripts(
    transcripts: Sequence[str],
    lexical: LexicalInput,
    inputs: Mapping[str, np.ndarray],
    word_vectors: Path | None = None,
) -> Words:
    """The words of transcripts, numbered as in training.

    Args:
      transcripts: N of them; one without words is a single unknown word, as in training.
      inputs: of the model, see `model_folder.Model`.
      word_vectors: the file of word vectors that the model was trained with, for words that its
        corpus did not have; None: these are unknown.

    Raises:
      ValueError: the file is another one, or the model has not been trained with one.
    """
    tokens = [tokenise(transcript) for transcript in transcripts]
    known, vectors = [str(word) for word in inputs["vocabulary"]], inputs.get("word_vectors")
    if word_vectors is not None:
        _check_vectors(word_vectors, lexical)
        spoken = {word for words in tokens for word in words}
        names, vectors = read_word_vectors(word_vectors, spoken)
        known = [*names]
    share = coverage(tokens, known)
    notes = () if share == 1 else (f"{share:.1%} of the running words are known to the network",)
    encoded = encode_all(tokens, known)
    ends = np.cumsum(encoded.length)[:-1]
    return Words(np.split(encoded.values, ends), vectors, notes)


def _check_vectors(path: Path, lexical: LexicalInput) -> None:
    if not lexical.digest:
        raise ValueError(f"{path}: this model has learned its word vectors and reads no file")
    if not path.is_file():
        raise FileNotFoundError(f"no word vector file {path}")
    if sha256(path) != lexical.digest:
        raise ValueError(
            f"{path} is not the file of word vectors that this model was trained with (SHA-256 "
            f"{lexical.digest[:16]}…)"
        )


def usable(
    ids: Sequence[str], parts: Sequence[Sequence[Any]], unusable: str
) -> tuple[np.ndarray, list[str]]:
    """The numbers int[n] of the utterances that can be used, and sentences about the others.

    Args:
      parts: of each modality N inputs or faults.
      unusable: "stop", or "drop" to leave out what cannot be used.

    Raises:
      UnusableRecordings: some cannot be used and are not to be left out, or none can be.
    """
    faults: dict[int, UnusableUtterance] = {}
    for part in parts:
        for i, value in enumerate(part):
            if isinstance(value, UnusableUtterance):
                faults.setdefault(i, value)
    rows = np.array([i for i in range(len(ids)) if i not in faults], np.int64)
    if not faults:
        return rows, []
    listed = [f"\n  {fault}" for fault in [*faults.values()][:_LISTED]]
    if len(faults) > _LISTED:
        listed.append(f"\n  and {len(faults) - _LISTED:,} more")
    what = f"{len(faults):,} of {len(ids):,} recordings cannot be used:{''.join(listed)}"
    if unusable == "stop" or not len(rows):
        raise UnusableRecordings(what, can_drop=bool(len(rows)))
    return rows, [f"left out, {what}"]


def check_given(
    acoustic: AcousticInput | None, lexical: LexicalInput | None, given: Mapping[str, Any]
) -> None:
    """Makes sure that what is given is what the network reads.

    Args:
      given: {audio, transcripts, frames, words: N inputs, or None where there are none}.

    Raises:
      ValueError: something is missing, of no use, or of other length than the rest.
    """
    needed: dict[str, str] = {}
    if acoustic is not None and acoustic.log_mel is not None:
        needed["audio"] = "audio, files or waveforms"
    elif acoustic is not None:
        needed["frames"] = f"ready acoustic features [T, {acoustic.num_features}]"
    if lexical is not None and lexical.kind == "ready":
        needed["words"] = f"ready word vectors [L, {lexical.size}]"
    elif lexical is not None:
        needed["transcripts"] = "transcripts"
    for name, text in needed.items():
        if given.get(name) is None:
            sentence = f"this model reads {' and '.join(needed.values())}: give {text}"
            raise MissingInput(sentence, name)
    extra = [name for name, value in given.items() if value is not None and name not in needed]
    if extra:
        raise ValueError(f"this model reads {' and '.join(needed.values())}, and no {extra[0]}")
    lengths = {name: len(given[name]) for name in needed}
    if len({*lengths.values()}) > 1:
        counts = " and ".join(f"{count:,} {name}" for name, count in lengths.items())
        raise ValueError(f"{counts} were given: one of each for every utterance")
    if not all(lengths.values()):
        raise ValueError("there is no utterance to encode")
