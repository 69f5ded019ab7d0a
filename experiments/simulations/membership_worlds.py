"""Worlds with known traces of training: how networks changed h of their training speakers."""

import functools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from privrep.leakage.membership.identify import identify
from privrep.types import Split

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
) -> dict[str, Any]:
    """Draws voices that all networks encode, each in its own coordinates, and traces of training.

    Gender is in h and balanced over folds.

    Args:
      seed: another seed draws another corpus.
      speakers: S, even.
      shift: of members, in deviations of h, in a direction of each network.
      stretch: members lie so much further from the middle.
      loss: members' log-loss is so much lower.
      pairs: a fold tests sessions of two speakers, which have the sound of one room.
      size: D.

    Returns:
      The arguments of `identify.identify` but the seed.
    """
    rng = np.random.default_rng(seed)
    gender, share = np.arange(speakers) % 2, np.arange(speakers) // 2 % FOLDS
    if not pairs:
        for value in (0, 1):
            share[gender == value] = rng.permutation(share[gender == value])
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
    return {
        "h": np.array(h, np.float32),
        "speakers": who,
        "split": split,
        "losses": np.array(losses),
        "emotion": rng.integers(0, 3, len(who)),
        "kind": gender[who],
        "sessions": who // 2 if pairs else None,
    }


def one_identification(speakers: int, traces: dict[str, Any], seed: int) -> list[float]:
    """Of h, then of labels: AUC, null, upper bound, min. detectable, p, leaks, no leak shown."""
    values: list[float] = []
    for result in identify(seed, **world(seed, speakers, **traces)).values():
        is_leak = result.verdict == "leaks", result.verdict == "no_leak_shown"
        values += [result.auc, result.shuffled, result.upper, result.detectable, result.p, *is_leak]
    return values


def members(draws: int) -> Iterator[str]:
    """Membership identification: speakers, traces of training | of h | of labels."""
    yield (
        "AUC (sd), shuffled, upper bound, min. detectable (median), p <= .05 .2, leaks, none shown"
    )
    for speakers, traces in CASES:
        with ProcessPoolExecutor() as pool:
            simulate = functools.partial(one_identification, speakers, traces)
            rows = np.array(list(pool.map(simulate, range(draws), chunksize=4)), float)
        cells = [
            f"{speakers:3d} {', '.join(f'{n} {v}' for n, v in traces.items()) or 'nothing':12s}"
        ]
        for auc, null, upper, detectable, p, leaks, none in (rows.T[:7], rows.T[7:]):
            cells.append(
                f"{auc.mean():.3f} ({auc.std():.3f}) {null.mean():.3f} {upper.mean():.3f} "
                f"{np.median(detectable):.3f}, {(p <= 0.05).mean():.3f} {(p <= 0.2).mean():.3f}, "
                f"{leaks.mean():.3f} {none.mean():.3f}"
            )
        yield " | ".join(cells)
