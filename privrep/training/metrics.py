"""The unweighted average recall and the equal error rate as device code, for jit and vmap.

A score is computed over a whole part (train, val or test), never as a mean over batches. `where`
bool[N] selects the utterances that count, so that one program scores every part of a split. A label
of -1 is unknown and never counts. The score of no utterance is NaN, and so is the score of NaN
logits: a network that diverged has no score. `statistics/uar.py` is the numpy counterpart.
"""

import jax
import jax.numpy as jnp


def uar(
    outputs: jax.Array, labels: jax.Array, num_classes: int, where: jax.Array | None = None
) -> jax.Array:
    """Unweighted average recall: the mean, over the classes that occur, of the class's recall.

        UAR = 1/|O| sum_{c in O} |{n : label_n = c, prediction_n = c}| / |{n : label_n = c}|

    Every class has the same weight, however rare it is, so that guessing scores 1/C (Schuller et
    al., "The INTERSPEECH 2009 Emotion Challenge"; also called balanced accuracy).

    Args:
      outputs: logits float[N, C], or predictions int[N].
      labels: int[N], classes from 0 to C - 1, or -1 for unknown.
      num_classes: C.
      where: bool[N], which utterances count; None for all.

    Returns:
      float32[], in [0, 1]; NaN when no label is known, or a counted logit is NaN.

    Example: the recalls are 2/3, 0 and, without an utterance, undefined.
      >>> predictions, labels = jnp.array([0, 0, 2, 0]), jnp.array([0, 0, 0, 1])
      >>> round(float(uar(predictions, labels, num_classes=3)), 3)
      0.333
    """
    counted = _counted(labels, where)
    predictions, has_nan = _predictions(outputs, counted)
    # Integer counts are exact and do not depend on the order of adding, on any device. A label of
    # -1 addresses the last class, to which it adds 0.
    support = jnp.zeros(num_classes, jnp.int32).at[labels].add(counted)
    hits = jnp.zeros(num_classes, jnp.int32).at[labels].add(counted & (predictions == labels))
    occurs = support > 0
    recall = hits / jnp.maximum(support, 1)
    return jnp.where(has_nan, jnp.nan, jnp.sum(recall) / jnp.sum(occurs))


def equal_error_rate(
    scores: jax.Array, same: jax.Array, where: jax.Array | None = None
) -> jax.Array:
    """The error rate of speaker verification at the threshold where both error rates are equal.

    A pair is accepted as the same speaker when its score is above the threshold. Raising the
    threshold past one score after another (equal scores at once) moves the false acceptance rate
    (of different pairs) from 1 to 0 and the false rejection rate (of same pairs) from 0 to 1. The
    result is where the straight line between two neighbouring points of this curve has both
    equal. 0 separates all pairs, 0.5 is guessing, 1 separates them with the sign flipped.

    Args:
      scores: float[P], higher for pairs that seem to be of the same speaker.
      same: bool[P], whether the pair is.
      where: bool[P], which pairs count; None for all.

    Returns:
      float32[], in [0, 1]; NaN when either kind of pair is missing, or a counted score is NaN.

    Example: one of two pairs of the same speaker scores below one of two different pairs.
      >>> scores, same = jnp.array([0.9, 0.3, 0.5, 0.1]), jnp.array([True, True, False, False])
      >>> float(equal_error_rate(scores, same))
      0.5
    """
    scores, same = jnp.asarray(scores), jnp.asarray(same, bool)
    counted = jnp.ones(scores.shape, bool) if where is None else jnp.asarray(where)
    has_nan = jnp.any(counted & jnp.isnan(scores))
    order = jnp.argsort(jnp.where(counted, scores, jnp.inf))
    scores, counted, same = scores[order], counted[order], same[order]
    positive, negative = counted & same, counted & ~same
    rejected = jnp.cumsum(positive) / jnp.sum(positive)
    accepted = 1.0 - jnp.cumsum(negative) / jnp.sum(negative)
    # A threshold cannot lie between equal scores: only the last of them is a point of the curve.
    point = jnp.append(scores[1:] != scores[:-1], True)
    after = point & (rejected >= accepted)
    before = point & (rejected < accepted)
    x0 = jnp.max(rejected, where=before, initial=0.0)
    y0 = jnp.min(accepted, where=before, initial=1.0)
    x1 = jnp.min(rejected, where=after, initial=1.0)
    y1 = jnp.max(accepted, where=after, initial=0.0)
    crossing = (y0 - x0) / ((y0 - x0) + (x1 - y1))
    missing = ~jnp.any(positive) | ~jnp.any(negative)
    return jnp.where(has_nan | missing, jnp.nan, x0 + crossing * (x1 - x0))


def constant_share(logits: jax.Array, where: jax.Array) -> jax.Array:
    """The share of the most frequent answer, 1 where all answers are the same.

    Args:
      logits: float[N, C].
      where: bool[N], the rows that count.

    Returns:
      float[]; NaN without a row.
    """
    answers = jax.nn.one_hot(logits.argmax(1), logits.shape[1]) * where[:, None]
    return answers.sum(0).max() / where.sum()


def chance(num_classes: int) -> float:
    """The expected UAR of guessing among C classes, 1 / C."""
    return 1.0 / num_classes


def _counted(labels: jax.Array, where: jax.Array | None) -> jax.Array:
    known = labels >= 0
    return known if where is None else known & where


def _predictions(outputs: jax.Array, counted: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Class predictions, and whether a counted row of logits has a NaN."""
    if outputs.ndim == counted.ndim:
        return outputs, jnp.zeros((), bool)
    return jnp.argmax(outputs, axis=-1), jnp.any(counted & jnp.any(jnp.isnan(outputs), axis=-1))
