"""The ladder of threats: what an attacker finds who knows less, or holds h as it was sent."""

from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.statistics.confidence import interval
from privrep.statistics.permutation_test import design, speaker_labels
from privrep.statistics.uar import confusion_counts, uar


class Corpus(NamedTuple):
    """Representations of another corpus by the same encoder.

    Attributes:
      h: float[M, D].
      labels: int[M], the classes of the measured corpus, -1 for any other, which does not count.
      speakers: [M].
    """

    h: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray


class Rung(NamedTuple):
    """What one threat finds: UAR with a 95 % interval over speakers, the attacker as it is."""

    threat: str
    uar: float
    lower: float
    upper: float


def ladder(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    *,
    attack: Attack,
    sessions: np.ndarray | None = None,
    unprotected: np.ndarray | None = None,
    other: Corpus | None = None,
    num_folds: int = 5,
    seed: int = 0,
) -> tuple[Rung, ...]:
    """One attacker in the shoes of several.

    informed     learns from h of other speakers, as in `measurement.measure`.
    ignorant     learns from `unprotected` h of other speakers, and is shown h.
    transferred  learns from the speakers of `other`, and is shown h.
    float16      learns from and is shown h rounded to half precision.
    int8         likewise, each column in 256 even steps from its least to its greatest value among
                 the speakers learned from; what lies beyond is clipped.

    Every attacker is chosen on speakers of what it learns from.

    Args:
      h: float[N, D], finite, and within the range of float16, as with columns scaled to 1.
      labels: int[N], classes 0 to C - 1, none unknown.
      speakers: [N].
      attack: see `protocol.Attack`.
      sessions: as in `measure`, of which the folds are.
      unprotected: float[N, D], the same utterances before the defence; None: no such rung.
      other: None: no such rung.
      num_folds, seed: as in `measure`.

    Raises:
      ValueError: `unprotected` or `other` are of another shape, or `other` has too few speakers.
    """
    x, people = h.astype(np.float32), np.unique(speakers, return_inverse=True)[1].astype(np.int32)
    y = labels.astype(np.int32)
    visits = None if sessions is None else np.unique(sessions, return_inverse=True)[1]
    folds, num_classes = design(y, people, visits, num_folds, seed).folds, int(y.max()) + 1
    usual = speaker_labels(y, people)

    def rung(threat: str, guessed: np.ndarray) -> Rung:
        counts = confusion_counts(guessed, y, people, num_classes)
        return Rung(threat, *interval(counts, uar, usual)[:3])

    def by_fold(shown) -> np.ndarray:
        """The guesses of all folds; shown(tested, others) is h of all as fold `tested` has it."""
        guessed = np.zeros(len(y), np.int16)
        for fold in range(folds.max() + 1):
            tested = folds == fold
            seen = shown(tested)
            found = attack(seed, seen, y[None], people, folds, num_classes, only=fold)
            guessed[tested] = found.predictions[0, tested]
        return guessed

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
        rungs.append(rung("transferred", _transferred(attack, x, other, num_classes, seed)))
    return tuple(rungs)


def in_steps(h: np.ndarray, learned: np.ndarray, steps: int = 255) -> np.ndarray:
    """h as it comes out of int8: float32[N, D].

        low + (high - low) round(steps (h - low) / (high - low)) / steps, clipped to [low, high]

    with the least and greatest value of the column over the rows `learned` bool[N].
    """
    low, high = h[learned].min(0), h[learned].max(0)
    wide = np.where(high > low, high - low, 1)
    return (low + wide * np.round(steps * (h.clip(low, high) - low) / wide) / steps).astype(
        np.float32
    )


def _transferred(
    attack: Attack, x: np.ndarray, other: Corpus, num_classes: int, seed: int
) -> np.ndarray:
    known = np.flatnonzero(other.labels >= 0)
    _check("h of the other corpus", other.h, x[:0], rows=False)
    taught = other.labels[known].astype(np.int32)
    if len(np.unique(taught)) < 2:
        raise ValueError(
            "the other corpus has fewer than two of the values told apart here: nobody could learn "
            "from it"
        )
    people = np.unique(np.asarray(other.speakers)[known], return_inverse=True)[1].astype(np.int32)
    folds = 1 + design(taught, people, None, 4, seed).folds
    # The victims are fold 0, labelled anyhow: nothing is learned from the fold that is guessed.
    return attack(
        seed,
        np.concatenate([x, other.h[known].astype(np.float32)]),
        np.concatenate([np.zeros(len(x), np.int32), taught])[None],
        np.concatenate([np.arange(len(x), dtype=np.int32), len(x) + people]),
        np.concatenate([np.zeros(len(x), np.int32), folds.astype(np.int32)]),
        num_classes,
        only=0,
    ).predictions[0, : len(x)]


def _check(name: str, given: np.ndarray, x: np.ndarray, rows: bool = True) -> None:
    if given.shape[1:] != x.shape[1:] or (rows and len(given) != len(x)):
        raise ValueError(
            f"{name} has shape {list(given.shape)}"
            + (
                f" and h {list(x.shape)}: they must be of the same utterances and units"
                if rows
                else f": as many columns as h are needed, {x.shape[1]}"
            )
        )
    if not np.isfinite(given).all():
        raise ValueError(f"{name} has rows that are not finite")
