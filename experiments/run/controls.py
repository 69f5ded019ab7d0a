"""What a network is given, without a network: the control that says what was there before it."""

import numpy as np

from privrep.types import Corpus, Ragged, Split


def shuffled_pairs(pairs: np.ndarray, same: np.ndarray, seed: int) -> np.ndarray:
    """`same` dealt anew among the pairs of each fold: bool[K, P]; arguments as returned above."""
    rng = np.random.default_rng(seed)
    result = np.zeros_like(same)
    for k, real in enumerate(pairs[..., 0] >= 0):
        result[k, real] = rng.permutation(same[k, real])
    return result


def shuffled_over_speakers(
    labels: np.ndarray, speakers: np.ndarray, split: Split, seed: int
) -> np.ndarray:
    """Labels dealt anew, in every part of every fold: what is found then is found by chance.

    Where a speaker has one value (gender, accent), the values change places between the speakers of
    a part; where values vary within a speaker, between the utterances of a part. The values that
    occur in a part stay the same.

    Args:
      labels: int32[K, N], -1 unknown.
      speakers: int32[N].
      split: bool[K, N] each.

    Returns:
      int32[K, N].
    """
    rng = np.random.default_rng(seed)
    result = np.full_like(labels, -1)
    for k in range(len(labels)):
        of_speaker = all(
            len(np.unique(labels[k][(speakers == s) & (labels[k] >= 0)])) <= 1
            for s in np.unique(speakers)
        )
        units = speakers if of_speaker else np.arange(len(speakers))
        for part in split:
            rows = np.flatnonzero(part[k] & (labels[k] >= 0))
            names, first, member = np.unique(units[rows], return_index=True, return_inverse=True)
            values = labels[k][rows[first]]
            result[k][rows] = rng.permutation(values)[member] if len(names) else values
    return result


def raw_features(corpus: Corpus) -> np.ndarray | None:
    """Mean and deviation over time of the frames, mean of fixed word vectors, side by side.

    Returns:
      float32[N, 2 F + E], with what of the two there is; None where words alone are given and
      their vectors are learned in the network.
    """
    parts, (frames, words, vectors) = [], corpus
    if frames is not None:
        parts.append(_each(frames, lambda rows: np.concatenate([rows.mean(0), rows.std(0)])))
    if words is not None and vectors is not None:
        parts.append(_each(words, lambda rows: vectors[rows].mean(0)))
    elif words is not None and words.values.ndim == 2:
        parts.append(_each(words, lambda rows: rows.mean(0)))
    return np.concatenate(parts, 1).astype(np.float32) if parts else None


def _each(sequences: Ragged, f) -> np.ndarray:
    """f of every sequence, in the order in which they lie in the file; of an empty one, 0."""
    found = {}
    for i in np.argsort(sequences.start, kind="stable"):
        start, length = int(sequences.start[i]), int(sequences.length[i])
        if length:
            found[int(i)] = f(sequences.values[start : start + length])
    some = np.zeros_like(next(iter(found.values())))
    return np.stack([found.get(i, some) for i in range(len(sequences.length))])


def principal(x: np.ndarray, size: int) -> np.ndarray:
    """float32[N, size]: x and columns of 0, or the `size` first principal components of x.

    Attackers of h and of raw features are then one program, and meet as many columns.
    """
    if x.shape[1] <= size:
        return np.pad(x, ((0, 0), (0, size - x.shape[1])))
    deviation = x.std(0)
    scaled = (x - x.mean(0)) / np.where(deviation > 1e-6, deviation, np.inf)
    _, vectors = np.linalg.eigh(scaled.T @ scaled)
    return (scaled @ vectors[:, ::-1][:, :size]).astype(np.float32)
