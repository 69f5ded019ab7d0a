"""An attacker trained anew on h within a program: what h gives away while a network trains."""

import jax
import jax.numpy as jnp
import jax.scipy.sparse.linalg as solvers

_RIDGE = 1e-2  # of a unit's variance


def discriminant(h, labels, num_classes: int, where):
    """Linear discriminant analysis, all classes alike:

        logits_c(x) = (x - m)' w_c - (m_c - m)' w_c / 2,     w_c = (S + ridge I)^-1 (m_c - m)

    with m_c the mean of class c in units of each column's deviation, m the mean of these, and S the
    mean over classes of the covariance within (Fisher, "The use of multiple measurements in
    taxonomic problems", 1936). The system is solved by conjugate gradients: a stacked program may
    call no LAPACK (BUILD_NOTES.md).

    Args:
      h: float[N, D].
      labels: int[N], classes from 0 to num_classes - 1, or -1 for unknown.
      where: bool[N], the rows to learn from.

    Returns:
      logits float[N, C] of all rows; -inf for a class that no row to learn from has.
    """
    member = jax.nn.one_hot(labels, num_classes) * where[:, None]
    there = member.sum(0) > 0
    # Rows of a class share one part of the weight, so that a rare class counts like another.
    share = member / jnp.maximum(member.sum(0, keepdims=True), 1)
    share = share / jnp.maximum(there.sum(), 1)
    weight = share.sum(1, keepdims=True)
    known = jnp.where(where[:, None], h, 0)  # what else there is may be no number
    mean = (weight * known).sum(0, keepdims=True)
    deviation = jnp.sqrt((weight * (known - mean) ** 2).sum(0, keepdims=True))
    # What hardly varies keeps its unit, not its rounding errors.
    still = deviation <= 1e-5 * jnp.abs(mean) + 1e-30
    unit = jnp.where(still, jnp.inf, deviation)
    known = (known - mean) / unit
    means = share.T @ known * there.sum()
    within = (known - member @ means) * jnp.sqrt(weight)
    system = within.T @ within + _RIDGE * jnp.eye(h.shape[1])
    weights, _ = solvers.cg(lambda w: system @ w, means.T, tol=1e-4, maxiter=2 * h.shape[1])
    logits = (h - mean) / unit @ weights - 0.5 * jnp.sum(means.T * weights, 0, keepdims=True)
    return jnp.where(there[None], logits, -jnp.inf)
