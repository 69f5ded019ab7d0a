"""A sample is validated and numbered once, whatever names its speakers and classes have."""

import numpy as np
import pytest

from privrep import InferenceSettings, Sample, measure
from privrep.leakage.worlds import WORLDS


def test_names_are_numbered_in_sorted_order_and_integers_stay():
    sample = Sample.of(np.eye(4), ["m", "", None, "f"], ["b", "a", "c", "a"], [7, 7, 3, 7])
    assert sample.labels.tolist() == [1, -1, -1, 0] and sample.speaker.tolist() == [1, 0, 2, 0]
    assert sample.session.tolist() == [1, 1, 0, 1] and sample.h.dtype == np.float64
    assert sample.num_classes == 2 and sample.num_speakers == 3
    assert Sample.of(np.eye(2), [3, -1], [9, 9]).labels.tolist() == [3, -1]


@pytest.mark.parametrize(
    ("given", "kept"), [("f2", "f4"), ("f4", "f4"), ("i8", "f4"), ("f8", "f8")]
)
def test_h_is_float32_unless_it_is_float64(given, kept):
    assert Sample.of(np.eye(2, dtype=given), [0, 1], [0, 1]).h.dtype == kept


def test_a_part_is_numbered_anew():
    sample = Sample.of(np.eye(4), [0, -1, 1, 0], ["a", "b", "c", "c"], ["x", "x", "y", "y"])
    known = sample.with_known_labels()
    assert known.speaker.tolist() == [0, 1, 1] and known.session.tolist() == [0, 1, 1]
    assert sample.take(np.array([3])).speaker.tolist() == [0]


def test_named_classes_are_measured_as_numbered_ones():
    drawn = WORLDS["linear"].draw(0, 12, 4, 4)
    named = Sample.of(
        drawn.h, np.array(["f", "m"])[drawn.gender], [f"s{s:02}" for s in drawn.speaker]
    )
    settings = InferenceSettings(permutations=5)
    assert (
        measure(named, settings=settings).verdict
        == measure(drawn.sample(), settings=settings).verdict
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0.0, 1.0]}, "number the classes from 0, -1 for unknown, or name them"),
        ({"speaker": ["a"]}, r"speaker has shape \(1,\) for 2 rows"),
        ({"session": [[1], [2]]}, r"session has shape \(2, 1\) for 2 rows"),
        (
            {"h": [[np.inf], [0.0]]},
            "1 of 2 rows of h are not finite in float32, the first is row 0",
        ),
        ({"h": np.zeros((2, 0))}, "it has no columns"),
        ({"h": [[1j], [0.0]]}, "h is complex128: real numbers are needed"),
        ({"h": [["1"], ["0"]]}, "real numbers are needed"),
        ({"labels": [0, -2]}, "a label is -2"),
        ({"speaker": ["a", None]}, "the speaker of 1 of 2 rows is missing, the first is row 1"),
        ({"session": [np.nan, np.nan]}, "the session of 2 of 2 rows is missing"),
        ({"session": ["", "x"]}, "the session of 1 of 2 rows is missing, the first is row 0"),
    ],
)
def test_what_is_no_sample_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Sample.of(**({"h": [[1.0], [2.0]], "labels": [0, 1], "speaker": ["a", "b"]} | change))
