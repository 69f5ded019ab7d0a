"""One run through one epoch: for the emotion network and for every attacker.

A `Problem` says what is fitted. An epoch is `begin`, `advance` over all steps, `look` over all
blocks of the validation part, and `finish`; `epoch` is all four in one, and `streaming.py` goes
through steps and blocks some at a time where the data have no room on the device.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from privrep.training.early_stopping import finish
from privrep.training.problem import RUNNING, Fit, FitSettings, Problem

PyTree = Any
OPTIMISERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "rmsprop": optax.scale_by_rms,
    "sgd": lambda: optax.trace(decay=0.9),
}


def _transformation(settings: FitSettings) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.clip_norm or jnp.inf), OPTIMISERS[settings.optimiser]()
    )


def init_key(key: jax.Array) -> jax.Array:
    """The key that a run's parameters start from: none of its epochs', fold_in(key, epoch)."""
    return jax.random.fold_in(key, jnp.uint32(2**32 - 3))


def start(problem: Problem, key: jax.Array, settings: FitSettings) -> Fit:
    """A run before its first epoch."""
    params, aside = problem.init(init_key(key)), ()
    if problem.aside is not None:
        rows = jnp.zeros(settings.batch_size, jnp.int32)
        *_, seen = jax.eval_shape(problem.gradient, params, key, rows, rows * 1.0, jnp.float32(0))
        aside = problem.aside.start(params, seen)
    return Fit(
        params=params,
        optimiser=_transformation(settings).init(params),
        aside=aside,
        best=params,
        best_score=jnp.float32(-jnp.inf),
        best_epoch=jnp.int32(0),
        epoch=jnp.int32(0),
        status=jnp.int32(RUNNING),
    )


def begin(problem: Problem, key: jax.Array, fit: Fit, settings: FitSettings):
    """What an epoch goes through: every training row once, in a new random order.

    Args:
      key: the run's key; the epoch's own keys are derived from it and the epoch's number.

    Returns:
      (batches, sums): int32[n, B], rows of the data, -1 for padding, of which `num_steps` hold
      any; and the sums of the losses, 0.
    """
    order_key, step_key = _keys(key, fit)
    size = settings.batch_size
    rows = problem.train.shape[0]
    noise = jax.random.uniform(order_key, problem.train.shape)
    order = jnp.argsort(jnp.where(problem.train, noise, jnp.inf))
    order = jnp.where(jnp.arange(rows) < problem.train.sum(), order, -1)
    order = jnp.concatenate([order, jnp.full(-rows % size, -1, order.dtype)])
    batches = order.reshape(-1, size)
    shapes, *_ = jax.eval_shape(
        problem.gradient, fit.params, step_key, batches[0], jnp.zeros(size), jnp.float32(0)
    )
    return batches, _zeros(shapes)


def num_steps(problem: Problem, settings: FitSettings) -> jax.Array:
    """How many batches of an epoch hold training rows."""
    return -(-problem.train.sum() // settings.batch_size)


def _keys(key, fit):
    return jax.random.split(jax.random.fold_in(key, fit.epoch))


def _zeros(shapes):
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)


def advance(problem: Problem, key: jax.Array, fit: Fit, sums, batches, settings, first, last):
    """The steps [first, last) of an epoch; `fit` and `sums` with them taken."""
    _, step_key = _keys(key, fit)
    steps = num_steps(problem, settings)
    transformation = _transformation(settings)
    aside_key = jax.random.fold_in(step_key, jnp.uint32(2**32 - 1))  # no step's

    def step(i, carry):
        params, optimiser, aside, sums = carry
        rows = jax.lax.dynamic_index_in_dim(batches, i, keepdims=False)
        index, weight = jnp.maximum(rows, 0), (rows >= 0).astype(jnp.float32)
        progress = (fit.epoch + i / steps) / settings.max_epochs
        batch_sums, gradients, *seen = problem.gradient(
            params, jax.random.fold_in(step_key, i), index, weight, progress
        )
        directions, optimiser = transformation.update(gradients, optimiser, params)
        params = jax.tree.map(
            lambda p, d, rate: p - rate * (d + problem.weight_decay * p),
            params,
            directions,
            problem.rates(params),
        )
        if problem.aside is not None:
            key = jax.random.fold_in(aside_key, i)
            params, aside = problem.aside.step(params, aside, key, *seen)
        return params, optimiser, aside, jax.tree.map(jnp.add, sums, batch_sums)

    carry = fit.params, fit.optimiser, fit.aside, sums
    params, optimiser, aside, sums = jax.lax.fori_loop(first, last, step, carry)
    return fit._replace(params=params, optimiser=optimiser, aside=aside), sums


def unseen(problem: Problem, params: PyTree) -> PyTree:
    """Room for the outputs of all blocks, [n, b, ...]."""
    count = problem.blocks.shape[0]
    shapes = jax.eval_shape(problem.outputs, params, problem.blocks[0])
    return _zeros(jax.tree.map(lambda a: a.update(shape=(count, *a.shape)), shapes))


def look(problem: Problem, params: PyTree, seen: PyTree, first, last) -> PyTree:
    """`seen` with the outputs of the blocks [first, last) written to it."""

    def one(i, seen):
        rows = jax.lax.dynamic_index_in_dim(problem.blocks, i, keepdims=False)
        return jax.tree.map(
            lambda a, new: jax.lax.dynamic_update_index_in_dim(a, new, i, 0),
            seen,
            problem.outputs(params, rows),
        )

    return jax.lax.fori_loop(first, last, one, seen)


def look_at_all(problem: Problem, params: PyTree) -> PyTree:
    """What `score` takes: the outputs of all blocks, [n, b, ...], or the params."""
    if problem.blocks is None:
        return params
    return look(problem, params, unseen(problem, params), 0, problem.blocks.shape[0])


def epoch(problem: Problem, key: jax.Array, fit: Fit, settings: FitSettings):
    """One epoch of one run; returns as `finish` does."""
    batches, sums = begin(problem, key, fit, settings)
    steps = num_steps(problem, settings)
    fit, sums = advance(problem, key, fit, sums, batches, settings, 0, steps)
    return finish(problem, fit, sums, look_at_all(problem, fit.params), settings)


def unless_stopped(go: Callable, fit: Fit):
    """go(fit) of a run that goes on; one that has stopped rests, and its history is NaN."""

    def rest(fit):
        shapes = jax.eval_shape(go, fit)[1]
        return fit, jax.tree.map(lambda a: jnp.full(a.shape, jnp.nan, a.dtype), shapes)

    return jax.lax.cond(fit.status == RUNNING, go, rest, fit)
