"""Who is asked about in membership identification: utterances, pairs, exchanges (host)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from privrep.statistics.permutation_test import Permutations, permute, tied_speakers

MEMBER, OTHER, NEITHER = 1, 0, -1
EACH = 20  # utterances of a speaker, at most
_FEW = 0.1  # of the speakers may be left out for having fewer


class Game(NamedTuple):
    """Speakers int[B, n] of network k, in B draws: whom the attacker learns from, whom he meets."""

    k: int
    known_members: np.ndarray
    known_others: np.ndarray
    met_members: np.ndarray
    met_others: np.ndarray


def shown(
    rng: np.random.Generator, speakers: np.ndarray, emotion: np.ndarray | None
) -> tuple[np.ndarray, int]:
    """Utterances by which speakers are known: rows int[S, k] in [0, n), and k.

    As many of each speaker, evenly of the emotions as far as he has them: at most EACH, and so many
    that at most a tenth of the speakers have fewer, who are left out.

    Args:
      speakers: [n].
      emotion: int[n], or None.
    """
    people = np.unique(speakers, return_inverse=True)[1]
    counts = np.bincount(people)
    each = int(np.clip(np.quantile(counts, _FEW, method="lower"), 1, EACH))
    chance = rng.random(len(people))
    place = chance
    if emotion is not None:  # the first of every emotion come before the second of any
        place = np.zeros(len(people))
        order = np.lexsort((chance, emotion, people))
        starts = np.flatnonzero(
            np.append(True, (np.diff(people[order]) != 0) | (np.diff(emotion[order]) != 0))
        )
        sizes = np.diff(np.append(starts, len(order)))
        place[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    order = np.lexsort((chance, place, people))
    start = np.cumsum(counts) - counts
    enough = start[counts >= each]
    return order[enough[:, None] + np.arange(each)], each


def exchanged(
    seed: int,
    roles: np.ndarray,
    alike: np.ndarray,
    meetings: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    count: int,
) -> tuple[np.ndarray, Permutations]:
    """Roles with places exchanged between speakers of one kind, or sessions of like speakers.

    A place is what a speaker is in all folds: trained on in these, tested on in that.

    Args:
      roles: int[K, S] of MEMBER, OTHER, NEITHER.
      alike: int[S], the kind.
      meetings: [n], int[n] and [S]: speakers and sessions of utterances, and the S speakers' names;
        or None.
      count: exchanges, P - 1.

    Returns:
      int[P, K, S], row 0 the true roles, and the labellings of which they are made.

    Raises:
      ValueError: nobody is like another, in another place.
    """
    places, place = np.unique(roles, axis=1, return_inverse=True)
    place = place.reshape(-1)
    unit = _units(place, meetings)
    of_unit = [np.flatnonzero(unit == u) for u in range(unit.max() + 1)]
    kinds = [tuple(sorted(alike[own].tolist())) for own in of_unit]
    numbers = {one: i for i, one in enumerate(dict.fromkeys(kinds))}
    strata = np.array([numbers[one] for one in kinds])
    usual = np.array([place[own[0]] for own in of_unit])
    found = permute(usual, np.arange(len(usual)), strata, count, seed)
    if len(found.labels) < 2:
        raise ValueError("no two speakers or sessions are alike, so that no places are exchanged")
    # Unlike names of classes, folds cannot be renamed: each has its own network.
    found = found._replace(smallest_share=1 / len(found.labels))
    return places[:, found.labels[:, unit]].swapaxes(0, 1), found


def games(order: np.ndarray, roles: np.ndarray, alike: np.ndarray) -> Iterator[Game]:
    """Both halves of every draw, in every network that has two matched pairs.

    Args:
      order: int[B, S], of each draw the speakers in random order.
      roles: int[K, S].
      alike: int[S], the kind in which members and others are matched.
    """
    for k, role in enumerate(roles):
        sides = [[], []]
        for one in np.unique(alike):
            of_kind = [(role == side) & (alike == one) for side in (MEMBER, OTHER)]
            size = min(int(of.sum()) for of in of_kind)
            for side, of in zip(sides, of_kind):
                side.append(order[of[order]].reshape(len(order), -1)[:, :size])
        members, others = (np.concatenate(side, 1) for side in sides)
        if members.shape[1] < 2:
            continue
        for start in (0, 1):  # one kind behind the other: every second pair halves each
            learn, meet = slice(start, None, 2), slice(1 - start, None, 2)
            yield Game(k, members[:, learn], others[:, learn], members[:, meet], others[:, meet])


def _units(place: np.ndarray, meetings) -> np.ndarray:
    """int[S]: who is exchanged together, sessions where the folds kept all of them together."""
    alone = np.arange(len(place))
    if meetings is None:
        return alone
    names, sessions, kept = meetings
    people, rooms = (np.unique(one, return_inverse=True)[1] for one in (names, sessions))
    together = tied_speakers(people, rooms)[np.searchsorted(np.unique(names), kept)]
    together = np.unique(together, return_inverse=True)[1]
    whole = all(len({*place[together == unit]}) == 1 for unit in range(together.max() + 1))
    return together if whole and together.max() else alone
