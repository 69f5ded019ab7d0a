"""A regression trains, unlearns and is selected as a classification is, by its CCC."""

import jax
import numpy as np
import pytest

from experiments.run.controls import released
from privrep.inputs.packing import PackingSettings, pack
from privrep.parallel.run_axis import share, take
from privrep.training.fit import fit
from privrep.training.problem import DIVERGED
from privrep.training.regression import LOSSES, ccc
from privrep.types import Corpus
from privrep.unlearning.collapse import collapsed_regression
from privrep.unlearning.kept_space import STEP
from privrep.unlearning.released_h import represent
from privrep.unlearning.training_problem import network_problem
from tests.support import small_data
from tests.support.small_data import relative_error
from tests.support.small_networks import ARCHITECTURE, SETTINGS, run_table

pytestmark = pytest.mark.usefixtures("quickly_compiled")
NET = ARCHITECTURE.net.clone(num_classes=1)
REGRESSION = ARCHITECTURE._replace(net=NET)


@pytest.fixture(scope="module")
def data():
    utterances, frames, words = small_data.corpus()
    settings = PackingSettings(
        task="activation",
        private=("gender", "speaker"),
        bins="continuous",
        normalise="train",
        block_size=8,
    )
    packed = pack(
        utterances, Corpus(frames, words, None), small_data.split(), settings, small_data.VOCABULARY
    )
    return packed.data


@pytest.fixture(scope="module")
def last(data):
    stages = fit(
        network_problem, REGRESSION, SETTINGS._replace(max_epochs=4), share(data), run_table()
    )
    return [(stage.fits(), stage.history) for stage in stages][-1]


def test_epochs_are_chosen_by_ccc_less_the_leak(last):
    _, history = last
    leak = np.abs(history["val_gender_adversary_uar"] - 0.5) * [1, 1, 1, 0]
    np.testing.assert_allclose(history["selection"], history["val_emotion_ccc"] - leak, atol=1e-6)
    assert "val_emotion_uar" not in history and np.isfinite(history["train_emotion_loss"]).all()


def test_scores_and_collapse_are_of_the_released_h(data, last):
    fits, _ = last
    runs, folds = run_table(), data.folds
    h, scores, _ = represent(REGRESSION, data, runs, fits.params)
    for row, fold in enumerate(np.asarray(runs.fold)):
        head = take(fits.params["emotion_head"], row)
        predicted = (h[row] @ head["kernel"] + head["bias"])[:, 0]
        target = folds.target[fold]
        for part, where in take(folds.split, fold)._asdict().items():
            expected = ccc(predicted, target, where)
            np.testing.assert_allclose(scores[f"{part}_emotion_ccc"][row], expected, atol=1e-5)
        value = scores["val_emotion_ccc"][row]
        flagged = bool(collapsed_regression(value, target, folds.split.val[fold]))
        assert scores["collapsed"][row] == flagged


@pytest.mark.long
def test_a_decision_sends_the_prediction_and_nothing_else(data, last):
    fits, _ = last
    runs = run_table()
    h, *_ = represent(REGRESSION, data, released(runs, "none"), fits.params)
    sent, scores, _ = represent(REGRESSION, data, released(runs, "decision"), fits.params)
    for row in range(len(h)):
        kernel = np.asarray(fits.params["emotion_head"]["kernel"][row])
        predicted = h[row] @ kernel
        rounding = STEP * predicted.std()
        np.testing.assert_allclose(sent[row] @ kernel, predicted, atol=rounding)
        assert np.linalg.matrix_rank(sent[row], tol=1e-4) <= 1
    assert np.isfinite(scores["test_emotion_ccc"]).all()


@pytest.mark.long
@pytest.mark.parametrize("defence", ["mmd", "hsic", "uniform"])
def test_matching_trains_a_regression(defence, data):
    architecture = REGRESSION._replace(defences=(defence,))
    settings = SETTINGS._replace(max_epochs=1)
    (stage,) = fit(network_problem, architecture, settings, share(data), run_table())
    assert np.isfinite(stage.history["train_emotion_loss"]).all()
    assert np.isfinite(stage.history["train_adversary_loss"]).all()
    assert (stage.status != DIVERGED).all()


@pytest.mark.long
@pytest.mark.parametrize("loss", LOSSES)
def test_a_padded_batch_has_the_gradient_of_a_ragged_one(loss, data):
    run, rng = take(run_table(), 0), np.random.default_rng(0)
    rows = np.array([0, 7, 1, 17, 6, 9, 15, 0])
    weight = np.float32([1] * 7 + [0])

    def gradient(fill):
        architecture = REGRESSION._replace(fill=fill, regression_loss=loss)

        @jax.jit
        def compute(data, params):
            problem = network_problem(architecture, data, run)
            return problem.gradient(params, (), run.key, rows, weight, 0.5)[:2]

        return compute(shared, params)

    shared = share(data)
    shapes = jax.eval_shape(network_problem(REGRESSION, shared, run).init, run.key)
    params = jax.tree.map(lambda a: rng.normal(0.2, 0.5, a.shape).astype("f"), shapes)
    (padded_sums, padded), (sums, ragged) = gradient(None), gradient(0.25)
    np.testing.assert_allclose(padded_sums["emotion"], sums["emotion"], rtol=1e-4)
    errors = jax.tree.leaves(jax.tree.map(relative_error, ragged, padded))
    assert max(errors) < 1e-4, errors
