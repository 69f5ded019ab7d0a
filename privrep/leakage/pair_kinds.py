"""Kinds of pairs on which held-out speakers are verified, and how their labels are permuted (host).

Two utterances of one speaker also share a recording, and often a text and an emotion. A kind of
pairs holds such a thing constant: with sessions only pairs of two sessions are compared, or, where
each speaker was recorded in one session, only pairs within a session; and only pairs of one
content, such as the script or the script and the emotion.

Null hypothesis: h depends on the session and the content, and not on the speaker. Then utterances
of one session and content are exchangeable between speakers. Where speakers have several sessions,
a speaker's utterances in a session may be alike for reasons of that day, so that they move
together: whole recordings are permuted between the speakers of the session.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from privrep.statistics.permutation_test import MAX_DISTINCT, Permutations
from privrep.statistics.strata import Covariate
from privrep.types import renumber

_ENOUGH = (20, 3)  # pairs of one speaker, and speakers who have one, for a kind to be tried
_ANY = (1, 1)  # the same where there is no other kind
_MIN_SHARE = 0.5  # of utterances that share session and content with another speaker

ALL, ACROSS, WITHIN = "all pairs", "across sessions", "within one session"
SESSION = "session"  # as a name of what is known


class Drawn(NamedTuple):
    """The n utterances that are tested, those of a target together.

    Attributes:
      rows: int[n], of N.
      target: int[n], ascending; only utterances of one target make a pair.
      speaker: int32[n].
    """

    rows: np.ndarray
    target: np.ndarray
    speaker: np.ndarray


class Kind(NamedTuple):
    """A kind of pairs.

    Attributes:
      name: such as "across sessions, within one script".
      content: int32[n] that two utterances of a pair have in common; None for any.
      recording: int32[n] in which they differ; None for any.
      known: names of what the attacker knows of every utterance, so that its mean can be taken off.
    """

    name: str
    content: np.ndarray | None
    recording: np.ndarray | None
    known: tuple[str, ...] = ()


class PairPermutation(NamedTuple):
    """Which labels are permuted.

    Attributes:
      block: int32[n]; the utterances of a block have one speaker and keep together.
      cell: int32[n]; blocks are permuted within a cell, which holds whole blocks.
    """

    block: np.ndarray
    cell: np.ndarray


class PairDesign(NamedTuple):
    """The kinds of pairs that can be tried, how labels are permuted, and {kind: why it cannot}."""

    kinds: tuple[Kind, ...]
    permutation: PairPermutation
    left_out: dict[str, str]


def pair_design(
    target: np.ndarray,
    speaker: np.ndarray,
    session: np.ndarray | None = None,
    contents: Sequence[Covariate] = (),
) -> PairDesign:
    """The kinds of pairs of n tested utterances, and the permutations that are right for all.

    Args:
      target: int[n], the attacked h; only utterances of one target make a pair.
      speaker: int[n].
      session: int[n], or None where there are none.
      contents: of n utterances, each of which makes a kind if enough pairs have it in common; the
        finest is the last.
    """
    base, permutation, reason = _base(target, speaker, session)
    if reason:
        return PairDesign((), permutation, {base.name: reason})
    kinds, left_out = [base], {}
    finest = permutation
    for z in contents:
        name = f"within one {z.name}"
        if base.name != ALL:
            name = f"{base.name}, {name}"
        content = z.strata if base.content is None else _cells(base.content, z.strata)
        kind = Kind(name, content, base.recording, (*base.known, z.name))
        reason = _too_few(kind, target, speaker)
        # A recording that is permuted as a whole takes its contents with it.
        refined = permutation._replace(cell=_cells(permutation.cell, z.strata))
        by_utterance = base.recording is None
        if not reason and by_utterance and _free_share(refined, speaker) < _MIN_SHARE:
            reason = "is shared by too few utterances of different speakers"
        if reason:
            left_out[name] = reason
            continue
        kinds.append(kind)
        if by_utterance:
            finest = refined
    return PairDesign(tuple(kinds), finest, left_out)


def permuted_speakers(
    target: np.ndarray, speaker: np.ndarray, permutation: PairPermutation, count: int, seed: int
) -> Permutations:
    """`count` rows of speakers that are permuted between blocks, the true ones first.

    smallest_share counts the labellings that only rename the speakers of a target: they make the
    same pairs.
    """
    rng = np.random.default_rng(seed)
    first, block = np.unique(permutation.block, return_index=True, return_inverse=True)[1:]
    cell, owner = permutation.cell[first], speaker[first]
    places = np.argsort(cell, kind="stable")
    labels = np.repeat(speaker[None].astype(np.int32), 1 + count, axis=0)
    for row in labels[1:]:
        shuffled = np.empty_like(owner)
        shuffled[places] = owner[np.lexsort((rng.random(len(cell)), cell))]
        row[:] = shuffled[block]
    of_cell = np.bincount(renumber(cell))
    of_both = np.unique(np.stack([cell, owner]), axis=1, return_counts=True)[1]
    log_distinct = _log_factorials(of_cell) - _log_factorials(of_both)
    pairs = np.unique(np.stack([target, speaker]), axis=1)
    log_renamed = _log_factorials(np.unique(pairs[0], return_counts=True)[1])
    distinct = round(float(np.exp(min(log_distinct, np.log(MAX_DISTINCT)))))
    share = max(1 / len(labels), float(np.exp(min(0.0, log_renamed - log_distinct))))
    return Permutations(labels, distinct, False, share)


def _base(
    target: np.ndarray, speaker: np.ndarray, session: np.ndarray | None
) -> tuple[Kind, PairPermutation, str]:
    """The kind before contents, its permutations, and why it cannot be tried or ""."""
    each = np.arange(len(speaker), dtype=np.int32)
    if session is None:
        kind, permutation = Kind(ALL, None, None), PairPermutation(each, renumber(target))
        return kind, permutation, _too_few(kind, target, speaker, _ANY)
    across = Kind(ACROSS, None, session, (SESSION,))
    if not _too_few(across, target, speaker):
        block, cell = _cells(speaker, session), _cells(target, session)
        # Sessions of one speaker share nothing with another: they are permuted as a whole.
        alone = _speakers_of(cell, speaker) == 1
        cell = np.where(alone, renumber(target), target.max() + 1 + cell)
        return across, PairPermutation(block, renumber(cell)), ""
    cell = _cells(target, session)
    within, permutation = Kind(WITHIN, session, None, (SESSION,)), PairPermutation(each, cell)
    reason = _too_few(within, target, speaker, _ANY)
    if _free_share(permutation, speaker) < _MIN_SHARE:
        reason = (
            "cannot be separated from the recording, as most speakers were recorded alone and in "
            "one session"
        )
    return within, permutation, reason


def _too_few(
    kind: Kind, target: np.ndarray, speaker: np.ndarray, least: tuple[int, int] = _ENOUGH
) -> str:
    """Why too few pairs are of this kind, or ""; `least` pairs of one speaker, of such speakers."""
    first, _ = pairs_of_one(kind, target, speaker)
    if len(first) < least[0] or len(np.unique(speaker[first])) < least[1]:
        return "has too few pairs of utterances of one speaker"
    content = renumber(target) if kind.content is None else _cells(target, kind.content)
    return "" if (_speakers_of(content, speaker) > 1).any() else "has no pairs of two speakers"


def pairs_of_one(
    kind: Kind, target: np.ndarray, speaker: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of the kind whose utterances are of one speaker, once: int[m] each."""
    group = _cells(target, speaker)
    if kind.content is not None:
        group = _cells(group, kind.content)
    order = np.argsort(group, kind="stable")
    place = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    # The k-th utterance of a group makes a pair with each of the k before it.
    later = np.repeat(np.arange(len(order)), place)
    step = np.arange(len(later)) - np.repeat(np.cumsum(place) - place, place)
    first, second = order[later - place[later] + step], order[later]
    if kind.recording is None:
        return first, second
    differ = kind.recording[first] != kind.recording[second]
    return first[differ], second[differ]


def _free_share(permutation: PairPermutation, speaker: np.ndarray) -> float:
    """The share of utterances whose cell holds two speakers or more."""
    return float((_speakers_of(permutation.cell, speaker) > 1).mean())


def _speakers_of(cell: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """int[n]: the number of speakers in the cell of each utterance; cells from 0."""
    return np.bincount(np.unique(np.stack([cell, speaker]), axis=1)[0])[cell]


def _cells(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """int32[n]: the combinations of two numberings, numbered from 0."""
    return renumber(a.astype(np.int64) * (int(b.max()) + 1) + b)


def _log_factorials(counts: np.ndarray) -> float:
    return float(scipy.special.gammaln(counts + 1).sum())
