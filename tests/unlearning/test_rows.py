"""Rows of h: relative to the speaker, and a memory joined to a batch."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from privrep.parallel.run_axis import share, take
from privrep.training.fit import fit
from privrep.training.problem import FitSettings
from privrep.unlearning.objective import Architecture, Batch, BatchLabels, objective
from privrep.unlearning.rows import (
    LEAST,
    Rows,
    centred_by_speaker,
    empty,
    first_rows,
    has_mean,
    joined,
    relative,
    remember,
)
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import average_net, padded
from tests.support.small_networks import LIGHT, PACKED, run_table

SIZE = 12
SPEAKER = np.int32([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, -1])  # one has too few, one is unknown


def rows(size=SIZE, seed=0, speaker=SPEAKER):
    rng = np.random.default_rng(seed)
    h = rng.normal(3, 2, (size, 5)).astype("f")
    gender = rng.integers(0, 2, size).astype("i")
    return Rows({"joint": h}, np.zeros(size, "i"), {"gender": gender}, speaker, np.ones(size, bool))


def plainly_relative(h, speaker, is_valid):
    """By loops over the speakers."""
    result = h - h[is_valid].mean(0)
    for name in {*speaker[is_valid & (speaker >= 0)].tolist()}:
        spoken = speaker == name
        if (spoken & is_valid).sum() >= LEAST:
            result[spoken] = h[spoken] - h[spoken & is_valid].mean(0)
    return result


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_relative_h_has_the_speakers_own_mean_taken_off(padding):
    of = rows()
    is_valid = np.arange(SIZE) < SIZE - padding
    h = np.where(is_valid[:, None], of.views["joint"], np.nan)
    actual = relative(of._replace(views={"joint": h}, is_valid=is_valid))
    expected = plainly_relative(np.where(is_valid[:, None], h, 0), SPEAKER, is_valid)
    np.testing.assert_allclose(actual.views["joint"][is_valid], expected[is_valid], atol=1e-5)
    counted = [is_valid[i] and SPEAKER[i] in (0, 2) for i in range(SIZE)]
    if padding < 2:  # with three the last speaker has too few
        np.testing.assert_array_equal(has_mean(of._replace(is_valid=is_valid)), counted)
    whole = centred_by_speaker(np.nan_to_num(h), SPEAKER, is_valid)
    np.testing.assert_allclose(whole[is_valid], actual.views["joint"][is_valid], atol=1e-5)


def test_what_is_added_to_a_speaker_is_gone():
    of = rows(speaker=np.arange(SIZE, dtype="i") // 4)
    moved = of.views["joint"] + np.float32([10, -20, 30])[of.speaker][:, None]
    actual = relative(of._replace(views={"joint": moved})).views["joint"]
    np.testing.assert_allclose(actual, relative(of).views["joint"], atol=1e-4)


def test_the_latest_are_remembered_newest_first():
    old, new = (rows(n, speaker=np.full(n, n, "i")) for n in (5, 3))
    np.testing.assert_array_equal(remember(old, new).speaker, [3, 3, 3, 5, 5])
    assert not empty(old, 7).is_valid.any() and empty(old, 7).views["joint"].shape == (7, 5)
    both = joined(new, old, 6)
    np.testing.assert_array_equal(both.speaker, [3, 3, 3, 5, 5, 5])
    jax.tree.map(np.testing.assert_array_equal, first_rows(both, 3), new)
    jax.tree.map(np.testing.assert_array_equal, joined(new, old, 2), new)  # a batch counts whole


NET = average_net()
UTTERANCES = padded(num_frames=(6, 2, 5, 4) * 2, num_words=(3, 1, 2, 2) * 2)
LABELS = BatchLabels(
    np.int32([0, 2, 1, 2, 0, 0, 1, 0]),
    {"gender": np.int32([0, 1, 0, 1, 0, 1, 1, 1]), "accent": np.int32([2, 0, 0, 1, 2, 0, 1, 2])},
    np.int32([0, 0, 1, 1, 0, 0, 1, 1]),
)
WEIGHTS = {"gender": np.ones(2, "f"), "accent": np.ones(3, "f")}


def terms(architecture, params, memory, where, run):
    """The losses of the utterances `where`, without dropout and with lambda 1."""
    fold = take(PACKED.data.folds, 0)._replace(
        task_weights=np.ones(3, "f"), private_weights=WEIGHTS
    )
    batch = Batch(
        jax.tree.map(lambda a: jnp.asarray(a)[where], UTTERANCES),
        take(jax.tree.map(jnp.asarray, LABELS), where),
        np.ones(len(where), bool),
        memory,
    )
    ones = {a: np.float32(1) for a in WEIGHTS}
    return objective(architecture, params, jax.random.key(0), batch, fold, run, ones)


@pytest.mark.parametrize("matched", ["attribute", "speaker"])
@pytest.mark.parametrize("defence", ["mmd", "hsic"])
@pytest.mark.parametrize("is_relative", [False, True])
def test_half_a_batch_and_a_memory_of_the_other_half_measure_what_the_batch_does(
    is_relative, defence, matched
):
    """The values are those of the whole batch; the gradient is through the half alone."""
    rest = ("constant", "paper", "float32", (8, 8), None)
    made = Architecture(NET, (defence,), *rest, memory=8, matched=matched, relative=True)
    run = take(run_table(), 0)._replace(relative=np.bool_(is_relative))
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda key: NET.init(key, UTTERANCES)["params"], jax.random.key(0))
    params = jax.tree.map(lambda a: rng.normal(0, 0.7, a.shape).astype("f"), shapes)

    def total(memory, where, params):
        losses = terms(made, params, memory, where, run)
        return losses.defence.sum(), losses

    gradient = jax.jit(jax.grad(total, argnums=2, has_aux=True))
    of_all, whole = gradient(empty(rows(), 8)._replace(**_none(8)), np.arange(8), params)
    halves = [np.arange(4), np.arange(4, 8)]
    parts = []
    for half, other in (halves, halves[::-1]):
        memory = remember(empty(whole.rows, 8), first_rows(take(whole.rows, other), 4))
        of_half, losses = gradient(memory, half, params)
        for name in ("emotion", "defence"):
            expected = getattr(whole, name)[half]
            np.testing.assert_allclose(getattr(losses, name), expected, rtol=2e-4, atol=1e-5)
        parts.append(of_half)
    encoder = "encoders_acoustic"
    summed = jax.tree.map(jnp.add, *(part[encoder] for part in parts))
    # Each half's gradient is of four utterances, of the number that all eight share.
    doubled = jax.tree.map(lambda a: 2 * a, summed)
    errors = jax.tree.map(
        partial(np.testing.assert_allclose, rtol=2e-3, atol=2e-5), doubled, of_all[encoder]
    )
    assert jax.tree.leaves(errors) == []


def _none(size):
    """Labels of an empty memory, with the attributes of NET."""
    empty_labels = {a: np.zeros(size, "i") for a in WEIGHTS}
    return {"private": empty_labels}


@pytest.mark.parametrize("name", ["mmd"])
def test_a_run_of_absolute_h_is_the_same_beside_one_of_relative_h(name):
    """In one program, and alone in a program without relative h."""
    settings = FitSettings(batch_size=8, max_epochs=2, patience=2)
    data, runs = share(PACKED.data), take(run_table(), np.array([0, 0]))
    mixed = runs._replace(relative=np.array([False, True]))
    alone = LIGHT._replace(defences=(name,), memory=16)
    *_, plain = fit(network_problem, alone, settings, data, runs)
    *_, both = fit(network_problem, alone._replace(relative=True), settings, data, mixed)
    np.testing.assert_allclose(
        plain.history["val_emotion_uar"][0], both.history["val_emotion_uar"][0], atol=1e-6
    )
    first, second = (take(both.fits().params, i) for i in (0, 1))
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4),
        take(plain.fits().params, 0),
        first,
    )
    differs = jax.tree.map(lambda a, b: bool(np.any(np.abs(a - b) > 1e-3)), first, second)
    assert any(jax.tree.leaves(differs["encoders_acoustic"]))


class FirstFrame(nn.Module):
    """A linear encoder."""

    @nn.compact
    def __call__(self, utterances, train):
        return nn.Dense(5)(utterances.frames[:, 0])


@pytest.mark.parametrize("input_, is_invariant", [("standardised", True), ("plain", False)])
def test_a_larger_h_does_not_fool_an_adversary_of_standardised_input(input_, is_invariant):
    """The gradient of its loss has no part along the scale of h, which the last layer sets."""
    linear = FrozenDict({"acoustic": FirstFrame()})
    net = NET.clone(adversary_input=input_, encoders=linear)
    made = Architecture(net, ("grl",), "constant", "paper", "float32", (8, 8), None, memory=8)
    run = take(run_table(), 0)
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(lambda key: net.init(key, UTTERANCES)["params"], jax.random.key(0))
    params = jax.tree.map(lambda a: rng.normal(0, 0.7, a.shape).astype("f"), shapes)
    memory = empty(rows(), 8)._replace(**_none(8))

    def loss(params):
        return terms(made, params, memory, np.arange(8), run).defence.sum()

    gradient = jax.grad(loss)(params)["encoders_acoustic"]
    encoder = params["encoders_acoustic"]
    along = sum(jax.tree.leaves(jax.tree.map(lambda g, p: (g * p).sum(), gradient, encoder)))
    size = sum(jax.tree.leaves(jax.tree.map(lambda g, p: abs(g * p).sum(), gradient, encoder)))
    assert (abs(along) < 1e-3 * size) == is_invariant and size > 1e-3
