"""The objective of the emotion network: its loss plus what the defence adds."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.networks.emotion_net import JOINT, EmotionNet, adversary_of
from privrep.networks.frame_masks import MaskSettings
from privrep.parallel.run_axis import Run
from privrep.training.losses import cross_entropy
from privrep.training.regression import LOSSES
from privrep.types import Fold, Size, Utterances
from privrep.unlearning.defences import DEFENCES, MEASURES, DependenceRows
from privrep.unlearning.rows import Rows, joined, moments, relative, same_speaker

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
        `adversaries.step_hook`.
      adversary_restart: steps after which one adversary is initialised anew; 0: never.
      memory: the number of latest utterances, the batch among them, over which speakers' means,
        `mmd` and `hsic` are taken and from which the further steps of the adversaries draw. A
        larger batch is used in full.
      matched: what `mmd` and `hsic` match: "attribute" the classes of each private attribute,
        "speaker" all speakers, for which no label of the attribute is needed.
      relative: whether some run of the program has an h relative to the speaker (`Run.relative`).
      num_speakers: S, of whom states are kept; 0 where no run has a release of PERSON_RELEASES.
      n0: see `person_release.Shrinkage`.
      running: whether a speaker's state, and the mean that is subtracted from h, are updated after
        every utterance; else they stay as estimated from the enrolled utterances.
      leak: whose UAR counts as leakage in `selection`, one of LEAKS.
      regression_loss: of a regression, a name in `regression.LOSSES`.
      masks: over the frames of training batches.
    """

    net: EmotionNet
    defences: tuple[str, ...]
    schedule: str
    selection: str
    precision: str
    longest: Size
    fill: float | None
    adversary_steps: int = 1
    adversary_restart: int = 0
    memory: int = 256
    matched: str = "attribute"
    relative: bool = False
    num_speakers: int = 0
    n0: float = 5.0
    running: bool = False
    leak: str = LEAKS[0]
    regression_loss: str = "ccc"
    masks: MaskSettings = MaskSettings()


class BatchLabels(NamedTuple):
    """Labels of utterances.

    Attributes:
      task: int32[B], the emotion, -1 unknown.
      private: {attribute: int32[B]}, -1 unknown.
      speaker: int32[B], -1 unknown.
      target: float32[B], of a regression, see `types.Fold`; else None.
      further: {task: int32[B]}, likewise.
    """

    task: jax.Array
    private: Mapping[str, jax.Array]
    speaker: jax.Array
    target: jax.Array | None = None
    further: Mapping[str, jax.Array] | None = None


class Batch(NamedTuple):
    """The utterances of a step.

    Attributes:
      is_valid: bool[B], False for padding.
      memory: the latest rows before these utterances; None where none are kept.
    """

    utterances: Utterances
    labels: BatchLabels
    is_valid: jax.Array
    memory: Rows | None = None


class Losses(NamedTuple):
    """The terms of the objective for every utterance, float[B], and the rows of the batch.

    Attributes:
      emotion: the cross-entropy of the emotion, or the loss of a regression.
      further: the mean cross-entropy of the further tasks, 0 without any.
      defence: what the defence adds, the losses of the adversaries included.
      rows: of h, as encoded: no speaker's mean is taken off.
    """

    emotion: jax.Array
    further: jax.Array
    defence: jax.Array
    rows: Rows


def keeps_rows(architecture: Architecture) -> bool:
    """Whether the latest rows of h are kept from step to step."""
    net = architecture.net
    if architecture.relative or not MEASURES.isdisjoint(architecture.defences):
        return True
    further = architecture.adversary_steps > 1 or architecture.adversary_restart > 0
    return bool(net.private) and (further or net.adversary_input == "standardised")


