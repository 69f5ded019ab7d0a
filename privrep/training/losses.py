"""Losses per utterance. Their sum or mean is the caller's: batches are computed in pieces."""

import jax
import jax.numpy as jnp


def cross_entropy(logits, labels, class_weights=None):
    """Cross-entropy of the labels, in nats, where an utterance may have none:

        loss = -weight[label] * log softmax(logits)[label],    0 where label = -1

    No gradient comes from an utterance without a label, whatever its logits are, NaN included.
    With weights, the usual mean is sum(loss) / sum(weight[label] over the known labels).

    Args:
      logits: float[..., C]. Half precision is computed in float32.
      labels: int[...], classes from 0 to C - 1, or -1 for unknown.
      class_weights: float[C], or None for weight 1.

    Returns:
      float[...], at least float32.
    """
    known = labels >= 0
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    logits = jnp.where(known[..., None], logits, 0.0)  # 0 * NaN in the gradient would be NaN
    chosen = jax.nn.one_hot(labels, logits.shape[-1], dtype=bool)
    # Selected and summed, not gathered: the gradient of a gather is a slow scatter.
    loss = -jnp.sum(jnp.where(chosen, jax.nn.log_softmax(logits), 0.0), axis=-1)
    if class_weights is not None:
        loss = loss * jnp.take(class_weights, labels, mode="clip").astype(loss.dtype)
    return loss
