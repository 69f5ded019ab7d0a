"""What keeps the adversaries current: steps of their own on the latest views of h, as they were.

An adversary that moves once for each step of the encoders reads the h of some steps ago, and the
encoders need only stay ahead of it. Beside the encoders its own steps cost little.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from privrep.networks.emotion_net import EmotionNet, adversary_of
from privrep.training.losses import cross_entropy
from privrep.training.problem import Aside

PyTree = Any


class Seen(NamedTuple):
    """Views of h that no gradient goes through, and their labels.

    Attributes:
      views: {view: float[M, D]}, those that adversaries read.
      task: int32[M], -1 unknown.
      private: {attribute: int32[M]}, -1 unknown.
      there: bool[M], False for padding.
    """

    views: Mapping[str, jax.Array]
    task: jax.Array
    private: Mapping[str, jax.Array]
    there: jax.Array


class Memory(NamedTuple):
    """The latest M utterances, newest first, and where the adversaries are.

    Attributes:
      optimiser: of their own steps, () without any.
      count: int32, steps of the network so far.
    """

    seen: Seen
    optimiser: PyTree
    count: jax.Array


def remember(memory: Seen, seen: Seen) -> Seen:
    """The latest M: those of the batch, and of the others as many as there is room for."""
    return jax.tree.map(lambda old, new: jnp.concatenate([new, old])[: len(old)], memory, seen)


def moments(view: jax.Array, there: jax.Array) -> dict[str, jax.Array]:
    """Mean and deviation of every unit, {"mean", "deviation": float[D]}, over the rows there.

        deviation = sqrt(variance + mean variance of the units / 10^4 + 10^-8)

    so that a unit that is dead for now is not blown up without bound when it wakes.
    """
    count = jnp.maximum(there.sum(), 1)
    rows = there[:, None]
    mean = jnp.where(rows, view, 0).sum(0) / count
    variance = jnp.where(rows, (view - mean[None]) ** 2, 0).sum(0) / count
    return {"mean": mean, "deviation": jnp.sqrt(variance + 1e-4 * variance.mean() + 1e-8)}


def draw(key: jax.Array, there: jax.Array, size: int) -> jax.Array:
    """int32[size], different rows; those that are not there come last."""
    noise = jax.random.uniform(key, there.shape)
    return jnp.argsort(jnp.where(there, noise, jnp.inf))[:size]


def own_loss(net: EmotionNet, params: PyTree, seen: Seen, weights: Mapping) -> jax.Array:
    """Mean cross-entropy of the adversaries over the rows there, summed over attributes and views.

    Args:
      params: the network's, of which the adversaries' and their units' are looked at.
      weights: {attribute: float[C]}, class weights.
    """
    adversary = adversary_of(net, params, seen.task)
    total = 0.0
    for attribute, labels in sorted(seen.private.items()):
        for logits in adversary(attribute, seen.views).values():
            each = cross_entropy(logits, labels[:, None], weights[attribute]).mean(1)
            total += jnp.where(seen.there, each, 0).sum()
    return total / jnp.maximum(seen.there.sum(), 1)


def begun_anew(net: EmotionNet, own: PyTree, key: jax.Array, seen: Seen, turn) -> PyTree:
    """The adversaries' parameters `own`, those of number `turn` of every view as at a start."""
    keys = jax.random.split(key, len(net.private))
    starts = [
        net.init(key, attribute, seen.views, seen.task, method="adversary")["params"]
        for key, attribute in zip(keys, net.private)
    ]
    start = {name: part for one in starts for name, part in one.items()}
    number = net.numbered()
    return {
        name: jax.tree.map(partial(jnp.where, turn == number[name]), start[name], part)
        for name, part in own.items()
    }


def beside(
    net: EmotionNet,
    steps: int,
    size: int,
    restart: int,
    weights: Mapping,
    rate,
    precision: str,
) -> Aside | None:
    """What follows every step of the network, as `epoch.Problem` wants it; None: nothing does.

    The batch's views enter the memory, the units of standardised input become those of the memory,
    and the adversaries alone take steps - 1 steps of Adam, each on as many utterances of the
    memory as a batch has. One that begins anew keeps the moments of Adam, which forget in some tens
    of steps.

    Args:
      steps: of an adversary for each step of the encoders; a Python number.
      size: utterances in the memory, which holds at least the present batch.
      restart: after so many steps of the network the next of the m adversaries of every view begins
        anew; 0: none ever does.
      weights: {attribute: float[C]}, class weights.
      rate: the adversaries' learning rate, scalar.
      precision: of the products, see `training_problem.PRECISIONS`.
    """
    standardised = net.adversary_input == "standardised"
    if not net.private or (steps == 1 and not standardised and not restart):
        return None
    adam, numbers = optax.scale_by_adam(), net.numbered()

    def own_of(params):
        return {name: params[name] for name in numbers}

    def start(params, seen: Seen) -> Memory:
        room = jax.tree.map(
            lambda a: jnp.zeros((max(size, a.shape[0]), *a.shape[1:]), a.dtype), seen
        )
        return Memory(room, adam.init(own_of(params)) if steps > 1 else (), jnp.int32(0))

    def step(params, memory: Memory, key, seen: Seen):
        latest, optimiser = remember(memory.seen, seen), memory.optimiser
        count = memory.count + 1
        if standardised:
            units = {
                f"units_{view}": moments(of, latest.there) for view, of in latest.views.items()
            }
            params = params | units
        if restart:
            turn = (count // restart - 1) % (1 + max(numbers.values()))
            start_key = jax.random.fold_in(key, steps)  # no step's
            own = jax.lax.cond(
                count % restart == 0,
                lambda own: begun_anew(net, own, start_key, seen, turn),
                lambda own: own,
                own_of(params),
            )
            params = params | own
        if steps == 1:
            return params, Memory(latest, optimiser, count)

        def one(i, carry):
            own, optimiser = carry
            rows = draw(jax.random.fold_in(key, i), latest.there, len(seen.there))
            drawn = jax.tree.map(lambda a: a[rows], latest)
            gradient = jax.grad(lambda own: own_loss(net, params | own, drawn, weights))(own)
            direction, optimiser = adam.update(gradient, optimiser)
            return jax.tree.map(lambda p, d: p - rate * d, own, direction), optimiser

        own = own_of(params)
        with jax.default_matmul_precision(precision):
            own, optimiser = jax.lax.fori_loop(0, steps - 1, one, (own, optimiser))
        return params | own, Memory(latest, optimiser, count)

    return Aside(start, step)
