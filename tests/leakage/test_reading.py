"""Linear readers: right where h holds a task linearly, at chance where it holds nothing."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from privrep.leakage.reading import PENALTIES, read_classes, read_ratings
from privrep.statistics.concordance import ccc, moments
from privrep.types import Split

FOLDS, SPEAKERS, EACH = 3, 18, 10
SPEAKER = np.repeat(np.arange(SPEAKERS), EACH)
N = len(SPEAKER)
K = np.arange(FOLDS)[:, None]
SPLIT = Split(
    train=SPEAKER[None] % 3 == (K + 2) % 3,
    val=SPEAKER[None] % 3 == (K + 1) % 3,
    test=SPEAKER[None] % 3 == K,
)


def world(seed=0, size=5):
    """h float32[K, N, D] of other networks in every fold, classes int[N], ratings float[N]."""
    rng = np.random.default_rng(seed)
    classes, ratings = rng.integers(0, 3, N), rng.uniform(1, 5, N)
    h = rng.normal(size=(FOLDS, N, size))
    for k, of_fold in enumerate(h):
        of_fold += 3 * np.eye(size)[(classes + k) % 3]
        of_fold[:, 3] += (3 + k) * ratings
    return (h * 10.0 ** np.arange(size)).astype(np.float32), classes, ratings


def test_what_h_holds_is_read_in_every_fold_whatever_its_units():
    h, classes, ratings = world()
    labels = np.tile(classes, (FOLDS, 1))
    read = read_classes(h, labels, SPEAKER, SPLIT)
    assert (read == classes).mean() > 0.9
    values = read_ratings(h, ratings, SPLIT)
    assert float(ccc(moments(values, ratings, np.zeros(N, int)).sum(0))) > 0.9


def test_what_h_does_not_hold_is_read_by_chance():
    rng = np.random.default_rng(1)
    h, classes, ratings = world()
    others = np.tile(rng.permutation(classes), (FOLDS, 1))
    assert abs((read_classes(h, others, SPEAKER, SPLIT) == others[0]).mean() - 1 / 3) < 0.12
    unrelated = rng.permutation(ratings)
    values = read_ratings(h, unrelated, SPLIT)
    assert abs(float(ccc(moments(values, unrelated, np.zeros(N, int)).sum(0)))) < 0.15


def test_no_reader_meets_the_labels_of_those_it_is_tested_on():
    h, classes, ratings = world()
    labels = np.tile(classes, (FOLDS, 1))
    changed, others = labels.copy(), ratings.copy()
    tested = SPLIT.test[0]
    changed[0, tested] = (changed[0, tested] + 1) % 3
    np.testing.assert_array_equal(
        read_classes(h, changed, SPEAKER, SPLIT), read_classes(h, labels, SPEAKER, SPLIT)
    )
    only = Split(*(part[:1] for part in SPLIT))
    others[tested] = 6 - others[tested]
    np.testing.assert_array_equal(
        read_ratings(h[:1], ratings, only), read_ratings(h[:1], others, only)
    )


def test_labels_that_are_unknown_and_folds_without_classes_are_left_out():
    h, classes, ratings = world()
    labels = np.tile(classes, (FOLDS, 1))
    labels[:, ::7] = -1
    labels[2, SPLIT.train[2] | SPLIT.val[2]] = 1
    read = read_classes(h, labels, SPEAKER, SPLIT)
    assert (read[::7] == -1).all() and (read[SPLIT.test[2]] == -1).all()
    assert (read[SPLIT.test[0]] >= 0).sum() == (labels[0, SPLIT.test[0]] >= 0).sum()
    ratings = np.where(np.arange(N) % 5 == 0, np.nan, ratings)
    np.testing.assert_array_equal(np.isnan(read_ratings(h, ratings, SPLIT)), np.isnan(ratings))


@pytest.mark.parametrize("classes_of_test", [3])
def test_a_class_that_only_test_speakers_have_is_an_error(classes_of_test):
    h, classes, _ = world()
    labels = np.tile(classes, (FOLDS, 1))
    labels[0, np.flatnonzero(SPLIT.test[0])[:5]] = classes_of_test
    read = read_classes(h, labels, SPEAKER, SPLIT)
    assert (read[np.flatnonzero(SPLIT.test[0])[:5]] < classes_of_test).all()


def test_the_ridge_is_scikit_learns():
    h, _, ratings = world()
    only = Split(*(part[:1] for part in SPLIT))
    known = SPLIT.train[0] | SPLIT.val[0]
    x = (h[0] - h[0][known].mean(0)) / h[0][known].std(0)
    fits = [Ridge(alpha=p * known.sum()).fit(x[known], ratings[known]) for p in PENALTIES]
    read = read_ratings(h[:1], ratings, only)[SPLIT.test[0]]
    errors = [np.abs(fit.predict(x[SPLIT.test[0]]) - read).max() for fit in fits]
    assert min(errors) < 1e-6
