"""The threat ladder: UARs of attackers with less knowledge, or with h in lower precision (host)."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.leakage.subsample import MAX_UTTERANCES, draw_evenly
from privrep.statistics.confidence import standard_error
from privrep.statistics.design import design, speaker_labels
from privrep.statistics.permutation_test import Permutations, permute
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.upper_bound import Null, lower_bound, upper_bound
from privrep.types import SECONDARY, InferenceSettings, Sample, renumber


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
    """UAR of the attacker of one threat, with one-sided bounds at 1 - alpha each for this attacker
    by itself, as `attacker_results.AttackerResult` has them."""

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
    without: Collection[str] = (),
    settings: InferenceSettings = SECONDARY,
) -> tuple[Rung, ...]:
    """The UAR of one attacker under several threat models.

    informed     is trained on h of other speakers, as in `measurement.measure`.
    ignorant     is trained on `unprotected` h of other speakers, and tested on h.
    transferred  is trained on the speakers of `other`, and tested on h.
    float16      is trained and tested on h rounded to half precision.
    int8         likewise, each column in 256 even steps from its minimum to its maximum over the
                 training speakers; values outside are clipped.

    Every attacker is tuned on speakers of the data that it is trained on. Bounds are those of
    `upper_bound`: every attacker is trained anew under permuted labels, on at most 10,000
    utterances drawn evenly from the speakers; of `transferred` the labels of both corpora are
    permuted.

    Args:
      sample: none of its labels unknown; h within the range of float16, such as columns scaled to
        at most 1.
      attack: see `protocol.Attack`.
      unprotected: float[N, D], the same utterances before the defence; None: no such threat.
      other: None: no such threat.
      without: names of threats that are not tried.
      settings: of folds, permutations and bounds.

    Raises:
      ValueError: `unprotected` or `other` are of another shape, or `other` has too few speakers.
    """
    if unprotected is not None:
        _check("unprotected h", unprotected, sample.h)
    tried: dict[str, _Predict] = {"informed": _informed, "float16": _float16, "int8": _int8}
    if unprotected is not None:
        tried["ignorant"] = _ignorant
    if other is not None:
        tried["transferred"] = _transferred
    everyone = _World(sample, unprotected, other, attack, settings)
    rows = draw_evenly(sample.speaker, MAX_UTTERANCES, settings.seed, sample.labels)
    drawn = everyone
    if len(rows) < len(sample.labels):
        bare = None if unprotected is None else unprotected[rows]
        drawn = everyone._replace(sample=sample.take(rows), unprotected=bare)
    return tuple(
        _rung(threat, predict, everyone, drawn)
        for threat, predict in tried.items()
        if threat not in without
    )


class _World(NamedTuple):
    """What the attackers of all threats have in common, see `ladder`."""

    sample: Sample
    unprotected: np.ndarray | None
    other: OtherCorpus | None
    attack: Attack
    settings: InferenceSettings

    def permutations(self, count: int) -> tuple[np.ndarray, Permutations]:
        """Folds int32[N], and at least the true labelling; `count` permuted ones."""
        sample, seed = self.sample, self.settings.seed
        labels, speaker = sample.labels, sample.speaker
        dealt = design(labels, speaker, sample.session, self.settings.folds, seed)
        if not count:
            return dealt.folds, Permutations(labels[None], 1, False, 1.0)
        return dealt.folds, permute(labels, speaker, dealt.strata, count, seed, dealt.units)


# (world, folds, labels int32[P, N]) -> predictions int16[P, N]
_Predict = Callable[[_World, np.ndarray, np.ndarray], np.ndarray]


def _rung(threat: str, predict: _Predict, everyone: _World, drawn: _World) -> Rung:
    """The UAR on everyone, and its bounds by permuted labels of those who were drawn."""
    settings, num_classes = everyone.settings, everyone.sample.num_classes
    folds, permutations = drawn.permutations(settings.permutations)
    permuted = predict(drawn, folds, permutations.labels)
    uars = uars_of(permuted, permutations.labels, num_classes)
    predictions, labels, speaker = permuted[0], drawn.sample.labels, drawn.sample.speaker
    if everyone is not drawn:
        labels, speaker = everyone.sample.labels, everyone.sample.speaker
        folds, _ = everyone.permutations(0)
        predictions = predict(everyone, folds, labels[None])[0]
    counts = confusion_counts(predictions, labels, speaker, num_classes)
    error = standard_error(counts, uar, speaker_labels(labels, speaker))
    value, null = float(uar(counts.sum(0))), Null.of(uars)
    lower = lower_bound(value, null, error, settings.alpha)
    upper = upper_bound(value, null, error, 1 / num_classes, settings.alpha)
    return Rung(threat, value, min(lower, value), max(upper, value))


def _informed(world: _World, folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _attacked(world, world.sample.h, folds, labels)


def _float16(world: _World, folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _attacked(world, world.sample.h.astype(np.float16).astype(np.float32), folds, labels)


def _int8(world: _World, folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _by_fold(world, lambda tested: in_steps(world.sample.h, ~tested), folds, labels)


def _ignorant(world: _World, folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    x, bare = world.sample.h, np.asarray(world.unprotected, world.sample.h.dtype)
    return _by_fold(world, lambda tested: np.where(tested[:, None], x, bare), folds, labels)


def _attacked(world: _World, h: np.ndarray, folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Predictions int16[P, N] of all folds on one h."""
    sample, seed = world.sample, world.settings.seed
    return world.attack(seed, h, labels, sample.speaker, folds, sample.num_classes).predictions


