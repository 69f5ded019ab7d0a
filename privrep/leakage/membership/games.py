"""Games of membership identification: drawn utterances, matched pairs, permuted places (host)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from privrep.statistics.design import tied_speakers
from privrep.statistics.permutation_test import Permutations, permute
from privrep.types import renumber

MEMBER, OTHER, NEITHER = 1, 0, -1
MAX_PER_SPEAKER = 20  # utterances
_MAX_LEFT_OUT = 0.1  # share of the speakers that may be left out for having fewer utterances


class Game(NamedTuple):
    """Speakers int[B, n] of network k, in B draws, on which the attacker is trained and tested."""

    k: int
    training_members: np.ndarray
    training_others: np.ndarray
    tested_members: np.ndarray
    tested_others: np.ndarray


class Sessions(NamedTuple):
    """speaker [n] and session int[n] of n utterances; names [S]: of the speakers of the games."""

    speaker: np.ndarray
    session: np.ndarray
    names: np.ndarray


def drawn_utterances(
    rng: np.random.Generator, speaker: np.ndarray, emotion: np.ndarray | None
) -> tuple[np.ndarray, int]:
    """The utterances that represent each speaker: rows int[S, k] in [0, n), and k.

    Equally many of each speaker, evenly distributed over the emotions as far as possible: at most
    MAX_PER_SPEAKER, and so many that at most a tenth of the speakers, who are left out, have fewer.

    Args:
      rng: of the draws.
      speaker: [n].
      emotion: int[n], or None.
    """
    number = renumber(speaker)
    counts = np.bincount(number)
    size = int(np.clip(np.quantile(counts, _MAX_LEFT_OUT, method="lower"), 1, MAX_PER_SPEAKER))
    random = rng.random(len(number))
    place = random
    if emotion is not None:  # the first utterance of every emotion before the second of any
        place = np.zeros(len(number))
        order = np.lexsort((random, emotion, number))
        starts = np.flatnonzero(
            np.append(True, (np.diff(number[order]) != 0) | (np.diff(emotion[order]) != 0))
        )
        lengths = np.diff(np.append(starts, len(order)))
        place[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    order = np.lexsort((random, place, number))
    start = np.cumsum(counts) - counts
    kept = start[counts >= size]
    return order[kept[:, None] + np.arange(size)], size


def permuted_roles(
    seed: int, roles: np.ndarray, kind: np.ndarray, sessions: Sessions | None, count: int
) -> tuple[np.ndarray, Permutations]:
    """Roles with places permuted between speakers, or sessions, of the same kind.

    The place of a speaker is the column of `roles`: in which folds he is trained on and tested on.

    Args:
      seed: of the permutations.
      roles: int[K, S] of MEMBER, OTHER, NEITHER.
      kind: int[S].
      sessions: or None.
      count: permutations, P - 1.

    Returns:
      int[P, K, S], row 0 the true roles, and the labellings of which they are made.

    Raises:
      ValueError: no two speakers of one kind have different places.
    """
    places, place = np.unique(roles, axis=1, return_inverse=True)
    place = place.reshape(-1)
    unit = _units(place, sessions)
    of_unit = [np.flatnonzero(unit == u) for u in range(unit.max() + 1)]
    kinds = [tuple(sorted(kind[members].tolist())) for members in of_unit]
    number = {kinds_of_unit: i for i, kinds_of_unit in enumerate(dict.fromkeys(kinds))}
    strata = np.array([number[kinds_of_unit] for kinds_of_unit in kinds])
    unit_place = np.array([place[members[0]] for members in of_unit])
    permutations = permute(unit_place, np.arange(len(unit_place)), strata, count, seed)
    if len(permutations.labels) < 2:
        raise ValueError("no two speakers or sessions are alike, so that no places can be permuted")
    # Unlike classes, folds cannot be renamed: each has its own network.
    permutations = permutations._replace(smallest_share=1 / len(permutations.labels))
    return places[:, permutations.labels[:, unit]].swapaxes(0, 1), permutations


def games(order: np.ndarray, roles: np.ndarray, kind: np.ndarray) -> Iterator[Game]:
    """Both halves of every draw, for every network that has two matched pairs.

    Args:
      order: int[B, S], of each draw the speakers in random order.
      roles: int[K, S].
      kind: int[S], within which members and others are matched.
    """
    for k, role in enumerate(roles):
        sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for value in np.unique(kind):
            of_kind = [(role == side) & (kind == value) for side in (MEMBER, OTHER)]
            size = min(int(of_side.sum()) for of_side in of_kind)
            for side, of_side in zip(sides, of_kind):
                side.append(order[of_side[order]].reshape(len(order), -1)[:, :size])
        members, others = (np.concatenate(side, 1) for side in sides)
        if members.shape[1] < 2:
            continue
        for start in (0, 1):  # kinds are consecutive: every second pair takes half of each
            training, tested = slice(start, None, 2), slice(1 - start, None, 2)
            yield Game(
                k,
                members[:, training],
                others[:, training],
                members[:, tested],
                others[:, tested],
            )


def _units(place: np.ndarray, sessions: Sessions | None) -> np.ndarray:
    """int[S]: the units of permutation: sessions if every one lies in one place, else speakers."""
    alone = np.arange(len(place))
    if sessions is None:
        return alone
    tied = tied_speakers(renumber(sessions.speaker), renumber(sessions.session))
    together = tied[np.searchsorted(np.unique(sessions.speaker), sessions.names)]
    together = renumber(together)
    whole = all(len({*place[together == unit]}) == 1 for unit in range(together.max() + 1))
    return together if whole and together.max() else alone
