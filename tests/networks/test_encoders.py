"""An utterance's representation is its own: not its padding's, not its neighbours'."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.networks.encoders import (
    ENCODERS,
    GRU,
    MODALITIES,
    POOLINGS,
    RECURRENCES,
    LexicalEncoder,
)
from privrep.networks.kernels import gru as layers
from privrep.networks.kernels import gru_pallas
from privrep.types import Utterances
from tests.support.small_data import relative_error

BANDS, WORD_SIZE, TABLE = 4, 3, 9
NUM_FRAMES, NUM_WORDS = np.array([13, 1, 6, 0], np.int32), np.array([5, 1, 2, 0], np.int32)
SMALL = {"gru_layers": 1, "gru_width": 4, "dense_width": 5}
ACOUSTIC = SMALL | {"conv_layers": 2, "num_kernels": 4}
# (modality, settings, padded length); width 3 at length 16 takes Winograd's convolution.
CASES = {
    "pooled twice": ("acoustic", ACOUSTIC | {"conv_layers": 3, "kernel_width": 2}, 15),
    "last": ("acoustic", ACOUSTIC | {"kernel_width": 2, "conv_pool": 1, "pooling": "last"}, 13),
    "max": ("acoustic", ACOUSTIC | {"kernel_width": 5, "pooling": "max"}, 13),
    "leaky": ("acoustic", ACOUSTIC | {"conv_pool": 1, "activation": "leaky_relu"}, 16),
    "learned words": ("lexical", SMALL | {"table_size": TABLE, "word_size": WORD_SIZE}, 5),
    "last vector": ("lexical", SMALL | {"pooling": "last", "activation": "tanh"}, 7),
    "max vector": ("lexical", SMALL | {"pooling": "max", "activation": "gelu"}, 6),
}


def test_every_encoder_and_pooling_is_held_to_the_contract():
    assert {modality for modality, *_ in CASES.values()} == set(ENCODERS)
    pooled = {(m, settings.get("pooling", "mean")) for m, settings, _ in CASES.values()}
    assert pooled == {(m, pooling) for m in ENCODERS for pooling in POOLINGS}
    assert {m for parts in MODALITIES.values() for m in parts} == set(ENCODERS)


def utterances(learned_words, length, garbage=0.0):
    """Four utterances of noise, of which one is empty, padded to `length` with garbage."""
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(4, 13, BANDS)).astype("f")
    words = rng.integers(1, TABLE, (4, 5)) if learned_words else rng.normal(size=(4, 5, WORD_SIZE))
    words = words.astype(np.int32 if learned_words else np.float32)

    def padded(x, num):
        out = np.full((4, length, *x.shape[2:]), garbage, x.dtype)
        for i, n in enumerate(num):
            out[i, :n] = x[i, :n]
        return out

    frames = padded(frames, NUM_FRAMES) if length >= 13 else None
    return Utterances(frames, NUM_FRAMES, padded(words, NUM_WORDS), NUM_WORDS)


def case(name, garbage=0.0):
    modality, settings, length = CASES[name]
    encoder = ENCODERS[modality](**settings)
    return encoder, utterances("table_size" in settings, length, garbage)


def params_of(encoder, batch):
    """Parameters without a zero among them, biases included, so that padding would show."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda key: encoder.init(key, batch, False), jax.random.key(0))
    return jax.tree.map(lambda a: rng.normal(0, 0.5, a.shape).astype(a.dtype), shapes)


def test_the_kernel_is_given_the_loops_arguments(monkeypatch):
    """Interpreted; an empty utterance and garbage in the padding included."""
    interpreted = partial(gru_pallas.gru, launch=gru_pallas.Launch(interpret=True))
    monkeypatch.setitem(RECURRENCES, "kernel", interpreted)
    encoder, batch = case("pooled twice", garbage=7)
    params = params_of(encoder, batch)
    loop, kernel = (
        jax.jit(encoder.clone(recurrence=form).apply, static_argnums=2)(params, batch, False)
        for form in RECURRENCES
    )
    assert relative_error(kernel, loop) < 1e-6 and np.any(loop[1:] != loop[:1])


