"""Released h and scores equal one plain pass over the whole corpus."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.parallel.run_axis import share, take
from privrep.training.batches import gather
from privrep.unlearning.collapse import collapsed, effective_rank
from privrep.unlearning.released_h import represent
from privrep.unlearning.releases import RELEASES
from tests.support.small_networks import (
    ARCHITECTURE,
    FOLDS,
    LAMBDA,
    PACKED,
    UTTERANCES,
    run_table,
    trained,
)

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(scope="module")
def steps(quickly_compiled):
    return trained(PACKED.data)


@pytest.fixture(scope="module")
def released(steps):
    return represent(ARCHITECTURE, PACKED.data, run_table(), steps[-1][0].best)


@partial(jax.jit, static_argnums=0)
def outputs_of_all(net, params, data, inputs):
    """h and logits of the whole corpus as one batch at the largest length, in its order."""
    index = jnp.arange(len(UTTERANCES))
    utterances = gather(data.corpus, inputs, index, PACKED.longest)
    bound = net.bind({"params": params})
    return bound.encode(utterances)["joint"], *bound(utterances)


def recall(logits, labels, where):
    where = where & (labels >= 0)
    if not where.any():
        return np.nan
    hit = np.argmax(logits, -1) == labels
    return np.mean([hit[where & (labels == c)].mean() for c in np.unique(labels[where])])


def test_represent_is_h_in_the_order_of_the_corpus_and_scores_by_part(steps, released):
    h, scores, _ = released
    assert h.shape == (4, len(UTTERANCES), 8) and h.dtype == np.float32
    expected_scores = {}
    for row, fold in enumerate(run_table().fold):
        params, of_fold = take(steps[-1][0].best, row), take(FOLDS, fold)
        whole, emotion, adversaries = outputs_of_all(
            ARCHITECTURE.net, params, share(PACKED.data), of_fold.inputs
        )
        np.testing.assert_allclose(h[row], whole, rtol=1e-4, atol=1e-5)
        for part, where in of_fold.split._asdict().items():
            actual = {f"{part}_emotion_uar": recall(emotion, of_fold.task, where)}
            for attribute, views in adversaries.items():
                labels = of_fold.private[attribute]
                each = [recall(logits[:, 0], labels, where) for logits in views.values()]
                actual[f"{part}_{attribute}_adversary_uar"] = np.max(each)
                if part == "train":
                    answers = [np.asarray(x[:, 0])[where].argmax(1) for x in views.values()]
                    shares = [np.bincount(a).max() / len(a) for a in answers]
                    actual[f"train_{attribute}_adversary_constant"] = np.min(shares)
            for name, value in actual.items():
                expected_scores.setdefault(name, []).append(value)
        rank = effective_rank(h[row], of_fold.split.train)
        val = recall(emotion, of_fold.task, of_fold.split.val)
        lost = collapsed(val, of_fold.task, 3, of_fold.split.val, rank)
        for name, value in {"h_rank": rank, "collapsed": lost}.items():
            expected_scores.setdefault(name, []).append(value)
    assert set(scores) == set(expected_scores)
    for name, values in expected_scores.items():
        near = 6e-4 if name == "h_rank" else 1e-6  # that is rounded
        np.testing.assert_allclose(scores[name], values, atol=near, rtol=1e-4, err_msg=name)


def test_emotion_is_scored_behind_the_release(steps, released):
    """Noise beyond measure leaves h and emotion to chance, and the adversary what it read."""
    runs = run_table()
    loud = runs._replace(
        release=np.full(4, tuple(RELEASES).index("noise"), np.int32),
        release_lambda={a: np.float32([0, 0, 1e6, 1e6]) for a in LAMBDA},
    )
    h, scores, _ = represent(ARCHITECTURE, PACKED.data, loud, steps[-1][0].best)
    np.testing.assert_allclose(h[:2], released[0][:2], rtol=1e-4, atol=1e-5)
    assert (np.abs(h[2:]).max(1) > 1e4).any(-1).all()
    for name, value in released[1].items():
        if name.endswith("emotion_uar"):
            np.testing.assert_allclose(scores[name][:2], value[:2], atol=1e-6)
        elif name != "collapsed":
            np.testing.assert_allclose(scores[name], value, atol=1e-6, rtol=1e-4, err_msg=name)
    assert scores["train_emotion_uar"][3] < 0.5 < released[1]["train_emotion_uar"][3]


def test_validation_scores_are_those_of_the_best_epoch(steps, released):
    _, scores, _ = released
    best = steps[-1][0].best_epoch
    for name in ("val_emotion_uar", "val_gender_adversary_uar"):
        of_best = [steps[epoch - 1][1][name][row] for row, epoch in enumerate(best)]
        np.testing.assert_allclose(scores[name], of_best, atol=1e-6)
