"""The nearest-neighbour attacker against a search written out, in worlds where k matters."""

import numpy as np
import pytest

from privrep.attacks.knn import NEIGHBOURS, knn
from privrep.attacks.scaling import standardised
from privrep.statistics.design import design
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import uars_of

S, EACH, FOLDS = 40, 6, 4


def mislabelled(rng, labels, speaker):
    """Two classes far apart, and a quarter of the speakers in the other class's place: the nearest
    neighbour is one of those as often, and a vote of many is not."""
    place = np.where(speaker % 4 == 3, 1 - labels, labels)
    return 3 * place[:, None] * np.array([1, 0]) + rng.normal(size=(len(labels), 2))


def stripes(rng, labels, speaker):
    """Narrow stripes of either class by turns: the vote of many is that of several stripes."""
    return (2 * rng.integers(0, 16, len(labels)) + labels + rng.random(len(labels)))[:, None]


def problem(world, share):
    """h, the true labels and permuted ones of speakers of whom a `share` is of class 1, folds."""
    rng, speaker = np.random.default_rng(0), np.repeat(np.arange(S), EACH)
    gender = (np.arange(S) * 7 % S < share * S).astype(int)[speaker]
    h = world(rng, gender, speaker)
    labels = permute(gender, speaker, np.zeros(S, int), 1, 0).labels
    return h, labels, speaker, design(gender, speaker, None, FOLDS, 0).folds


def by_hand(x, labels, training, tested, k):
    """The class of which most of the k nearest are, of classes of equal size."""
    distances = ((x[tested][:, None] - x[training]) ** 2).sum(-1)
    near = labels[training][np.argsort(distances, axis=1, kind="stable")[:, :k]]
    sizes = np.bincount(labels[training], minlength=2)
    votes = np.stack([(near == c).sum(1) for c in (0, 1)], 1)
    return (votes / sizes).argmax(1)


@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize(("world", "likely"), [(mislabelled, (5, 20, 80)), (stripes, (1, 5))])
def test_k_is_that_of_a_search_over_validation_speakers(world, likely, share):
    """Every fold but the tested one is predicted from the others, for each k, and the best one is
    used: predictions and choice are those of the search written out."""
    h, labels, speaker, folds = problem(world, share)
    attacked = knn(0, h, labels, speaker, folds, 2)
    x = standardised(h)
    for row, truth in enumerate(labels):
        for tested in range(FOLDS):
            uars = []
            for k in NEIGHBOURS:
                predicted = np.full(len(x), -1)
                for fold in {*range(FOLDS)} - {tested}:
                    rest = (folds != tested) & (folds != fold)
                    predicted[folds == fold] = by_hand(x, truth, rest, folds == fold, k)
                known = folds != tested
                uars.append(uars_of(predicted[None, known], truth[None, known], 2)[0])
            k = NEIGHBOURS[int(np.argmax(uars))]
            expected = by_hand(x, truth, folds != tested, folds == tested, k)
            assert (attacked.predictions[row, folds == tested] == expected).mean() > 0.98
            if row == 0:
                assert attacked.chosen[tested] == f"k {k}"
                assert k in likely


def test_calibration_uses_no_label_of_the_tested_speakers():
    h, labels, speaker, folds = problem(mislabelled, 0.5)
    attacked = knn(0, h, labels[:1], speaker, folds, 2)
    for tested in range(FOLDS):
        changed = np.where(folds == tested, 1 - labels[:1], labels[:1])
        again = knn(0, h, changed, speaker, folds, 2, only=tested)
        rows = folds == tested
        np.testing.assert_array_equal(again.log_likelihoods[rows], attacked.log_likelihoods[rows])
