"""Which pairs of utterances a speaker verification is scored on, and labels shuffled (host)."""

import numpy as np

from privrep.types import Split


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
