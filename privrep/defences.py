"""What keeps a private attribute out of h, in training and at release.

A defence is two pure functions. `loss` is added to the emotion loss of every utterance while the
network trains; `release` makes what leaves the device from h afterwards.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax

from privrep.grl import gradient_reversal
from privrep.losses import cross_entropy


class Defence(NamedTuple):
    """loss(adversary, views, private, weights, lambda_) -> float[B]; release(...) -> h.

    Arguments of `loss`:
      adversary: adversary(attribute, views) -> {view: logits [B, C]}.
      views: {view: float[B, D]}, of which "joint" is h.
      private: {attribute: int32[B]}, -1 unknown.
      weights: {attribute: float[C]}, class weights.
      lambda_: {attribute: scalar}, the strength of each adversary.

    Arguments of `release`: key, h float[N, D], private {attribute: int32[N]}, train bool[N] (the
    only rows it may learn from), lambda_. Returns float[N, D].
    """

    loss: Callable
    release: Callable


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


def _as_it_is(key, h, private, train, lambda_):
    del key, private, train, lambda_
    return h


DEFENCES: dict[str, Defence] = {
    "none": Defence(_watched, _as_it_is),
    "grl": Defence(_reversed, _as_it_is),
}
