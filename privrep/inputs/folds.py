"""Speaker-independent folds: splits into training, validation and test part (host)."""

from collections.abc import Callable, Sequence

import numpy as np

from privrep.types import Split, Utterance

# Cost of a share without any speaker of some value: higher than that of any imbalance.
_MISSING_COST = 1e3
# Relative deviation from the fair share that costs nothing. An exact optimum would put the same
# speakers together under every seed.
_TOLERANCE = 0.1
# Swaps of two groups compare all pairs. With more groups than this, moving one group at a time
# balances the folds as well, and the pairs would take gigabytes.
_MAX_SWAPPED_GROUPS = 500

_Cost = Callable[[np.ndarray], np.ndarray]
_Step = list[tuple[int, int]]  # (group, its new share)


def make_folds(
    utterances: Sequence[Utterance], folds: str, seed: int, balance: Sequence[str] = ("gender",)
) -> Split:
    """`official_folds` for "official", `speaker_folds` with that many folds for a number ("5").

    Raises:
      ValueError: `folds` is neither, or as those two functions.
    """
    if folds == "official":
        return official_folds(utterances)
    if not folds.isdecimal():
        raise ValueError(
            f"unknown folds {folds!r}: choose official (the corpus's own split), or the number of "
            "speaker-independent folds, at least 3, such as 5"
        )
    return speaker_folds(utterances, int(folds), seed, balance)


def speaker_folds(
    utterances: Sequence[Utterance],
    num_folds: int,
    seed: int,
    balance: Sequence[str] = ("gender",),
) -> Split:
    """Draws the folds of a speaker-independent cross-validation.

    The speakers are divided into `num_folds` shares. Fold k tests on share k, validates on share
    k + 1 (the last fold on share 0) and trains on the others, so every utterance is tested once.
    The shares are balanced in the numbers of utterances and speakers, in total and for every value
    of each attribute in `balance`, within a tenth where such a division is found. That every share
    has every value comes first, if the speakers allow it.

    Recordings of one session stay together, and so do the sessions of one speaker, if every
    utterance names its session and that leaves at least `num_folds` groups, none with more than
    twice a fair share of the utterances. Otherwise each speaker is a group.

    Args:
      utterances: N of them, every speaker known; leave the others out before.
      num_folds: K, at least 3.
      seed: of the division. The order of the utterances has no influence.
      balance: names in `Utterance.private`; unknown values and attributes are ignored.

    Returns:
      bool[K, N] each.

    Raises:
      ValueError: fewer than 3 folds, an unknown speaker, or fewer speakers than folds.
    """
    if num_folds < 3:
        raise ValueError(f"folds={num_folds}: training, validation and test need at least 3 folds")
    unknown = [u.id for u in utterances if u.speaker is None]
    if unknown:
        raise ValueError(
            f"{len(unknown)} of {len(utterances)} utterances have no known speaker, the first is "
            f"{unknown[0]}: speaker-independent folds cannot place them, leave them out"
        )
    groups = _groups(utterances, num_folds)
    if groups.max(initial=-1) + 1 < num_folds:
        raise ValueError(
            f"{groups.max(initial=-1) + 1} speakers cannot make {num_folds} speaker-independent "
            "folds: use fewer folds, or more speakers"
        )
    share = _divide(_contents(utterances, groups, balance), num_folds, seed)[groups]
    fold = np.arange(num_folds)[:, None]
    test, val = share == fold, share == (fold + 1) % num_folds
    return Split(train=~(test | val), val=val, test=test)


def _groups(utterances: Sequence[Utterance], num_folds: int) -> np.ndarray:
    """int[N]: number of the group that must not be divided, whatever the order of utterances."""
    speakers = [u.speaker or "" for u in utterances]  # all are known
    sessions = [u.session for u in utterances if u.session is not None]
    if len(sessions) == len(utterances):
        roots = _connected_sessions(speakers, sessions)
        names = np.array([roots[session] for session in sessions])
        groups = np.unique(names, return_inverse=True)[1]
        sizes = np.bincount(groups)
        if len(sizes) >= num_folds and sizes.max() * num_folds <= 2 * len(utterances):
            return groups
    return np.unique(np.array(speakers), return_inverse=True)[1]


