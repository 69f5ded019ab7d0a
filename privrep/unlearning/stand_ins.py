"""The release `decision` of an emotion head of two layers: a vector stands in for each answer.

The answer of a linear head is lifted back to h (`releases.argmax_h`). A head with a hidden layer
has no such inverse; what stands in for an answer is made of h of the training part.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

INTERVALS = 32  # of the predictions of a regression


class StandIns(NamedTuple):
    """The vectors that stand in for K answers.

    Attributes:
      vectors: float[K, D].
      edges: float[K - 1], between the intervals of a regression's predictions; of classes empty.
    """

    vectors: jax.Array
    edges: jax.Array


def number_of(outputs: jax.Array, edges: jax.Array) -> jax.Array:
    """The number of the answer, int[N]: the recognised class, or the interval of the prediction.

    Args:
      outputs: logits [N, C], or predictions [N, 1] of a regression.
      edges: see `StandIns`.
    """
    if outputs.shape[1] > 1:
        return outputs.argmax(1)
    return (outputs >= edges[None]).sum(1)


def learn(head: Callable, h: jax.Array, train: jax.Array) -> StandIns:
    """The stand-ins for the answers of a head, learned from the training part.

    An answer is a class, or one of INTERVALS of the prediction with as many training rows each. Its
    stand-in is the mean of the training rows to which the head gives this answer. The head need not
    give it to their mean too: then, or where there are no such rows, it is the training row that
    fits the answer best, by the log odds of the class, or by the distance of its prediction from
    the mean of the interval's.

    Args:
      head: h float[n, D] -> logits [n, C], or predictions [n, 1].
      h: float[N, D].
      train: bool[N].
    """
    outputs = head(h)
    edges = jnp.zeros(0, h.dtype)
    if outputs.shape[1] == 1:
        in_order = jnp.sort(jnp.where(train, outputs[:, 0], jnp.inf))
        edges = in_order[jnp.arange(1, INTERVALS) * train.sum() // INTERVALS]
    count = INTERVALS if outputs.shape[1] == 1 else outputs.shape[1]
    given = jax.nn.one_hot(number_of(outputs, edges), count, dtype=h.dtype) * train[:, None]
    rows = given.sum(0)[:, None]
    means = given.T @ h / jnp.maximum(rows, 1)
    if outputs.shape[1] == 1:
        fit = -jnp.abs(outputs - (given.T @ outputs / jnp.maximum(rows, 1)).T)
    else:
        others = jnp.where(jnp.eye(count, dtype=bool)[None], -jnp.inf, outputs[:, None])
        fit = outputs - jax.nn.logsumexp(others, -1)
    best = h[jnp.where(train[:, None], fit, -jnp.inf).argmax(0)]
    is_given = number_of(head(means), edges) == jnp.arange(count)
    return StandIns(jnp.where((rows > 0) & is_given[:, None], means, best), edges)


def send(stand_ins: StandIns, outputs: jax.Array) -> jax.Array:
    """The stand-ins for the answers, float[N, D]; equal to the bit where the answer is the same."""
    return stand_ins.vectors[number_of(outputs, stand_ins.edges)]
