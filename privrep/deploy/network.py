"""The network of a model on the device: h of a block of utterances, and what is sent of it.

The functions are those of training: the same encoders read the same batches
(`training/batches.py`), and the same releases send h.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from privrep.networks.emotion_net import JOINT, EmotionNet
from privrep.networks.encoders import ENCODERS
from privrep.training.batches import batch_of
from privrep.types import Array, Corpus, FoldTransform, Size
from privrep.unlearning import person_release, stand_ins
from privrep.unlearning.person_release import PERSON_RELEASES, PersonMap, PersonState, Shrinkage
from privrep.unlearning.releases import RELEASES, Learned
from privrep.unlearning.running_state import by_earlier

PyTree = Any
FILL = 1.0  # the utterances of a block are of similar length


class Sending(NamedTuple):
    """How h is sent; compiled in.

    Attributes:
      release: a name in `releases.NAMES`.
      relative: whether the person's mean is taken off.
      n0: see `person_release.Shrinkage`.
    """

    release: str
    relative: bool
    n0: float


class Reading(NamedTuple):
    """How a block is read; compiled in.

    Attributes:
      precision: of matrix products, see `objective.PRECISIONS`.
      longest, fill: see `batches.batch_of`.
    """

    precision: str
    longest: Size
    fill: float | None


class Weights(NamedTuple):
    """What the network and its release have learned."""

    params: PyTree
    learned: Learned


def network(
    encoders: Mapping[str, Mapping[str, Any]], num_outputs: int, head_layers: int, head_width: int
) -> EmotionNet:
    """The emotion network without adversaries.

    Args:
      encoders: {modality: settings of the module in `encoders.ENCODERS`}.
    """
    modules = {name: ENCODERS[name](**settings) for name, settings in encoders.items()}
    return EmotionNet(
        encoders=FrozenDict(modules),
        num_classes=num_outputs,
        private=FrozenDict(),
        head_layers=head_layers,
        head_width=head_width,
    )


def fill() -> float | None:
    """`batches.batch_of`'s fill of a block of utterances of similar length, by the backend."""
    return FILL if jax.default_backend() == "cpu" else None


@partial(jax.jit, static_argnums=(0, 1))
def encoded(
    net: EmotionNet,
    reading: Reading,
    params: PyTree,
    corpus: Corpus,
    transform: FoldTransform,
    index: jax.Array,
) -> jax.Array:
    """h before release of the utterances `index` int32[B] of a corpus, -1 for padding: [B, D]."""
    with jax.default_matmul_precision(reading.precision):
        batch = batch_of(corpus, transform, index, reading.longest, reading.fill)
        # The type of `apply` has a second form, with changed variables; here nothing changes.
        views: dict[str, jax.Array] = net.apply({"params": params}, batch, method="encode")  # type: ignore[assignment]
        return views[JOINT]


@partial(jax.jit, static_argnums=(0, 1))
def sent(
    net: EmotionNet,
    sending: Sending,
    weights: Weights,
    state: PersonState | None,
    key: jax.Array,
    h: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """What is sent of h [B, D], float32[B, D], and the outputs of the emotion head for it [B, C].

    Args:
      state: of the person; None where the release needs none.
      key: of the release `noise`.
    """
    params, learned = weights
    emotion = _head(net, params)
    with jax.default_matmul_precision("float32"):
        if sending.release in PERSON_RELEASES:
            assert state is not None and learned.person is not None
            shrinkage = Shrinkage(n0=sending.n0)
            release = PERSON_RELEASES[sending.release]
            released = person_release.send(h, state, learned.person, shrinkage, release)
            # As in training: a head that was trained on an h with means is given one.
            released += 0 if sending.relative else learned.person.mean[None]
        else:
            if sending.relative:
                assert state is not None
                h = h - state.mean[None]
            released = _by_learned(net, sending.release, emotion, params, learned, key, h)
    return released, emotion(released)


@partial(jax.jit, static_argnums=(0, 1))
def sent_running(
    net: EmotionNet,
    sending: Sending,
    weights: Weights,
    state: PersonState,
    key: jax.Array,
    h: jax.Array,
    is_valid: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """`sent`, each utterance by the state updated with those before it; `is_valid` bool[B]."""
    states = jax.tree.map(lambda a: jnp.asarray(a)[None], state)
    nobody = jnp.zeros(len(h), bool)  # of these utterances is enrolled
    params, learned = weights
    emotion = _head(net, params)
    with jax.default_matmul_precision("float32"):
        if sending.release in PERSON_RELEASES:
            assert learned.person is not None
            shrinkage, person = Shrinkage(n0=sending.n0), jnp.where(is_valid, 0, -1)
            release = PERSON_RELEASES[sending.release]
            released = person_release.send_running(
                h, person, states, nobody, learned.person, shrinkage, release
            )
            released += 0 if sending.relative else learned.person.mean[None]
        else:
            start = jax.tree.map(lambda a: jnp.concatenate([a, jnp.zeros_like(a)]), states)
            person = jnp.where(is_valid, 0, 1)
            h = by_earlier(_centred, _updated, start, h, person, nobody)
            released = _by_learned(net, sending.release, emotion, params, learned, key, h)
    return released, emotion(released)


def person_map(sending: Sending, learned: Learned, state: PersonState) -> PersonMap:
    """What is done to every h of a person: the mean that is taken off, and the turn.

    Of a model that only takes the mean off the turn is the identity.
    """
    if sending.release not in PERSON_RELEASES:
        return PersonMap(state.mean, jnp.eye(len(state.mean)))
    assert learned.person is not None
    release = PERSON_RELEASES[sending.release]
    return jax.jit(release)(state, learned.person, Shrinkage(n0=sending.n0))


def _centred(state: PersonState, h: jax.Array) -> jax.Array:
    return h - state.mean


def _updated(state: PersonState, h: jax.Array) -> PersonState:
    return person_release.update(state, h[None])


def _head(net: EmotionNet, params: PyTree) -> Any:
    return partial(net.apply, {"params": params}, method="emotion")


def _by_learned(
    net: EmotionNet,
    release: str,
    emotion: Any,
    params: PyTree,
    learned: Learned,
    key: jax.Array,
    h: jax.Array,
) -> jax.Array:
    if net.head_layers > 1 and release == "decision":
        assert learned.stand_ins is not None
        return jnp.where(learned.protects, stand_ins.send(learned.stand_ins, emotion(h)), h)
    head = None
    if net.head_layers == 1:
        head = (params["emotion_head"]["kernel"], params["emotion_head"]["bias"])
    return RELEASES[release].send(key, h, learned, head=head)


def enrolled(h: Array, before: PersonState | None) -> PersonState:
    """The state of a person after the utterances h float[n, D]."""
    state = person_release.enrol(jnp.asarray(h))
    return state if before is None else person_release.merge(before, state)
