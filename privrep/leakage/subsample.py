"""Random subsample of utterances, drawn evenly from the speakers (host)."""

import numpy as np

MAX_UTTERANCES = 10_000
PER_SPEAKER = 10  # utterances of a speaker who is drawn, at least, if he has as many
_PER_CLASS = 20  # speakers of a class that are drawn before others, if it has as many


def draw_evenly(
    speaker: np.ndarray,
    most: int,
    seed: int,
    labels: np.ndarray | None = None,
    least: int = PER_SPEAKER,
) -> np.ndarray:
    """int[n]: at most `most` of N rows, ascending, as equally many of each speaker as possible.

    Where this would leave fewer than `least` utterances of a speaker, speakers are drawn instead,
    with `least` utterances each, or all where they have fewer: questions about a speaker, such as
    whether two utterances are of one, need several.

    Args:
      speaker: int[N].
      most: n, at most.
      seed: of the draws.
      labels: int[N], classes from 0, -1 unknown; a class of few speakers does not lose them. None:
        speakers are drawn whatever their class.
      least: utterances of a speaker, at least 1.

    >>> len(np.unique(draw_evenly(np.repeat(np.arange(100), 10), 200, seed=0) // 10))
    20
    """
    if len(speaker) <= most:
        return np.arange(len(speaker))
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(speaker))
    rows = rows[np.argsort(speaker[rows], kind="stable")]
    names, first, number = np.unique(speaker[rows], return_index=True, return_inverse=True)
    place = np.arange(len(rows)) - first[number]
    if most // len(names) < least:
        counts = np.minimum(np.bincount(number), least)
        order = _in_turn(None if labels is None else labels[rows[first]], len(names), rng)
        chosen = np.zeros(len(names), bool)
        chosen[order[np.cumsum(counts[order]) <= most]] = True
        rows, place = rows[chosen[number]], place[chosen[number]]
        rows, place = rows[place < least], place[place < least]
    drawn = rows[np.lexsort((rng.random(len(rows)), place))[:most]]
    return np.sort(drawn)


def _in_turn(labels: np.ndarray | None, count: int, rng: np.random.Generator) -> np.ndarray:
    """int[count]: speakers in random order, the first of every class before all others."""
    order = rng.permutation(count)
    if labels is None:
        return order
    by_class = order[np.argsort(labels[order], kind="stable")]
    place = np.arange(count) - np.searchsorted(labels[by_class], labels[by_class])
    is_early = np.zeros(count, bool)
    is_early[by_class[place < _PER_CLASS]] = True
    return order[np.argsort(~is_early[order], kind="stable")]
