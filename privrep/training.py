"""The one training loop: for the emotion network and for every attacker.

A `Problem` says what is fitted; `epoch` takes one run through one epoch; `fit` takes a stack of
runs through their epochs and yields after each, so that whoever called it can show progress and
save. A run that has stopped costs nothing while the others go on.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from privrep.device_memory import most_together
from privrep.runs import collect, cost, deal, deal_out, num_runs, over_runs, put_rows, share, take

PyTree = Any
RUNNING, STOPPED, DIVERGED = 0, 1, 2
OPTIMISERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "rmsprop": optax.scale_by_rms,
    "sgd": lambda: optax.trace(decay=0.9),
}


class Problem(NamedTuple):
    """What one run fits, as pure functions.

    Attributes:
      init: key -> params.
      gradient: (params, key, index int32[B], weight float[B], progress) -> (sums, gradient).
        `index` are rows of the data; `weight` is 1 for rows that count and 0 for padding;
        `progress` goes from 0 to 1 over the epochs. `sums` {name: sum over rows of a loss};
        gradient of the mean loss over the rows that count.
      score: params -> {name: scalar} on validation data, of which "selection" chooses the epoch.
      rates: params -> a learning rate for every parameter, same structure.
      weight_decay: decoupled, scalar.
      train: bool[N], the rows to train on.
    """

    init: Callable
    gradient: Callable
    score: Callable
    rates: Callable
    weight_decay: jax.Array
    train: jax.Array


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
    best: PyTree
    best_score: jax.Array  # float32, -inf before the first epoch
    best_epoch: jax.Array  # int32, counted from 1; 0: none yet
    epoch: jax.Array  # int32, epochs done
    status: jax.Array  # int32, RUNNING, STOPPED or DIVERGED


def _transformation(settings: FitSettings) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.clip_norm or jnp.inf), OPTIMISERS[settings.optimiser]()
    )


def init_key(key: jax.Array) -> jax.Array:
    """The key that a run's parameters start from: none of its epochs', fold_in(key, epoch)."""
    return jax.random.fold_in(key, jnp.uint32(2**32 - 3))


def start(problem: Problem, key: jax.Array, settings: FitSettings) -> Fit:
    """A run before its first epoch."""
    params = problem.init(init_key(key))
    return Fit(
        params=params,
        optimiser=_transformation(settings).init(params),
        best=params,
        best_score=jnp.float32(-jnp.inf),
        best_epoch=jnp.int32(0),
        epoch=jnp.int32(0),
        status=jnp.int32(RUNNING),
    )


def epoch(problem: Problem, key: jax.Array, fit: Fit, settings: FitSettings):
    """One epoch of one run: every training row once, in a new random order.

    Args:
      key: the run's key; the epoch's own keys are derived from it and the epoch's number.

    Returns:
      (fit, {name: scalar}): mean training losses as train_<name>, and the validation scores.
    """
    order_key, step_key = jax.random.split(jax.random.fold_in(key, fit.epoch))
    size = settings.batch_size
    count = problem.train.sum()
    noise = jax.random.uniform(order_key, problem.train.shape)
    order = jnp.argsort(jnp.where(problem.train, noise, jnp.inf))
    order = jnp.concatenate([order, jnp.zeros(size, order.dtype)])
    steps = -(-count // size)
    transformation = _transformation(settings)

    def gradient(params, i):
        index = jax.lax.dynamic_slice_in_dim(order, i * size, size)
        weight = (i * size + jnp.arange(size) < count).astype(jnp.float32)
        progress = (fit.epoch + i / steps) / settings.max_epochs
        return problem.gradient(params, jax.random.fold_in(step_key, i), index, weight, progress)

    def step(i, carry):
        params, optimiser, sums = carry
        batch_sums, gradients = gradient(params, i)
        directions, optimiser = transformation.update(gradients, optimiser, params)
        params = jax.tree.map(
            lambda p, d, rate: p - rate * (d + problem.weight_decay * p),
            params,
            directions,
            problem.rates(params),
        )
        return params, optimiser, jax.tree.map(jnp.add, sums, batch_sums)

    shapes, _ = jax.eval_shape(gradient, fit.params, jnp.int32(0))
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
    params, optimiser, sums = jax.lax.fori_loop(0, steps, step, (fit.params, fit.optimiser, zeros))

    losses = {f"train_{name}_loss": total / count for name, total in sums.items()}
    scores = problem.score(params)
    finite = jnp.all(jnp.array([jnp.isfinite(loss) for loss in losses.values()]))
    better = finite & (scores["selection"] > fit.best_score)
    done = fit.epoch + 1
    best_epoch = jnp.where(better, done, fit.best_epoch)
    over = (done >= settings.max_epochs) | (done - best_epoch >= settings.patience)
    return (
        Fit(
            params=params,
            optimiser=optimiser,
            best=jax.tree.map(lambda new, old: jnp.where(better, new, old), params, fit.best),
            best_score=jnp.where(better, scores["selection"], fit.best_score),
            best_epoch=best_epoch,
            epoch=done,
            status=jnp.where(finite, jnp.where(over, STOPPED, RUNNING), DIVERGED).astype(jnp.int32),
        ),
        losses | scores,
    )


# `make(architecture, data, run) -> Problem` and everything it compiles in are static, so that
# two sweeps of one architecture share one compiled program whatever their data.
@partial(jax.jit, static_argnums=(0, 1, 2))
def start_all(make, architecture, settings: FitSettings, data, runs) -> Fit:
    """A stack of runs before their first epoch; arguments as in `fit`."""
    # One run after another also on an accelerator: see the LAPACK hazard in BUILD_NOTES.md.
    return jax.lax.map(lambda run: start(make(architecture, data, run), run.key, settings), runs)


def _epoch_one(make, architecture, settings, data, row):
    run, fit = row
    problem = make(architecture, data, run)

    def go(fit):
        return epoch(problem, run.key, fit, settings)

    def rest(fit):
        shapes = jax.eval_shape(go, fit)[1]
        return fit, jax.tree.map(lambda a: jnp.full(a.shape, jnp.nan, a.dtype), shapes)

    return jax.lax.cond(fit.status == RUNNING, go, rest, fit)


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=(5,))
def _epoch_all(make, architecture, settings, data, runs, fits):
    return over_runs(partial(_epoch_one, make, architecture, settings), data, (runs, fits))


class Stage(NamedTuple):
    """A stack of runs after an epoch, in numpy arrays [R, ...].

    Attributes:
      status, epoch: int32[R], see `Fit`.
      history: {name: float32[R]} of this epoch, NaN for runs that had stopped before it.
      fits: () -> Fit, where the runs are; copied from the devices, and only until the next epoch.
    """

    status: np.ndarray
    epoch: np.ndarray
    history: dict[str, np.ndarray]
    fits: Callable[[], Fit]


def fit(
    make: Callable,
    architecture: PyTree,
    settings: FitSettings,
    data: PyTree,
    runs: PyTree,
    fits: Fit | None = None,
    together: int | None = None,
) -> Iterator[Stage]:
    """Trains a stack of runs, yielding after every epoch until no run is left.

    Runs that have stopped leave the devices, and those that go on are dealt out anew where that
    spares an epoch's time; none of it changes a result.

    Args:
      make: make(architecture, data, run) -> Problem; `run` is one row of `runs` and has a `key`.
      architecture: hashable; what `make` compiles in.
      settings: see FitSettings.
      data: arrays shared by all runs.
      runs: rows [R, ...].
      fits: rows [R, ...] to go on from; None starts anew.
      together: the most runs in one program; None is as many as have room on the devices.

    Raises:
      ValueError: a device has no room for a single run.
    """
    data = share(data)
    if fits is None:
        fits = start_all(make, architecture, settings, data, runs)
    kept = collect(fits)
    if together is None:
        one = partial(_epoch_one, make, architecture, settings)
        together = most_together(one, data, (runs, kept))
    size = min(num_runs(runs), together)
    parts: list[Part] = []
    while (running := np.flatnonzero(kept.status == RUNNING)).size:
        wanted = deal_out(running, size)
        if not parts or cost(wanted) < cost([_running(part, kept.status) for part in parts]):
            _keep(parts, kept)
            parts = [_part(index, runs, kept) for index in wanted]
        histories = []
        for i, part in enumerate(parts):
            new, history = _epoch_all(make, architecture, settings, data, part.runs, part.fits)
            parts[i] = part._replace(fits=new)
            histories.append(history)
        found = {n: np.full(len(kept.status), np.nan, a.dtype) for n, a in histories[0].items()}
        for part, history in zip(parts, histories):
            told = (part.fits.status, part.fits.epoch, history)
            put_rows(part.index, collect(told), (kept.status, kept.epoch, found))
        yield Stage(kept.status.copy(), kept.epoch.copy(), found, partial(_kept, parts, kept))


class Part(NamedTuple):
    """Runs of a stack that are on the devices together.

    Attributes:
      index: int[S], which rows of the stack they are; -1 is padding.
      runs, fits: rows [S, ...].
    """

    index: np.ndarray
    runs: PyTree
    fits: Fit


def _part(index: np.ndarray, runs: PyTree, kept: Fit) -> Part:
    rows = np.maximum(index, 0)
    fits = take(kept, rows)
    fits = fits._replace(status=np.where(index >= 0, fits.status, STOPPED).astype(np.int32))
    return Part(index, deal(take(runs, rows)), deal(fits))


def _running(part: Part, status: np.ndarray) -> np.ndarray:
    return np.where(status[np.maximum(part.index, 0)] == RUNNING, part.index, -1)


def _keep(parts: list[Part], kept: Fit) -> None:
    for part in parts:
        put_rows(part.index, collect(part.fits), kept)


def _kept(parts: list[Part], kept: Fit) -> Fit:
    _keep(parts, kept)
    return jax.tree.map(np.copy, kept)
