"""The cross-entropy per utterance; the caller sums or averages, as a batch may come in parts."""

import jax
import jax.numpy as jnp


def cross_entropy(
    logits: jax.Array, labels: jax.Array, class_weights: jax.Array | None = None
) -> jax.Array:
    """The cross-entropy of the labels, in nats; an utterance may have no label:

        loss = -weight[label] * log softmax(logits)[label],    0 where label = -1

    An utterance without a label contributes no gradient, even if its logits are NaN. With weights,
    the usual mean is sum(loss) / sum(weight[label] over the known labels).

    Args:
      logits: float[..., C]. Half precision is computed in float32.
      labels: int[...], classes from 0 to C - 1, or -1 for unknown.
      class_weights: float[C], or None for weight 1.

    Returns:
      float[...], at least float32.

    Example: undecided between two classes, ln 2; and an unknown label.
      >>> losses = cross_entropy(jnp.zeros((2, 2)), jnp.array([1, -1]))
      >>> [abs(round(float(loss), 4)) for loss in losses]
      [0.6931, 0.0]
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
