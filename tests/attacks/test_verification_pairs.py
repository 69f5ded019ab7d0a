from collections import Counter

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from experiments.run.controls import shuffled_over_speakers, shuffled_pairs
from privrep.attacks.verification_pairs import verification_pairs
from privrep.types import Split


def split_of(parts):
    """bool[K, N] each, from int[K, N]: 0 train, 1 val, 2 test, 3 none."""
    parts = np.atleast_2d(parts)
    return Split(*(parts == i for i in range(3)))


@st.composite
def corpora(draw):
    n, k = draw(st.integers(1, 60)), draw(st.integers(1, 3))
    speakers = draw(st.lists(st.integers(-1, 7), min_size=n, max_size=n))
    parts = draw(st.lists(st.integers(0, 3), min_size=n * k, max_size=n * k))
    return np.array(speakers, np.int32), split_of(np.array(parts, int).reshape(k, n))


@given(corpus=corpora(), most=st.sampled_from([2, 8, 50, 10_000]))
def test_pairs_are_of_the_test_part_each_once(corpus, most):
    speakers, split = corpus
    pairs, same = verification_pairs(speakers, split, most, seed=0)
    assert pairs.dtype == np.int32 and same.dtype == bool and same.shape == pairs.shape[:2]
    for k, test in enumerate(split.test):
        real = pairs[k][(pairs[k] >= 0).any(1)]
        assert (real >= 0).all() and not same[k][len(real) :].any()
        assert test[real].all() and (speakers[real] >= 0).all()
        assert (real[:, 0] != real[:, 1]).all()
        assert len({frozenset(pair) for pair in real.tolist()}) == len(real)
        alike = speakers[real[:, 0]] == speakers[real[:, 1]]
        np.testing.assert_array_equal(alike, same[k][: len(real)])
        sizes = Counter(speakers[test & (speakers >= 0)].tolist()).values()
        there = sum(size * (size - 1) // 2 for size in sizes)
        different = (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2
        if (there + different) <= 20 * most:
            assert alike.sum() == min(there, most // 2)
            assert (~alike).sum() == min(different, most // 2)
        else:
            assert alike.sum() <= most // 2 and (~alike).sum() <= most // 2


def test_of_a_large_part_pairs_are_drawn_half_of_either_kind():
    rng = np.random.default_rng(0)
    speakers = rng.integers(0, 300, 6000)
    split = split_of(np.where(np.arange(6000) < 5000, 2, 0))
    pairs, same = verification_pairs(speakers, split, 2000, seed=0)
    assert pairs.shape == (1, 2000, 2) and same.sum() == 1000
    assert (pairs < 5000).all() and (pairs[..., 0] != pairs[..., 1]).all()
    assert len(np.unique(np.sort(pairs[0], 1), axis=0)) == 2000
    # Two utterances of a speaker are any two: neighbours in a corpus share room and topic.
    order = np.argsort(speakers[:5000], kind="stable")
    place = np.empty(5000, int)
    place[order] = np.arange(5000)
    distance = np.abs(np.diff(place[pairs[0][same[0]]], axis=1))
    assert np.median(distance) > 3


@pytest.mark.parametrize("large", [False, True])
def test_pairs_are_the_same_for_the_same_seed(large):
    speakers = np.arange(400) % 20
    split = split_of(np.full(400, 2))
    most = 100 if large else 10_000
    first, second, other = (verification_pairs(speakers, split, most, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[0], other[0]) or not large


def labels_of(speakers, parts, values):
    return np.where(speakers >= 0, values[speakers], -1)[None].astype(np.int32), split_of(parts)


@given(seed=st.integers(0, 1000), speakers=st.integers(6, 20), per_speaker=st.integers(1, 6))
def test_shuffling_keeps_parts_and_speakers(seed, speakers, per_speaker):
    rng = np.random.default_rng(seed)
    of = rng.permutation(np.repeat(np.arange(speakers), per_speaker))
    parts = np.array([0, 0, 0, 1, 1, 2, 2])[np.arange(speakers) % 7][of]
    labels, split = labels_of(of, parts, rng.integers(-1, 2, speakers))
    shuffled = shuffled_over_speakers(labels, of, split, seed)
    assert shuffled.dtype == np.int32
    np.testing.assert_array_equal(shuffled < 0, labels < 0)
    for part in split:
        before, after = (
            {s: row[0, part[0] & (of == s)] for s in np.unique(of[part[0]])}
            for row in (labels, shuffled)
        )
        assert all(len(set(values)) == 1 for values in after.values())
        firsts = [Counter(int(v[0]) for v in values.values()) for values in (before, after)]
        assert firsts[0] == firsts[1]  # the values of the speakers, in other hands


def test_shuffling_moves_something():
    speakers = np.repeat(np.arange(40), 3)
    labels, split = labels_of(speakers, (np.arange(40) % 3)[speakers], np.arange(40) % 2)
    shuffled = shuffled_over_speakers(labels, speakers, split, seed=0)
    for part in split:
        assert (shuffled[part] != labels[part]).any()
    np.testing.assert_array_equal(shuffled, shuffled_over_speakers(labels, speakers, split, 0))


def test_what_varies_within_a_speaker_is_shuffled_over_utterances():
    speakers = np.repeat(np.arange(10), 10)
    split = split_of((np.arange(10) % 3)[speakers])
    labels = (np.arange(100) % 10 < 3).astype(np.int32)[None]
    shuffled = shuffled_over_speakers(labels, speakers, split, seed=0)
    for part in split:
        assert Counter(shuffled[part].tolist()) == Counter(labels[part].tolist())
    counts = [shuffled[0, speakers == s].sum() for s in range(10)]
    assert len(set(counts)) > 1


def test_who_is_in_no_part_has_no_label():
    speakers = np.arange(4)
    labels, split = labels_of(speakers, np.array([0, 1, 2, 3]), np.array([0, 1, 0, 1]))
    assert shuffled_over_speakers(labels, speakers, split, 0).tolist() == [[0, 1, 0, -1]]


def test_shuffled_pairs_keep_how_many_are_of_one_speaker_and_leave_padding_alone():
    speakers = np.repeat(np.arange(6), 10)
    pairs, same = verification_pairs(speakers, split_of(np.full(60, 2)), most=200, seed=0)
    pairs[0, -7:], same[0, -7:] = -1, False
    dealt = shuffled_pairs(pairs, same, seed=1)
    np.testing.assert_array_equal(dealt.sum(1), same.sum(1))
    assert not dealt[0, -7:].any()
    assert (dealt != same).any()


def test_pairs_are_of_two_sessions_or_within_one():
    speakers = np.repeat(np.arange(12), 8).astype(np.int32)
    split = split_of(np.full(96, 2))
    days, room = 2 * speakers + np.arange(96) % 2, speakers % 3
    for most in (20_000, 40):  # every pair, and drawn ones
        for session, is_across in ((days, True), (room, False)):
            pairs, same = verification_pairs(speakers, split, most, 0, session)
            first, second = pairs[pairs[..., 0] >= 0].T
            assert ((session[first] != session[second]) == is_across).all()
            assert same.any() and not same[pairs[..., 0] >= 0].all()
    # Who was recorded alone can be compared in no other way.
    alone = verification_pairs(speakers, split, 20_000, 0, speakers)
    plain = verification_pairs(speakers, split, 20_000, 0)
    np.testing.assert_array_equal(alone[0], plain[0])
