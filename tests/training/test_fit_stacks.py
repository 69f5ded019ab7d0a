"""Stacks of runs: each equals the run alone, resumed as uninterrupted, next to a diverged one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.parallel.run_axis import take
from privrep.training import fit as training
from privrep.training.epoch import OPTIMISERS
from privrep.training.losses import cross_entropy
from privrep.training.metrics import uar
from privrep.training.problem import DIVERGED, FitSettings, Problem
from tests.support.trained import assert_same, trained

pytestmark = pytest.mark.usefixtures("quickly_compiled")

# A problem to learn: three classes on a ring of points, by a small dense network. -------------


class Ring(NamedTuple):
    x: np.ndarray
    labels: np.ndarray
    train: np.ndarray


class Learner(NamedTuple):
    key: jax.Array
    learning_rate: jax.Array
    scale: jax.Array  # of x: NaN makes NaN rows


def ring():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 90)
    x = np.stack([np.cos(angle), np.sin(angle)], -1) + rng.normal(0, 0.05, (90, 2))
    return Ring(np.float32(x), np.int32(angle * 6 / (2 * np.pi)) % 3, np.arange(90) < 60)


def ring_problem(width, data, run):
    def init(key):
        first, second = jax.random.split(key)
        return {
            "first": jax.random.normal(first, (3, width)),
            "second": 0.3 * jax.random.normal(second, (width, 3)),
        }

    def logits(params, x):
        x = jnp.concatenate([x * run.scale, jnp.ones((len(x), 1))], -1)
        return jnp.tanh(2 * x @ params["first"]) @ params["second"]

    def gradient(params, state, key, index, weight, progress):
        def loss(params):
            x = data.x[index] + 0.01 * jax.random.normal(key, (len(index), 2))
            each = cross_entropy(logits(params, x), data.labels[index]) * weight
            return each.sum() / weight.sum(), {"ring": each.sum()}

        gradients, sums = jax.grad(loss, has_aux=True)(params)
        return sums, gradients

    return Problem(
        init=init,
        gradient=gradient,
        score=lambda p, _: {"selection": uar(logits(p, data.x), data.labels, 3, ~data.train)},
        rates=lambda params: jax.tree.map(lambda _: run.learning_rate, params),
        weight_decay=jnp.float32(0),
        train=data.train,
    )


LEARNING = FitSettings(batch_size=16, max_epochs=16, patience=16)
IMPATIENT = LEARNING._replace(patience=2)


def learn(runs, fits=None, settings=LEARNING, together=None, make=ring_problem):
    return trained(make, 24, settings, ring(), runs, fits, together)


def learners(rates=(0.03, 0.03, 0.01, 0.03, 0.05), seeds=(0, 1, 0, 2, 0), scale=1.0):
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    scales = np.broadcast_to(np.asarray(scale), len(rates)).astype(np.float32)
    return Learner(keys, np.float32(rates), scales)


@pytest.fixture(scope="module")
def whole():
    """Five runs trained without interruption."""
    return learn(learners())


def test_it_learns(whole):
    history = {name: np.array([h[name] for _, h in whole]) for name in whole[0][1]}
    assert np.all(history["train_ring_loss"][0] > 0.7)
    assert history["train_ring_loss"][-1, 4] < 0.3
    last, _ = whole[-1]
    np.testing.assert_array_equal(last.best_score, history["selection"].max(0))
    np.testing.assert_array_equal(last.best_epoch, 1 + history["selection"].argmax(0))
    assert last.best_score[4] > 0.9


def test_a_row_of_a_stack_is_the_run_alone(whole):
    for i in (0, 3):
        alone = learn(take(learners(), np.array([i])))
        for step, expected in zip(whole, alone, strict=True):
            assert_same(take(step, np.array([i])), expected)


def test_permuted_runs_give_permuted_results(whole):
    order = np.array([3, 0, 4, 2, 1])
    for step, expected in zip(learn(take(learners(), order)), whole):
        assert_same(step, take(expected, order))


@pytest.mark.parametrize("together", [1, 3])
def test_runs_that_do_not_fit_together_learn_the_same(whole, together):
    for step, expected in zip(learn(learners(), together=together), whole, strict=True):
        assert_same(step, expected)


def test_side_by_side_the_stack_shrinks_as_runs_stop(whole, monkeypatch):
    """The accelerators' way, in which a run that has stopped would cost as much as another."""
    expected = learn(learners(), settings=IMPATIENT)
    epochs = expected[-1][0].epoch
    assert len(set(epochs)) > 2  # they stop one after another
    sizes = []

    def counted(*arguments):
        sizes.append(len(arguments[-1].status))
        return epoch_all(*arguments)

    epoch_all = training._epoch_all
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(training, "_epoch_all", counted)
    # Another function, so that the program of the other form is not taken.
    actual = learn(learners(), settings=IMPATIENT, make=lambda *rest: ring_problem(*rest))
    for (fits, history), (fits_expected, history_expected) in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(fits.epoch, fits_expected.epoch)
        np.testing.assert_array_equal(fits.status, fits_expected.status)
        np.testing.assert_allclose(
            history["train_ring_loss"], history_expected["train_ring_loss"], rtol=1e-3
        )
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < sizes[0]


