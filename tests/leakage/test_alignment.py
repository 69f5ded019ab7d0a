"""Rows belong together where a column is read from h, not where the table is in another order."""

import numpy as np
import pytest

from privrep.leakage.alignment import ALPHA, MAX_COLUMNS, PERMUTATIONS, align

SPEAKERS, EACH, SIZE = 40, 8, 12
SPEAKER = np.repeat(np.arange(SPEAKERS), EACH)


def world(seed=0, speakers=0.0, gender=0.0, emotion=0.0, age=0.0):
    """h [320, 12] and columns; numbers say how strongly h tells each."""
    rng = np.random.default_rng(seed)
    columns = {
        "gender": (rng.permutation(SPEAKERS) % 2)[SPEAKER],
        "emotion": rng.integers(0, 4, len(SPEAKER)),
        "age": rng.permutation(SPEAKERS).astype(float)[SPEAKER],
    }
    h = rng.normal(size=(len(SPEAKER), SIZE))
    h[:, :8] += speakers * rng.normal(size=(SPEAKERS, 8))[SPEAKER]
    h[:, 8] += gender * columns["gender"]
    h[:, 9] += emotion * (columns["emotion"] == 2)
    h[:, 10] += age * columns["age"] / SPEAKERS
    return h, columns


@pytest.mark.parametrize(
    ("drawn", "column"),
    [({"gender": 2}, "gender"), ({"emotion": 1.5}, "emotion"), ({"age": 3}, "age")]
    + [({"speakers": 1}, "speaker"), ({}, "")],
)
def test_any_column_that_is_read_shows_it_and_noise_does_not(drawn, column):
    h, columns = world(**drawn)
    result = align(h, SPEAKER, columns, seed=0)
    assert (result.column, result.is_known) == (column, bool(column))
    assert result.needed == ALPHA / 4
    assert all((p <= result.needed) == (name == column) for name, p in result.tried.items())
    # In another order, by rows or by whole speakers of different length, nothing is read.
    order = np.random.default_rng(1).permutation(len(h))
    assert not align(h[order], SPEAKER, columns, seed=0).is_known


def test_a_column_is_read_wherever_h_is_large_or_far_from_zero():
    h, columns = world(emotion=1.5)
    scaled = 1e6 + h * np.geomspace(1e-4, 1e4, SIZE)
    scaled[3] = -999.0
    assert align(scaled, SPEAKER, columns, seed=0).column == "emotion"


def test_more_columns_of_h_than_rows():
    h, columns = world(gender=3)
    wide = np.concatenate([h, np.random.default_rng(2).normal(size=(len(h), 400))], 1)
    assert align(wide, SPEAKER, columns, seed=0).column == "gender"
    noise = np.random.default_rng(3).normal(size=(len(h), 400))
    assert not align(noise, SPEAKER, columns, seed=0).is_known


def test_many_columns_need_more_permutations_and_one_that_is_read_suffices():
    h, columns = world(emotion=1.5)
    rng = np.random.default_rng(4)
    more = {f"z{i}": rng.integers(0, 3, len(h)) for i in range(9)}
    result = align(h, SPEAKER, {**more, **columns}, seed=0)
    assert result.column == "emotion" and len(result.tried) == 11
    assert result.tried["emotion"] <= result.needed == ALPHA / 13 < 1 / (PERMUTATIONS + 1)
    many = {f"z{i}": rng.integers(0, 3, len(h)) for i in range(30)}
    assert len(align(world()[0], SPEAKER, many, seed=0).tried) == MAX_COLUMNS


def test_few_false_alarms_among_tables_in_another_order():
    """Of 60 draws at the level 0.01 hardly two: P(3 or more) = 0.02."""
    known = 0
    for seed in range(60):
        h, columns = world(seed, speakers=1, gender=1, emotion=1)
        order = np.random.default_rng(seed).permutation(len(h))
        known += align(h[order], SPEAKER, columns, seed=seed).is_known
    assert known <= 2


def test_speakers_in_another_order_are_not_read_where_their_rows_are_of_several_lengths():
    rng = np.random.default_rng(5)
    lengths = rng.integers(5, 12, SPEAKERS)
    speaker = np.repeat(np.arange(SPEAKERS), lengths)
    h = rng.normal(size=(len(speaker), 6)) + rng.normal(size=(SPEAKERS, 6))[speaker]
    assert align(h, speaker, {}, seed=0).column == "speaker"
    assert align(h, speaker, {}, seed=0).doubt == ""
    blocks = np.split(np.arange(len(speaker)), np.cumsum(lengths)[:-1])
    order = np.concatenate([blocks[i] for i in rng.permutation(SPEAKERS)])
    assert not align(h[order], speaker, {}, seed=0).is_known


def test_what_speakers_in_another_order_would_show_too_is_a_doubt():
    """All have as many rows; columns that alternate alike in each show no order of speakers."""
    h, columns = world(speakers=2)
    assert "another order would look the same" in align(h, SPEAKER, {}, seed=0).doubt
    cycle = np.tile(np.arange(EACH) % 4, SPEAKERS)
    h[:, 9] += 2 * (cycle == 2)
    assert align(h, SPEAKER, {"emotion": cycle}, seed=0).doubt
    h[:, 9] += 2 * (columns["emotion"] == 2) - 2 * (cycle == 2)
    assert not align(h, SPEAKER, {"emotion": columns["emotion"]}, seed=0).doubt
    h[:, 8] += 3 * columns["gender"]
    assert not align(h, SPEAKER, {"gender": columns["gender"]}, seed=0).doubt


def test_columns_of_which_nothing_can_be_said_are_not_tried():
    h, _ = world()
    columns = {
        "constant": np.zeros(len(h), int),
        "text": np.arange(len(h)),
        "empty": np.full(len(h), -1),
        "few": np.where(np.arange(len(h)) < 4, np.arange(len(h)) % 2, -1),
    }
    single = align(h[::EACH], np.arange(SPEAKERS), {"text": np.arange(SPEAKERS)}, seed=0)
    assert single.tried == {} and "none that could be tried" in single.sentence
    assert {*align(h, SPEAKER, columns, seed=0).tried} == {"speaker"}


def test_unknown_cells_are_left_out():
    h, columns = world(emotion=2, age=3)
    gone = np.arange(len(h)) % 3 == 0
    emotion = np.where(gone, -1, columns["emotion"])
    age = np.where(gone, np.nan, columns["age"])
    assert align(h, SPEAKER, {"emotion": emotion}, seed=0).column == "emotion"
    assert align(h, SPEAKER, {"age": age}, seed=0).column == "age"


def test_a_large_table_is_judged_on_some_rows():
    speaker = np.repeat(np.arange(60), 50)
    rng = np.random.default_rng(6)
    h = rng.normal(size=(3000, 4)) + 2 * rng.normal(size=(60, 4))[speaker]
    assert align(h, speaker, {}, seed=0).column == "speaker"
    assert not align(h[rng.permutation(3000)], speaker, {}, seed=0).is_known
