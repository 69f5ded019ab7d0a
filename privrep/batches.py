"""Batches from ragged data, computed at their own length.

Utterances differ in length by a factor of ten, and a batch padded to its longest is mostly
padding. So a batch is sorted by length, cut into sub-batches, and each is computed at the smallest
of a few compiled lengths that holds it. The sum of the sub-batches' gradients is the gradient of
the batch.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from privrep.utterances import Corpus, Inputs, Lengths, Ragged, Utterances

PyTree = Any


def _rows(sequences: Ragged, index: jax.Array, length: int) -> jax.Array:
    """[B, length, ...]; what lies behind a sequence's end is whatever follows it in memory."""
    # A slice that would run over the end is moved back by jax, so the offset is put right here.
    last = sequences.values.shape[0] - length
    if last < 0:
        padding = ((0, -last),) + ((0, 0),) * (sequences.values.ndim - 1)
        sequences = sequences._replace(values=jnp.pad(sequences.values, padding))
        last = 0

    def one(start):
        first = jnp.minimum(start, last)
        row = jax.lax.dynamic_slice_in_dim(sequences.values, first, length)
        return jnp.roll(row, first - start, axis=0)

    return jax.vmap(one)(sequences.start[index])


def gather(corpus: Corpus, inputs: Inputs, index: jax.Array, size: tuple[int, int]) -> Utterances:
    """The utterances `index` as padded arrays of `size` frames and words.

    Args:
      index: int32[B].
      size: (T, L). Longer utterances are cut; a modality that the corpus lacks is not looked at.

    Returns:
      Utterances with frames float32[B, T, F] and words int32[B, L] or float32[B, L, E], zero
      beyond each utterance's length.
    """
    frames = words = num_frames = num_words = None
    if corpus.frames is not None:
        num_frames = jnp.minimum(corpus.frames.length[index], size[0])
        frames = _rows(corpus.frames, index, size[0]).astype(jnp.float32)
        if inputs.frame_mean is not None:
            frames = (frames - inputs.frame_mean[None, None]) * inputs.frame_scale[None, None]
        frames = jnp.where(_valid(num_frames, size[0])[..., None], frames, 0)
    if corpus.words is not None:
        num_words = jnp.minimum(corpus.words.length[index], size[1])
        words = _rows(corpus.words, index, size[1])
        valid = _valid(num_words, size[1])
        if words.ndim == 3:
            words = jnp.where(valid[..., None], words.astype(jnp.float32), 0)
        else:
            if inputs.word_index is not None:
                words = inputs.word_index[words]
            words = jnp.where(valid, words, 0)
            if corpus.word_vectors is not None:
                words = corpus.word_vectors[words] * valid[..., None]
    return Utterances(frames, num_frames, words, num_words)


def _valid(length, size):
    return jnp.arange(size)[None, :] < length[:, None]


def at_own_length(
    f: Callable[[Utterances], PyTree],
    corpus: Corpus,
    inputs: Inputs,
    index: jax.Array,
    lengths: Lengths,
) -> PyTree:
    """f(utterances `index`) at the smallest of the `lengths` that holds them all.

    Args:
      lengths: ((T, L), ...) growing in both; the last holds every utterance of the corpus. Under
        vmap every length is computed and one is kept: give accelerators one.
    """
    branch = jnp.int32(0)
    for sequences, sizes in zip((corpus.frames, corpus.words), zip(*lengths)):
        if sequences is not None:
            longest = sequences.length[index].max()
            branch = jnp.maximum(branch, (longest > jnp.array(sizes[:-1], jnp.int32)).sum())
    branches = [lambda size=size: f(gather(corpus, inputs, index, size)) for size in lengths]
    return jax.lax.switch(branch, branches)


def _length(corpus: Corpus) -> jax.Array:
    return (corpus.words if corpus.frames is None else corpus.frames).length


def sub_batched(
    f: Callable[[jax.Array, jax.Array, Utterances], PyTree],
    corpus: Corpus,
    inputs: Inputs,
    index: jax.Array,
    weight: jax.Array,
    lengths: Lengths,
    num_sub_batches: int,
) -> PyTree:
    """Sum of f(index, weight, utterances) over sub-batches of utterances of like length.

    Args:
      f: sums over the rows it is given, each times its weight.
      index: int32[B], B divisible by `num_sub_batches`.
      weight: float32[B]; rows of weight 0 count as short ones.
    """
    order = jnp.argsort(jnp.where(weight > 0, _length(corpus)[index], 0))
    index, weight = (a[order].reshape(num_sub_batches, -1) for a in (index, weight))

    def one(i):
        rows = jnp.where(weight[i] > 0, index[i], index[i, -1])
        return at_own_length(lambda u: f(rows, weight[i], u), corpus, inputs, rows, lengths)

    def add(i, total):
        return jax.tree.map(jnp.add, total, one(i))

    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(one, 0))
    return jax.lax.fori_loop(0, num_sub_batches, add, zeros)


def over_blocks(
    f: Callable[[Utterances], PyTree],
    corpus: Corpus,
    inputs: Inputs,
    blocks: jax.Array,
    lengths: Lengths,
) -> PyTree:
    """f of every block of utterances, at its own length, one block after another.

    Args:
      f: Utterances of b rows -> tree of [b, ...].
      blocks: int32[n, b], rows of the corpus; -1 is padding.

    Returns:
      Tree of [n * b, ...], in the order of `blocks`; rows of padding hold anything.
    """

    def one(block):
        return at_own_length(f, corpus, inputs, jnp.maximum(block, 0), lengths)

    flat = jax.lax.map(one, blocks)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), flat)
