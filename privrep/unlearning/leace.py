"""Erasing what a linear attacker could read, after training and in closed form."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from privrep.unlearning.emotion_subspace import Affine


def leace(h, labels: Mapping[str, jax.Array], sizes: Mapping[str, int], where):
    """Least-squares concept erasure: the smallest change of h that leaves nothing to a linear eye.

        r(h) = h - S^+1/2 U U' S^-1/2 (h - mean),    U spans S^-1/2 (m_c - mean) over all classes c

    with S the covariance of h, m_c the mean of class c. On the rows it was fitted on, no linear
    function of r(h) covaries with any of the labels, so no linear attacker beats the best constant
    there. On other rows little is left as far as there were enough to estimate the class means
    from, and what a non-linear attacker can read is left as it is. (Belrose, Schneider-Joseph,
    Ravfogel, Cotterell, Raff & Biderman, "LEACE: Perfect linear concept erasure in closed form",
    NeurIPS 2023, theorem 4.3.)

    A covariance without full rank (units that are dead, or copies of others) is inverted where it
    is not zero, and what lies outside its range passes through.

    It calls LAPACK twice: compute several one after another, not under `vmap`, on a CPU.

    Args:
      h: float[N, D].
      labels: {attribute: int[N]}, -1 unknown; all the attributes are erased together. A row counts
        for the means of those of its attributes that are known.
      sizes: {attribute: C}, Python numbers.
      where: bool[N], the rows to fit on.

    Returns:
      The map r; it leaves h as it is where no label is known.
    """
    count = jnp.maximum(where.sum(), 1)
    mean = jnp.where(where[:, None], h, 0).sum(0) / count
    fitted = jnp.where(where[:, None], h - mean[None], 0)
    # The result does not depend on the units of h; its rounding errors do.
    deviation = jnp.sqrt((fitted**2).sum(0) / count)
    dead = deviation <= 1e-5 * jnp.abs(mean)  # what spreads less is the rounding of the mean
    unit = jnp.where(dead, 1, deviation)
    fitted = jnp.where(dead[None], 0, fitted / unit[None])
    differences = [
        _class_means(fitted, jnp.where(where, of, -1), sizes[attribute])
        for attribute, of in sorted(labels.items())
    ]
    values, vectors = jnp.linalg.eigh(fitted.T @ fitted / count)
    zero = values <= values[-1] * h.shape[1] * jnp.finfo(h.dtype).eps
    root = jnp.sqrt(jnp.where(zero, 0, values))
    inverse = jnp.where(zero, 0, 1 / jnp.where(zero, 1, root))
    whitened = (vectors * inverse[None]) @ (vectors.T @ jnp.concatenate(differences).T)
    u, singular, _ = jnp.linalg.svd(whitened, full_matrices=False)
    u = u * (singular > 1e-3)[None]  # correlations; smaller ones are rounding
    white = (vectors * inverse[None]) @ (vectors.T @ u)
    read = u.T @ (vectors * root[None]) @ vectors.T
    taken = jnp.where(dead, 0, 1 / unit)[:, None] * (white @ read) * jnp.where(dead, 0, unit)[None]
    return Affine(jnp.eye(h.shape[1], dtype=h.dtype) - taken, (mean[None] @ taken)[0])


def _class_means(centred, labels, num_classes: int):
    """[C, D]: means of the classes, less the mean over the rows with a label, times sqrt(share)."""
    member = jax.nn.one_hot(labels, num_classes, dtype=centred.dtype)
    known = member.sum(1)
    total = jnp.maximum(known.sum(), 1)
    mean = known @ centred / total
    sizes = member.sum(0)
    means = (member.T @ centred) / jnp.maximum(sizes, 1)[:, None] - mean[None]
    # An unknown label is in no class, and a class without a row says nothing.
    return means * jnp.sqrt(sizes / total)[:, None]
