"""A release that keeps of h what the emotion head reads, less what differs between people."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

STRENGTH = 30.0  # what lambda = 1 weighs; from 3 to 300 little changes
_RIDGE = 1e-4  # of a unit's variance


class Affine(NamedTuple):
    """h -> h @ matrix + offset; matrix float[D, D], offset float[D]."""

    matrix: jax.Array
    offset: jax.Array


def emotion_subspace(h, kernel, task, labels: Mapping, lambda_: Mapping, sizes: Mapping, where):
    """h pressed through the emotion logits, which no longer follow the private attributes:

        V = kernel - mean over classes,                     the emotion logits up to a constant
        V' = argmin E|(h - m)(V' - V)|^2 + sum_a g_a E_e E_k |(m_ek - m_e) V'|^2 + ridge
           = (S + sum_a g_a G_a + ridge I)^-1 S V,          g_a = STRENGTH * lambda_a
        r(h) = ((h - m) V' + m V) pinv(V)

    with m and S the mean and covariance of h, m_ek the mean of the utterances of emotion e and
    class k of attribute a, m_e the mean of m_ek over k. r(h) has rank C - 1 for C emotions: what
    the emotion head does not read, where a fresh attacker finds most, is gone for good. Of what it
    reads, the directions in which people of one emotion differ by their attribute are turned down
    as far as that costs little emotion. What remains is what the emotion itself tells of the
    attribute in this corpus, and differences that are not linear. An attribute's variation within
    one emotion is what the criterion of equalised odds asks to remove (Hardt, Price & Srebro,
    NeurIPS 2016); turning down its directions is nuisance attribute projection (Solomonoff,
    Campbell & Boardman, ICASSP 2005) with a weight in place of a number of directions.

    The same emotion head serves r(h), and r is one map for all utterances, those to come as well.
    It calls LAPACK: compute several one after another, not under `vmap`, on a CPU.

    Args:
      h: float[N, D].
      kernel: float[D, C], of the emotion head.
      task: int[N], the emotion, -1 unknown.
      labels: {attribute: int[N]}, -1 unknown.
      lambda_: {attribute: scalar}. Where all are 0, r(h) = h.
      sizes: {attribute: number of classes}, Python numbers.
      where: bool[N], the rows to fit on.

    Returns:
      The map r.
    """
    count = jnp.maximum(where.sum(), 1)
    rows = where[:, None]
    mean = jnp.where(rows, h, 0).sum(0, keepdims=True) / count
    deviation = jnp.sqrt(jnp.where(rows, (h - mean) ** 2, 0).sum(0, keepdims=True) / count)
    # In units of its deviation; one that hardly varies keeps its unit, not its rounding errors.
    unit = jnp.where(deviation <= 1e-5 * jnp.abs(mean) + 1e-30, 1, deviation)
    fitted = jnp.where(rows, (h - mean) / unit, 0)
    v = kernel - kernel.mean(1, keepdims=True)
    read = v * unit.T
    covariance = fitted.T @ fitted / count
    num_classes = kernel.shape[1]
    between = sum(
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
    strongest = jnp.stack([jnp.asarray(one) for one in lambda_.values()]).max()
    as_it_is = Affine(jnp.eye(h.shape[1], dtype=h.dtype), jnp.zeros_like(offset))
    return jax.tree.map(
        lambda a, b: jnp.where(strongest > 0, a, b), Affine(matrix, offset), as_it_is
    )


def lift(logits, kernel):
    """The shortest h whose logits, but for a constant, are these: logits pinv(V). [N, D].

    Args:
      logits: float[N, C], without the bias.
      kernel: float[D, C], see `emotion_subspace`.
    """
    v = kernel - kernel.mean(1, keepdims=True)
    # V has rank C - 1; what all classes share is no logit's business.
    logits = logits - logits.mean(1, keepdims=True)
    gram = v.T @ v
    scale = jnp.maximum(jnp.trace(gram), 1e-30) / len(gram)
    return logits @ jax.scipy.linalg.solve(gram + scale / len(gram), v.T, assume_a="gen")


def _between(x, task, labels, num_classes: int, size: int, where):
    """[D, D]: the spread of an attribute's class means within an emotion, mean over emotions.

    Every emotion counts by its utterances, every class of the attribute alike within it.
    """
    known = where & (task >= 0) & (labels >= 0)
    cell = jnp.where(known, task * size + labels, num_classes * size)  # beyond: dropped
    each = jax.ops.segment_sum(known.astype(x.dtype), cell, num_classes * size)
    means = jax.ops.segment_sum(x, cell, num_classes * size) / jnp.maximum(each, 1)[:, None]
    there = (each > 0).reshape(num_classes, size, 1)
    means = means.reshape(num_classes, size, -1)
    classes = jnp.maximum(there.sum(1, keepdims=True), 1)
    apart = jnp.where(there, means - (means * there).sum(1, keepdims=True) / classes, 0)
    share = each.reshape(num_classes, size).sum(1) / jnp.maximum(each.sum(), 1)
    apart = apart * jnp.sqrt(share[:, None, None] / classes)
    return jnp.einsum("eki,ekj->ij", apart, apart)
