"""Do two utterances come from one speaker? Scored by the cosine of an attacker's hidden layer."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.attacks.trained.dense import Threat, standardise
from privrep.training.metrics import equal_error_rate


@jax.jit
def verify(threats: Threat, pairs: jax.Array, same: jax.Array) -> jax.Array:
    """Speaker verification on people never seen before: the equal error rate per threat.

    h is whitened by the covariance within the training speakers (WCCN; Hatch, Kajarekar & Stolcke
    2006), shrunk towards its diagonal by a tenth, and a pair is scored by the cosine.

    Args:
      threats: rows [R, ...]; `labels` are the training speakers, -1 for anyone else.
      pairs: int32[R, P, 2], utterances of the test part; a pair with -1 is padding.
      same: bool[R, P], whether the pair is one speaker.

    Returns:
      float32[R] in [0, 1]; 0.5 is guessing.
    """

    def one(row):
        threat, pairs, same = row
        h = standardise(threat.h, threat.split.train)
        known = threat.split.train & (threat.labels >= 0)
        speakers = jax.nn.one_hot(jnp.where(known, threat.labels, -1), threat.weights.shape[0])
        count = jnp.maximum(speakers.sum(0), 1)[:, None]
        within = (h - speakers @ ((speakers.T @ h) / count)) * known[:, None]
        covariance = within.T @ within / jnp.maximum(known.sum(), 1)
        identity = jnp.eye(h.shape[1])
        covariance = jnp.where(identity > 0, covariance + 1e-4 * identity, 0.9 * covariance)
        factor = jnp.linalg.cholesky(covariance)
        white = jax.scipy.linalg.solve_triangular(factor, h.T, lower=True).T
        white = white / jnp.maximum(jnp.linalg.norm(white, axis=1, keepdims=True), 1e-12)
        scores = (white[pairs[:, 0]] * white[pairs[:, 1]]).sum(-1)
        return equal_error_rate(scores, same, pairs[:, 0] >= 0)

    # One after another: a program of many LAPACK calls side by side can starve XLA's CPU threads.
    return jax.lax.map(one, (threats, pairs, same))


class Pairs(NamedTuple):
    """Test utterances for speaker verification: int32[P, 2], bool[P]; or K or R rows of them."""

    pairs: jax.Array
    same: jax.Array
