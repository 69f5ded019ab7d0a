"""Rounded coordinates of the space that a linear map of h keeps, sent in place of its output.

A float32 product with a matrix of less than full rank is not of less than full rank: in the
directions that the matrix should remove, rounding errors of 1e-7 remain. They are functions of all
of h, and a linear attacker in float64 learns the removed attribute from them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

STEP = 2.0**-10  # the rounding of a coordinate, in its standard deviations
FLOOR = 1e-3  # the least standard deviation of a coordinate that is kept, relative to the largest
# A column of h @ matrix this much smaller than its summands, or than the column of h in whose place
# it is sent, is the rounding error of a sum or of the matrix.
_CANCELLED = 1e-4
CONSTANT = 1e-6  # a standard deviation this much smaller than the mean is rounding


class Affine(NamedTuple):
    """h -> h @ matrix + offset; matrix float[D, D], offset float[D]."""

    matrix: jax.Array
    offset: jax.Array


class KeptSpace(NamedTuple):
    """h -> round((h - centre) @ encode / step) * step @ decode + offset, see `send_kept`.

    Attributes:
      centre, offset: float[D], the mean of h and its image under the map.
      encode: float[D, D], h to coordinates; the columns of those that are not kept are 0.
      step: float[D], of each coordinate; above 0.
      decode: float[D, D], coordinates to the space of h.
    """

    centre: jax.Array
    encode: jax.Array
    step: jax.Array
    decode: jax.Array
    offset: jax.Array


class ColumnMoments(NamedTuple):
    """mean, deviation: float[D] of the columns; is_constant: bool[D], deviation is rounding."""

    mean: jax.Array
    deviation: jax.Array
    is_constant: jax.Array


def column_moments(h: jax.Array, where: jax.Array) -> ColumnMoments:
    """Mean and standard deviation of every column of h [N, D] over the rows `where` bool[N]."""
    count, rows = jnp.maximum(where.sum(), 1), where[:, None]
    mean = jnp.where(rows, h, 0).sum(0) / count
    # The first mean has the rounding error of a long sum, which is large beside a small deviation.
    mean = mean + jnp.where(rows, h - mean[None], 0).sum(0) / count
    deviation = jnp.sqrt(jnp.where(rows, (h - mean[None]) ** 2, 0).sum(0) / count)
    return ColumnMoments(mean, deviation, deviation <= CONSTANT * jnp.abs(mean))


def kept_space(h: jax.Array, map_: Affine, where: jax.Array) -> KeptSpace:
    """The coordinates, on principal axes, of what a map leaves of h in the rows `where`:

        z = ((h - m) @ matrix / s) V_kept,        r(h) = round(z / step) step V_kept' s + r(m)

    with m the mean of h, s the standard deviation of the columns of h @ matrix, V the eigenvectors
    of their correlations, and step = STEP standard deviations of a coordinate. V_kept are the axes
    with more than 1e-3 of the largest standard deviation: float32 does not separate smaller ones
    from rounding errors in directions that the matrix removes. Columns of h that do not vary in
    these rows are not sent; their place takes the mean.

    A removed direction has no coordinate, and a kept one has no digits below its step, of which the
    rounding error of float32 is a thousandth or less. r(h) is a function of the integers round(z /
    step) alone: its last bits reveal nothing that they do not.

    Rows outside `where` lose what varies in no row of `where`. The function calls LAPACK: on a CPU
    compute several one after another and not under `vmap`.

    Args:
      h: float[N, D].
      map_: h -> h @ matrix + offset.
      where: bool[N], the rows to fit on.

    Example: the map removes column 0; 1e-7 of it would stay.
      >>> h = jnp.array([[1.0, 3.0], [-1.0, 3.5], [1.0, 4.0], [-1.0, 4.5]])
      >>> map_ = Affine(jnp.array([[1e-7, 1e-7], [0.0, 1.0]]), jnp.zeros(2))
      >>> sent = send_kept(h, kept_space(h, map_, jnp.ones(4, bool)))
      >>> sent[:, 0].tolist()
      [0.0, 0.0, 0.0, 0.0]
    """
    mean, deviation, is_constant = column_moments(h, where)
    matrix = jnp.where(is_constant[:, None], 0, map_.matrix)
    image = jnp.where(where[:, None], h - mean[None], 0) @ matrix
    count = jnp.maximum(where.sum(), 1)
    spread = jnp.sqrt((image**2).sum(0) / count)
    is_gone = spread <= _CANCELLED * jnp.maximum(deviation @ jnp.abs(matrix), deviation)
    unit = jnp.where(is_gone, 1, spread)
    scaled = jnp.where(is_gone[None], 0, image / unit[None])
    values, vectors = jnp.linalg.eigh(scaled.T @ scaled / count)
    is_kept = values > FLOOR**2 * jnp.maximum(values[-1], FLOOR)
    axes = jnp.where(is_kept[None], vectors, 0)
    return KeptSpace(
        centre=mean,
        encode=(matrix * jnp.where(is_gone, 0, 1 / unit)[None]) @ axes,
        step=STEP * jnp.sqrt(jnp.where(is_kept, values, 1)),
        decode=axes.T * jnp.where(is_gone, 0, unit)[None],
        offset=(mean[None] @ map_.matrix)[0] + map_.offset,
    )


def identity_space(size: int, dtype: jnp.dtype) -> KeptSpace:
    """A placeholder of the same shapes for releases that send no linear map of h."""
    eye, zeros = jnp.eye(size, dtype=dtype), jnp.zeros(size, dtype)
    return KeptSpace(zeros, eye, zeros + STEP, eye, zeros)


def send_kept(h: jax.Array, kept: KeptSpace) -> jax.Array:
    """r(h) of `kept_space`, float[n, D]."""
    z = rounded((h - kept.centre[None]) @ kept.encode, kept.step[None])
    return z @ kept.decode + kept.offset[None]


def rounded(values: jax.Array, step: jax.Array | float) -> jax.Array:
    """The multiples of `step` nearest to the values."""
    return jnp.round(values / step) * step
