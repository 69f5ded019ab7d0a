"""A linear discriminant as device code, fitted on h after every epoch of a network."""

import jax
import jax.numpy as jnp
import jax.scipy.sparse.linalg as solvers

_RIDGE = 1e-2  # relative to a unit's variance


def discriminant(h: jax.Array, labels: jax.Array, num_classes: int, where: jax.Array) -> jax.Array:
    """Linear discriminant analysis with equal class priors:

        logits_c(x) = (x - m)' w_c - (m_c - m)' w_c / 2,     w_c = (S + ridge I)^-1 (m_c - m)

    with m_c the mean of class c in units of each column's deviation, m the mean of these, and S the
    mean over classes of the within-class covariance (Fisher, "The use of multiple measurements in
    taxonomic problems", 1936). The system is solved by conjugate gradients because a stacked
    program may not call LAPACK (BUILD_NOTES.md).

    Args:
      h: float[N, D].
      labels: int[N], classes from 0 to num_classes - 1, or -1 for unknown.
      where: bool[N], the rows to learn from.

    Returns:
      logits float[N, C] of all rows; -inf for a class without a row to learn from.
    """
    member = jax.nn.one_hot(labels, num_classes) * where[:, None]
    occurs = member.sum(0) > 0
    # The rows of a class share its weight, and every class has the same weight.
    share = member / jnp.maximum(member.sum(0, keepdims=True), 1)
    share = share / jnp.maximum(occurs.sum(), 1)
    weight = share.sum(1, keepdims=True)
    known = jnp.where(where[:, None], h, 0)  # other rows may hold NaN
    mean = (weight * known).sum(0, keepdims=True)
    deviation = jnp.sqrt((weight * (known - mean) ** 2).sum(0, keepdims=True))
    # A column whose deviation is rounding error is set to 0.
    constant = deviation <= 1e-5 * jnp.abs(mean) + 1e-30
    unit = jnp.where(constant, jnp.inf, deviation)
    known = (known - mean) / unit
    means = share.T @ known * occurs.sum()
    within = (known - member @ means) * jnp.sqrt(weight)
    system = within.T @ within + _RIDGE * jnp.eye(h.shape[1])
    weights, _ = solvers.cg(lambda w: system @ w, means.T, tol=1e-4, maxiter=2 * h.shape[1])
    logits = (h - mean) / unit @ weights - 0.5 * jnp.sum(means.T * weights, 0, keepdims=True)
    return jnp.where(occurs[None], logits, -jnp.inf)
