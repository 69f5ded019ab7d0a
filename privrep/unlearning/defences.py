"""What keeps a private attribute out of h while the network trains; DEFENCES lists them by name.

A defence is a loss that is added to the emotion loss of every utterance (`releases.py` is what is
done to h afterwards):

    defence(adversary, views, strata, private, weights, lambda_) -> float[B]

  adversary: adversary(attribute, views, frozen=False) -> {view: logits [B, m, C]} of m adversaries,
    whose losses are averaged; frozen, they learn nothing from what becomes of their answers.
  views: {view: float[B, D]}, those that adversaries read.
  strata: float[B, S], 1 for the group of utterances within which dependence counts, else 0.
  private: {attribute: int32[B]}, -1 unknown.
  weights: {attribute: float[C]}, class weights.
  lambda_: {attribute: scalar}, the strength of each adversary. At 0 a defence is `none`.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from privrep.grl import gradient_reversal
from privrep.training.losses import cross_entropy
from privrep.unlearning.dependence import hsic, mmd


def _adversary_loss(adversary, views, private, weights, seen: Callable):
    """Sum over attributes and views of the adversaries' cross-entropies, [B].

    `seen(attribute, views)` is what the attribute's adversary gets to see of the views.
    """
    losses = []
    for attribute, labels in sorted(private.items()):
        logits = adversary(attribute, seen(attribute, views))
        labels = labels[:, None]
        losses += [
            cross_entropy(one, labels, weights[attribute]).mean(1) for one in logits.values()
        ]
    return sum(losses)


def watched(adversary, views, strata, private, weights, lambda_):
    """The adversary learns and is listened to by nobody: it only shows what could be read."""
    del strata, lambda_
    return _adversary_loss(
        adversary, views, private, weights, lambda _, views: jax.lax.stop_gradient(views)
    )


def reversed_(adversary, views, strata, private, weights, lambda_: Mapping):
    """Each adversary learns, and -lambda times its gradient reaches the encoders."""
    del strata
    return _adversary_loss(
        adversary,
        views,
        private,
        weights,
        lambda attribute, views: gradient_reversal(views, lambda_[attribute]),
    )


def _from_uniform(log_q):
    """KL(uniform || q), 0 where the adversary's answer q is uniform. [B, C] -> [B]."""
    return -log_q.mean(-1) - jnp.log(log_q.shape[-1])


def _from_entropy(log_q):
    """KL(q || uniform), 0 where the adversary's answer q is uniform. [B, C] -> [B]."""
    return (jnp.exp(log_q) * log_q).sum(-1) + jnp.log(log_q.shape[-1])


def _confused(divergence: Callable) -> Callable:
    """The adversary learns on what it cannot change; the encoders learn to leave it undecided.

        CE(adversary(stop_gradient(view)), a) + lambda_a divergence(adversary frozen (view))

    Reversal rewards an encoder for being wrong in a way that the next adversary reads with the sign
    flipped; the aim here is no answer at all.
    """

    def loss(adversary, views, strata, private, weights, lambda_: Mapping):
        total = watched(adversary, views, strata, private, weights, lambda_)
        for attribute, labels in sorted(private.items()):
            for logits in adversary(attribute, views, frozen=True).values():
                known = labels >= 0
                logits = jnp.where(known[:, None, None], logits, 0)  # 0 * NaN would be NaN
                decided = divergence(jax.nn.log_softmax(logits)).mean(1)
                total += lambda_[attribute] * jnp.where(known, decided, 0)
        return total

    return loss


def _independent(measure: Callable) -> Callable:
    """The adversary only watches; the encoders lessen what a kernel finds of the attribute:

        CE(adversary(stop_gradient(view)), a) + lambda_a measure(view, a within the strata)

    The measure is one number of the batch; every utterance that it looks at bears it alike.
    """

    def loss(adversary, views, strata, private, weights, lambda_: Mapping):
        total = watched(adversary, views, strata, private, weights, lambda_)
        for attribute, labels in sorted(private.items()):
            classes = jax.nn.one_hot(labels, len(weights[attribute]))
            counted = (labels >= 0) & (strata.sum(1) > 0)
            for view in adversary(attribute, views):
                found = measure(views[view], classes, strata)
                total += lambda_[attribute] * jnp.where(counted, found, 0)
        return total

    return loss


# uniform: Tzeng, Hoffman, Darrell & Saenko, "Simultaneous deep transfer across domains and tasks",
# ICCV 2015. entropy: Roy & Boddeti, "Mitigating information leakage in image representations: a
# maximum entropy approach", CVPR 2019.
DEFENCES: dict[str, Callable] = {
    "none": watched,
    "grl": reversed_,
    "uniform": _confused(_from_uniform),
    "entropy": _confused(_from_entropy),
    "mmd": _independent(mmd),
    "hsic": _independent(hsic),
}
