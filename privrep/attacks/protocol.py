"""The interface of an attacker: what goes in, and the scores that come out for every labelling."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Attacked(NamedTuple):
    """What an attacker makes of utterances whose speakers it has never seen.

    Attributes:
      predictions: int16[P, N], for every labelling the class guessed by the attacker that learned
        that labelling on the other folds; -1 in folds that were not asked for.
      log_likelihoods: float32[N, C], log p(h | class) up to a number per utterance, by the attacker
        of row 0, calibrated on validation speakers. Add the log prior for log-posteriors. NaN in
        folds that were not asked for.
      chosen: what was chosen on the validation speakers for row 0, a text per fold.
    """

    predictions: np.ndarray
    log_likelihoods: np.ndarray
    chosen: tuple[str, ...]


# (seed, h, labels, speakers, folds, num_classes, only=None) -> Attacked, as in `linear`.
Attack = Callable[..., Attacked]


def places(rng: np.random.Generator, speakers: np.ndarray) -> np.ndarray:
    """int64[N]: the place of an utterance among those of its speaker, in random order from 0."""
    shuffled = rng.permutation(len(speakers))
    grouped = shuffled[np.argsort(speakers[shuffled], kind="stable")]
    place = np.empty(len(speakers), np.int64)
    place[grouped] = np.arange(len(speakers)) - np.searchsorted(
        speakers[grouped], speakers[grouped]
    )
    return place


def standardised(h: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1; a constant one becomes 0. float32[N, D]."""
    mean, spread = h.mean(0, dtype=np.float64), h.std(0, dtype=np.float64)
    constant = spread <= 1e-5 * np.sqrt(1 + mean**2)
    return np.where(constant, 0, (h - mean) / np.where(constant, 1, spread)).astype(np.float32)


def squared_distances(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """float[n, m] between the rows of x [n, D] and z [m, D]."""
    found = (x * x).sum(1)[:, None] + (z * z).sum(1) - 2 * (x @ z.T)
    return np.maximum(found, 0)
