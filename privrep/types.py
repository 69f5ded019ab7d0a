"""Data types that all folders share: utterances, samples, settings of inference.

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
      numbers: {attribute: number}, of those of `private` that are bins of a number, such as an age.
      session: recordings made together (a dyad, an episode); None where the corpus has none.
      split: the corpus's own part "train", "val" or "test"; None where it has none.
      test_set: which of the corpus's several test sets ("Test2"); None where it has one or none.
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
    numbers: Mapping[str, float] = field(default_factory=dict)
    session: str | None = None
    split: str | None = None
    test_set: str | None = None


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


class FrameMasks(NamedTuple):
    """What is hidden of the frames of B utterances: intervals [start, stop) of time and of bands.

    Attributes:
      time_start, time_stop: int32[B, n]; every feature of these frames is 0.
      band_start, band_stop: int32[B, m]; these features of every frame are 0.
    """

    time_start: Array
    time_stop: Array
    band_start: Array
    band_stop: Array


class Utterances(NamedTuple):
    """The inputs of B utterances: what an encoder sees.

    Attributes:
      frames: float[B, T, F], where frames from num_frames on are padding; or `Spans`.
      num_frames: int32[B].
      words: int32[B, L] or float[B, L, E]; words from num_words on are padding.
      num_words: int32[B].
      fill: a Python number, with `Spans`: how long utterances are on average, the longest being 1.
        None: in one padded array.
      masks: what is hidden of the frames, in training; None: nothing.
    """

    frames: Array | Spans | None
    num_frames: Array | None
    words: Array | None
    num_words: Array | None
    fill: float | None = None
    masks: FrameMasks | None = None


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
      task: int32[N], the emotion labels, -1 unknown; of a regression the levels of the rating.
      task_weights: float32[C].
      private: {attribute: int32[N]}, -1 unknown.
      private_weights: {attribute: float32[C]}.
      inputs: see `FoldTransform`.
      val_blocks: int32[n, b], the validation part in blocks of like length, -1 padding.
      target: float32[N], the rating that a regression predicts, in standard deviations from the
        mean of the training part, NaN unknown; None where the task has classes.
      further: {task: int32[N]} of the tasks that have heads of their own, -1 unknown; None where
        there are none.
      further_weights: {task: float32[C]}.
    """

    split: Split
    task: Array
    task_weights: Array
    private: Mapping[str, Array]
    private_weights: Mapping[str, Array]
    inputs: FoldTransform
    val_blocks: Array
    target: Array | None = None
    further: Mapping[str, Array] | None = None
    further_weights: Mapping[str, Array] | None = None


class Data(NamedTuple):
    """A corpus and its folds.

    Attributes:
      folds: K of them.
      blocks: int32[n, b], all utterances in blocks of like length, -1 padding.
      speaker: int32[N], numbered from 0, -1 unknown.
      enrolled: bool[N], the utterances from which the state of a person is taken and which are
        scored nowhere. None: a state is taken from all of a person's utterances.
    """

    corpus: Corpus
    folds: Fold
    blocks: Array
    speaker: Array
    enrolled: Array | None = None


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


ALPHA = 0.05  # level of tests and of one-sided bounds
LIMIT = 0.10  # of the leak UAR - chance
NOT_JUDGED = "not_judged"  # a verdict: it is not known that labels belong to their rows of h
# Of a correlation. Of normal numbers, predictions with correlation r separate the upper half
# from the lower with the UAR 1/2 + arcsin(r) / pi (Sheppard 1899): 0.597 at 0.30, as much as LIMIT.
CORRELATION_LIMIT = 0.30


