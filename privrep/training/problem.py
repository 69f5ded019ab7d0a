"""The types of the training loop: what a run fits, with which settings, and its state."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

PyTree = Any
RUNNING, STOPPED, DIVERGED = 0, 1, 2


class AdversaryHook(NamedTuple):
    """Functions that update some of the parameters after every step of the optimiser.

    Attributes:
      start: (params, batch_views) -> state; only the shapes of `batch_views` are used.
      step: (params, state, key, batch_views) -> (params, state), called after every step of the
        optimiser with the `batch_views` that `Problem.gradient` returned for that step.
    """

    start: Callable
    step: Callable


class Problem(NamedTuple):
    """What one run fits, as pure functions.

    Attributes:
      init: key -> params.
      gradient: (params, key, index int32[B], weight float[B], progress) -> (sums, gradient).
        `index` are rows of the data; `weight` is 1 for rows that count and 0 for padding;
        `progress` grows from 0 to 1 over all epochs. `sums` is {name: sum of a loss over the rows}
        and `gradient` that of the mean loss over the rows that count. With an `adversary_hook` the
        result is (sums, gradient, batch_views).
      score: outputs -> {name: scalar} on validation data; "selection" chooses the epoch.
      rates: params -> a learning rate for every parameter, with the structure of params.
      weight_decay: scalar, decoupled from the gradient.
      train: bool[N], the rows to train on.
      outputs: (params, index int32[b]) -> tree of [b, ...] that `score` needs of the rows `index`,
        with -1 for padding. None: `score` takes the params.
      blocks: int32[n, b], the rows whose outputs `score` takes, as a tree of [n, b, ...].
      adversary_hook: see `AdversaryHook`; None if nothing follows a step.
    """

    init: Callable
    gradient: Callable
    score: Callable
    rates: Callable
    weight_decay: jax.Array
    train: jax.Array
    outputs: Callable | None = None
    blocks: jax.Array | None = None
    adversary_hook: AdversaryHook | None = None


class FitSettings(NamedTuple):
    """How long and with which steps to fit. Every value is compiled into the program.

    Attributes:
      batch_size: B.
      max_epochs: the maximum number of epochs.
      patience: a run stops after this number of epochs without a better selection score.
      clip_norm: the maximum global norm of the gradients, which are scaled down to it; 0 turns
        clipping off.
      optimiser: a name in OPTIMISERS.
    """

    batch_size: int
    max_epochs: int
    patience: int
    clip_norm: float = 1.0
    optimiser: str = "adam"


class Fit(NamedTuple):
    """The state of a run. A leading R when stacked.

    Attributes:
      params: after the last step.
      optimiser: the optimiser's state.
      adversary_state: the state of the problem's `AdversaryHook`; () without one.
      best: the params of the epoch with the best selection score.
      best_score: float32, -inf before the first epoch.
      best_epoch: int32, counted from 1; 0 while no epoch had a score.
      epoch: int32, the number of epochs that are over.
      status: int32, RUNNING, STOPPED or DIVERGED.
    """

    params: PyTree
    optimiser: PyTree
    adversary_state: PyTree
    best: PyTree
    best_score: jax.Array
    best_epoch: jax.Array
    epoch: jax.Array
    status: jax.Array