@pytest.mark.parametrize("name", CASES)
def test_contract(name):
    encoder, clean = case(name)
    _, dirty = case(name, garbage=7)
    params = params_of(encoder, clean)

    @jax.jit
    def everything(params, batch):
        def loss(params, values):
            inputs = batch._replace(**values)
            h = encoder.apply(params, inputs, False)
            return (h * (1 + jnp.arange(4.0)[:, None])).sum(), h

        # A lexical encoder is given no frames, and indices of words have no gradient.
        values = {k: v for k, v in batch._asdict().items() if k in ("frames", "words")}
        values = {k: v for k, v in values.items() if v is not None and v.dtype == jnp.float32}
        gradients, h = jax.grad(loss, argnums=(0, 1), has_aux=True)(params, values)
        return h, gradients

    h, (slopes, of_inputs) = everything(params, clean)
    assert h.shape == (4, encoder.dense_width) and h.dtype == jnp.float32
    assert np.all(np.isfinite(h)) and np.unique(np.asarray(h), axis=0).shape == h.shape

    again = everything(params, dirty)
    np.testing.assert_array_equal(again[0], h)
    jax.tree.map(np.testing.assert_array_equal, again[1], (slopes, of_inputs))
    reads, num = {
        "acoustic": ("frames", NUM_FRAMES),
        "lexical": ("words", NUM_WORDS),
    }[CASES[name][0]]
    if reads in of_inputs:
        gradient = np.asarray(of_inputs[reads])
        padding = np.arange(gradient.shape[1]) >= num[:, None]
        assert np.all(gradient[padding] == 0) and np.all(np.any(gradient[:3], (1, 2)))

    # Utterance 2 alone, at its own length.
    alone = Utterances(*(a if a is None else a[2:3] for a in clean))
    alone = alone._replace(words=alone.words[:, : NUM_WORDS[2]])
    if alone.frames is not None:
        alone = alone._replace(frames=alone.frames[:, : NUM_FRAMES[2]])
    by_itself = jax.jit(encoder.apply, static_argnums=2)(params, alone, False)
    assert relative_error(by_itself, h[2:3]) < 1e-6


@pytest.mark.parametrize("name", ["leaky", "max vector"])
def test_dropout_only_in_training(name):
    modality, settings, length = CASES[name]
    encoder = ENCODERS[modality](**settings, dropout=0.5)
    batch = utterances(False, length)
    params = params_of(encoder, batch)

    @jax.jit
    def outputs(first, second):
        def training(key):
            return encoder.apply(params, batch, True, rngs={"dropout": key})

        none = ENCODERS[modality](**settings).apply(params, batch, False)
        return encoder.apply(params, batch, False), none, training(first), training(second)

    quiet, none, first, second = outputs(*jax.random.split(jax.random.key(1)))
    np.testing.assert_array_equal(quiet, none)
    assert np.any(first != quiet) and np.any(first != second)


def test_a_stack_of_grus_is_one_behind_the_other():
    x = np.random.default_rng(0).normal(size=(6, 2, 3)).astype("f")
    stack = GRU(num_layers=2, width=4)
    length = np.array([6, 4], np.int32)
    shapes = jax.eval_shape(stack.init, jax.random.key(0), x, length)
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda a: rng.normal(0, 0.5, a.shape).astype(a.dtype), shapes)
    expected = x
    parts = "kernel", "recurrent", "bias", "inner_bias"
    for i in range(2):
        kernel, recurrent, bias, inner = (params["params"][f"{part}_{i}"] for part in parts)
        expected = np.asarray(layers.plain_gru(expected @ kernel + bias, recurrent, inner))
    expected = np.stack([expected[:n, i].mean(0) for i, n in enumerate(length)])
    assert relative_error(jax.jit(stack.apply)(params, x, length), expected) < 1e-6


LEXICAL = LexicalEncoder(**CASES["learned words"][1])


def test_words_are_rows_of_the_table():
    batch = utterances(True, 5)
    params = params_of(LEXICAL, batch)
    table = params["params"]["table"]
    vectors = batch._replace(words=table[batch.words])
    apply = jax.jit(LEXICAL.apply, static_argnums=2)
    rest = {"params": {k: v for k, v in params["params"].items() if k != "table"}}
    np.testing.assert_array_equal(apply(params, batch, False), apply(rest, vectors, False))


def test_only_the_rows_of_words_that_were_said_learn():
    """Row 0 among them: it stands for all unknown words."""
    words = np.array([[0, 4, 0, 2], [6, 7, 7, 7]], np.int32)
    batch = Utterances(None, None, words, np.array([4, 1], np.int32))
    params = params_of(LEXICAL, batch)
    slope = jax.jit(jax.grad(lambda params: (LEXICAL.apply(params, batch, False) ** 2).sum()))
    rows = np.any(slope(params)["params"]["table"], axis=1)
    np.testing.assert_array_equal(np.flatnonzero(rows), [0, 2, 4, 6])


def test_a_word_starts_the_same_however_many_others_there_are():
    batch = utterances(True, 5)

    @jax.jit
    def start(key):
        sizes = TABLE, TABLE + 40
        return [LEXICAL.clone(table_size=n).init(key, batch, False)["params"] for n in sizes]

    small, large = start(jax.random.key(0))
    np.testing.assert_array_equal(large["table"][:TABLE], small["table"])
    assert len(np.unique(large["table"], axis=0)) == TABLE + 40
    rest = [{k: v for k, v in p.items() if k != "table"} for p in (small, large)]
    jax.tree.map(np.testing.assert_array_equal, *rest)
