"""Attackers of many labellings at once: each as if alone, and blind to the tested speakers."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from privrep.attacks import lda as closed_form
from privrep.attacks.lda import ATTACKS, ranks
from privrep.attacks.lda_moments import choose
from privrep.attacks.scaling import standardised, whitened
from privrep.leakage.worlds import WORLDS
from privrep.statistics.design import design
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import confusion_counts, uar, uars_of

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


class Ridge:
    """Covariance of one class plus a penalty, in scikit-learn's form of an estimator."""

    def __init__(self, penalty):
        self.penalty = penalty

    def fit(self, x):
        self.covariance_ = np.cov(x.T, bias=True) + self.penalty * np.eye(x.shape[1])


def scikit_learns(x, labels, penalty, tested):
    """log p(h | c) - log p(h | 0) of the classes c > 0, float[n, C - 1], of the rows `tested`, from
    the other rows; the covariance within classes is pooled by the sizes of the classes."""
    share = np.bincount(labels[~tested]) / (~tested).sum()
    lda = LinearDiscriminantAnalysis(
        solver="lsqr", priors=share, covariance_estimator=Ridge(penalty)
    )
    lda.fit(x[~tested], labels[~tested])
    scores = lda.decision_function(x[tested])
    if len(share) == 2:
        return scores[:, None] - np.log(share[1] / share[0])
    return scores[:, 1:] - scores[:, :1] - np.log(share[1:] / share[0])


def columns_and_whitened(h):
    """What the penalties of the grid shrink: {grid: float64[N, D]}."""
    x = standardised(h)
    return {"PENALTIES": x, "EVEN": whitened(x)[0].astype(float)}


GRID = [(grid, penalty) for grid in ("PENALTIES", "EVEN") for penalty in getattr(closed_form, grid)]


@pytest.mark.parametrize(("grid", "penalty"), GRID)
@pytest.mark.parametrize("num_classes", [2, 3])
def test_linear_is_discriminant_analysis(num_classes, grid, penalty, monkeypatch):
    """At each penalty of the grid, with equal priors: scikit-learn's, on classes of any size."""
    for name in ("PENALTIES", "EVEN"):
        monkeypatch.setattr(closed_form, name, (penalty,) if name == grid else ())
    h, labels, speakers, folds = data(num_classes)
    labels = labels.copy()
    labels[1, speakers < 6] = 0
    x, tested = columns_and_whitened(h)[grid], folds == 1
    for row in (0, 1):
        attacked = ATTACKS["linear"](0, h, labels[[row]], speakers, folds, num_classes, only=1)
        expected = scikit_learns(x, labels[row], penalty, tested)
        predicted = attacked.predictions[0, tested]
        assert (predicted != choose(expected[:, None])[:, 0]).mean() < 0.01
        scores = attacked.log_likelihoods[tested, 1:] - attacked.log_likelihoods[tested, :1]
        factor = (scores * expected).sum() / (expected**2).sum()  # of the calibration
        np.testing.assert_allclose(scores, factor * expected, rtol=1e-3, atol=1e-3 * factor)


def test_the_penalty_is_that_of_a_search_over_validation_speakers():
    """The gender is in the small difference of two columns, which a large penalty hides."""
    rng = np.random.default_rng(0)
    h, labels, speakers, folds = data()
    shared = rng.normal(size=len(h))
    h = np.stack([shared + 0.1 * labels[0], shared, *rng.normal(size=(3, len(h)))], 1)
    h[:, :2] += 0.02 * rng.normal(size=(len(h), 2))
    truth, x_of = labels[0], columns_and_whitened(h)
    attacked = ATTACKS["linear"](0, h, labels[:1], speakers, folds, 2)
    for fold in (0, 1):
        tested, uars = folds == fold, []
        for grid, penalty in GRID:
            predicted = np.zeros(len(h), int)
            for held_out in {*range(4)} - {fold}:
                x, rows = x_of[grid][~tested], (folds == held_out)[~tested]
                predicted[folds == held_out] = (
                    scikit_learns(x, truth[~tested], penalty, rows)[:, 0] > 0
                )
            uars.append(uars_of(predicted[None, ~tested], truth[None, ~tested], 2)[0])
        of_first, of_best = (
            scikit_learns(x_of[grid], truth, penalty, tested)[:, 0] > 0
            for grid, penalty in (GRID[0], GRID[int(np.argmax(uars))])
        )
        assert (attacked.predictions[0, tested] == of_best).mean() > 0.95
        assert (of_first == truth[tested]).mean() < 0.75 < 0.85 < (of_best == truth[tested]).mean()


