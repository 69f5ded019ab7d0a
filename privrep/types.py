"""What an utterance is: a record on the host, rows of arrays on the device.

Symbols used in every docstring of the package: N utterances, B batch, T frames, F features per
frame (Mel bands), L words, E word-vector size, D representation size, C classes, K folds,
S speakers, R runs.
"""

import math
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Size = tuple[int, int]  # (T, L), room for frames and words
Array = Any  # numpy on the host, jax on the device: the containers below hold either


@dataclass(frozen=True)
class Utterance:
    """One utterance as its corpus describes it, nothing computed and nothing left out.

    Attributes:
      id: unique in the corpus.
      speaker: who speaks, unique over the corpus; None where the corpus does not know.
      wav: the audio file, whether it is there or not; None in a corpus without audio.
      start, end: the utterance's place in `wav` in seconds; None is the file's own start or end.
      transcript: the words; "" when nothing was said in words, None when there is no transcript.
      ratings: {task: mean rating}, such as activation and valence; a hidden rating is left out.
      scale: lowest and highest value a rating can take.
      categories: {task: class name}, such as emotion; a hidden category is left out.
      private: {attribute: value}, such as gender ("female", "male"); an unknown one is left out.
      session: recordings made together (a dyad, an episode); None where the corpus has none.
      split: the corpus's own part "train", "val" or "test"; None where it has none.
    """

    id: str
    speaker: str | None
    wav: Path | None = None
    start: float | None = None
    end: float | None = None
    transcript: str | None = None
    ratings: Mapping[str, float] = field(default_factory=dict)
    scale: tuple[float, float] | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict)
    session: str | None = None
    split: str | None = None


class Split(NamedTuple):
    """Which utterances train, choose and test. bool[N] each; a leading K makes them folds."""

    train: Array
    val: Array
    test: Array


class Ragged(NamedTuple):
    """N sequences of different lengths end to end, so that memory grows with what was said.

    Attributes:
      values: [M, ...]. Row i is values[start[i] : start[i] + length[i]].
      start: int32[N].
      length: int32[N].
    """

    values: Array
    start: Array
    length: Array


class Corpus(NamedTuple):
    """The inputs of N utterances. A modality that is not used is None.

    Attributes:
      frames: float[M, F] ragged, M frames in all.
      words: int32[M] ragged, indices into a vocabulary, or float[M, E] ragged, ready vectors.
      word_vectors: float[V, E], the vectors of the vocabulary; None where the network learns them.
    """

    frames: Ragged | None
    words: Ragged | None
    word_vectors: Array | None


class Spans(NamedTuple):
    """The frames of B utterances where they lie in the corpus, none copied and none padded.

    Attributes:
      values: float[M, F]. Utterance b is values[start[b] : start[b] + num_frames[b]].
      start: int32[B].
      mean, scale: float[F]; frames are meant as (values - mean) * scale. None: as they are.
      longest: no utterance has more frames; a Python number.
    """

    values: Array
    start: Array
    mean: Array | None
    scale: Array | None
    longest: int


class Utterances(NamedTuple):
    """The inputs of B utterances: what an encoder sees.

    Attributes:
      frames: float[B, T, F], where frames from num_frames on are padding; or `Spans`.
      num_frames: int32[B].
      words: int32[B, L] or float[B, L, E]; words from num_words on are padding.
      num_words: int32[B].
      fill: a Python number, with `Spans`: how long utterances are on average, the longest being 1.
        None: in one padded array.
    """

    frames: Array | Spans | None
    num_frames: Array | None
    words: Array | None
    num_words: Array | None
    fill: float | None = None


class FoldTransform(NamedTuple):
    """The transform of the inputs that a fold learns on its training part. None: no transform.

    Attributes:
      frame_mean, frame_scale: float[F]; frames become (frames - mean) * scale.
      word_index: int32[V], the number of each word of the corpus among the words of the training
        part; 0 for words that part lacks.
    """

    frame_mean: Array | None = None
    frame_scale: Array | None = None
    word_index: Array | None = None


class Fold(NamedTuple):
    """All that follows from which utterances train. A leading K in `Data`.

    Attributes:
      split: bool[N] each.
      task: int32[N], the emotion labels, -1 unknown.
      task_weights: float32[C].
      private: {attribute: int32[N]}, -1 unknown.
      private_weights: {attribute: float32[C]}.
      inputs: see `FoldTransform`.
      val_blocks: int32[n, b], the validation part in blocks of like length, -1 padding.
    """

    split: Split
    task: Array
    task_weights: Array
    private: Mapping[str, Array]
    private_weights: Mapping[str, Array]
    inputs: FoldTransform
    val_blocks: Array


class Data(NamedTuple):
    """A corpus, its K folds, and all its utterances in blocks of like length, int32[n, b]."""

    corpus: Corpus
    folds: Fold
    blocks: Array


def ragged(rows: Sequence[np.ndarray]) -> Ragged:
    """Lays `rows`, arrays [length_i, ...], end to end (host)."""
    length = np.array([len(row) for row in rows], np.int32)
    start = np.concatenate([[0], np.cumsum(length, dtype=np.int64)[:-1]])
    if len(rows) and start[-1] + int(length[-1]) >= 2**31:
        raise ValueError(f"{start[-1]:,} rows are more than an int32 can address; split the corpus")
    return Ragged(np.concatenate(rows), start.astype(np.int32), length)


def take_rows(sequences: Ragged, index: np.ndarray) -> Ragged:
    """The sequences `index` (int[n]) of a host `Ragged`, in that order; their values stay put."""
    return sequences._replace(start=sequences.start[index], length=sequences.length[index])


def room(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An array of zeros at the beginning of a page (host).

    What lies so the devices of a CPU share as it is; of other arrays jax makes a copy for each.
    """
    count = math.prod(shape)
    memory = mmap.mmap(-1, max(count * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(memory, dtype, count).reshape(shape)
