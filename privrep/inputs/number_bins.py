"""Bins of a private attribute that is a number, such as an age in years (host).

They are made once, over all speakers, each of whom counts once and has one class.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.formats.numbers import Bins, are_codes, bin_speakers, number_of
from privrep.messages import nearest, shown
from privrep.types import Utterance


class Binned(NamedTuple):
    """Utterances whose number has become a class, and a sentence on the classes."""

    utterances: list[Utterance]
    notes: list[str]


def bin_numbers(
    utterances: Sequence[Utterance], attributes: Iterable[str], bins_of: Mapping[str, Bins]
) -> Binned:
    """Replaces the numbers of private attributes by the names of their bins.

    The numbers themselves are kept in `Utterance.numbers`.

    A speaker of whom several numbers are known has their median. A bin of quantiles is called by
    its lowest and highest number, "21-27".

    Args:
      utterances: a corpus.
      attributes: the private attributes that are used.
      bins_of: see `numbers.parse_bins`; "" bins every used attribute whose values are all numbers.

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
    """Whether the attribute is known, and a number and no code wherever it is known."""
    values = {u.private[attribute] for u in utterances if attribute in u.private}
    return (
        bool(values)
        and not are_codes(values)
        and all(number_of(value) is not None for value in values)
    )


def _bin_attribute(
    utterances: Sequence[Utterance], attribute: str, bins: Bins
) -> tuple[list[Utterance], str]:
    of_speaker: dict[str, list[float]] = {}
    for u in utterances:
        if attribute in u.private:
            number = number_of(u.private[attribute])
            if number is None:
                raise ValueError(
                    f"--private_bins: {attribute} is {shown(u.private[attribute])} in utterance "
                    f"{u.id}, which is no number: words are classes already, without bins"
                )
            if u.speaker is not None:
                of_speaker.setdefault(u.speaker, []).append(number)
    if not of_speaker:
        raise ValueError(f"--private_bins: {attribute} is known of no speaker")
    medians = {speaker: float(np.median(numbers)) for speaker, numbers in of_speaker.items()}
    try:
        binned = bin_speakers(attribute, medians, bins)
    except ValueError as error:
        raise ValueError(f"--private_bins: {error}") from error
    note = binned.note
    varying = sum(len({*numbers}) > 1 for numbers in of_speaker.values())
    if varying:
        note += f"; {varying} speakers have several numbers and were put in the bin of the median"
    return [
        _with_class(u, attribute, binned.name_of.get(u.speaker or "")) for u in utterances
    ], note


def _with_class(utterance: Utterance, attribute: str, name: str | None) -> Utterance:
    if attribute not in utterance.private:
        return utterance
    private = {k: v for k, v in utterance.private.items() if k != attribute}
    return dataclasses.replace(
        utterance,
        private=private if name is None else {**private, attribute: name},
        numbers={**utterance.numbers, attribute: float(utterance.private[attribute])},
    )
