"""What the contestants of the training benchmark compute, and how many operations that is."""

from dataclasses import dataclass

import numpy as np

FRAMES_PER_SECOND = 100
MEAN_SECONDS, DEVIATION_SECONDS = 4.5, 2.5  # of utterances in speech corpora, lognormal
SHORTEST, LONGEST = 1.0, 12.0  # seconds
CLASSES, PRIVATE_CLASSES = 3, 2


@dataclass(frozen=True)
class Network:
    """Convolutions, GRU, masked mean, dense, an emotion head and a reversed gender head."""

    bands: int = 40
    conv_layers: int = 3
    kernel_width: int = 3
    num_kernels: int = 64
    conv_pool: int = 1
    gru_layers: int = 2
    gru_width: int = 32
    dense_width: int = 64


def flops(network: Network, batch: int, frames: float) -> float:
    """Floating-point operations of the matrix products of one step, forward and backward.

    A product of [m, k] and [k, n] is 2 m k n, and its backward pass two more such, of which the
    network's first layer needs one. Counted as written down: a form that needs fewer operations
    (Winograd) reaches more "operations" per second. Heads, element-wise work and Adam, together
    under 2 %, are left out.

    Args:
      frames: of an utterance, on average.
    """
    total, rows, channels, passes = 0.0, batch * frames, network.bands, 2
    for i in range(network.conv_layers):
        total += passes * 2 * rows * network.kernel_width * channels * network.num_kernels
        channels, passes = network.num_kernels, 3
        if i < network.conv_layers - 1:
            rows /= network.conv_pool
    for _ in range(network.gru_layers):
        total += passes * 2 * rows * channels * 3 * network.gru_width
        total += 3 * 2 * rows * network.gru_width * 3 * network.gru_width
        channels, passes = network.gru_width, 3
    return total


def draw_lengths(frames: int, count: int) -> np.ndarray:
    """int32[count], numbers of frames: all `frames`, or, for 0, those of a real corpus.

    Always the same; fewer are the first of more.
    """
    if frames:
        return np.full(count, frames, np.int32)
    spread = np.sqrt(np.log(1 + (DEVIATION_SECONDS / MEAN_SECONDS) ** 2))
    middle = np.log(MEAN_SECONDS) - spread**2 / 2
    seconds = np.random.default_rng(0).lognormal(middle, spread, count)
    return (np.clip(seconds, SHORTEST, LONGEST) * FRAMES_PER_SECOND).astype(np.int32)


def draw_batches(network: Network, batch: int, frames: int, number: int, room: int) -> list[tuple]:
    """Padded batches of the first utterances of `draw_lengths`, so that all compute the same ones.

    Args:
      frames: see `draw_lengths`.
      room: frames to pad to; 0 is the longest of each batch.

    Returns:
      `number` times frames float32[B, room, F], lengths, emotion and gender int32[B].
    """
    rng = np.random.default_rng(0)
    batches = []
    for length in draw_lengths(frames, number * batch).reshape(number, batch):
        padded = room or int(length.max())
        x = rng.standard_normal((batch, padded, network.bands), np.float32)
        x *= (np.arange(padded) < length[:, None])[..., None]
        labels = (rng.integers(0, n, batch, np.int32) for n in (CLASSES, PRIVATE_CLASSES))
        batches.append((x, length, *labels))
    return batches
