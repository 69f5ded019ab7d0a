"""Heads of further tasks: what a head asks for, h keeps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from privrep.inputs.packing import PackingSettings, pack
from privrep.parallel.run_axis import share, take
from privrep.training.fit import fit
from privrep.training.losses import cross_entropy
from privrep.types import Corpus
from privrep.unlearning.training_problem import network_problem
from tests.support import small_data
from tests.support.small_networks import LIGHT, PACKED, SETTINGS, run_table

UTTERANCES, FRAMES, WORDS = small_data.corpus()
NET = LIGHT.net.clone(further=FrozenDict(length=3))


@pytest.fixture(scope="module")
def data():
    """The small corpus with a further task, in utterances of which some lack it."""
    lengths = np.unique(FRAMES.length, return_inverse=True)[1].astype(np.int32)
    length = np.where(np.arange(len(lengths)) % 7 == 3, -1, lengths)
    folds = PACKED.data.folds
    count = len(folds.task)
    weights = np.ones((count, 3), np.float32)
    folds = folds._replace(
        further={"length": np.stack([length] * count)}, further_weights={"length": weights}
    )
    return PACKED.data._replace(folds=folds)


def gradient_of(architecture, data, params):
    rows = np.flatnonzero(data.folds.split.train[0])[:8].astype(np.int32)
    run = take(run_table(), 0)

    @partial(jax.jit, static_argnums=0)
    def compute(architecture, data, params):
        problem = network_problem(architecture, data, run)
        return problem.gradient(params, (), run.key, rows, np.ones(8, np.float32), 0.5)[:2]

    return rows, compute(architecture, share(data), params)


def test_the_loss_of_a_further_head_is_added_and_reaches_the_encoders(data):
    architecture = LIGHT._replace(net=NET)
    run = take(run_table(), 0)
    params = network_problem(architecture, share(data), run).init(run.key)
    rows, (sums, gradient) = gradient_of(architecture, data, params)
    plain = {name: part for name, part in params.items() if name != "further_heads_length"}
    _, (sums_without, without) = gradient_of(LIGHT, PACKED.data, plain)
    assert {*sums} - {*sums_without} == {"further"}
    for name in sums_without:
        np.testing.assert_allclose(sums[name], sums_without[name], rtol=1e-5)

    def further(params):
        problem = network_problem(architecture, share(data), run)
        h = problem.outputs(params, jnp.asarray(rows))["joint"]
        logits = NET.apply({"params": params}, h, method="further_tasks")["length"]
        labels = data.folds.further["length"][0][rows]
        return cross_entropy(logits, labels, jnp.ones(3)).sum() / 8

    expected = jax.grad(further)(params)
    np.testing.assert_allclose(sums["further"] / 8, further(params), rtol=1e-4)
    for name in ("encoders_acoustic", "emotion_head"):
        both = jax.tree.map(jnp.add, without[name], expected[name])
        close = partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)
        jax.tree.map(close, gradient[name], both)


def test_it_is_learned_and_choice_is_by_the_task_itself(data):
    architecture = LIGHT._replace(net=NET, selection="emotion")
    settings = SETTINGS._replace(max_epochs=8, patience=8)
    *_, last = fit(network_problem, architecture, settings, share(data), run_table())
    first, *_ = fit(network_problem, architecture, settings, share(data), run_table())
    loss = "train_further_loss"
    assert last.history[loss][0] < first.history[loss][0]  # of row 2 the encoders rest
    np.testing.assert_array_equal(last.history["selection"], last.history["val_emotion_uar"])


def test_packing_names_and_weighs_them():
    settings = PackingSettings(
        task="activation", private=("gender",), bins="tertiles", further=("mood",)
    )
    named = [
        utterance.__class__(**{**vars(utterance), "categories": {"mood": ("sad", "glad")[i % 2]}})
        for i, utterance in enumerate(UTTERANCES)
    ]
    packed = pack(
        named, Corpus(FRAMES, WORDS, None), small_data.split(), settings, small_data.VOCABULARY
    )
    assert dict(packed.num_further) == {"mood": 2}
    regression = settings.__class__(**{**vars(settings), "bins": "continuous"})
    beside = pack(
        named, Corpus(FRAMES, WORDS, None), small_data.split(), regression, small_data.VOCABULARY
    )
    assert dict(beside.num_further) == {"mood": 2}
    np.testing.assert_array_equal(
        packed.data.folds.further["mood"][0], (np.arange(len(named)) + 1) % 2
    )
    assert packed.data.folds.further_weights["mood"].shape == (2, 2)
    with pytest.raises(ValueError, match=r"further task 'absent' \(--further_tasks\): no task"):
        pack(
            named,
            Corpus(FRAMES, WORDS, None),
            small_data.split(),
            settings.__class__(**{**vars(settings), "further": ("absent",)}),
            small_data.VOCABULARY,
        )
