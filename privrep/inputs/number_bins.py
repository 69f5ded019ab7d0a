"""Bins of a private attribute that is a number, such as an age in years (host).

They are made once, over all speakers, each of whom counts once and has one class.
"""

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.messages import first, nearest, shown
from privrep.types import Utterance

# Bins with as many speakers in each as ties allow, by name; to add one, write a line.
QUANTILES = {"halves": 2, "tertiles": 3, "quartiles": 4, "quintiles": 5}
_NUMBER = r"-?\d+(?:\.\d+)?"
_INTERVAL = re.compile(
    rf"(?:(?P<name>[^:<>]+):)?(?:(?P<sign><=?|>=?)(?P<bound>{_NUMBER})"
    rf"|(?P<low>{_NUMBER})-(?P<high>{_NUMBER}))"
)
_FORMS = (
    f"{', '.join(QUANTILES)}, or intervals such as <30,30-50,>50 (30-50 holds both its ends) or "
    "with names, young:<30,old:>=30"
)


class Interval(NamedTuple):
    """The numbers from `low` to `high`, both included."""

    name: str
    low: float
    high: float


Bins = int | tuple[Interval, ...]  # a number of quantiles, or intervals


class Binned(NamedTuple):
    """Utterances whose number has become a class, and a sentence on the classes."""

    utterances: list[Utterance]
    notes: list[str]


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


def _interval(match: re.Match[str]) -> Interval:
    name = (match["name"] or match[0]).strip()
    if match["sign"]:
        bound, sign = float(match["bound"]), match["sign"]
        if sign[0] == "<":
            return Interval(name, -math.inf, bound if "=" in sign else np.nextafter(bound, -np.inf))
        return Interval(name, bound if "=" in sign else np.nextafter(bound, np.inf), math.inf)
    low, high = float(match["low"]), float(match["high"])
    if not low <= high:
        raise ValueError(f"{match[0]!r} ends before it begins")
    return Interval(name, low, high)


def bin_numbers(
    utterances: Sequence[Utterance], attributes: Iterable[str], bins_of: Mapping[str, Bins]
) -> Binned:
    """Replaces the numbers of private attributes by the names of their bins.

    A speaker of whom several numbers are known has their median. A bin of quantiles is called by
    its lowest and highest number, "21-27".

    Args:
      utterances: a corpus.
      attributes: the private attributes that are used.
      bins_of: see `parse_bins`; "" bins every used attribute whose values are all numbers.

    Raises:
      ValueError: an attribute that is not used or no number, fewer different numbers than
        quantiles, a number in two intervals, or an interval without a speaker.
    """
    attributes = [name for name in attributes if name != "speaker"]
    unused = [name for name in bins_of if name and name not in attributes]
    if unused:
        raise ValueError(
            f"--private_bins={unused[0]}=…: --private has no {unused[0]}, only "
            f"{', '.join(attributes) or 'speaker'}{nearest(unused[0], attributes)}"
        )
    numeric = [
        a for a in attributes if a in bins_of or ("" in bins_of and is_numeric(utterances, a))
    ]
    if bins_of and not numeric:
        raise ValueError(
            f"--private_bins: no number to bin, {', '.join(attributes) or 'speaker'} is in words"
        )
    result, notes = [*utterances], []
    for name in numeric:
        result, note = _bin_attribute(result, name, bins_of.get(name, bins_of.get("", 0)))
        notes.append(note)
    return Binned(result, notes)


def is_numeric(utterances: Sequence[Utterance], attribute: str) -> bool:
    """Whether the attribute is known, and a number wherever it is known."""
    values = {u.private[attribute] for u in utterances if attribute in u.private}
    return bool(values) and all(_number(value) is not None for value in values)


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _bin_attribute(
    utterances: Sequence[Utterance], attribute: str, bins: Bins
) -> tuple[list[Utterance], str]:
    of_speaker: dict[str, list[float]] = {}
    for u in utterances:
        if attribute in u.private:
            number = _number(u.private[attribute])
            if number is None:
                raise ValueError(
                    f"--private_bins: {attribute} is {shown(u.private[attribute])} in utterance "
                    f"{u.id}, which is no number: words are classes already, without bins"
                )
            if u.speaker is not None:
                of_speaker.setdefault(u.speaker, []).append(number)
    if not of_speaker:
        raise ValueError(f"--private_bins: {attribute} is known of no speaker")
    number_of = {speaker: float(np.median(numbers)) for speaker, numbers in of_speaker.items()}
    intervals = _quantiles(attribute, number_of, bins) if isinstance(bins, int) else bins
    name_of = {s: _name(attribute, number, intervals) for s, number in number_of.items()}
    counts = Counter(name_of.values())
    if empty := [interval.name for interval in intervals if not counts[interval.name]]:
        raise ValueError(
            f"--private_bins: no speaker is in {first(empty)} of {attribute}, which goes from "
            f"{min(number_of.values()):g} to {max(number_of.values()):g}"
        )
    classes = ", ".join(f"{i.name} ({counts[i.name]} speakers)" for i in intervals)
    note = f"{attribute} in bins over all speakers: {classes}"
    if counts[None]:
        note += f"; {counts[None]} speakers are in none"
    varying = sum(len({*numbers}) > 1 for numbers in of_speaker.values())
    if varying:
        note += f"; {varying} speakers have several numbers and were put in the bin of the median"
    return [_with_class(u, attribute, name_of.get(u.speaker or "")) for u in utterances], note


def _quantiles(attribute: str, number_of: Mapping[str, float], count: int) -> tuple[Interval, ...]:
    numbers = np.sort(np.array([*number_of.values()]))
    places = np.flatnonzero(np.diff(numbers) > 0) + 1  # where one may cut
    if len(places) < count - 1:
        raise ValueError(
            f"--private_bins: {attribute} has {len(places) + 1} different numbers among "
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
        Interval(f"{low:g}-{high:g}" if low < high else f"{low:g}", float(low), float(high))
        for low, high in zip(lows, highs)
    )


def _name(attribute: str, number: float, intervals: Sequence[Interval]) -> str | None:
    names = [interval.name for interval in intervals if interval.low <= number <= interval.high]
    if len(names) > 1:
        raise ValueError(
            f"--private_bins: {attribute} {number:g} is in {' and in '.join(names)}; write < or > "
            "where a bound belongs to one of them"
        )
    return names[0] if names else None


def _with_class(utterance: Utterance, attribute: str, name: str | None) -> Utterance:
    if attribute not in utterance.private:
        return utterance
    private = {k: v for k, v in utterance.private.items() if k != attribute}
    return dataclasses.replace(
        utterance, private=private if name is None else {**private, attribute: name}
    )
