"""A tiny corpus with a task and a gender to find in it, and networks that compile quickly."""

import os
import re
from collections.abc import Sequence
from functools import cache

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.core import FrozenDict

from privrep.inputs.packing import Packed, PackingSettings, pack
from privrep.networks.emotion_net import EmotionNet
from privrep.networks.encoders import AcousticEncoder, LexicalEncoder
from privrep.networks.kernels import gru as layers
from privrep.types import Corpus, Ragged, Split, Utterance, Utterances, ragged
from privrep.unlearning.objective import Architecture

SPEAKERS, EACH, BANDS, VOCABULARY = 8, 5, 4, 90
LENGTHS = ((7, 3), (14, 1), (31, 7))  # frames and words: few, as each may be a compilation


@cache
def corpus() -> tuple[tuple[Utterance, ...], Ragged, Ragged]:
    """Utterances, frames float32[M, 4] and words int32[M] of 8 speakers.

    Band 0 and the first words follow activation, band 1 and the last words follow gender. Rating
    and gender of some utterances are unknown.
    """
    rng = np.random.default_rng(0)
    utterances, frames, words = [], [], []
    for i in range(SPEAKERS * EACH):
        speaker, level = i // EACH, i % 3
        gender = speaker % 2
        num_frames, num_words = LENGTHS[i // 3 % 3]
        sound = rng.normal(size=(num_frames, BANDS))
        sound[:, 0] += 2 * (level - 1)
        sound[:, 1] += 2 * gender - 1
        indices = rng.integers(1, VOCABULARY, num_words)
        indices[0] = 1 + level
        indices[-1] = 4 + gender
        utterances.append(
            Utterance(
                id=f"u{i:02}",
                speaker=f"s{speaker}",
                ratings={} if i % 11 == 7 else {"activation": 1.6 * level + rng.uniform(1, 1.8)},
                scale=(1.0, 5.0),
                private={} if i % 13 == 4 else {"gender": ("female", "male")[gender]},
            )
        )
        frames.append(sound.astype(np.float32))
        words.append(indices.astype(np.int32))
    return tuple(utterances), ragged(frames), ragged(words)


def split() -> Split:
    """Two folds by speaker, bool[2, N] each: whom one tests, the other trains on."""
    speaker = np.arange(SPEAKERS * EACH) // EACH
    parts = {"train": ((0, 3), (4, 7)), "val": ((4, 5), (0, 1)), "test": ((6, 7), (2, 3))}
    return Split(
        **{
            name: np.array([(low <= speaker) & (speaker <= high) for low, high in folds])
            for name, folds in parts.items()
        }
    )


def packed(utterances: tuple[Utterance, ...], frames: Ragged, words: Ragged) -> Packed:
    """All that is learned from a training part: moments, word numbers, bins, class weights."""
    return pack(
        utterances,
        Corpus(frames, words, None),
        split(),
        PackingSettings(
            task="activation",
            private=("gender", "speaker"),
            bins="tertiles",
            normalise="train",
            block_size=8,
        ),
        vocabulary_size=VOCABULARY,
    )


def architecture(data: Packed, defences: Sequence[str] = ("grl",)) -> Architecture:
    """Both encoders, linear adversaries for every attribute and modality, nothing padded."""
    shared = {"gru_layers": 1, "gru_width": 5, "dense_width": 4}
    encoders = {
        "acoustic": AcousticEncoder(conv_layers=2, kernel_width=2, num_kernels=6, **shared),
        "lexical": LexicalEncoder(table_size=data.table_size, word_size=3, **shared),
    }
    net = EmotionNet(
        encoders=FrozenDict(encoders),
        num_classes=len(data.task_names),
        private=FrozenDict(data.num_private),
        placement="modality",
        adversary_layers=(0,),
    )
    rest = ("linear", "paper", "float32", data.longest, 0.5)
    return Architecture(net, tuple(defences), *rest)


class Average(nn.Module):
    """The smallest encoder: the mean of frames or words -> dense -> tanh. [B, width]."""

    of: str
    width: int

    @nn.compact
    def __call__(self, utterances: Utterances, train: bool):
        x, length = getattr(utterances, self.of), getattr(utterances, f"num_{self.of}")
        mask = layers.frame_mask(length, x.shape[1]).swapaxes(0, 1)
        mean = (x * mask).sum(1) / jnp.maximum(length, 1)[:, None]
        return nn.tanh(nn.Dense(self.width)(mean))


def average_net(placement: str = "joint", **changes) -> EmotionNet:
    """An emotion network on two `Average` encoders, with gender (2) and accent (3) adversaries."""
    # Not in the order of their names: the network sorts them.
    encoders = {"lexical": Average("words", 2), "acoustic": Average("frames", 3)}
    settings = {
        "encoders": FrozenDict(encoders),
        "num_classes": 3,
        "private": FrozenDict({"gender": 2, "accent": 3}),
        "placement": placement,
        "adversary_width": 4,
    }
    return EmotionNet(**(settings | changes))


def padded(seed: int = 0, num_frames=(6, 2, 5), num_words=(3, 1, 2)) -> Utterances:
    """Utterances of noise, padded with noise: float32[B, T, 4] and float32[B, L, 3]."""
    rng = np.random.default_rng(seed)
    size = len(num_frames)
    return Utterances(
        jnp.array(rng.normal(size=(size, max(num_frames), BANDS)), jnp.float32),
        jnp.array(num_frames, jnp.int32),
        jnp.array(rng.normal(size=(size, max(num_words), 3)), jnp.float32),
        jnp.array(num_words, jnp.int32),
    )


def relative_error(actual, expected) -> float:
    """max |actual - expected| / max |expected|, in float64."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    return np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-30)


def devices(count: int) -> str:
    """XLA_FLAGS of this process, for another number of devices."""
    return re.sub(r"(device_count)=\d+", rf"\g<1>={count}", os.environ["XLA_FLAGS"])
