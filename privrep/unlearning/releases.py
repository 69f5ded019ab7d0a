"""Releases replace h after training by what leaves the device; RELEASES lists them by name.

Those whose map is another one for every person are in `person_release.py`.

A release is learned once, from h of the training part, as arrays that are stored with the network
(`Learned`). It is then applied to one utterance or to many. With every lambda at 0 it returns h.
The emotion head that was trained on h reads the released h.

What is sent is a function of rounded numbers, so that its last bits reveal nothing
(`kept_space.py`); a test holds every release in the table to it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.unlearning.emotion_subspace import emotion_subspace, lift
from privrep.unlearning.kept_space import (
    STEP,
    Affine,
    KeptSpace,
    identity_space,
    kept_space,
    rounded,
    send_kept,
)
from privrep.unlearning.leace import leace
from privrep.unlearning.person_release import PERSON_RELEASES, PersonStatistics
from privrep.unlearning.stand_ins import StandIns

Head = tuple[jax.Array, jax.Array]  # kernel float[D, C] and bias float[C] of the emotion head


class ReleaseInputs(NamedTuple):
    """The inputs, in addition to h, from which a release is learned.

    Attributes:
      kernel, bias: float[D, C], float[C], of the emotion head; None of one that is not linear.
      task: int32[N], the emotion, -1 unknown.
      private: {attribute: int32[N]}, -1 unknown.
      sizes: {attribute: number of classes}, Python numbers.
      train: bool[N], the only rows to learn from.
      lambda_: {attribute: scalar}, the strength.
    """

    kernel: jax.Array | None
    bias: jax.Array | None
    task: jax.Array
    private: Mapping[str, jax.Array]
    sizes: Mapping[str, int]
    train: jax.Array
    lambda_: Mapping[str, jax.Array]


class Learned(NamedTuple):
    """The learned arrays of a release; with the emotion head they are all that `send` needs.

    Attributes:
      protects: bool[], whether any lambda is above 0.
      space: what is kept of h.
      noise: float[D], the standard deviation of the added noise.
      person: what the releases with a state per person have learned, beside whose state nothing
        else is needed; None in a program without one.
      stand_ins: what `decision` sends for each answer of an emotion head that is not linear; None
        where it is.
    """

    protects: jax.Array
    space: KeptSpace
    noise: jax.Array
    person: PersonStatistics | None = None
    stand_ins: StandIns | None = None


def to_arrays(learned: Learned) -> dict[str, Any]:
    """What a release has learned as {name: array}, for a file; `from_arrays` reads it back.

    The arrays of a release with a state per person are named person_<name>, those of `decision`
    with a head of two layers stand_in_<name>; they are left out where there are none.
    """
    arrays = learned.space._asdict() | {"protects": learned.protects, "noise": learned.noise}
    if learned.person is not None:
        arrays |= {f"person_{name}": array for name, array in learned.person._asdict().items()}
    if learned.stand_ins is not None:
        arrays |= {f"stand_in_{name}": a for name, a in learned.stand_ins._asdict().items()}
    return arrays


def from_arrays(arrays: Mapping[str, jax.Array]) -> Learned:
    """What `to_arrays` has made arrays of.

    Raises:
      ValueError: an array is missing; the message names it.
    """
    needed = (*KeptSpace._fields, "protects", "noise")
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise ValueError(f"without {', '.join(missing)}")
    space = KeptSpace(*(arrays[name] for name in KeptSpace._fields))
    names = [f"person_{name}" for name in PersonStatistics._fields]
    person = PersonStatistics(*(arrays[n] for n in names)) if {*names} <= {*arrays} else None
    names = [f"stand_in_{name}" for name in StandIns._fields]
    answers = StandIns(*(arrays[n] for n in names)) if {*names} <= {*arrays} else None
    return Learned(arrays["protects"], space, arrays["noise"], person, answers)


class Release(NamedTuple):
    """A release, as two functions.

    Attributes:
      learn: (h float[N, D], ReleaseInputs) -> Learned.
      send: (key, h float[n, D], Learned, head) -> float[n, D]; `head` is (kernel, bias) of the
        emotion head.
    """

    learn: Callable[..., Learned]
    send: Callable[..., jax.Array]


def _largest_lambda(inputs: ReleaseInputs) -> jax.Array:
    return jnp.stack([jnp.asarray(strength) for strength in inputs.lambda_.values()]).max()


def _nothing(h: jax.Array, inputs: ReleaseInputs) -> Learned:
    """The whole space and no noise."""
    size = h.shape[1]
    space = identity_space(size, h.dtype)
    return Learned(_largest_lambda(inputs) > 0, space, jnp.zeros(size, h.dtype))


def _mapping(h: jax.Array, inputs: ReleaseInputs, map_: Affine) -> Learned:
    """What a linear map keeps of h in the training part."""
    return _nothing(h, inputs)._replace(space=kept_space(h, map_, inputs.train))


def _erasure(h: jax.Array, inputs: ReleaseInputs) -> Learned:
    """`leace.leace` of the attributes whose lambda is above 0; a larger lambda erases no more."""
    labels = {a: jnp.where(inputs.lambda_[a] > 0, of, -1) for a, of in inputs.private.items()}
    return _mapping(h, inputs, leace(h, labels, inputs.sizes, inputs.train))


def _noise(h: jax.Array, inputs: ReleaseInputs) -> Learned:
    """Noise of the largest lambda times each unit's standard deviation over the training part."""
    deviation = jnp.std(h, axis=0, where=inputs.train[:, None])
    size = h.shape[1]
    unchanged = Affine(jnp.eye(size, dtype=h.dtype), jnp.zeros(size, h.dtype))
    learned = _mapping(h, inputs, unchanged)
    return learned._replace(noise=_largest_lambda(inputs) * deviation)


