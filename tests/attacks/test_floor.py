"""The attacker at the numerical floor: what it reads that others do not, and that it is one."""

import numpy as np
import pytest

from privrep.attacks import floor as floor_module
from privrep.attacks.floor import floor, principal_components
from privrep.attacks.suite import QUICK, suite
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.statistics.design import design
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import uars_of
from privrep.types import InferenceSettings

S, EACH, D = 24, 8, 6
SETTINGS = InferenceSettings(folds=3, permutations=39)


def data(num_classes=2):
    draw = WORLDS["linear"].draw(0, S, EACH, D)
    labels = draw.gender if num_classes == 2 else draw.speaker % num_classes
    h = draw.h + 5 * np.eye(D)[labels % D].astype(np.float32)
    folds = design(labels, draw.speaker, None, 4, 0).folds
    return h, permute(labels, draw.speaker, np.zeros(S, int), 6, 0).labels, draw.speaker, folds


def planted(size, num_speakers=100, seed=0):
    """A world without a leak whose last column, a sum of others, also has `size` * gender."""
    draw = WORLDS["speaker_only"].draw(seed, num_speakers, 10, 8)
    h = draw.h.astype(np.float64)
    h[:, 7] = h[:, :3].sum(1) + size * (2 * draw.gender - 1)
    return draw._replace(h=h.astype(np.float32))


@pytest.mark.parametrize("num_classes", [2, 3])
def test_contract(num_classes):
    h, labels, speakers, folds = data(num_classes)
    attacked = floor(0, h, labels, speakers, folds, num_classes)
    assert attacked.predictions.shape == labels.shape and attacked.predictions.dtype == np.int16
    assert attacked.log_likelihoods.shape == (len(h), num_classes) and all(attacked.chosen)
    np.testing.assert_array_equal(attacked.log_likelihoods.argmax(1), attacked.predictions[0])
    assert uars_of(attacked.predictions, labels, num_classes)[0] > 0.8
    for row in (0, 4):  # each labelling as if it were the only one
        alone = floor(0, h, labels[[row]], speakers, folds, num_classes)
        assert (alone.predictions[0] != attacked.predictions[row]).mean() < 0.005
    tested = folds == 2
    changed = np.where(tested, (labels + 1) % num_classes, labels)
    again = floor(0, h, changed, speakers, folds, num_classes, only=2)
    np.testing.assert_array_equal(again.predictions[:, tested], attacked.predictions[:, tested])
    assert (again.predictions[:, ~tested] == -1).all()


def test_it_is_the_discriminant_in_float64(monkeypatch):
    """Its formula solved directly, on columns that are all but dependent."""
    monkeypatch.setattr(floor_module, "FLOORS", (1e-9,))
    draw = planted(1e-3)
    h, y, folds = draw.h, draw.gender, design(draw.gender, draw.speaker, None, 4, 0).folds
    attacked = floor(0, h, y[None], draw.speaker, folds, 2)
    x = np.float64(h)
    x = (x - x.mean(0)) / x.std(0)
    ridge = 1e-9 * np.linalg.eigvalsh(x.T @ x / len(x))[-1]
    for fold in range(4):
        train = folds != fold
        means = np.stack([x[train & (y == c)].mean(0) for c in (0, 1)])
        within = x[train] - means[y[train]]
        weights = np.linalg.solve(
            within.T @ within / train.sum() + ridge * np.eye(8), means[1] - means[0]
        )
        expected = (x[~train] - means.mean(0)) @ weights > 0
        assert (attacked.predictions[0, ~train] != expected).mean() < 0.01


@pytest.mark.parametrize("size", [1e-6, 3e-7])
def test_only_the_floor_reads_a_leak_of_a_millionth(size):
    """Where float32 has some digits left below it. Of one ten-millionth a part is read."""
    sample = planted(size).sample()
    attackers = suite(QUICK)
    with_floor = measure(sample, attackers=attackers, settings=SETTINGS)
    uars = {name: result.uar for name, result in with_floor.attackers.items()}
    assert with_floor.verdict.verdict == "leaks" and uars.pop("floor") > 0.8
    assert max(uars.values()) < 0.6, uars
    del attackers["floor"]
    assert measure(sample, attackers=attackers, settings=SETTINGS).verdict.verdict != "leaks"


