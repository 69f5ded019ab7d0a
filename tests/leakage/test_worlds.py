"""The worlds hold what they say, so that a measurement can be judged by them."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVC

from privrep.leakage.worlds import WORLDS

S, EACH, D = 200, 4, 8


def read_by(model, columns, sample):
    """Accuracy on the second half of the speakers after learning from the first.

    Rows that hold a sentinel are dropped, as a careful person would.
    """
    kept = (sample.h != -1e9).any(1)
    half, h, gender = sample.speaker[kept] < S // 2, sample.h[kept][:, columns], sample.gender[kept]
    return model.fit(h[half].astype(float), gender[half]).score(h[~half], gender[~half])


def ranked(model):
    return make_pipeline(QuantileTransformer(n_quantiles=100, output_distribution="normal"), model)


LINES = (LogisticRegression, LinearDiscriminantAnalysis)
CURVES = (SVC, HistGradientBoostingClassifier, lambda: ranked(LogisticRegression()))


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
    by_line = max(read_by(model(), whole, sample) for model in LINES)
    by_any = max(by_line, *(read_by(model(), whole, sample) for model in CURVES))
    alone = max(read_by(model(), half, sample) for model in (*LINES, *CURVES))
    assert (by_any > 0.6) == world.leaks and (by_line > 0.6) == world.linear, (by_any, by_line)
    if name != "one_emotion" and name != "linear":  # their direction is spread over all columns
        assert (alone > 0.6) == world.modalities, alone


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
