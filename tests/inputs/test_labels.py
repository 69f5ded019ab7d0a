"""Tests of binnings, task labels and private labels."""

import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from privrep.inputs import class_weights, labels
from privrep.types import Utterance

NAN = float("nan")


def rated(*ratings, scale=(1.0, 5.0), task="activation"):
    return [
        Utterance(f"u{i}", "s", scale=scale, ratings={} if r is None else {task: r})
        for i, r in enumerate(ratings)
    ]


def everyone(utterances):
    return np.ones(len(utterances), bool)


@pytest.mark.parametrize(
    ("binning", "scale", "expected"),
    [
        ("midpoint", (1, 5), (2.75, 3.25)),
        ("midpoint", (1, 9), (4.5, 5.5)),
        ("midpoint", (1, 7), (3.625, 4.375)),
        ("thirds", (1, 7), (3.0, 5.0)),
        ("2.5:3.5", (1, 5), (2.5, 3.5)),
        ("2.5:3.5", None, (2.5, 3.5)),
    ],
)
def test_thresholds(binning, scale, expected):
    ratings = np.array([1.0, NAN])
    assert labels.thresholds(binning, scale, ratings, np.ones(2, bool)) == expected


@pytest.mark.parametrize("binning", labels.BINNINGS)
def test_no_binning_looks_at_a_test_rating(binning):
    ratings, train = np.arange(1.0, 7.0), np.arange(6) < 4
    changed = np.where(train, ratings, 6.5)
    original = labels.thresholds(binning, (1, 7), ratings, train)
    assert original == labels.thresholds(binning, (1, 7), changed, train)


@settings(deadline=None)
@given(st.integers(1, 50), st.randoms(use_true_random=False))
def test_tertiles_divide_distinct_training_ratings_evenly(n, random):
    ratings = np.array(random.sample(range(10_000), 3 * n), float)
    both = np.concatenate([ratings, [NAN, 1e6]])
    train = np.arange(3 * n + 2) <= 3 * n  # the unknown rating is trained on, the last is not
    got = labels.levels(both, labels.thresholds("tertiles", None, both, train))
    np.testing.assert_array_equal(np.bincount(got[: 3 * n]), [n, n, n])
    np.testing.assert_array_equal(got[-2:], [-1, 2])


def test_a_rating_at_a_threshold_is_below_it():
    got = labels.levels(np.array([2.75, 2.76, 3.25, 3.26, NAN]), (2.75, 3.25))
    np.testing.assert_array_equal(got, [0, 1, 1, 2, -1])
    assert got.dtype == np.int32


