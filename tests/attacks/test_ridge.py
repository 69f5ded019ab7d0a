"""Ridge regression for all labellings at once: what it is equal to, and what it can find."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from privrep.attacks import ridge as module
from privrep.attacks.nystroem import draw_landmarks, gaussian_features
from privrep.attacks.ridge import NUMBER_ATTACKS, kernel_ridge, ridge
from privrep.statistics.correlation import pearson, rank_correlation, rank_scores

RNG = np.random.default_rng(0)
SPEAKERS, FOLDS = 30, 5
# Unequal numbers of utterances: every speaker counts once all the same.
SPEAKER = np.repeat(np.arange(SPEAKERS), RNG.integers(2, 7, SPEAKERS)).astype(np.int32)
FOLD = (SPEAKER % FOLDS).astype(np.int32)
NUMBER = rank_scores(RNG.normal(size=SPEAKERS))
TARGETS = np.stack([NUMBER, *(RNG.permutation(NUMBER) for _ in range(3))])


def sample(strength, size=4):
    h = RNG.normal(size=(SPEAKERS, size))[SPEAKER] + RNG.normal(size=(len(SPEAKER), size))
    h[:, 0] += strength * NUMBER[SPEAKER]
    return h.astype(np.float32)


def score(h, attack=ridge):
    predicted = attack(0, h, TARGETS[:1], SPEAKER, FOLD)
    return float(rank_correlation(predicted.of_speakers[0], NUMBER))


def test_it_is_ridge_regression_in_which_every_speaker_counts_once(monkeypatch):
    monkeypatch.setattr(module, "PENALTIES", (0.1,))
    h = sample(1.0)
    predicted = ridge(0, h, TARGETS[:1], SPEAKER, FOLD)
    weight = 1 / np.bincount(SPEAKER)[SPEAKER]
    x = (h - h.mean(0, dtype=float)) / h.std(0, dtype=float)
    mean = (weight[:, None] * x).sum(0) / SPEAKERS
    unit = (weight[:, None] * (x - mean) ** 2).sum(0).mean() / SPEAKERS
    for fold in range(FOLDS):
        if predicted.chosen[fold].startswith("ranks"):
            continue
        train, tested = fold != FOLD, np.flatnonzero(fold == FOLD)
        model = Ridge(alpha=0.1 * unit * len(np.unique(SPEAKER[train])))
        model.fit(x[train], NUMBER[SPEAKER[train]], sample_weight=weight[train])
        expected = model.predict(x[tested])
        assert pearson(predicted.of_utterances[tested], expected) == pytest.approx(1, abs=1e-9)
    assert any(not name.startswith("ranks") for name in predicted.chosen)


@pytest.mark.parametrize("attack", NUMBER_ATTACKS.values(), ids=[*NUMBER_ATTACKS])
def test_every_labelling_is_attacked_as_if_it_were_alone(attack):
    h = sample(0.5)
    together = attack(0, h, TARGETS, SPEAKER, FOLD).of_speakers
    for i in range(len(TARGETS)):
        alone = attack(0, h, TARGETS[i : i + 1], SPEAKER, FOLD).of_speakers
        np.testing.assert_allclose(together[i], alone[0], atol=1e-6)


@pytest.mark.parametrize("attack", NUMBER_ATTACKS.values(), ids=[*NUMBER_ATTACKS])
def test_the_numbers_of_a_fold_never_influence_its_predictions(attack):
    h, tested = sample(0.5), np.arange(SPEAKERS) % FOLDS == 2
    changed = np.where(tested, 9.0, TARGETS)
    for only in (2, None):
        before = attack(0, h, TARGETS, SPEAKER, FOLD, only)
        after = attack(0, h, changed, SPEAKER, FOLD, only)
        np.testing.assert_array_equal(before.of_speakers[:, tested], after.of_speakers[:, tested])
        np.testing.assert_array_equal(
            before.of_utterances[FOLD == 2], after.of_utterances[FOLD == 2]
        )
    alone, every = (attack(0, h, TARGETS, SPEAKER, FOLD, o).of_speakers for o in (2, None))
    np.testing.assert_allclose(alone[:, tested], every[:, tested], atol=1e-9)
    assert np.isnan(alone[:, ~tested]).all() and np.isfinite(every).all()


@pytest.mark.parametrize("attack", NUMBER_ATTACKS.values(), ids=[*NUMBER_ATTACKS])
def test_a_speaker_is_predicted_as_the_mean_of_the_utterances(attack):
    predicted = attack(0, sample(0.5), TARGETS[:1], SPEAKER, FOLD)
    means = np.bincount(SPEAKER, predicted.of_utterances) / np.bincount(SPEAKER)
    np.testing.assert_allclose(predicted.of_speakers[0], means, atol=1e-9)


def test_what_is_hidden_in_small_digits_is_found():
    """A direction of a thousandth, rotated; a column of a million; tails; a sentinel row."""
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    h = 0.05 * RNG.normal(size=(len(SPEAKER), 6))
    h[:, 0] += NUMBER[SPEAKER]
    assert score((h * [1e-3, *[1] * 5] @ rotation).astype(np.float32)) > 0.9
    assert score(sample(4.0) + np.array([1e6, 0, 0, 0], np.float32)) > 0.8
    assert score(sample(4.0) + np.array([1e11, 0, 0, 0])) > 0.8  # in float64
    tailed = np.sinh(3 * sample(3.0)).astype(np.float32)
    tailed[0] = 1e6
    assert score(tailed) > 0.8


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.8])
def test_how_often_a_value_is_repeated_is_read_wherever_it_lies_among_the_others(quantile):
    """As well as by whoever knows the value, but for the choice of the form."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(60), 20)
    number = rank_scores(rng.normal(size=60))
    h = rng.normal(size=(1200, 8)) + rng.normal(size=(60, 8))[speaker]
    is_repeated = rng.random(1200) < np.clip(0.25 + 0.12 * number, 0, 1)[speaker]
    h[is_repeated, 3] = np.quantile(h[:, 3], quantile)
    read = ridge(0, h, number[None], speaker, speaker % FOLDS).of_speakers[0]
    known = rank_correlation(np.bincount(speaker, is_repeated), number)
    assert rank_correlation(read, number) > known - 0.1 > 0.5


def test_a_radius_is_found_by_the_kernel_only():
    angle = RNG.uniform(0, 2 * np.pi, len(SPEAKER))
    distance = 3 * np.exp(0.5 * NUMBER[SPEAKER])
    h = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    assert abs(score(h.astype(np.float32))) < 0.5
    assert score(h.astype(np.float32), kernel_ridge) > 0.9


@pytest.mark.parametrize("attack", NUMBER_ATTACKS.values(), ids=[*NUMBER_ATTACKS])
def test_an_h_without_variation_predicts_one_number_for_all(attack):
    h = np.full((len(SPEAKER), 3), 7.3, np.float32)
    assert not attack(0, h, TARGETS, SPEAKER, FOLD).of_speakers.any()


def test_inner_products_of_the_features_are_the_kernel():
    h = sample(0.0).astype(np.float64)
    landmarks = draw_landmarks(0, h, SPEAKER, 12)
    features = gaussian_features(landmarks, 2.0)(landmarks.points)
    distances = ((landmarks.points[:, None] - landmarks.points) ** 2).sum(-1)
    kernel = np.exp(-distances / (2 * landmarks.median))
    np.testing.assert_allclose(features @ features.T, kernel, atol=1e-9)
