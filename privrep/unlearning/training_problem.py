"""The emotion network as a `Problem`: its parameters, gradient, outputs and learning rates."""

from typing import Any

import jax
import jax.numpy as jnp

from privrep.networks.emotion_net import JOINT
from privrep.networks.frame_masks import masked
from privrep.parallel.run_axis import ReservedKey, Run, reserved_key, take
from privrep.training.batches import batch_of, gather
from privrep.training.problem import Problem
from privrep.training.schedules import SCHEDULES
from privrep.types import Data, Fold
from privrep.unlearning.adversaries import step_hook
from privrep.unlearning.objective import Architecture, Batch, BatchLabels, objective, rows_of
from privrep.unlearning.rows import Rows
from privrep.unlearning.validation import score_function, trains_attacker, validation_blocks

PyTree = Any


def network_problem(architecture: Architecture, data: Data, run: Run) -> Problem:
    """The emotion network of one run, as `fit.fit` takes it.

    Args:
      run: one row of the run axis.
    """
    net = architecture.net
    fold = take(data.folds, run.fold)
    schedule = SCHEDULES[architecture.schedule]
    blocks = validation_blocks(architecture, data, fold)

    def init(key: jax.Array) -> PyTree:
        first = gather(data.corpus, fold.inputs, jnp.zeros(1, jnp.int32), (16, 4))
        return net.init(key, first)["params"]

    def batch(rows: jax.Array) -> Batch:
        utterances = batch_of(
            data.corpus, fold.inputs, rows, architecture.longest, architecture.fill
        )
        return Batch(utterances, _labels(data, fold, rows), rows >= 0)

    def single_row() -> Rows:
        single = batch(jnp.zeros(1, jnp.int32))
        views = net.bind({"params": init(run.key)}).encode(single.utterances)
        return rows_of(net, views, single)

    hook = step_hook(architecture, fold.private_weights, run, jax.eval_shape(single_row))

    def gradient(
        params: PyTree,
        state: PyTree,
        key: jax.Array,
        index: jax.Array,
        weight: jax.Array,
        progress: jax.Array,
    ) -> tuple[Any, ...]:
        lambda_ = {a: schedule(strength, progress) for a, strength in run.lambda_.items()}
        count = jnp.maximum(weight.sum(), 1)
        rows = jnp.where(weight > 0, index, -1)
        drawn = batch(rows)._replace(memory=None if hook is None else state.rows)
        mask_key = reserved_key(key, ReservedKey.FRAME_MASKS)
        hidden = masked(mask_key, architecture.masks, drawn.utterances)
        drawn = drawn._replace(utterances=hidden)

        def mean_loss(params: PyTree) -> tuple[jax.Array, PyTree]:
            losses = objective(architecture, params, key, drawn, fold, run, lambda_)
            sums = {
                "emotion": (losses.emotion * weight).sum(),
                "adversary": (losses.defence * weight).sum(),
            }
            if net.further:
                sums["further"] = (losses.further * weight).sum()
            return sum(sums.values()) / count, (sums, losses.rows)

        with jax.default_matmul_precision(architecture.precision):
            gradients, (sums, encoded) = jax.grad(mean_loss, has_aux=True)(params)
        if hook is None:
            return sums, gradients
        return sums, gradients, encoded

    def outputs(params: PyTree, index: jax.Array) -> dict[str, jax.Array]:
        with jax.default_matmul_precision(architecture.precision):
            views = net.bind({"params": params}).encode(batch(index).utterances)
        return {view: views[view] for view in (*net.views(), JOINT)}

    return Problem(
        init=init,
        gradient=gradient,
        score=score_function(architecture, data, run, blocks),
        rates=lambda params: _learning_rates(run, params),
        weight_decay=run.weight_decay,
        train=fold.split.train,
        outputs=outputs,
        blocks=blocks,
        early_blocks=len(fold.val_blocks) if trains_attacker(architecture) else None,
        groups=_groups(architecture, data, run),
        step_hook=hook,
    )


def _groups(architecture: Architecture, data: Data, run: Run) -> jax.Array | None:
    """Speakers, whose rows come together in the batches of a run of relative h; else the rows."""
    if not architecture.relative:
        return None
    return jnp.where(run.relative, data.speaker, jnp.arange(len(data.speaker)))


def _labels(data: Data, fold: Fold, rows: jax.Array) -> BatchLabels:
    """The labels of the rows int32[B]; those of padding (-1) are -1, and targets NaN."""
    all_labels = BatchLabels(fold.task, fold.private, data.speaker, fold.target, fold.further)
    labels = take(all_labels, jnp.maximum(rows, 0))
    known = jax.tree.map(lambda of: jnp.where(rows >= 0, of, -1), labels._replace(target=None))
    if labels.target is None:
        return known
    return known._replace(target=jnp.where(rows >= 0, labels.target, jnp.nan))


def _learning_rates(run: Run, params: PyTree) -> PyTree:
    """The learning rate of every parameter; adversaries have one of their own."""

    def rate(name: str) -> jax.Array:
        if name.startswith("adversaries"):
            return run.adversary_learning_rate
        return run.learning_rate

    return {
        name: jax.tree.map(lambda _, name=name: rate(name), part) for name, part in params.items()
    }
