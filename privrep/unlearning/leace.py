"""Closed-form erasure of what a linear attacker could predict (LEACE), fitted after training."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from privrep.unlearning.kept_space import Affine, column_moments


def leace(
    h: jax.Array, labels: Mapping[str, jax.Array], sizes: Mapping[str, int], where: jax.Array
) -> Affine:
    """Least-squares concept erasure: the smallest change of h that makes linear attacks useless.

        r(h) = h - S^+1/2 U U' S^-1/2 (h - mean),    U spans S^-1/2 (m_c - mean) over all classes c

    with S the covariance of h and m_c the mean of class c. On the rows that it was fitted on, no
    linear function of r(h) covaries with any of the labels, so that no linear attacker is better
    than a constant prediction. On other rows little is left if the class means were estimated from
    enough rows. What a non-linear attacker can predict is not changed. (Belrose, Schneider-Joseph,
    Ravfogel, Cotterell, Raff & Biderman, "LEACE: Perfect linear concept erasure in closed form",
    NeurIPS 2023, theorem 4.3.)

    A covariance without full rank (units that are constant, or copies of others) is inverted where
    it is not zero; the component of h outside its range is not changed.

    The function calls LAPACK twice: on a CPU compute several one after another and not under
    `vmap`.

    Args:
      h: float[N, D].
      labels: {attribute: int[N]}, -1 unknown; all attributes are erased together. A row contributes
        to the class means of those of its attributes that are known.
      sizes: {attribute: C}, Python numbers.
      where: bool[N], the rows to fit on.

    Returns:
      The map r; the identity if no label is known.
    """
    count = jnp.maximum(where.sum(), 1)
    mean, deviation, constant = column_moments(h, where)
    fitted = jnp.where(where[:, None], h - mean[None], 0)
    # The result does not depend on the scale of h, but its rounding errors do.
    unit = jnp.where(constant, 1, deviation)
    fitted = jnp.where(constant[None], 0, fitted / unit[None])
    differences = [
        _class_means(fitted, jnp.where(where, of, -1), sizes[attribute])
        for attribute, of in sorted(labels.items())
    ]
    values, vectors = jnp.linalg.eigh(fitted.T @ fitted / count)
    is_zero = values <= values[-1] * h.shape[1] * jnp.finfo(h.dtype).eps
    root = jnp.sqrt(jnp.where(is_zero, 0, values))
    inverse = jnp.where(is_zero, 0, 1 / jnp.where(is_zero, 1, root))
    whitened = (vectors * inverse[None]) @ (vectors.T @ jnp.concatenate(differences).T)
    u, singular, _ = jnp.linalg.svd(whitened, full_matrices=False)
    u = u * (singular > 1e-3)[None]  # correlations; smaller ones are rounding
    projected = (vectors * inverse[None]) @ (vectors.T @ u)
    read = u.T @ (vectors * root[None]) @ vectors.T
    scale = jnp.where(constant, 0, unit)
    removed = jnp.where(constant, 0, 1 / unit)[:, None] * (projected @ read) * scale[None]
    return Affine(jnp.eye(h.shape[1], dtype=h.dtype) - removed, (mean[None] @ removed)[0])


def _class_means(centred: jax.Array, labels: jax.Array, num_classes: int) -> jax.Array:
    """[C, D]: class means minus the mean over the labelled rows, times sqrt(share of the class)."""
    member = jax.nn.one_hot(labels, num_classes, dtype=centred.dtype)
    is_known = member.sum(1)
    total = jnp.maximum(is_known.sum(), 1)
    mean = is_known @ centred / total
    sizes = member.sum(0)
    means = (member.T @ centred) / jnp.maximum(sizes, 1)[:, None] - mean[None]
    # A row without a label belongs to no class; a class without a row has weight 0.
    return means * jnp.sqrt(sizes / total)[:, None]
