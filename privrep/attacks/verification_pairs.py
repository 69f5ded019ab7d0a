"""Pairs of test utterances on which speaker verification is scored (host)."""

import numpy as np

from privrep.types import Split


def verification_pairs(
    speakers: np.ndarray, split: Split, most: int, seed: int, session: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of test utterances for each fold, half of them of one speaker as far as possible.

    Two utterances of one session share its room, which must not pass for the voice: pairs are of
    two sessions or, where every speaker of the fold was recorded in one, of the same session. Only
    where each was recorded alone are pairs of one session those of one speaker.

    Args:
      speakers: int32[N], -1 unknown.
      split: bool[K, N] each.
      most: the number of pairs per fold, at most; drawn at random without repetition.
      seed: of the draws.
      session: int[N]; None where there are none.

    Returns:
      int32[K, P, 2] with -1 as padding, and bool[K, P]: whether both are of one speaker.
    """
    rng = np.random.default_rng(seed)
    folds = [
        _pairs(speakers, np.flatnonzero(test & (speakers >= 0)), most, rng, session)
        for test in split.test
    ]
    pairs = np.full((len(folds), max(1, *map(len, folds)), 2), -1, np.int32)
    for k, of_fold in enumerate(folds):
        pairs[k, : len(of_fold)] = of_fold
    same = (speakers[pairs[..., 0]] == speakers[pairs[..., 1]]) & (pairs[..., 0] >= 0)
    return pairs, same


def _pairs(
    speakers: np.ndarray,
    rows: np.ndarray,
    most: int,
    rng: np.random.Generator,
    session: np.ndarray | None,
) -> np.ndarray:
    """int[P, 2], pairs of the utterances `rows`: every pair if they are few, else drawn."""
    if len(rows) < 2:
        return np.zeros((0, 2), np.int32)
    if len(rows) * (len(rows) - 1) // 2 <= 20 * most:
        first, second = np.triu_indices(len(rows), 1)
    else:
        # Among many utterances, pairs of one speaker are drawn from neighbours in a list sorted by
        # speaker, in random order within a speaker: neighbours in the corpus share the recording.
        rows = rng.permutation(rows)
        by_speaker = np.argsort(speakers[rows], kind="stable")
        place = rng.integers(0, len(rows), 40 * most)
        step = rng.integers(1, 3, 40 * most)
        near = (place + step) % len(rows)
        anywhere = rng.integers(0, len(rows), (2, 40 * most))
        first = np.concatenate([by_speaker[place], anywhere[0]])
        second = np.concatenate([by_speaker[near], anywhere[1]])
        pairs = np.unique(np.sort(np.stack([first, second], 1), 1), axis=0)
        first, second = pairs[pairs[:, 0] != pairs[:, 1]].T
    first, second = rows[first], rows[second]
    same = speakers[first] == speakers[second]
    if session is not None:
        across = session[first] != session[second]
        for kept in (across, ~across):
            if same[kept].any() and not same[kept].all():
                first, second, same = first[kept], second[kept], same[kept]
                break
    chosen = []
    for kind in (same, ~same):
        candidates = np.flatnonzero(kind)
        if len(candidates) > most // 2:
            candidates = np.sort(rng.choice(candidates, most // 2, replace=False))
        chosen.append(candidates)
    kept = np.concatenate(chosen)
    return np.stack([first[kept], second[kept]], 1).astype(np.int32)
