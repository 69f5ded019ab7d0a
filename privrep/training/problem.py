"""What a run fits, with which settings, and where it is: the types of the training loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

PyTree = Any
RUNNING, STOPPED, DIVERGED = 0, 1, 2


class Aside(NamedTuple):
    """What follows every step: some of the parameters set or moved on their own.

    Attributes:
      start: (params, seen) -> state; of `seen` only the shapes.
      step: (params, state, key, seen) -> (params, state); `seen` is what `gradient` returned last.
    """

    start: Callable
    step: Callable


class Problem(NamedTuple):
    """What one run fits, as pure functions.

    Attributes:
      init: key -> params.
      gradient: (params, key, index int32[B], weight float[B], progress) -> (sums, gradient).
        `index` are rows of the data; `weight` is 1 for rows that count and 0 for padding;
        `progress` goes from 0 to 1 over the epochs. `sums` {name: sum over rows of a loss};
        gradient of the mean loss over the rows that count. With `aside`, (sums, gradient, seen).
      score: outputs -> {name: scalar} on validation data, of which "selection" chooses the epoch.
      rates: params -> a learning rate for every parameter, same structure.
      weight_decay: decoupled, scalar.
      train: bool[N], the rows to train on.
      outputs: (params, index int32[b]) -> tree of [b, ...], what `score` must know of the rows
        `index`, of which -1 is padding. None: `score` takes the params.
      blocks: int32[n, b], the rows whose outputs `score` takes, as a tree of [n, b, ...].
      aside: see `Aside`; None: nothing follows.
    """

    init: Callable
    gradient: Callable
    score: Callable
    rates: Callable
    weight_decay: jax.Array
    train: jax.Array
    outputs: Callable | None = None
    blocks: jax.Array | None = None
    aside: Aside | None = None


class FitSettings(NamedTuple):
    """How long and in what steps to fit; every value here is compiled in.

    Attributes:
      batch_size: B.
      max_epochs: the most epochs.
      patience: stop after so many epochs without a better selection score.
      clip_norm: gradients longer than this (global norm) are shortened to it; 0 shortens none.
      optimiser: a name in OPTIMISERS.
    """

    batch_size: int
    max_epochs: int
    patience: int
    clip_norm: float = 1.0
    optimiser: str = "adam"


class Fit(NamedTuple):
    """Where a run is. `best` are the parameters of the epoch with the best selection score."""

    params: PyTree
    optimiser: PyTree
    aside: PyTree  # its state; () where nothing follows a step
    best: PyTree
    best_score: jax.Array  # float32, -inf before the first epoch
    best_epoch: jax.Array  # int32, counted from 1; 0: none yet
    epoch: jax.Array  # int32, epochs done
    status: jax.Array  # int32, RUNNING, STOPPED or DIVERGED
