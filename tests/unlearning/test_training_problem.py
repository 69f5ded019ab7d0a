"""The networks' objective, training and outputs, against plain computations in float64."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.networks.kernels import gru as layers
from privrep.networks.kernels.convolution import plain_convolution
from privrep.parallel.run_axis import share, take
from privrep.training.fit import fit
from privrep.training.metrics import uar
from privrep.unlearning.fresh_lda import discriminant
from privrep.unlearning.released_h import represent
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import VOCABULARY, architecture, packed, relative_error
from tests.support.small_networks import (
    ARCHITECTURE,
    CORPUS,
    FOLDS,
    FRAMES,
    LAMBDA,
    LIGHT,
    PACKED,
    SETTINGS,
    UTTERANCES,
    WORDS,
    run_table,
    trained,
)

pytestmark = pytest.mark.usefixtures("quickly_compiled")
ATTRIBUTES = ("gender", "speaker")


def span_of(part, i) -> slice:
    """Where sequence `i` lies among the values of a `Ragged`."""
    return slice(part.start[i], part.start[i] + part.length[i])


@pytest.fixture(scope="module")
def steps():
    return trained(PACKED.data)


# The objective, by the definitions of its parts, one utterance at a time without padding. -----


def dense(part, x):
    return x @ part["kernel"] + part["bias"]


def states(part, x):
    gates = x @ part["kernel_0"] + part["bias_0"]
    return layers.plain_gru(gates, part["recurrent_0"], part["inner_bias_0"])


def acoustic(params, frames):
    x = frames[:, None]
    for i in (0, 1):
        x = plain_convolution(x, params[f"kernel_{i}"]) + params[f"bias_{i}"]
        x = jax.nn.relu(x)
        if i == 0:
            x = jnp.pad(x, ((0, len(x) % 2), (0, 0), (0, 0)), constant_values=-jnp.inf)
            x = x.reshape(-1, 2, *x.shape[1:]).max(1)
    h = states(params["GRU_0"], x).mean(0)
    return jax.nn.relu(dense(params["MLP_0"]["Dense_0"], h))[0]


def lexical(params, words):
    h = states(params["GRU_0"], params["table"][words][:, None]).mean(0)
    return jax.nn.relu(dense(params["MLP_0"]["Dense_0"], h))[0]


def plain_losses(params, frames, words, labels, weights):
    """(emotion loss, {attribute: its adversaries' loss}) of one utterance."""
    views = {
        "acoustic": acoustic(params["encoders_acoustic"], frames),
        "lexical": lexical(params["encoders_lexical"], words),
    }
    logits = {"emotion": [dense(params["emotion_head"], jnp.concatenate(list(views.values())))]}
    for attribute in ATTRIBUTES:
        heads = [(params[f"adversaries_{attribute}_{view}"], h) for view, h in views.items()]
        logits[attribute] = [dense(head["Dense_0"], h) for head, h in heads]

    def loss(name):
        known, weight = labels[name] >= 0, weights[name][labels[name]]
        each = (-jax.nn.log_softmax(x)[labels[name]] for x in logits[name])
        return jnp.where(known, weight * sum(each), 0)

    return {name: loss(name) for name in logits}


def two_player_gradient(params, rows, fold, lambda_):
    """Mean over `rows`: what each player descends, in float64.

    The emotion head its loss, each adversary its own, the encoders the emotion loss less lambda
    times each adversary's.
    """
    fold = take(FOLDS, fold)
    weights = {"emotion": fold.task_weights, **fold.private_weights}
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        slopes = jax.jit(jax.jacrev(plain_losses))
        params, weights = jax.tree.map(lambda a: np.asarray(a, np.float64), (params, weights))
        total = jax.tree.map(np.zeros_like, params)
        for i in rows:
            frames = CORPUS.frames.values[span_of(CORPUS.frames, i)]
            words = CORPUS.words.values[span_of(CORPUS.words, i)]
            frames = (frames.astype(np.float64) - fold.inputs.frame_mean) * fold.inputs.frame_scale
            labels = {"emotion": fold.task[i], **{a: fold.private[a][i] for a in ATTRIBUTES}}
            words = fold.inputs.word_index[words]
            of_loss = jax.tree.map(np.asarray, slopes(params, frames, words, labels, weights))
            for name, of_player in total.items():
                resists = name.startswith("encoders")
                factors = {a: -lambda_[a] if resists else 1.0 for a in ATTRIBUTES}
                parts = [of_loss["emotion"][name]] + [
                    jax.tree.map(lambda g, f=factors[a]: f * g, of_loss[a][name])
                    for a in ATTRIBUTES
                ]
                total[name] = jax.tree.map(lambda *g: sum(g), of_player, *parts)
        return jax.tree.map(lambda g: g / len(rows), total)


@pytest.mark.parametrize("fill", [None, 1, 0.25])
def test_the_gradient_is_that_of_two_players(fill):
    rows = np.array([0, 7, 1, 17, 6, 9, 15])
    assert set(CORPUS.frames.length[rows]) == {7, 31} and np.all(FOLDS.split.train[0][rows])
    assert -1 in FOLDS.task[0][rows] and -1 in FOLDS.private["gender"][0][rows]
    run, rng = take(run_table(), 0), np.random.default_rng(0)

    @jax.jit
    def gradient(data, params, index, weight):
        progress = 0.15  # half way up the linear schedule
        problem = network_problem(ARCHITECTURE._replace(fill=fill), data, run)
        return problem.gradient(params, (), run.key, index, weight, progress)[1]

    data = share(PACKED.data)
    shapes = jax.eval_shape(network_problem(ARCHITECTURE, data, run).init, run.key)
    params = jax.tree.map(lambda a: rng.normal(0.2, 0.5, a.shape).astype("f"), shapes)
    actual = gradient(data, params, np.append(rows, 0), np.float32([1] * 7 + [0]))
    half = {attribute: strength / 2 for attribute, strength in LAMBDA.items()}
    expected = two_player_gradient(params, rows, 0, half)
    silent = jax.tree.map(lambda leaf: not np.any(leaf), expected)
    assert not any(jax.tree.leaves(silent)), silent
    errors = jax.tree.map(relative_error, actual, expected)
    assert max(jax.tree.leaves(errors)) < 2e-5, errors


@pytest.mark.long
def test_bfloat16_changes_the_gradient_by_its_rounding():
    rows = np.nonzero(FOLDS.split.train[0])[0][:8].astype(np.int32)
    run = take(run_table(), 0)

    @partial(jax.jit, static_argnums=0)
    def gradient(precision, data, params):
        problem = network_problem(ARCHITECTURE._replace(precision=precision), data, run)
        return problem.gradient(params, (), run.key, rows, np.ones(8, np.float32), 0.5)[1]

    data = share(PACKED.data)
    params = network_problem(ARCHITECTURE, data, run).init(run.key)
    exact, rounded = (gradient(p, data, params) for p in ("float32", "bfloat16"))
    errors = jax.tree.leaves(jax.tree.map(relative_error, rounded, exact))
    assert 1e-3 < max(errors) < 0.2, errors


# Training -------------------------------------------------------------------------------------


def moved(before, after, row):
    """Names of the parts that changed in the run `row`."""
    return {
        name
        for name in before
        if any(
            np.any(a[row] != b[row])
            for a, b in zip(jax.tree.leaves(before[name]), jax.tree.leaves(after[name]))
        )
    }


def test_each_player_has_its_own_rate(steps):
    before, after = (fits.params for fits, _ in (steps[0], steps[-1]))
    adversaries = {name for name in before if name.startswith("adversaries")}
    assert len(adversaries) == 4  # two attributes, two modalities
    assert moved(before, after, 0) == set(before)
    assert moved(before, after, 1) == set(before) - adversaries
    assert moved(before, after, 2) == adversaries


def test_history_of_a_fold(steps):
    for _, history in steps:
        assert {"train_emotion_loss", "train_adversary_loss", "selection"} < set(history)
        assert np.all(np.isfinite(history["selection"]))
        # Validation speakers are unknown to an adversary that names training speakers.
        assert np.all(np.isnan(history["val_speaker_adversary_uar"]))
        leak = np.abs(history["val_gender_adversary_uar"] - 0.5)
        # The network without a lambda is chosen by emotion alone.
        expected = history["val_emotion_uar"] - leak * [1, 1, 1, 0]
        np.testing.assert_allclose(history["selection"], expected, atol=1e-6)
    assert steps[-1][1]["train_emotion_loss"][0] < steps[0][1]["train_emotion_loss"][0]


def test_test_utterances_change_no_parameter(steps):
    """Not by frames, words, rating or gender, though moments, bins and weights are learned."""
    test = 33
    assert FOLDS.split.test[0][test] and FOLDS.split.train[1][test]
    utterance = UTTERANCES[test]
    rating = 6 - utterance.ratings["activation"]
    other = {"female": "male", "male": "female"}[utterance.private["gender"]]
    changed = replace(utterance, ratings={"activation": rating}, private={"gender": other})
    utterances = (*UTTERANCES[:test], changed, *UTTERANCES[test + 1 :])

    frames, words = FRAMES.values.copy(), WORDS.values.copy()
    frames[span_of(FRAMES, test)] = 50 - 3 * frames[span_of(FRAMES, test)]
    # Words of its own become words that nobody has said: as many known words in every fold.
    unheard = np.setdiff1d(np.arange(1, VOCABULARY), words)
    elsewhere = np.delete(words, span_of(WORDS, test))
    mine = np.setdiff1d(words[span_of(WORDS, test)], elsewhere)
    assert 1 < len(mine) <= len(unheard)
    for word, new in zip(mine, unheard):
        words[words == word] = new
    others = packed(utterances, FRAMES._replace(values=frames), WORDS._replace(values=words))
    assert architecture(others) == ARCHITECTURE
    for (fits, history), (expected, expected_history) in zip(trained(others.data), steps):
        for row in (0, 1, 2):
            jax.tree.map(
                np.testing.assert_array_equal,
                take((fits, history), row),
                take((expected, expected_history), row),
            )
        # Fold 1 trains on it, which shows that there was something to see.
        assert moved(fits.params, expected.params, 3) == set(fits.params)


def test_only_a_defence_that_unlearns_is_chosen_by_what_is_left():
    data, runs, settings = share(PACKED.data), run_table(), SETTINGS._replace(max_epochs=1)
    for defence, unlearns in (("uniform", True), ("none", False)):
        changed = LIGHT._replace(defences=(defence,))
        (stage,) = fit(network_problem, changed, settings, data, runs)
        by_emotion_alone = stage.history["selection"] == stage.history["val_emotion_uar"]
        assert by_emotion_alone[3] and by_emotion_alone.all() != unlearns


def test_a_freshly_trained_attacker_measures_the_leakage_of_an_epoch(steps):
    data, runs = share(PACKED.data), run_table()
    stage = next(fit(network_problem, ARCHITECTURE._replace(leak="fresh"), SETTINGS, data, runs))
    plain, plain_history = steps[0]
    jax.tree.map(np.testing.assert_array_equal, stage.fits().params, plain.params)
    history = stage.history
    for name, scores in plain_history.items():
        if name != "selection":  # validation is scored on the same rows, whoever else is looked at
            np.testing.assert_allclose(history[name], scores, atol=1e-6, err_msg=name)
    h, *_ = represent(ARCHITECTURE, PACKED.data, runs, stage.fits().params)
    for row, fold in enumerate(np.asarray(runs.fold)):
        part, labels = take(PACKED.data.folds.split, fold), PACKED.data.folds.private["gender"]
        discriminants = discriminant(h[row], labels[fold], 2, part.train)
        expected = uar(discriminants, labels[fold], 2, part.val)
        np.testing.assert_allclose(history["val_gender_fresh_uar"][row], expected, atol=1e-6)
        leak = abs(expected - 0.5) * (fold == 0)  # where lambda is 0 emotion alone is looked at
        chosen_by = history["val_emotion_uar"][row] - leak
        np.testing.assert_allclose(history["selection"][row], chosen_by, atol=1e-6)


def test_the_attacker_of_the_choice_is_trained_where_an_epoch_may_be_chosen():
    """Before, the training part is not encoded for it; what is chosen is the same."""
    architecture = LIGHT._replace(leak="fresh", selection="emotion_within_leak")
    settings = SETTINGS._replace(max_epochs=4, patience=4, min_epochs=3)
    data, runs = share(PACKED.data), run_table()
    histories = [s.history for s in fit(network_problem, architecture, settings, data, runs)]
    fresh = np.stack([history["val_gender_fresh_uar"] for history in histories])
    assert np.isnan(fresh[:2]).all() and np.isfinite(fresh[2:]).all()
    always = settings._replace(min_epochs=1)
    *_, whole = fit(network_problem, architecture, always, data, runs)
    for name, values in whole.history.items():
        np.testing.assert_array_equal(histories[-1][name], values, err_msg=name)
    emotion = np.stack([history["val_emotion_uar"] for history in histories])
    assert np.isfinite(emotion).all()
