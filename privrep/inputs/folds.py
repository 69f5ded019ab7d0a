"""Who trains, who chooses and who tests: folds in which no speaker is in two parts."""

from collections.abc import Sequence

import numpy as np

from privrep.types import Split, Utterance

# A share without any speaker of some value is worse than any unevenness.
_MISSING = 1e3
# A share this close to the fair one is even: to go on to the best division would put the same
# speakers together under every seed.
_EVEN = 0.1
# Exchanging two groups compares all pairs. With more groups than this, moving one at a time finds
# folds as even, and pairs would cost gigabytes.
_PAIRS = 500


def make_folds(
    utterances: Sequence[Utterance], folds: str, seed: int, balance: Sequence[str] = ("gender",)
) -> Split:
    """`official_folds` for "official", else `speaker_folds` with that many folds, as in "5".

    Raises:
      ValueError: neither, or what those two raise.
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
    """Speaker-independent cross-validation.

    The speakers are dealt out to `num_folds` shares. Fold k tests on share k, chooses on share
    k + 1 (the last fold on share 0) and trains on the others, so every utterance is tested once.
    Shares are made alike, within a tenth if that is found, in utterances and speakers, in total and
    for every value of each attribute in `balance`; first of all each gets every value, if the
    speakers allow it.

    Recordings of one session stay together, and so do the sessions of one speaker, if every
    utterance names its session and that leaves at least `num_folds` groups, none with more than
    twice a fair share of the utterances. Otherwise each speaker is a group.

    Args:
      utterances: N of them, every speaker known: leave out the others, and count them, before.
      num_folds: K, at least 3.
      seed: another seed deals out differently. The order of the utterances does not matter.
      balance: names in `Utterance.private`; unknown values and attributes are no obstacle.

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
    share = _deal(_contents(utterances, groups, balance), num_folds, seed)[groups]
    fold = np.arange(num_folds)[:, None]
    test, val = share == fold, share == (fold + 1) % num_folds
    return Split(train=~(test | val), val=val, test=test)


def _groups(utterances: Sequence[Utterance], num_folds: int) -> np.ndarray:
    """int[N]: utterances of one number may not be divided. Independent of the utterances' order."""
    if all(u.session is not None for u in utterances):
        together = _sessions_of_shared_speakers(utterances)
        groups = np.unique([together[u.session] for u in utterances], return_inverse=True)[1]
        sizes = np.bincount(groups)
        if len(sizes) >= num_folds and sizes.max() * num_folds <= 2 * len(utterances):
            return groups
    return np.unique([u.speaker for u in utterances], return_inverse=True)[1]


def _sessions_of_shared_speakers(utterances: Sequence[Utterance]) -> dict[str, str]:
    """{session: first of the sessions that speakers, directly or by way of others, tie to it}"""
    first = {u.session: u.session for u in utterances}

    def find(session: str) -> str:
        while first[session] != session:
            first[session] = first[first[session]]
            session = first[session]
        return session

    session_of = {}
    for speaker, session in sorted({(u.speaker, u.session) for u in utterances}):
        a, b = find(session), find(session_of.setdefault(speaker, session))
        first[max(a, b)] = min(a, b)
    return {session: find(session) for session in first}


def _contents(
    utterances: Sequence[Utterance], groups: np.ndarray, balance: Sequence[str]
) -> np.ndarray:
    """float[G, J]: each group's utterances and speakers, in total and for each balanced value."""
    counted = [list(zip(groups.tolist(), (u.speaker for u in utterances)))]
    for attribute in balance:
        values = [u.private.get(attribute) for u in utterances]
        for value in sorted({v for v in values if v is not None}):
            counted.append([row for row, v in zip(counted[0], values) if v == value])
    columns = [
        np.bincount([group for group, _ in rows], minlength=groups.max() + 1)
        for each in counted
        for rows in (each, set(each))
    ]
    return np.stack(columns, -1).astype(np.float64)


def _deal(contents: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """int[G] in [0, num_folds): greedy in an order drawn from the seed, then local search.

    A share that holds x[J] costs

        sum_j max(0, |x_j / fair_j - 1| - _EVEN)^2 + _MISSING * (x_j = 0)

    with fair_j the mean over the shares. The first term is convex, so no share stays empty while
    another has two groups.
    """
    fair = contents.sum(0) / num_folds

    def cost(held: np.ndarray) -> np.ndarray:
        uneven = np.maximum(np.abs(held / fair - 1) - _EVEN, 0) ** 2
        return (uneven + _MISSING * (held == 0)).sum(-1)

    order = np.random.default_rng(seed).permutation(len(contents))
    contents = contents[order]
    share = np.zeros(len(contents), np.int64)
    held = np.zeros((num_folds, contents.shape[1]))
    for group, content in enumerate(contents):
        share[group] = np.argmin(cost(held + content) - cost(held))
        held[share[group]] += content
    while step := _move(contents, share, held, cost) or _exchange(contents, share, held, cost):
        for group, to in step:
            held[share[group]] -= contents[group]
            held[to] += contents[group]
            share[group] = to
    dealt = np.empty_like(share)
    dealt[order] = share
    return dealt


def _move(contents, share, held, cost) -> list[tuple[int, int]]:
    """The best change of one group's share, [(group, share)], or [] where none lowers the cost."""
    leave = cost(held[share] - contents) - cost(held)[share]
    enter = cost(held + contents[:, None]) - cost(held)
    change = leave[:, None] + enter
    change[np.arange(len(share)), share] = 0.0
    group, to = np.unravel_index(np.argmin(change), change.shape)
    return [(group, to)] if change[group, to] < -1e-9 else []


def _exchange(contents, share, held, cost) -> list[tuple[int, int]]:
    """The best exchange of two groups, [(group, share), (group, share)], or []."""
    if len(contents) > _PAIRS:
        return []
    replaced = cost((held[share] - contents)[:, None] + contents) - cost(held)[share][:, None]
    change = np.where(share[:, None] == share, 0.0, replaced + replaced.T)
    one, other = np.unravel_index(np.argmin(change), change.shape)
    return [(one, share[other]), (other, share[one])] if change[one, other] < -1e-9 else []


def official_folds(utterances: Sequence[Utterance]) -> Split:
    """The corpus's own split as one fold. Whether it shares speakers, `lint_split` tells.

    Returns:
      bool[1, N] each.

    Raises:
      ValueError: an utterance has no part, or one that is none of train, val and test.
    """
    astray = [u for u in utterances if u.split not in Split._fields]
    if astray:
        raise ValueError(
            f"{len(astray)} of {len(utterances)} utterances are in none of the parts "
            f"{', '.join(Split._fields)} of an official split, the first is {astray[0].id} "
            f"({astray[0].split or 'no split'}): leave them out, or use --folds=5"
        )
    part = np.array([u.split for u in utterances], dtype=object)
    return Split(*((part == name)[None] for name in Split._fields))
