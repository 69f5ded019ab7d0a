"""Masks over acoustic frames in training: some frames and some bands of an utterance are hidden.

As in SpecAugment (Park et al., Interspeech 2019), without its time warping. What is hidden is 0,
the mean of normalised frames.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.types import FrameMasks, Spans, Utterances


class MaskSettings(NamedTuple):
    """How many masks an utterance has and how long they can be.

    Attributes:
      time_masks: masks over time; 0: none.
      time_mask_frames: frames of the longest mask over time.
      band_masks: masks over bands, neighbouring features of every frame; 0: none.
      band_mask_bands: bands of the widest.
    """

    time_masks: int = 0
    time_mask_frames: int = 16
    band_masks: int = 0
    band_mask_bands: int = 6


def masked(key: jax.Array, settings: MaskSettings, utterances: Utterances) -> Utterances:
    """The utterances with masks of their own each; unchanged where they have no frames."""
    frames, length = utterances.frames, utterances.num_frames
    if frames is None or length is None or not (settings.time_masks or settings.band_masks):
        return utterances
    num_bands = (frames.values if isinstance(frames, Spans) else frames).shape[-1]
    return utterances._replace(masks=draw(key, settings, length, num_bands))


def draw(key: jax.Array, settings: MaskSettings, length: jax.Array, num_bands: int) -> FrameMasks:
    """Draws the masks of B utterances, the same ones whether or not their frames are padded.

    Args:
      length: int32[B], numbers of frames.
    """
    time_key, band_key = jax.random.split(key)
    bands = jnp.full_like(length, num_bands)
    return FrameMasks(
        *_intervals(time_key, settings.time_masks, settings.time_mask_frames, length),
        *_intervals(band_key, settings.band_masks, settings.band_mask_bands, bands),
    )


def _intervals(
    key: jax.Array, count: int, widest: int, size: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`count` random intervals of each of B ranges [0, size): starts and stops int32[B, count].

    A width is uniform from 0 to `widest`, then the place is uniform within the range. No width is
    above (size - 1) / count, so that something of each range stays outside of all intervals.

    Args:
      size: int32[B].
    """
    width_key, start_key = jax.random.split(key)
    size, shape = size[:, None], (len(size), count)
    most = jnp.minimum(jnp.maximum(size - 1, 0) // max(count, 1), widest)
    width = jax.random.randint(width_key, shape, 0, most + 1, jnp.int32)
    start = jax.random.randint(start_key, shape, 0, size - width + 1, jnp.int32)
    return start, start + width
