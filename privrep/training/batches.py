"""Batches from ragged data: padded to the longest utterance, or not padded at all.

Utterances differ in length by a factor of ten, and a padded batch is mostly padding. An accelerator
computes it faster than anything irregular; a CPU core does not (`ragged_convolution.py`).
"""

import jax
import jax.numpy as jnp

from privrep.types import Corpus, Inputs, Ragged, Size, Spans, Utterances


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


def batch_of(
    corpus: Corpus, inputs: Inputs, index: jax.Array, longest: Size, fill: float | None
) -> Utterances:
    """The utterances `index`, padded to `longest`, or for `fill` without padding of frames.

    Args:
      index: int32[B]; -1 is an utterance without frames and words.
      longest: (T, L), at least what any utterance of the corpus has.
      fill: see `types.Utterances`; None on accelerators.
    """
    there, index = index >= 0, jnp.maximum(index, 0)
    frames = corpus.frames
    batch = gather(corpus if fill is None else corpus._replace(frames=None), inputs, index, longest)
    if fill is not None and frames is not None:
        spans = Spans(
            frames.values, frames.start[index], inputs.frame_mean, inputs.frame_scale, longest[0]
        )
        batch = batch._replace(frames=spans, num_frames=frames.length[index])
    num_frames, num_words = (
        None if length is None else jnp.where(there, length, 0)
        for length in (batch.num_frames, batch.num_words)
    )
    return batch._replace(num_frames=num_frames, num_words=num_words, fill=fill)