def test_digits_in_print_do_not_move_a_rating_over_a_threshold():
    thirds = labels.thresholds("thirds", (1, 5), np.array([]), np.array([], bool))
    printed = np.array([2.3333, 2.333333, 7 / 3, 3.6667, 3.666667, 11 / 3])
    np.testing.assert_array_equal(labels.levels(printed, thirds), [0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("binning", ["halves", "2.5", "1:2:3", "low:high", ""])
def test_unknown_bins_list_the_known(binning):
    with pytest.raises(ValueError, match="midpoint, thirds, tertiles, or two numbers LOW:HIGH"):
        labels.thresholds(binning, (1, 5), np.array([1.0]), np.array([True]))


@pytest.mark.parametrize(
    ("binning", "scale", "ratings", "message"),
    [
        ("midpoint", None, [1.0], "does not state"),
        ("thirds", None, [1.0], "does not state"),
        ("3.5:2.5", None, [1.0], "leaves no mid level"),
        ("nan:3", None, [1.0], "leaves no mid level"),
        ("2:5", (1, 5), [1.0], "leave a level without ratings on the scale 1 to 5"),
        ("0:3", (1, 5), [1.0], "leave a level without ratings on the scale 1 to 5"),
        ("tertiles", (1, 5), [3.0, 3.0, 3.0, 5.0], "both thresholds at 3"),
        ("tertiles", (1, 5), [NAN], "there are none"),
    ],
)
def test_bins_that_cannot_be(binning, scale, ratings, message):
    with pytest.raises(ValueError, match=message):
        labels.thresholds(binning, scale, np.array(ratings), np.ones(len(ratings), bool))


def test_a_rating_task_has_three_levels():
    utterances = rated(1.0, 3.0, None, 4.5)
    codes, names = labels.task_labels(utterances, "activation", "midpoint", everyone(utterances))
    np.testing.assert_array_equal(codes, [0, 1, -1, 2])
    assert (names, codes.dtype) == (("low", "mid", "high"), np.int32)


def test_a_category_task_numbers_its_sorted_names():
    emotions = ["sad", None, "angry", "sad"]
    utterances = [
        Utterance(f"u{i}", "s", categories={"emotion": e} if e else {})
        for i, e in enumerate(emotions)
    ]
    codes, names = labels.task_labels(utterances, "emotion", "midpoint", everyone(utterances))
    np.testing.assert_array_equal(codes, [1, -1, 0, 1])
    assert (names, codes.dtype) == (("angry", "sad"), np.int32)


def test_categories_that_are_levels_are_in_the_order_of_levels():
    utterances = [
        Utterance(level, "s", categories={"valence": level}) for level in ("high", "mid", "low")
    ]
    codes, names = labels.task_labels(utterances, "valence", "midpoint", everyone(utterances))
    np.testing.assert_array_equal(codes, [2, 1, 0])
    assert names == ("low", "mid", "high")


@pytest.mark.parametrize(
    ("utterances", "task", "message"),
    [
        (rated(1.0, 2.0), "arousal", r"no task 'arousal' .* activation \(2 utterances\)"),
        ([Utterance("u0", "s")], "activation", "it has none"),
        (rated(1.0, 1.5, None), "activation", "all 2 ratings are in the level 'low'"),
        (rated(1.0, 6.0), "activation", r"1 of 2 ratings are off the scale 1 to 5.*u1 \(6\)"),
        (rated(1.0, NAN), "activation", "1 of 2 ratings are off the scale"),
        (rated(1.0) + rated(7.0, scale=(1.0, 9.0)), "activation", "several scales"),
        (
            rated(1.0, 5.0) + [Utterance("u9", "s", categories={"activation": "high"})],
            "activation",
            "rating in utterance u0 and a category in utterance u9",
        ),
        (
            [Utterance(i, "s", categories={"emotion": "sad"}) for i in "ab"],
            "emotion",
            "the one value 'sad'",
        ),
    ],
)
def test_tasks_that_cannot_be(utterances, task, message):
    with pytest.raises(ValueError, match=message):
        labels.task_labels(utterances, task, "midpoint", everyone(utterances))


def test_private_labels():
    utterances = [
        Utterance("a", "zoe", private={"gender": "female"}),
        Utterance("b", "adam", private={"gender": "male", "accent": "north"}),
        Utterance("c", None),
    ]
    for attribute, expected, expected_names in [
        ("gender", [0, 1, -1], ("female", "male")),
        ("speaker", [1, 0, -1], ("adam", "zoe")),
    ]:
        codes, names = labels.private_labels(utterances, attribute)
        np.testing.assert_array_equal(codes, expected)
        assert (names, codes.dtype) == (expected_names, np.int32)
    at_hand = "accent (1 utterances), gender (2 utterances), speaker (2 utterances)"
    with pytest.raises(ValueError, match=re.escape(at_hand)):
        labels.private_labels(utterances, "age")
    with pytest.raises(ValueError, match="the one value 'north'"):
        labels.private_labels(utterances, "accent")
    with pytest.raises(ValueError, match=r"no private attribute 'speaker' .* it has none"):
        labels.private_labels([Utterance("c", None)], "speaker")


codes_and_part = st.integers(1, 40).flatmap(
    lambda n: st.tuples(hnp.arrays(np.int32, n, elements=st.integers(-1, 5)), hnp.arrays(bool, n))
)


@settings(deadline=None)
@given(codes_and_part)
def test_recoding_keeps_who_is_the_same_and_leaves_no_gap(codes_and_part):
    codes, part = codes_and_part
    new = labels.recode_to_part(codes, part, 6)
    present = sorted({*codes[part].tolist()} - {-1})
    expected = [present.index(c) if c in present else -1 for c in codes.tolist()]
    np.testing.assert_array_equal(new, expected)
    assert new.dtype == np.int32


@settings(deadline=None)
@given(codes_and_part)
def test_balanced_weights_give_each_present_class_the_same_total_and_the_mean_1(codes_and_part):
    codes, part = codes_and_part
    weights = class_weights.balanced_class_weights(codes, part, 6)
    known = codes[part & (codes >= 0)]
    present = np.unique(known)
    assert weights.dtype == np.float32
    assert not np.delete(weights, present).any()
    if known.size:
        np.testing.assert_allclose(weights[known].mean(), 1, rtol=1e-5)
        totals = np.bincount(known, weights[known], minlength=6)[present]
        np.testing.assert_allclose(totals, totals[0], rtol=1e-5)


def test_rare_classes_are_counted_in_the_part_only():
    codes = np.array([0] * 95 + [1] * 5 + [2] * 4 + [-1] * 900, np.int32)
    part = np.ones(len(codes), bool)
    assert labels.rare_classes(codes, part, "abcd") == {"b": 5, "c": 4, "d": 0}
    part[:15] = False  # 80 + 5 + 4 are left: 5 are above 5 %
    assert labels.rare_classes(codes, part, "abcd") == {"c": 4, "d": 0}


def of_valence(ratings, task="valence"):
    return [
        Utterance(f"u{i}", "s", ratings={} if rating is None else {task: rating}, scale=(1, 5))
        for i, rating in enumerate(ratings)
    ]


def test_a_regression_has_ratings_and_levels_of_like_size():
    values = [1.0, 2.0, None, 2.5, 3.0, 4.0, 4.5, 5.0]
    utterances = of_valence(values)
    np.testing.assert_array_equal(
        labels.task_ratings(utterances, "valence"), [np.nan if v is None else v for v in values]
    )
    codes, names = labels.task_labels(utterances, "valence", "continuous", np.ones(8, bool))
    assert names == ("low", "mid", "high") and codes[2] == -1
    assert np.bincount(codes[codes >= 0]).tolist() == [3, 2, 2]


@pytest.mark.parametrize(
    "ratings", [[1, 1, 1, 1, 1, 1, 2, 3], [1, 2, 3, 3, 3, 3, 3], [1, 2, 3], [1, 2, 2, 2, 2, 3]]
)
def test_levels_of_a_regression_are_three_however_many_ratings_are_equal(ratings):
    codes = labels.levels_of_regression(np.array(ratings, float), np.ones(len(ratings), bool))
    assert {*codes.tolist()} == {0, 1, 2}
    assert (np.diff(codes[np.argsort(ratings, kind="stable")]) >= 0).all()


def test_a_category_has_nothing_to_regress_on():
    angry = Utterance("a", "s", categories={"emotion": "angry"}, ratings={"valence": 2.0})
    with pytest.raises(ValueError, match=r"task 'emotion' has no ratings: it has valence .*leave"):
        labels.task_labels([angry], "emotion", "continuous", np.ones(1, bool))
    with pytest.raises(ValueError, match=r"task 'valense' is not there.*did you mean valence"):
        labels.task_labels([angry], "valense", "continuous", np.ones(1, bool))
    with pytest.raises(ValueError, match=r"three different ratings .* which has 2"):
        labels.levels_of_regression(np.array([1.0, 2.0, 2.0]), np.ones(3, bool))
