"""Collapsed networks: an h that holds no information leaks nothing, but that is no privacy."""

import jax
import jax.numpy as jnp

from privrep.training.regression import guessing_bound

LEAST_RANK = 1.05  # an h of lower effective rank has one direction


def effective_rank(h: jax.Array, where: jax.Array) -> jax.Array:
    """The number of directions in which h varies, as the participation ratio of its covariance S:

        trace(S)^2 / trace(S^2) = (sum of the eigenvalues of S)^2 / sum of their squares

    It is D if all directions vary equally, 1 if h varies in one direction, and 0 if h is constant.

    Args:
      h: float[N, D].
      where: bool[N], the rows that count.

    Returns:
      float[] in {0} or [1, D]; NaN where h is.
    """
    count = jnp.maximum(where.sum(), 1)
    mean = jnp.where(where[:, None], h, 0).sum(0, keepdims=True) / count
    centred = jnp.where(where[:, None], h - mean, 0)
    largest = jnp.abs(centred).max()
    constant = largest <= 1e-6 * jnp.abs(mean).max()
    centred = jnp.where(constant, 0, centred) / jnp.where(constant | (largest == 0), 1, largest)
    covariance = centred.T @ centred / count
    total, squares = jnp.trace(covariance), (covariance**2).sum()
    return total**2 / jnp.where(squares == 0, 1, squares)


def guessing_deviation(labels: jax.Array, num_classes: int, where: jax.Array) -> jax.Array:
    """The standard deviation of the UAR of uniform guessing among C classes.

        sqrt(sum_{c in O} 1/C (1 - 1/C) / n_c) / |O|,    O the classes that occur, n_c their size

    Utterances are taken as independent.

    Args:
      labels: int[N], -1 unknown.
      where: bool[N], the rows that count.

    Returns:
      float[]; NaN when no label is known.
    """
    counted = (where & (labels >= 0)).astype(jnp.int32)
    support = jnp.zeros(num_classes, jnp.int32).at[labels].add(counted)
    variance = (1 / num_classes) * (1 - 1 / num_classes)
    of_classes = jnp.where(support > 0, variance / jnp.maximum(support, 1), 0)
    return jnp.sqrt(of_classes.sum()) / (support > 0).sum()


def collapsed(
    emotion_uar: jax.Array, labels: jax.Array, num_classes: int, val: jax.Array, rank: jax.Array
) -> jax.Array:
    """Whether a network is collapsed: emotion at chance on validation, or h in one direction.

    Emotion is at chance if more than 1 in 20 uniform guesses would score as high, with utterances
    taken as independent: UAR <= 1/C + 1.645 standard deviations. h has one direction if its
    effective rank is below `LEAST_RANK`. This limit is the extreme case, because a good h may be
    simple. Two classes need only one direction, so that the rank does not count for them.

    Args:
      emotion_uar: float[], on the validation part.
      labels: int[N] of the emotion task, -1 unknown.
      val: bool[N].
      rank: float[], the `effective_rank` of h.

    Returns:
      bool[]; True where a score is NaN.
    """
    lowest_rank = LEAST_RANK if num_classes > 2 else 0
    highest = 1 / num_classes + 1.645 * guessing_deviation(labels, num_classes, val)
    return ~((emotion_uar > highest) & (rank >= lowest_rank))


def collapsed_regression(ccc: jax.Array, targets: jax.Array, val: jax.Array) -> jax.Array:
    """Whether a regression is collapsed: its CCC on validation is no higher than by guessing.

    That is where 1 in 20 predictions unrelated to the targets would score as high, see
    `regression.guessing_bound`. One output needs one direction, so that the rank of h does not
    count.

    Args:
      ccc: float[], on the validation part.
      targets: float[N], NaN unknown.
      val: bool[N].

    Returns:
      bool[]; True where the score is NaN.
    """
    return ~(ccc > guessing_bound(targets, val))
