"""Tests of what is there more than once, found by content."""

import numpy as np
import pytest

from privrep.duplicates import (
    SameContent,
    copied_rows,
    equal_rows,
    is_saturated,
    one_name,
    same_content,
    shared_rows,
)
from privrep.types import ragged


def lots(equal):
    return sorted({tuple(np.flatnonzero(equal == code).tolist()) for code in equal if code >= 0})


def test_rows_are_equal_up_to_the_rounding_of_float16_whatever_the_unit():
    h = np.random.default_rng(0).normal(size=(6, 5)).astype("f") * np.float32(1e20)
    h[4] = h[1] * (1 + 1e-5)
    h[5] = h[2] * 1.01
    assert lots(equal_rows(h)) == [(1, 4)]
    assert equal_rows(h[:0]).shape == (0,)


def people(num=24, each=10, width=8, seed=0):
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(num), each)
    return rng.normal(size=(num * each, width)), speaker


def test_one_row_under_two_speakers_is_a_copy_and_chance_is_not():
    h, speaker = people()
    assert lots(copied_rows(h, speaker)) == []
    h[17] = h[230]
    assert lots(copied_rows(h, speaker)) == [(17, 230)]
    h[1], h[11], h[21] = h[0], h[10], h[20]  # doubles of one speaker do not excuse it
    assert (17, 230) in lots(copied_rows(h, speaker))


@pytest.mark.parametrize("seed", range(5))
def test_numbers_of_one_unit_are_often_equal_by_chance(seed):
    h, speaker = people(60, 20, 1, seed)
    assert len(lots(equal_rows(h))) > 10 and lots(copied_rows(h, speaker)) == []


@pytest.mark.parametrize("speaker_effect", [0, 1.5])
def test_a_saturated_posterior_has_no_copies(speaker_effect):
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(24), 10)
    logits = 30 * rng.normal(size=(240, 4))
    logits += 30 * speaker_effect * rng.normal(size=(24, 4))[speaker]
    h = np.exp(logits - logits.max(1, keepdims=True))
    h /= h.sum(1, keepdims=True)
    assert len(lots(equal_rows(h))) > 2 and lots(copied_rows(h, speaker)) == []
    assert is_saturated(equal_rows(np.eye(4)[logits.argmax(1)]), speaker)


def test_speakers_that_share_rows_have_one_name():
    equal = np.array([0, 1, -1, 0, 1, -1])
    assert one_name(equal, ["c", "b", "d", "b", "a", "e"]) == {
        **{"a": "a", "b": "a", "c": "a"},
        **{"d": "d", "e": "e"},
    }


def log_mel_like(rng, length):
    """float16[T, 40] that changes as speech does, over tens of frames."""
    coarse = rng.normal(size=(length // 10 + 3, 10)) * 2
    over_time = np.array(
        [np.interp(np.arange(length) / 10, np.arange(len(coarse)), band) for band in coarse.T]
    )
    over_bands = np.array(
        [np.interp(np.linspace(0, 9, 40), np.arange(10), frame) for frame in over_time.T]
    )
    return (over_bands + 0.2 * rng.normal(size=(length, 40))).astype(np.float16)


def test_equal_cut_and_louder_recordings_are_found_and_no_others():
    rng = np.random.default_rng(0)
    rows = [log_mel_like(rng, length) for length in rng.integers(60, 300, 40)]
    rows.append(rows[3].copy())
    rows.append(rows[5] + np.float16(1.4))
    rows.append(rows[7][len(rows[7]) // 10 :])
    rows.append((rows[9][:-5] - np.float16(0.7) + 0.05 * rng.normal(size=(1, 40))).astype("f2"))
    same = same_content(ragged(rows))
    assert lots(same.equal) == [(3, 40)]
    assert same.copies == [(5, 41), (7, 42), (9, 43)]


def test_silence_is_equal_to_nothing_and_single_vectors_are_compared():
    silence = [np.full((50, 40), -15.94, np.float16)] * 3
    assert lots(same_content(ragged(silence)).equal) == []
    vectors = [np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]]), np.array([[1.0, 2.0]])]
    assert lots(same_content(ragged(vectors)).equal) == [(0, 2)]


def test_a_selection_is_numbered_anew():
    same = SameContent(np.array([7, -1, 7, 3, 3]), [(0, 1), (1, 4)])
    taken = same.take(np.array([4, 3, 1, 0]))
    assert lots(taken.equal) == [(0, 1)] and taken.copies == [(3, 2), (2, 0)]


def test_rows_of_another_corpus_are_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    h, other = rng.normal(size=(2, 60, 6))
    speaker = np.repeat(np.arange(12), 5)
    assert not shared_rows(other, speaker, h, speaker, []).any()
    mixed = np.concatenate([other, h[[7, 31]].astype(np.float16)])
    shared = shared_rows(mixed, np.append(speaker, [12, 12]), h, speaker, [])
    assert np.flatnonzero(shared).tolist() == [60, 61]
    # Of few values, rows are equal by chance; those of one id are all equal in a copy alone.
    h, other = rng.integers(0, 2, (2, 60, 3)).astype(float)
    pairs = [(i, i) for i in range(60)]
    assert not shared_rows(other, speaker, h, speaker, pairs).any()
    assert shared_rows(h, speaker, h, speaker, pairs).all()
