"""Synthetic worlds in which the effect of training on a network's training speakers is known."""

import functools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from privrep.leakage.membership.identify import Networks, identify
from privrep.types import InferenceSettings, Split

FOLDS, EACH, SIZE = 5, 8, 6
CASES: tuple[tuple[int, dict[str, Any]], ...] = (
    (10, {}),
    (10, {"pairs": True}),
    (24, {}),
    (24, {"shift": 1.0}),
    (24, {"stretch": 0.5}),
    (24, {"loss": 0.3}),
    (60, {}),
    (60, {"stretch": 0.3}),
    (60, {"loss": 0.2}),
)


def world(
    seed: int,
    speakers: int = 24,
    shift: float = 0.0,
    stretch: float = 0.0,
    loss: float = 0.0,
    pairs: bool = False,
    size: int = SIZE,
) -> Networks:
    """h of every fold's network, in which training speakers differ from others as the settings say.

    All networks represent the same voices, each rotated at random. Gender is in h and balanced over
    folds.

    Args:
      seed: another seed draws another corpus.
      speakers: S, even.
      shift: of training speakers, in standard deviations of h, in one direction per network.
      stretch: relative increase of the training speakers' distance from the mean.
      loss: decrease of the log-loss of training speakers.
      pairs: speakers are recorded in sessions of two, which share a room effect and a fold.
      size: D.
    """
    rng = np.random.default_rng(seed)
    gender, share = np.arange(speakers) % 2, np.arange(speakers) // 2 % FOLDS
    if not pairs:
        for value in (0, 1):
            share[gender == value] = rng.permutation(share[gender == value])
    speaker = np.repeat(np.arange(speakers), EACH)
    rotation = (share[speaker] - np.arange(FOLDS)[:, None]) % FOLDS
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    voices = rng.normal(size=(speakers, size)) + 2 * gender[:, None] * (np.arange(size) == 0)
    if pairs:
        voices += 3 * np.repeat(rng.normal(size=(speakers // 2, size)), 2, 0)
    hard, h, losses = rng.normal(size=speakers), [], []
    for trained in split.train:
        x = (voices[speaker] + rng.normal(size=(len(speaker), size))) * (
            1 + stretch * trained[:, None]
        )
        x = x @ rng.normal(size=(size, size))
        direction = rng.normal(size=size)
        h.append(x + shift * x.std() * trained[:, None] * direction / np.linalg.norm(direction))
        losses.append(
            np.exp(hard[speaker] / 2 + rng.normal(size=len(speaker)) / 2 - loss * trained)
        )
    return Networks(
        h=np.array(h, np.float32),
        speaker=speaker,
        split=split,
        losses=np.array(losses),
        emotion=rng.integers(0, 3, len(speaker)),
        kind=gender[speaker],
        session=speaker // 2 if pairs else None,
    )


def simulate(speakers: int, effect: dict[str, Any], seed: int) -> list[float]:
    """Of h, then of labels: AUC, null, upper bound, detectable, p, leaks, no leak shown."""
    scores: list[float] = []
    settings = InferenceSettings(permutations=99, seed=seed)
    for result in identify(world(seed, speakers, **effect), settings=settings).values():
        outcomes = (result.verdict == "leaks", result.verdict == "no_leak_shown")
        scores += [
            result.auc,
            result.shuffled,
            result.upper,
            result.minimum_detectable,
            result.p,
            *outcomes,
        ]
    return scores


def members(draws: int) -> Iterator[str]:
    """Membership identification: speakers, effect of training | attacker has h | has labels."""
    yield "AUC (sd), shuffled, upper bound, minimum detectable, p <= .05 .2, leaks, none shown"
    for speakers, effect in CASES:
        with ProcessPoolExecutor() as pool:
            draw = functools.partial(simulate, speakers, effect)
            rows = np.array(list(pool.map(draw, range(draws), chunksize=4)), float)
        named = ", ".join(f"{name} {value}" for name, value in effect.items()) or "none"
        cells = [f"{speakers:3d} {named:12s}"]
        for auc, null, upper, detectable, p, leaks, none in (rows.T[:7], rows.T[7:]):
            cells.append(
                f"{auc.mean():.3f} ({auc.std():.3f}) {null.mean():.3f} {upper.mean():.3f} "
                f"{np.median(detectable):.3f}, {(p <= 0.05).mean():.3f} {(p <= 0.2).mean():.3f}, "
                f"{leaks.mean():.3f} {none.mean():.3f}"
            )
        yield " | ".join(cells)
