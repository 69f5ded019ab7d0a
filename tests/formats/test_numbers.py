"""Columns of numbers: which they are, and their bins."""

import numpy as np
import pytest

from privrep.formats.numbers import (
    are_codes,
    as_numbers,
    bin_speakers,
    is_quantity,
    loose_numbers,
    parse_bins,
)


def test_a_column_is_of_numbers_if_every_cell_that_is_known_is_one():
    np.testing.assert_array_equal(as_numbers(["31", None, "4.5e1", ""]), [31, np.nan, 45, np.nan])
    assert as_numbers(["31", "thirty"]) is None and as_numbers(["inf", "3"]) is None
    assert as_numbers([None, ""]) is None


@pytest.mark.parametrize(
    ("numbers", "owners", "quantity"),
    [
        ([0, 1] * 12, range(24), False),  # a coded gender
        ([1, 2, 3, 4] * 6 + [5], range(25), True),  # a rating, 5 of one speaker
        ([0, 1, 1, 0, 2], range(5), False),  # a coded gender, one nonbinary
        (range(20, 44), range(24), True),  # ages
        ([*range(13)] * 2, range(26), True),
        ([*range(12)] * 2, range(26), False),
        ([*range(6)] * 4, [0, 0, 0, 0, 0, 0] * 4, True),  # of one speaker each
    ],
)
def test_a_number_measures_or_names(numbers, owners, quantity):
    numbers = np.array([*numbers], float)
    speaker = np.array([*owners])[: len(numbers)]
    assert is_quantity(numbers, speaker) == quantity
    unknown = np.append(numbers, np.nan)
    assert is_quantity(unknown, np.append(speaker, 99)) == quantity


def test_bins_do_not_depend_on_the_order_of_speakers_nor_on_the_unit():
    ages = {f"s{i}": float(age) for i, age in enumerate([60, 21, 33, 25, 45, 45, 18, 70])}
    bins = parse_bins("tertiles")[""]
    name_of = bin_speakers("age", ages, bins).name_of
    assert bin_speakers("age", dict(reversed(ages.items())), bins).name_of == name_of
    months = bin_speakers("age", {s: 12 * age for s, age in ages.items()}, bins)
    groups = [
        {frozenset(s for s, n in names.items() if n == name) for name in names.values()}
        for names in (name_of, months.name_of)
    ]
    assert groups[0] == groups[1] and len(groups[0]) == 3


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["19,5", "20", None], [19.5, 20, np.nan]),
        (["45 years", "1 year", "30 Years."], [45, 1, 30]),
        (["170cm", "-3cm"], [170, -3]),
        (["1a", "1b"], None),
        (["room 1"], None),
        (["1,2,3"], None),
        (["", None], None),
    ],
)
def test_numbers_with_a_comma_or_one_unit(cells, numbers):
    loose = loose_numbers(cells)
    assert loose is None if numbers is None else np.array_equal(loose, numbers, equal_nan=True)


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        (["01067", "10115", None], True),
        (["10115", "20095"], False),
        (["0", "1"], False),
        (["05", "12"], False),
        (["012", "12"], False),
        (["0.5", "1.5"], False),
        ([], False),
    ],
)
def test_digits_of_one_length_of_which_some_begin_with_zero_are_codes(cells, codes):
    assert are_codes(cells) == codes
