"""Mel energies of a waveform, with the Fourier transform as small matrix products (host).

An FFT library transforms frames of 400 samples at a tenth of the speed that the same core reaches
in matrix products. The transform is therefore factored into products: with N = A B points per
frame, input n = B a + b and bin k = c + A d, the transform is (Cooley and Tukey, 1965)

    X[c + A d] = sum_b exp(-2 pi i b (c + A d) / N) sum_a exp(-2 pi i a c / A) y[B a + b],

that is, for each b a product over a, then for each c a product over b. Bins with c > A / 2 are
conjugates of others; c = 0 and c = A / 2, whose sums over a are real, are stored as the real and
imaginary part of one. The steps before the transform are linear and are merged into it: with
pre-emphasis p a frame is y = window (x[n] - p x[n - 1] - (1 - p) mean(x)). There
x[n] - p x[n - 1] is the same in all frames that contain n (except at a frame's first sample, where
the window is 0), the window is a factor of the first product's matrices, and the mean is one more
of its columns.
"""

import math
import threading
from typing import NamedTuple

import numpy as np
import scipy.sparse

PREEMPHASIS = 0.97
# Frames per block, so that intermediate results stay in the CPU cache. With a power of two the rows
# of an operand, which are that many floats apart, would share few sets of the cache.
_BLOCK = 240
_SEGMENT = 16 * _BLOCK  # frames per segment, which bounds the memory for an hour of audio
# OpenBLAS distributes products of more multiplications over its own threads, which those of several
# utterances would have to wait for.
_MAX_MULTIPLICATIONS = 2**18
_buffers = threading.local()


class Filterbank(NamedTuple):
    """The matrices of `mel_energies`, with C = A / 2 and R = length / B, rounded up.

    Attributes:
      length: samples per frame.
      shift: samples between the starts of two frames.
      first: float32[B, 2 C, R + 1], the products over a; real and imaginary parts alternate, and
        the last column is that of the mean. c = A / 2 is the imaginary part of c = 0.
      second: float32[C, 2 B, 2 B], the products over b: real parts first, then imaginary ones.
      triangles: float32[F, C 2 B], sparse: weights of the squared outputs of the second product.
    """

    length: int
    shift: int
    first: np.ndarray
    second: np.ndarray
    triangles: scipy.sparse.csr_array


