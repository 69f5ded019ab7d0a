"""A batch is its utterances, however it is padded, cut into sub-batches and ordered."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.batches import at_own_length, gather, over_blocks, sub_batched
from privrep.utterances import Corpus, Inputs, ragged

FRAMES = [3, 7, 1, 12, 5, 2, 9, 4]
WORDS = [2, 1, 1, 3, 6, 2, 2, 3]
LENGTHS = ((4, 3), (8, 4), (12, 6))
RNG = np.random.default_rng(0)
SOUND = [RNG.normal(size=(n, 2)).astype(np.float32) for n in FRAMES]
SAID = [RNG.integers(1, 9, n).astype(np.int32) for n in WORDS]
VECTORS = [RNG.normal(size=(n, 3)).astype(np.float32) for n in WORDS]
TABLE = RNG.normal(size=(9, 3)).astype(np.float32)
MOMENTS = {"frame_mean": np.float32([1, -2]), "frame_scale": np.float32([0.5, 3])}
NUMBERS = np.array([0, 1, 0, 2, 3, 0, 4, 5, 0], np.int32)  # words 2, 5 and 8 are unknown

# name: corpus, inputs, frames and words of utterance i as a batch should hold them.
CASES = {
    "frames and ready vectors": (
        Corpus(ragged(SOUND), ragged(VECTORS), None),
        Inputs(),
        (lambda i: SOUND[i], lambda i: VECTORS[i]),
    ),
    "normalised frames alone": (
        Corpus(ragged(SOUND), None, None),
        Inputs(**MOMENTS),
        (lambda i: (SOUND[i] - MOMENTS["frame_mean"]) * MOMENTS["frame_scale"], None),
    ),
    "words of the training part": (
        Corpus(None, ragged(SAID), None),
        Inputs(word_index=NUMBERS),
        (None, lambda i: NUMBERS[SAID[i]]),
    ),
    "words with vectors": (
        Corpus(None, ragged(SAID), TABLE),
        Inputs(),
        (None, lambda i: TABLE[SAID[i]]),
    ),
    "half-precision frames": (
        Corpus(ragged([jnp.bfloat16(x) for x in SOUND]), None, None),
        Inputs(),
        (lambda i: np.asarray(jnp.bfloat16(SOUND[i]), np.float32), None),
    ),
}
BOTH = jax.tree.map(jnp.asarray, CASES["frames and ready vectors"][0])


def laid_out(rows, size):
    """Rows cut to `size` and padded with zeros, and how long they then are."""
    length = np.minimum([len(row) for row in rows], size)
    out = np.zeros((len(rows), size, *rows[0].shape[1:]), rows[0].dtype)
    for i, row in enumerate(rows):
        out[i, : length[i]] = row[:size]
    return out, length


# The last size is longer than all utterances together.
@pytest.mark.parametrize("size", [(12, 6), (4, 2), (60, 60)])
@pytest.mark.parametrize("name", CASES)
def test_gather_lays_out_the_utterances(name, size):
    corpus, inputs, of_row = CASES[name]
    index = np.array([7, 0, 3, 3, 2], np.int32)  # of the end of the store, the start, twice
    batch = jax.jit(gather, static_argnums=3)(corpus, inputs, index, size)
    parts = [(batch.frames, batch.num_frames), (batch.words, batch.num_words)]
    for (values, length), row, longest in zip(parts, of_row, size):
        if row is None:
            assert values is None and length is None
            continue
        expected, expected_length = laid_out([row(i) for i in index], longest)
        np.testing.assert_array_equal(length, expected_length)
        assert values.dtype == expected.dtype and values.shape == expected.shape
        np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_padding_words_are_zero_whatever_number_word_zero_has():
    corpus, inputs = Corpus(None, ragged(SAID), None), Inputs(word_index=np.full(9, 3, np.int32))
    batch = jax.jit(gather, static_argnums=3)(corpus, inputs, np.array([0, 4]), (0, 8))
    np.testing.assert_array_equal(batch.words, [[3] * 2 + [0] * 6, [3] * 6 + [0] * 2])


@pytest.mark.parametrize(
    "index, size",
    [
        ([2, 5], LENGTHS[0]),
        ([0, 7], LENGTHS[0]),  # exactly at the limit of both
        ([7, 1], LENGTHS[1]),
        ([3, 0], LENGTHS[2]),
        ([2, 4], LENGTHS[2]),  # 6 words need the largest, though the frames are few
    ],
)
def test_at_own_length_is_the_smallest_that_holds_the_batch(index, size):
    @jax.jit
    def computed_at(index):
        def f(utterances):
            return jnp.array([utterances.frames.shape[1], utterances.words.shape[1]])

        return at_own_length(f, BOTH, Inputs(), index, LENGTHS)

    assert tuple(computed_at(np.array(index)).tolist()) == size


PARAMS = {k: RNG.normal(size=(n, 3)).astype("f") for k, n in (("frames", 2), ("words", 3))}


def each(params, index, utterances):
    """A loss per utterance of its own frames, words and number; padding is zero, tanh(0) = 0."""
    frames = jnp.tanh(utterances.frames @ params["frames"]).sum(1) / utterances.num_frames[:, None]
    words = jnp.tanh(utterances.words @ params["words"]).sum(1)
    return ((frames * words).sum(-1) - 0.1 * index) ** 2


def weighted(params, index, weight, utterances):
    return (each(params, index, utterances) * weight).sum()


# Rows of weight 0 are where `training.epoch` puts them, and elsewhere; a whole sub-batch of them.
WEIGHTS = {"all": np.ones(8), "few": np.array([1, 0, 1, 1, 0, 0, 0, 0]), "none": np.zeros(8)}


@pytest.mark.parametrize("sub_batches", [1, 4, 8])
def test_sub_batches_sum_to_the_gradient_of_the_batch(sub_batches):
    slope = jax.grad(weighted)

    @jax.jit
    def gradients(params, weight):
        f = partial(slope, params)
        index = jnp.array([6, 1, 3, 0, 2, 7, 5, 4])
        whole = f(index, weight, gather(BOTH, Inputs(), index, LENGTHS[-1]))
        return whole, sub_batched(f, BOTH, Inputs(), index, weight, LENGTHS, sub_batches)

    for weight in WEIGHTS.values():
        whole, cut = gradients(PARAMS, np.float32(weight))
        for name, expected in whole.items():
            scale = np.abs(expected).max()
            np.testing.assert_allclose(cut[name], expected, rtol=0, atol=1e-6 * max(scale, 1))


@jax.jit
def frames_computed(index, weight):
    def f(index, weight, utterances):
        return {"frames": utterances.frames.shape[0] * utterances.frames.shape[1]}

    return sub_batched(f, BOTH, Inputs(), index, weight, LENGTHS, 4)["frames"]


def test_sub_batches_are_of_like_length():
    """Sorted by frames: (1, 2), (3, 4), (5, 7), (9, 12), and a 5 goes with 6 words."""
    assert frames_computed(np.arange(8), np.ones(8, "f")) == 2 * (4 + 4 + 12 + 12)


def test_a_padding_row_costs_as_little_as_the_shortest():
    """Sorted by frames: (padding, 1), (2, 3), (4, 5), (7, 9); the padding has 12 frames."""
    weight = np.ones(8, "f")
    weight[3] = 0
    assert frames_computed(np.arange(8), weight) == 2 * (4 + 4 + 12 + 12)


def test_over_blocks_is_every_row_in_the_order_of_the_blocks():
    blocks = np.array([[2, 5], [0, 7], [4, 1], [6, 3], [-1, -1]], np.int32)

    @jax.jit
    def sums(blocks):
        def f(utterances):
            return {
                "frames": utterances.frames.sum((1, 2)),
                "words": (utterances.words.sum((1, 2)), utterances.num_words),
            }

        return over_blocks(f, BOTH, Inputs(), blocks, LENGTHS)

    found, rows = sums(blocks), blocks.reshape(-1)[:8]
    assert found["frames"].shape == (10,)
    np.testing.assert_allclose(found["frames"][:8], [SOUND[i].sum() for i in rows], rtol=1e-5)
    np.testing.assert_allclose(found["words"][0][:8], [VECTORS[i].sum() for i in rows], rtol=1e-5)
    np.testing.assert_array_equal(found["words"][1][:8], [WORDS[i] for i in rows])
