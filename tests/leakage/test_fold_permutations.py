"""Permuted labels of folds: what every labelling leaves as it is."""

import numpy as np

from privrep.leakage.fold_permutations import permute_in_folds
from privrep.leakage.fold_sample import FoldSample, KnownRows
from privrep.types import InferenceSettings, Split

FOLDS = 3
SETTINGS = InferenceSettings(permutations=30)


def permuted(gender_of, fold_of, room_of):
    """FoldPermutations, and the speakers' labels [P, S] of each statement, one row a speaker."""
    fold_of = np.asarray(fold_of)
    rotation = np.stack([(fold_of - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    session = None if room_of is None else np.asarray(room_of)
    sample = FoldSample(
        np.zeros((FOLDS, len(fold_of), 1)),
        np.asarray(gender_of),
        np.arange(len(fold_of)),
        split,
        session,
    )
    result = permute_in_folds(KnownRows.of(sample), SETTINGS)
    return [
        None if statement is None else result.labels[statement.rows]
        for statement in (result.total, result.beyond_sessions)
    ]


def of_folds(labels, fold_of):
    return np.stack([(labels * (np.asarray(fold_of) == k)).sum(1) for k in range(FOLDS)])


def test_every_labelling_has_the_classes_of_the_folds():
    rng = np.random.default_rng(0)
    fold_of, gender_of = np.repeat(np.arange(FOLDS), 8), rng.integers(0, 2, 24)
    total, beyond = permuted(gender_of, fold_of, None)
    assert beyond is None and len(total) == 31
    assert (of_folds(total, fold_of) == of_folds(total[:1], fold_of)).all()


def test_rooms_of_one_class_change_labels_as_wholes_within_their_fold():
    room_of = np.repeat(np.arange(12), 2)
    fold_of, gender_of = room_of % FOLDS, room_of // FOLDS % 2
    total, beyond = permuted(gender_of, fold_of, room_of)
    assert (beyond[:, ::2] == beyond[:, 1::2]).all() and (total[:, ::2] != total[:, 1::2]).any()
    assert (of_folds(beyond, fold_of) == of_folds(beyond[:1], fold_of)).all()
    assert len(np.unique(beyond, axis=0)) > 10
    np.testing.assert_array_equal(beyond[0], gender_of)


def test_rooms_of_both_classes_exchange_labels_within():
    room_of = np.repeat(np.arange(12), 2)
    gender_of = np.arange(24) % 2
    _, beyond = permuted(gender_of, room_of % FOLDS, room_of)
    assert (beyond[:, ::2] + beyond[:, 1::2] == 1).all() and len(np.unique(beyond, axis=0)) > 20


def test_rooms_that_folds_divide_change_labels_only_with_rooms_that_are_divided_alike():
    """Rooms 0 and 1 have a speaker in each fold; rooms 2 and 3 have others in them."""
    room_of = np.repeat(np.arange(4), 3)
    fold_of = [0, 1, 2, 0, 1, 2, 0, 0, 1, 1, 2, 2]
    gender_of = np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1])
    _, beyond = permuted(gender_of, fold_of, room_of)
    assert (beyond[:, 6:] == gender_of[6:]).all()
    assert {tuple(row) for row in beyond[:, :6].tolist()} == {
        (0,) * 3 + (1,) * 3,
        (1,) * 3 + (0,) * 3,
    }
    assert (of_folds(beyond, fold_of) == of_folds(beyond[:1], fold_of)).all()


def test_an_interviewer_keeps_his_label_and_does_not_tie_the_rooms_into_one():
    """He is speaker 24, has an utterance in each of 12 rooms of one gender, and is tested once."""
    speaker = np.concatenate([np.arange(24), np.full(12, 24)])
    room = np.concatenate([np.repeat(np.arange(12), 2), np.arange(12)])
    fold_of = np.concatenate([np.repeat(np.arange(12), 2) % FOLDS, np.zeros(12, int)])
    gender = np.concatenate([np.repeat(np.arange(12), 2) // FOLDS % 2, np.ones(12, int)])
    rotation = np.stack([(fold_of - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    sample = FoldSample(np.zeros((FOLDS, 36, 1)), gender, speaker, split, room)
    result = permute_in_folds(KnownRows.of(sample), SETTINGS)
    beyond = result.labels[result.beyond_sessions.rows]
    assert (beyond[:, 24:] == 1).all() and len(np.unique(beyond, axis=0)) > 10
    assert (beyond[:, :24:2] == beyond[:, 1:24:2]).all()
