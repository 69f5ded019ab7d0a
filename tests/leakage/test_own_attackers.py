"""Attackers who know unseen speakers: what they learn from, and what they must not."""

import numpy as np
import pytest

from privrep.leakage.fold_sample import FoldSample, KnownRows
from privrep.leakage.own_attackers import (
    OWN,
    _FoldPredictions,
    _order,
    _selected,
    own_predictions,
)
from privrep.types import Split

FOLDS, EACH = 4, 4


def sample_of(num_speakers, seed=0, session=None, shift=1.0):
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(num_speakers), EACH)
    gender = (speakers % 2).astype(np.int32)
    rotation = np.stack([(speakers // 2 % FOLDS - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    h = rng.standard_normal((FOLDS, num_speakers, 6))[:, speakers]
    h += rng.standard_normal(h.shape)
    h[..., 0] += shift * gender
    return FoldSample(h.astype(np.float32), gender, speakers, split, session)


def predict(sample, labels, name="linear"):
    return own_predictions(OWN[name], sample, labels[None], KnownRows.of(sample), seed=0)[0]


@pytest.mark.parametrize("name", OWN)
def test_the_labels_of_a_group_have_no_influence_on_its_predictions(name):
    """A fold tests one woman and one man: exchanging their labels leaves their guesses alone."""
    sample = sample_of(2 * FOLDS)
    before = predict(sample, sample.labels, name)
    for k, tested in enumerate(sample.split.test[:2]):
        exchanged = np.where(tested, 1 - sample.labels, sample.labels)
        after = predict(sample, exchanged, name)
        np.testing.assert_array_equal(before[tested], after[tested])
        others = sample.labels.copy()
        others[sample.split.train[k]] = 1 - others[sample.split.train[k]]
        assert (predict(sample, others, name)[tested] != before[tested]).any()


def test_names_of_classes_have_no_influence():
    sample = sample_of(24)
    before, after = predict(sample, sample.labels), predict(sample, 1 - sample.labels)
    assert np.mean(after == 1 - before) > 0.99  # but for equal scores of two settings


def test_the_other_speakers_of_the_fold_are_learned_from():
    """h shows the gender in the tested speakers of each fold alone."""
    sample = sample_of(24, shift=0)
    for k, tested in enumerate(sample.split.test):
        sample.h[k, :, k] += 9 * sample.labels * tested
    assert np.mean(predict(sample, sample.labels) == sample.labels) > 0.8


def test_partners_of_a_session_are_held_out_together():
    """Whoever knows a woman's partner, a man, and recognises their room names her a man."""
    speakers = np.repeat(np.arange(40), EACH)
    sample = sample_of(40, session=speakers // 2, shift=0)
    rooms = np.random.default_rng(1).standard_normal((FOLDS, 20, 6))
    sample.h[:] += 5 * rooms[:, speakers // 2]
    apart = np.mean(predict(sample, sample.labels) == sample.labels)
    unaware = np.mean(predict(sample._replace(session=None), sample.labels) == sample.labels)
    assert 0.4 < apart < 0.6 and unaware < apart


def test_one_fold_is_enough():
    sample = sample_of(24, shift=4)
    alone = FoldSample(
        sample.h[:1], sample.labels, sample.speakers, Split(*(p[:1] for p in sample.split))
    )
    tested = alone.split.test[0]
    predictions = predict(alone, alone.labels)
    assert np.mean(predictions[tested] == alone.labels[tested]) > 0.8
    assert not predictions[~tested].any()


def test_a_network_that_collapsed_in_one_fold_is_no_obstacle():
    sample = sample_of(24, shift=4)
    sample.h[1] = 3
    predictions = predict(sample, sample.labels, "kernel")
    others = ~sample.split.test[1]
    assert np.mean(predictions[others] == sample.labels[others]) > 0.75
    assert len(np.unique(predictions[~others])) == 1


def test_where_a_fold_lacks_the_map_that_others_select_its_last_one_stands_for_it():
    """Fold 0 has a map that errs and one that is right, fold 1, without outliers, one alone."""
    labels, part = np.array([[0, 1, 0, 1]]), np.array([0, 0, 1, 1])
    errs, is_right = np.array([[[1, 0]]], np.int8), np.array([[[0, 1]]], np.int8)  # [L, P, r]
    no_hits = np.zeros((1, 2, 1, 2), int)  # [L, K, P, C]
    hits = no_hits.copy()
    hits[0, 1] = 1  # of the speakers outside part 1, by attackers who lack it
    two_maps = _FoldPredictions(np.array([0, 1]), [errs, is_right], [no_hits, hits])
    one_map = _FoldPredictions(np.array([2, 3]), [is_right], [no_hits])
    selected = _selected([two_maps, one_map], labels, part)
    np.testing.assert_array_equal(selected[:, 2:], labels[:, 2:])


def test_an_interviewer_of_all_sessions_does_not_part_their_partners():
    """He is the last speaker, and has an utterance in every room of one woman and one man."""
    num_rooms = 12
    speakers = np.concatenate([np.arange(2 * num_rooms), np.full(num_rooms, 2 * num_rooms)])
    session = np.concatenate([np.arange(2 * num_rooms) // 2, np.arange(num_rooms)])
    split = Split(*np.zeros((3, FOLDS, len(speakers)), bool))
    split.test[0] = True
    labels = np.zeros(len(speakers), np.int32)
    sample = FoldSample(np.zeros((FOLDS, len(speakers), 1)), labels, speakers, split, session)
    order = _order(KnownRows.of(sample), seed=0)
    order = order[order != 2 * num_rooms]
    assert (order[::2] // 2 == order[1::2] // 2).all()
