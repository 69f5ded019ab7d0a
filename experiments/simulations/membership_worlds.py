"""Worlds of which it is known what networks did to the people they were trained on."""

import functools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from privrep.leakage.membership.identify import Networks, identify
from privrep.types import InferenceSettings, Split

FOLDS, EACH, SIZE = 5, 8, 6
CASES = (
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
    """Voices that all networks hear, each in its own coordinates; what networks do to members.

    Gender is in h and balanced over folds.

    Args:
      seed: another seed draws another corpus.
      speakers: S, even.
      shift: of members, in deviations of h, in a direction of each network.
      stretch: members lie so much further from the middle.
      loss: members' log-loss is so much lower.
      pairs: a fold tests sessions of two people, in a room that all that is said there sounds of.
      size: D.
    """
    rng = np.random.default_rng(seed)
    gender, share = np.arange(speakers) % 2, np.arange(speakers) // 2 % FOLDS
    if not pairs:
        for one in (0, 1):
            share[gender == one] = rng.permutation(share[gender == one])
    who = np.repeat(np.arange(speakers), EACH)
    rotation = (share[who] - np.arange(FOLDS)[:, None]) % FOLDS
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    voices = rng.normal(size=(speakers, size)) + 2 * gender[:, None] * (np.arange(size) == 0)
    if pairs:
        voices += 3 * np.repeat(rng.normal(size=(speakers // 2, size)), 2, 0)
    hard, h, losses = rng.normal(size=speakers), [], []
    for trained in split.train:
        x = (voices[who] + rng.normal(size=(len(who), size))) * (1 + stretch * trained[:, None])
        x = x @ rng.normal(size=(size, size))
        away = rng.normal(size=size)
        h.append(x + shift * x.std() * trained[:, None] * away / np.linalg.norm(away))
        losses.append(np.exp(hard[who] / 2 + rng.normal(size=len(who)) / 2 - loss * trained))
    return Networks(
        h=np.array(h, np.float32),
        speaker=who,
        split=split,
        losses=np.array(losses),
        emotion=rng.integers(0, 3, len(who)),
        kind=gender[who],
        session=who // 2 if pairs else None,
    )


def one(speakers: int, done: dict[str, Any], seed: int) -> list[float]:
    """Of h, then of labels: AUC, null, upper bound, detectable, p, leaks, no leak shown."""
    settings = InferenceSettings(permutations=99, seed=seed)
    found = identify(world(seed, speakers, **done), settings=settings)
    told = []
    for of in found.values():
        said = (of.verdict == "leaks", of.verdict == "no_leak_shown")
        told += [of.auc, of.shuffled, of.upper, of.minimum_detectable, of.p, *said]
    return told


def members(draws: int) -> Iterator[str]:
    """Membership identification: speakers, what networks do to members | of h | of labels."""
    yield "AUC (sd), shuffled, at most, finds (median), p <= .05 .2, leaks, none shown"
    for speakers, done in CASES:
        with ProcessPoolExecutor() as pool:
            simulate = functools.partial(one, speakers, done)
            rows = np.array(list(pool.map(simulate, range(draws), chunksize=4)), float)
        cells = [f"{speakers:3d} {', '.join(f'{n} {v}' for n, v in done.items()) or 'nothing':12s}"]
        for auc, null, upper, finds, p, leaks, none in (rows.T[:7], rows.T[7:]):
            cells.append(
                f"{auc.mean():.3f} ({auc.std():.3f}) {null.mean():.3f} {upper.mean():.3f} "
                f"{np.median(finds):.3f}, {(p <= 0.05).mean():.3f} {(p <= 0.2).mean():.3f}, "
                f"{leaks.mean():.3f} {none.mean():.3f}"
            )
        yield " | ".join(cells)
