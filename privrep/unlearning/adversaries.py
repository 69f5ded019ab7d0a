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
from privrep.parallel.run_axis import Run
from privrep.training.losses import cross_entropy
from privrep.training.problem import StepHook
from privrep.unlearning.objective import Architecture, keeps_rows, seen
from privrep.unlearning.rows import Rows, empty, moments, remember

PyTree = Any


class Memory(NamedTuple):
    """The state of the hook.

    Attributes:
      rows: the latest M utterances, newest first; no speaker's mean is taken off.
      optimiser: of the adversaries' own steps, () without any.
      num_steps: int32, steps of the network so far.
    """

    rows: Rows
    optimiser: PyTree
    num_steps: jax.Array


def draw(key: jax.Array, is_valid: jax.Array, size: int) -> jax.Array:
    """Draws int32[size] rows without replacement; invalid rows come after all valid ones."""
    noise = jax.random.uniform(key, is_valid.shape)
    return jnp.argsort(jnp.where(is_valid, noise, jnp.inf))[:size]


def adversary_loss(
    net: EmotionNet, params: PyTree, batch: Rows, weights: Mapping[str, jax.Array]
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
    net: EmotionNet, params: PyTree, key: jax.Array, batch: Rows, number: jax.Array
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


def step_hook(
    architecture: Architecture,
    weights: Mapping[str, jax.Array],
    run: Run,
    like: Rows,
) -> StepHook | None:
    """The hook that keeps the latest rows and trains the adversaries further, after every step.

    The rows of the batch enter the memory. Adversaries of standardised input are given the moments
    of the memory, for runs of relative h less the speakers' means. The adversaries alone take
    steps - 1 steps of Adam, each on as many utterances of the memory as a batch has. An adversary
    that is initialised anew keeps the moments of Adam, which decay within some tens of steps.

    Args:
      weights: {attribute: float[C]}, class weights.
      run: its learning rate of the adversaries, and whether h is relative.
      like: rows, of which only shapes and types are used.

    Returns:
      The hook; None if the settings ask for nothing that it does.
    """
    net, steps, restart = (
        architecture.net,
        architecture.adversary_steps,
        architecture.adversary_restart,
    )
    if not keeps_rows(architecture):
        return None
    standardised = net.adversary_input == "standardised" and bool(net.private)
    adam, number_of = optax.scale_by_adam(), net.numbered()

    def adversaries_of(params: PyTree) -> PyTree:
        return {name: params[name] for name in number_of}

    def start(params: PyTree, batch_size: int) -> Memory:
        optimiser = adam.init(adversaries_of(params)) if steps > 1 else ()
        rows = empty(like, max(architecture.memory, batch_size))
        return Memory(rows, optimiser, jnp.int32(0))

    def step(params: PyTree, memory: Memory, key: jax.Array, batch: Rows) -> tuple[PyTree, Memory]:
        rows, optimiser = remember(memory.rows, batch), memory.optimiser
        num_steps = memory.num_steps + 1
        latest = seen(architecture, run, rows)
        if standardised:
            units = {
                f"units_{name}": moments(latest.views[name], latest.is_valid)
                for name in net.views()
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
            return params, Memory(rows, optimiser, num_steps)

        def adversary_step(i: jax.Array, carry: PyTree) -> PyTree:
            adversaries, optimiser = carry
            drawn = draw(jax.random.fold_in(key, i), latest.is_valid, len(batch.is_valid))
            drawn_rows = jax.tree.map(lambda a: a[drawn], latest)
            gradient = jax.grad(
                lambda adversaries: adversary_loss(net, params | adversaries, drawn_rows, weights)
            )(adversaries)
            direction, optimiser = adam.update(gradient, optimiser)
            rate = run.adversary_learning_rate
            return jax.tree.map(lambda p, d: p - rate * d, adversaries, direction), optimiser

        adversaries = adversaries_of(params)
        with jax.default_matmul_precision(architecture.precision):
            adversaries, optimiser = jax.lax.fori_loop(
                0, steps - 1, adversary_step, (adversaries, optimiser)
            )
        return params | adversaries, Memory(rows, optimiser, num_steps)

    return StepHook(start, step)