def build_filterbank(
    sample_rate: int, length: int, shift: int, bands: int, low_hz: float, high_hz: float
) -> Filterbank:
    """Builds Kaldi's filterbank: window "povey" (Hann to the power 0.85), triangles of height 1.

    The corners of the triangles are `bands` + 2 points from low to high, equidistant on the HTK Mel
    scale m = 1127 ln(1 + f / 700), on which their sides are straight lines. N is the next power of
    two.

    Args:
      sample_rate: Hz.
      length, shift: samples per frame, and between the starts of two frames.
      bands: F.
      low_hz, high_hz: range of the triangles.

    Raises:
      ValueError: a triangle holds no bin.
    """
    size = num_points(length)
    a_points = 2 ** (size.bit_length() // 2)
    b_points, half = size // a_points, a_points // 2
    rows = -(-length // b_points)
    window = np.zeros(rows * b_points)
    window[:length] = povey_window(length)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(half), np.arange(rows)) / a_points)
    first = np.stack([turns.real, turns.imag], axis=1)
    first[0, 1] = (-1.0) ** np.arange(rows)
    first = first.reshape(-1, rows) * window.reshape(rows, b_points).T[:, None]
    first = np.concatenate([first, -first.sum(axis=2, keepdims=True)], axis=2)

    bins = np.arange(half)[:, None] + a_points * np.arange(b_points)
    low, high = slice(b_points // 2), slice(b_points // 2, None)
    bins[0, high] = half + bins[0, low]
    turns = np.exp(-2j * np.pi * bins[..., None] * np.arange(b_points) / size)
    of_real, of_imaginary = turns.copy(), 1j * turns
    of_real[0, high], of_imaginary[0, low], of_imaginary[0, high] = 0, 0, turns[0, high]
    second = np.block([[of_real.real, of_imaginary.real], [of_real.imag, of_imaginary.imag]])

    hz = np.minimum(bins, size - bins) * sample_rate / size
    triangles = triangle_heights(hz, bands, low_hz, high_hz)
    if not triangles.any(axis=(1, 2)).all():
        raise ValueError(
            f"num_mel_bands={bands} is too many for frames of {length} samples: a band would hold "
            f"no frequency of the spectrum"
        )
    # Repeated, since the squares of a bin's real and imaginary part have the same weight.
    triangles = np.repeat(triangles[:, :, None], 2, axis=2).reshape(bands, -1)
    return Filterbank(
        length,
        shift,
        first.astype(np.float32),
        second.astype(np.float32),
        scipy.sparse.csr_array(triangles.astype(np.float32)),
    )


def num_points(length: int) -> int:
    """N, the next power of two of the samples of a frame."""
    return 2 ** max((length - 1).bit_length(), 2)


def povey_window(length: int) -> np.ndarray:
    """Hann to the power 0.85, float64[length]; 0 at the first sample."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))) ** 0.85


def triangle_heights(hz: np.ndarray, bands: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Heights [F, ...] of the triangles of `build_filterbank` at the frequencies [...]."""
    mel = 1127 * np.log1p(hz / 700)
    low, high = 1127 * np.log1p(np.array([low_hz, high_hz]) / 700)
    corners = np.linspace(low, high, bands + 2).reshape(-1, *(1,) * hz.ndim)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (mel - left) / (centre - left), (right - mel) / (right - centre)
    return np.maximum(np.minimum(rising, falling), 0)


def mel_energies(waveform: np.ndarray, bank: Filterbank) -> np.ndarray:
    """Power spectrum of each frame (y in the module's docstring), summed under the triangles.

    Args:
      waveform: float32[n], n at least the length of a frame.
      bank: of `build_filterbank`.

    Returns:
      float32[F, T], T = 1 + (n - length) // shift.
    """
    length, shift = bank.length, bank.shift
    frames = 1 + (len(waveform) - length) // shift
    size = min(_BLOCK, _MAX_MULTIPLICATIONS // bank.second[0].size)
    energies = np.empty((bank.triangles.shape[0], frames), np.float32)
    for start in range(0, frames, _SEGMENT):
        of_segment = energies[:, start : start + _SEGMENT]
        count = of_segment.shape[1]
        samples = waveform[start * shift : (start + count - 1) * shift + length]
        by_hop, level = _by_hop(samples, count, bank)
        for first in range(0, count, size):
            block = slice(first, first + size)
            of_segment[:, block] = _block(by_hop[:, first:], level[block], bank)
    return energies


def _by_hop(samples: np.ndarray, frames: int, bank: Filterbank) -> tuple[np.ndarray, np.ndarray]:
    """x[n] - p x[n - 1], float32[shift, hops], and (1 - p) mean(x) of each frame, float32[T]."""
    length, shift = bank.length, bank.shift
    hops = -(-length // shift)  # per frame, the last one perhaps partial
    whole, rest = divmod(len(samples), shift)
    by_hop = np.empty((shift, frames + hops - 1), np.float32)
    by_hop[:, whole:] = 0
    # Every frame loses its mean later; without it now, rounding is finer.
    offset = samples[:length].mean()
    np.subtract(samples[: whole * shift].reshape(-1, shift).T, offset, out=by_hop[:, :whole])
    by_hop[:rest, -1:] += samples[whole * shift :, None] - offset
    total = by_hop.sum(axis=0)
    level = by_hop[: length - (hops - 1) * shift, hops - 1 :].sum(axis=0)
    level += sum(total[hop : hop + frames] for hop in range(hops - 1))
    level *= np.float32((1 - PREEMPHASIS) / length)
    earlier = by_hop * np.float32(PREEMPHASIS)
    by_hop[1:] -= earlier[:-1]
    by_hop[0, 1:] -= earlier[-1, :-1]
    return by_hop, level


def _block(by_hop: np.ndarray, level: np.ndarray, bank: Filterbank) -> np.ndarray:
    """float32[F, T] energies of the results of `_by_hop`."""
    b_points, parts, rows = bank.first.shape
    frames = len(level)
    y, inner, spectrum = _scratch(
        (rows, b_points, frames), (parts, b_points, frames), (parts // 2, 2 * b_points, frames)
    )
    y_rows = y.reshape(-1, frames)
    for hop, start in enumerate(range(0, bank.length, bank.shift)):
        part = by_hop[: bank.length - start, hop : hop + frames]
        y_rows[start : start + len(part)] = part
    y_rows[bank.length : -b_points] = 0
    y[-1] = level

    np.matmul(bank.first, y.transpose(1, 0, 2), out=inner.transpose(1, 0, 2))
    np.matmul(bank.second, inner.reshape(spectrum.shape), out=spectrum)
    np.multiply(spectrum, spectrum, out=spectrum)
    return bank.triangles @ spectrum.reshape(-1, frames)


def _scratch(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Uninitialised float32 arrays that belong to this thread until its next call.

    The memory of new arrays would be returned to the system after each utterance and cleared by it
    for the next, which takes half as long as all other steps.
    """
    sizes = [math.prod(shape) for shape in shapes]
    if len(getattr(_buffers, "floats", ())) < sum(sizes):
        _buffers.floats = np.empty(sum(sizes), np.float32)
    parts = np.split(_buffers.floats[: sum(sizes)], np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]
