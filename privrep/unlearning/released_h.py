"""The released h of trained networks, and the scores of each part of their fold."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from privrep.parallel.run_axis import (
    ReservedKey,
    Run,
    by_calls,
    over_runs,
    reserved_key,
    take,
)
from privrep.training.epoch import all_outputs
from privrep.training.metrics import constant_share
from privrep.training.problem import Problem
from privrep.training.streaming import Streamed, outputs_in_windows, place, rows_together
from privrep.types import Data
from privrep.unlearning.collapse import collapsed, collapsed_regression, effective_rank
from privrep.unlearning.objective import Architecture, Labels
from privrep.unlearning.releases import RELEASES, Learned, ReleaseInputs
from privrep.unlearning.training_problem import network_problem
from privrep.unlearning.validation import (
    Views,
    emotion_score,
    flat,
    heads,
    own_views,
    scores_of,
)

PyTree = Any
Released = tuple[Any, dict[str, Any], Learned]


def represent(
    architecture: Architecture, data: Data | Streamed, runs: Run, params: PyTree
) -> tuple[np.ndarray, dict[str, np.ndarray], Learned]:
    """Computes the released h of every utterance, and the scores of each part.

    Args:
      data: on the host or as `streaming.place` returns it.
      runs, params: rows [R, ...].

    Returns:
      (h, scores, learned): h is float32[R, N, D], as released. The scores are
      {<part>_<score>: float32[R]} for the parts train, val and test, where emotion is recognised
      from the released h and adversaries read the views before release;
      train_<a>_adversary_constant, the share of the most frequent answer of the adversary that is
      least constant; h_rank float32[R], the effective rank of h before release on the training
      part, rounded to 0.001; and collapsed bool[R] (see `collapse.collapsed`). `learned` are the
      releases, rows [R, ...].
    """
    placed = place(data)
    release: Any = partial(_represent_all, architecture, placed)
    if isinstance(placed, Streamed):

        def release(rows: PyTree) -> Released:
            outputs = outputs_in_windows(_all_blocks, architecture, placed, *rows)
            return _release_all(architecture, placed.resident, rows, outputs)

    size = rows_together(partial(_represent_one, architecture), placed, (runs, params))
    return by_calls(release, (runs, params), size)


def _all_blocks(architecture: Architecture, data: Data, run: Run) -> Problem:
    """The network's problem with the outputs of all utterances."""
    return network_problem(architecture, data, run)._replace(blocks=data.blocks)


@partial(jax.jit, static_argnums=0)
def _represent_all(architecture: Architecture, data: Data, rows: PyTree) -> Released:
    return over_runs(partial(_represent_one, architecture), data, rows)


def _represent_one(architecture: Architecture, data: Data, row: PyTree) -> Released:
    run, params = row
    outputs = all_outputs(_all_blocks(architecture, data, run), params)
    return _release_one(architecture, data, (row, outputs))


@partial(jax.jit, static_argnums=0)
def _release_all(architecture: Architecture, data: Data, rows: PyTree, outputs: Views) -> Released:
    return over_runs(partial(_release_one, architecture), data, (rows, outputs))


def _release_one(architecture: Architecture, data: Data, row: PyTree) -> Released:
    net, ((run, params), blocks) = architecture.net, row
    fold = take(data.folds, run.fold)
    labels = Labels(fold.task, fold.private, data.speaker, fold.target)
    views = _in_order(data.blocks.reshape(-1), flat(blocks), len(fold.task))
    everyone = jnp.ones(len(fold.task), bool)
    views = own_views(architecture, run, views, data.speaker, everyone)
    with jax.default_matmul_precision(architecture.precision):
        outputs = heads(net, params, views, labels)
    release_key = reserved_key(run.key, ReservedKey.RELEASE_NOISE)
    head = params["emotion_head"]["kernel"], params["emotion_head"]["bias"]
    inputs = ReleaseInputs(
        *head, fold.task, fold.private, net.private, fold.split.train, run.release_lambda
    )
    learns = [partial(release.learn, inputs=inputs) for release in RELEASES.values()]
    sends = [partial(release.send, head=head) for release in RELEASES.values()]
    with jax.default_matmul_precision("float32"):  # a release may solve an ill-conditioned system
        learned = jax.lax.switch(run.release, learns, outputs.h)
        h = jax.lax.switch(run.release, sends, release_key, outputs.h, learned)
    # The emotion scores include the cost of the release.
    emotion: Any = net.apply({"params": params}, h, method="emotion")
    released = outputs._replace(emotion=emotion)
    scores: dict[str, Any] = {}
    for part, where in fold.split._asdict().items():
        of_part = scores_of(net, released, labels, where)
        scores |= {f"{part}_{name}": value for name, value in of_part.items()}
    for attribute, of_views in outputs.adversaries.items():
        shares = [
            constant_share(logits[:, i], fold.split.train)
            for logits in of_views.values()
            for i in range(logits.shape[1])
        ]
        scores[f"train_{attribute}_adversary_constant"] = jnp.stack(shares).min()
    rank = effective_rank(outputs.h, fold.split.train)
    # The rounding error of its sums depends on the number of devices: it is rounded to 0.001.
    scores["h_rank"] = jnp.round(rank, 3)
    val, emotion = fold.split.val, scores[f"val_{emotion_score(net)}"]
    if net.is_regression:
        scores["collapsed"] = collapsed_regression(emotion, fold.target, val)
    else:
        scores["collapsed"] = collapsed(emotion, fold.task, net.num_classes, val, rank)
    return h, scores, learned


def _in_order(index: jax.Array, views: Views, count: int) -> Views:
    """The views of utterances `index` (-1 for padding) as rows [N, D] in the corpus's order."""
    position = jnp.where(index >= 0, index, count)
    return jax.tree.map(
        lambda a: jnp.zeros((count, *a.shape[1:])).at[position].set(a, mode="drop"), views
    )
