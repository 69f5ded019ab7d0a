"""Speaker-independent folds: splits into training, validation and test part (host)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, sparse

from privrep.messages import first
from privrep.types import Split, Utterance, renumber

# Cost of each speaker of some value that a share lacks: higher than that of any imbalance.
_MISSING_COST = 1e3
# Relative deviation from the fair share that costs nothing. An exact optimum would put the same
# speakers together under every seed.
_TOLERANCE = 0.1
# Swaps of two groups compare all pairs. With more groups than this, moving one group at a time
# balances the folds as well, and the pairs would take gigabytes.
_MAX_SWAPPED_GROUPS = 500

_ATTEMPTS = 8  # local searches for shares with every class, before one that is exact
_EXACT_SECONDS = 10.0
_MOST_TRIED = 20  # folds, when the most that work are looked for

_Cost = Callable[[np.ndarray], np.ndarray]
_Step = list[tuple[int, int]]  # (group, its new share)


class Needed(NamedTuple):
    """The classes of a task, or of a private attribute, that every part of every fold needs.

    Attributes:
      name: of the task or attribute.
      classes: names; one that no utterance has is needed too.
      codes: int[N], the class of each utterance, -1 unknown.
      speakers: number of speakers of each class that a training part needs.
      remedy: what else than fewer folds would help, a sentence with {enough} for the classes that
        have speakers enough for the folds.
    """

    name: str
    classes: Sequence[str]
    codes: np.ndarray
    speakers: int = 1
    remedy: str = ""


def make_folds(
    utterances: Sequence[Utterance],
    folds: str,
    seed: int,
    balance: Sequence[str] = ("gender",),
    needed: Sequence[Needed] = (),
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
    return speaker_folds(utterances, int(folds), seed, balance, needed)


def speaker_folds(
    utterances: Sequence[Utterance],
    num_folds: int,
    seed: int,
    balance: Sequence[str] = ("gender",),
    needed: Sequence[Needed] = (),
) -> Split:
    """Draws the folds of a speaker-independent cross-validation.

    The speakers are divided into `num_folds` shares. Fold k tests on share k, validates on share
    k + 1 (the last fold on share 0) and trains on the others, so every utterance is tested once.
    The shares are balanced in the numbers of utterances and speakers, in total and for every value
    of each attribute in `balance`, within a tenth where such a division is found. That every share
    has every value comes first, if the speakers allow it. Where these shares lack a class that is
    needed, shares are sought that are balanced in the needed classes too and lack none.

    Recordings of one session stay together, and so do the sessions of one speaker, if every
    utterance names its session and that leaves at least `num_folds` groups, none with more than
    twice a fair share of the utterances. Otherwise each speaker is a group.

    Args:
      utterances: N of them, every speaker known; leave the others out before.
      num_folds: K, at least 3.
      seed: of the division. The order of the utterances has no influence.
      balance: names in `Utterance.private`; unknown values and attributes are ignored.
      needed: classes that no part may lack.

    Returns:
      bool[K, N] each.

    Raises:
      ValueError: fewer than 3 folds, an unknown speaker, fewer speakers than folds, or a class that
        cannot be in every part; the message names the most folds that work.
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
    share = _shares(utterances, num_folds, seed, balance, needed)
    if share is None:
        raise ValueError(_refusal(utterances, num_folds, seed, balance, needed))
    fold = np.arange(num_folds)[:, None]
    test, val = share == fold, share == (fold + 1) % num_folds
    return Split(train=~(test | val), val=val, test=test)


def _shares(
    utterances: Sequence[Utterance],
    num_folds: int,
    seed: int,
    balance: Sequence[str],
    needed: Sequence[Needed],
) -> np.ndarray | None:
    """int[N] in [0, num_folds): shares that lack no needed class; None where none are found."""
    groups = _groups(utterances, num_folds)
    if groups.max(initial=-1) + 1 < num_folds:
        return None
    contents = _contents(utterances, groups, _values(utterances, balance))
    share = _divide(contents, num_folds, np.random.default_rng(seed))
    if not needed:
        return share[groups]
    of_classes = _contents(utterances, groups, [n for of in needed for n in _by_class(of)])[:, 2:]
    speakers = of_classes[:, 1::2]
    least = np.array([_least(of, num_folds) for of in needed for _ in of.classes], np.float64)
    if _has_all(share, speakers, least, num_folds):
        return share[groups]
    if _lacking(speakers, least, num_folds).any():
        return None
    contents = np.concatenate([contents, of_classes], 1)
    lowest = np.ones(contents.shape[1])
    lowest[-2 * len(least) + 1 :: 2] = least
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        share = _divide(contents, num_folds, rng, lowest)
        if _has_all(share, speakers, least, num_folds):
            return share[groups]
    exact = _exact(contents[:, 0], speakers, least, num_folds)
    if exact is None:
        return None
    cost = _cost(contents, num_folds, lowest)
    return _improved(contents, exact, num_folds, cost)[groups]


