"""What leaves the device in place of h, made after training; RELEASES lists them by name.

A release is learned once, from h of the training part, as numbers that travel with the network
(`Learned`), and then sent for one utterance or many. With every lambda at 0 it sends h. The emotion
head that was trained reads what is sent.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.unlearning.emotion_subspace import Affine, emotion_subspace, lift
from privrep.unlearning.leace import leace


class Known(NamedTuple):
    """What a release has to learn from.

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


class Learned(NamedTuple):
    """All that sending needs beside the emotion head.

    Attributes:
      protects: bool[], whether any lambda is above 0.
      map: h -> h @ matrix + offset.
      noise: float[D], the deviation of what is added.
    """

    protects: jax.Array
    map: Affine
    noise: jax.Array


class Release(NamedTuple):
    """Two functions.

    Attributes:
      learn: (h float[N, D], Known) -> Learned.
      send: (key, h float[n, D], Learned, head) -> float[n, D]; `head` is (kernel, bias) of the
        emotion head.
    """

    learn: Callable
    send: Callable


def _strongest(known: Known):
    return jnp.stack([jnp.asarray(one) for one in known.lambda_.values()]).max()


def _nothing(h, known: Known) -> Learned:
    size = h.shape[1]
    unmoved = Affine(jnp.eye(size, dtype=h.dtype), jnp.zeros(size, h.dtype))
    return Learned(_strongest(known) > 0, unmoved, jnp.zeros(size, h.dtype))


def _erasure(h, known: Known) -> Learned:
    """`leace.leace` of the attributes whose lambda is above 0; its size has no meaning."""
    labels = {a: jnp.where(known.lambda_[a] > 0, of, -1) for a, of in known.private.items()}
    return _nothing(h, known)._replace(map=leace(h, labels, known.sizes, known.train))


def _deviations(h, known: Known) -> Learned:
    """Noise of lambda deviations of each unit over the training part; the largest lambda counts,
    for noise knows no attribute."""
    deviation = jnp.std(h, axis=0, where=known.train[:, None])
    return _nothing(h, known)._replace(noise=_strongest(known) * deviation)


def _subspace(h, known: Known) -> Learned:
    """`emotion_subspace.emotion_subspace`: what emotion is read from, cleaned of the attributes."""
    found = emotion_subspace(
        h, known.kernel, known.task, known.private, known.lambda_, known.sizes, known.train
    )
    return _nothing(h, known)._replace(map=found)


def as_it_is(key, h, learned: Learned, head):
    """h."""
    del key, learned, head
    return h


def mapped(key, h, learned: Learned, head):
    """h @ matrix + offset."""
    del key, head
    return jnp.where(learned.protects, h @ learned.map.matrix + learned.map.offset[None], h)


def noisy(key, h, learned: Learned, head):
    """h + noise * N(0, 1), one draw for each row.

    The network has trained without. An attacker averages it out over a speaker's utterances.
    """
    del head
    return h + learned.noise[None] * jax.random.normal(key, h.shape, h.dtype)


def doubted(key, h, learned: Learned, head):
    """The h whose emotion logits are the posterior of what `mapped` leaves:

        r(h) = (softmax(h' kernel + bias) - bias) pinv(V),    h' = `mapped`, V as in `subspace`

    How sure the network is counts for little where it is sure, and differences that are not linear
    in the logits hide there. The emotion head recognises from r(h) what it does from h'; its logits
    there are the posterior, so that a softmax of them is none.
    """
    kernel, bias = head
    logits = mapped(key, h, learned, head) @ kernel + bias[None]
    return _where_protected(learned, jax.nn.softmax(logits), h, head)


def decided(key, h, learned: Learned, head):
    """The h that stands for the emotion recognised, one point for each class, whatever lambda > 0.

    The floor: nothing that lets the emotion be recognised as the network does tells less.
    """
    del key
    kernel, bias = head
    best = (h @ kernel + bias[None]).argmax(-1)
    return _where_protected(learned, jax.nn.one_hot(best, kernel.shape[1], dtype=h.dtype), h, head)


def _where_protected(learned: Learned, logits, h, head):
    """The h of which the emotion head makes these logits; at lambda 0 h itself."""
    kernel, bias = head
    return jnp.where(learned.protects, lift(logits - bias[None], kernel), h)


RELEASES: dict[str, Release] = {
    "none": Release(_nothing, as_it_is),
    "leace": Release(_erasure, mapped),
    "noise": Release(_deviations, noisy),
    "subspace": Release(_subspace, mapped),
    "posterior": Release(_subspace, doubted),
    "decision": Release(_nothing, decided),
}
