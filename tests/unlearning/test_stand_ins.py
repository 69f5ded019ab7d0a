"""With a head of two layers a decision reveals the head's answer, and the head reads it again."""

import jax
import numpy as np
import pytest

from experiments.run.controls import released
from privrep.inputs.packing import PackingSettings, pack
from privrep.parallel.run_axis import share, take
from privrep.training.fit import fit
from privrep.types import Corpus
from privrep.unlearning import stand_ins
from privrep.unlearning.released_h import represent
from privrep.unlearning.stand_ins import INTERVALS
from privrep.unlearning.training_problem import network_problem
from tests.support import small_data
from tests.support.small_networks import LIGHT, PACKED, SETTINGS, run_table

pytestmark = pytest.mark.usefixtures("quickly_compiled")
TRAIN = np.arange(300) < 200


def hidden_head(outputs, seed=0):
    """A random head with a hidden layer, whose answers have no convex regions."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(4, 16)).astype("f"), rng.normal(size=(16, outputs)).astype("f")
    return lambda h: jax.nn.relu(h @ first) @ second


def drawn(seed=0):
    return np.random.default_rng(seed).normal(size=(300, 4)).astype("f")


@pytest.mark.parametrize("seed", range(5))
def test_the_head_gives_the_answer_to_what_stands_in_for_it(seed):
    h, head = drawn(seed), hidden_head(3, seed)
    learned = stand_ins.learn(head, h, TRAIN)
    sent = np.asarray(stand_ins.send(learned, head(h)))
    np.testing.assert_array_equal(head(sent).argmax(1), head(h).argmax(1))
    assert len(np.unique(sent, axis=0)) == len(np.unique(head(h).argmax(1)))  # to the last bit


def test_an_answer_is_stood_for_by_the_mean_where_the_head_gives_it_to_the_mean():
    h = drawn()
    recognised = (h[:, 0] > 0).astype(int)

    def head(h):  # linear: a mean of rows of one class is of that class
        return jax.numpy.stack([-h[:, 0], h[:, 0]], 1)

    means = [h[TRAIN & (recognised == c)].mean(0) for c in (0, 1)]
    np.testing.assert_allclose(stand_ins.learn(head, h, TRAIN).vectors, means, atol=1e-6)

    def ring(h):  # the mean of those outside of a circle lies within it
        far = (h**2).sum(1) - 4
        return jax.numpy.stack([-far, far], 1)

    within, outside = np.asarray(stand_ins.learn(ring, h, TRAIN).vectors)
    assert (within**2).sum() < 1
    surest = np.where(TRAIN, (h**2).sum(1), 0).argmax()
    np.testing.assert_array_equal(outside, h[surest])


def test_a_class_that_nobody_has_is_stood_for_by_the_row_nearest_to_it():
    h = drawn()

    def head(h):
        return jax.numpy.stack([h[:, 0], 0 * h[:, 0] - 9, -h[:, 0]], 1)

    vectors = np.asarray(stand_ins.learn(head, h, TRAIN).vectors)
    assert np.isfinite(vectors).all() and (h[TRAIN] == vectors[1]).all(1).any()


def test_rows_of_other_parts_teach_nothing():
    h, other = drawn(), drawn()
    other[~TRAIN] = 30
    for outputs in (3, 1):
        head = hidden_head(outputs)
        jax.tree.map(
            np.testing.assert_array_equal,
            stand_ins.learn(head, h, TRAIN),
            stand_ins.learn(head, other, TRAIN),
        )


def test_a_prediction_is_sent_as_one_of_its_intervals():
    h, head = drawn(), hidden_head(1)
    learned = stand_ins.learn(head, h, TRAIN)
    assert learned.vectors.shape == (INTERVALS, 4) and learned.edges.shape == (INTERVALS - 1,)
    predicted = np.asarray(head(h))[:, 0]
    numbers = np.asarray(stand_ins.number_of(head(h), learned.edges))
    counts = np.bincount(numbers[TRAIN], minlength=INTERVALS)
    assert set(counts) <= {200 // INTERVALS, 200 // INTERVALS + 1}
    sent = stand_ins.send(learned, head(h))
    again = np.asarray(stand_ins.number_of(head(sent), learned.edges))
    np.testing.assert_array_equal(again, numbers)
    assert np.corrcoef(np.asarray(head(sent))[:, 0], predicted)[0, 1] > 0.95


# In a network ---------------------------------------------------------------------------------


def deep(net):
    return net.clone(head_layers=2, head_width=6)


def test_the_decision_of_a_network_costs_no_emotion():
    """Its scores are those of h itself, from as many vectors as there are answers."""
    architecture = LIGHT._replace(net=deep(LIGHT.net))
    runs = run_table()
    stages = fit(network_problem, architecture, SETTINGS, share(PACKED.data), runs)
    params = [stage.fits().params for stage in stages][-1]
    _, whole, _ = represent(architecture, PACKED.data, released(runs, "none"), params)
    sent, scores, learned = represent(architecture, PACKED.data, released(runs, "decision"), params)
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(scores[f"{part}_emotion_uar"], whole[f"{part}_emotion_uar"])
    assert learned.stand_ins.vectors.shape == (4, 3, 4)
    assert all(len(np.unique(h, axis=0)) <= 3 for h in sent)
    unprotected = runs._replace(
        release=released(runs, "decision").release,
        release_lambda={a: np.zeros(4, np.float32) for a in runs.release_lambda},
    )
    h, *_ = represent(architecture, PACKED.data, unprotected, params)
    np.testing.assert_array_equal(
        h, represent(architecture, PACKED.data, released(runs, "none"), params)[0]
    )


@pytest.mark.long
def test_a_regression_of_two_layers_trains_and_is_scored():
    utterances, frames, words = small_data.corpus()
    settings = PackingSettings(
        task="activation", private=("gender", "speaker"), bins="continuous", normalise="train"
    )
    corpus = Corpus(frames, words, None)
    data = pack(utterances, corpus, small_data.split(), settings, small_data.VOCABULARY).data
    architecture = LIGHT._replace(net=deep(LIGHT.net).clone(num_classes=1))
    runs = run_table()
    stages = fit(network_problem, architecture, SETTINGS, share(data), runs)
    fits = [stage.fits() for stage in stages][-1]
    h, scores, _ = represent(architecture, data, released(runs, "none"), fits.params)
    sent, quantised, _ = represent(architecture, data, released(runs, "decision"), fits.params)
    assert np.isfinite(scores["val_emotion_ccc"]).all()
    for row in range(len(h)):
        params = take(fits.params, row)
        exact, near = (
            architecture.net.apply({"params": params}, x[row], method="emotion") for x in (h, sent)
        )
        assert np.corrcoef(np.asarray(exact)[:, 0], np.asarray(near)[:, 0])[0, 1] > 0.9
        assert len(np.unique(sent[row], axis=0)) <= INTERVALS
    assert np.isfinite(quantised["val_emotion_ccc"]).all()
