"""Padded and unpadded batches hold the same utterances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.training.batches import batch_of, gather
from privrep.types import Corpus, FoldTransform, ragged

FRAMES = [3, 7, 1, 12, 5, 2, 9, 4]
WORDS = [2, 1, 1, 3, 6, 2, 2, 3]
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
        FoldTransform(),
        (lambda i: SOUND[i], lambda i: VECTORS[i]),
    ),
    "normalised frames alone": (
        Corpus(ragged(SOUND), None, None),
        FoldTransform(**MOMENTS),
        (lambda i: (SOUND[i] - MOMENTS["frame_mean"]) * MOMENTS["frame_scale"], None),
    ),
    "words of the training part": (
        Corpus(None, ragged(SAID), None),
        FoldTransform(word_index=NUMBERS),
        (None, lambda i: NUMBERS[SAID[i]]),
    ),
    "words with vectors": (
        Corpus(None, ragged(SAID), TABLE),
        FoldTransform(),
        (None, lambda i: TABLE[SAID[i]]),
    ),
    "half-precision frames": (
        Corpus(ragged([jnp.bfloat16(x) for x in SOUND]), None, None),
        FoldTransform(),
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
    corpus, inputs = (
        Corpus(None, ragged(SAID), None),
        FoldTransform(word_index=np.full(9, 3, np.int32)),
    )
    batch = jax.jit(gather, static_argnums=3)(corpus, inputs, np.array([0, 4]), (0, 8))
    np.testing.assert_array_equal(batch.words, [[3] * 2 + [0] * 6, [3] * 6 + [0] * 2])


@pytest.mark.parametrize("fill", [None, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_a_batch_is_its_utterances_padded_or_not(name, fill):
    corpus, inputs, of_row = CASES[name]
    corpus = jax.tree.map(jnp.asarray, corpus)
    index = np.array([7, -1, 3, 0], np.int32)
    batch = batch_of(corpus, inputs, index, (12, 8), fill)
    if corpus.frames is not None:
        expected, length = laid_out([of_row[0](max(i, 0)) for i in index], 12)
        np.testing.assert_array_equal(batch.num_frames, length * (index >= 0))
        if fill is None:
            np.testing.assert_allclose(batch.frames, expected, rtol=1e-6)
        else:
            spans = batch.frames
            assert spans.values is corpus.frames.values and spans.longest == 12
            for start, i in zip(spans.start, index):
                if i >= 0:
                    values = spans.values[start : start + FRAMES[i]].astype(jnp.float32)
                    if spans.mean is not None:
                        values = (values - spans.mean[None]) * spans.scale[None]
                    np.testing.assert_allclose(values, of_row[0](i), rtol=1e-6)
    if corpus.words is not None:
        expected, length = laid_out([of_row[1](max(i, 0)) for i in index], 8)
        np.testing.assert_array_equal(batch.num_words, length * (index >= 0))
        np.testing.assert_allclose(batch.words, expected, rtol=1e-6)
