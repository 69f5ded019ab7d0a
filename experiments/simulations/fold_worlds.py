"""Synthetic worlds of networks trained once per fold whose leak to unseen speakers is known."""

import functools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from privrep.leakage.fold_measurement import LINEAR, USUAL, measure_folds
from privrep.leakage.fold_sample import FoldSample
from privrep.types import InferenceSettings, Split

FOLDS, EACH, SIZE = 5, 6, 8


class FoldWorld(NamedTuple):
    """How h comes about; `draw` makes it.

    Attributes:
      speakers: S.
      women: of every ten speakers.
      rooms: speakers in a room, who share a sound and a fold; 1 where there are no rooms.
      mixed: whether both genders are in a room; else all of a room are of one.
      shift: of women, in standard deviations of an utterance, along one direction per network.
      hidden: whether training speakers lack the shift, as a network that unlearned may have it.
      kernel: whether the kernel attackers are used as well as the linear ones.
    """

    speakers: int
    women: int = 5
    rooms: int = 1
    mixed: bool = False
    shift: float = 0.0
    hidden: bool = False
    kernel: bool = False


WORLDS: dict[str, FoldWorld] = {
    "24 speakers": FoldWorld(24),
    "24 speakers, kernel": FoldWorld(24, kernel=True),
    "100 speakers": FoldWorld(100),
    "80:20": FoldWorld(60, women=2),
    "10 rooms of one gender": FoldWorld(40, rooms=4),
    "30 rooms of one gender": FoldWorld(90, rooms=3),
    "20 rooms of both": FoldWorld(40, rooms=2, mixed=True),
    "leak": FoldWorld(40, shift=1.5),
    "leak in unseen speakers": FoldWorld(40, shift=3.0, hidden=True),
    "leak in rooms of both": FoldWorld(40, rooms=2, mixed=True, shift=3.0),
}


def draw(world: FoldWorld, seed: int) -> FoldSample:
    """Speakers have places of their own in every network; rooms have louder ones."""
    rng = np.random.default_rng([seed, 2])  # the attacks are seeded by the seed itself
    room = np.arange(world.speakers) // world.rooms
    unit = np.arange(world.speakers) if world.mixed else room
    gender = (unit % 10 < world.women if world.women != 5 else unit % 2 == 0).astype(np.int32)
    share = _shares(gender, room, rng)
    speaker = np.repeat(np.arange(world.speakers), EACH)
    rotation = (share[speaker] - np.arange(FOLDS)[:, None]) % FOLDS
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    h = rng.normal(size=(FOLDS, world.speakers, SIZE))[:, speaker]
    h += rng.normal(size=h.shape)
    if world.rooms > 1:
        h += 3 * rng.normal(size=(FOLDS, room.max() + 1, SIZE))[:, room[speaker]]
    for k, tested in enumerate(split.test):
        shown = tested if world.hidden else np.ones(len(speaker), bool)
        h[k, :, k] += world.shift * gender[speaker] * shown
    session = room[speaker] if world.rooms > 1 else None
    return FoldSample(h.astype(np.float32), gender[speaker], speaker, split, session)


def _shares(gender: np.ndarray, room: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int[S] in [0, FOLDS): whole rooms, those of each gender dealt to the folds by turns."""
    first = np.unique(room, return_index=True)[1]
    share = np.zeros(len(first), int)
    kind = np.where(np.bincount(room, gender) % np.bincount(room) > 0, 2, gender[first])
    for value in np.unique(kind):
        rooms = rng.permutation(np.flatnonzero(kind == value))
        share[rooms] = np.arange(len(rooms)) % FOLDS
    return share[room]


def simulate(name: str, seed: int) -> list[float]:
    """UAR of seen and of own; leaks by seen, own, all; none shown; upper bound; then beyond
    sessions UAR, leaks, none shown."""
    world = WORLDS[name]
    measured = measure_folds(
        draw(world, seed),
        attackers=USUAL if world.kernel else LINEAR,
        settings=InferenceSettings(permutations=99, seed=seed),
    )
    of_seen, of_all, both = *(measured.by_knowledge[k] for k in ("seen", "own")), measured.verdict
    outcomes = [verdict.verdict == "leaks" for verdict in (of_seen, of_all, both)]
    scores = [of_seen.uar, of_all.uar, *outcomes, both.verdict == "no_leak_shown", both.upper]
    beyond: Any = measured.beyond_sessions
    if beyond is None:
        return [*scores, np.nan, np.nan, np.nan]
    return [*scores, beyond.uar, beyond.verdict == "leaks", beyond.verdict == "no_leak_shown"]


def folds(draws: int) -> Iterator[str]:
    """Networks of several folds: attackers who know training speakers, or others too (own)."""
    yield "world | UAR seen, own | leaks by seen, own, all; none shown | upper bound >= chance, UAR"
    yield "      | beyond sessions: UAR, leaks, none shown"
    for name in WORLDS:
        with ProcessPoolExecutor() as pool:
            simulated = pool.map(functools.partial(simulate, name), range(draws), chunksize=4)
            rows = np.array(list(simulated), float)
        seen_uar, own_uar, *leaks, none, upper, beyond, beyond_leaks, beyond_none = rows.T
        line = (
            f"{name:24s} | {seen_uar.mean():.3f} {own_uar.mean():.3f} | "
            f"{' '.join(f'{of.mean():.3f}' for of in leaks)}; {none.mean():.3f} | "
            f"{(upper >= 0.5).mean():.3f} {(upper >= np.maximum(seen_uar, own_uar)).mean():.3f}"
        )
        if not np.isnan(beyond).any():
            line += f" | {beyond.mean():.3f} {beyond_leaks.mean():.3f} {beyond_none.mean():.3f}"
        yield line
