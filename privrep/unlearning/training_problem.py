"""The emotion network as something to fit: its objective, its validation scores, its outputs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.networks.emotion_net import JOINT, EmotionNet
from privrep.parallel.run_axis import Run, take
from privrep.training.batches import batch_of, gather
from privrep.training.metrics import chance, uar
from privrep.training.problem import Problem
from privrep.training.schedules import SCHEDULES
from privrep.training.selection import SELECTIONS
from privrep.types import Data
from privrep.unlearning.adversaries import Seen, beside
from privrep.unlearning.fresh_lda import discriminant
from privrep.unlearning.objective import Architecture, objective

PyTree = Any


def network_problem(architecture: Architecture, data: Data, run: Run) -> Problem:
    """The emotion network of one run, as `fit.fit` wants it."""
    net = architecture.net
    corpus, fold = data.corpus, take(data.folds, run.fold)
    schedule = SCHEDULES[architecture.schedule]
    resists = architecture.defences != ("none",)
    asks = architecture.leak == "fresh" and resists
    blocks = _learned_or_chosen(data, fold) if asks else fold.val_blocks
    aside = beside(
        net,
        architecture.adversary_steps,
        architecture.adversary_memory,
        architecture.adversary_restart,
        fold.private_weights,
        run.adversary_learning_rate,
        architecture.precision,
    )

    def init(key):
        first = gather(corpus, fold.inputs, jnp.zeros(1, jnp.int32), (16, 4))
        return net.init(key, first)["params"]

    def gradient(params, key, index, weight, progress):
        lambda_ = {a: schedule(strength, progress) for a, strength in run.lambda_.items()}
        count = jnp.maximum(weight.sum(), 1)
        rows = jnp.where(weight > 0, index, -1)
        utterances = batch_of(corpus, fold.inputs, rows, architecture.longest, architecture.fill)
        labels = _labels(fold, rows)

        def sums(params):
            emotion, adversaries, views = objective(
                architecture, params, key, utterances, labels, fold, run, lambda_
            )
            both = {"emotion": (emotion * weight).sum(), "adversary": (adversaries * weight).sum()}
            return (both["emotion"] + both["adversary"]) / count, (both, views)

        with jax.default_matmul_precision(architecture.precision):
            gradients, (both, views) = jax.grad(sums, has_aux=True)(params)
        if aside is None:
            return both, gradients
        return both, gradients, Seen(views, *labels, rows >= 0)

    def outputs(params, index):
        bound = net.bind({"params": params})
        with jax.default_matmul_precision(architecture.precision):
            utterances = batch_of(
                corpus, fold.inputs, index, architecture.longest, architecture.fill
            )
            views, (task, _) = bound.encode(utterances), _labels(fold, index)
            adversaries = {a: bound.adversary(a, views, task) for a in net.private}
            return Outputs(views[JOINT], bound.emotion(views[JOINT]), adversaries)

    def score(outputs):
        index, outputs = blocks.reshape(-1), flat(outputs)
        labels = take((fold.task, fold.private), index)
        train, val = ((index >= 0) & part[index] for part in (fold.split.train, fold.split.val))
        scores = uars(net, outputs, labels, val)
        if asks:
            for a, size in net.private.items():
                found = discriminant(outputs.h, labels[1][a], size, train)
                scores[f"{a}_fresh_uar"] = uar(found, labels[1][a], size, val)
        leaks = {a: scores[f"{a}_{'fresh' if asks else 'adversary'}_uar"] for a in net.private}
        chances = {a: chance(size) for a, size in net.private.items()}
        balance = SELECTIONS[architecture.selection](scores["emotion_uar"], leaks, chances)
        # The rule is for networks that unlearn; the ordinary one they are compared with is chosen
        # by what it is for, or it would be an undertrained one.
        unlearns = resists & (sum(run.lambda_.values()) > 0)
        selection = jnp.where(unlearns, balance, scores["emotion_uar"])
        return {f"val_{name}": value for name, value in scores.items()} | {"selection": selection}

    def rates(params):
        return {
            name: jax.tree.map(
                lambda _, name=name: (
                    run.adversary_learning_rate
                    if name.startswith("adversaries")
                    else run.learning_rate
                ),
                part,
            )
            for name, part in params.items()
        }

    return Problem(
        init,
        gradient,
        score,
        rates,
        run.weight_decay,
        fold.split.train,
        outputs,
        blocks,
        aside,
    )


def _learned_or_chosen(data, fold):
    """int32[n, b]: all rows in blocks, those of the fold's test part left out as padding."""
    known = fold.split.train | fold.split.val
    return jnp.where((data.blocks >= 0) & known[data.blocks], data.blocks, -1)


def _labels(fold, rows):
    """(emotion int32[B], {attribute: int32[B]}) of the rows, -1 for padding too."""
    labels = take((fold.task, fold.private), jnp.maximum(rows, 0))
    return jax.tree.map(lambda of: jnp.where(rows >= 0, of, -1), labels)


class Outputs(NamedTuple):
    """What a network says of N utterances.

    Attributes:
      h: float[N, D].
      emotion: logits [N, C].
      adversaries: {attribute: {view: logits [N, m, classes of the attribute]}}.
    """

    h: jax.Array
    emotion: jax.Array
    adversaries: Mapping[str, Mapping[str, jax.Array]]


def flat(outputs: Outputs) -> Outputs:
    """Of blocks [n, b, ...]: rows [n * b, ...]."""
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), outputs)


def uars(net: EmotionNet, outputs: Outputs, labels, where) -> dict[str, jax.Array]:
    """{"emotion_uar": [], "<attribute>_adversary_uar": []}: of several the most telling one's."""
    task, private = labels
    scores = {"emotion_uar": uar(outputs.emotion, task, net.num_classes, where)}
    for attribute, views in outputs.adversaries.items():
        size = net.private[attribute]
        each = [
            uar(logits[:, i], private[attribute], size, where)
            for logits in views.values()
            for i in range(logits.shape[1])
        ]
        scores[f"{attribute}_adversary_uar"] = jnp.stack(each).max()
    return scores
