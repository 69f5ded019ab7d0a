"""Packing of prepared utterances and a split into the arrays that networks train on (host).

Whatever is estimated from data before training (bins, class weights, normalisation, the vocabulary
that counts as known) is estimated from the training part of each fold alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from privrep.inputs.class_weights import balanced_class_weights
from privrep.inputs.labels import (
    CONTINUOUS,
    private_labels,
    recode_to_part,
    task_labels,
    task_ratings,
)
from privrep.inputs.normalisation import NORMALISATIONS, moments_of_part, normalise_per_speaker
from privrep.inputs.text import known_in_part
from privrep.types import (
    Corpus,
    Data,
    Fold,
    FoldTransform,
    Ragged,
    Size,
    Split,
    Utterance,
    class_numbers,
)

CLASS_WEIGHTS = ("balanced", "none")
_MIN_SD = 1e-5


@dataclass(frozen=True)
class PackingSettings:
    """Settings of the packing of one task.

    Attributes:
      task: emotion task, see `labels.task_labels`.
      private: private attributes, see `labels.private_labels`.
      bins: binning of ratings, see `labels.thresholds`; "continuous" for a regression.
      normalise: "speaker" (frames of each speaker to mean 0 and standard deviation 1, from the
        speaker's own frames), "train" (by mean and standard deviation of the fold's training part)
        or "none".
      class_weights: "balanced" or "none", for emotion classifier and adversaries.
      block_size: utterances that are encoded together outside of training.
      further: tasks that heads of their own learn besides.

    Raises:
      ValueError: an unknown normalisation or kind of class weights.
    """

    task: str
    private: Sequence[str]
    bins: str = "midpoint"
    normalise: str = "speaker"
    class_weights: str = "balanced"
    block_size: int = 32
    further: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, valid in (("normalise", NORMALISATIONS), ("class_weights", CLASS_WEIGHTS)):
            value = getattr(self, name)
            if value not in valid:
                raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(valid)}")


class Ratings(NamedTuple):
    """The ratings that a regression predicts, in the corpus's unit.

    Attributes:
      values: float64[N], NaN unknown.
      mean, deviation: float64[K], of the training part of each fold. A network predicts
        (rating - mean) / deviation.
    """

    values: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


class Packed(NamedTuple):
    """The arrays of one task, and the sizes and names that describe them.

    Attributes:
      data: numpy arrays.
      longest: (T, L), room for the longest utterance.
      fill: mean length divided by the longest, rounded up to eighths.
      task_names: the classes of the task.
      private_names: {attribute: its values}. Of "speaker", all speakers of the corpus; a fold's
        labels number its training speakers.
      num_private: {attribute: classes of its adversary}.
      table_size: number of word vectors that the network learns, one for all unknown words
        included; 0 if it learns none.
      ratings: of a regression; None where the task has classes.
      num_further: {task: classes} of `PackingSettings.further`.
    """

    data: Data
    longest: Size
    fill: float
    task_names: tuple[str, ...]
    private_names: Mapping[str, tuple[str, ...]]
    num_private: Mapping[str, int]
    table_size: int
    ratings: Ratings | None = None
    num_further: Mapping[str, int] = MappingProxyType({})

    @property
    def num_outputs(self) -> int:
        """Outputs of the emotion head: the classes, or 1 of a regression."""
        return len(self.task_names) if self.ratings is None else 1


def pack(
    utterances: Sequence[Utterance],
    corpus: Corpus,
    split: Split,
    settings: PackingSettings,
    vocabulary_size: int = 0,
) -> Packed:
    """Packs one task of one corpus under one split.

    Args:
      utterances: N of them, with the labels.
      corpus: their inputs, numpy arrays: frames float[M, F] ragged or None; words int32[M] ragged,
        indices below `vocabulary_size`, float[M, E] ragged or None; word_vectors float[V, E] for
        indices, or None if the network learns the vectors of the words of its training part.
      split: bool[K, N] each.
      settings: task, attributes and estimators.
      vocabulary_size: V, for words that are indices.

    Raises:
      ValueError: neither frames nor words, or labels that cannot serve; see
        `privrep.inputs.labels`.
    """
    if corpus.frames is not None and settings.normalise == "speaker":
        frames = normalise_per_speaker(corpus.frames, [u.speaker for u in utterances])
        corpus = corpus._replace(frames=frames)
    leading = corpus.words if corpus.frames is None else corpus.frames
    if leading is None:
        raise ValueError("neither frames nor words: there is nothing to train on")
    labels = {a: private_labels(utterances, a) for a in settings.private}
    order = np.lexsort(
        [part.length for part in (corpus.words, corpus.frames) if part is not None]
    )  # by frames, then by words
    num_private = {attribute: len(names) for attribute, (_, names) in labels.items()}
    if "speaker" in labels:  # a fold has its training speakers as classes
        codes, names = labels["speaker"]
        recoded = [recode_to_part(codes, train, len(names)) for train in split.train]
        num_private["speaker"] = max(int(fold.max()) + 1 for fold in recoded)
    val_size = int(split.val.sum(axis=1).max())
    ratings = None
    if settings.bins == CONTINUOUS:
        ratings = _ratings(task_ratings(utterances, settings.task), split.train)
    folds = []
    for k in range(len(split.train)):
        parts = Split(*(part[k] for part in split))
        task_codes, task_names = task_labels(utterances, settings.task, settings.bins, parts.train)
        private = {attribute: codes for attribute, (codes, _) in labels.items()}
        if "speaker" in labels:
            private["speaker"] = recoded[k]
        weights = {a: _weights(settings, private[a], parts, num_private[a]) for a in private}
        further, further_weights, num_further = _further(settings, utterances, parts)
        folds.append(
            Fold(
                split=parts,
                task=task_codes,
                task_weights=_weights(settings, task_codes, parts, len(task_names)),
                private=private,
                private_weights=weights,
                inputs=_fold_inputs(corpus, parts, settings, vocabulary_size),
                val_blocks=_blocks(order[parts.val[order]], settings.block_size, val_size),
                target=None if ratings is None else _target(ratings, k),
                further=further or None,
                further_weights=further_weights or None,
            )
        )
    data = Data(
        corpus=corpus,
        folds=_stack(folds),
        blocks=_blocks(order, settings.block_size, len(order)),
        speaker=class_numbers([u.speaker for u in utterances]),
    )
    word_index = data.folds.inputs.word_index
    return Packed(
        data=data,
        longest=(_longest(corpus.frames, 16), _longest(corpus.words, 4)),
        fill=_fill(leading),
        task_names=task_names,
        private_names={attribute: names for attribute, (_, names) in labels.items()},
        num_private=num_private,
        table_size=0 if word_index is None else int(word_index.max()) + 1,
        ratings=ratings,
        num_further=num_further,
    )


def _further(
    settings: PackingSettings, utterances: Sequence[Utterance], parts: Split
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, int]]:
    """{task: labels}, {task: class weights} and {task: classes} of the further tasks of a fold."""
    labels, weights, sizes = {}, {}, {}
    for task in settings.further:
        # A category has classes, also beside the rating that a regression predicts.
        is_category = any(task in u.categories for u in utterances)
        bins = "midpoint" if is_category else settings.bins
        try:
            labels[task], names = task_labels(utterances, task, bins, parts.train)
        except ValueError as error:
            raise ValueError(f"further task {task!r} (--further_tasks): {error}") from None
        weights[task] = _weights(settings, labels[task], parts, len(names))
        sizes[task] = len(names)
    return labels, weights, sizes


def _ratings(values: np.ndarray, train: np.ndarray) -> Ratings:
    of_folds = [values[part & ~np.isnan(values)] for part in train]
    mean, deviation = ([f(of_fold) for of_fold in of_folds] for f in (np.mean, np.std))
    return Ratings(values, np.array(mean), np.maximum(np.array(deviation), _MIN_SD))


def _target(ratings: Ratings, fold: int) -> np.ndarray:
    centred = ratings.values - ratings.mean[fold]
    return (centred / ratings.deviation[fold]).astype(np.float32)


def _weights(
    settings: PackingSettings, codes: np.ndarray, parts: Split, num_classes: int
) -> np.ndarray:
    if settings.class_weights == "none":
        return np.ones(num_classes, np.float32)
    return balanced_class_weights(codes, parts.train, num_classes)


def _fold_inputs(
    corpus: Corpus, parts: Split, settings: PackingSettings, vocabulary_size: int
) -> FoldTransform:
    """Normalisation and word numbers, estimated from the training part."""
    frames, words, word_vectors = corpus
    mean = scale = index = None
    if frames is not None and settings.normalise == "train":
        mean, sd = moments_of_part(frames, parts.train)
        scale = 1 / np.maximum(sd, _MIN_SD).astype(np.float32)
    if words is not None and words.values.ndim == 1 and word_vectors is None:
        # Numbered within the training part, so that words of other parts have no influence.
        known = known_in_part(words, parts.train, vocabulary_size)
        index = np.where(known, np.cumsum(known) - 1, 0).astype(np.int32)
    return FoldTransform(mean, scale, index)


def _stack(trees: Sequence[Any]) -> Any:
    """Stacks equal NamedTuples and dicts of arrays along a new first axis."""
    first = trees[0]
    if first is None:
        return None
    if isinstance(first, dict):
        return {key: _stack([tree[key] for tree in trees]) for key in first}
    if isinstance(first, tuple):
        return type(first)(*(_stack(list(field)) for field in zip(*trees)))
    return np.stack(trees)


def _blocks(index: np.ndarray, size: int, room: int) -> np.ndarray:
    """int32[n, size]: `index` in rows of `size`, padded with -1 to room for `room` entries."""
    blocks = np.full((-(-room // size), size), -1, np.int32)
    blocks.reshape(-1)[: len(index)] = index
    return blocks


def _longest(sequences: Ragged | None, multiple: int) -> int:
    """The greatest length, rounded up to a multiple; 0 without sequences.

    The fast convolution works on groups of 4 frames, also after two halvings.
    """
    if sequences is None:
        return 0
    return -(-int(sequences.length.max()) // multiple) * multiple


def _fill(leading: Ragged) -> float:
    """Mean length divided by the greatest, rounded up to eighths, because it is compiled in."""
    return float(np.ceil(8 * leading.length.mean() / leading.length.max()) / 8)