def seen(architecture: Architecture, run: Run, rows: Rows) -> Rows:
    """The rows as emotion head and adversaries of the run read them; see `rows.relative`."""
    if not architecture.relative:
        return rows
    return jax.tree.map(partial(jnp.where, run.relative), relative(rows), rows)


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

    The further tasks add the mean of their cross-entropies. A regression has a loss of
    `regression.LOSSES` in place of the first cross-entropy. The adversaries minimise their losses;
    the encoders minimise the emotion loss and maximise each adversary's loss with strength
    lambda_a. Each defence in `defences.py` applies lambda; the caller applies its schedule.

    In a run of relative h every h above is h less the speaker's mean over the rows of the batch and
    the memory.

    Args:
      key: the random key for dropout.
      fold: supplies the class weights.
      run: selects the defence.
      lambda_: {attribute: scalar}, the strength at this step of the schedule.
    """
    net, labels, size = architecture.net, batch.labels, len(batch.is_valid)
    bound = net.bind({"params": params}, rngs={"dropout": key})
    views = bound.encode(batch.utterances, train=True)
    encoded = rows_of(net, views, batch)
    rows = encoded
    if batch.memory is not None:
        rows = joined(encoded, batch.memory, architecture.memory)
    rows = seen(architecture, run, rows)
    views = {name: view[:size] for name, view in rows.views.items()}
    emotion = _emotion_loss(architecture, bound.emotion(views[JOINT], train=True), labels, fold)
    measured = _dependence_rows(architecture, rows, fold)
    params, read = _in_units(net, params, views, batch.is_valid)
    arguments = (read, labels.private, measured, fold.private_weights, lambda_)
    adversary = adversary_of(net, params, labels.task)
    defences = [partial(DEFENCES[name], adversary) for name in architecture.defences]
    penalty = jax.lax.switch(run.defence, defences, *arguments)
    further = _further_loss(bound.further_tasks(views[JOINT]), labels, fold)
    return Losses(emotion, further, penalty, encoded)


def _in_units(
    net: EmotionNet, params: PyTree, views: Mapping[str, jax.Array], is_valid: jax.Array
) -> tuple[PyTree, Mapping[str, jax.Array]]:
    """Views standardised by the batch's moments, and parameters whose `Units` are the identity.

    The gradient includes the moments, so that it has no part along the scale of h. If it did not
    pass through them, scaling h up at every step would lower the adversaries' accuracy.
    """
    if net.adversary_input != "standardised" or not net.private:
        return params, views
    identity, read = {}, dict(views)
    for name in net.views():
        of_view = moments(views[name], is_valid)
        read[name] = (views[name] - of_view["mean"][None]) / of_view["deviation"][None]
        unchanged = {"mean": jnp.zeros_like, "deviation": jnp.ones_like}
        identity[f"units_{name}"] = {key: of(of_view[key]) for key, of in unchanged.items()}
    return params | identity, read


def rows_of(net: EmotionNet, views: Mapping[str, jax.Array], batch: Batch) -> Rows:
    """The rows of a batch: h and the views that adversaries read."""
    used = {view: views[view] for view in (*net.views(), JOINT)}
    labels = batch.labels
    return Rows(used, labels.task, labels.private, labels.speaker, batch.is_valid)


def _dependence_rows(architecture: Architecture, rows: Rows, fold: Fold) -> DependenceRows:
    """The rows over which `mmd` and `hsic` measure, and their classes and strata."""
    net = architecture.net
    classes = {
        a: jax.nn.one_hot(labels, len(fold.private_weights[a]))
        for a, labels in rows.private.items()
    }
    if architecture.matched == "speaker":
        # A speaker's class is the place of the first of the speaker's rows.
        same = same_speaker(rows)
        of_speaker = jax.nn.one_hot(same.argmax(1), len(same)) * same.any(1)[:, None]
        classes = dict.fromkeys(classes, of_speaker)
    is_valid = rows.is_valid[:, None]
    classes = {a: jnp.where(is_valid, of_class, 0) for a, of_class in classes.items()}
    return DependenceRows(rows.views, classes, jnp.where(is_valid, _strata(net, rows.task), 0))


def _emotion_loss(
    architecture: Architecture, outputs: jax.Array, labels: BatchLabels, fold: Fold
) -> jax.Array:
    """float[B], 0 where the label is unknown."""
    if labels.target is None:
        return cross_entropy(outputs, labels.task, fold.task_weights)
    loss = LOSSES[architecture.regression_loss]
    return loss(outputs[:, 0], labels.target, jnp.ones(len(outputs), bool))


def _further_loss(outputs: Mapping[str, jax.Array], labels: BatchLabels, fold: Fold) -> jax.Array:
    """float[B]: the mean over the further tasks, 0 where a label is unknown or there is no task."""
    total = jnp.zeros(len(labels.task))
    if labels.further is None or fold.further_weights is None:
        return total
    for task, logits in outputs.items():
        total += cross_entropy(logits, labels.further[task], fold.further_weights[task])
    return total / max(len(outputs), 1)


def _strata(net: EmotionNet, task: jax.Array) -> jax.Array:
    """float[B, S]: one stratum, or one for each emotion if adversaries are given the emotion."""
    if net.adversary_given == "emotion":
        return jax.nn.one_hot(task, net.num_classes)
    return jnp.ones((len(task), 1))