def renumber(values: Array) -> np.ndarray:
    """Numbers the different values in sorted order from 0: int32[N] (host).

    >>> renumber(["s7", "s2", "s7"]).tolist()
    [1, 0, 1]
    """
    return np.unique(np.asarray(values), return_inverse=True)[1].reshape(-1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Sample:
    """Representations of N utterances and whose they are, on the host, validated by `of`.

    The speakers are the sample of every test and interval; utterances of one speaker are alike.

    Attributes:
      h: float32 or float64[N, D], finite in float32.
      labels: int32[N], classes from 0, -1 where the label is unknown.
      speaker: int32[N] from 0 to S - 1, each of which occurs.
      session: int32[N], numbered likewise; None where there are no sessions.
    """

    h: np.ndarray
    labels: np.ndarray
    speaker: np.ndarray
    session: np.ndarray | None = None

    @classmethod
    def of(cls, h: Array, labels: Array, speaker: Array, session: Array | None = None) -> "Sample":
        """Validates arrays and numbers speakers, sessions and named classes.

        Args:
          h: real numbers [N, D]. Of frames [N, T, D] take the mean over the valid frames first.
          labels: [N]. Integers are class numbers from 0, -1 for unknown, and stay as they are.
            Strings are class names, numbered in sorted order; None and "" are unknown.
          speaker: [N], strings or integers.
          session: likewise; None where there are no sessions.

        Raises:
          ValueError: shapes that do not fit, labels of another type or under -1, a missing speaker
            or session (None, "" or NaN), or h that has no columns, is no real numbers or is not
            finite in float32.

        >>> sample = Sample.of([[0.1], [0.2], [0.3]], ["m", None, "f"], ["b", "a", "b"])
        >>> sample.labels.tolist(), sample.speaker.tolist()
        ([1, -1, 0], [1, 0, 1])
        """
        h = np.asarray(h)
        if h.ndim != 2:
            raise ValueError(f"h has shape {h.shape}: one row per utterance is needed, [N, D]")
        if not h.shape[1]:
            raise ValueError(f"h has shape {h.shape}: it has no columns, and nothing can be read")
        if h.dtype.kind in "cSUmM":
            raise ValueError(f"h is {h.dtype}: real numbers are needed")
        for name, column in (("labels", labels), ("speaker", speaker), ("session", session)):
            if column is not None and np.shape(column) != h.shape[:1]:
                raise ValueError(f"{name} has shape {np.shape(column)} for {len(h)} rows of h")
        # float64 is kept: a leak may lie below the precision of float32.
        if h.dtype != np.float64:
            h = h.astype(np.float32, copy=False)
        with np.errstate(over="ignore"):
            broken = np.flatnonzero(~np.isfinite(h.astype(np.float32, copy=False)).all(1))
        if len(broken):
            raise ValueError(
                f"{len(broken)} of {len(h)} rows of h are not finite in float32, the first is row "
                f"{broken[0]}: leave them out, or repair the network that made them"
            )
        numbered = None if session is None else _identities("session", session)
        return cls(h, class_numbers(labels), _identities("speaker", speaker), numbered)

    @property
    def num_classes(self) -> int:
        """C, by the largest label."""
        return int(self.labels.max()) + 1

    @property
    def num_speakers(self) -> int:
        """S."""
        return int(self.speaker.max()) + 1

    def take(self, rows: np.ndarray) -> "Sample":
        """The utterances `rows` (int[n] or bool[N]), their speakers and sessions numbered anew."""
        session = None if self.session is None else renumber(self.session[rows])
        return Sample(self.h[rows], self.labels[rows], renumber(self.speaker[rows]), session)

    def with_known_labels(self) -> "Sample":
        """The utterances whose label is known."""
        return self.take(self.labels >= 0)


@dataclass(frozen=True, eq=False)
class NumberSample:
    """As `Sample`, of a private attribute that is a number, such as an age in years.

    Attributes:
      h: float32[N, D], finite.
      values: float64[N], NaN where the number is unknown.
      speaker: int32[N] from 0 to S - 1, each of which occurs.
      session: int32[N], numbered likewise; None where there are no sessions.
    """

    h: np.ndarray
    values: np.ndarray
    speaker: np.ndarray
    session: np.ndarray | None = None

    @classmethod
    def of(
        cls, h: Array, values: Array, speaker: Array, session: Array | None = None
    ) -> "NumberSample":
        """Validates arrays and numbers speakers and sessions, as `Sample.of` does.

        Raises:
          ValueError: shapes that do not fit, values that are no real numbers or infinite, or h that
            is not finite in float32.

        >>> NumberSample.of([[0.1], [0.2]], [31, 54], ["a", "b"]).of_speakers.tolist()
        [31.0, 54.0]
        """
        try:
            values = np.asarray(values, np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"values are no real numbers ({error}); NaN is unknown") from error
        if np.isinf(values).any():
            raise ValueError("values are infinite: finite numbers are needed, NaN where unknown")
        known = Sample.of(h, np.isfinite(values).astype(np.int32) - 1, speaker, session)
        return cls(known.h, values, known.speaker, known.session)

    @property
    def num_speakers(self) -> int:
        """S."""
        return int(self.speaker.max()) + 1

    @property
    def of_speakers(self) -> np.ndarray:
        """float64[S]: the mean over the utterances of each speaker, none of them unknown."""
        return np.bincount(self.speaker, self.values) / np.bincount(self.speaker)

    @property
    def share_within(self) -> float:
        """The share of the variance of values, none unknown, that is within speakers."""
        within = self.values - self.of_speakers[self.speaker]
        return float(np.mean(within**2) / max(self.values.var(), 1e-300))

    def take(self, rows: np.ndarray) -> "NumberSample":
        """The utterances `rows` (int[n] or bool[N]), their speakers and sessions numbered anew."""
        session = None if self.session is None else renumber(self.session[rows])
        return NumberSample(self.h[rows], self.values[rows], renumber(self.speaker[rows]), session)

    def with_known_values(self) -> "NumberSample":
        """The utterances whose number is known."""
        return self.take(np.isfinite(self.values))


def _identities(name: str, column: Array) -> np.ndarray:
    """int32[N]: speakers or sessions, numbered. Missing ones are no identity that rows share."""
    values = np.asarray(column)
    if values.dtype.kind == "f":
        missing = np.isnan(values)
    elif values.dtype.kind in "OUS":
        missing = np.array([cell in (None, "", b"") or cell != cell for cell in values.tolist()])
    else:
        missing = np.zeros(len(values), bool)
    rows = np.flatnonzero(missing)
    if len(rows):
        raise ValueError(
            f"the {name} of {len(rows)} of {len(values)} rows is missing, the first is row "
            f"{rows[0]}: leave these rows out, or name what you know to be one {name}"
        )
    return renumber(values)


def class_numbers(labels: Array) -> np.ndarray:
    """int32[N]: integers as they are; names in sorted order from 0, None and "" -1 (host)."""
    labels = np.asarray(labels)
    if np.issubdtype(labels.dtype, np.integer):
        if labels.size and labels.min() < -1:
            raise ValueError(f"a label is {labels.min()}: classes are numbered from 0, -1 unknown")
        return labels.astype(np.int32)
    cells = labels.tolist()
    if not all(cell is None or isinstance(cell, str) for cell in cells):
        raise ValueError(
            f"labels are {labels.dtype}: number the classes from 0, -1 for unknown, or name them "
            "by strings"
        )
    number = {name: i for i, name in enumerate(sorted({cell for cell in cells if cell}))}
    return np.array([number.get(cell, -1) for cell in cells], np.int32)


@dataclass(frozen=True)
class InferenceSettings:
    """The settings of the permutation test over speakers, its bounds and its verdict.

    Attributes:
      folds: K, at least 3; fewer are made where there are fewer speakers or sessions.
      permutations: permuted labellings for which every attacker is trained anew; where the design
        has at most twice as many, all of them.
      limit: the leak UAR - chance that must be excluded before the verdict is no_leak_shown.
      alpha: level of the test and of the one-sided bounds.
      seed: of folds, permutations and attackers; the same seed gives the same result.
      deals: of folds, over which the UAR (or correlation) of every labelling is averaged.
      utterances: the test is made on at most so many, drawn evenly from the speakers; the UAR of
        the strongest attacker is of all.
      correlation_limit: the correlation that must be excluded before the verdict is no_leak_shown,
        of an attribute that is a number; see CORRELATION_LIMIT.
    """

    folds: int = 5
    permutations: int = 200
    limit: float = LIMIT
    alpha: float = ALPHA
    seed: int = 0
    deals: int = 6
    utterances: int = 20_000
    correlation_limit: float = CORRELATION_LIMIT

    @property
    def deal_seeds(self) -> tuple[int, ...]:
        """The seed of each deal: that of the settings, and others drawn from it.

        >>> InferenceSettings(seed=7, deals=1).deal_seeds
        (7,)
        """
        more = np.random.SeedSequence(self.seed).generate_state(self.deals)[1:]
        return (self.seed, *more.tolist())


PRIMARY = InferenceSettings()  # of the headline measurement
# Of the questions beyond it, each of which costs as much as one deal of it.
SECONDARY = InferenceSettings(permutations=99, deals=1)
