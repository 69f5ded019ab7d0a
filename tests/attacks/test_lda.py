"""Attackers of many labellings at once: each as if alone, and blind to the tested speakers."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from privrep.attacks import lda as closed_form
from privrep.attacks.lda import ATTACKS
from privrep.leakage.worlds import WORLDS
from privrep.statistics.design import design
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import confusion_counts, uar

S, EACH, D = 24, 8, 6


def data(num_classes=2, world="linear", seed=0):
    sample = WORLDS[world].draw(seed, S, EACH, D)
    labels = sample.gender if num_classes == 2 else sample.speaker % num_classes
    h = sample.h + 5 * np.eye(D)[labels % D].astype(np.float32)
    folds = design(labels, sample.speaker, None, 4, 0).folds
    exchanged = permute(labels, sample.speaker, np.zeros(S, int), 6, 0).labels
    return h, exchanged, sample.speaker, folds


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("name", ATTACKS)
def test_contract(name, num_classes):
    h, labels, speakers, folds = data(num_classes)
    attacked = ATTACKS[name](0, h, labels, speakers, folds, num_classes)
    assert attacked.predictions.shape == labels.shape and attacked.predictions.dtype == np.int16
    assert attacked.log_likelihoods.shape == (len(h), num_classes) and len(attacked.chosen) == 4
    np.testing.assert_array_equal(attacked.log_likelihoods.argmax(1), attacked.predictions[0])
    assert (
        uar(confusion_counts(attacked.predictions[0], labels[0], speakers, num_classes).sum(0))
        > 0.8
    )
    # Each labelling as if it were the only one.
    for row in (0, 4):
        alone = ATTACKS[name](0, h, labels[[row]], speakers, folds, num_classes)
        assert (alone.predictions[0] != attacked.predictions[row]).mean() < 0.005
    # What the tested speakers are labelled changes nothing that is said of them.
    tested = folds == 2
    changed = np.where(tested, (labels + 1) % num_classes, labels)
    again = ATTACKS[name](0, h, changed, speakers, folds, num_classes)
    np.testing.assert_array_equal(again.predictions[:, tested], attacked.predictions[:, tested])
    assert (again.predictions[:, ~tested] != attacked.predictions[:, ~tested]).any()


def test_changing_the_names_of_the_classes_changes_the_names_of_the_guesses():
    h, labels, speakers, folds = data()
    attacked = ATTACKS["linear"](0, h, np.stack([labels[0], 1 - labels[0]]), speakers, folds, 2)
    assert (attacked.predictions[0] + attacked.predictions[1] == 1).mean() > 0.995


@pytest.mark.parametrize("num_classes", [2, 3])
def test_linear_is_discriminant_analysis(num_classes, monkeypatch):
    """With next to no penalty and equal priors: scikit-learn's, on classes of any size."""
    monkeypatch.setattr(closed_form, "PENALTIES", (1e-9,))
    monkeypatch.setattr(closed_form, "EVEN", ())
    h, labels, speakers, folds = data(num_classes)
    labels = labels.copy()
    labels[1, speakers < 6] = 0
    attacked = ATTACKS["linear"](0, h, labels, speakers, folds, num_classes)
    for row in (0, 1):
        for fold in range(4):
            train = folds != fold
            share = np.bincount(labels[row, train], minlength=num_classes) / train.sum()
            lda = LinearDiscriminantAnalysis(solver="lsqr", priors=share)
            lda.fit(h[train], labels[row, train])  # its covariance weighs classes by the priors
            scores = lda.decision_function(h[~train])
            if num_classes == 2:
                expected = (scores - np.log(share[1] / share[0]) > 0).astype(int)
            else:
                expected = (scores - np.log(share)).argmax(1)
            assert (attacked.predictions[row, ~train] != expected).mean() < 0.01


def test_a_class_that_nobody_taught_is_never_guessed():
    h, labels, speakers, folds = data(3)
    labels = np.where(folds == 1, 2, labels % 2)  # class 2 is tested, and only there
    for name, attack in ATTACKS.items():
        attacked = attack(0, h, labels, speakers, folds, 3)
        assert (attacked.predictions[:, folds == 1] < 2).all(), name


def test_only_the_kernel_finds_what_is_not_linear():
    sample = WORLDS["nonlinear"].draw(0, 40, 20, 6)
    folds = design(sample.gender, sample.speaker, None, 5, 0).folds
    score = {}
    for name, attack in ATTACKS.items():
        attacked = attack(0, sample.h, sample.gender[None], sample.speaker, folds, 2)
        counts = confusion_counts(attacked.predictions[0], sample.gender, sample.speaker, 2)
        score[name] = uar(counts.sum(0))
    assert score["linear"] < 0.6 and score["kernel"] > 0.95


