"""Networks that have nothing to say: what nobody can read in their h is no privacy."""

import jax.numpy as jnp

LEAST_RANK = 1.05


def effective_rank(h, where):
    """How many directions h varies in: (sum of the covariance's eigenvalues)^2 / sum of squares.

    The participation ratio, trace(S)^2 / trace(S^2), which takes no eigenvalues: D where all
    directions vary alike, 1 where one direction is all there is, 0 where h is constant.

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


def guessing_deviation(labels, num_classes: int, where):
    """The standard deviation of the UAR of an even guess among C classes, utterances independent.

        sqrt(sum_{c in O} 1/C (1 - 1/C) / n_c) / |O|,    O the classes that occur, n_c their size

    Args:
      labels: int[N], -1 unknown.
      where: bool[N], the rows that count.

    Returns:
      float[]; NaN when no label is known.
    """
    counted = (where & (labels >= 0)).astype(jnp.int32)
    support = jnp.zeros(num_classes, jnp.int32).at[labels].add(counted)
    variance = (1 / num_classes) * (1 - 1 / num_classes)
    each = jnp.where(support > 0, variance / jnp.maximum(support, 1), 0)
    return jnp.sqrt(each.sum()) / (support > 0).sum()


def collapsed(emotion_uar, labels, num_classes: int, val, rank):
    """Whether a network is collapsed: emotion at chance on validation, or h of one direction.

    Emotion is at chance where more than 1 in 20 even guesses would score as much, utterances taken
    as independent: UAR <= 1/C + 1.645 deviations. h is of one direction where its effective rank is
    under `LEAST_RANK`; there is no lower limit to how simple a good h may be, so this asks for the
    extreme. Two classes need no more than one direction: of them only emotion is asked for.

    Args:
      emotion_uar: float[], on the validation part.
      labels: int[N] of the emotion task, -1 unknown.
      val: bool[N].
      rank: float[], the `effective_rank` of h.

    Returns:
      bool[]; True where a score is NaN.
    """
    least = LEAST_RANK if num_classes > 2 else 0
    most = 1 / num_classes + 1.645 * guessing_deviation(labels, num_classes, val)
    return ~((emotion_uar > most) & (rank >= least))
