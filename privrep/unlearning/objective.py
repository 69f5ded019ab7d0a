"""The objective of the emotion network: its loss plus what the defence adds."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.networks.emotion_net import JOINT, EmotionNet, adversary_of
from privrep.parallel.run_axis import Run
from privrep.training.losses import cross_entropy
from privrep.training.regression import LOSSES
from privrep.types import Fold, Size, Utterances
from privrep.unlearning.defences import DEFENCES

PyTree = Any
# Whose UAR is the leakage in a selection rule: the training adversary's, or that of a linear
# attacker that is trained from scratch on h after every epoch.
LEAKS = ("adversary", "fresh")
# Of matrix products: the factors have 24, 11 and 8 significant bits.
PRECISIONS = ("float32", "tensorfloat32", "bfloat16")


class Architecture(NamedTuple):
    """The settings of a network that are compiled into its program.

    Attributes:
      net: the network.
      defences: names in DEFENCES; each run has one of them (`Run.defence`).
      schedule: the schedule of lambda, a name in SCHEDULES.
      selection: the rule that chooses the epoch, a name in SELECTIONS.
      precision: of matrix products, one of PRECISIONS; sums and parameters are float32.
      longest: (T, L), the lengths of the longest utterance in frames and words.
      fill: see `batches.batch_of`.
      adversary_steps: of the adversaries for each step of the encoders; see
        `adversaries.adversary_hook`, also for the next two.
      adversary_memory: the number of utterances that the further steps draw from.
      adversary_restart: steps after which one adversary is initialised anew; 0: never.
      leak: whose UAR counts as leakage in `selection`, one of LEAKS.
      regression_loss: of a regression, a name in `regression.LOSSES`.
    """

    net: EmotionNet
    defences: tuple[str, ...]
    schedule: str
    selection: str
    precision: str
    longest: Size
    fill: float | None
    adversary_steps: int = 1
    adversary_memory: int = 256
    adversary_restart: int = 0
    leak: str = LEAKS[0]
    regression_loss: str = "ccc"


class Labels(NamedTuple):
    """Labels of utterances.

    Attributes:
      task: int32[B], the emotion, -1 unknown.
      private: {attribute: int32[B]}, -1 unknown.
      target: float32[B], of a regression, see `types.Fold`; else None.
    """

    task: jax.Array
    private: Mapping[str, jax.Array]
    target: jax.Array | None = None


class Batch(NamedTuple):
    """Utterances and their labels."""

    utterances: Utterances
    labels: Labels


class Losses(NamedTuple):
    """The two terms of the objective for every utterance, float[B], and the views of h.

    Attributes:
      emotion: the cross-entropy of the emotion, or the loss of a regression.
      defence: what the defence adds, the losses of the adversaries included.
      views: {view: float[B, D]}, those that adversaries read.
    """

    emotion: jax.Array
    defence: jax.Array
    views: Mapping[str, jax.Array]


def objective(
    architecture: Architecture,
    params: PyTree,
    key: jax.Array,
    batch: Batch,
    fold: Fold,
    run: Run,
    lambda_: Mapping[str, jax.Array],
) -> Losses:
    """The function that training minimises, for every utterance.

    For the defence `grl`, with R_lambda the gradient reversal of strength lambda, it is

        L = CE(emotion_head(h), emotion)
            + sum over attributes a and their views of CE(adversary_a(R_lambda_a(view)), label_a)

    A regression has a loss of `regression.LOSSES` in place of the first cross-entropy. The
    adversaries minimise their losses; the encoders minimise the emotion loss and maximise each
    adversary's loss with strength lambda_a. Each defence in `defences.py` applies lambda; the
    caller applies its schedule.

    Args:
      key: the random key for dropout.
      fold: supplies the class weights.
      run: selects the defence.
      lambda_: {attribute: scalar}, the strength at this step of the schedule.
    """
    net, (utterances, labels) = architecture.net, batch
    bound = net.bind({"params": params}, rngs={"dropout": key})
    views = bound.encode(utterances, train=True)
    emotion = _emotion_loss(architecture, bound.emotion(views[JOINT]), labels, fold)
    adversary_inputs = {view: views[view] for view in net.views()}
    strata = _strata(net, labels.task)
    arguments = (adversary_inputs, strata, labels.private, fold.private_weights, lambda_)
    adversary = adversary_of(net, params, labels.task)
    defences = [partial(DEFENCES[name], adversary) for name in architecture.defences]
    penalty = jax.lax.switch(run.defence, defences, *arguments)
    return Losses(emotion, penalty, adversary_inputs)


def _emotion_loss(
    architecture: Architecture, outputs: jax.Array, labels: Labels, fold: Fold
) -> jax.Array:
    """float[B], 0 where the label is unknown."""
    if labels.target is None:
        return cross_entropy(outputs, labels.task, fold.task_weights)
    loss = LOSSES[architecture.regression_loss]
    return loss(outputs[:, 0], labels.target, jnp.ones(len(outputs), bool))


def _strata(net: EmotionNet, task: jax.Array) -> jax.Array:
    """float[B, S]: one stratum, or one for each emotion if adversaries are given the emotion."""
    if net.adversary_given == "emotion":
        return jax.nn.one_hot(task, net.num_classes)
    return jnp.ones((len(task), 1))
