"""What keeps a private attribute out of h, in training and at release.

A defence is two pure functions. `loss` is added to the emotion loss of every utterance while the
network trains; `release` makes what leaves the device from h afterwards.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.erasure import leace
from privrep.grl import gradient_reversal
from privrep.losses import cross_entropy


class Defence(NamedTuple):
    """loss(adversary, views, private, weights, lambda_) -> float[B]; release(...) -> h.

    Arguments of `loss`:
      adversary: adversary(attribute, views, frozen=False) -> {view: logits [B, C]}; frozen, it
        learns nothing from what becomes of its answer.
      views: {view: float[B, D]}, of which "joint" is h.
      private: {attribute: int32[B]}, -1 unknown.
      weights: {attribute: float[C]}, class weights.
      lambda_: {attribute: scalar}, the strength of each adversary.

    Arguments of `release`: key, h float[N, D], private {attribute: int32[N]}, sizes {attribute: C},
    train bool[N] (the only rows it may learn from), lambda_. Returns float[N, D]. With every lambda
    at 0, neither does anything to h.
    """

    loss: Callable
    release: Callable

    @property
    def unlearns(self) -> bool:
        """Whether the encoders resist the adversaries while they train."""
        return self.loss is not _watched


def _adversary_loss(adversary, views, private, weights, seen: Callable):
    """Sum over attributes and views of the adversaries' cross-entropies, [B].

    `seen(attribute, views)` is what the attribute's adversary gets to see of the views.
    """
    losses = []
    for attribute, labels in sorted(private.items()):
        logits = adversary(attribute, seen(attribute, views))
        losses += [cross_entropy(one, labels, weights[attribute]) for one in logits.values()]
    return sum(losses)


def _watched(adversary, views, private, weights, lambda_):
    """The adversary learns and is listened to by nobody: it only shows what could be read."""
    del lambda_
    return _adversary_loss(
        adversary, views, private, weights, lambda _, views: jax.lax.stop_gradient(views)
    )


def _reversed(adversary, views, private, weights, lambda_: Mapping):
    """Each adversary learns, and -lambda times its gradient reaches the encoders."""
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

    def loss(adversary, views, private, weights, lambda_: Mapping):
        total = _watched(adversary, views, private, weights, lambda_)
        for attribute, labels in sorted(private.items()):
            for logits in adversary(attribute, views, frozen=True).values():
                known = labels >= 0
                logits = jnp.where(known[:, None], logits, 0)  # 0 * NaN would be NaN
                decided = divergence(jax.nn.log_softmax(logits))
                total += lambda_[attribute] * jnp.where(known, decided, 0)
        return total

    return loss


def _as_it_is(key, h, private, sizes, train, lambda_):
    del key, private, sizes, train, lambda_
    return h


def _erased(key, h, private, sizes, train, lambda_: Mapping):
    """`erasure.leace` of the attributes whose lambda is above 0; its size has no meaning."""
    del key
    labels = {a: jnp.where(lambda_[a] > 0, of, -1) for a, of in private.items()}
    return leace(h, labels, sizes, train)


def _noisy(key, h, private, sizes, train, lambda_: Mapping):
    """h + lambda * deviation of the unit over the training part * N(0, 1), one draw for each row.

    At release only: the network has trained without. Noise knows no attribute: the largest lambda
    counts. An attacker trained on noisy h averages it out over a speaker's utterances.
    """
    del private, sizes
    strength = jnp.stack([jnp.asarray(one) for one in lambda_.values()]).max()
    deviation = jnp.std(h, axis=0, keepdims=True, where=train[:, None])
    return h + strength * deviation * jax.random.normal(key, h.shape, h.dtype)


# uniform: Tzeng, Hoffman, Darrell & Saenko, "Simultaneous deep transfer across domains and tasks",
# ICCV 2015. entropy: Roy & Boddeti, "Mitigating information leakage in image representations: a
# maximum entropy approach", CVPR 2019.
DEFENCES: dict[str, Defence] = {
    "none": Defence(_watched, _as_it_is),
    "grl": Defence(_reversed, _as_it_is),
    "uniform": Defence(_confused(_from_uniform), _as_it_is),
    "entropy": Defence(_confused(_from_entropy), _as_it_is),
    "leace": Defence(_watched, _erased),
    "noise": Defence(_watched, _noisy),
}