def _connected_sessions(speakers: Sequence[str], sessions: Sequence[str]) -> dict[str, str]:
    """{session: first session of its connected component}; a common speaker connects sessions."""
    parent = {session: session for session in sessions}

    def root(session: str) -> str:
        while parent[session] != session:
            parent[session] = parent[parent[session]]
            session = parent[session]
        return session

    session_of: dict[str, str] = {}
    for speaker, session in sorted(set(zip(speakers, sessions))):
        a, b = root(session), root(session_of.setdefault(speaker, session))
        parent[max(a, b)] = min(a, b)
    return {session: root(session) for session in parent}


def _contents(
    utterances: Sequence[Utterance], groups: np.ndarray, balance: Sequence[str]
) -> np.ndarray:
    """float[G, J]: numbers of utterances and speakers, in total and for each balanced value."""
    pairs = list(zip(groups.tolist(), (u.speaker for u in utterances)))
    subsets = [pairs]
    for attribute in balance:
        values = [u.private.get(attribute) for u in utterances]
        for value in sorted({v for v in values if v is not None}):
            subsets.append([pair for pair, v in zip(pairs, values) if v == value])
    columns = [
        np.bincount([group for group, _ in counted], minlength=groups.max() + 1)
        for subset in subsets
        for counted in (subset, set(subset))  # utterances, speakers
    ]
    return np.stack(columns, -1).astype(np.float64)


def _divide(contents: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """int[G] in [0, num_folds): each group's share, by greedy assignment and then local search.

    The greedy assignment takes the groups in an order drawn from the seed. A share with the
    contents x[J] costs

        sum_j max(0, |x_j / fair_j - 1| - _TOLERANCE)^2 + _MISSING_COST * (x_j = 0)

    with fair_j the mean over the shares. The first term is convex, so no share stays empty while
    another has two groups.
    """
    fair = contents.sum(0) / num_folds

    def cost(held: np.ndarray) -> np.ndarray:
        imbalance = np.maximum(np.abs(held / fair - 1) - _TOLERANCE, 0) ** 2
        return (imbalance + _MISSING_COST * (held == 0)).sum(-1)

    order = np.random.default_rng(seed).permutation(len(contents))
    contents = contents[order]
    share = np.zeros(len(contents), np.int64)
    held = np.zeros((num_folds, contents.shape[1]))
    for group, content in enumerate(contents):
        share[group] = np.argmin(cost(held + content) - cost(held))
        held[share[group]] += content
    while step := _best_move(contents, share, held, cost) or _best_swap(
        contents, share, held, cost
    ):
        for group, new_share in step:
            held[share[group]] -= contents[group]
            held[new_share] += contents[group]
            share[group] = new_share
    in_order = np.empty_like(share)
    in_order[order] = share
    return in_order


def _best_move(contents: np.ndarray, share: np.ndarray, held: np.ndarray, cost: _Cost) -> _Step:
    """The move of one group that lowers the cost most, or [] if none lowers it."""
    leave = cost(held[share] - contents) - cost(held)[share]
    enter = cost(held + contents[:, None]) - cost(held)
    change = leave[:, None] + enter
    change[np.arange(len(share)), share] = 0.0
    group, new_share = map(int, np.unravel_index(np.argmin(change), change.shape))
    return [(group, new_share)] if change[group, new_share] < -1e-9 else []


def _best_swap(contents: np.ndarray, share: np.ndarray, held: np.ndarray, cost: _Cost) -> _Step:
    """The swap of two groups that lowers the cost most, or [] if none lowers it."""
    if len(contents) > _MAX_SWAPPED_GROUPS:
        return []
    replaced = cost((held[share] - contents)[:, None] + contents) - cost(held)[share][:, None]
    change = np.where(share[:, None] == share, 0.0, replaced + replaced.T)
    a, b = map(int, np.unravel_index(np.argmin(change), change.shape))
    return [(a, int(share[b])), (b, int(share[a]))] if change[a, b] < -1e-9 else []


def official_folds(utterances: Sequence[Utterance]) -> Split:
    """The corpus's official split as one fold. `lint_split` reports speakers in two parts.

    Returns:
      bool[1, N] each.

    Raises:
      ValueError: an utterance has no part, or one that is none of train, val and test.
    """
    without_part = [u for u in utterances if u.split not in Split._fields]
    if without_part:
        raise ValueError(
            f"{len(without_part)} of {len(utterances)} utterances are in none of the parts "
            f"{', '.join(Split._fields)} of an official split, the first is {without_part[0].id} "
            f"({without_part[0].split or 'no split'}): leave them out, or use --folds=5"
        )
    part = np.array([u.split for u in utterances], dtype=object)
    return Split(*((part == name)[None] for name in Split._fields))