def test_a_bit_of_a_column_is_no_constant_and_equal_values_are():
    draw = WORLDS["no_leak"].draw(0, S, EACH, 4)
    h = np.full((len(draw.gender), 3), 7, np.float32)
    folds = design(draw.gender, draw.speaker, None, 3, 0).folds
    arguments = (draw.gender[None], draw.speaker, folds, 2)
    equal = floor(0, h, *arguments)
    assert len(np.unique(equal.predictions)) == 1 and np.isfinite(equal.log_likelihoods).all()
    h[draw.gender == 1, 1] = np.nextafter(np.float32(7), np.float32(8))
    assert uars_of(floor(0, h, *arguments).predictions, draw.gender[None], 2)[0] == 1


def test_units_and_shifts_change_no_prediction():
    h, labels, speakers, folds = data()
    other = (h * np.float32([1e-4, 1, 1e3, 1, 3, 1e4]) + np.float32([0, 9, 1, 0, 0, 5])).astype("f")
    attacked, again = (floor(0, x, labels, speakers, folds, 2) for x in (h, other))
    assert (attacked.predictions != again.predictions).mean() < 0.01


def test_components_have_seven_digits_however_small_they_are():
    """Of columns that depend on each other up to 1e-6: variances and independence."""
    h = planted(1e-6).h
    x = np.float64(principal_components(h, np.ones(len(h), bool)))
    assert x[:, 0].std() == pytest.approx(1, rel=1e-5) and 1e-8 < x[:, -1].std() < 1e-5
    np.testing.assert_allclose(np.corrcoef(x.T), np.eye(8), atol=1e-5)


@pytest.mark.parametrize("fault", ["more columns than rows", "alive in one fold alone"])
def test_a_training_part_without_full_rank(fault):
    rng, (h, labels, speakers, folds) = np.random.default_rng(0), data()
    if fault == "more columns than rows":
        h = np.concatenate([h, rng.normal(size=(len(h), 200))], 1)
    else:
        alive = rng.normal(size=(len(h), 4)) * (folds == 1)[:, None]
        h = np.concatenate([h, alive, h[:, :2] + alive[:, :2]], 1)
    attacked = floor(0, h.astype(np.float32), labels, speakers, folds, 2)
    assert np.isfinite(attacked.log_likelihoods).all()
    if fault == "alive in one fold alone":
        assert uars_of(attacked.predictions, labels, 2)[0] > 0.7


def test_a_class_that_nobody_taught_is_never_guessed():
    h, labels, speakers, folds = data(3)
    labels = np.where(folds == 1, 2, labels % 2)
    attacked = floor(0, h, labels, speakers, folds, 3)
    assert (attacked.predictions[:, folds == 1] < 2).all()


def test_it_learns_from_a_share_of_many_utterances_and_predicts_all(monkeypatch):
    h, labels, speakers, folds = data()
    monkeypatch.setattr(floor_module, "TRAINING_UTTERANCES", S * 4)
    attacked = floor(0, h, labels, speakers, folds, 2)
    assert (attacked.predictions >= 0).all()
    assert uars_of(attacked.predictions, labels, 2)[0] > 0.8


def test_where_nothing_is_to_be_read_the_mean_is_chance():
    uars = []
    for seed in range(12):
        draw = planted(0, num_speakers=S, seed=seed)
        folds = design(draw.gender, draw.speaker, None, 3, seed).folds
        attacked = floor(seed, draw.h, draw.gender[None], draw.speaker, folds, 2)
        uars.append(uars_of(attacked.predictions, draw.gender[None], 2)[0])
    assert 0.44 < np.mean(uars) < 0.56
