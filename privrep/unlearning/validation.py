"""The validation scores of an emotion network, which choose its epoch."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.networks.emotion_net import JOINT, EmotionNet
from privrep.parallel.run_axis import Run, take
from privrep.training.metrics import chance, uar
from privrep.training.regression import ccc
from privrep.training.selection import SELECTIONS
from privrep.types import Data, Fold
from privrep.unlearning.fresh_lda import discriminant
from privrep.unlearning.objective import Architecture, BatchLabels
from privrep.unlearning.rows import centred_by_earlier, centred_by_speaker

PyTree = Any


Views = Mapping[str, jax.Array]  # {view: float[N, D]}, h under the name "joint"


class Outputs(NamedTuple):
    """The outputs of a network for N utterances.

    Attributes:
      h: float[N, D].
      emotion: logits [N, C], or predictions [N, 1] of a regression.
      adversaries: {attribute: {view: logits [N, m, classes of the attribute]}}.
    """

    h: jax.Array
    emotion: jax.Array
    adversaries: Mapping[str, Mapping[str, jax.Array]]


def flat(views: Views) -> Views:
    """Views of blocks [n, b, D] as rows [n * b, D]."""
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), views)


def own_views(
    architecture: Architecture,
    run: Run,
    views: Views,
    speaker: jax.Array,
    where: jax.Array,
    running: bool = False,
) -> Views:
    """The views as the heads of the run read them: of relative h less the speaker's mean.

    The mean is over all rows `where` bool[N] of the speaker, who is known to whoever computes h; if
    it is `running`, also over the rows of the speaker before the row itself.
    """
    if not architecture.relative:
        return views

    def centred(view: jax.Array) -> jax.Array:
        without_mean = centred_by_earlier if running else centred_by_speaker
        return jnp.where(run.relative, without_mean(view, speaker, where), view)

    return jax.tree.map(centred, views)


def heads(net: EmotionNet, params: PyTree, views: Views, labels: BatchLabels) -> Outputs:
    """The outputs of the emotion head and of all adversaries for the views."""
    bound = net.bind({"params": params})
    adversaries = {a: bound.adversary(a, views, labels.task) for a in net.private}
    return Outputs(views[JOINT], bound.emotion(views[JOINT]), adversaries)


def emotion_score(net: EmotionNet) -> str:
    """The name of the score of emotion: emotion_uar, or of a regression emotion_ccc."""
    return "emotion_ccc" if net.is_regression else "emotion_uar"


def scores_of(
    net: EmotionNet, outputs: Outputs, labels: BatchLabels, where: jax.Array
) -> dict[str, jax.Array]:
    """{`emotion_score`: [], "<attribute>_adversary_uar": []} over the rows `where`.

    The adversary UAR of an attribute is the highest of its adversaries.
    """
    if net.is_regression:
        assert labels.target is not None
        emotion = ccc(outputs.emotion[:, 0], labels.target, where)
    else:
        emotion = uar(outputs.emotion, labels.task, net.num_classes, where)
    scores = {emotion_score(net): emotion}
    for attribute, views in outputs.adversaries.items():
        size = net.private[attribute]
        of_adversaries = [
            uar(logits[:, i], labels.private[attribute], size, where)
            for logits in views.values()
            for i in range(logits.shape[1])
        ]
        scores[f"{attribute}_adversary_uar"] = jnp.stack(of_adversaries).max()
    return scores


def unlearns(architecture: Architecture) -> bool:
    """Whether the architecture has a defence that acts on the encoders."""
    return architecture.defences != ("none",)


def trains_attacker(architecture: Architecture) -> bool:
    """Whether a linear attacker is trained from scratch on h after every epoch."""
    return architecture.leak == "fresh" and unlearns(architecture)


def validation_blocks(architecture: Architecture, data: Data, fold: Fold) -> jax.Array:
    """The rows whose outputs `score_function` takes, int32[n, b] in blocks of similar length.

    They are the validation part, followed by the training part if an attacker is trained on it.
    Rows of other parts are replaced by -1, padding.
    """
    if not trains_attacker(architecture):
        return fold.val_blocks
    is_train = (data.blocks >= 0) & fold.split.train[data.blocks]
    return jnp.concatenate([fold.val_blocks, jnp.where(is_train, data.blocks, -1)])


def score_function(
    architecture: Architecture, data: Data, run: Run, blocks: jax.Array
) -> Callable[[PyTree, Views], dict[str, jax.Array]]:
    """`Problem.score` of an emotion network.

    Args:
      blocks: `validation_blocks`.

    Returns:
      (params, views of `blocks`) -> {"val_<score>": [], "selection": []}. The scores are those of
      `scores_of` and, where an attacker is trained, <attribute>_fresh_uar.
    """
    net, fold = architecture.net, take(data.folds, run.fold)
    leak = "fresh" if trains_attacker(architecture) else "adversary"

    def score(params: PyTree, views: Views) -> dict[str, jax.Array]:
        index, views = blocks.reshape(-1), flat(views)
        labels = take(BatchLabels(fold.task, fold.private, data.speaker, fold.target), index)
        views = own_views(architecture, run, views, labels.speaker, index >= 0)
        with jax.default_matmul_precision(architecture.precision):
            outputs = heads(net, params, views, labels)
        train, val = ((index >= 0) & part[index] for part in (fold.split.train, fold.split.val))
        scores = scores_of(net, outputs, labels, val)
        emotion = scores[emotion_score(net)]
        if leak == "fresh":
            for a, size in net.private.items():
                logits = discriminant(outputs.h, labels.private[a], size, train)
                scores[f"{a}_fresh_uar"] = uar(logits, labels.private[a], size, val)
        leaks = {a: scores[f"{a}_{leak}_uar"] for a in net.private}
        chances = {a: chance(size) for a, size in net.private.items()}
        balance = SELECTIONS[architecture.selection](emotion, leaks, chances)
        # The rule is for networks that unlearn. The network without a defence, which they are
        # compared with, is chosen by its emotion score alone; the rule would prefer an undertrained
        # one.
        is_protected = unlearns(architecture) & (sum(run.lambda_.values()) > 0)
        selection = jnp.where(is_protected, balance, emotion)
        return {f"val_{name}": value for name, value in scores.items()} | {"selection": selection}

    return score
