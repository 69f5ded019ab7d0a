"""The released h of trained networks, and the scores of each part of their fold."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg  # noqa: F401  # loads the BLAS that jax calls, which is limited below
from threadpoolctl import threadpool_limits

from privrep.networks.emotion_net import JOINT, EmotionNet
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
from privrep.unlearning import person_release, stand_ins
from privrep.unlearning.collapse import collapsed, collapsed_regression, effective_rank
from privrep.unlearning.objective import Architecture, BatchLabels
from privrep.unlearning.person_release import PERSON_RELEASES, Shrinkage
from privrep.unlearning.releases import (
    OF_LINEAR_HEAD,
    RELEASES,
    Head,
    Learned,
    ReleaseInputs,
)
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
    # The factorisations are small: on busy cores a BLAS of several threads takes 100 times as long.
    with threadpool_limits(1, "blas"):
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
    labels = BatchLabels(fold.task, fold.private, data.speaker, fold.target)
    encoded = _in_order(data.blocks.reshape(-1), flat(blocks), len(fold.task))
    is_known = _of_state(data)
    running = architecture.running
    views = own_views(architecture, run, encoded, data.speaker, is_known, running)
    with jax.default_matmul_precision(architecture.precision):
        outputs = heads(net, params, views, labels)
    kernel, bias = _linear_head(net, params) or (None, None)
    inputs = ReleaseInputs(
        kernel, bias, fold.task, fold.private, net.private, fold.split.train, run.release_lambda
    )
    # A release may solve an ill-conditioned system.
    with jax.default_matmul_precision("float32"):
        h, learned = _sent(architecture, data, run, params, encoded[JOINT], outputs.h, inputs)
    # The emotion scores include the cost of the release.
    emotion: Any = net.apply({"params": params}, h, method="emotion")
    released = outputs._replace(emotion=emotion)
    scores: dict[str, Any] = {}
    for part, where in fold.split._asdict().items():
        of_part = scores_of(net, released, labels, where & _is_scored(data))
        scores |= {f"{part}_{name}": value for name, value in of_part.items()}
    for attribute, of_views in outputs.adversaries.items():
        shares = [
            constant_share(logits[:, i], fold.split.train)
            for logits in of_views.values()
            for i in range(logits.shape[1])
        ]
        scores[f"train_{attribute}_adversary_constant"] = jnp.stack(shares).min()
    if data.enrolled is not None and not net.is_regression:
        classes = outputs.emotion.argmax(1)
        scores["one_emotion_enrolments"] = _of_one_class(classes, data, fold.split.test)
    rank = effective_rank(outputs.h, fold.split.train)
    # The rounding error of its sums depends on the number of devices: it is rounded to 0.001.
    scores["h_rank"] = jnp.round(rank, 3)
    val = fold.split.val & _is_scored(data)
    emotion = scores[f"val_{emotion_score(net)}"]
    if net.is_regression:
        scores["collapsed"] = collapsed_regression(emotion, fold.target, val)
    else:
        scores["collapsed"] = collapsed(emotion, fold.task, net.num_classes, val, rank)
    return h, scores, learned


def _linear_head(net: EmotionNet, params: PyTree) -> Head | None:
    """Kernel and bias of the emotion head; None where it has hidden layers."""
    if net.head_layers > 1:
        return None
    return params["emotion_head"]["kernel"], params["emotion_head"]["bias"]


def _sent(
    architecture: Architecture,
    data: Data,
    run: Run,
    params: PyTree,
    encoded: jax.Array,
    h: jax.Array,
    inputs: ReleaseInputs,
) -> tuple[jax.Array, Learned]:
    """What is sent of all utterances, and what the release has learned.

    Args:
      encoded: float[N, D], h with the speakers' means, of which a person's state is made.
      h: as the emotion head reads it.
    """
    key = reserved_key(run.key, ReservedKey.RELEASE_NOISE)
    head, none = (inputs.kernel, inputs.bias), RELEASES["none"]
    is_linear, answers = inputs.kernel is not None, None
    names = [name if is_linear or name not in OF_LINEAR_HEAD else "none" for name in RELEASES]
    learns = [partial(RELEASES[name].learn, inputs=inputs) for name in names]
    sends: list[Any] = [partial(RELEASES[name].send, key, head=head) for name in names]
    if not is_linear:
        emotion: Any = partial(architecture.net.apply, {"params": params}, method="emotion")
        answers = stand_ins.learn(emotion, h, inputs.train)
        sends[tuple(RELEASES).index("decision")] = partial(_stand_in, answers, emotion)
    # What the releases with a state have learned is beside the switch, of one form for all.
    learns += [partial(none.learn, inputs=inputs)] * len(PERSON_RELEASES)
    by_state: list[Any] = [partial(none.send, key, head=head)] * len(PERSON_RELEASES)
    person = None
    if architecture.num_speakers:
        shrinkage = Shrinkage(n0=architecture.n0)
        person = person_release.learn(encoded, data.speaker, inputs.train, shrinkage)
        # A head that was trained on an h with means is given one of the training speakers'.
        centre = jnp.where(run.relative, 0, person.mean)[None]

        def send(release: person_release.PersonRelease, h: jax.Array, _: Learned) -> Any:
            del h
            is_known, size = _of_state(data), architecture.num_speakers
            states = person_release.enrol_all(encoded, data.speaker, is_known, size)
            how = (person, shrinkage, release)
            if architecture.running:
                sent = person_release.send_running(encoded, data.speaker, states, is_known, *how)
            else:
                sent = person_release.send_all(encoded, data.speaker, states, *how)
            return sent + centre

        by_state = [partial(send, release) for release in PERSON_RELEASES.values()]
    sends += by_state
    learned = jax.lax.switch(run.release, learns, h)
    sent = jax.lax.switch(run.release, sends, h, learned)
    return sent, learned._replace(person=person, stand_ins=answers)


def _stand_in(
    answers: stand_ins.StandIns, emotion: Callable, h: jax.Array, learned: Learned
) -> jax.Array:
    """The release `decision` of an emotion head that is not linear."""
    return jnp.where(learned.protects, stand_ins.send(answers, emotion(h)), h)


def _of_state(data: Data) -> jax.Array:
    """bool[N], the utterances from which the state of their person is taken."""
    return jnp.ones(len(data.speaker), bool) if data.enrolled is None else data.enrolled


def _is_scored(data: Data) -> jax.Array:
    """bool[N], the utterances that may be scored."""
    return jnp.ones(len(data.speaker), bool) if data.enrolled is None else ~data.enrolled


def _of_one_class(classes: jax.Array, data: Data, where: jax.Array) -> jax.Array:
    """The number of persons in `where` all of whose enrolled utterances are of one class."""
    counts = _of_state(data) & where & (data.speaker >= 0)
    person = jnp.where(counts, data.speaker, len(classes))
    highest = jax.ops.segment_max(classes, person, len(classes))
    lowest = jax.ops.segment_min(classes, person, len(classes))
    is_there = jax.ops.segment_sum(counts.astype(jnp.int32), person, len(classes)) > 0
    return (is_there & (highest == lowest)).sum()


def _in_order(index: jax.Array, views: Views, count: int) -> Views:
    """The views of utterances `index` (-1 for padding) as rows [N, D] in the corpus's order."""
    position = jnp.where(index >= 0, index, count)
    return jax.tree.map(
        lambda a: jnp.zeros((count, *a.shape[1:])).at[position].set(a, mode="drop"), views
    )
