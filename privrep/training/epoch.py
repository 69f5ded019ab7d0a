"""One epoch of one run, the same for the emotion network and for every attacker.

A `Problem` defines what is fitted. An epoch consists of `shuffled_batches`, `take_steps` over all
batches, `outputs_of_blocks` over all blocks of the validation part, and `early_stopping.finish`.
`epoch` calls them in turn; where the data does not fit on the device, `streaming.py` calls them for
one window of the data after another.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from privrep.parallel.run_axis import ReservedKey, reserved_key
from privrep.training.early_stopping import Scalars, finish
from privrep.training.problem import RUNNING, Fit, FitSettings, Problem, length, steps_per_epoch
from privrep.types import Array

PyTree = Any
OPTIMISERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "rmsprop": optax.scale_by_rms,
    "sgd": lambda: optax.trace(decay=0.9),
}


GROUP = 8  # number of rows of a group (speaker) that are adjacent in the shuffled order


class EpochProgress(NamedTuple):
    """A run within an epoch: its state, and {name: sum of a training loss} of the steps so far."""

    fit: Fit
    sums: Scalars


class StepRange(NamedTuple):
    """The batches or blocks [first, last) of an epoch, int32."""

    first: Array | int
    last: Array | int


def _transformation(settings: FitSettings) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.clip_norm or jnp.inf), OPTIMISERS[settings.optimiser]()
    )


def init_key(key: jax.Array) -> jax.Array:
    """The key of the parameters that the run of this key starts from."""
    return reserved_key(key, ReservedKey.INITIAL_PARAMETERS)


def start(problem: Problem, key: jax.Array, settings: FitSettings) -> Fit:
    """The state of a run before its first epoch.

    Args:
      key: the run's random key.
    """
    params = problem.init(init_key(key))
    hook, size = problem.step_hook, settings.batch_size
    hook_state = () if hook is None else hook.start(params, size)
    return Fit(
        params=params,
        optimiser=_transformation(settings).init(params),
        hook_state=hook_state,
        best=params,
        best_score=jnp.float32(-jnp.inf),
        best_epoch=jnp.int32(0),
        epoch=jnp.int32(0),
        status=jnp.int32(RUNNING),
    )


def shuffled_batches(
    problem: Problem, key: jax.Array, fit: Fit, settings: FitSettings
) -> tuple[jax.Array, Scalars]:
    """The batches of an epoch: every training row once, in a new random order.

    With `Problem.groups` the rows of a group come GROUP at a time: batches hold several rows of
    each of a few groups, however many groups there are.

    Args:
      key: of the run; the epoch's keys are derived from it and from `fit.epoch`.

    Returns:
      (batches, sums): int32[n, B], rows of the data with -1 for padding, of which the first
      `num_steps` batches hold training rows; and the sums of the losses, which are 0.
    """
    order_key, step_key = _epoch_keys(key, fit)
    size = settings.batch_size
    rows = problem.train.shape[0]
    noise = jnp.where(problem.train, jax.random.uniform(order_key, problem.train.shape), jnp.inf)
    if problem.groups is not None:
        noise = _shared_by_chunks(noise, problem.groups)
    order = jnp.argsort(noise)
    order = jnp.where(jnp.arange(rows) < problem.train.sum(), order, -1)
    order = jnp.concatenate([order, jnp.full(-rows % size, -1, order.dtype)])
    batches = order.reshape(-1, size)
    shapes, *_ = jax.eval_shape(
        problem.gradient,
        fit.params,
        fit.hook_state,
        step_key,
        batches[0],
        jnp.zeros(size),
        jnp.float32(0),
    )
    return batches, _zeros(shapes)


def _shared_by_chunks(noise: jax.Array, groups: jax.Array) -> jax.Array:
    """Gives GROUP rows of one group the noise of the first, so that sorting keeps them adjacent.

    It is inf for rows that do not train."""
    order = jnp.lexsort((noise, groups))
    sorted_groups, place = groups[order], jnp.arange(len(order))
    starts = jnp.concatenate([jnp.ones(1, bool), sorted_groups[1:] != sorted_groups[:-1]])
    first = jax.lax.cummax(jnp.where(starts, place, 0))
    leader = place - (place - first) % GROUP
    shared = jnp.where(jnp.isinf(noise[order]), jnp.inf, noise[order][leader])
    return jnp.zeros_like(noise).at[order].set(shared)


def num_steps(problem: Problem, settings: FitSettings) -> jax.Array:
    """The number of batches of an epoch that hold training rows, int32."""
    return steps_per_epoch(problem.train.sum(), settings.batch_size)


def _epoch_keys(key: jax.Array, fit: Fit) -> jax.Array:
    """Two random keys for the next epoch: one shuffles the rows, one is for the steps."""
    return jax.random.split(jax.random.fold_in(key, fit.epoch))


def _zeros(shapes: PyTree) -> PyTree:
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)


def take_steps(
    problem: Problem,
    key: jax.Array,
    settings: FitSettings,
    progress: EpochProgress,
    batches: jax.Array,
    steps: StepRange,
) -> EpochProgress:
    """Takes the steps [first, last) of an epoch.

    Args:
      key: the run's random key.
      progress: the run's progress before these steps.
      batches: int32[n, B] from `shuffled_batches`.
      steps: the steps to take; step i uses batch i.
    """
    fit, sums = progress
    _, step_key = _epoch_keys(key, fit)
    count = num_steps(problem, settings)
    transformation = _transformation(settings)
    if settings.schedule_steps:
        end: Any = settings.schedule_steps / count
    else:
        end = length(settings, problem.train.sum()).last
    hook_key = reserved_key(step_key, ReservedKey.ADVERSARY_STEPS)

    def step(i: jax.Array, carry: PyTree) -> PyTree:
        params, optimiser, hook_state, sums = carry
        rows = jax.lax.dynamic_index_in_dim(batches, i, keepdims=False)
        index, weight = jnp.maximum(rows, 0), (rows >= 0).astype(jnp.float32)
        progress = (fit.epoch + i / count) / end
        batch_sums, gradients, *views = problem.gradient(
            params, hook_state, jax.random.fold_in(step_key, i), index, weight, progress
        )
        directions, optimiser = transformation.update(gradients, optimiser, params)
        params = jax.tree.map(
            lambda p, d, rate: p - rate * (d + problem.weight_decay * p),
            params,
            directions,
            problem.rates(params),
        )
        if problem.step_hook is not None:
            key = jax.random.fold_in(hook_key, i)
            params, hook_state = problem.step_hook.step(params, hook_state, key, *views)
        return params, optimiser, hook_state, jax.tree.map(jnp.add, sums, batch_sums)

    carry = fit.params, fit.optimiser, fit.hook_state, sums
    params, optimiser, hook_state, sums = jax.lax.fori_loop(*steps, step, carry)
    fit = fit._replace(params=params, optimiser=optimiser, hook_state=hook_state)
    return EpochProgress(fit, sums)


def empty_outputs(problem: Problem, params: PyTree) -> PyTree:
    """NaN in the shape of the outputs of all blocks, [n, b, ...]."""
    assert problem.outputs is not None and problem.blocks is not None
    count = problem.blocks.shape[0]
    shapes = jax.eval_shape(problem.outputs, params, problem.blocks[0])
    return jax.tree.map(lambda a: jnp.full((count, *a.shape), jnp.nan, a.dtype), shapes)


def outputs_of_blocks(
    problem: Problem, params: PyTree, outputs: PyTree, blocks: StepRange
) -> PyTree:
    """`outputs` [n, b, ...] with those of the blocks [first, last) computed and written."""

    outputs_of = problem.outputs
    assert outputs_of is not None and problem.blocks is not None

    def write(i: jax.Array, outputs: PyTree) -> PyTree:
        rows = jax.lax.dynamic_index_in_dim(problem.blocks, i, keepdims=False)
        return jax.tree.map(
            lambda a, new: jax.lax.dynamic_update_index_in_dim(a, new, i, 0),
            outputs,
            outputs_of(params, rows),
        )

    return jax.lax.fori_loop(*blocks, write, outputs)


def all_outputs(problem: Problem, params: PyTree, count: Array | None = None) -> PyTree:
    """The outputs of all blocks, [n, b, ...], for `Problem.score`; None where it needs none.

    Args:
      count: of the blocks that are computed, the first ones; None for all.
    """
    if problem.blocks is None:
        return None
    blocks = StepRange(0, problem.blocks.shape[0] if count is None else count)
    return outputs_of_blocks(problem, params, empty_outputs(problem, params), blocks)


def epoch(problem: Problem, key: jax.Array, fit: Fit, settings: FitSettings) -> tuple[Fit, Scalars]:
    """One epoch of one run; returns what `finish` returns."""
    batches, sums = shuffled_batches(problem, key, fit, settings)
    steps = StepRange(0, num_steps(problem, settings))
    fit, sums = take_steps(problem, key, settings, EpochProgress(fit, sums), batches, steps)
    outputs = all_outputs(problem, fit.params, needed_blocks(problem, fit, settings))
    return finish(problem, fit, sums, outputs, settings)


def needed_blocks(problem: Problem, fit: Fit, settings: FitSettings) -> Array | None:
    """The number of blocks that `Problem.score` needs after this epoch; None for all."""
    if problem.blocks is None or problem.early_blocks is None:
        return None
    is_early = fit.epoch + 1 < length(settings, problem.train.sum()).first
    return jnp.where(is_early, problem.early_blocks, problem.blocks.shape[0])


def unless_stopped(go: Callable, fit: Fit) -> tuple[Fit, Scalars]:
    """go(fit) for a run that is still training; otherwise fit unchanged, and scalars of NaN."""

    def rest(fit: Fit) -> tuple[Fit, Scalars]:
        shapes = jax.eval_shape(go, fit)[1]
        return fit, jax.tree.map(lambda a: jnp.full(a.shape, jnp.nan, a.dtype), shapes)

    return jax.lax.cond(fit.status == RUNNING, go, rest, fit)
