"""Recordings and their inputs, prepared as training prepared those of its corpus (host)."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from privrep.cores import usable_cores
from privrep.deploy.description import AcousticInput, LexicalInput
from privrep.files import sha256
from privrep.inputs.audio import (
    CANCELLED,
    FeatureSettings,
    Heard,
    UnusableUtterance,
    heard,
    read_log_mel,
)
from privrep.inputs.extraction import as_float16, map_in_order
from privrep.inputs.text import coverage, encode_all, tokenise
from privrep.inputs.word_vectors import read_word_vectors
from privrep.messages import first
from privrep.types import Utterance

Audio = str | os.PathLike | np.ndarray
Frames = np.ndarray | UnusableUtterance
_LISTED = 10  # utterances that an error message lists


@dataclass(frozen=True, eq=False, repr=False)
class Recordings:
    """N utterances as a model reads them; what it does not read is None.

    Attributes:
      audio: N paths of audio files, or waveforms of floats in [-1, 1], [n] or [n, channels]; of
        several channels the mean is taken, and other rates are resampled, as in training. A single
        path is a single file, as a single text is one transcript or id.
      sample_rate: of waveforms, in Hz.
      transcripts: N texts, of a model that reads words.
      frames: N ready acoustic features [T, F], of a model that was trained on such.
      words: N ready word vectors [L, E], likewise.
      ids: N names; None: files go by theirs, others by their number.
      unusable: "stop" at recordings that cannot be used, such as silence; or "drop" them.
      word_vectors: the file that the model was trained with, for words its corpus had not.
    """

    audio: Sequence[Audio] | str | os.PathLike | None = None
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
        counts = [
            f"{name}={1 if isinstance(value, str | os.PathLike) else len(value)}"
            for name, value in given.items()
            if value is not None
        ]
        return f"Recordings({', '.join(counts)})"


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


def frames_of_audio(
    audio: Sequence[Audio],
    ids: Sequence[str],
    rate: int | None,
    settings: FeatureSettings,
    progress: bool = False,
) -> tuple[list[Frames], list[str]]:
    """Log-Mel frames of files or waveforms, and sentences about what was repaired.

    Args:
      audio: N paths of audio files, or waveforms of real numbers in [-1, 1], [n] or [n, channels].
      ids: N names, for messages.
      rate: of the waveforms in Hz; other rates than the model's are resampled, as in training.
      settings: of the frames.
      progress: whether a progress bar is shown.

    Returns:
      float16[T, F] of each, or why there is none: what training cannot use either, and silence and
      constant sound, of which h would say nothing.

    Raises:
      ValueError: waveforms without a rate.
    """
    if any(isinstance(sound, np.ndarray) for sound in audio) and not rate:
        raise ValueError("of waveforms give the sample_rate in Hz")

    def frames_of(item: tuple[str, Audio]) -> Heard | UnusableUtterance:
        id_, sound = item
        try:
            if isinstance(sound, np.ndarray):
                utterance = Utterance(id_, None)
                result = heard(utterance, _samples(id_, sound), int(rate or 0), settings)
            else:
                utterance = Utterance(id_, None, wav=Path(sound))
                result = read_log_mel(utterance, settings)
        except UnusableUtterance as fault:
            return fault
        if result.remark and result.remark != CANCELLED:
            return UnusableUtterance(id_, utterance.wav, result.remark)
        return result

    results = map_in_order(frames_of, zip(ids, audio), usable_cores())
    bar = tqdm(results, "reading", len(ids), unit=" recordings", disable=not progress, delay=2)
    frames: list[Frames] = []
    repaired = []
    for id_, result in zip(ids, bar):
        if isinstance(result, UnusableUtterance):
            frames.append(result)
            continue
        frames.append(result.frames.astype(np.float16))
        repaired += [id_] * bool(result.remark)
    notes = [f"{CANCELLED}: {first(repaired)}"] if repaired else []
    return frames, notes


def _samples(id_: str, waveform: np.ndarray) -> np.ndarray:
    """float32[n, channels] of a waveform [n] or [n, channels]."""
    shape = list(waveform.shape)
    if waveform.ndim not in (1, 2) or waveform.dtype.kind != "f":
        raise UnusableUtterance(
            id_,
            None,
            "waveform is not [n] or [n, channels] in [-1, 1]",
            f"{waveform.dtype} {shape}",
        )
    if waveform.size == 0:
        raise UnusableUtterance(id_, None, "audio empty")
    if not np.isfinite(waveform).all():
        raise UnusableUtterance(id_, None, "audio has samples that are not finite")
    return np.ascontiguousarray(waveform.reshape(len(waveform), -1), np.float32)


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
      ValueError: some cannot be used and are not to be left out, or none can be.
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
        remedy = "\nRepair them, or leave them out with unusable=drop." if len(rows) else ""
        raise ValueError(what + remedy)
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
    missing = [text for name, text in needed.items() if given.get(name) is None]
    if missing:
        raise ValueError(f"this model reads {' and '.join(needed.values())}: give {missing[0]}")
    extra = [name for name, value in given.items() if value is not None and name not in needed]
    if extra:
        raise ValueError(f"this model reads {' and '.join(needed.values())}, and no {extra[0]}")
    lengths = {name: len(given[name]) for name in needed}
    if len({*lengths.values()}) > 1:
        counts = " and ".join(f"{count:,} {name}" for name, count in lengths.items())
        raise ValueError(f"{counts} were given: one of each for every utterance")
    if not all(lengths.values()):
        raise ValueError("there is no utterance to encode")
