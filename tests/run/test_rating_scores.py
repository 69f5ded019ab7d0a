"""Columns of a regression: CCC and RMSE of predictions in the unit of the rating, and changes."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import root_mean_squared_error

from experiments.results.columns import column_of
from experiments.run.kept_counts import kept_counts
from experiments.run.rating_scores import rating_scores
from privrep.inputs.packing import Ratings
from privrep.statistics.concordance import ccc, compare_ccc, moments
from privrep.training import regression
from privrep.types import Split, Utterance
from tests.support.attack_targets import columns_of, target_of

FOLDS, SPEAKERS, EACH = 3, 12, 8
SPEAKER = np.repeat(np.arange(SPEAKERS), EACH)
NOISE = {0.0: 0.6, 1.0: 1.2}  # of the predictions, by lambda


@pytest.fixture(scope="module")
def loaded():
    rng = np.random.default_rng(0)
    fold = SPEAKER // 2 % FOLDS
    rotation = np.stack([(fold - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation == 2, val=rotation == 1, test=rotation == 0)
    values = rng.uniform(1, 5, len(SPEAKER))
    values[::11] = np.nan
    mean = np.array([np.nanmean(values[part]) for part in split.train])
    deviation = np.array([np.nanstd(values[part]) for part in split.train])
    folds = SimpleNamespace(
        split=split, task=np.tile(np.where(np.isnan(values), -1, 0), (FOLDS, 1))
    )
    utterances = [
        Utterance(id=f"u{i}", speaker=f"s{s:02d}", private={"gender": ("f", "m")[s % 2]})
        for i, s in enumerate(SPEAKER)
    ]
    packed = SimpleNamespace(
        data=SimpleNamespace(folds=folds), ratings=Ratings(values, mean, deviation)
    )
    return SimpleNamespace(utterances=utterances, packed=packed)


@pytest.fixture(scope="module")
def made(loaded):
    """(targets, columns, predictions {(lambda, seed): float[K, N]} in the unit of the rating)."""
    rng, ratings = np.random.default_rng(1), loaded.packed.ratings
    targets, predictions = [], {}
    for lambda_, noise in NOISE.items():
        for seed in range(2):
            of_folds = np.nan_to_num(ratings.values, nan=3.0) + noise * rng.normal(
                size=(FOLDS, len(SPEAKER))
            )
            predictions[lambda_, seed] = of_folds
            for k, predicted in enumerate(of_folds):
                row = {"task": "t", "lambda": lambda_, "seed": seed, "fold": k}
                standardised = (predicted - ratings.mean[k]) / ratings.deviation[k]
                h = np.zeros((len(SPEAKER), 2), np.float32)
                targets.append(target_of(row, h, standardised[:, None]))
    return targets, columns_of(rating_scores(targets, loaded, ["gender"])), predictions


def of_test_speakers(loaded, of_folds):
    return np.select(list(loaded.packed.data.folds.split.test), list(of_folds))


def test_a_fold_has_its_error_in_the_unit_of_the_rating(loaded, made):
    _, by_name, predictions = made
    values = loaded.packed.ratings.values
    for part in ("val", "test"):
        where = getattr(loaded.packed.data.folds.split, part)[1] & ~np.isnan(values)
        expected = root_mean_squared_error(values[where], predictions[0.0, 0][1][where])
        assert by_name[f"{part}_emotion_rmse"][1] == pytest.approx(expected)


def test_all_folds_and_seeds_have_one_ccc_with_an_interval(loaded, made):
    _, by_name, predictions = made
    values = loaded.packed.ratings.values
    guesses = np.concatenate(
        [of_test_speakers(loaded, predictions[0.0, seed]) for seed in range(2)]
    )
    truth = np.tile(values, 2)
    expected = float(regression.ccc(guesses, truth))
    first = {name: column[0] for name, column in by_name.items()}
    assert first["emotion_pooled_ccc"] == pytest.approx(expected, abs=1e-5)
    assert first["emotion_pooled_lower"] < expected < first["emotion_pooled_upper"]
    known = ~np.isnan(truth)
    assert first["emotion_pooled_rmse"] == pytest.approx(
        root_mean_squared_error(truth[known], guesses[known])
    )
    of_women = np.tile(SPEAKER % 2 == 0, 2)
    women, men = (float(regression.ccc(guesses[of], truth[of])) for of in (of_women, ~of_women))
    assert first["emotion_among_gender=f_ccc"] == pytest.approx(women, abs=1e-5)
    assert first["emotion_gap_gender=f_difference"] == pytest.approx(women - men, abs=1e-5)
    assert "emotion_gap_gender=m_difference" not in by_name


def test_the_change_to_lambda_0_is_paired_over_speakers(loaded, made):
    _, by_name, predictions = made
    values = loaded.packed.ratings.values
    sums = [
        sum(
            moments(of_test_speakers(loaded, predictions[lambda_, seed]), values, SPEAKER)
            for seed in range(2)
        )
        for lambda_ in (1.0, 0.0)
    ]
    expected = compare_ccc(*sums)
    change = by_name["emotion_change_difference"]
    assert change[: 2 * FOLDS] == [None] * 2 * FOLDS
    assert change[-1] == pytest.approx(expected.difference, abs=1e-6) and change[-1] < 0
    assert by_name["emotion_change_p"][-1] == expected.p


def test_every_column_stands_in_the_schema(made):
    assert all(column_of(name) is not None for name in made[1])
    assert column_of("emotion_pooled_ccc").name == "emotion_pooled_ccc"
    assert column_of("test_emotion_ccc").name == "<part>_emotion_ccc"


def test_the_sums_that_are_kept_are_those_of_the_scores(loaded, made):
    targets, by_name, _ = made
    lots = kept_counts(targets, loaded, {})
    assert [lot.settings["seed"] for lot in lots] == [0, 1, 0, 1]
    both = lots[0].sums + lots[1].sums
    assert float(ccc(both.sum(0))) == pytest.approx(by_name["emotion_pooled_ccc"][0], abs=1e-5)
    assert lots[0].speakers.tolist() == sorted({u.speaker for u in loaded.utterances})
