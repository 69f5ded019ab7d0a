"""Folds and permuted labels: how many labellings there are, and that the truth is not set apart."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from privrep.statistics.design import (
    BOTH,
    FREE,
    WHOLE,
    WITHIN,
    design,
    speaker_labels,
    tying_speakers,
)
from privrep.statistics.permutation_test import MAX_DISTINCT, permute

RNG = np.random.default_rng(0)


def corpus(classes, utterances=3):
    """Labels and speakers of as many speakers as there are classes named."""
    speakers = np.repeat(np.arange(len(classes)), utterances)
    return np.array(classes)[speakers], speakers


def test_iemocap_has_32_labellings_and_no_p_under_one_in_sixteen():
    """Five conversations of a woman and a man: 2^5 ways, each tied with that of changed names."""
    labels, speakers = corpus([0, 1, 1, 0, 0, 1, 0, 1, 1, 0])
    dealt = design(labels, speakers, speakers // 2, 5, seed=3)
    assert dealt.permuted_between == WITHIN
    permuted = permute(labels, speakers, dealt.strata, 200, seed=0)
    assert (permuted.distinct, permuted.complete, permuted.smallest_share) == (32, True, 2 / 32)
    assert permuted.labels.shape == (32, 30) and len(np.unique(permuted.labels, axis=0)) == 32
    np.testing.assert_array_equal(permuted.labels[0], labels)
    for row in permuted.labels:  # every conversation keeps one of each
        assert (row.reshape(5, 2, 3)[:, :, 0].sum(1) == 1).all()


def test_without_sessions_labels_are_permuted_between_all_speakers():
    labels, speakers = corpus([0, 1, 1, 0, 0, 1, 0, 1, 1, 0])
    dealt = design(labels, speakers, None, 5, seed=3)
    permuted = permute(labels, speakers, dealt.strata, 200, seed=0)
    assert (permuted.distinct, permuted.complete) == (math.comb(10, 5), True)
    assert permuted.smallest_share == 2 / 252
    drawn = permute(labels, speakers, dealt.strata, 100, seed=0)
    assert drawn.labels.shape == (101, 30) and not drawn.complete
    assert drawn.smallest_share == 1 / 101


def test_classes_of_unlike_size_cannot_change_names():
    labels, speakers = corpus([0, 0, 0, 1, 1])
    permuted = permute(labels, speakers, np.zeros(5, int), 20, seed=0)
    assert (permuted.distinct, permuted.smallest_share) == (10, 1 / 10)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=2, max_size=7))
def test_the_count_and_the_list_of_labellings_are_those_of_brute_force(table):
    classes, strata = np.array(table).T
    labels, speakers = corpus(classes, 2)
    permuted = permute(labels, speakers, strata, 3000, seed=0)
    orders = itertools.permutations(range(len(classes)))
    allowed = {tuple(classes[list(o)]) for o in orders if (strata[list(o)] == strata).all()}
    assert permuted.complete and permuted.distinct == len(allowed)
    assert {tuple(row[::2]) for row in permuted.labels} == allowed
    renamed = sum(
        tuple(np.array(names)[classes]) in allowed for names in itertools.permutations(range(3))
    ) / math.factorial(3 - len(set(classes.tolist())))
    assert permuted.smallest_share == pytest.approx(renamed / len(allowed))


def test_an_exact_p_value_is_scipys():
    values, classes = RNG.normal(size=8), np.array([0, 1, 0, 1, 1, 0, 0, 1])
    permuted = permute(classes, np.arange(8), np.zeros(8, int), 100, seed=0)
    gaps = np.array([values[row == 1].mean() - values[row == 0].mean() for row in permuted.labels])
    expected = scipy.stats.permutation_test(
        (values[classes == 1], values[classes == 0]),
        lambda a, b: a.mean() - b.mean(),
        alternative="greater",
        n_resamples=np.inf,
    )
    np.testing.assert_allclose((gaps >= gaps[0] - 1e-12).mean(), expected.pvalue)


def test_an_attribute_that_varies_within_speakers_is_handed_on_as_a_whole():
    """Equally many utterances: each row deals out the speakers' label counts, each once."""
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1, 2, 2, 2, 2])
    speakers = np.repeat(np.arange(3), 4)
    permuted = permute(labels, speakers, np.zeros(3, int), 60, seed=0)

    def counts(row):
        return sorted(np.bincount(part, minlength=3).tolist() for part in row.reshape(3, 4))

    for row in permuted.labels[1:]:
        assert counts(row) == counts(labels)
    # 3! orders of the speakers, times 4 places of the odd one out in two of them.
    assert permuted.distinct == 6 * 4 * 4 and not permuted.complete


