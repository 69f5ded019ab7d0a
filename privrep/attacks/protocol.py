"""The interface of an attacker (`Attack`), its result, and helpers that attackers share (host)."""

from typing import NamedTuple, Protocol

import numpy as np


class Attacked(NamedTuple):
    """The predictions of an attacker for utterances of held-out speakers.

    Attributes:
      predictions: int16[P, N], for every labelling the class predicted by the attacker that was
        trained with this labelling on the other folds; -1 in folds that were not asked for.
      log_likelihoods: float32[N, C], log p(h | class) up to a constant per utterance, from the
        attacker of row 0, calibrated on validation speakers. Add the log prior for log posteriors.
        NaN in folds that were not asked for.
      chosen: the hyper-parameters that were selected on the validation speakers for row 0, a text
        per fold.
      scores: float32[P, N, C - 1], of class c against class 0 for equal priors, of which the
        predictions are the highest. Those of several utterances of one speaker are added up. None
        from an attacker that does not keep them: its predictions are counted instead.
    """

    predictions: np.ndarray
    log_likelihoods: np.ndarray
    chosen: tuple[str, ...]
    scores: np.ndarray | None = None


class Attack(Protocol):
    """An attacker: a function that is trained for every labelling and predicts held-out speakers.

    For each fold the attacker is trained on the other folds, its hyper-parameters selected by the
    UAR on validation speakers among them, and predicts the utterances of the fold. Each labelling
    is treated as if it were the only one, and the labels of a fold never influence its predictions.

    Args:
      seed: of whatever is drawn at random.
      h: float32 or float64[N, D].
      labels: int[P, N] in [0, C), row 0 the true ones, the others permuted.
      speakers: int32[N] from 0.
      folds: int32[N] in [0, K), K >= 3; no speaker is in two.
      num_classes: C.
      only: the one fold to predict; None for all of them. The predictions of a fold are the same
        either way.
    """

    def __call__(
        self,
        seed: int,
        h: np.ndarray,
        labels: np.ndarray,
        speakers: np.ndarray,
        folds: np.ndarray,
        num_classes: int,
        only: int | None = None,
    ) -> Attacked: ...


def places(rng: np.random.Generator, speakers: np.ndarray) -> np.ndarray:
    """int64[N]: the rank of an utterance among those of its speaker, in random order from 0."""
    shuffled = rng.permutation(len(speakers))
    grouped = shuffled[np.argsort(speakers[shuffled], kind="stable")]
    place = np.empty(len(speakers), np.int64)
    place[grouped] = np.arange(len(speakers)) - np.searchsorted(
        speakers[grouped], speakers[grouped]
    )
    return place


def training_sample(seed: int, speakers: np.ndarray, most: int) -> np.ndarray:
    """bool[N]: what is trained on, at random at most `most`, but one or more of each speaker."""
    place = places(np.random.default_rng(seed), speakers)
    return place < max(most // (speakers.max() + 1), 1)
