"""Random subsample of utterances, drawn evenly from the speakers (host)."""

import numpy as np

MAX_UTTERANCES = 10_000


def draw_evenly(speaker: np.ndarray, most: int, seed: int) -> np.ndarray:
    """int[n]: at most `most` of N rows, ascending, as equally many of each speaker as possible.

    Args:
      speaker: int[N].
      most: n, at most.
      seed: of the draws.
    """
    if len(speaker) <= most:
        return np.arange(len(speaker))
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(speaker))
    rows = rows[np.argsort(speaker[rows], kind="stable")]
    place = np.arange(len(rows)) - np.searchsorted(speaker[rows], speaker[rows])
    drawn = rows[np.lexsort((rng.random(len(rows)), place))[:most]]
    return np.sort(drawn)
