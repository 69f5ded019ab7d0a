"""What networks release of every utterance, and how they do on each part of their fold."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from privrep.parallel.run_axis import Run, by_calls, over_runs, take
from privrep.training.epoch import look_at_all
from privrep.training.problem import Problem
from privrep.training.streaming import Streamed, look_in_windows, place, rows_together
from privrep.types import Data
from privrep.unlearning.collapse import collapsed, effective_rank
from privrep.unlearning.objective import Architecture
from privrep.unlearning.releases import RELEASES, Known, Learned
from privrep.unlearning.training_problem import flat, network_problem, uars

PyTree = Any


def represent(
    architecture: Architecture, data: Data, runs: Run, params: PyTree
) -> tuple[np.ndarray, dict[str, np.ndarray], Learned]:
    """What leaves the device, and how the networks did on each part.

    Args:
      runs, params: rows [R, ...].

    Returns:
      h float32[R, N, D] as released, and {<part>_<score>: float32[R]} for the
      parts train, val and test: emotion as it is recognised from the released h, adversaries as
      they read the views before. Also h_rank float32[R], the effective rank of h on the training
      part before release, to 0.001, and collapsed bool[R] (see `collapse.collapsed`). And what the
      releases have learned, rows [R, ...].
    """
    data = place(data)
    f = partial(_represent_all, architecture, data)
    if isinstance(data, Streamed):

        def f(rows):
            outputs = look_in_windows(_all_blocks, architecture, data, *rows)
            return _release_all(architecture, data.resident, rows, outputs)

    size = rows_together(partial(_represent_one, architecture), data, (runs, params))
    return by_calls(f, (runs, params), size)


def _all_blocks(architecture, data, run) -> Problem:
    return network_problem(architecture, data, run)._replace(blocks=data.blocks)


@partial(jax.jit, static_argnums=0)
def _represent_all(architecture, data, rows):
    return over_runs(partial(_represent_one, architecture), data, rows)


def _represent_one(architecture, data, row):
    run, params = row
    outputs = look_at_all(_all_blocks(architecture, data, run), params)
    return _release_one(architecture, data, (row, outputs))


@partial(jax.jit, static_argnums=0)
def _release_all(architecture, data, rows, outputs):
    return over_runs(partial(_release_one, architecture), data, (rows, outputs))


def _release_one(architecture, data, row):
    net, ((run, params), blocks) = architecture.net, row
    index, of_rows = data.blocks.reshape(-1), flat(blocks)
    fold = take(data.folds, run.fold)
    position = jnp.where(index >= 0, index, len(fold.task))
    outputs = jax.tree.map(
        lambda a: jnp.zeros((len(fold.task), *a.shape[1:])).at[position].set(a, mode="drop"),
        of_rows,
    )
    # The epochs' keys are fold_in(key, epoch); this one is never an epoch's.
    release_key = jax.random.fold_in(run.key, jnp.uint32(2**32 - 1))
    head = params["emotion_head"]["kernel"], params["emotion_head"]["bias"]
    known = Known(*head, fold.task, fold.private, net.private, fold.split.train, run.release_lambda)
    learns = [partial(release.learn, known=known) for release in RELEASES.values()]
    sends = [partial(release.send, head=head) for release in RELEASES.values()]
    with jax.default_matmul_precision("float32"):  # a release may solve what is ill-conditioned
        learned = jax.lax.switch(run.release, learns, outputs.h)
        h = jax.lax.switch(run.release, sends, release_key, outputs.h, learned)
    # What a release costs in emotion shows only behind it.
    released = outputs._replace(emotion=net.apply({"params": params}, h, method="emotion"))
    scores = {}
    for part, where in fold.split._asdict().items():
        of_part = uars(net, released, (fold.task, fold.private), where)
        scores |= {f"{part}_{name}": value for name, value in of_part.items()}
    rank = effective_rank(outputs.h, fold.split.train)
    # Its sums are rounded otherwise with another number of devices: no digits that nobody reads.
    scores["h_rank"] = jnp.round(rank, 3)
    scores["collapsed"] = collapsed(
        scores["val_emotion_uar"], fold.task, net.num_classes, fold.split.val, rank
    )
    return h, scores, learned
