"""Attackers beyond the closed forms: they find what they must, and nothing where nothing is."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from privrep.attacks.boosted_trees import ROUNDS, trees
from privrep.attacks.knn import knn
from privrep.attacks.suite import FEW, QUICK, affordable_permutations, suite
from privrep.attacks.trained.mlp_and_gru import mlp, sequence
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.statistics.design import design
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import uars_of
from privrep.types import InferenceSettings

pytestmark = pytest.mark.usefixtures("quickly_compiled")

S, EACH, D = 24, 12, 6


def problem(world, count=1, seed=0, num_speakers=S, num_folds=3):
    """A world, the true labelling and `count` permuted ones, and folds."""
    sample = WORLDS[world].draw(seed, num_speakers, EACH, D)
    folds = design(sample.gender, sample.speaker, None, num_folds, seed).folds
    strata = np.zeros(num_speakers, int)
    return sample, permute(sample.gender, sample.speaker, strata, count, seed).labels, folds


@pytest.mark.parametrize("attack", [knn, trees, mlp])
def test_contract_and_what_must_be_found(attack):
    least = {"linear": 0.7, "nonlinear": 0.85, "interaction": 0.8}
    for world in least:
        sample, labels, folds = problem(world)
        attacked = attack(0, sample.h, labels, sample.speaker, folds, 2)
        assert attacked.predictions.shape == labels.shape and attacked.predictions.dtype == np.int16
        np.testing.assert_array_equal(attacked.log_likelihoods.argmax(1), attacked.predictions[0])
        assert uars_of(attacked.predictions, labels, 2)[0] > least[world], world
        assert len(attacked.chosen) == 3 and all(attacked.chosen)
    # Alone, and only one fold of it: the same guesses.
    asked = attack(0, sample.h, labels[:1], sample.speaker, folds, 2, only=1)
    tested = folds == 1
    np.testing.assert_array_equal(asked.predictions[0, tested], attacked.predictions[0, tested])
    np.testing.assert_allclose(
        asked.log_likelihoods[tested], attacked.log_likelihoods[tested], rtol=1e-4, atol=1e-4
    )
    assert (asked.predictions[:, ~tested] == -1).all()
    # The tested speakers' own labels change nothing that is said of them.
    changed = np.where(tested, 1 - labels, labels)
    again = attack(0, sample.h, changed, sample.speaker, folds, 2, only=1)
    np.testing.assert_array_equal(again.predictions[0, tested], asked.predictions[0, tested])
    np.testing.assert_array_equal(again.log_likelihoods[tested], asked.log_likelihoods[tested])


def test_trees_grow_on_other_speakers_than_their_number_is_chosen_on():
    """By scikit-learn: their number is the best of 5, 10, ... for the fold after the tested one,
    grown without it; then as many are grown on both. Classes are of unequal size, and their prior
    is divided out."""
    sample, _, folds = problem("linear")
    labels = ((sample.speaker % 4 == 0) ^ (sample.speaker % 7 == 0)).astype(np.int32)
    h = sample.h + labels[:, None]
    attacked = trees(0, h, labels[None], sample.speaker, folds, 2, only=0)

    def predictions(grown, most):
        """After each number of trees up to `most`, grown on the rows `grown`."""
        ensemble = HistGradientBoostingClassifier(
            max_iter=most, max_leaf_nodes=15, early_stopping=False, random_state=0
        )
        with threadpool_limits(1, "openmp"):
            ensemble.fit(h[grown], labels[grown])
            posteriors = list(ensemble.staged_predict_proba(h))
        return [(of_count[:, 1] > labels[grown].mean()).astype(int) for of_count in posteriors]

    staged, validation = predictions(folds == 2, ROUNDS[-1]), folds == 1
    truth = labels[None, validation]
    uars = [uars_of(staged[count - 1][None, validation], truth, 2)[0] for count in ROUNDS]
    count = ROUNDS[int(np.argmax(uars))]
    assert attacked.chosen[0] == f"{count} trees"
    expected = predictions(folds != 0, count)[-1][folds == 0]
    assert (attacked.predictions[0, folds == 0] == expected).mean() > 0.98


def test_trees_see_what_outliers_tell():
    """Four codes of millions, each a little more for one gender, in two fifths of the cells."""
    sample, labels, folds = problem("no_leak")
    rng = np.random.default_rng(0)
    code = 1e6 * rng.choice([-2, -1, 1, 2], sample.h.shape) + labels[0][:, None]
    h = np.where(rng.random(sample.h.shape) < 0.4, code, sample.h)
    attacked = trees(0, h, labels[:1], sample.speaker, folds, 2)
    assert uars_of(attacked.predictions, labels[:1], 2)[0] > 0.62


@pytest.mark.parametrize("attack", [knn, trees])
def test_a_class_that_nobody_taught_is_never_guessed(attack):
    sample, labels, folds = problem("linear")
    labels = np.where(folds == 1, 2, labels)
    attacked = attack(0, sample.h, labels, sample.speaker, folds, 3, only=1)
    assert (attacked.predictions[:, folds == 1] < 2).all()


def test_neighbours_of_three_classes():
    sample, _, folds = problem("no_leak")
    labels = (sample.speaker % 3)[None]
    h = sample.h + 9 * np.eye(D)[labels[0]]
    attacked = knn(0, h, labels, sample.speaker, folds, 3)
    assert (attacked.predictions == labels).mean() > 0.95


def test_every_labelling_is_judged_as_if_it_were_the_only_one():
    sample, labels, folds = problem("linear", count=12)
    for attack, count, rows in ((knn, 13, range(13)), (mlp, 4, (0, 3))):
        attacked = attack(0, sample.h, labels[:count], sample.speaker, folds, 2)
        for row in rows:
            alone = attack(0, sample.h, labels[[row]], sample.speaker, folds, 2)
            assert (alone.predictions[0] != attacked.predictions[row]).mean() < 0.005


@pytest.mark.parametrize("attack", [knn, trees, mlp])
def test_where_nothing_is_to_be_found_the_mean_is_chance(attack):
    draws = {knn: 12, trees: 3, mlp: 3}[attack]
    scores = []
    for seed in range(draws):
        sample, labels, folds = problem("no_leak", seed=seed)
        attacked = attack(seed, sample.h, labels[:1], sample.speaker, folds, 2)
        scores.append(uars_of(attacked.predictions, labels[:1], 2)[0])
    assert 0.44 < np.mean(scores) < 0.56


@pytest.mark.long
def test_false_alarms_of_the_quick_suite_are_rare():
    """60 corpora without a leak: no more alarms than one in twenty makes likely (99 %)."""
    alarms = 0
    for seed in range(60):
        measurement = measure(
            WORLDS["speaker_only"].draw(seed, 20, 6, 4).sample(),
            attackers=suite(("linear", "knn")),
            settings=InferenceSettings(folds=3, permutations=39, seed=seed),
        )
        alarms += measurement.verdict.verdict == "leaks"
    assert alarms <= 8


def frames(sample, seed=0, longest=10):
    """Noise with a slope, up for one gender and down for the other: all pools are alike."""
    rng = np.random.default_rng(seed)
    num_frames = rng.integers(longest // 2, longest + 1, len(sample.gender))
    x = 0.5 * rng.normal(size=(len(sample.gender), longest, 2))
    place = 2 * np.arange(longest) / (num_frames[:, None] - 1) - 1
    x[..., 0] += 2 * np.where(sample.gender == 1, 1, -1)[:, None] * place
    return x, num_frames


def test_only_the_sequence_attacker_reads_the_order_of_frames_and_never_their_padding():
    sample, labels, folds = problem("no_leak")
    x, num_frames = frames(sample)
    inside = (np.arange(x.shape[1]) < num_frames[:, None])[..., None]
    pools = np.concatenate([x.mean(1, where=inside), x.std(1, where=inside)], 1)
    arguments = (0, pools, labels[:1], sample.speaker, folds, 2)
    attacked = sequence(x, num_frames)(*arguments)
    assert uars_of(attacked.predictions, labels[:1], 2)[0] > 0.85
    for attack in suite(QUICK).tested.values():
        blind = attack(*arguments)
        assert uars_of(blind.predictions, labels[:1], 2)[0] < 0.65
    garbage = np.where(inside, x, np.nan)
    again = sequence(garbage, num_frames)(*arguments)
    np.testing.assert_array_equal(again.predictions, attacked.predictions)
    np.testing.assert_array_equal(again.log_likelihoods, attacked.log_likelihoods)
    with pytest.raises(ValueError, match="3 utterances, and 288 rows"):
        sequence(x[:3], None)(*arguments)


def test_slow_attackers_take_fewer_permutations():
    assert affordable_permutations(QUICK, 200) == 200
    assert affordable_permutations(("linear", "trees"), 200) == FEW
    assert affordable_permutations(("mlp",), 19) == 19
    for names, said in (
        ((), "linear, kernel, ranks, kernel_ranks, knn"),
        (("svm",), "sequence"),
        (("sequence",), "N, T"),
    ):
        with pytest.raises(ValueError, match=said):
            suite(names)
