"""Checking and preparing the recordings that the encoders of a model read (host)."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.deploy.description import Description
from privrep.deploy.recordings import (
    Audio,
    Recordings,
    check_given,
    ready_frames,
    usable,
    words_of_transcripts,
)
from privrep.deploy.sounds import frames_of_audio

UNUSABLE = ("stop", "drop")


class PreparedRecordings(NamedTuple):
    """What the encoders read of the N utterances that can be used.

    Attributes:
      frames: float16[T, F] of each, not normalised by the person; None without this modality.
      words: int32[L] or float16[L, E] of each; likewise.
      vectors: float32[V, E] of words that are numbers; None where the network has them.
    """

    ids: tuple[str, ...]
    frames: list[np.ndarray] | None
    words: list[np.ndarray] | None
    vectors: np.ndarray | None
    notes: tuple[str, ...]

    @property
    def length(self) -> np.ndarray:
        """int[N], frames of each, or words where there are no frames."""
        leading = self.words if self.frames is None else self.frames
        return np.array([len(rows) for rows in leading or ()])


def recordings_of(given: Recordings | Sequence[Audio] | str | os.PathLike) -> Recordings:
    """The recordings that are given, of which audio alone may be given by itself."""
    return given if isinstance(given, Recordings) else Recordings(given)


def prepared(
    recordings: Recordings,
    description: Description,
    inputs: Mapping[str, np.ndarray],
    progress: bool,
) -> PreparedRecordings:
    """Prepares recordings as training prepared those of its corpus.

    Args:
      inputs: of the model, see `model_folder.Model`.
      progress: whether a progress bar is shown.

    Raises:
      ValueError: recordings cannot be used (the message lists them), or inputs are missing, are not
        what the network reads, or differ in number.
    """
    acoustic, lexical, unusable = description.acoustic, description.lexical, recordings.unusable
    if unusable not in UNUSABLE:
        raise ValueError(f"unusable={unusable!r}: it is one of {', '.join(UNUSABLE)}")
    names = ("audio", "transcripts", "frames", "words")
    given = {name: _several(name, getattr(recordings, name)) for name in names}
    check_given(acoustic, lexical, given)
    ids = _ids(given, _several("ids", recordings.ids))
    notes: list[str] = []
    frames: Sequence[Any] | None = None
    words: Sequence[Any] | None = None
    vectors = None
    if acoustic is not None and acoustic.log_mel is not None:
        rate, settings = recordings.sample_rate, acoustic.log_mel
        longest = description.training.get("longest_seconds")
        frames, notes = frames_of_audio(given["audio"], ids, rate, settings, longest, progress)
    elif acoustic is not None:
        frames = ready_frames(given["frames"], ids, acoustic.num_features)
    if lexical is not None and lexical.kind == "ready":
        words = ready_frames(given["words"], ids, lexical.size)
    elif lexical is not None:
        path = None if recordings.word_vectors is None else Path(recordings.word_vectors)
        of_words = words_of_transcripts(given["transcripts"], lexical, inputs, path)
        words, vectors = of_words.rows, of_words.vectors
        notes += of_words.notes
    rows, left_out = usable(ids, [p for p in (frames, words) if p is not None], unusable)
    return PreparedRecordings(
        tuple(ids[i] for i in rows),
        None if frames is None else [frames[i] for i in rows],
        None if words is None else [words[i] for i in rows],
        vectors,
        (*notes, *left_out),
    )


def _several(name: str, value: Any) -> Any:
    """What is given of N utterances as a sequence: a single path, text or waveform as a list of it.

    Args:
      name: of the argument of `Recordings`, for messages.

    Raises:
      ValueError: it is none, or its values are of no use.
    """
    if value is None:
        return None
    is_text = name in ("transcripts", "ids")
    if isinstance(value, str | os.PathLike):
        return [value]
    if name == "audio" and hasattr(value, "__array__"):
        if np.ndim(value) == 1 and np.asarray(value).dtype.kind == "f":
            return [np.asarray(value)]
        if np.ndim(value) == 2:
            raise ValueError(
                f"audio is an array of shape {[*np.shape(value)]}: give a list, [array] of one "
                "recording [n, channels], list(array) of several [n]"
            )
    if not hasattr(value, "__len__") or not hasattr(value, "__getitem__") or hasattr(value, "keys"):
        raise ValueError(f"{name} is a {type(value).__name__}: give a list, of each utterance one")
    return [_checked(name, i, item, is_text) for i, item in enumerate(value)]


def _checked(name: str, number: int, item: Any, is_text: bool) -> Any:
    """What is given of an utterance; arrays of other libraries as numpy's."""
    if isinstance(item, str) or (name == "audio" and isinstance(item, os.PathLike)):
        if is_text or name == "audio":
            return item
    elif not is_text and hasattr(item, "__array__") and np.ndim(item) > 0:
        return np.asarray(item)
    elif name in ("frames", "words") and isinstance(item, list | tuple):
        return item
    expected = {
        "audio": "the path of a file or a waveform float[n], such as np.asarray(samples, 'float32')"
    }
    wanted = "a text" if is_text else expected.get(name, "an array of real numbers")
    raise ValueError(f"{name}[{number}] is a {type(item).__name__}: {wanted} is expected")


def _ids(given: Mapping[str, Any], ids: Sequence[str] | None) -> list[str]:
    """A name for each utterance.

    Raises:
      ValueError: the names are too many, too few, or not unique.
    """
    (count,) = {len(value) for value in given.values() if value is not None}
    if ids is None:
        sounds = given.get("audio") or [None] * count
        ids = [
            str(i) if sound is None or isinstance(sound, np.ndarray) else Path(sound).stem
            for i, sound in enumerate(sounds)
        ]
    if len(ids) != count:
        raise ValueError(f"{len(ids)} ids for {count} utterances")
    seen: set[str] = set()
    for id_ in ids:
        if id_ in seen:
            raise ValueError(f"two utterances have the id {id_}: give each a name of its own")
        seen.add(id_)
    return [*ids]