def test_unlike_numbers_of_utterances_keep_the_shares():
    labels = np.array([0] * 10 + [1] * 10 + [2] * 4)
    speakers = np.array([0] * 20 + [1] * 4)
    for row in permute(labels, speakers, np.zeros(2, int), 50, seed=1).labels:
        shares = [
            np.bincount(row[speakers == s], minlength=3) / (speakers == s).sum() for s in (0, 1)
        ]
        assert [share.tolist() for share in shares] in (
            [[0.5, 0.5, 0], [0, 0, 1]],
            [[0, 0, 1], [0.5, 0.5, 0]],
        )


def test_a_count_too_large_to_write_is_capped():
    labels, speakers = corpus([0, 1] * 50)
    assert permute(labels, speakers, np.zeros(100, int), 1, seed=0).distinct == MAX_DISTINCT


@pytest.mark.parametrize("paired", [False, True])
def test_folds_part_speakers_and_look_at_no_label(paired):
    labels, speakers = corpus([0, 1] * 14)
    sessions = speakers // 2 if paired else None
    dealt = design(labels, speakers, sessions, 5, seed=1)
    assert dealt.permuted_between == (WITHIN if paired else FREE) and set(dealt.folds) == set(
        range(5)
    )
    for s in range(28):
        assert len(set(dealt.folds[speakers == s])) == 1
    if paired:
        for session in range(14):
            assert len(set(dealt.folds[sessions == session])) == 1
    other = permute(labels, speakers, dealt.strata, 1, seed=5).labels[1]
    again = design(other, speakers, sessions, 5, seed=1)
    np.testing.assert_array_equal(again.folds, dealt.folds)
    assert (design(labels, speakers, sessions, 5, seed=2).folds != dealt.folds).any()


