"""What leaves the device in place of h, made after training; RELEASES lists them by name.

A release is release(key, h, known) -> float[N, D]. It may learn from the training part alone, and
with every lambda at 0 it returns h. The emotion head that was trained reads what it returns.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.erasure import leace
from privrep.subspace import emotion_subspace, lift


class Known(NamedTuple):
    """What a release has to go by.

    Attributes:
      kernel, bias: float[D, C], float[C], of the emotion head.
      task: int32[N], the emotion, -1 unknown.
      private: {attribute: int32[N]}, -1 unknown.
      sizes: {attribute: number of classes}, Python numbers.
      train: bool[N], the only rows to learn from.
      lambda_: {attribute: scalar}, the strength.
    """

    kernel: jax.Array
    bias: jax.Array
    task: jax.Array
    private: Mapping[str, jax.Array]
    sizes: Mapping[str, int]
    train: jax.Array
    lambda_: Mapping[str, jax.Array]


def as_it_is(key, h, known: Known):
    """h."""
    del key, known
    return h


def erased(key, h, known: Known):
    """`erasure.leace` of the attributes whose lambda is above 0; its size has no meaning."""
    del key
    labels = {a: jnp.where(known.lambda_[a] > 0, of, -1) for a, of in known.private.items()}
    return leace(h, labels, known.sizes, known.train)


def noisy(key, h, known: Known):
    """h + lambda * deviation of the unit over the training part * N(0, 1), one draw for each row.

    The network has trained without. Noise knows no attribute: the largest lambda counts. An
    attacker averages it out over a speaker's utterances.
    """
    strength = jnp.stack([jnp.asarray(one) for one in known.lambda_.values()]).max()
    deviation = jnp.std(h, axis=0, keepdims=True, where=known.train[:, None])
    return h + strength * deviation * jax.random.normal(key, h.shape, h.dtype)


def pressed(key, h, known: Known):
    """`subspace.emotion_subspace`: what emotion is read from, cleaned of the attributes."""
    del key
    matrix, offset = emotion_subspace(
        h, known.kernel, known.task, known.private, known.lambda_, known.sizes, known.train
    )
    return h @ matrix + offset[None]


def doubted(key, h, known: Known):
    """The h whose emotion logits are the posterior of what `pressed` leaves:

        r(h) = (softmax(h' kernel + bias) - bias) pinv(V),    h' = `pressed`, V as there

    How sure the network is counts for little where it is sure, and differences that are not linear
    in the logits hide there. The emotion head recognises from r(h) what it does from h'; its logits
    there are the posterior, so that a softmax of them is none.
    """
    logits = pressed(key, h, known) @ known.kernel + known.bias[None]
    return _where_protected(known, jax.nn.softmax(logits), h)


def decided(key, h, known: Known):
    """The h that stands for the emotion recognised, one point for each class, whatever lambda > 0.

    The floor: nothing that lets the emotion be recognised as the network does tells less.
    """
    del key
    best = (h @ known.kernel + known.bias[None]).argmax(-1)
    return _where_protected(known, jax.nn.one_hot(best, known.kernel.shape[1], dtype=h.dtype), h)


def _where_protected(known: Known, logits, h):
    """The h of which the emotion head makes these logits; at lambda 0 h itself."""
    strongest = jnp.stack([jnp.asarray(one) for one in known.lambda_.values()]).max()
    return jnp.where(strongest > 0, lift(logits - known.bias[None], known.kernel), h)


RELEASES: dict[str, Callable] = {
    "none": as_it_is,
    "leace": erased,
    "noise": noisy,
    "subspace": pressed,
    "posterior": doubted,
    "decision": decided,
}
