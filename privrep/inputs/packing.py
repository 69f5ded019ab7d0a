"""From prepared utterances and a split to the arrays that networks train on (host).

Whatever is learned from data before the networks are (bins, class weights, normalisation, the
vocabulary that counts as known) is learned from the training part of each fold alone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.inputs.class_weights import balanced_class_weights
from privrep.inputs.labels import private_labels, recode_to_part, task_labels
from privrep.inputs.normalisation import NORMALISATIONS, moments_of_part, normalise_per_speaker
from privrep.inputs.text import known_in_part
from privrep.types import Corpus, Data, Fold, FoldTransform, Ragged, Size, Split, Utterance

CLASS_WEIGHTS = ("balanced", "none")


class Packed(NamedTuple):
    """Arrays, and what a network needs to know of them.

    Attributes:
      data: numpy arrays.
      longest: (T, L), room for the longest utterance.
      fill: mean length over the longest, rounded up to eighths.
      task_names: the classes of the task.
      private_names: {attribute: its values}. Of "speaker", all speakers of the corpus; a fold's
        labels number its training speakers.
      num_private: {attribute: classes of its adversary}.
      table_size: word vectors that the network learns, one for all unknown words included; 0 if it
        learns none.
    """

    data: Data
    longest: Size
    fill: float
    task_names: tuple[str, ...]
    private_names: Mapping[str, tuple[str, ...]]
    num_private: Mapping[str, int]
    table_size: int


def pack(
    utterances: Sequence[Utterance],
    frames: Ragged | None,
    words: Ragged | None,
    word_vectors: np.ndarray | None,
    split: Split,
    *,
    task: str,
    private: Sequence[str],
    bins: str = "midpoint",
    normalise: str = "speaker",
    class_weights: str = "balanced",
    vocabulary_size: int = 0,
    block_size: int = 32,
) -> Packed:
    """Lays out one task of one corpus under one split.

    Args:
      utterances: N of them.
      frames: float[M, F] ragged, or None.
      words: int32[M] ragged, indices below `vocabulary_size`, or float[M, E] ragged, or None.
      word_vectors: float[V, E] for indices; None if the network learns the vectors of the words of
        its training part.
      split: bool[K, N] each.
      task, bins: see `labels.task_labels`.
      private: attributes; see `labels.private_labels`.
      normalise: "speaker" (each speaker to mean 0 and deviation 1, from the speaker's own frames),
        "train" (by mean and deviation of the fold's training part) or "none".
      class_weights: "balanced" or "none", for emotion and adversaries.
      block_size: utterances that are encoded together outside of training.

    Raises:
      ValueError: an unknown name, or labels that cannot serve; see `privrep.labels`.
    """
    _check(normalise, NORMALISATIONS, "normalise")
    _check(class_weights, CLASS_WEIGHTS, "class_weights")
    if frames is not None and normalise == "speaker":
        frames = normalise_per_speaker(frames, [u.speaker for u in utterances])
    labels = {a: private_labels(utterances, a) for a in private}
    order = np.lexsort(
        [part.length for part in (words, frames) if part is not None]
    )  # by frames, then by words
    folds, num_private = [], dict.fromkeys(private, 0)
    for k in range(len(split.train)):
        parts = Split(*(part[k] for part in split))
        emotion, task_names = task_labels(utterances, task, bins, parts.train)
        of_fold = {}
        for attribute, (codes, names) in labels.items():
            if attribute == "speaker":
                codes = recode_to_part(codes, parts.train, len(names))
            of_fold[attribute] = codes
            found = codes.max() + 1 if attribute == "speaker" else len(names)
            num_private[attribute] = max(num_private[attribute], int(found))
        folds.append(
            (
                parts,
                emotion,
                of_fold,
                _inputs(frames, words, word_vectors, parts.train, normalise, vocabulary_size),
            )
        )

    def weights(codes, train, num_classes):
        if class_weights == "none":
            return np.ones(num_classes, np.float32)
        return balanced_class_weights(codes, train, num_classes)

    largest = max(parts.val.sum() for parts, *_ in folds)
    stacked = [
        Fold(
            split=parts,
            task=emotion,
            task_weights=weights(emotion, parts.train, len(task_names)),
            private=of_fold,
            private_weights={
                a: weights(codes, parts.train, num_private[a]) for a, codes in of_fold.items()
            },
            inputs=inputs,
            val_blocks=_blocks(order[parts.val[order]], block_size, int(largest)),
        )
        for parts, emotion, of_fold, inputs in folds
    ]
    data = Data(
        corpus=Corpus(frames, words, word_vectors),
        folds=_stack(stacked),
        blocks=_blocks(order, block_size, len(order)),
    )
    learned = data.folds.inputs.word_index
    return Packed(
        data=data,
        longest=(_longest(frames, 16), _longest(words, 4)),
        fill=_fill(words if frames is None else frames),
        task_names=task_names,
        private_names={a: names for a, (_, names) in labels.items()},
        num_private=num_private,
        table_size=0 if learned is None else int(learned.max()) + 1,
    )


def _check(name, valid, flag):
    if name not in valid:
        raise ValueError(f"unknown {flag} {name!r}: choose one of {', '.join(valid)}")


def _inputs(frames, words, word_vectors, train, normalise, vocabulary_size) -> FoldTransform:
    mean = scale = index = None
    if frames is not None and normalise == "train":
        mean, deviation = moments_of_part(frames, train)
        scale = 1 / np.maximum(deviation, 1e-5).astype(np.float32)
    if words is not None and words.values.ndim == 1 and word_vectors is None:
        # Numbered by the training part, so that no word of another part has a say in anything.
        known = known_in_part(words, train, vocabulary_size)
        index = np.where(known, np.cumsum(known) - 1, 0).astype(np.int32)
    return FoldTransform(mean, scale, index)


def _stack(trees):
    """Stacks equal NamedTuples and dicts of arrays along a new first axis."""
    first = trees[0]
    if first is None:
        return None
    if isinstance(first, dict):
        return {key: _stack([tree[key] for tree in trees]) for key in first}
    if isinstance(first, tuple):
        return type(first)(*(_stack(list(column)) for column in zip(*trees)))
    return np.stack(trees)


def _blocks(index: np.ndarray, size: int, room: int) -> np.ndarray:
    """Rows of `size` from `index`, filled up with -1 to as many rows as `room` entries need."""
    blocks = np.full((-(-room // size), size), -1, np.int32)
    blocks.reshape(-1)[: len(index)] = index
    return blocks


def _longest(sequences: Ragged | None, multiple: int) -> int:
    """Rounded up: the fast convolution works on groups of 4 frames, also behind two halvings."""
    return 0 if sequences is None else -(-int(sequences.length.max()) // multiple) * multiple


def _fill(leading: Ragged) -> float:
    """Rounded, because it is compiled in."""
    return float(np.ceil(8 * leading.length.mean() / leading.length.max()) / 8)