def _by_fold(
    world: _World,
    h_for: Callable[[np.ndarray], np.ndarray],
    folds: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """Predictions of all folds; h_for(tested bool[N]) is h of all as that fold uses it."""
    sample, seed = world.sample, world.settings.seed
    predictions = np.zeros(labels.shape, np.int16)
    for fold in range(folds.max() + 1):
        tested = folds == fold
        attacked = world.attack(
            seed, h_for(tested), labels, sample.speaker, folds, sample.num_classes, only=fold
        )
        predictions[:, tested] = attacked.predictions[:, tested]
    return predictions


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


def _transferred(world: _World, folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Predictions of an attacker that was trained on another corpus, under its labels permuted."""
    x, other, seed = world.sample.h, world.other, world.settings.seed
    assert other is not None
    known = np.flatnonzero(other.labels >= 0)
    _check("h of the other corpus", other.h, x[:0], rows=False)
    truth = other.labels[known].astype(np.int32)
    if len(np.unique(truth)) < 2:
        raise ValueError(
            "the other corpus has fewer than two of the classes of this one: an attacker cannot be "
            "trained on it"
        )
    speaker = renumber(np.asarray(other.speaker)[known])
    dealt = design(truth, speaker, None, 4, seed)
    learned = permute(truth, speaker, dealt.strata, len(labels), seed, dealt.units).labels
    # The true labels of both corpora belong together. Where few labellings exist they come again.
    again = 1 + np.arange(len(labels) - 1) % max(len(learned) - 1, 1)
    learned = learned[np.minimum([0, *again], len(learned) - 1)]
    # The victims are fold 0 with arbitrary labels: nothing is trained on the tested fold.
    return world.attack(
        seed,
        np.concatenate([x, other.h[known].astype(x.dtype)]),
        np.concatenate([np.zeros_like(labels), learned], 1),
        np.concatenate([np.arange(len(x), dtype=np.int32), len(x) + speaker]),
        np.concatenate([np.zeros(len(x), np.int32), 1 + dealt.folds.astype(np.int32)]),
        world.sample.num_classes,
        only=0,
    ).predictions[:, : len(x)]


def _check(name: str, given: np.ndarray, x: np.ndarray, rows: bool = True) -> None:
    if given.shape[1:] != x.shape[1:] or (rows and len(given) != len(x)):
        if rows:
            needed = f" and h {list(x.shape)}: they must be of the same utterances and units"
        else:
            needed = f": as many columns as h are needed, {x.shape[1]}"
        raise ValueError(f"{name} has shape {list(given.shape)}{needed}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} has rows that are not finite")
