"""The end of an epoch: keeps the best parameters so far and decides whether to stop the run."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from privrep.training.problem import DIVERGED, RUNNING, STOPPED, Fit, FitSettings, Problem

PyTree = Any
Scalars = dict[str, jax.Array]


def finish(
    problem: Problem,
    fit: Fit,
    sums: Mapping[str, jax.Array],
    outputs: PyTree,
    settings: FitSettings,
) -> tuple[Fit, Scalars]:
    """Scores the validation part after an epoch and updates the state of the run.

    A run diverges where a training loss is not finite, and stops at `settings.max_epochs` or after
    `settings.patience` epochs without a better selection score.

    Args:
      fit, sums: after all steps of the epoch.
      outputs: see `epoch.all_outputs`.

    Returns:
      (fit, {name: scalar}): the mean training losses as train_<name>_loss, and the validation
      scores.
    """
    count = problem.train.sum()
    losses = {f"train_{name}_loss": total / count for name, total in sums.items()}
    scores = problem.score(outputs)
    finite = jnp.all(jnp.array([jnp.isfinite(loss) for loss in losses.values()]))
    better = finite & (scores["selection"] > fit.best_score)
    epoch = fit.epoch + 1
    best_epoch = jnp.where(better, epoch, fit.best_epoch)
    over = (epoch >= settings.max_epochs) | (epoch - best_epoch >= settings.patience)
    return (
        fit._replace(
            best=jax.tree.map(lambda new, old: jnp.where(better, new, old), fit.params, fit.best),
            best_score=jnp.where(better, scores["selection"], fit.best_score),
            best_epoch=best_epoch,
            epoch=epoch,
            status=jnp.where(finite, jnp.where(over, STOPPED, RUNNING), DIVERGED).astype(jnp.int32),
        ),
        losses | scores,
    )
