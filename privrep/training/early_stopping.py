"""The end of an epoch: keeps the best parameters so far and decides whether to stop the run."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from privrep.training.problem import DIVERGED, RUNNING, STOPPED, Fit, FitSettings, Problem, length

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

    A run diverges where a training loss is not finite, and stops at its last epoch or after
    `settings.patience` epochs without a better selection score. No epoch before the first of
    `length` is chosen or counted: a defence needs some hundred steps before it protects, and an
    early epoch whose adversary has learned nothing looks protected.

    Args:
      fit, sums: after all steps of the epoch.
      outputs: see `epoch.all_outputs`.

    Returns:
      (fit, {name: scalar}): the mean training losses as train_<name>_loss, and the validation
      scores.
    """
    count = problem.train.sum()
    losses = {f"train_{name}_loss": total / count for name, total in sums.items()}
    scores = problem.score(fit.params, outputs)
    finite = jnp.all(jnp.array([jnp.isfinite(loss) for loss in losses.values()]))
    epoch, (first, last) = fit.epoch + 1, length(settings, count)
    better = finite & (epoch >= first) & (scores["selection"] > fit.best_score)
    best_epoch = jnp.where(better, epoch, fit.best_epoch)
    waited = epoch - jnp.maximum(best_epoch, first - 1)
    over = (epoch >= last) | (waited >= settings.patience)
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
