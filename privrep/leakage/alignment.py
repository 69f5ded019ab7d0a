"""The alignment of a table with h, tested by whether any column is read above chance (host).

If the table is in another order, every attacker is at chance whatever h reveals, and the verdict
would be no_leak_shown. A column that h is associated with more than permuted labels are shows
that the order is right. An h in which speakers cannot be told apart is not suspect by that: another
column, such as the emotion, may be read.

The statistic of a column is how far its classes lie apart in h (the sum of squares between classes,
along principal directions as they are, and again with directions evened out), or how much its
numbers are correlated with them. Nothing is trained, so that hundreds of permutations take a
second; the permutations make the test exact, see `family_test`.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from privrep.attacks.scaling import standardised
from privrep.leakage.subsample import draw_evenly
from privrep.statistics.correlation import midranks
from privrep.types import renumber

SPEAKER = "speaker"
ALPHA = 0.01  # after Holm over the columns, of which the first step is Bonferroni's
PERMUTATIONS = 499
MAX_COLUMNS = 20
_FIRST = 99  # permutations after which a column that is nowhere near is given up
_GIVE_UP = 0.10
_UTTERANCES = 2_000
_DIRECTIONS = 256
_RIDGE = 0.01  # of the mean variance, where directions are evened out
_ROUNDING = 1e-6


_FEWEST = 8  # rows of a column
_FEWEST_SPEAKERS = 3
_DOUBT = (
    "All speakers have as many rows, one after another, so that a table with the speakers in "
    "another order would look the same: give ids if that may be."
)


class Alignment(NamedTuple):
    """Why rows are taken to belong together.

    Attributes:
      by: "ids" on both sides, "caller" who says so, "column" that is read, or "nothing".
      column: that is read from h; "" where none is or none had to be. It is looked for, too, where
        the caller vouches for the order.
      tried: {column: p}, each by itself, in the order in which they were tried; after the one that
        is read no other is.
      needed: p of a column that is read, at most.
      sentence: the same in words.
      doubt: what the column that is read, or the word of the caller, does not show; "" where
        nothing is left.
    """

    by: str
    column: str
    tried: dict[str, float]
    needed: float
    sentence: str
    doubt: str = ""

    @property
    def is_known(self) -> bool:
        """Whether rows belong together."""
        return self.by != "nothing"


BY_IDS = Alignment("ids", "", {}, ALPHA, "Rows were joined by the ids of both inputs.")
BY_CALLER = Alignment("caller", "", {}, ALPHA, "Rows belong together by the word of the caller.")


_UNCONFIRMED = {  # what is left open where no column could be read
    BY_CALLER.by: "That the rows stand in one order is the word of the caller alone (--aligned): "
    "no column of the labels could be read from the representations ({}). If the order is wrong, "
    "these numbers do not show what is revealed.",
    BY_IDS.by: "Rows were joined by their ids, and no column of the labels could be read from the "
    "representations ({}): if the ids of one side belong to other utterances, these numbers do "
    "not show what is revealed. Compare a few by hand.",
}


def believed(given: Alignment, tested: Alignment) -> Alignment:
    """Combines trust in ids, or in the caller, with the outcome of the test.

    They are trusted; where no column could be read, nothing supports them, which is a `doubt`.

    Args:
      given: BY_IDS or BY_CALLER.
    """
    if tested.is_known:
        return tested._replace(by=given.by, sentence=f"{given.sentence} {tested.sentence}")
    names = ", ".join(tested.tried) or "none could be tried"
    doubt = _UNCONFIRMED[given.by].format(names)
    return given._replace(tried=tested.tried, needed=tested.needed, doubt=doubt)


def align(
    h: np.ndarray, speaker: np.ndarray, columns: Mapping[str, np.ndarray], seed: int
) -> Alignment:
    """Whether a column of the table is read from h.

    Labels are permuted within speakers where they vary there, else between speakers. Of speakers
    it is asked, last, whether the rows of one are alike: the rows are permuted, and, as a table
    may have the speakers in another order, the runs of rows of one speaker. Where all runs are of
    one length, such a table cannot be told from the right one, which is a `doubt`.

    Args:
      h: float[N, D].
      speaker: int32[N] from 0.
      columns: {name: int[N] classes from 0, -1 unknown, or float[N] numbers, NaN unknown}, but the
        speaker; those that may be read first, as at most MAX_COLUMNS are tried.
      seed: of permutations, and of the rows drawn from more than 2,000.
    """
    rows = draw_evenly(speaker, _UTTERANCES, seed)
    x, who = _directions(h[rows]), renumber(speaker[rows])
    is_even = _is_even(speaker)
    tests: dict[str, Callable[[int], float]] = {}
    doubtful: set[str] = set()
    for name, values in columns.items():
        known = _known(values[rows])
        if len(tests) < MAX_COLUMNS - 1 and _is_testable(values[rows][known]):
            tests[name] = partial(_of_column, x, who, values[rows], seed)
            if is_even and _alternates_alike(values, speaker):
                doubtful.add(name)
    if len(speaker) > speaker.max() + 1:
        tests[SPEAKER] = partial(_of_speakers, h, speaker, seed)
        doubtful |= {SPEAKER} if is_even else set()
    needed = ALPHA / max(len(tests), 1)
    count = max(PERMUTATIONS, int(np.ceil(1 / needed)) - 1)
    tried: dict[str, float] = {}
    for name, test in tests.items():
        tried[name] = test(count)
        if tried[name] <= needed:
            sentence = (
                f"Rows belong together: the representations predict {name} better than permuted "
                f"labels do (p = {tried[name]:.2g}, of {len(tests)} columns)."
            )
            doubt = _DOUBT if name in doubtful else ""
            return Alignment("column", name, tried, needed, sentence, doubt)
    names = ", ".join(tried) or "none that could be tried"
    return Alignment(
        "nothing",
        "",
        tried,
        needed,
        "Rows were joined by position, and no column of the labels is read from the "
        f"representations above chance ({names}), as if the rows stood in another order.",
    )


def _known(values: np.ndarray) -> np.ndarray:
    return ~np.isnan(values) if values.dtype.kind == "f" else values >= 0


def _is_testable(values: np.ndarray) -> bool:
    """Whether known values are shared, or numbers, and not all are equal."""
    kinds, counts = np.unique(values, return_counts=True)
    if len(values) < _FEWEST or len(kinds) < 2:
        return False
    return values.dtype.kind == "f" or ((counts >= 2).sum() >= 2 and 2 * len(kinds) <= len(values))


def _alternates_alike(values: np.ndarray, speaker: np.ndarray) -> bool:
    """Whether values vary within speakers, in the same order in each: speakers may be permuted."""
    by_speaker = np.nan_to_num(values, nan=-1).reshape(speaker.max() + 1, -1)
    return bool((by_speaker == by_speaker[0]).all() and np.ptp(by_speaker[0]) > 0)


def _directions(h: np.ndarray) -> np.ndarray:
    """float32[N, r]: coordinates along the principal directions of h."""
    x = standardised(h)
    gram = x.T @ x if x.shape[1] <= len(x) else x @ x.T
    values, vectors = np.linalg.eigh(gram)
    kept = np.flatnonzero(values > 1e-9 * max(values[-1], 1e-30))[-_DIRECTIONS:]
    if x.shape[1] <= len(x):
        coordinates = x @ vectors[:, kept]
    else:
        coordinates = vectors[:, kept] * np.sqrt(values[kept])
    return coordinates.astype(np.float32)


_Order = Callable[[np.random.Generator], np.ndarray]  # int[n], a permutation of the rows


def _of_speakers(h: np.ndarray, speaker: np.ndarray, seed: int, count: int) -> float:
    """p of the rows of a speaker being alike, and where they would be so in another order too."""
    first = max((len(speaker) - _UTTERANCES) // 2, 0)
    rows = np.arange(first, min(first + _UTTERANCES, len(speaker)))  # their order is looked at
    if len(np.unique(speaker[rows])) < _FEWEST_SPEAKERS:
        rows = draw_evenly(speaker, _UTTERANCES, seed)
    x, who = _directions(h[rows]), renumber(speaker[rows])
    p, _ = _p_value(x, who, lambda rng: rng.permutation(len(who)), count, seed)
    if p > ALPHA or _is_even(who):
        return p
    begins, lengths = _runs(who)
    runs = [np.arange(begin, begin + length) for begin, length in zip(begins, lengths)]

    def reordered(rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([runs[i] for i in rng.permutation(len(runs))])

    of_runs, is_exceeded = _p_value(x, who, reordered, count, seed)
    return max(p, of_runs) if is_exceeded else p


def _runs(speaker: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int[k] each: where rows of one speaker begin, and how many follow one another."""
    begins = np.flatnonzero(np.diff(speaker, prepend=-1))
    return begins, np.diff(begins, append=len(speaker))


