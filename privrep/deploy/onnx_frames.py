"""Log-Mel frames in an ONNX graph, of a waveform of any length (host).

The Fourier transform is a convolution with cosines and sines. The steps before it are linear: with
pre-emphasis p a frame is window (x[n] - p x[n - 1] - (1 - p) mean(x)), see
`inputs/mel_filterbank.py`, whose values these are up to rounding.
"""

import numpy as np

from privrep.deploy.graph_builder import GraphBuilder
from privrep.inputs.audio import FLOOR, FeatureSettings
from privrep.inputs.mel_filterbank import (
    PREEMPHASIS,
    num_points,
    povey_window,
    triangle_heights,
)

_ALL = 2**62  # an end beyond every length


def log_mel(graph: GraphBuilder, waveform: str, settings: FeatureSettings) -> str:
    """`audio.log_mel` of a waveform float32[n] as float32[1, F, T]."""
    length, shift = settings.frame_length, settings.frame_shift
    x = waveform
    if settings.max_seconds:
        x = _slice(graph, x, 0, int(settings.max_seconds * settings.sample_rate))
    # Every frame loses its mean later; without most of it now, rounding is finer.
    start = _slice(graph, x, 0, length)
    x = graph.add("Sub", x, graph.add("ReduceMean", start, graph.integers(0), keepdims=1))
    earlier = graph.add("Mul", _slice(graph, x, 0, -1), graph.floats(PREEMPHASIS))
    emphasised = graph.add("Sub", _slice(graph, x, 1, _ALL), earlier)
    waves, of_level = _waves(length)
    mean = np.full((1, 1, length), (1 - PREEMPHASIS) / length)
    level = graph.add("Conv", _channel(graph, x), graph.floats(mean), strides=[shift])
    # The window is 0 at the first sample of a frame, which so needs none before it.
    spectrum = graph.add(
        "Conv", _channel(graph, emphasised), graph.floats(waves[:, None, 1:]), strides=[shift]
    )
    of_mean = graph.add("Mul", level, graph.floats(of_level[None, :, None]))
    spectrum = graph.add("Sub", spectrum, of_mean)
    power = graph.add("Mul", spectrum, spectrum)
    energies = graph.add("MatMul", graph.floats(_triangles(settings)), power)
    return graph.add("Log", graph.add("Max", energies, graph.floats(FLOOR)))


def _slice(graph: GraphBuilder, x: str, start: int, stop: int) -> str:
    return graph.add("Slice", x, graph.integers(start), graph.integers(stop))


def _channel(graph: GraphBuilder, x: str) -> str:
    return graph.add("Unsqueeze", x, graph.integers(0, 1))


def _waves(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Windowed cosines and sines [2 K, length] of the bins, and their sums [2 K]."""
    size = num_points(length)
    turns = np.outer(np.arange(size // 2 + 1), np.arange(length)) % size * (2 * np.pi / size)
    waves = np.concatenate([np.cos(turns), np.sin(turns)]) * povey_window(length)
    return waves, waves.sum(1)


def _triangles(settings: FeatureSettings) -> np.ndarray:
    """Weights [F, 2 K] of the squares of the bins' real and imaginary parts."""
    size = num_points(settings.frame_length)
    hz = np.arange(size // 2 + 1) * settings.sample_rate / size
    high = settings.mel_high_hz or settings.sample_rate / 2
    return np.tile(triangle_heights(hz, settings.num_mel_bands, settings.mel_low_hz, high), 2)
