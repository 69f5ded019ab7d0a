"""The threat ladder: UARs of attackers with less knowledge, or with h in lower precision (host)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.statistics.confidence import interval
from privrep.statistics.design import design, speaker_labels
from privrep.statistics.uar import confusion_counts, uar
from privrep.types import PRIMARY, InferenceSettings, Sample, renumber


class OtherCorpus(NamedTuple):
    """Representations of another corpus by the same encoder.

    Attributes:
      h: float[M, D].
      labels: int[M], the classes of the measured corpus, -1 for any other, which does not count.
      speaker: [M].
    """

    h: np.ndarray
    labels: np.ndarray
    speaker: np.ndarray


class Rung(NamedTuple):
    """UAR of the attacker of one threat, with a 95 % interval over speakers for this attacker."""

    threat: str
    uar: float
    lower: float
    upper: float


def ladder(
    sample: Sample,
    *,
    attack: Attack,
    unprotected: np.ndarray | None = None,
    other: OtherCorpus | None = None,
    settings: InferenceSettings = PRIMARY,
) -> tuple[Rung, ...]:
    """The UAR of one attacker under several threat models.

    informed     is trained on h of other speakers, as in `measurement.measure`.
    ignorant     is trained on `unprotected` h of other speakers, and tested on h.
    transferred  is trained on the speakers of `other`, and tested on h.
    float16      is trained and tested on h rounded to half precision.
    int8         likewise, each column in 256 even steps from its minimum to its maximum over the
                 training speakers; values outside are clipped.

    Every attacker is tuned on speakers of the data that it is trained on.

    Args:
      sample: none of its labels unknown; h within the range of float16, such as columns scaled to
        at most 1.
      attack: see `protocol.Attack`.
      unprotected: float[N, D], the same utterances before the defence; None: no such threat.
      other: None: no such threat.
      settings: folds and seed.

    Raises:
      ValueError: `unprotected` or `other` are of another shape, or `other` has too few speakers.
    """
    x, y, speaker, num_classes = sample.h, sample.labels, sample.speaker, sample.num_classes
    folds = design(y, speaker, sample.session, settings.folds, settings.seed).folds
    class_of = speaker_labels(y, speaker)

    def rung(threat: str, predictions: np.ndarray) -> Rung:
        counts = confusion_counts(predictions, y, speaker, num_classes)
        return Rung(threat, *interval(counts, uar, class_of)[:3])

    def by_fold(h_for: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Predictions of all folds; h_for(tested bool[N]) is h of all as that fold uses it."""
        predictions = np.zeros(len(y), np.int16)
        for fold in range(folds.max() + 1):
            tested = folds == fold
            attacked = attack(
                settings.seed, h_for(tested), y[None], speaker, folds, num_classes, only=fold
            )
            predictions[tested] = attacked.predictions[0, tested]
        return predictions

    half = x.astype(np.float16).astype(np.float32)
    rungs = [
        rung("informed", by_fold(lambda tested: x)),
        rung("float16", by_fold(lambda tested: half)),
        rung("int8", by_fold(lambda tested: in_steps(x, ~tested))),
    ]
    if unprotected is not None:
        _check("unprotected h", unprotected, x)
        bare = unprotected.astype(np.float32)
        rungs.append(rung("ignorant", by_fold(lambda tested: np.where(tested[:, None], x, bare))))
    if other is not None:
        transferred = _transferred(attack, x, other, num_classes, settings.seed)
        rungs.append(rung("transferred", transferred))
    return tuple(rungs)


def in_steps(h: np.ndarray, training: np.ndarray, steps: int = 255) -> np.ndarray:
    """h after quantisation to int8 and back: float32[N, D].

        low + (high - low) round(steps (h - low) / (high - low)) / steps, clipped to [low, high]

    with the minimum and maximum of the column over the rows `training` bool[N].
    """
    low, high = h[training].min(0), h[training].max(0)
    width = np.where(high > low, high - low, 1)
    return (low + width * np.round(steps * (h.clip(low, high) - low) / width) / steps).astype(
        np.float32
    )


def _transferred(
    attack: Attack, x: np.ndarray, other: OtherCorpus, num_classes: int, seed: int
) -> np.ndarray:
    """Predictions int16[N] for x of an attacker that was trained on another corpus."""
    known = np.flatnonzero(other.labels >= 0)
    _check("h of the other corpus", other.h, x[:0], rows=False)
    labels = other.labels[known].astype(np.int32)
    if len(np.unique(labels)) < 2:
        raise ValueError(
            "the other corpus has fewer than two of the classes of this one: an attacker cannot be "
            "trained on it"
        )
    speaker = renumber(np.asarray(other.speaker)[known])
    folds = 1 + design(labels, speaker, None, 4, seed).folds
    # The victims are fold 0 with arbitrary labels: nothing is trained on the tested fold.
    return attack(
        seed,
        np.concatenate([x, other.h[known].astype(np.float32)]),
        np.concatenate([np.zeros(len(x), np.int32), labels])[None],
        np.concatenate([np.arange(len(x), dtype=np.int32), len(x) + speaker]),
        np.concatenate([np.zeros(len(x), np.int32), folds.astype(np.int32)]),
        num_classes,
        only=0,
    ).predictions[0, : len(x)]


def _check(name: str, given: np.ndarray, x: np.ndarray, rows: bool = True) -> None:
    if given.shape[1:] != x.shape[1:] or (rows and len(given) != len(x)):
        if rows:
            needed = f" and h {list(x.shape)}: they must be of the same utterances and units"
        else:
            needed = f": as many columns as h are needed, {x.shape[1]}"
        raise ValueError(f"{name} has shape {list(given.shape)}{needed}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} has rows that are not finite")