def test_the_kernel_learns_from_a_share_of_a_talkative_speaker_and_predicts_all(monkeypatch):
    h, labels, speakers, folds = data()
    whole = ATTACKS["kernel"](0, h, labels, speakers, folds, 2)
    monkeypatch.setattr(closed_form, "PER_SPEAKER", 4)
    part = ATTACKS["kernel"](0, h, labels, speakers, folds, 2)
    assert part.predictions.shape == whole.predictions.shape
    assert (part.predictions != whole.predictions).any()
    assert uar(confusion_counts(part.predictions[0], labels[0], speakers, 2).sum(0)) > 0.8


@pytest.mark.parametrize("name", ATTACKS)
def test_an_h_of_two_places_of_which_one_is_hardly_ever_taken(name):
    """Such as the decision of a network that has collapsed; what is there says nothing."""
    speakers = np.repeat(np.arange(20), 50)
    folds, labels = (np.arange(20) % 5)[speakers], (np.arange(20) // 2 % 2)[speakers]
    for seed in range(8):
        h = np.zeros((1000, 16), np.float32)
        h[np.random.default_rng(seed).choice(1000, 1 + 2 * (seed % 2), replace=False)] = 1
        attacked = ATTACKS[name](0, h, labels[None], speakers, folds, 2)
        assert 0.4 < np.mean(attacked.predictions[0] == labels) < 0.6


def test_scale_shift_and_constant_columns_change_no_guess():
    h, labels, speakers, folds = data()
    other = np.concatenate([1e3 * h + 50, np.full((len(h), 1), 7)], 1).astype(np.float32)
    for name in ATTACKS:
        attacked, again = (ATTACKS[name](0, x, labels, speakers, folds, 2) for x in (h, other))
        assert (attacked.predictions != again.predictions).mean() < 0.01, name


def test_calibrated_log_likelihoods_are_no_surer_than_right():
    """On h of no leak the scale falls towards 0, so that the loss is near the entropy."""
    sample = WORLDS["speaker_only"].draw(0, 40, 20, 6)
    folds = design(sample.gender, sample.speaker, None, 5, 0).folds
    attacked = ATTACKS["linear"](0, sample.h, sample.gender[None], sample.speaker, folds, 2)
    joint = attacked.log_likelihoods
    likely = joint - np.logaddexp.reduce(joint, 1, keepdims=True)
    loss = -likely[np.arange(len(likely)), sample.gender].mean() / np.log(2)
    assert 0.95 < loss < 1.1


@pytest.mark.parametrize("name", ATTACKS)
def test_an_h_that_never_varies_is_guessed_one_class(name):
    _, labels, speakers, folds = data()
    h = np.full((len(folds), D), 7, np.float32)
    attacked = ATTACKS[name](0, h, labels, speakers, folds, 2)
    assert (attacked.predictions == 0).all() and np.isfinite(attacked.log_likelihoods).all()


@pytest.mark.parametrize("name", ATTACKS)
def test_the_one_fold_that_is_asked_for_is_guessed_as_among_all(name):
    h, labels, speakers, folds = data()
    attacked = ATTACKS[name](0, h, labels, speakers, folds, 2)
    asked = ATTACKS[name](0, h, labels, speakers, folds, 2, only=2)
    tested = folds == 2
    np.testing.assert_array_equal(asked.predictions[:, tested], attacked.predictions[:, tested])
    np.testing.assert_array_equal(asked.log_likelihoods[tested], attacked.log_likelihoods[tested])
    assert (asked.predictions[:, ~tested] == -1).all() and asked.chosen[2] == attacked.chosen[2]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_h_of_three_points_is_attacked_too(name):
    """A decision in place of h: most utterances are the same point, and tell a little."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(40), 30)
    gender = (speakers % 2).astype(np.int32)
    decision = np.where(rng.random(len(gender)) < 0.4, gender, rng.integers(0, 3, len(gender)))
    h = rng.normal(size=(3, 16))[decision].astype(np.float32)
    folds = design(gender, speakers, None, 5, 0).folds
    attacked = ATTACKS[name](0, h, gender[None], speakers.astype(np.int32), folds, 2)
    assert np.isfinite(attacked.log_likelihoods).all()
    for k in range(3):  # the same point, the same guess
        assert len({*attacked.predictions[0, (decision == k) & (folds == 1)]}) == 1
    assert uar(confusion_counts(attacked.predictions[0], gender, speakers, 2).sum(0)) > 0.6
