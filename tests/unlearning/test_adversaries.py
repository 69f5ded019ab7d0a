"""The hook of the adversaries: its memory, its moments, its steps and restarts."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.parallel.run_axis import share, take
from privrep.training.epoch import start
from privrep.training.problem import FitSettings
from privrep.unlearning.adversaries import adversary_loss, draw, moments, step_hook
from privrep.unlearning.objective import Architecture
from privrep.unlearning.rows import Rows
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import average_net, padded
from tests.support.small_networks import ARCHITECTURE, PACKED, run_table

SIZE, RATE = 8, np.float32(0.01)
WEIGHTS = {"gender": np.float32([1, 1]), "accent": np.float32([1, 1, 1])}


def hook_of(net, steps=1, memory=24, restart=0, like=None):
    """Of a run whose h is not relative."""
    rest = ("constant", "paper", "float32", (8, 8), None)
    architecture = Architecture(net, ("grl",), *rest, steps, restart, memory)
    run = take(run_table(), 0)._replace(adversary_learning_rate=RATE)
    return step_hook(architecture, WEIGHTS, run, like or batch_views())


def batch_views(seed=0, size=SIZE):
    """Views of which the attributes can be read, in units far from 1; one of them is dead."""
    rng = np.random.default_rng(seed)
    gender, accent = (rng.integers(0, n, size).astype(np.int32) for n in (2, 3))
    h = 40 * rng.normal(0, 0.3, (size, 5)) + 7
    h[:, 0] += 40 * gender
    h[:, 1] += 40 * accent
    h[:, 4] = 0
    is_valid = np.arange(size) < size - 1
    labels = {a: np.where(is_valid, of, -1) for a, of in (("gender", gender), ("accent", accent))}
    speaker, task = np.arange(size, dtype="i") // 4, np.where(is_valid, 0, -1).astype("i")
    return Rows({"joint": h.astype("f")}, task, labels, speaker, is_valid)


def parameters(net):
    shapes = jax.eval_shape(lambda key: net.init(key, padded())["params"], jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: rng.normal(0, 0.5, a.shape).astype("f"), shapes)


def test_a_draw_has_no_row_twice_and_valid_rows_before_padding():
    is_valid = jnp.arange(20) % 3 > 0
    drawn = np.array([draw(jax.random.key(seed), is_valid, 10) for seed in range(40)])
    assert all(len({*rows}) == 10 and is_valid[rows].all() for rows in drawn)
    assert {*drawn.flat} == {*np.flatnonzero(is_valid)} and len({*drawn[:, 0]}) > 5
    np.testing.assert_array_equal(np.sort(draw(jax.random.key(0), is_valid, 20)), np.arange(20))


def test_units_are_the_moments_of_valid_rows_and_bounded_for_constant_units():
    view, is_valid = batch_views().views["joint"], batch_views().is_valid
    actual = moments(view, is_valid)
    kept = np.float64(view[is_valid])
    np.testing.assert_allclose(actual["mean"], kept.mean(0), rtol=1e-5)
    np.testing.assert_allclose(actual["deviation"][:4], kept.std(0)[:4], rtol=1e-3)
    # Of the typical unit's a hundredth, so that waking by 1 is no more than that.
    typical = np.sqrt(kept.var(0).mean())
    np.testing.assert_allclose(actual["deviation"][4], typical / 100, rtol=1e-3)
    nothing = moments(jnp.zeros((4, 3)), jnp.zeros(4, bool))
    assert np.all(nothing["mean"] == 0) and np.all(nothing["deviation"] > 0)


def test_nothing_follows_a_step_of_one_plain_adversary():
    assert hook_of(average_net()) is None
    problem = network_problem(ARCHITECTURE, share(PACKED.data), take(run_table(), 0))
    assert problem.step_hook is None
    fit = jax.eval_shape(lambda key: start(problem, key, FitSettings(8, 1, 1)), run_table().key[0])
    assert fit.hook_state == ()


@pytest.mark.parametrize("steps, input_", [(1, "standardised"), (6, "plain"), (6, "standardised")])
def test_further_steps_move_adversaries_alone_and_teach_them_a_resting_h(steps, input_):
    net = average_net(adversary_input=input_, num_adversaries=2)
    hook, params = hook_of(net, steps), parameters(net)
    state = hook.start(params, SIZE)
    step, loss = jax.jit(hook.step), jax.jit(partial(adversary_loss, net, weights=WEIGHTS))
    moved, losses, everyone = params, [], batch_views(1, 64)
    for i in range(12):
        moved, state = step(moved, state, jax.random.fold_in(jax.random.key(0), i), batch_views(i))
        losses.append(float(loss(moved, batch=everyone)))
    changed = {
        name
        for name, part in params.items()
        if any(map(np.any, jax.tree.leaves(jax.tree.map(np.not_equal, part, moved[name]))))
    }
    adversaries = {name for name in params if name.startswith("adversaries")}
    assert len(adversaries) == 4
    assert changed == (adversaries if steps > 1 else set()) | {
        name for name in params if name.startswith("units")
    }
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((moved, state)))
    assert (
        state.rows.is_valid.sum() == 21
    )  # of the latest three batches, each with a row of padding
    if steps > 1:
        assert losses[-1] < 0.8 * losses[0]


def changed(before, after):
    """The names of what is not the same."""
    unlike = jax.tree.map(lambda a, b: bool(np.any(a != b)), before, after)
    return {name for name, part in unlike.items() if any(jax.tree.leaves(part))}


def test_the_adversaries_of_every_view_are_restarted_in_turn():
    net = average_net("modality", adversary_layers=(0, 2))
    views = {"acoustic": np.ones((SIZE, 3), "f"), "lexical": np.ones((SIZE, 2), "f")}
    batch = batch_views()._replace(views=views)
    hook, params = hook_of(net, 1, 0, 3, batch), parameters(net)
    state, step = hook.start(params, SIZE), jax.jit(hook.step)
    every = [params]
    for i in range(9):
        moved, state = step(every[-1], state, jax.random.fold_in(jax.random.key(0), i), batch)
        every.append(moved)
    expected = {i: {name for name, number in net.numbered().items() if number == i} for i in (0, 1)}
    assert {len(names) for names in expected.values()} == {4}  # two attributes, two views
    turns = [changed(before, after) for before, after in itertools.pairwise(every)]
    assert turns == [set(), set(), expected[0], set(), set(), expected[1]] + [
        *(set(), set(), expected[0])
    ]
    for name in expected[0]:  # another start each time, and as a start: biases are zero
        first, again = every[3][name]["Dense_0"], every[9][name]["Dense_0"]
        assert np.any(first["kernel"] != again["kernel"]) and not np.any(again["bias"])


@pytest.mark.parametrize("restart", [0, 8])
def test_an_adversary_without_gradient_learns_again_after_a_restart(restart):
    settings = {"adversary_input": "standardised", "adversary_width": 16}
    net = average_net("joint", num_adversaries=2, **settings)
    hook, params = hook_of(net, 6, restart=restart), parameters(net)
    for name in net.numbered():  # units that are never active have no gradient
        params[name]["MLP_0"]["Dense_0"]["bias"] -= 1e4
    step, state = jax.jit(hook.step), hook.start(params, SIZE)
    loss = jax.jit(partial(adversary_loss, net, weights=WEIGHTS))
    everyone = batch_views(1, 64)
    losses = []
    for i in range(24):
        losses.append(float(loss(params, batch=everyone)))
        params, state = step(
            params, state, jax.random.fold_in(jax.random.key(0), i), batch_views(i)
        )
    chance = float(np.log(2) + np.log(3))
    assert losses[-1] < 0.6 * chance if restart else losses[-1] > 0.9 * chance, losses