def test_the_same_key_gives_the_same_bytes(whole):
    again = learn(learners())
    assert [leaf.tobytes() for leaf in jax.tree.leaves(again)] == [
        leaf.tobytes() for leaf in jax.tree.leaves(whole)
    ]
    last, _ = whole[-1]
    of_key_0, of_key_1 = last.params["first"][0], last.params["first"][1]
    assert np.all(of_key_0 != of_key_1)


def test_going_on_is_as_if_never_interrupted(whole):
    interrupted, _ = whole[1]
    rest = learn(learners(), interrupted)
    assert len(rest) == len(whole) - 2
    for step, expected in zip(rest, whole[2:]):
        assert_same(step, expected)


def test_finished_runs_are_not_trained(whole):
    assert learn(learners(), whole[-1][0]) == []


@pytest.mark.parametrize(
    "broken",
    [learners(scale=[1, 1, np.nan, 1, 1]), learners((0.03, 0.03, 3e38, 0.03, 0.05))],
    ids=["NaN features", "absurd learning rate"],
)
def test_divergence_harms_nobody_else(whole, broken):
    steps = learn(broken)
    last, _ = steps[-1]
    np.testing.assert_array_equal(last.status == DIVERGED, np.arange(5) == 2)
    others = np.array([0, 1, 3, 4])
    for step, expected in zip(steps, whole, strict=True):
        assert_same(take(step, others), take(expected, others))


# One step per epoch down a steep bowl. --------------------------------------------------------

TARGET = np.float32([3, 4])


def bowl_problem(architecture, data, run):
    return Problem(
        init=lambda key: {"w": jnp.zeros(2)},
        gradient=lambda params, *_: ({}, {"w": params["w"] - TARGET}),
        score=lambda params, _: {"selection": -jnp.abs(params["w"] - TARGET).sum()},
        rates=lambda params: {"w": run.learning_rate},
        weight_decay=jnp.float32(0),
        train=data,
    )


@pytest.mark.parametrize("optimiser, clip", [*((name, 1.0) for name in OPTIMISERS), ("sgd", 0.0)])
def test_optimisers_reach_the_bottom(optimiser, clip):
    """A gradient of length 5 is shortened to the clip; its direction stays; 0 shortens none."""
    settings = FitSettings(8, max_epochs=60, patience=60, clip_norm=clip, optimiser=optimiser)
    steps = trained(bowl_problem, None, settings, np.ones(8, bool), learners((0.1,), (0,)))
    if optimiser == "sgd":
        expected = 0.1 * TARGET / (5 if clip else 1)
        np.testing.assert_allclose(steps[0][0].params["w"][0], expected, rtol=1e-5)
    np.testing.assert_allclose(steps[-1][0].best["w"][0], TARGET, atol=0.3)
