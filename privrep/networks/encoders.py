"""From frames or words to a representation: the paper's conv-GRU and its text counterpart.

An encoder is a Flax module `module(utterances, train) -> [B, D]`; `ENCODERS` names them by the
modality they read. Frames or words beyond an utterance's length change nothing.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from privrep.networks.kernels import gru as layers
from privrep.networks.kernels import matmul
from privrep.networks.kernels.convolution import stack, stack_in_phases
from privrep.networks.kernels.ragged_convolution import convolved
from privrep.networks.kernels.ragged_gru import gru_pooled
from privrep.types import Spans, Utterances

Unpadded = tuple[jax.Array, int, float]  # first row of each utterance, longest, fill

ACTIVATIONS: dict[str, Callable] = {
    "relu": nn.relu,
    "tanh": nn.tanh,
    "gelu": nn.gelu,
    "leaky_relu": nn.leaky_relu,
}


# How the states of a GRU, [T, B, H] at `time` int32[T, B], join what was pooled of the times
# before, [B, H]; zero at the start, and for an empty utterance.
def _mean(pooled, states, time, length):
    valid = (time < length[None, :])[..., None]
    count = jnp.maximum(length, 1).astype(states.dtype)[:, None]
    return pooled + jnp.where(valid, states, 0).sum(0) / count


def _last(pooled, states, time, length):
    here = (time == length[None, :] - 1)[..., None]
    return pooled + jnp.where(here, states, 0).sum(0)


def _max(pooled, states, time, length):
    valid = (time < length[None, :])[..., None]
    pooled = jnp.where((time[0] == 0)[:, None], -1, pooled)  # a GRU's state lies within (-1, 1)
    highest = jnp.maximum(pooled, jnp.where(valid, states, -1).max(0))
    return jnp.where(length[:, None] > 0, highest, 0)


POOLINGS: dict[str, Callable] = {"mean": _mean, "last": _last, "max": _max}


class GRU(nn.Module):
    """A stack of GRU layers over time and their states pooled to one vector. -> [B, width].

    Recurrent and input kernels start uniform in +-1/sqrt(width) (as torch's; an orthogonal start
    needs LAPACK inside a stacked program, which can starve XLA's CPU threads).
    """

    num_layers: int
    width: int
    pooling: str = "mean"

    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array, unpadded: Unpadded | None = None):
        """
        Args:
          x: [T, B, C], T at least the longest; or [M, C], utterances as `unpadded` says.
          length: int32[B].
        """
        bound = self.width**-0.5

        def uniform(key, shape, dtype=jnp.float32):
            return jax.random.uniform(key, shape, dtype, -bound, bound)

        sizes = [x.shape[-1]] + [self.width] * self.num_layers
        stack = tuple(
            (
                self.param(f"kernel_{i}", uniform, (size, 3 * self.width)),
                self.param(f"bias_{i}", nn.initializers.zeros, (3 * self.width,)),
                self.param(f"recurrent_{i}", uniform, (self.width, 3 * self.width)),
                self.param(f"inner_bias_{i}", nn.initializers.zeros, (self.width,)),
            )
            for i, size in enumerate(sizes[:-1])
        )
        pool = POOLINGS[self.pooling]
        if unpadded is not None:
            first, longest, fill = unpadded
            # As many side by side as are done by the time that the longest is.
            lanes = math.ceil(fill * len(length))
            return gru_pooled(pool, lanes, longest, stack, x, first, length)
        for kernel, bias, recurrent, inner_bias in stack:
            gates = matmul.matmul(x, kernel) + jnp.expand_dims(bias, (0, 1))
            x = layers.gru(gates, recurrent, inner_bias)
        time = jax.lax.broadcasted_iota(jnp.int32, x.shape[:2], 0)
        return pool(jnp.zeros(x.shape[1:], x.dtype), x, time, length)


class MLP(nn.Module):
    """Dense layers with an activation and dropout behind each. [B, C] -> [B, width]."""

    num_layers: int
    width: int
    activation: str = "relu"
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x, train: bool):
        for _ in range(self.num_layers):
            x = ACTIVATIONS[self.activation](nn.Dense(self.width)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return x


def _to_vector(encoder, x, length, train, unpadded=None):
    """What both encoders end in: GRU, pooling over time, dense layers. -> [B, D]."""
    h = GRU(encoder.gru_layers, encoder.gru_width, encoder.pooling)(x, length, unpadded)
    dense = MLP(encoder.dense_layers, encoder.dense_width, encoder.activation, encoder.dropout)
    return dense(h, train)


class AcousticEncoder(nn.Module):
    """Mel frames -> convolutions over time -> GRU -> dense -> h_a.

    Attributes:
      conv_layers, kernel_width, num_kernels: the 1-D convolutions.
      conv_pool: 2 halves the frame rate by maximum behind every convolution but the last, 1 keeps
        it.
      gru_layers, gru_width: the GRU.
      dense_layers, dense_width: the dense layers; dense_width is D.
      pooling: how the GRU's states become one vector, a name in POOLINGS.
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
        """Of each convolution's frames, how many frames of the input one stands for."""
        return tuple(self.conv_pool**i for i in range(self.conv_layers))

    @nn.compact
    def __call__(self, utterances: Utterances, train: bool) -> jax.Array:
        frames, length = utterances.frames, utterances.num_frames
        spans = isinstance(frames, Spans)
        sizes = [(frames.values if spans else frames).shape[-1]]
        sizes += [self.num_kernels] * self.conv_layers
        params = tuple(
            (
                self.param(f"kernel_{i}", nn.initializers.he_normal(), (self.kernel_width, *size)),
                self.param(f"bias_{i}", nn.initializers.zeros, size[1:]),
            )
            for i, size in enumerate(itertools.pairwise(sizes))
        )
        settings, rates = (ACTIVATIONS[self.activation], self.conv_pool), self.rates
        if spans:
            windows, usual = partial(stack_in_phases, *settings), utterances.fill * frames.longest
            x, length, first, longest = convolved(
                windows, rates, self.kernel_width, usual, params, frames, length
            )
            return _to_vector(self, x, length, train, (first, longest, utterances.fill))
        x = jnp.pad(frames, ((0, 0), (0, -frames.shape[1] % rates[-1]), (0, 0))).swapaxes(0, 1)
        lengths = [-(-length // rate) for rate in rates]
        masks = [layers.frame_mask(n, len(x) // rate) for n, rate in zip(lengths, rates)]
        return _to_vector(self, stack(*settings, params, x, masks), lengths[-1], train)


def _word_vectors(key, shape):
    # A row's start depends on its number alone, so not on how many words other parts hold.
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(shape[0]))
    return jax.vmap(lambda key: jax.random.normal(key, shape[1:]))(keys) * shape[1] ** -0.5


class LexicalEncoder(nn.Module):
    """Word vectors -> GRU -> dense -> h_l.

    Words may come as vectors, float[B, L, E], or as indices, int32[B, L]; for indices the network
    learns a table of `table_size` vectors of `word_size`, whose row 0 stands for every word outside
    the training part.
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
