"""Tests of the levels that emotions have in corpora without ratings."""

import pytest

from privrep.datasets.categories import LEVELS, NAMES, SCALE, rated_by_emotion
from privrep.types import Utterance


def of(*emotions):
    return [
        Utterance(f"u{i}", "s", categories={"emotion": e} if e else {})
        for i, e in enumerate(emotions)
    ]


def test_every_name_of_an_emotion_has_its_levels():
    rated = rated_by_emotion(of("angry", "Anger", "ANG", "neu", "joy"))
    assert [(u.ratings["activation"], u.ratings["valence"]) for u in rated] == [
        *[(3.0, 1.0)] * 3,
        (2.0, 2.0),
        (3.0, 3.0),
    ]
    assert {u.scale for u in rated} == {SCALE}
    assert set(NAMES.values()) == set(LEVELS)


def test_other_emotions_get_no_level_and_are_counted():
    with pytest.warns(UserWarning, match=r"without levels .*: contempt \(2\), other \(1\)"):
        rated = rated_by_emotion(of("contempt", "sad", "other", "contempt", None))
    assert [bool(u.ratings) for u in rated] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("utterances", "message"),
    [
        (of("contempt"), "it has contempt, and levels are known of angry"),
        (of(None), "it has none"),
        ([Utterance("u", "s", ratings={"valence": 2.0})], r"ratings of its own \(valence\)"),
    ],
)
def test_where_levels_cannot_stand_for_ratings(utterances, message):
    with pytest.raises(ValueError, match=message):
        rated_by_emotion(utterances)
