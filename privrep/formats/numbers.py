"""Columns of numbers, such as ages in years: what counts as one, and bins of it (host)."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.messages import first, nearest

# Bins with as many speakers in each as ties allow, by name; to add one, write a line.
QUANTILES = {"halves": 2, "tertiles": 3, "quartiles": 4, "quintiles": 5}
MANY = 12  # a column with more different numbers than this is no column of numbered classes
SOME = 5  # likewise where a number is that of one speaker only, from which no class can be learned
_NUMBER = r"-?\d+(?:\.\d+)?"
AGES = (0, 120)  # years
_CODE = 3  # digits of a postcode, at least; ages and days may be written 05
_LOOSE = re.compile(r"(?P<number>[+-]?\d+(?:[.,]\d+)?)\s*(?P<unit>(?:[^\W\d_]+\.?)?)")
_INTERVAL = re.compile(
    rf"(?:(?P<name>[^:<>]+):)?(?:(?P<sign><=?|>=?)(?P<bound>{_NUMBER})"
    rf"|(?P<low>{_NUMBER})-(?P<high>{_NUMBER}))"
)
_FORMS = (
    f"{', '.join(QUANTILES)}, or intervals such as <30,30-50,>50 (30-50 holds both its ends) or "
    "with names, young:<30,old:>=30"
)


class NumberBin(NamedTuple):
    """The numbers from `low` to `high`, both included."""

    name: str
    low: float
    high: float


Bins = int | tuple[NumberBin, ...]  # a number of quantiles, or intervals


class SpeakerBins(NamedTuple):
    """The bins of a number over all speakers, each of whom counts once.

    Attributes:
      name_of: {speaker: name of the bin}, None where a speaker is in none.
      intervals: the bins, ascending where they are quantiles.
      note: a sentence on them, with the number of speakers in each.
    """

    name_of: dict[str, str | None]
    intervals: tuple[NumberBin, ...]
    note: str


def number_of(cell: str | None) -> float | None:
    """The finite number that a cell is; None where it is none.

    >>> number_of("31.5"), number_of("thirty"), number_of("inf")
    (31.5, None, None)
    """
    try:
        number = float(cell or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_numbers(cells: Sequence[str | None]) -> np.ndarray | None:
    """float64[N], NaN where a cell is empty; None where one is no number, or all are empty."""
    numbers = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        if cell is None or cell == "":
            continue
        number = number_of(cell)
        if number is None:
            return None
        numbers[i] = number
    return numbers if np.isfinite(numbers).any() else None


def loose_numbers(cells: Sequence[str | None]) -> np.ndarray | None:
    """float64[N] of cells with a decimal comma or one unit, NaN where a cell is empty.

    None where a cell is nothing of the kind, or units differ, as in 1a and 1b.

    >>> loose_numbers(["19,5", "20"]), loose_numbers(["45 years", "1 year"])
    (array([19.5, 20. ]), array([45.,  1.]))
    """
    numbers, units = np.full(len(cells), np.nan), set()
    for i, cell in enumerate(cells):
        if cell is None or cell == "":
            continue
        match = _LOOSE.fullmatch(cell.strip())
        if not match:
            return None
        numbers[i] = float(match["number"].replace(",", "."))
        units.add(match["unit"].casefold().rstrip(".").removesuffix("s"))
    return numbers if np.isfinite(numbers).any() and len(units - {""}) < 2 else None


def are_codes(cells: Iterable[str | None]) -> bool:
    """Whether all cells that are not empty are digits of one length, some with a 0 before others.

    Postcodes are such names; numbers are written so only where asked.

    >>> are_codes(["01067", "10115"]), are_codes(["0", "10"]), are_codes(["05", "12"])
    (True, False, False)
    """
    known = {cell for cell in cells if cell}
    lengths = set(map(len, known))
    are_digits = len(lengths) == 1 and lengths.pop() >= _CODE and all(map(str.isdecimal, known))
    return are_digits and any(cell.startswith("0") for cell in known)


def implausible_ages(cells: Sequence[str]) -> dict[str, list[int]]:
    """{cell: its rows} of the numbers that are no age in years, such as 999 and -1.

    >>> implausible_ages(["31", "999", "", "-1", "999"])
    {'999': [1, 4], '-1': [3]}
    """
    low, high = AGES
    rows: dict[str, list[int]] = {}
    for row, cell in enumerate(cells):
        number = number_of(cell)
        if number is not None and not low <= number <= high:
            rows.setdefault(cell, []).append(row)
    return rows


def is_quantity(numbers: np.ndarray, speaker: np.ndarray) -> bool:
    """Whether numbers measure something, rather than number classes (0 female, 1 male).

    They do if there are more than 12 different ones, or at least 5 of which one is that of a single
    speaker.

    Args:
      numbers: float64[N], NaN where unknown.
      speaker: int[N].
    """
    known = np.isfinite(numbers)
    pairs = np.unique(np.stack([numbers[known], speaker[known]]), axis=1)[0]
    owners = np.unique(pairs, return_counts=True)[1]
    return len(owners) > MANY or (len(owners) >= SOME and owners.min() == 1)


def parse_bins(text: str) -> dict[str, Bins]:
    """{attribute: bins} of "age=tertiles;height=<170,>=170"; "" stands for every attribute.

    Raises:
      ValueError: another form, or an attribute twice.

    >>> parse_bins("tertiles"), parse_bins("age=quartiles")
    ({'': 3}, {'age': 4})
    """
    bins_of: dict[str, Bins] = {}
    for part in (part.strip() for part in text.split(";")) if text else ():
        named = re.fullmatch(r"([^=<>:,]+)=(.*)", part)
        name, bins = (named[1].strip(), named[2]) if named else ("", part)
        if name in bins_of:
            raise ValueError(f"two bins for {name or 'every attribute'}")
        bins_of[name] = _bins(bins)
    return bins_of


def bin_speakers(attribute: str, numbers: Mapping[str, float], bins: Bins) -> SpeakerBins:
    """Bins of speakers by a number of each.

    A bin of quantiles is called by its lowest and highest number, "21-27".

    Args:
      attribute: its name, for messages.
      numbers: {speaker: number}.
      bins: see `parse_bins`.

    Raises:
      ValueError: fewer different numbers than quantiles, a number in two intervals, or an interval
        without a speaker.

    >>> bin_speakers("age", {"a": 20, "b": 30, "c": 40, "d": 50}, 2).name_of
    {'a': '20-30', 'b': '20-30', 'c': '40-50', 'd': '40-50'}
    """
    intervals = _quantiles(attribute, numbers, bins) if isinstance(bins, int) else bins
    name_of = {s: _name(attribute, number, intervals) for s, number in numbers.items()}
    counts = Counter(name_of.values())
    if empty := [interval.name for interval in intervals if not counts[interval.name]]:
        raise ValueError(
            f"no speaker is in {first(empty)} of {attribute}, which goes from "
            f"{min(numbers.values()):g} to {max(numbers.values()):g}"
        )
    classes = ", ".join(f"{i.name} ({counts[i.name]} speakers)" for i in intervals)
    note = f"{attribute} in bins over all speakers: {classes}"
    if counts[None]:
        note += f"; {counts[None]} speakers are in none"
    return SpeakerBins(name_of, intervals, note)


def _bins(text: str) -> Bins:
    if text in QUANTILES:
        return QUANTILES[text]
    intervals = []
    for part in (part.strip() for part in text.split(",")):
        match = _INTERVAL.fullmatch(part)
        if not match:
            raise ValueError(f"{part!r} is none of {_FORMS}{nearest(part, QUANTILES)}")
        intervals.append(_interval(match))
    names = [interval.name for interval in intervals]
    if len(intervals) < 2 or len({*names}) < len(names):
        raise ValueError(f"{text!r}: two intervals or more, each of another name, expected")
    return tuple(intervals)


def _interval(match: re.Match[str]) -> NumberBin:
    name = (match["name"] or match[0]).strip()
    if match["sign"]:
        bound, sign = float(match["bound"]), match["sign"]
        if sign[0] == "<":
            return NumberBin(
                name, -math.inf, bound if "=" in sign else np.nextafter(bound, -np.inf)
            )
        return NumberBin(name, bound if "=" in sign else np.nextafter(bound, np.inf), math.inf)
    low, high = float(match["low"]), float(match["high"])
    if not low <= high:
        raise ValueError(f"{match[0]!r} ends before it begins")
    return NumberBin(name, low, high)


def _quantiles(
    attribute: str, numbers_of: Mapping[str, float], count: int
) -> tuple[NumberBin, ...]:
    numbers = np.sort(np.array([*numbers_of.values()]))
    places = np.flatnonzero(np.diff(numbers) > 0) + 1  # where one may cut
    if len(places) < count - 1:
        raise ValueError(
            f"{attribute} has {len(places) + 1} different numbers among "
            f"{len(numbers)} speakers, which make no {count} bins"
        )
    cuts = [0]
    for i in range(1, count):
        wanted = i * len(numbers) / count
        possible = places[(places > cuts[-1])]
        possible = possible[: len(possible) - (count - 1 - i)]  # leaves some for the others
        cuts.append(int(possible[np.argmin(np.abs(possible - wanted))]))
    lows, highs = numbers[cuts], numbers[[*(c - 1 for c in cuts[1:]), len(numbers) - 1]]
    return tuple(
        NumberBin(f"{low:g}-{high:g}" if low < high else f"{low:g}", float(low), float(high))
        for low, high in zip(lows, highs)
    )


def _name(attribute: str, number: float, intervals: Sequence[NumberBin]) -> str | None:
    names = [interval.name for interval in intervals if interval.low <= number <= interval.high]
    if len(names) > 1:
        raise ValueError(
            f"{attribute} {number:g} is in {' and in '.join(names)}; write < or > "
            "where a bound belongs to one of them"
        )
    return names[0] if names else None
