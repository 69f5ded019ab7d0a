"""Equal error rates over all pairs of a kind, under every labelling of the speakers (host).

There are many pairs, few of them of one speaker: all are ranked once, and under permuted labels
only the ranks of the pairs of one speaker are looked up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.leakage.pair_kinds import Drawn, Kind, pairs_of_one
from privrep.types import renumber

_BINS = 4096  # of the scores, for standard errors


class _Places(NamedTuple):
    """Where the matrices [n_t, n_t] of all targets, end to end, hold a pair.

    Attributes:
      target: int[n], ascending.
      start, size: int[T], the first utterance of a target, and n_t.
    """

    target: np.ndarray
    start: np.ndarray
    size: np.ndarray

    def of(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """int[m]: of pairs of places among the n utterances."""
        target = self.target[first]
        before = (np.cumsum(self.size**2) - self.size**2)[target]
        start, size = self.start[target], self.size[target]
        return before + (first - start) * size + second - start


class Ranks(NamedTuple):
    """The scores of the pairs of one kind by one backend, ranked.

    Attributes:
      places: where `of_pair` holds a pair.
      of_pair: int32; 0 is the most similar pair, ties are equal. Pairs of another kind have no
        meaning.
      up_to: int64[L], the number of pairs whose level is at most this.
      first, second: int[M], the pairs, as places among the n utterances.
    """

    places: _Places
    of_pair: np.ndarray
    up_to: np.ndarray
    first: np.ndarray
    second: np.ndarray


def rank_pairs(similar: Sequence[np.ndarray], kind: Kind, drawn: Drawn) -> Ranks:
    """The ranks of all pairs of the kind; similarities float[n_t, n_t] of each target."""
    scores, pairs = [], []
    start = np.searchsorted(drawn.target, np.arange(len(similar)))
    for of_target, first in zip(similar, start):
        i, j = np.triu_indices(len(of_target), 1)
        kept = np.ones(len(i), bool)
        if kind.content is not None:
            kept &= kind.content[first + i] == kind.content[first + j]
        if kind.recording is not None:
            kept &= kind.recording[first + i] != kind.recording[first + j]
        i, j = i[kept], j[kept]
        of_pairs = of_target[i, j]
        if len(of_pairs):
            of_pairs = (of_pairs - of_pairs.mean()) / max(of_pairs.std(), 1e-12)
        scores.append(of_pairs)
        pairs.append(np.stack([first + i, first + j]))
    first, second = np.concatenate(pairs, 1)
    level = np.unique(-np.concatenate(scores), return_inverse=True)[1].astype(np.int32)
    sizes = np.array([len(of_target) for of_target in similar])
    places = _Places(drawn.target, start, sizes)
    of_pair = np.zeros(int((sizes**2).sum()), np.int32)
    of_pair[places.of(first, second)] = of_pair[places.of(second, first)] = level
    return Ranks(places, of_pair, np.cumsum(np.bincount(level)), first, second)


def scores_of(
    backends: Sequence[Ranks], kind: Kind, drawn: Drawn, labels: np.ndarray
) -> np.ndarray:
    """1 - equal error rate of each backend under each labelling int[P, n]: float[A, P]."""
    scores = np.zeros((len(backends), len(labels)))
    for p, speaker in enumerate(labels):
        first, second = pairs_of_one(kind, drawn.target, speaker)
        for a, ranks in enumerate(backends):
            positive = ranks.of_pair[ranks.places.of(first, second)]
            scores[a, p] = 1 - _equal_error_rate(np.sort(positive), ranks.up_to)
    return scores


def _equal_error_rate(positive: np.ndarray, up_to: np.ndarray) -> float:
    """`attack_scores.equal_error_rate` of items of which few are positive, by bisection.

    Args:
      positive: int[m], the levels of the positive items, ascending; level 0 has the highest score.
      up_to: int[L], the number of items whose level is at most this.
    """
    num_positive, num = len(positive), int(up_to[-1])
    if not 0 < num_positive < num:
        return 0.5

    def rates(level: int) -> tuple[float, float]:
        """False positives, and false positives less false negatives, which increase with level."""
        if level < 0:
            return 0.0, -1.0
        hits = int(np.searchsorted(positive, level, side="right"))
        false = (int(up_to[level]) - hits) / (num - num_positive)
        return false, false - 1 + hits / num_positive

    low, high = -1, len(up_to) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rates(middle)[1] >= 0 else (middle, high)
    (false, gap), (false_high, gap_high) = rates(low), rates(high)
    return false + (false_high - false) * -gap / (gap_high - gap)


def standard_error(ranks: Ranks, speaker: np.ndarray) -> float:
    """Standard error over speakers by the jackknife: all pairs of one are left out at a time.

        error^2 = (S - 1) / S sum_s (score without s - mean)^2

    Where the pairs have more than 4096 different scores, scores count as equal within 4096 ranges.
    """
    number, first, second = renumber(speaker), ranks.first, ranks.second
    same = speaker[first] == speaker[second]
    num_levels = len(ranks.up_to)
    num_bins, num_speakers = min(num_levels, _BINS), int(number.max()) + 1
    level = ranks.of_pair[ranks.places.of(first, second)].astype(np.int64)
    scores_bin = level * num_bins // num_levels

    def counts(kept: np.ndarray) -> np.ndarray:
        """int[S, bins]: the pairs `kept` bool[M] without those of a speaker."""
        without = np.tile(np.bincount(scores_bin[kept], minlength=num_bins), (num_speakers, 1))
        ends = [number[first[kept]]]
        if not same[kept].all():
            ends.append(number[second[kept]])
        for end in ends:  # both utterances of a pair of one speaker are his: it is taken off once
            place = end * num_bins + scores_bin[kept]
            without -= np.bincount(place, minlength=without.size).reshape(without.shape)
        return without

    true, false = counts(same).cumsum(1), counts(~same).cumsum(1)
    usable = (true[:, -1] > 0) & (false[:, -1] > 0)
    if usable.sum() < 2:
        return 1.0
    true, false = ((c / c[:, -1:])[..., :] for c in (true[usable], false[usable]))
    true, false = (np.concatenate([np.zeros((len(c), 1)), c], 1) for c in (true, false))
    gap = false - 1 + true
    j, row = (gap >= 0).argmax(1), np.arange(len(gap))
    share = -gap[row, j - 1] / (gap[row, j] - gap[row, j - 1])
    left_out = false[row, j - 1] + share * (false[row, j] - false[row, j - 1])
    return float(np.sqrt((len(left_out) - 1) * np.var(left_out)))