@pytest.mark.parametrize("name", ATTACKS)
def test_calibration_uses_no_label_of_the_tested_speakers(name):
    h, labels, speakers, folds = data()
    attacked = ATTACKS[name](0, h, labels[:1], speakers, folds, 2)
    for fold in range(4):
        tested = folds == fold
        changed = np.where(tested, 1 - labels[:1], labels[:1])
        again = ATTACKS[name](0, h, changed, speakers, folds, 2, only=fold)
        np.testing.assert_allclose(
            again.log_likelihoods[tested], attacked.log_likelihoods[tested], rtol=1e-3, atol=1e-4
        )


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
    points = [set(attacked.predictions[0, (decision == k) & (folds == 1)]) for k in range(3)]
    assert all(len(predicted) == 1 for predicted in points)  # the same point, the same guess
    assert uar(confusion_counts(attacked.predictions[0], gender, speakers, 2).sum(0)) > 0.6


@pytest.mark.parametrize("size", [1e-6, 3e-7])
def test_a_leak_of_a_millionth_is_read_and_where_there_is_none_nothing(size):
    """A column that is a sum of others in float32, but for `size` * gender."""
    uars = {}
    for planted in (size, 0):
        world = WORLDS["speaker_only"].draw(0, 60, 8, 8)
        h = world.h.astype(np.float64)
        h[:, 7] = h[:, :3].sum(1) + planted * (2 * world.gender - 1)
        folds = design(world.gender, world.speaker, None, 5, 0).folds
        arguments = (world.gender[None], world.speaker, folds, 2)
        predictions = ATTACKS["linear"](0, h.astype(np.float32), *arguments).predictions
        uars[planted] = np.mean(predictions[0] == world.gender)
    assert uars[size] > 0.9 and uars[0] < 0.65


@pytest.mark.parametrize("noise", ["tails", "loud"])
def test_a_small_direction_among_outliers_is_read(noise):
    """Clipped columns mix it with the outliers of the others; scikit-learn's LDA reads it."""
    sample = WORLDS["no_leak"].draw(0, 40, EACH, 12)
    rng = np.random.default_rng(0)
    h = sample.h.astype(float)
    if noise == "tails":
        h += rng.standard_cauchy(h.shape)
    else:
        h[rng.random(len(h)) < 0.05] *= 300
    h[:, 0] = 1e-3 * (rng.normal(size=len(h)) + 4 * sample.gender)
    h = h @ np.linalg.qr(rng.normal(size=(12, 12)))[0]
    folds = design(sample.gender, sample.speaker, None, 4, 0).folds
    attacked = ATTACKS["linear"](0, h, sample.gender[None], sample.speaker, folds, 2)
    assert uars_of(attacked.predictions, sample.gender[None], 2)[0] > 0.9


@pytest.mark.parametrize("quantile", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_ranks_read_a_repeated_value_wherever_it_lies_among_the_others(quantile):
    """As whoever knows the value: 35 % of one class hold it and 5 % of the other, UAR 0.65."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(100), 10)
    labels = speakers % 2
    h = rng.normal(size=(1000, 16)) + rng.normal(size=(100, 16))[speakers]
    repeated = rng.random(1000) < np.where(labels, 0.35, 0.05)
    h[repeated, 3] = np.quantile(h[:, 3], quantile)
    folds = design(labels, speakers, None, 5, 0).folds
    read = ranks(0, h, labels[None], speakers, folds, 2).predictions
    known = uars_of(repeated[None].astype(int), labels[None], 2)[0]
    assert uars_of(read, labels[None], 2)[0] > known - 0.03 > 0.6
