"""Encoders of frames or words: the paper's convolutional GRU and its counterpart for text.

An encoder is a Flax module `module(utterances, train) -> [B, D]`; `ENCODERS` lists them by the
modality that they read. Frames or words beyond an utterance's length change nothing.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp

from privrep.networks.kernels import gru as layers
from privrep.networks.kernels import matmul
from privrep.networks.kernels.convolution import stack, stack_in_phases
from privrep.networks.kernels.ragged_convolution import Convolutions, convolved, covered
from privrep.networks.kernels.ragged_gru import gru_pooled
from privrep.types import FrameMasks, Spans, Utterances

Unpadded = tuple[jax.Array, int, float]  # see `GRU`

# Parameters are float32 whatever JAX_ENABLE_X64 says.
_zeros = partial(nn.initializers.zeros, dtype=jnp.float32)
_he_normal = nn.initializers.he_normal(dtype=jnp.float32)

ACTIVATIONS: dict[str, Callable] = {
    "relu": nn.relu,
    "tanh": nn.tanh,
    "gelu": nn.gelu,
    "leaky_relu": nn.leaky_relu,
}


class Pooling(Protocol):
    """Pools the states of a GRU over time, called for one interval of time after another.

    Args:
      pooled: [B, H], the result for all earlier times, 0 at the start.
      states: [T, B, H], at the times `time`.
      time: int32[T, B].
      length: int32[B].

    Returns:
      [B, H]; 0 for an empty utterance.
    """

    def __call__(
        self, pooled: jax.Array, states: jax.Array, time: jax.Array, length: jax.Array
    ) -> jax.Array: ...


def _mean(pooled: jax.Array, states: jax.Array, time: jax.Array, length: jax.Array) -> jax.Array:
    valid = (time < length[None, :])[..., None]
    count = jnp.maximum(length, 1).astype(states.dtype)[:, None]
    return pooled + jnp.where(valid, states, 0).sum(0) / count


def _last(pooled: jax.Array, states: jax.Array, time: jax.Array, length: jax.Array) -> jax.Array:
    is_last = (time == length[None, :] - 1)[..., None]
    return pooled + jnp.where(is_last, states, 0).sum(0)


def _max(pooled: jax.Array, states: jax.Array, time: jax.Array, length: jax.Array) -> jax.Array:
    valid = (time < length[None, :])[..., None]
    pooled = jnp.where((time[0] == 0)[:, None], -1, pooled)  # a GRU's state lies within (-1, 1)
    highest = jnp.maximum(pooled, jnp.where(valid, states, -1).max(0))
    return jnp.where(length[:, None] > 0, highest, 0)


POOLINGS: dict[str, Pooling] = {"mean": _mean, "last": _last, "max": _max}


class GRU(nn.Module):
    """A stack of GRU layers whose last states are pooled over time to one vector, [B, width].

    Recurrent and input kernels are initialised uniformly in +-1/sqrt(width), as in torch. An
    orthogonal initialisation would need LAPACK inside a stacked program, which can starve XLA's CPU
    threads.
    """

    num_layers: int
    width: int
    pooling: str = "mean"

    @nn.compact
    def __call__(
        self, x: jax.Array, length: jax.Array, unpadded: Unpadded | None = None
    ) -> jax.Array:
        """
        Args:
          x: [T, B, C], T not less than the longest utterance; with `unpadded` [M, C], the
            utterances end to end.
          length: int32[B].
          unpadded: the first row of each utterance int32[B], the length of the longest utterance,
            and `Utterances.fill`.
        """
        bound = self.width**-0.5

        def uniform(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
            return jax.random.uniform(key, shape, dtype, -bound, bound)

        sizes = [x.shape[-1]] + [self.width] * self.num_layers
        stack = tuple(
            (
                self.param(f"kernel_{i}", uniform, (size, 3 * self.width)),
                self.param(f"bias_{i}", _zeros, (3 * self.width,)),
                self.param(f"recurrent_{i}", uniform, (self.width, 3 * self.width)),
                self.param(f"inner_bias_{i}", _zeros, (self.width,)),
            )
            for i, size in enumerate(sizes[:-1])
        )
        pool = POOLINGS[self.pooling]
        if unpadded is not None:
            first, longest, fill = unpadded
            # So many lanes that they end at about the time at which the longest utterance ends.
            lanes = math.ceil(fill * len(length))
            return gru_pooled(pool, lanes, longest, stack, x, first, length)
        for kernel, bias, recurrent, inner_bias in stack:
            gates = matmul.matmul(x, kernel) + jnp.expand_dims(bias, (0, 1))
            x = layers.gru(gates, recurrent, inner_bias)
        time = jax.lax.broadcasted_iota(jnp.int32, x.shape[:2], 0)
        return pool(jnp.zeros(x.shape[1:], x.dtype), x, time, length)


class MLP(nn.Module):
    """Dense layers, each followed by an activation and dropout. [B, C] -> [B, width]."""

    num_layers: int
    width: int
    activation: str = "relu"
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        for _ in range(self.num_layers):
            x = ACTIVATIONS[self.activation](nn.Dense(self.width)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return x


def _to_vector(
    encoder: "AcousticEncoder | LexicalEncoder",
    x: jax.Array,
    length: jax.Array,
    train: bool,
    unpadded: Unpadded | None = None,
) -> jax.Array:
    """The last layers of both encoders: GRU, pooling over time, dense layers. -> [B, D]."""
    h = GRU(encoder.gru_layers, encoder.gru_width, encoder.pooling)(x, length, unpadded)
    dense = MLP(encoder.dense_layers, encoder.dense_width, encoder.activation, encoder.dropout)
    return dense(h, train)


class AcousticEncoder(nn.Module):
    """Mel frames -> convolutions over time -> GRU -> dense -> h_a.

    Attributes:
      conv_layers, kernel_width, num_kernels: the 1-D convolutions.
      conv_pool: 2 halves the frame rate by max pooling after every convolution but the last; 1
        keeps it.
      gru_layers, gru_width: the GRU.
      dense_layers, dense_width: the dense layers; dense_width is D.
      pooling: of the GRU's states over time, a name in POOLINGS.
      activation: a name in ACTIVATIONS.
      dropout: the probability that a unit is dropped in training.
    """

    conv_layers: int = 3
    kernel_width: int = 3
    num_kernels: int = 64
    conv_pool: int = 2
    gru_layers: int = 2
    gru_width: int = 32
    dense_layers: int = 1
    dense_width: int = 64
    pooling: str = "mean"
    activation: str = "relu"
    dropout: float = 0.0

    @property
    def rates(self) -> tuple[int, ...]:
        """For each convolution, the number of input frames per frame that it computes."""
        return tuple(self.conv_pool**i for i in range(self.conv_layers))

    @nn.compact
    def __call__(self, utterances: Utterances, train: bool) -> jax.Array:
        frames, length = utterances.frames, utterances.num_frames
        assert frames is not None and length is not None  # which the corpus of the modality has
        sizes = [(frames.values if isinstance(frames, Spans) else frames).shape[-1]]
        sizes += [self.num_kernels] * self.conv_layers
        params = tuple(
            (
                self.param(f"kernel_{i}", _he_normal, (self.kernel_width, *size)),
                self.param(f"bias_{i}", _zeros, size[1:]),
            )
            for i, size in enumerate(itertools.pairwise(sizes))
        )
        settings, rates = (ACTIVATIONS[self.activation], self.conv_pool), self.rates
        if isinstance(frames, Spans):
            assert utterances.fill is not None
            mean_length = utterances.fill * frames.longest
            x, length, first, longest = convolved(
                Convolutions(partial(stack_in_phases, *settings), rates, self.kernel_width),
                mean_length,
                params,
                frames,
                length,
                utterances.masks,
            )
            return _to_vector(self, x, length, train, (first, longest, utterances.fill))
        if utterances.masks is not None:
            frames = _shown(frames, utterances.masks)
        x = jnp.pad(frames, ((0, 0), (0, -frames.shape[1] % rates[-1]), (0, 0))).swapaxes(0, 1)
        lengths = [-(-length // rate) for rate in rates]
        masks = [layers.frame_mask(n, len(x) // rate) for n, rate in zip(lengths, rates)]
        return _to_vector(self, stack(*settings, params, x, masks), lengths[-1], train)


def _shown(frames: jax.Array, hidden: FrameMasks) -> jax.Array:
    """The frames [B, T, F], 0 where they are hidden."""
    time, band = (jnp.arange(size, dtype=jnp.int32)[None] for size in frames.shape[1:])
    times = covered(hidden.time_start[:, None], hidden.time_stop[:, None], time)
    bands = covered(hidden.band_start[:, None], hidden.band_stop[:, None], band)
    return jnp.where(times[:, :, None] | bands[:, None], 0, frames)


def _word_vectors(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    # The initial row of a word depends on its number alone, not on the size of the vocabulary.
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(shape[0]))
    vectors = jax.vmap(lambda key: jax.random.normal(key, shape[1:], jnp.float32))(keys)
    return vectors * shape[1] ** -0.5


class LexicalEncoder(nn.Module):
    """Word vectors -> GRU -> dense -> h_l.

    Words are vectors, float[B, L, E], or indices, int32[B, L]. For indices the network learns a
    table of `table_size` vectors of `word_size` numbers, in which row 0 represents every word that
    the training part lacks. The other attributes are as in `AcousticEncoder`.
    """

    table_size: int = 0
    word_size: int = 64
    gru_layers: int = 2
    gru_width: int = 32
    dense_layers: int = 1
    dense_width: int = 64
    pooling: str = "mean"
    activation: str = "relu"
    dropout: float = 0.0

    @nn.compact
    def __call__(self, utterances: Utterances, train: bool) -> jax.Array:
        words, length = utterances.words, utterances.num_words
        assert words is not None and length is not None  # which the corpus of the modality has
        if words.ndim == 2:
            table = self.param("table", _word_vectors, (self.table_size, self.word_size))
            words = table[words]
        x = nn.Dropout(self.dropout, deterministic=not train)(words)
        if utterances.fill is None:
            return _to_vector(self, x.swapaxes(0, 1), length, train)
        batch, longest, size = x.shape
        first = longest * jnp.arange(batch, dtype=jnp.int32)
        unpadded = (first, longest, utterances.fill)
        return _to_vector(self, x.reshape(-1, size), length, train, unpadded)


ENCODERS: dict[str, type[nn.Module]] = {"acoustic": AcousticEncoder, "lexical": LexicalEncoder}
MODALITIES: dict[str, tuple[str, ...]] = {
    "acoustic": ("acoustic",),
    "lexical": ("lexical",),
    "multimodal": ("acoustic", "lexical"),
}
