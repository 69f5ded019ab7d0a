"""From frames or words to a representation: the paper's conv-GRU and its text counterpart.

An encoder is a Flax module `module(utterances, train) -> [B, D]`; `ENCODERS` names them by the
modality they read. Frames or words beyond an utterance's length change nothing.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from privrep import layers
from privrep.utterances import Utterances

ACTIVATIONS: dict[str, Callable] = {
    "relu": nn.relu,
    "tanh": nn.tanh,
    "gelu": nn.gelu,
    "leaky_relu": nn.leaky_relu,
}


def _mean(states, length):
    return layers.masked_mean(states, length)


def _last(states, length):
    states = states[jnp.maximum(length - 1, 0), jnp.arange(len(length))]
    return jnp.where(length[:, None] > 0, states, 0)


def _max(states, length):
    mask = layers.frame_mask(length, len(states))
    return jnp.where(mask > 0, states, -1.0).max(0)  # a GRU's state lies within (-1, 1)


POOLINGS: dict[str, Callable] = {"mean": _mean, "last": _last, "max": _max}


class GRU(nn.Module):
    """A stack of GRU layers over time. [T, B, C] -> [T, B, width].

    Recurrent and input kernels start uniform in +-1/sqrt(width) (as torch's; an orthogonal start
    needs LAPACK inside a stacked program, which can starve XLA's CPU threads).
    """

    num_layers: int
    width: int

    @nn.compact
    def __call__(self, x):
        bound = self.width**-0.5

        def uniform(key, shape, dtype=jnp.float32):
            return jax.random.uniform(key, shape, dtype, -bound, bound)

        for i in range(self.num_layers):
            kernel = self.param(f"kernel_{i}", uniform, (x.shape[-1], 3 * self.width))
            recurrent = self.param(f"recurrent_{i}", uniform, (self.width, 3 * self.width))
            bias = self.param(f"bias_{i}", nn.initializers.zeros, (3 * self.width,))
            inner_bias = self.param(f"inner_bias_{i}", nn.initializers.zeros, (self.width,))
            gates = layers.matmul(x, kernel) + jnp.expand_dims(bias, (0, 1))
            x = layers.gru(gates, recurrent, inner_bias)
        return x


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


def _to_vector(encoder, x, length, train):
    """What both encoders end in: GRU, pooling over time, dense layers. [T, B, C] -> [B, D]."""
    states = GRU(encoder.gru_layers, encoder.gru_width)(x)
    h = POOLINGS[encoder.pooling](states, length)
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

    @nn.compact
    def __call__(self, utterances: Utterances, train: bool) -> jax.Array:
        x, length = utterances.frames, utterances.num_frames
        stride = self.conv_pool ** (self.conv_layers - 1)
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % stride), (0, 0))).swapaxes(0, 1)
        x = x * layers.frame_mask(length, len(x), x.dtype)
        for i in range(self.conv_layers):
            shape = (self.kernel_width, x.shape[-1], self.num_kernels)
            kernel = self.param(f"kernel_{i}", nn.initializers.he_normal(), shape)
            bias = self.param(f"bias_{i}", nn.initializers.zeros, (self.num_kernels,))
            x = layers.convolution(x, kernel) + jnp.expand_dims(bias, (0, 1))
            x = ACTIVATIONS[self.activation](x)
            if self.conv_pool > 1 and i < self.conv_layers - 1:
                x, length = layers.max_pool(x, length)
            else:
                x = x * layers.frame_mask(length, len(x), x.dtype)
        return _to_vector(self, x, length, train)


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
        x = words.swapaxes(0, 1)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return _to_vector(self, x, length, train)


ENCODERS: dict[str, type[nn.Module]] = {"acoustic": AcousticEncoder, "lexical": LexicalEncoder}
MODALITIES: dict[str, tuple[str, ...]] = {
    "acoustic": ("acoustic",),
    "lexical": ("lexical",),
    "multimodal": ("acoustic", "lexical"),
}
