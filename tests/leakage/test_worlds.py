"""The worlds hold what they say, so that a measurement can be judged by them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from privrep.leakage.worlds import WORLDS

S, EACH, D = 200, 4, 8


def accuracy_of(model, columns, world, sample):
    """Accuracy on the second half of the speakers after learning from the first."""
    half = sample.speaker < S // 2
    h = sample.h[:, columns]
    return model.fit(h[half], sample.gender[half]).score(h[~half], sample.gender[~half])


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_is_a_corpus_and_leaks_where_it_says(name):
    world = WORLDS[name]
    sample = world.draw(0, S, EACH, D)
    assert sample.h.shape == (S * EACH, D) and sample.h.dtype == np.float32
    assert (np.bincount(sample.speaker) == EACH).all() and (sample.num_frames > 0).all()
    gender = sample.gender.reshape(S // 2, 2, EACH)
    assert (gender == gender[:, :, :1]).all() and (gender[:, :, 0].sum(1) == 1).all()
    np.testing.assert_array_equal(sample.session, sample.speaker // 2)
    whole, half = slice(None), slice(0, D // 2)
    by_svm = accuracy_of(SVC(), whole, world, sample)
    by_line = accuracy_of(LogisticRegression(), whole, world, sample)
    alone = accuracy_of(SVC(), half, world, sample)
    assert (by_svm > 0.57) == world.leaks and (by_line > 0.57) == world.linear, (by_svm, by_line)
    if name != "one_emotion" and name != "linear":  # their direction is spread over all columns
        assert (alone > 0.57) == world.modalities, alone


def test_the_leak_by_length_is_gone_among_utterances_of_one_length():
    sample = WORLDS["length_only"].draw(1, S, 40, D)
    alike = np.abs(np.log(sample.num_frames / 245)) < 0.05
    gap = [sample.h[alike & (sample.gender == g)].mean(0) for g in (0, 1)]
    assert np.abs(gap[0] - gap[1]).max() < 0.4  # of 4 between the genders' mean lengths
    every = [sample.h[sample.gender == g, 0].mean() for g in (0, 1)]
    assert every[1] - every[0] > 3


def test_the_leak_inside_one_emotion_is_in_no_other():
    sample = WORLDS["one_emotion"].draw(1, S, 20, D)
    for emotion in range(4):
        gap = [sample.h[(sample.emotion == emotion) & (sample.gender == g)].mean(0) for g in (0, 1)]
        assert (np.linalg.norm(gap[1] - gap[0]) > 4) == (emotion == 0)


def test_equal_seeds_are_equal_worlds():
    for name, world in WORLDS.items():
        first, again, other = (world.draw(seed, 4, 3, 4) for seed in (1, 1, 2))
        for a, b in zip(first, again):
            np.testing.assert_array_equal(a, b)
        assert (first.h != other.h).any(), name


def test_sizes_that_make_no_world_are_refused():
    for sizes in ((7, 3, 8), (8, 3, 2)):
        with pytest.raises(ValueError, match="even number of speakers"):
            WORLDS["no_leak"].draw(0, *sizes)
