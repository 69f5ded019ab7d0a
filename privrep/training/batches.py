"""Batches from ragged data, padded to the longest utterance or without padding.

Utterances differ in length by a factor of ten, so that most of a padded batch is padding. An
accelerator still computes a padded batch faster than an irregular one; a CPU core does not
(`ragged_convolution.py`).
"""

import jax
import jax.numpy as jnp

from privrep.types import Corpus, FoldTransform, Ragged, Size, Spans, Utterances


def _rows(sequences: Ragged, index: jax.Array, length: int) -> jax.Array:
    """The sequences `index`, [B, length, ...]; a sequence's end is followed by arbitrary values."""
    # jax moves a slice back that would run over the end; rolling corrects for that offset.
    last = sequences.values.shape[0] - length
    if last < 0:
        padding = ((0, -last),) + ((0, 0),) * (sequences.values.ndim - 1)
        sequences = sequences._replace(values=jnp.pad(sequences.values, padding))
        last = 0

    def window(start: jax.Array) -> jax.Array:
        first = jnp.minimum(start, last)
        row = jax.lax.dynamic_slice_in_dim(sequences.values, first, length)
        return jnp.roll(row, first - start, axis=0)

    return jax.vmap(window)(sequences.start[index])


def gather(corpus: Corpus, transform: FoldTransform, index: jax.Array, size: Size) -> Utterances:
    """The utterances `index` as arrays padded to `size` frames and words.

    Args:
      index: int32[B].
      size: (T, L). Longer utterances are cut; the size of a modality that the corpus lacks is not
        used.

    Returns:
      Utterances with frames float32[B, T, F] and words int32[B, L] or float32[B, L, E], zero
      beyond each utterance's length.
    """
    frames = words = num_frames = num_words = None
    if corpus.frames is not None:
        num_frames = jnp.minimum(corpus.frames.length[index], size[0])
        frames = _rows(corpus.frames, index, size[0]).astype(jnp.float32)
        mean, scale = transform.frame_mean, transform.frame_scale
        if mean is not None and scale is not None:
            frames = (frames - mean[None, None]) * scale[None, None]
        frames = jnp.where(_valid(num_frames, size[0])[..., None], frames, 0)
    if corpus.words is not None:
        num_words = jnp.minimum(corpus.words.length[index], size[1])
        words = _rows(corpus.words, index, size[1])
        valid = _valid(num_words, size[1])
        if words.ndim == 3:
            words = jnp.where(valid[..., None], words.astype(jnp.float32), 0)
        else:
            if transform.word_index is not None:
                words = transform.word_index[words]
            words = jnp.where(valid, words, 0)
            if corpus.word_vectors is not None:
                words = corpus.word_vectors[words] * valid[..., None]
    return Utterances(frames, num_frames, words, num_words)


def _valid(length: jax.Array, size: int) -> jax.Array:
    return jnp.arange(size)[None, :] < length[:, None]


def batch_of(
    corpus: Corpus, transform: FoldTransform, index: jax.Array, longest: Size, fill: float | None
) -> Utterances:
    """The utterances `index`, padded to `longest`, or with `fill` without padding of frames.

    Args:
      index: int32[B]; -1 is an utterance without frames and words.
      longest: (T, L), not less than the length of any utterance of the corpus.
      fill: see `types.Utterances`; None on accelerators.
    """
    is_valid, index = index >= 0, jnp.maximum(index, 0)
    frames = corpus.frames
    padded = corpus if fill is None else corpus._replace(frames=None)
    batch = gather(padded, transform, index, longest)
    if fill is not None and frames is not None:
        mean, scale = transform.frame_mean, transform.frame_scale
        spans = Spans(frames.values, frames.start[index], mean, scale, longest[0])
        batch = batch._replace(frames=spans, num_frames=frames.length[index])
    num_frames, num_words = (
        None if length is None else jnp.where(is_valid, length, 0)
        for length in (batch.num_frames, batch.num_words)
    )
    return batch._replace(num_frames=num_frames, num_words=num_words, fill=fill)
