"""Attackers who know everybody but a group: equal to training each of them by itself."""

import numpy as np
import pytest

from privrep.attacks.leave_group_out import Settings, Victims, leave_group_out
from privrep.attacks.scaling import standardised, whitened
from privrep.statistics.permutation_test import permute

PENALTIES = (1.0, 0.01)


def corpus(seed, num_classes=2, num_speakers=21, varies=False):
    """Features, labels of a few labellings, speakers; the first 8 speakers are attacked."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(num_speakers), rng.integers(2, 6, num_speakers)).astype(int)
    classes = (np.arange(num_speakers) % num_classes)[speakers]
    if varies:
        classes = np.where(rng.random(len(speakers)) < 0.3, rng.permutation(classes), classes)
    h = rng.standard_normal((num_speakers, 5))[speakers] + rng.standard_normal((len(speakers), 5))
    h[:, 0] += classes
    strata = np.zeros(num_speakers, int)
    labels = permute(classes.astype(np.int32), speakers, strata, 4, seed).labels
    part = np.where(np.arange(num_speakers) < 8, np.arange(num_speakers) // 4 % 3, -1)
    order = rng.permutation(8)
    return h.astype(np.float32), labels, speakers, Victims(order, part)


def group_of(victim, victims, class_of):
    """The speakers held out with one: of each class who has the same rank in it."""
    part = [s for s in victims.speakers if victims.part[s] == victims.part[victim]]
    ranked = {c: [s for s in part if class_of[s] == c] for c in set(class_of.values())}
    rank = ranked[class_of[victim]].index(victim)
    return [of_class[rank] for of_class in ranked.values() if rank < len(of_class)]


def directly(h, labels, known, penalty, num_classes, weights):
    """Classes of all rows by the nearest mean of the known rows in the metric of all rows."""
    x = h.astype(float) - h.mean(0)
    metric = np.linalg.inv(x.T @ x / len(x) + penalty * np.eye(x.shape[1]))
    means = [
        np.average(x[known & (labels == c)], axis=0, weights=weights[known & (labels == c)])
        for c in range(num_classes)
    ]
    return np.argmax([x @ metric @ m - m @ metric @ m / 2 for m in means], axis=0)


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("varies", [False, True])
@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_predictions_and_hits_are_those_of_attackers_trained_one_by_one(
    num_classes, varies, weight
):
    h, labels, speakers, victims = corpus(num_classes, num_classes, varies=varies)
    result = leave_group_out(h, None, labels, speakers, victims, Settings(PENALTIES, (1.0, weight)))
    weights = np.where(np.isin(speakers, victims.speakers), weight, 1.0)
    hits = np.zeros_like(result.hits[2:])
    for p, y in enumerate(labels):
        class_of = {s: np.bincount(y[speakers == s]).argmax() for s in victims.speakers}
        for victim in victims.speakers:
            rows = speakers == victim
            others = ~np.isin(speakers, group_of(victim, victims, class_of))
            for i, penalty in enumerate(PENALTIES):
                expected = directly(h, y, others, penalty, num_classes, weights)
                np.testing.assert_array_equal(result.predictions[2 + i, p, rows], expected[rows])
                for k in {0, 1} - {victims.part[victim]}:
                    known = others & (victims.part[speakers] != k)
                    predicted = directly(h, y, known, penalty, num_classes, weights)
                    right = y[rows][predicted[rows] == y[rows]]
                    hits[i, k, p] += np.bincount(right, minlength=num_classes)
    np.testing.assert_array_equal(result.hits[2:], hits)
    assert not result.predictions[:, :, speakers >= 8].any()


def test_the_sums_of_few_labellings_at_a_time_give_the_same(monkeypatch):
    h, labels, speakers, victims = corpus(0)
    arguments = (h, None, labels, speakers, victims, Settings(PENALTIES))
    whole = leave_group_out(*arguments)
    monkeypatch.setattr("privrep.attacks.leave_group_out._NUMBERS", 1)
    for a, b in zip(whole, leave_group_out(*arguments)):
        np.testing.assert_array_equal(a, b)


def test_a_penalty_for_each_uncorrelated_feature_is_one_of_the_columns_they_were_made_of():
    h, labels, speakers, victims = corpus(3)
    columns = standardised(h)
    features, variance = whitened(columns)
    whole = leave_group_out(
        columns.astype(np.float32), None, labels, speakers, victims, Settings(PENALTIES)
    )
    each = Settings(tuple(penalty / variance for penalty in PENALTIES))
    turned = leave_group_out(features, None, labels, speakers, victims, each)
    for a, b in zip(whole, turned):
        np.testing.assert_array_equal(a, b)


def test_rows_that_are_not_usable_teach_nothing_and_are_predicted():
    h, labels, speakers, victims = corpus(1)
    usable = np.flatnonzero(np.arange(len(h)) % 2 == 0)
    arguments = (usable, labels, speakers, victims, Settings(PENALTIES))
    changed = h.copy()
    row = np.flatnonzero((speakers == 9) & (np.arange(len(h)) % 2 == 1))[0]
    changed[row] += 100
    before, after = leave_group_out(h, *arguments), leave_group_out(changed, *arguments)
    np.testing.assert_array_equal(before.predictions, after.predictions)


def test_equal_speakers_are_told_apart_by_nothing_not_even_rounding():
    """Every speaker has the same three rows: all class means are equal, whoever is left out."""
    rows = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    speakers = np.repeat(np.arange(10), 3)
    labels = (speakers % 2)[None]
    victims = Victims(np.arange(10), np.zeros(10, int))
    result = leave_group_out(
        np.tile(rows, (10, 1)), None, labels, speakers, victims, Settings((1e-3,))
    )
    assert not result.predictions.any()
