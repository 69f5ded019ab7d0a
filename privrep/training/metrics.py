"""Scores of a whole part (train, val or test): never averages over batches.

Every score takes `where` bool[N], the utterances that count, so that the parts of a split are
scored by one program, and works under jit and vmap. A label of -1 is unknown and never counts. A
score of nothing is NaN, and so is the score of NaN logits: a network that diverged has no score.
"""

import jax.numpy as jnp


def uar(outputs, labels, num_classes, where=None):
    """Unweighted average recall: the mean, over the classes that occur, of the class's recall.

        UAR = 1/|O| sum_{c in O} |{n : label_n = c, prediction_n = c}| / |{n : label_n = c}|

    A class counts the same however rare it is, so guessing scores 1/C (Schuller et al., "The
    INTERSPEECH 2009 Emotion Challenge"; elsewhere balanced accuracy).

    Args:
      outputs: logits float[N, C], or predictions int[N].
      labels: int[N], classes from 0 to C - 1, or -1 for unknown.
      num_classes: C.
      where: bool[N], which utterances count; None for all.

    Returns:
      float32[], in [0, 1]; NaN when no label is known, or a counted logit is NaN.
    """
    counted = _counted(labels, where)
    predictions, broken = _decide(outputs, counted)
    # Integer counts are exact and do not depend on the order of adding, on any device. A label of
    # -1 addresses the last class, with nothing to add.
    support = jnp.zeros(num_classes, jnp.int32).at[labels].add(counted)
    hits = jnp.zeros(num_classes, jnp.int32).at[labels].add(counted & (predictions == labels))
    occurs = support > 0
    recall = hits / jnp.maximum(support, 1)
    return jnp.where(broken, jnp.nan, jnp.sum(recall) / jnp.sum(occurs))


def equal_error_rate(scores, same, where=None):
    """The error of speaker verification at the threshold where both its errors are equal.

    A pair is accepted as the same speaker when its score is above the threshold. Raising the
    threshold past one score after another (equal scores at once) moves the false acceptance rate
    (of different pairs) from 1 to 0 and the false rejection rate (of same pairs) from 0 to 1. The
    result is where the straight line between two neighbouring points of this curve has both
    equal. 0 tells all pairs apart, 0.5 is guessing, 1 tells them apart with the sign flipped.

    Args:
      scores: float[P], higher for pairs that seem to be of the same speaker.
      same: bool[P], whether the pair is.
      where: bool[P], which pairs count; None for all.

    Returns:
      float32[], in [0, 1]; NaN when either kind of pair is missing, or a counted score is NaN.
    """
    scores, same = jnp.asarray(scores), jnp.asarray(same, bool)
    counted = jnp.ones(scores.shape, bool) if where is None else jnp.asarray(where)
    broken = jnp.any(counted & jnp.isnan(scores))
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
    return jnp.where(broken | missing, jnp.nan, x0 + crossing * (x1 - x0))


def chance(num_classes):
    """The UAR of guessing: 1 / C."""
    return 1.0 / num_classes


def _counted(labels, where):
    known = labels >= 0
    return known if where is None else known & where


def _decide(outputs, counted):
    """Class predictions, and whether a counted row of logits holds a NaN."""
    if outputs.ndim == counted.ndim:
        return outputs, jnp.zeros((), bool)
    return jnp.argmax(outputs, axis=-1), jnp.any(counted & jnp.any(jnp.isnan(outputs), axis=-1))
