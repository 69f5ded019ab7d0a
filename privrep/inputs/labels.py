"""Integer labels of emotion tasks and private attributes (host). The label -1 means unknown.

A binning sets two thresholds, `low` and `high`, that divide ratings into three levels:

    low level: rating <= low;   mid level: low < rating <= high;   high level: rating > high
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from privrep.formats.columns import our_name
from privrep.messages import nearest
from privrep.types import Utterance

LEVELS = ("low", "mid", "high")
CONTINUOUS = "continuous"  # in place of a binning: the rating itself is predicted

# Mean ratings are fractions printed with few digits: 7/3 is written as 2.3333 or as 2.333333. A
# rating this close to a threshold counts as equal to it.
_PRINT_PRECISION = 1e-4

Scale = tuple[float, float]
Thresholds = tuple[float, float]


def _stated(scale: Scale | None) -> Scale:
    if scale is None:
        raise ValueError(
            "these bins divide the rating scale, which this corpus does not state: state it, or "
            "use the bins tertiles or two numbers such as 2.5:3.5"
        )
    return scale


def _midpoint(scale: Scale | None, ratings: np.ndarray) -> Thresholds:
    lowest, highest = _stated(scale)
    middle, sixteenth = (lowest + highest) / 2, (highest - lowest) / 16
    return middle - sixteenth, middle + sixteenth


def _thirds(scale: Scale | None, ratings: np.ndarray) -> Thresholds:
    lowest, highest = _stated(scale)
    third = (highest - lowest) / 3
    return lowest + third, lowest + 2 * third


def _tertiles(scale: Scale | None, ratings: np.ndarray) -> Thresholds:
    if not ratings.size:
        raise ValueError("tertiles need ratings in the training part, and there are none")
    low, high = np.quantile(ratings, [1 / 3, 2 / 3])
    return float(low), float(high)


# Binnings by name: (scale, ratings of the training part float[M]) -> (low, high). To add one, write
# such a function and a line here; --bins and its help follow.
BINNINGS: dict[str, Callable[[Scale | None, np.ndarray], Thresholds]] = {
    "midpoint": _midpoint,
    "thirds": _thirds,
    "tertiles": _tertiles,
}


def thresholds(
    binning: str, scale: Scale | None, ratings: np.ndarray, train: np.ndarray
) -> Thresholds:
    """Computes the two thresholds between the levels low, mid and high.

    Args:
      binning: "midpoint" (middle of the scale -/+ 1/16 of its range: 2.75 and 3.25 on 1-5),
        "thirds" (of the scale), "tertiles" (of the training part's ratings), or the two numbers
        themselves, "LOW:HIGH", such as "2.5:3.5".
      scale: lowest and highest possible rating; None suffices for tertiles and numbers.
      ratings: float[N], NaN where unknown.
      train: bool[N], the ratings that tertiles are computed from; other binnings ignore ratings.

    Returns:
      (low, high), low < high.

    Raises:
      ValueError: an unknown binning, a missing scale, or thresholds that leave a level empty.

    >>> thresholds("midpoint", (1.0, 5.0), np.array([2.0, 4.0]), np.array([True, True]))
    (2.75, 3.25)
    """
    if binning in BINNINGS:
        known = train & ~np.isnan(ratings)
        low, high = BINNINGS[binning](scale, np.asarray(ratings, np.float64)[known])
    else:
        low, high = two_numbers(binning)
        if scale is not None and not scale[0] <= low <= high < scale[1]:
            raise ValueError(
                f"bins {binning!r} leave a level without ratings on the scale "
                f"{scale[0]:g} to {scale[1]:g}: choose {scale[0]:g} <= LOW < HIGH < {scale[1]:g}"
            )
    if not low < high:
        raise ValueError(
            f"bins {binning!r} put both thresholds at {low:g}, which leaves no mid level: "
            "use other bins, such as two numbers LOW:HIGH"
        )
    return low, high


def task_ratings(utterances: Sequence[Utterance], task: str) -> np.ndarray:
    """The ratings that a regression predicts: float64[N], NaN where unknown.

    Raises:
      ValueError: the task is no rating; the message lists the ratings of the corpus.
    """
    if not any(task in u.ratings for u in utterances):
        counts = Counter(name for u in utterances for name in u.ratings)
        what = "has no ratings" if any(task in u.categories for u in utterances) else "is not there"
        raise ValueError(
            f"a regression predicts a rating, and task {task!r} {what}: {_available(counts, task)};"
            " choose one, or for a task of categories leave --bins=continuous out"
        )
    return np.array([u.ratings.get(task, np.nan) for u in utterances], np.float64)


def levels_of_regression(ratings: np.ndarray, train: np.ndarray) -> np.ndarray:
    """int32[N], three levels of ratings with about as many of the training part in each.

    Folds are spread and questions about h are asked by them; the network never sees them. They are
    tertiles, moved apart where many ratings are equal.

    Args:
      ratings: float[N], NaN where unknown.
      train: bool[N].

    Raises:
      ValueError: fewer than three different ratings in the training part.
    """
    known = ratings[train & ~np.isnan(ratings)]
    distinct = np.unique(known)
    if len(distinct) < 3:
        raise ValueError(
            f"a regression needs three different ratings in the training part, which has "
            f"{len(distinct)}: predict levels, without --bins=continuous"
        )
    low, high = np.searchsorted(distinct, np.quantile(known, [1 / 3, 2 / 3], method="lower"))
    low = min(int(low), len(distinct) - 3)
    high = min(max(int(high), low + 1), len(distinct) - 2)
    return levels(ratings, (float(distinct[low]), float(distinct[high])))


def two_numbers(binning: str) -> Thresholds:
    """Parses "LOW:HIGH".

    Raises:
      ValueError: `binning` has another form; the message lists the names in BINNINGS too.
    """
    try:
        low, high = (float(number) for number in binning.split(":"))
    except ValueError:
        raise ValueError(
            f"unknown bins {binning!r}: choose {', '.join(BINNINGS)}, "
            "or two numbers LOW:HIGH such as 2.5:3.5"
        ) from None
    return low, high


def levels(ratings: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """int32[N] levels of float[N] ratings: 0 low, 1 mid, 2 high, -1 where the rating is NaN.

    >>> levels(np.array([2.0, 3.0, 4.0, np.nan]), (2.75, 3.25)).tolist()
    [0, 1, 2, -1]
    """
    low, high = thresholds
    ratings = np.asarray(ratings, np.float64)
    level = np.where(ratings > low + _PRINT_PRECISION, 1, 0)
    level += ratings > high + _PRINT_PRECISION
    return np.where(np.isnan(ratings), -1, level).astype(np.int32)


def task_labels(
    utterances: Sequence[Utterance], task: str, binning: str, train: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of an emotion task.

    Args:
      utterances: N of them.
      task: a rating (activation, valence, ...), binned into levels, or a category (emotion, ...),
        numbered by its class names: sorted, but low, mid, high in that order.
      binning: as in `thresholds`; ignored for a category. "continuous" stands for a regression,
        whose labels are those of `levels_of_regression`.
      train: bool[N], the training part, for binnings that depend on ratings.

    Returns:
      (int32[N], -1 unknown; class names)

    Raises:
      ValueError: the corpus has no such task (the message lists those it has), fewer than two
        classes occur, a rating is off the scale, or there is more than one scale.
    """
    rated = [u for u in utterances if task in u.ratings]
    named = [u for u in utterances if task in u.categories]
    if rated and named:
        raise ValueError(
            f"task {task!r} has a rating in utterance {rated[0].id} and a category in utterance "
            f"{named[0].id}: a task has one kind of label, rename one of them"
        )
    if binning == CONTINUOUS:
        ratings = task_ratings(utterances, task)
        _scale_of(rated, task)
        return levels_of_regression(ratings, train), LEVELS
    if named:
        return _numbered([u.categories.get(task) for u in utterances], f"task {task!r}")
    if not rated:
        counts = Counter(name for u in utterances for name in (*u.ratings, *u.categories))
        raise ValueError(
            f"no task {task!r} in this corpus: {_available(counts, task)}; "
            "choose one by --task=NAME"
        )
    ratings = np.array([u.ratings.get(task, np.nan) for u in utterances], np.float64)
    codes = levels(ratings, thresholds(binning, _scale_of(rated, task), ratings, train))
    if len(np.unique(codes[codes >= 0])) < 2:
        raise ValueError(
            f"task {task!r}, bins {binning!r}: all {len(rated)} ratings are in the level "
            f"{LEVELS[codes.max()]!r}, and a task needs two; use other bins"
        )
    return codes, LEVELS


def _scale_of(rated: Sequence[Utterance], task: str) -> Scale | None:
    scales = sorted({u.scale for u in rated if u.scale is not None})
    if len(scales) > 1:
        raise ValueError(f"task {task!r} is rated on several scales, {scales}: divide the corpus")
    if not scales:
        return None
    low, high = scales[0]
    off_scale = [u for u in rated if not low <= u.ratings[task] <= high]
    if off_scale:
        raise ValueError(
            f"task {task!r}: {len(off_scale)} of {len(rated)} ratings are off the scale {low:g} to "
            f"{high:g}, the first in utterance {off_scale[0].id} "
            f"({off_scale[0].ratings[task]:g}); correct the label or the scale"
        )
    return low, high


def private_labels(
    utterances: Sequence[Utterance], attribute: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of a private attribute: "speaker", or a name in `Utterance.private`.

    Returns:
      (int32[N], -1 unknown; the attribute's values, sorted)

    Raises:
      ValueError: no such attribute (the message lists those that exist), or fewer than two values.
    """
    counts = Counter(name for u in utterances for name in u.private)
    counts["speaker"] = sum(u.speaker is not None for u in utterances)
    if not counts[attribute]:
        raise ValueError(
            f"no private attribute {attribute!r} in this corpus: "
            f"{_available(+counts, attribute)}; choose one by --private=NAME"
        )
    values = [u.speaker if attribute == "speaker" else u.private.get(attribute) for u in utterances]
    return _numbered(values, f"private attribute {attribute!r}")


def _numbered(values: Sequence[str | None], what: str) -> tuple[np.ndarray, tuple[str, ...]]:
    known = {value for value in values if value is not None}
    is_level = known <= {*LEVELS}
    names = tuple(name for name in LEVELS if name in known) if is_level else tuple(sorted(known))
    if len(names) < 2:
        raise ValueError(
            f"{what}: every known utterance has the one value {names[0]!r}, and two are needed"
        )
    number = {None: -1} | {name: index for index, name in enumerate(names)}
    return np.array([number[value] for value in values], np.int32), names


def _available(counts: Counter[str], requested: str) -> str:
    if not counts:
        return "it has none"
    names = ", ".join(f"{name} ({counts[name]} utterances)" for name in sorted(counts))
    here = our_name(requested)
    meant = f" ({requested} is called {here} here)" if here in counts else ""
    return f"it has {names}{meant or nearest(requested, counts)}"


def recode_to_part(labels: np.ndarray, part: np.ndarray, num_classes: int) -> np.ndarray:
    """Renumbers the classes that occur in `part` as 0, 1, ...; any other class becomes -1.

    A speaker adversary of a speaker-independent fold has only the training speakers as classes.

    Args:
      labels: int32[N] below `num_classes`, -1 unknown.
      part: bool[N].
      num_classes: number of classes in the corpus.

    Returns:
      int32[N], below the number of classes that occur in the part.

    >>> recode_to_part(np.array([2, 0, 1]), np.array([True, False, True]), 3).tolist()
    [1, -1, 0]
    """
    present = np.unique(labels[part & (labels >= 0)])
    new = np.full(num_classes + 1, -1, np.int32)  # the last entry is read by label -1
    new[present] = np.arange(len(present), dtype=np.int32)
    return new[labels]


def rare_classes(
    labels: np.ndarray, part: np.ndarray, names: Sequence[str], share: float = 0.05
) -> dict[str, int]:
    """{class name: count} of the classes with less than `share` of the part's known labels.

    Args:
      labels: int32[N], -1 unknown.
      part: bool[N].
      names: one per class. A class that does not occur is rare, with count 0.
      share: fraction of the known labels.
    """
    counts = np.bincount(labels[part & (labels >= 0)], minlength=len(names))
    return {n: int(c) for n, c in zip(names, counts) if c < share * counts.sum()}
