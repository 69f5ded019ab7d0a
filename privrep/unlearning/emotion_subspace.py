"""The emotion subspace: a linear map of h that keeps what the emotion head reads.

h is projected onto the row space of the emotion head after down-weighting the directions that
separate the attribute within an emotion (weighted nuisance-attribute projection).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from privrep.unlearning.kept_space import Affine, column_moments

STRENGTH = 30.0  # the weight of lambda = 1; results change little between 3 and 300
_RIDGE = 1e-4  # relative to a unit's variance


def emotion_subspace(
    h: jax.Array,
    kernel: jax.Array,
    task: jax.Array,
    labels: Mapping[str, jax.Array],
    lambda_: Mapping[str, jax.Array],
    sizes: Mapping[str, int],
    where: jax.Array,
) -> Affine:
    """Fits the map r of h to the vectors whose emotion logits depend less on the attributes:

        V = kernel - mean over classes,                     the emotion logits up to a constant
        V' = argmin E|(h - m)(V' - V)|^2 + sum_a g_a E_e E_k |(m_ek - m_e) V'|^2 + ridge
           = (S + sum_a g_a G_a + ridge I)^-1 S V,          g_a = STRENGTH * lambda_a
        r(h) = ((h - m) V' + m V) pinv(V)

    with m and S the mean and covariance of h, m_ek the mean of the utterances of emotion e and
    class k of attribute a, and m_e the mean of m_ek over k. r(h) has rank C - 1 for C emotions, so
    that everything the emotion head does not read, which is where a freshly trained attacker
    usually finds most, is removed. Within the subspace that the head reads, the directions that
    separate an attribute within an emotion are down-weighted as far as this costs little emotion.
    Two things remain: what the emotion itself reveals about the attribute in this corpus, and
    non-linear differences.

    Removing an attribute's variation within an emotion is the criterion of equalised odds (Hardt,
    Price & Srebro, NeurIPS 2016); removing directions is nuisance attribute projection (Solomonoff,
    Campbell & Boardman, ICASSP 2005), here with a weight instead of a number of directions.

    r(h) has the dimensions of h and the same emotion head reads it. r is one map for all
    utterances, future ones included. The function calls LAPACK: on a CPU compute several one after
    another and not under `vmap`.

    Args:
      h: float[N, D].
      kernel: float[D, C], of the emotion head.
      task: int[N], the emotion, -1 unknown.
      labels: {attribute: int[N]}, -1 unknown.
      lambda_: {attribute: scalar}. If all are 0, r(h) = h.
      sizes: {attribute: number of classes}, Python numbers.
      where: bool[N], the rows to fit on.

    Returns:
      The map r.
    """
    count = jnp.maximum(where.sum(), 1)
    moments = column_moments(h, where)
    mean = moments.mean[None]
    # Each column is divided by its standard deviation, except one whose deviation is rounding.
    unit = jnp.where(moments.is_constant, 1, moments.deviation)[None]
    fitted = jnp.where(where[:, None], (h - mean) / unit, 0)
    v = kernel - kernel.mean(1, keepdims=True)
    read = v * unit.T
    covariance = fitted.T @ fitted / count
    num_classes = kernel.shape[1]
    between: Any = sum(
        STRENGTH * lambda_[a] * _between(fitted, task, of, num_classes, sizes[a], where)
        for a, of in sorted(labels.items())
    )
    ridge = _RIDGE * jnp.eye(h.shape[1])
    weights = jax.scipy.linalg.solve(
        covariance + between + ridge, covariance @ read, assume_a="pos"
    )
    weights = weights / unit.T
    matrix = lift(weights, kernel)
    offset = lift(mean @ (v - weights), kernel)[0]
    largest = jnp.stack([jnp.asarray(strength) for strength in lambda_.values()]).max()
    unchanged = Affine(jnp.eye(h.shape[1], dtype=h.dtype), jnp.zeros_like(offset))
    return jax.tree.map(
        lambda a, b: jnp.where(largest > 0, a, b), Affine(matrix, offset), unchanged
    )


def lift(logits: jax.Array, kernel: jax.Array) -> jax.Array:
    """The shortest vectors h with these logits, up to a constant per row: logits pinv(V). [N, D].

    Of the head of a regression, with one output, the shortest vectors with this output.

    Args:
      logits: float[N, C], without the bias.
      kernel: float[D, C], see `emotion_subspace`.
    """
    if kernel.shape[1] == 1:  # the head of a regression
        return logits * kernel.T / jnp.maximum((kernel**2).sum(), 1e-30)
    v = kernel - kernel.mean(1, keepdims=True)
    # V has rank C - 1: a constant added to all logits of a row changes no decision. Its singular
    # values may span some powers of ten, which V'V would square.
    return (logits - logits.mean(1, keepdims=True)) @ jnp.linalg.pinv(v, rtol=1e-5)


def _between(
    x: jax.Array,
    task: jax.Array,
    labels: jax.Array,
    num_classes: int,
    size: int,
    where: jax.Array,
) -> jax.Array:
    """The covariance of an attribute's class means within an emotion, averaged over emotions.

    Emotions are weighted by their number of utterances; within an emotion, the classes of the
    attribute have equal weight. [D, D].
    """
    is_known = where & (task >= 0) & (labels >= 0)
    # A cell is an emotion and a class of the attribute; the last number is out of range, so that
    # segment_sum drops its rows.
    cell = jnp.where(is_known, task * size + labels, num_classes * size)
    count = jax.ops.segment_sum(is_known.astype(x.dtype), cell, num_classes * size)
    means = jax.ops.segment_sum(x, cell, num_classes * size) / jnp.maximum(count, 1)[:, None]
    occurs = (count > 0).reshape(num_classes, size, 1)
    means = means.reshape(num_classes, size, -1)
    classes = jnp.maximum(occurs.sum(1, keepdims=True), 1)
    centred = jnp.where(occurs, means - (means * occurs).sum(1, keepdims=True) / classes, 0)
    share = count.reshape(num_classes, size).sum(1) / jnp.maximum(count.sum(), 1)
    centred = centred * jnp.sqrt(share[:, None, None] / classes)
    return jnp.einsum("eki,ekj->ij", centred, centred)
