"""Speaker verification as an attack: do two utterances come from the same speaker?"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.attacks.trained.dense import AttackData, standardise
from privrep.training.metrics import equal_error_rate
from privrep.types import Array


@jax.jit
def verification_eer(attack_data: AttackData, pairs: jax.Array, same: jax.Array) -> jax.Array:
    """The equal error rate of speaker verification on unseen speakers, for each row.

    h is whitened by the within-speaker covariance of the training part (WCCN; Hatch, Kajarekar &
    Stolcke 2006), shrunk towards its diagonal by a tenth. The score of a pair is the cosine.

    Args:
      attack_data: rows [R, ...]; `labels` are the training speakers, -1 for all others.
      pairs: int32[R, P, 2], utterances of the test part; a pair with -1 is padding.
      same: bool[R, P], whether the pair is one speaker.

    Returns:
      float32[R] in [0, 1]; 0.5 is guessing.
    """

    def of_row(row: tuple[AttackData, jax.Array, jax.Array]) -> jax.Array:
        data, pairs, same = row
        h = standardise(data.h, data.split.train)
        is_known = data.split.train & (data.labels >= 0)
        speakers = jax.nn.one_hot(jnp.where(is_known, data.labels, -1), data.weights.shape[0])
        count = jnp.maximum(speakers.sum(0), 1)[:, None]
        within = (h - speakers @ ((speakers.T @ h) / count)) * is_known[:, None]
        covariance = within.T @ within / jnp.maximum(is_known.sum(), 1)
        identity = jnp.eye(h.shape[1])
        covariance = jnp.where(identity > 0, covariance + 1e-4 * identity, 0.9 * covariance)
        factor = jnp.linalg.cholesky(covariance)
        white = jax.scipy.linalg.solve_triangular(factor, h.T, lower=True).T
        white = white / jnp.maximum(jnp.linalg.norm(white, axis=1, keepdims=True), 1e-12)
        scores = (white[pairs[:, 0]] * white[pairs[:, 1]]).sum(-1)
        return equal_error_rate(scores, same, pairs[:, 0] >= 0)

    # One after another: many LAPACK calls at the same time can starve XLA's CPU threads.
    return jax.lax.map(of_row, (attack_data, pairs, same))


class Pairs(NamedTuple):
    """Pairs of test utterances for speaker verification: int32[P, 2], bool[P]; or [K or R, ...]."""

    pairs: Array
    same: Array
