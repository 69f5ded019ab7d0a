"""The types of the training loop: what a run fits, with which settings, and its state."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

PyTree = Any
RUNNING, STOPPED, DIVERGED = 0, 1, 2


class StepHook(NamedTuple):
    """A state carried from step to step, and updates of the parameters after each step.

    Attributes:
      start: (params, B) -> state.
      step: (params, state, key, batch_views) -> (params, state), called after every step of the
        optimiser with the `batch_views` that `Problem.gradient` returned for that step.
    """

    start: Callable
    step: Callable


class Problem(NamedTuple):
    """What one run fits, as pure functions.

    Attributes:
      init: key -> params.
      gradient: (params, state, key, index int32[B], weight float[B], progress) -> (sums,
        gradient). `state` is that of the `step_hook`, () without one; `index` are rows of the data;
        `weight` is 1 for rows that count and 0 for padding; `progress` grows from 0 to 1 over all
        epochs. `sums` is {name: sum of a loss over the rows} and `gradient` that of the mean loss
        over the rows that count. With a `step_hook` the result is (sums, gradient, batch_views).
      score: (params, outputs) -> {name: scalar} on validation data; "selection" chooses the epoch.
      rates: params -> a learning rate for every parameter, with the structure of params.
      weight_decay: scalar, decoupled from the gradient.
      train: bool[N], the rows to train on.
      groups: int32[N]; rows of one number are dealt to batches `epoch.GROUP` at a time. None: in
        random order.
      outputs: (params, index int32[b]) -> tree of [b, ...] that `score` needs of the rows `index`,
        with -1 for padding. None: `score` needs nothing but the params.
      blocks: int32[n, b], the rows whose outputs `score` takes, as a tree of [n, b, ...].
      early_blocks: the number of leading blocks that are computed in epochs before the first that
        may be chosen; the outputs of the others are NaN there. None: all.
      step_hook: see `StepHook`; None if nothing follows a step.
    """

    init: Callable
    gradient: Callable
    score: Callable
    rates: Callable
    weight_decay: jax.Array
    train: jax.Array
    groups: jax.Array | None = None
    outputs: Callable | None = None
    blocks: jax.Array | None = None
    early_blocks: int | None = None
    step_hook: StepHook | None = None


class FitSettings(NamedTuple):
    """How long and with which steps to fit. Every value is compiled into the program.

    Attributes:
      batch_size: B.
      max_epochs: the maximum number of epochs.
      patience: a run stops after this number of epochs without a better selection score.
      min_epochs: no epoch before this one is chosen, and none before it counts for the patience.
      max_steps, min_steps: the same limits in steps of the optimiser, rounded up to whole epochs,
        in place of those in epochs; 0: by the latter.
      clip_norm: the maximum global norm of the gradients, which are scaled down to it; 0 turns
        clipping off.
      optimiser: a name in OPTIMISERS.
      schedule_steps: number of steps of the schedules (lambda) of a run that may end earlier; 0:
        they end with the run's last epoch.
    """

    batch_size: int
    max_epochs: int
    patience: int
    min_epochs: int = 0
    max_steps: int = 0
    min_steps: int = 0
    clip_norm: float = 1.0
    optimiser: str = "adam"
    schedule_steps: int = 0


class Length(NamedTuple):
    """The first epoch that may be chosen and the last one of a run, int32, counted from 1."""

    first: jax.Array
    last: jax.Array


def steps_per_epoch(num_rows: jax.Array | int, batch_size: int) -> Any:
    """The number of batches that hold `num_rows` training rows, the last one perhaps in part."""
    return -(-num_rows // batch_size)


def length(settings: FitSettings, num_rows: jax.Array | int) -> Length:
    """The length of a run of `num_rows` training rows.

    The first epoch that may be chosen is never later than the last.

    >>> settings = FitSettings(batch_size=128, max_epochs=60, patience=5, max_steps=400)
    >>> int(length(settings, 900).last)  # 8 steps an epoch
    50
    """
    steps = jnp.maximum(steps_per_epoch(num_rows, settings.batch_size), 1)
    last = -(-settings.max_steps // steps) if settings.max_steps else settings.max_epochs
    first = -(-settings.min_steps // steps) if settings.min_steps else settings.min_epochs
    last = jnp.asarray(last, jnp.int32)
    return Length(jnp.clip(jnp.asarray(first, jnp.int32), 1, last), last)


class Fit(NamedTuple):
    """The state of a run. A leading R when stacked.

    Attributes:
      params: after the last step.
      optimiser: the optimiser's state.
      hook_state: the state of the problem's `StepHook`; () without one.
      best: the params of the epoch with the best selection score.
      best_score: float32, -inf before the first epoch.
      best_epoch: int32, counted from 1; 0 while no epoch had a score.
      epoch: int32, the number of epochs that are over.
      status: int32, RUNNING, STOPPED or DIVERGED.
    """

    params: PyTree
    optimiser: PyTree
    hook_state: PyTree
    best: PyTree
    best_score: jax.Array
    best_epoch: jax.Array
    epoch: jax.Array
    status: jax.Array
