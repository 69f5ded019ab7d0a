"""Defences keep a private attribute out of h during training; DEFENCES lists them by name.

A defence is a loss that is added to the emotion loss of every utterance (a release, `releases.py`,
changes h after training):

    defence(adversary, views, private, measured, weights, lambda_) -> float[B]

  adversary: adversary(attribute, views, frozen=False) -> {view: logits [B, m, C]} of m adversaries,
    whose losses are averaged; no gradient reaches the parameters of a frozen one.
  views: {view: float[B, D]}, those that adversaries read.
  private: {attribute: int32[B]}, -1 unknown.
  measured: see `DependenceRows`, for the defences that measure dependence over more than the batch.
  weights: {attribute: float[C]}, class weights.
  lambda_: {attribute: scalar}, the strength. At 0 every defence is `none`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.grl import gradient_reversal
from privrep.training.losses import cross_entropy
from privrep.unlearning.dependence import hsic, mmd

Arrays = Mapping[str, jax.Array]
Adversary = Callable[..., Arrays]


class DependenceRows(NamedTuple):
    """The rows of h over which dependence is measured, the B of the batch first.

    Attributes:
      views: {view: float[n, D]}, those that adversaries read among them.
      classes: {attribute: float[n, K]}, one-hot, a row of 0 where unknown.
      strata: float[n, S], one-hot, a row of 0 for padding; dependence is measured within strata.
    """

    views: Arrays
    classes: Arrays
    strata: jax.Array


Defence = Callable[[Adversary, Arrays, Arrays, DependenceRows, Arrays, Arrays], jax.Array]


def _adversary_loss(
    adversary: Adversary,
    views: Arrays,
    private: Arrays,
    weights: Arrays,
    input_of: Callable[[str, Arrays], Arrays],
) -> jax.Array:
    """The sum over attributes and views of the adversaries' cross-entropies, [B].

    Args:
      input_of: (attribute, views) -> the input of the attribute's adversaries.
    """
    losses: list[jax.Array] = []
    for attribute, labels in sorted(private.items()):
        of_views = adversary(attribute, input_of(attribute, views))
        labels = labels[:, None]
        losses += [
            cross_entropy(logits, labels, weights[attribute]).mean(1)
            for logits in of_views.values()
        ]
    total: Any = sum(losses)
    return total


def adversary_only(
    adversary: Adversary,
    views: Arrays,
    private: Arrays,
    measured: DependenceRows,
    weights: Arrays,
    lambda_: Arrays,
) -> jax.Array:
    """No defence: the adversaries learn, and no gradient of theirs reaches the encoders.

    Their UAR shows what could be predicted from h.
    """
    del measured, lambda_
    return _adversary_loss(
        adversary, views, private, weights, lambda _, views: jax.lax.stop_gradient(views)
    )


def reversed_gradient(
    adversary: Adversary,
    views: Arrays,
    private: Arrays,
    measured: DependenceRows,
    weights: Arrays,
    lambda_: Arrays,
) -> jax.Array:
    """Gradient reversal: the encoders receive -lambda times the gradient of each adversary."""
    del measured
    return _adversary_loss(
        adversary,
        views,
        private,
        weights,
        lambda attribute, views: gradient_reversal(views, lambda_[attribute]),
    )


def _kl_from_uniform(log_q: jax.Array) -> jax.Array:
    """KL(uniform || q), 0 where the adversary's prediction q is uniform. [..., C] -> [...]."""
    return -log_q.mean(-1) - jnp.log(log_q.shape[-1])


def _kl_to_uniform(log_q: jax.Array) -> jax.Array:
    """KL(q || uniform), 0 where the adversary's prediction q is uniform. [..., C] -> [...]."""
    return (jnp.exp(log_q) * log_q).sum(-1) + jnp.log(log_q.shape[-1])


def _confusion(divergence: Callable[[jax.Array], jax.Array]) -> Defence:
    """A defence that trains the encoders towards uniform predictions of frozen adversaries:

        CE(adversary(stop_gradient(view)), a) + lambda_a divergence(adversary frozen (view))

    Gradient reversal rewards encoders for a wrong prediction, which the next adversary reads with
    the sign flipped; the target here is a uniform prediction.
    """

    def loss(
        adversary: Adversary,
        views: Arrays,
        private: Arrays,
        measured: DependenceRows,
        weights: Arrays,
        lambda_: Arrays,
    ) -> jax.Array:
        total = adversary_only(adversary, views, private, measured, weights, lambda_)
        for attribute, labels in sorted(private.items()):
            for logits in adversary(attribute, views, frozen=True).values():
                is_known = labels >= 0
                logits = jnp.where(is_known[:, None, None], logits, 0)  # 0 * NaN would be NaN
                penalty = divergence(jax.nn.log_softmax(logits)).mean(1)
                total += lambda_[attribute] * jnp.where(is_known, penalty, 0)
        return total

    return loss


def _independence(measure: Callable[..., jax.Array]) -> Defence:
    """A defence that minimises a kernel measure of dependence between a view and the attribute:

        CE(adversary(stop_gradient(view)), a) + lambda_a measure(view, a within the strata)

    The measure is one number per step, over the rows of `DependenceRows`; it is added to the loss
    of every utterance of the batch that it counts.
    """

    def loss(
        adversary: Adversary,
        views: Arrays,
        private: Arrays,
        measured: DependenceRows,
        weights: Arrays,
        lambda_: Arrays,
    ) -> jax.Array:
        total = adversary_only(adversary, views, private, measured, weights, lambda_)
        for attribute, labels in sorted(private.items()):
            classes, strata = measured.classes[attribute], measured.strata
            counted = (classes.sum(1) > 0) & (strata.sum(1) > 0)
            for view in adversary(attribute, views):
                dependence = measure(measured.views[view], classes, strata)
                total += lambda_[attribute] * jnp.where(counted[: len(labels)], dependence, 0)
        return total

    return loss


# uniform: Tzeng, Hoffman, Darrell & Saenko, "Simultaneous deep transfer across domains and tasks",
# ICCV 2015. entropy: Roy & Boddeti, "Mitigating information leakage in image representations: a
# maximum entropy approach", CVPR 2019.
DEFENCES: dict[str, Defence] = {
    "none": adversary_only,
    "grl": reversed_gradient,
    "uniform": _confusion(_kl_from_uniform),
    "entropy": _confusion(_kl_to_uniform),
    "mmd": _independence(mmd),
    "hsic": _independence(hsic),
}
RESISTED = frozenset({"grl", "uniform", "entropy"})  # that depend on what the adversary has learned
MEASURES = frozenset({"mmd", "hsic"})  # that need many rows of each class
MATCHED = ("attribute", "speaker")  # see `objective.Architecture`
