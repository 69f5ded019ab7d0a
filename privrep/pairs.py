"""Which pairs of utterances a speaker verification is scored on, and labels shuffled (host)."""

import numpy as np

from privrep.utterances import Split


def verification_pairs(
    speakers: np.ndarray, split: Split, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of test utterances for each fold, half of them of one speaker as far as there are any.

    Args:
      speakers: int32[N], -1 unknown.
      split: bool[K, N] each.
      most: no more than so many pairs per fold, drawn at random without repetition.

    Returns:
      int32[K, P, 2] with -1 as padding, bool[K, P]: the two are one speaker.
    """
    rng = np.random.default_rng(seed)
    folds = [
        _pairs(speakers, np.flatnonzero(test & (speakers >= 0)), most, rng) for test in split.test
    ]
    pairs = np.full((len(folds), max(1, *map(len, folds)), 2), -1, np.int32)
    for k, of_fold in enumerate(folds):
        pairs[k, : len(of_fold)] = of_fold
    same = (speakers[pairs[..., 0]] == speakers[pairs[..., 1]]) & (pairs[..., 0] >= 0)
    return pairs, same


def _pairs(speakers, rows, most, rng):
    """int[P, 2] of utterances `rows`; every pair if they are few, else drawn."""
    if len(rows) < 2:
        return np.zeros((0, 2), np.int32)
    if len(rows) * (len(rows) - 1) // 2 <= 20 * most:
        first, second = np.triu_indices(len(rows), 1)
    else:
        # Of so many pairs, ones of the same speaker are found by going through the speakers.
        # In random order within a speaker: neighbours in the corpus share more than the voice.
        rows = rng.permutation(rows)
        by_speaker = np.argsort(speakers[rows], kind="stable")
        place = rng.integers(0, len(rows), 40 * most)
        step = rng.integers(1, 3, 40 * most)
        near = (place + step) % len(rows)
        any_ = rng.integers(0, len(rows), (2, 40 * most))
        first = np.concatenate([by_speaker[place], any_[0]])
        second = np.concatenate([by_speaker[near], any_[1]])
        pairs = np.unique(np.sort(np.stack([first, second], 1), 1), axis=0)
        first, second = pairs[pairs[:, 0] != pairs[:, 1]].T
    first, second = rows[first], rows[second]
    alike = speakers[first] == speakers[second]
    chosen = []
    for kind in (alike, ~alike):
        found = np.flatnonzero(kind)
        if len(found) > most // 2:
            found = np.sort(rng.choice(found, most // 2, replace=False))
        chosen.append(found)
    chosen = np.concatenate(chosen)
    return np.stack([first[chosen], second[chosen]], 1).astype(np.int32)


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
