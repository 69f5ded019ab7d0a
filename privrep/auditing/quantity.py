"""An audited attribute that is a number, such as an age in years: its numbers and bins (host).

A number is measured as such (`leakage.number_measurement`), and beside that as classes, its bins,
of which every further question of an audit is asked.
"""

from typing import NamedTuple

import numpy as np

from privrep.auditing.join import JoinedSample
from privrep.auditing.options import MEASURED_AS, AuditOptions
from privrep.formats.columns import kind_of
from privrep.formats.numbers import (
    QUANTILES,
    Bins,
    NumberBin,
    are_codes,
    as_numbers,
    bin_speakers,
    is_quantity,
    loose_numbers,
    number_of,
    parse_bins,
)
from privrep.formats.values import CLASS, NUMBER
from privrep.leakage.number_measurement import VARYING
from privrep.messages import nearest, shown
from privrep.types import renumber

_USUAL_BINS = QUANTILES["halves"]


class Quantity(NamedTuple):
    """The numbers of an audited attribute.

    Attributes:
      values: float64[N], finite, of the utterances of the joined sample.
      intervals: its bins, in the order of the classes of the joined sample.
    """

    values: np.ndarray
    intervals: tuple[NumberBin, ...]


def quantity_of(
    joined: JoinedSample,
    attribute: str,
    options: AuditOptions,
    intervals: tuple[NumberBin, ...] | None = None,
) -> tuple[JoinedSample, Quantity | None]:
    """The sample with bins as classes, and the numbers; the same sample and None if no number.

    The number of a speaker is the mean over the utterances. Utterances of speakers in no bin are
    left out.

    Args:
      joined: its classes are the values as they are written.
      attribute: that is audited.
      options: of the audit: `measured_as` and `bins`.
      intervals: of another sample, to be used in place of bins of this one.

    Raises:
      ValueError: a value is no number where numbers are asked for, or bins that cannot be made.
    """
    wanted = options.measured_as
    if wanted not in MEASURED_AS:
        raise ValueError(f"--as={wanted}: {', '.join(MEASURED_AS)}{nearest(wanted, MEASURED_AS)}")
    if wanted == "classes" and options.bins:
        raise ValueError(
            f"--bins={options.bins}: bins are made of numbers, and --as=classes takes every value "
            "for a class; leave out one of the two"
        )
    cells = joined.columns[attribute]
    values = as_numbers(cells)
    is_asked = wanted == "number" or bool(options.bins)
    if values is None:
        _check_not_loose(joined, attribute, is_asked, wanted == "classes")
    if is_asked:
        if values is None:
            words = [cell for cell in cells if number_of(cell) is None]
            flag = "--as=number" if wanted == "number" else f"--bins={options.bins}"
            raise ValueError(
                f"{flag}: {attribute} is {shown(str(words[0]))} in a row of the labels, which is "
                "no number"
            )
    elif (
        wanted == "classes"
        or values is None
        or kind_of(attribute) not in (CLASS, NUMBER)
        or not is_quantity(values, joined.speaker)
    ):
        return joined, None
    elif are_codes(cells):
        note = (
            f"{attribute}: cells such as {shown(str(min(filter(None, cells))))} have one length "
            "and begin with 0, so they were taken for names, as postcodes are (numbers: "
            "--as=number)."
        )
        return joined._replace(notes=[*joined.notes, note]), None
    if len(np.unique(values)) < 2:
        return joined, None  # which the count of classes refuses
    return _binned(joined, values, attribute, intervals or _bins(attribute, options.bins))


def _check_not_loose(
    joined: JoinedSample, attribute: str, is_asked: bool, are_classes: bool
) -> None:
    """Refuses numbers with a decimal comma or a unit, of which each would be a class."""
    cells = joined.columns[attribute]
    values = loose_numbers(cells)
    if values is None or are_classes:
        return
    is_class_column = kind_of(attribute) in (CLASS, NUMBER)
    if is_asked or (is_class_column and is_quantity(values, joined.speaker)):
        word = next(cell for cell in cells if cell and number_of(cell) is None)
        raise ValueError(
            f"{attribute} is {shown(word)} in a row of the labels, which might be a number: write "
            "numbers alone and with a point, as 45 or 19.5; or take every value for a class, "
            "--as=classes"
        )


def _bins(attribute: str, text: str) -> Bins:
    try:
        bins_of = parse_bins(text)
    except ValueError as error:
        raise ValueError(f"--bins={text}: {error}") from error
    others = [name for name in bins_of if name not in ("", attribute)]
    if others:
        raise ValueError(f"--bins={text}: the audited attribute is {attribute}, not {others[0]}")
    return bins_of.get(attribute, bins_of.get("", _USUAL_BINS))


def _binned(
    joined: JoinedSample, values: np.ndarray, attribute: str, bins: Bins
) -> tuple[JoinedSample, Quantity]:
    speaker = joined.speaker
    means = np.bincount(speaker, values) / np.bincount(speaker)
    of_speaker = {str(i): float(mean) for i, mean in enumerate(means)}
    try:
        binned = bin_speakers(attribute, of_speaker, bins)
    except ValueError as error:
        raise ValueError(f"--bins: {error}") from error
    number = {interval.name: i for i, interval in enumerate(binned.intervals)}
    class_of = np.array([number.get(name or "", -1) for name in binned.name_of.values()], np.int32)
    kept = np.flatnonzero(class_of[speaker] >= 0)
    sample = joined if len(kept) == len(speaker) else take(joined, kept)
    counts = np.bincount(class_of[class_of >= 0], minlength=len(number))
    notes = [*joined.notes, f"{binned.note}."]
    within = values - means[speaker]
    varying = len(np.unique(speaker[np.abs(within) > 1e-9 * np.abs(values).max()]))
    if varying:
        share = float((within**2).mean() / values.var())
        notes.append(
            f"{varying:,} of {len(means):,} speakers have several numbers of {attribute}; each was "
            f"measured by the mean. {share:.0%} of the variance is within speakers"
            + (": it is more a number of utterances than of speakers." if share > VARYING else ".")
        )
    result = sample._replace(
        labels=class_of[speaker[kept]],
        classes=tuple(number),
        num_speakers=dict(zip(number, counts.tolist())),
        notes=notes,
    )
    return result, Quantity(values[kept], binned.intervals)


def take(joined: JoinedSample, rows: np.ndarray) -> JoinedSample:
    """The rows int[n] of a sample, but for labels, classes and counts, which are as they were."""
    return joined._replace(
        h=joined.h[rows],
        speaker=renumber(joined.speaker[rows]),
        session=None if joined.session is None else renumber(joined.session[rows]),
        num_frames=None if joined.num_frames is None else joined.num_frames[rows],
        columns={name: [cells[i] for i in rows] for name, cells in joined.columns.items()},
    )
