"""A subsample of the utterances, dealt evenly over the speakers."""

import numpy as np

MOST = 10_000


def draw_evenly(speakers: np.ndarray, most: int, seed: int) -> np.ndarray:
    """int[n]: rows of at most `most` of N utterances, in order, as many of each as others allow.

    Args:
      speakers: int[N].
    """
    if len(speakers) <= most:
        return np.arange(len(speakers))
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(speakers))
    rows = rows[np.argsort(speakers[rows], kind="stable")]
    place = np.arange(len(rows)) - np.searchsorted(speakers[rows], speakers[rows])
    taken = rows[np.lexsort((rng.random(len(rows)), place))[:most]]
    return np.sort(taken)
