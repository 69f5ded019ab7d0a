"""The objective of the emotion network: its loss and lambda times the adversaries' losses."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.networks.emotion_net import JOINT, EmotionNet, adversary_of
from privrep.training.losses import cross_entropy
from privrep.types import Size
from privrep.unlearning.defences import DEFENCES

# The training adversaries, or an attacker that learns anew from h after every epoch.
LEAKS = ("adversary", "fresh")
PRECISIONS = ("float32", "tensorfloat32", "bfloat16")  # 24, 11 and 8 bits of the factors count


class Architecture(NamedTuple):
    """Everything about a network that is compiled in.

    Attributes:
      net: the network.
      defences: names in DEFENCES, of which each run has one (`Run.defence`).
      schedule: of lambda, a name in SCHEDULES.
      selection: how the epoch is chosen, a name in SELECTIONS.
      precision: of the products, one of PRECISIONS; sums and parameters are float32.
      longest: (T, L), room for the longest utterance.
      fill: see `batches.batch_of`.
      adversary_steps: of the adversaries for each step of the encoders; see `adversaries.beside`.
      adversary_memory: utterances that the further ones draw from.
      adversary_restart: steps after which one adversary begins anew; 0: never.
      leak: who tells `selection` what leaks, one of LEAKS.
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


def objective(architecture: Architecture, params, key, utterances, labels, fold, run, lambda_):
    """What is minimised, for every utterance: emotion loss plus what the defence adds.

        L = CE(emotion(h), emotion) + sum_a CE(adversary_a(R_lambda_a(view)), a)

    with R the gradient reversal of the defence `grl`: the adversaries minimise their losses, and
    the encoders maximise them with strength lambda_a while minimising the emotion loss.

    Args:
      labels: (emotion int32[B], {attribute: int32[B]}).
      fold: for its class weights.
      run: for its defence.
      lambda_: {attribute: scalar}, the strength now.

    Returns:
      (emotion loss [B], adversaries' loss [B], views); the objective is the sum of the losses.
    """
    net = architecture.net
    bound = net.bind({"params": params}, rngs={"dropout": key})
    views = bound.encode(utterances, train=True)
    task, private = labels
    emotion = cross_entropy(bound.emotion(views[JOINT]), task, fold.task_weights)
    read = {view: views[view] for view in net.views()}
    given = (read, _strata(net, task), private, fold.private_weights, lambda_)
    adversary = adversary_of(net, params, task)
    added = [partial(DEFENCES[name], adversary) for name in architecture.defences]
    return emotion, jax.lax.switch(run.defence, added, *given), read


def _strata(net: EmotionNet, task):
    """float[B, S]: all utterances together, or where adversaries are told the emotion by that."""
    if net.adversary_given == "emotion":
        return jax.nn.one_hot(task, net.num_classes)
    return jnp.ones((len(task), 1))