def _subspace(h: jax.Array, inputs: ReleaseInputs) -> Learned:
    """The map of `emotion_subspace.emotion_subspace`."""
    assert inputs.kernel is not None
    learned = emotion_subspace(
        h, inputs.kernel, inputs.task, inputs.private, inputs.lambda_, inputs.sizes, inputs.train
    )
    return _mapping(h, inputs, learned)


def _decision(h: jax.Array, inputs: ReleaseInputs) -> Learned:
    """Nothing of a classifier; of a regression h projected onto the kernel of its one output."""
    assert inputs.kernel is not None
    if inputs.kernel.shape[1] > 1:
        return _nothing(h, inputs)
    map_ = Affine(lift(inputs.kernel, inputs.kernel), jnp.zeros(h.shape[1], h.dtype))
    return _mapping(h, inputs, map_)


def identity(key: jax.Array, h: jax.Array, learned: Learned, head: Head) -> jax.Array:
    """h unchanged."""
    del key, learned, head
    return h


def mapped(key: jax.Array, h: jax.Array, learned: Learned, head: Head) -> jax.Array:
    """`kept_space.send_kept` of h."""
    del key, head
    return jnp.where(learned.protects, send_kept(h, learned.space), h)


def noisy(key: jax.Array, h: jax.Array, learned: Learned, head: Head) -> jax.Array:
    """`mapped` h + noise * N(0, 1), drawn independently for each row.

    The network was trained without noise. An attacker who averages over the utterances of a speaker
    removes it. The sum is rounded because a float32 normal variate has some 2^23 values: which of
    them lies between a sum and a candidate for h shows in its last bits (Mironov, "On significance
    of the least significant bits for differential privacy", CCS 2012).
    """
    noise = learned.noise[None] * jax.random.normal(key, h.shape, h.dtype)
    return mapped(key, h + noise, learned, head)


def posterior_h(key: jax.Array, h: jax.Array, learned: Learned, head: Head) -> jax.Array:
    """`mapped` h, replaced by the vector whose emotion logits are the class posterior:

        r(h) = (softmax(h' kernel + bias) - bias) pinv(V),    h' = `mapped`, V as in `subspace`

    with the posterior rounded to multiples of 2^-10. It hardly changes with the confidence of a
    confident network, so that most non-linear differences between large logits, which an attacker
    could use, disappear. The emotion head recognises the same emotion from r(h) as from h', unless
    the two largest posteriors are equal when rounded. Its logits of r(h) are probabilities: do not
    apply a softmax to them again.
    """
    kernel, bias = head
    logits = mapped(key, h, learned, head) @ kernel + bias[None]
    return _with_logits(learned, rounded(jax.nn.softmax(logits), STEP), h, head)


def argmax_h(key: jax.Array, h: jax.Array, learned: Learned, head: Head) -> jax.Array:
    """One vector for each emotion class: the one whose logits are one-hot at the recognised class.

    Of a regression it is h projected onto the kernel of the head, which is the prediction, rounded.

    It is the same for every lambda above 0. A release from which the network's recognised emotion
    can be computed reveals at least as much, so that its leakage is a lower bound.
    """
    kernel, bias = head
    if kernel.shape[1] == 1:  # of a regression
        return mapped(key, h, learned, head)
    recognised = (h @ kernel + bias[None]).argmax(-1)
    # A table: in a product over the rows of h, equal rows might be rounded differently.
    vectors = lift(jnp.eye(kernel.shape[1], dtype=h.dtype) - bias[None], kernel)
    return jnp.where(learned.protects, vectors[recognised], h)


def _with_logits(learned: Learned, logits: jax.Array, h: jax.Array, head: Head) -> jax.Array:
    """The vectors for which the emotion head returns these logits; h if no lambda is above 0."""
    kernel, bias = head
    return jnp.where(learned.protects, lift(logits - bias[None], kernel), h)


RELEASES: dict[str, Release] = {
    "none": Release(_nothing, identity),
    "leace": Release(_erasure, mapped),
    "noise": Release(_noise, noisy),
    "subspace": Release(_subspace, mapped),
    "posterior": Release(_subspace, posterior_h),
    "decision": Release(_decision, argmax_h),
}
OF_LINEAR_HEAD = ("subspace", "posterior", "decision")  # that are computed from its kernel
NAMES = (*RELEASES, *PERSON_RELEASES)  # `Run.release` is the number of a release among these
