"""Vectors and gradients without padding equal those with it, whatever the neighbouring frames."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.networks.encoders import ENCODERS, POOLINGS
from privrep.networks.kernels import ragged_convolution as ragged_layers
from privrep.networks.kernels import ragged_gru
from privrep.training.batches import batch_of
from privrep.types import Corpus, FoldTransform, ragged
from tests.support.small_data import relative_error

LENGTHS = [37, 1, 90, 12, 64, 33, 5, 65]
INDEX = np.array([3, 1, -1, 6, 2, 0, 7, 4], np.int32)  # nobody, and not utterance 5
LONGEST = (96, 92)
BANDS, TABLE = 5, 12
SMALL = {"gru_layers": 2, "gru_width": 6, "dense_width": 7}
ACOUSTIC = SMALL | {"num_kernels": 8}
CASES = {
    "pooled": ("acoustic", ACOUSTIC),
    "even": ("acoustic", ACOUSTIC | {"conv_pool": 1, "kernel_width": 2, "pooling": "last"}),
    "wide": ("acoustic", ACOUSTIC | {"kernel_width": 7, "conv_layers": 1, "pooling": "max"}),
    "deep": ("acoustic", ACOUSTIC | {"conv_layers": 4, "gru_layers": 3, "activation": "tanh"}),
    "learned words": ("lexical", SMALL | {"table_size": TABLE, "word_size": 4}),
    "vectors": ("lexical", SMALL | {"pooling": "max"}),
}
OUTPUT, GRADIENT = 1e-6, 1e-5  # allowed relative errors against float64, max norm
pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(autouse=True)
def _many_turns(monkeypatch):
    """Small enough that utterances cross windows and turns, and that windows hold several."""
    monkeypatch.setattr(ragged_layers, "_WINDOW", 64)
    monkeypatch.setattr(ragged_gru, "_TURN", 4)


def corpus(name, garbage=None):
    """Noise; with `garbage`, all that lies in the corpus but not in the batch is that."""
    rng = np.random.default_rng(0)
    if CASES[name][0] == "acoustic":
        rows = [rng.normal(size=(n, BANDS)).astype("f") for n in LENGTHS]
    elif name == "vectors":
        rows = [rng.normal(size=(n, 4)).astype("f") for n in LENGTHS]
    else:
        rows = [rng.integers(0, TABLE, n).astype(np.int32) for n in LENGTHS]
    if garbage is not None:
        rows = [row if i in INDEX else np.full_like(row, garbage) for i, row in enumerate(rows)]
    parts = (ragged(rows), None) if CASES[name][0] == "acoustic" else (None, ragged(rows))
    return jax.tree.map(jnp.asarray, Corpus(*parts, None))


def inputs(name):
    if CASES[name][0] == "lexical":
        return FoldTransform()
    return FoldTransform(
        np.linspace(-1, 1, BANDS).astype("f"), np.linspace(0.5, 2, BANDS).astype("f")
    )


def params_of(name):
    """Parameters without a zero among them, biases included, so that padding would show."""
    encoder = ENCODERS[CASES[name][0]](**CASES[name][1])
    batch = batch_of(corpus(name), inputs(name), INDEX[1:2], (16, 4), None)
    shapes = jax.eval_shape(lambda key: encoder.init(key, batch, False), jax.random.key(0))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: rng.normal(0, 0.3, a.shape).astype(a.dtype), shapes)


@partial(jax.jit, static_argnums=(0, 1))
def computed(name, fill, corpus, params):
    """h of the utterances, and the gradient of some function of them."""
    encoder = ENCODERS[CASES[name][0]](**CASES[name][1])
    real = jnp.asarray(INDEX >= 0)[:, None]

    def loss(params):
        batch = batch_of(corpus, inputs(name), jnp.asarray(INDEX), LONGEST, fill)
        h = jnp.where(real, encoder.apply(params, batch, False), 0)
        slope = jnp.sin(jnp.arange(h.size, dtype=h.dtype)).reshape(h.shape)
        return (h * slope).sum(), h

    gradients, h = jax.grad(loss, has_aux=True)(params)
    return h, gradients


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_padded_form_of_float64(name):
    data, params = corpus(name), params_of(name)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
        expected = jax.tree.map(np.asarray, computed(name, None, data, wide))
    assert expected[0].dtype == np.float64
    for fill in (0.125, 0.375, 1) if name == "pooled" else (0.375,):
        h, gradients = computed(name, fill, data, params)
        assert relative_error(h, expected[0]) < OUTPUT
        errors = jax.tree.map(relative_error, gradients, expected[1])
        assert max(jax.tree.leaves(errors)) < GRADIENT, errors


@pytest.mark.parametrize("name", CASES)
def test_it_stays_float32_where_jax_has_float64(name):
    """JAX_ENABLE_X64=1: parameters, states and gradients."""
    encoder = ENCODERS[CASES[name][0]](**CASES[name][1])
    with jax.enable_x64(True):
        data, index = corpus(name), jnp.asarray(INDEX)

        def init(key):
            return encoder.init(key, batch_of(data, inputs(name), index, LONGEST, 0.375), False)

        params = jax.eval_shape(init, jax.random.key(0))
        h, gradients = jax.eval_shape(partial(computed, name, 0.375), data, params)
    assert {a.dtype for a in jax.tree.leaves((params, h, gradients))} == {np.dtype(np.float32)}


def test_every_pooling_is_among_the_cases():
    assert {settings.get("pooling", "mean") for _, settings in CASES.values()} == set(POOLINGS)


@pytest.mark.parametrize("name", ["pooled", "wide", "vectors"])
def test_neighbours_in_the_corpus_are_not_seen(name):
    """Not even if they are not finite."""
    expected = computed(name, 0.375, corpus(name), params_of(name))
    actual = computed(name, 0.375, corpus(name, np.nan), params_of(name))
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def test_neighbours_in_the_batch_are_not_seen():
    """An utterance alone is the utterance among others."""
    name, data = "pooled", corpus("pooled")
    encoder, params = ENCODERS["acoustic"](**CASES[name][1]), params_of(name)

    @jax.jit
    def h(index):
        return encoder.apply(params, batch_of(data, inputs(name), index, LONGEST, 0.375), False)

    among = h(INDEX)
    for row in (1, 4, 7):
        alone = h(np.where(np.arange(8) == row, INDEX, -1))
        assert relative_error(alone[row], among[row]) < OUTPUT


def test_in_a_stack_of_runs():
    """lax.map over runs, each with as many turns as it needs, is one after another."""
    name, data = "pooled", corpus("pooled")
    params = [jax.tree.map(lambda a, s=s: a * s, params_of(name)) for s in np.float32([1, 0.5])]
    stack = jax.tree.map(lambda *rows: np.stack(rows), *params)
    of_run = partial(computed, name, 0.375, data)
    whole = jax.jit(lambda stack: jax.lax.map(of_run, stack))(stack)
    for row, p in enumerate(params):
        expected = of_run(p)
        errors = jax.tree.map(lambda a, b, row=row: relative_error(a[row], b), whole, expected)
        assert max(jax.tree.leaves(errors)) < OUTPUT


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_a_plan_computes_each_utterance_once_and_no_lane_waits(lanes):
    """It ends within the room that there is, and soon after the best plan could."""
    length = np.array(LENGTHS)[INDEX] * (INDEX >= 0)
    lane, begin, turns = map(np.asarray, ragged_gru.plan(lanes, jnp.asarray(length)))
    np.testing.assert_array_equal(turns, -(-length // 4))
    for number in range(lanes):
        of_lane = [b + np.arange(n) for b, n, which in zip(begin, turns, lane) if which == number]
        taken = np.sort(np.concatenate([*of_lane, np.zeros(0, int)]))
        np.testing.assert_array_equal(taken, np.arange(len(taken)))
    end = (begin + turns).max()
    assert end <= ragged_gru._max_turns(lanes, length.sum(), len(length), length.max())
    assert end <= 4 / 3 * max(turns.sum() / lanes, turns.max())
