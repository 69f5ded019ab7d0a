"""The end of an epoch: keep the best parameters so far, go on, or stop."""

import jax
import jax.numpy as jnp

from privrep.training.problem import DIVERGED, RUNNING, STOPPED, Fit, FitSettings, Problem


def finish(problem: Problem, fit: Fit, sums, outputs, settings: FitSettings):
    """What an epoch has come to.

    Args:
      fit, sums: after all steps.
      outputs: see `look_at_all`.

    Returns:
      (fit, {name: scalar}): mean training losses as train_<name>, and the validation scores.
    """
    count = problem.train.sum()
    losses = {f"train_{name}_loss": total / count for name, total in sums.items()}
    scores = problem.score(outputs)
    finite = jnp.all(jnp.array([jnp.isfinite(loss) for loss in losses.values()]))
    better = finite & (scores["selection"] > fit.best_score)
    done = fit.epoch + 1
    best_epoch = jnp.where(better, done, fit.best_epoch)
    over = (done >= settings.max_epochs) | (done - best_epoch >= settings.patience)
    return (
        fit._replace(
            best=jax.tree.map(lambda new, old: jnp.where(better, new, old), fit.params, fit.best),
            best_score=jnp.where(better, scores["selection"], fit.best_score),
            best_epoch=best_epoch,
            epoch=done,
            status=jnp.where(finite, jnp.where(over, STOPPED, RUNNING), DIVERGED).astype(jnp.int32),
        ),
        losses | scores,
    )
