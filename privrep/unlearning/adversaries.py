"""Further training of the adversaries alone, on the latest views of h.

An adversary that takes one step for each step of the encoders lags behind: it was fitted to the h
of some steps ago, and the encoders need only stay ahead of it. Steps of the adversaries alone cost
little compared with a step of the encoders.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from privrep.networks.emotion_net import EmotionNet, adversary_of
from privrep.training.losses import cross_entropy
from privrep.training.problem import AdversaryHook

PyTree = Any


class BatchViews(NamedTuple):
    """Views of h, through which no gradient flows, and their labels.

    Attributes:
      views: {view: float[M, D]}, those that adversaries read.
      task: int32[M], -1 unknown.
      private: {attribute: int32[M]}, -1 unknown.
      is_valid: bool[M], False for padding.
    """

    views: Mapping[str, jax.Array]
    task: jax.Array
    private: Mapping[str, jax.Array]
    is_valid: jax.Array


class Memory(NamedTuple):
    """The state of the hook.

    Attributes:
      views: of the latest M utterances, newest first.
      optimiser: of the adversaries' own steps, () without any.
      num_steps: int32, steps of the network so far.
    """

    views: BatchViews
    optimiser: PyTree
    num_steps: jax.Array


def remember(memory: BatchViews, batch: BatchViews) -> BatchViews:
    """The latest M utterances: those of the batch, followed by the newest of the memory."""
    return jax.tree.map(lambda old, new: jnp.concatenate([new, old])[: len(old)], memory, batch)


def moments(view: jax.Array, is_valid: jax.Array) -> dict[str, jax.Array]:
    """The mean and deviation of every unit over the valid rows, {"mean", "deviation": float[D]}.

        deviation = sqrt(variance + mean variance of the units / 10^4 + 10^-8)

    The added terms bound the scale of a unit that is constant now and varies later.

    Args:
      view: float[M, D].
      is_valid: bool[M].
    """
    count = jnp.maximum(is_valid.sum(), 1)
    rows = is_valid[:, None]
    mean = jnp.where(rows, view, 0).sum(0) / count
    variance = jnp.where(rows, (view - mean[None]) ** 2, 0).sum(0) / count
    return {"mean": mean, "deviation": jnp.sqrt(variance + 1e-4 * variance.mean() + 1e-8)}


def draw(key: jax.Array, is_valid: jax.Array, size: int) -> jax.Array:
    """Draws int32[size] rows without replacement; invalid rows come after all valid ones."""
    noise = jax.random.uniform(key, is_valid.shape)
    return jnp.argsort(jnp.where(is_valid, noise, jnp.inf))[:size]


def adversary_loss(
    net: EmotionNet, params: PyTree, batch: BatchViews, weights: Mapping[str, jax.Array]
) -> jax.Array:
    """The mean cross-entropy of the adversaries over the valid rows.

    It is summed over attributes and views and averaged over the adversaries of each.

    Args:
      params: of the network; those of the adversaries and of their units are used.
      weights: {attribute: float[C]}, class weights.

    Returns:
      float[].
    """
    adversary = adversary_of(net, params, batch.task)
    total: jax.Array | float = 0.0
    for attribute, labels in sorted(batch.private.items()):
        for logits in adversary(attribute, batch.views).values():
            losses = cross_entropy(logits, labels[:, None], weights[attribute]).mean(1)
            total += jnp.where(batch.is_valid, losses, 0).sum()
    return total / jnp.maximum(batch.is_valid.sum(), 1)


def restarted(
    net: EmotionNet, params: PyTree, key: jax.Array, batch: BatchViews, number: jax.Array
) -> PyTree:
    """The adversaries' `params` with those of adversary `number` of every view initialised anew."""
    keys = jax.random.split(key, len(net.private))
    initial = [
        net.init(key, attribute, batch.views, batch.task, method="adversary")["params"]
        for key, attribute in zip(keys, net.private)
    ]
    initial_params = {name: part for of_attribute in initial for name, part in of_attribute.items()}
    number_of = net.numbered()
    return {
        name: jax.tree.map(
            partial(jnp.where, number == number_of[name]), initial_params[name], part
        )
        for name, part in params.items()
    }


def adversary_hook(
    net: EmotionNet,
    steps: int,
    size: int,
    restart: int,
    weights: Mapping[str, jax.Array],
    rate: jax.Array,
    precision: str,
) -> AdversaryHook | None:
    """The hook that trains the adversaries further after every step of the network.

    The views of the batch enter the memory. Adversaries of standardised input are given the moments
    of the memory. The adversaries alone take steps - 1 steps of Adam, each on as many utterances of
    the memory as a batch has. An adversary that is initialised anew keeps the moments of Adam,
    which decay within some tens of steps.

    Args:
      steps: of an adversary for each step of the encoders; a Python number.
      size: utterances in the memory, which holds at least the latest batch.
      restart: after this number of steps of the network the next of the m adversaries of every view
        is initialised anew; 0 turns this off.
      weights: {attribute: float[C]}, class weights.
      rate: the adversaries' learning rate, scalar.
      precision: of matrix products, one of `objective.PRECISIONS`.

    Returns:
      The hook; None if the settings ask for nothing that it does.
    """
    standardised = net.adversary_input == "standardised"
    if not net.private or (steps == 1 and not standardised and not restart):
        return None
    adam, number_of = optax.scale_by_adam(), net.numbered()

    def adversaries_of(params: PyTree) -> PyTree:
        return {name: params[name] for name in number_of}

    def start(params: PyTree, batch: BatchViews) -> Memory:
        empty = jax.tree.map(
            lambda a: jnp.zeros((max(size, a.shape[0]), *a.shape[1:]), a.dtype), batch
        )
        optimiser = adam.init(adversaries_of(params)) if steps > 1 else ()
        return Memory(empty, optimiser, jnp.int32(0))

    def step(
        params: PyTree, memory: Memory, key: jax.Array, batch: BatchViews
    ) -> tuple[PyTree, Memory]:
        latest, optimiser = remember(memory.views, batch), memory.optimiser
        num_steps = memory.num_steps + 1
        if standardised:
            units = {
                f"units_{name}": moments(view, latest.is_valid)
                for name, view in latest.views.items()
            }
            params = params | units
        if restart:
            number = (num_steps // restart - 1) % (1 + max(number_of.values()))
            start_key = jax.random.fold_in(key, steps)  # the steps have numbers below this one
            adversaries = jax.lax.cond(
                num_steps % restart == 0,
                lambda adversaries: restarted(net, adversaries, start_key, batch, number),
                lambda adversaries: adversaries,
                adversaries_of(params),
            )
            params = params | adversaries
        if steps == 1:
            return params, Memory(latest, optimiser, num_steps)

        def adversary_step(i: jax.Array, carry: PyTree) -> PyTree:
            adversaries, optimiser = carry
            rows = draw(jax.random.fold_in(key, i), latest.is_valid, len(batch.is_valid))
            drawn = jax.tree.map(lambda a: a[rows], latest)
            gradient = jax.grad(
                lambda adversaries: adversary_loss(net, params | adversaries, drawn, weights)
            )(adversaries)
            direction, optimiser = adam.update(gradient, optimiser)
            return jax.tree.map(lambda p, d: p - rate * d, adversaries, direction), optimiser

        adversaries = adversaries_of(params)
        with jax.default_matmul_precision(precision):
            adversaries, optimiser = jax.lax.fori_loop(
                0, steps - 1, adversary_step, (adversaries, optimiser)
            )
        return params | adversaries, Memory(latest, optimiser, num_steps)

    return AdversaryHook(start, step)