def _is_even(speaker: np.ndarray) -> bool:
    """Whether every speaker has as many rows, one after another."""
    begins, lengths = _runs(speaker)
    return len(begins) == speaker.max() + 1 and len(np.unique(lengths)) == 1


def _of_column(
    x: np.ndarray, speaker: np.ndarray, values: np.ndarray, seed: int, count: int
) -> float:
    known = np.flatnonzero(_known(values))
    known = known[np.argsort(speaker[known], kind="stable")]
    values, who, x = values[known], renumber(speaker[known]), x[known]
    first = np.flatnonzero(np.diff(who, prepend=-1))
    means = np.add.reduceat(x, first, 0) / np.bincount(who)[:, None]
    if values.dtype.kind == "f":
        values = midranks(values)
    if (values != values[first][who]).any():

        def within(rng: np.random.Generator) -> np.ndarray:
            return np.lexsort((rng.random(len(who)), who))

        return _p_value(x - means[who], values, within, count, seed)[0]

    # A speaker counts once: the rows of one are alike whatever the column.
    def between(rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(len(first))

    return _p_value(means, values[first], between, count, seed)[0]


def _p_value(
    x: np.ndarray,
    values: np.ndarray,
    order: _Order,
    count: int,
    seed: int,
) -> tuple[float, bool]:
    """p of the association of `values` with x [n, r], and whether a permutation exceeds it.

    After 99 permutations a column whose p is over 0.1 is given up: p is that of these.
    """
    x = x - x.mean(0)
    variance = x.var(0)
    unit = variance + _RIDGE * max(float(variance.mean()), 1e-30)
    scores: list[np.ndarray] = []
    for labelling in _labellings(values, order, count, seed):
        between = _between(x, labelling)
        evened = between / unit
        scores.append(np.array([between.sum(), evened.sum()]))
        if len(scores) == _FIRST + 1:
            p, exceeded = _rank(np.array(scores))
            if p > _GIVE_UP:
                return p, exceeded
    return _rank(np.array(scores))


def _labellings(values: np.ndarray, order: _Order, count: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    yield values
    for _ in range(count):
        yield values[order(rng)]


def _between(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float64[r]: the sum of squares between classes, or along numbers, in each direction."""
    if values.dtype.kind == "f":
        centred = values - values.mean()
        return (centred @ x) ** 2 / max(float(centred @ centred), 1e-30)
    by_class = np.argsort(values, kind="stable")
    first = np.flatnonzero(np.diff(values[by_class], prepend=-1))
    sums = np.add.reduceat(x[by_class], first, 0, dtype=np.float64)
    return (sums**2 / np.diff(first, append=len(values))[:, None]).sum(0)


def _rank(scores: np.ndarray) -> tuple[float, bool]:
    """p of the first of scores float[P, 2], by the higher of the two standardised ones."""
    spread = np.maximum(scores.std(0), 1e-9 * np.abs(scores).max(0) + 1e-30)
    highest = ((scores - scores.mean(0)) / spread).max(1)
    rounding = _ROUNDING * max(1.0, abs(float(highest[0])))
    p = float((highest >= highest[0] - rounding).mean())
    return p, bool((highest > highest[0] + rounding).any())