def test_sessions_of_one_class_are_permuted_as_a_whole():
    """What a room reveals applies to all its speakers, under permuted labels as under true ones."""
    labels, speakers = corpus([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0], 2)
    dealt = design(labels, speakers, speakers // 2, 5, seed=0)
    assert dealt.permuted_between == WHOLE
    permuted = permute(labels, speakers, dealt.strata, 40, 0, dealt.units)
    assert (permuted.distinct, permuted.complete, permuted.smallest_share) == (70, True, 2 / 70)
    drawn = permute(labels, speakers, dealt.strata, 30, 0, dealt.units)
    assert not drawn.complete and len(np.unique(drawn.labels, axis=0)) > 20
    for row in (*permuted.labels, *drawn.labels):
        by_session = row.reshape(8, 4)
        assert (by_session == by_session[:, :1]).all() and by_session[:, 0].sum() == 4


def test_sessions_of_several_classes_and_of_one_are_permuted_each_in_its_way():
    """2 within the first, 3 ways to choose the one of women among three whole ones."""
    labels, speakers = corpus([0, 1, 0, 0, 1, 1, 1, 1, 1, 0])
    sessions = np.array([0, 0, 1, 1, 2, 2, 2, 3, 3, 4])[speakers]
    sessions[speakers == 9] = 0  # a third in the first
    dealt = design(labels, speakers, sessions, 3, seed=0)
    assert dealt.permuted_between == BOTH
    permuted = permute(labels, speakers, dealt.strata, 50, 0, dealt.units)
    assert (permuted.distinct, permuted.complete) == (3 * 3, True)
    for row in permuted.labels:
        of = row.reshape(10, 3)[:, 0]
        assert sorted(of[[0, 1, 9]]) == [0, 0, 1]
        assert sorted((of[2], of[4], of[7])) == [0, 1, 1] and of[7] == of[8]
        assert of[2] == of[3] and of[4] == of[5] == of[6]
        again = design(row, speakers, sessions, 3, seed=0)
        np.testing.assert_array_equal(again.folds, dealt.folds)
        np.testing.assert_array_equal(again.units, dealt.units)


def test_sessions_of_their_own_change_nothing():
    labels, speakers = corpus([0, 0, 1, 1, 0, 1])
    dealt = design(labels, speakers, speakers, 3, seed=0)
    assert dealt.permuted_between == FREE
    with_sessions, without = (
        permute(labels, speakers, of.strata, 9, 0, of.units).labels
        for of in (dealt, design(labels, speakers, None, 3, seed=0))
    )
    np.testing.assert_array_equal(with_sessions, without)


def test_sessions_are_kept_together():
    labels, speakers = corpus([0, 0, 1, 1, 0, 1])
    dealt = design(labels, speakers, speakers // 2, 3, seed=0)
    for session in range(3):
        assert len(set(dealt.folds[speakers // 2 == session])) == 1
    # Two sessions of one speaker are one session.
    labels, speakers = corpus([0, 1, 0, 1, 0, 1, 0, 1], 2)
    sessions = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3])
    dealt = design(labels, speakers, sessions, 3, seed=0)
    assert dealt.permuted_between == WITHIN
    assert dealt.strata.tolist() == [1, 1, 1, 1, 2, 2, 3, 3]


def test_two_speakers_are_too_few():
    labels, speakers = corpus([0, 1])
    with pytest.raises(ValueError, match=r"2 speakers .* at least 3"):
        design(labels, speakers, None, 5, seed=0)


def test_a_speakers_usual_label():
    assert speaker_labels(np.array([2, 2, 0, 1]), np.array([0, 0, 0, 1])).tolist() == [2, 1]


def test_blocks_change_places_as_wholes():
    """Two states by day: every day of a receiver has one state, as every day of the giver had."""
    speakers = np.repeat(np.arange(12), 24).astype(np.int32)
    days = np.arange(len(speakers)) // 6  # four days of each speaker
    labels = (days % 4 >= 2).astype(np.int32)
    exchanged = permute(labels, speakers, np.zeros(12, int), 40, 0, blocks=days)
    by_day = exchanged.labels.reshape(41, 48, 6)
    assert (by_day == by_day[..., :1]).all()
    assert (by_day[..., 0].reshape(41, 12, 4).sum(2) == 2).all()
    assert exchanged.distinct == 6**12  # two of four days, twelve times
    assert len(np.unique(exchanged.labels, axis=0)) == 41


def test_one_block_per_speaker_is_no_blocks():
    speakers = np.repeat(np.arange(9), 8).astype(np.int32)
    labels = np.random.default_rng(0).integers(0, 3, len(speakers)).astype(np.int32)
    strata = np.zeros(9, int)
    with_blocks = permute(labels, speakers, strata, 20, 3, blocks=speakers)
    without = permute(labels, speakers, strata, 20, 3)
    np.testing.assert_array_equal(with_blocks.labels, without.labels)
    assert with_blocks.distinct == without.distinct


def test_whom_sessions_share_is_left_out_where_they_come_apart():
    speakers, rooms = np.arange(40) % 20, np.arange(40) % 20 // 4
    assert len(tying_speakers(speakers, rooms)) == 0
    interviewed = np.concatenate([speakers, np.full(10, 20)])
    with_interviewer = np.concatenate([rooms, np.arange(10) % 5])
    assert tying_speakers(interviewed, with_interviewer).tolist() == [20]
    # Everyone in every room: no speaker is the reason.
    assert len(tying_speakers(np.arange(50) % 10, np.arange(50) // 10)) == 0