def _least(of: Needed, num_folds: int) -> int:
    """Speakers of each class that a share needs: a training part consists of num_folds - 2."""
    return -(-of.speakers // (num_folds - 2))


def _lacking(speakers: np.ndarray, least: np.ndarray, num_folds: int) -> np.ndarray:
    """bool[C]: classes that are in fewer groups than shares, or have too few speakers for them."""
    return ((speakers > 0).sum(0) < num_folds) | (speakers.sum(0) < least * num_folds)


def _has_all(share: np.ndarray, speakers: np.ndarray, least: np.ndarray, num_folds: int) -> bool:
    held = np.zeros((num_folds, len(least)))
    np.add.at(held, share, speakers)
    return bool((held >= least).all())


def _exact(
    size: np.ndarray, speakers: np.ndarray, least: np.ndarray, num_folds: int
) -> np.ndarray | None:
    """int[G]: the shares that lack no class and whose largest is smallest, by integer programming.

    Args:
      size: float[G], utterances of each group.
      speakers: float[G, C], speakers of each class in it.
      least: float[C], speakers of each class that a share needs.
    """
    count = len(size)
    # x[g, k], whether group g is in share k, in this order; then the size of the largest share.
    once = sparse.kron(sparse.eye(count), np.ones((1, num_folds)))
    once = sparse.hstack([once, np.zeros((count, 1))])
    held = sparse.kron(speakers.T, sparse.eye(num_folds))
    held = sparse.hstack([held, np.zeros((held.shape[0], 1))])
    largest = sparse.hstack(
        [sparse.kron(size[None], sparse.eye(num_folds)), -np.ones((num_folds, 1))]
    )
    solved = optimize.milp(
        np.append(np.zeros(count * num_folds), 1.0),
        integrality=np.append(np.ones(count * num_folds), 0),
        bounds=optimize.Bounds(0, np.append(np.ones(count * num_folds), np.inf)),
        constraints=[
            optimize.LinearConstraint(once.tocsr(), 1, 1),
            optimize.LinearConstraint(held.tocsr(), np.repeat(least, num_folds), np.inf),
            optimize.LinearConstraint(largest.tocsr(), -np.inf, 0),
        ],
        options={"time_limit": _EXACT_SECONDS},
    )
    if solved.x is None:
        return None
    return solved.x[:-1].reshape(count, num_folds).argmax(1)


def _refusal(
    utterances: Sequence[Utterance],
    num_folds: int,
    seed: int,
    balance: Sequence[str],
    needed: Sequence[Needed],
) -> str:
    """Which classes cannot be in every part of so many folds, how many folds work, what else."""
    groups = _groups(utterances, num_folds)
    counts, rare, remedies = {}, [], []
    for of in needed:
        speakers = _contents(utterances, groups, _by_class(of))[:, 3::2]
        least = np.full(len(of.classes), _least(of, num_folds))
        is_rare = _lacking(speakers, least, num_folds)
        for name, column, lacks in zip(of.classes, speakers.T, is_rare):
            text = f"{of.name} {name} has {column.sum():.0f} speakers"
            if (column > 1).any():
                text += f" in {(column > 0).sum()} groups of sessions"
            counts[text] = column.sum()
            rare += [text] * bool(lacks)
        if is_rare.any() and of.remedy:
            enough = [name for name, lacks in zip(of.classes, is_rare) if not lacks]
            remedies.append(of.remedy.format(enough=",".join(enough) if len(enough) > 1 else "…"))
    bound = int(min(_MOST_TRIED, *counts.values()))
    most = next(
        (
            k
            for k in range(bound, 2, -1)
            if k != num_folds and _shares(utterances, k, seed, balance, needed) is not None
        ),
        None,
    )
    if rare:
        reason = f"too few for every part: {first(rare, most=8)}"
    else:
        fewest = sorted(counts, key=lambda text: counts[text])
        reason = "no division of the speakers has every class in every part; the rarest: "
        reason += first(fewest, most=4)
    advice = f"Use --folds={most}, the most that work" if most else "No number of folds works"
    return (
        f"--folds={num_folds}: {reason}. {(', or ' if most else ': ').join([advice, *remedies])}."
    )


def _groups(utterances: Sequence[Utterance], num_folds: int) -> np.ndarray:
    """int[N]: number of the group that must not be divided, whatever the order of utterances."""
    speakers = [u.speaker or "" for u in utterances]  # all are known
    sessions = [u.session for u in utterances if u.session is not None]
    if len(sessions) == len(utterances):
        roots = _connected_sessions(speakers, sessions)
        names = np.array([roots[session] for session in sessions])
        groups = renumber(names)
        sizes = np.bincount(groups)
        if len(sizes) >= num_folds and sizes.max() * num_folds <= 2 * len(utterances):
            return groups
    return renumber(np.array(speakers))


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


def _values(utterances: Sequence[Utterance], balance: Sequence[str]) -> list[np.ndarray]:
    """bool[N] for each value of each attribute: the utterances that have it."""
    having = []
    for attribute in balance:
        values = [u.private.get(attribute) for u in utterances]
        for value in sorted({v for v in values if v is not None}):
            having.append(np.array([v == value for v in values]))
    return having


def _by_class(of: Needed) -> list[np.ndarray]:
    """bool[N] for each class: the utterances that have it."""
    return [of.codes == i for i in range(len(of.classes))]


def _contents(
    utterances: Sequence[Utterance], groups: np.ndarray, having: Sequence[np.ndarray]
) -> np.ndarray:
    """float[G, 2 + 2 J]: utterances and speakers of each group, in all and of each of J subsets."""
    pairs = list(zip(groups.tolist(), (u.speaker for u in utterances)))
    subsets = [pairs, *([pairs[i] for i in np.flatnonzero(has)] for has in having)]
    columns = [
        np.bincount(np.array([group for group, _ in counted], int), minlength=groups.max() + 1)
        for subset in subsets
        for counted in (subset, set(subset))  # utterances, speakers
    ]
    return np.stack(columns, -1).astype(np.float64)


def _divide(
    contents: np.ndarray,
    num_folds: int,
    rng: np.random.Generator,
    least: np.ndarray | float = 1.0,
) -> np.ndarray:
    """int[G] in [0, num_folds): each group's share, by greedy assignment and then local search.

    The greedy assignment takes the groups in an order drawn by `rng`. `least` is float[J], see
    `_cost`.
    """
    cost = _cost(contents, num_folds, least)
    order = rng.permutation(len(contents))
    contents = contents[order]
    share = np.zeros(len(contents), np.int64)
    held = np.zeros((num_folds, contents.shape[1]))
    for group, content in enumerate(contents):
        share[group] = np.argmin(cost(held + content) - cost(held))
        held[share[group]] += content
    in_order = np.empty_like(share)
    in_order[order] = _improved(contents, share, num_folds, cost)
    return in_order


def _cost(contents: np.ndarray, num_folds: int, least: np.ndarray | float) -> _Cost:
    """The cost of shares with the contents x[..., J], of groups with the contents [G, J].

        sum_j max(0, |x_j / fair_j - 1| - _TOLERANCE)^2 + _MISSING_COST * max(0, least_j - x_j)

    with fair_j the mean over the shares, and counts x_j. The first term is convex, so no share
    stays empty while another has two groups.
    """
    fair = contents.sum(0) / num_folds

    def cost(held: np.ndarray) -> np.ndarray:
        imbalance = np.maximum(np.abs(held / fair - 1) - _TOLERANCE, 0) ** 2
        return (imbalance + _MISSING_COST * np.maximum(least - held, 0)).sum(-1)

    return cost


def _improved(contents: np.ndarray, share: np.ndarray, num_folds: int, cost: _Cost) -> np.ndarray:
    """int[G]: the shares after moves and swaps of groups, each of which lowers the cost most."""
    share = share.copy()
    held = np.zeros((num_folds, contents.shape[1]))
    np.add.at(held, share, contents)
    while step := _best_move(contents, share, held, cost) or _best_swap(
        contents, share, held, cost
    ):
        for group, new_share in step:
            held[share[group]] -= contents[group]
            held[new_share] += contents[group]
            share[group] = new_share
    return share


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
