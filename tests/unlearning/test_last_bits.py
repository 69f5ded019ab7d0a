"""No release sends in its last bits what it should remove: an attacker in float64 has the rows."""

import doctest
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.types import InferenceSettings, Sample
from privrep.unlearning import kept_space as kept_space_module
from privrep.unlearning.emotion_subspace import emotion_subspace
from privrep.unlearning.kept_space import Affine, kept_space, send_kept
from privrep.unlearning.leace import leace
from privrep.unlearning.releases import RELEASES, ReleaseInputs
from tests.support.last_bits import EMOTIONS, KINDS, D, blurred, draw, last_bits_uar

SENDING = [name for name in RELEASES if name != "none"]
SETTINGS = InferenceSettings(folds=3, permutations=39)


def inputs_of(h, gender, emotion):
    """With the emotion head of a least-squares classifier."""
    x = np.float64(h) - h.mean(0, dtype=np.float64)
    # No head is trained to read a last bit.
    unit = np.where(x.std(0) < 1e-5 * np.abs(h).max(0), np.inf, x.std(0))
    kernel = 6 * np.linalg.lstsq(x / unit, np.eye(EMOTIONS)[emotion] - 0.25, rcond=1e-4)[0]
    kernel = (kernel / unit[:, None]).astype(np.float32)
    return ReleaseInputs(
        kernel=kernel,
        bias=np.float32(-h.mean(0, dtype=np.float64) @ kernel),
        task=emotion,
        private={"gender": gender},
        sizes={"gender": 2},
        train=np.ones(len(h), bool),
        lambda_={"gender": np.float32(1)},
    )


def map_of(name, h, inputs):
    """The linear map of a release before its image is rounded."""
    if name == "leace":
        return leace(h, inputs.private, inputs.sizes, inputs.train)
    labels, rest = inputs.private, (inputs.lambda_, inputs.sizes, inputs.train)
    return emotion_subspace(h, inputs.kernel, inputs.task, labels, *rest)


@partial(jax.jit, static_argnums=0)
def send(name, learned, h, head):
    return RELEASES[name].send(jax.random.key(0), h, learned, head)


@partial(jax.jit, static_argnums=0)
def learn(name, h, inputs):
    return RELEASES[name].learn(h, inputs._replace(sizes={"gender": 2}))


@cache
def sender(name, kind="plain"):
    """h float32[n, D] -> what is sent, of a release that was learned from draw(0, kind)."""
    h, gender, emotion, _ = draw(0, kind)
    inputs = inputs_of(h, gender, emotion)
    learned = learn(name, h, inputs._replace(sizes=None))
    return lambda rows: np.asarray(send(name, learned, rows, (inputs.kernel, inputs.bias)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SENDING)
def test_the_last_bits_of_every_release_reveal_nothing(name, kind):
    """To speakers that it was fitted on and to a hundred others: no more than without these bits.

    What a release leaves above them (all, of noise; what emotion reveals, of a decision) is another
    question.
    """
    for h, gender, _, speaker in (draw(0, kind), draw(1, kind)):
        sent = sender(name, kind)(h)
        uar = last_bits_uar(sent, gender, speaker)
        assert uar < 0.55 or uar < last_bits_uar(blurred(sent), gender, speaker) + 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SENDING)
def test_what_changes_h_in_its_last_bits_changes_hardly_anything_that_is_sent(name, kind):
    """Of a thousand utterances a few are near the border of two steps, or of two decisions."""
    h, of_h = draw(0, kind)[0], sender(name, kind)
    up = np.random.default_rng(0).random(h.shape) < 0.5
    other = np.nextafter(h, np.where(up, np.float32(1e9), np.float32(-1e9)))
    assert (other != h).all()
    assert (of_h(other) != of_h(h)).any(1).mean() < 0.05


@pytest.mark.parametrize("fitted_on", ["same speakers", "others"])
@pytest.mark.parametrize("name", ["leace", "subspace"])
def test_the_map_alone_leaks_through_rounding_and_the_release_does_not(name, fitted_on):
    h, gender, emotion, speaker = draw(0)
    map_ = map_of(name, jnp.asarray(h), inputs_of(h, gender, emotion))
    if fitted_on == "others":
        h, gender, _, speaker = draw(1)

    def measured(h):
        sample = Sample.of(h, gender, speaker)
        verdict = measure(sample, attackers={"linear": linear}, settings=SETTINGS).verdict
        return verdict.verdict, verdict.uar

    verdict, uar = measured(np.asarray(h @ map_.matrix + map_.offset[None]))
    assert verdict == "leaks" and uar > 0.6
    verdict, uar = measured(sender(name)(h))
    assert verdict != "leaks" and uar < 0.57


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["leace", "subspace", "posterior"])
def test_rounding_costs_no_emotion(name, kind):
    """Against the map in float64, on 10,000 unseen utterances, as the emotion head reads them."""
    h, gender, emotion, _ = draw(0, kind)
    inputs = inputs_of(h, gender, emotion)
    map_ = map_of(name, jnp.asarray(h), inputs)
    unseen, _, truth, _ = draw(1, kind, utterances=100)
    exact = np.float64(unseen) @ np.float64(map_.matrix) + np.float64(map_.offset)

    def uar(h):
        recognised = (np.float64(h) @ inputs.kernel + inputs.bias).argmax(1)
        return np.mean([(recognised == c)[truth == c].mean() for c in range(EMOTIONS)])

    assert uar(sender(name, kind)(unseen)) == pytest.approx(uar(exact), abs=0.002)
    assert uar(exact) > 0.5


def test_what_varies_in_no_training_utterance_is_not_sent():
    """A dead unit that lives again, and the difference of copies that differ again."""
    h, of_h = draw(0, "copies")[0], sender("leace", "copies")
    other = h.copy()
    other[:, 5] = 9
    sent = of_h(h)
    np.testing.assert_array_equal(of_h(other), sent)
    assert len(np.unique(sent[:, 5])) == 1
    other[:, 3] += 1
    np.testing.assert_allclose(of_h(other)[:, 3], of_h(other)[:, 2] - of_h(other)[:, 4], atol=1e-4)


def test_the_kept_space_has_a_coordinate_for_every_direction_that_the_map_keeps():
    """LEACE of C classes D - C + 1, the emotion subspace one less than emotions; one step apart."""
    h, gender, emotion, _ = draw(0)
    inputs, where = inputs_of(h, gender, emotion), np.ones(len(h), bool)
    for name, kept in (("leace", D - 1), ("subspace", EMOTIONS - 1)):
        map_ = map_of(name, jnp.asarray(h), inputs)
        space = kept_space(jnp.asarray(h), map_, where)
        assert (np.abs(space.encode).max(0) > 0).sum() == kept
        sent = np.asarray(send_kept(h, space))
        exact = np.float64(h) @ np.float64(map_.matrix) + np.float64(map_.offset)
        # Half a step, of 2^-10 deviations, in each of D coordinates at most.
        off = np.abs(sent - exact) / exact.std(0)
        assert off.max() < 2**-10 * np.sqrt(D) and off.max() > 1e-4
        numbers = (h - np.asarray(space.centre)) @ np.asarray(space.encode) / np.asarray(space.step)
        assert 900 < numbers.std(0).max() < 1150


def test_the_whole_of_an_ordinary_h_is_kept():
    h = draw(0)[0]
    identity = Affine(jnp.eye(D), jnp.zeros(D))
    sent = send_kept(h, kept_space(jnp.asarray(h), identity, np.ones(len(h), bool)))
    np.testing.assert_allclose(sent, h, atol=4e-3 * h.std())


def test_a_ten_millionth_of_a_column_is_gone():
    """The example of the docstring: no other column hides what the matrix leaves of this one."""
    outcome = doctest.testmod(kept_space_module)
    assert outcome.attempted > 1 and outcome.failed == 0


def test_a_regression_sends_its_prediction_in_steps():
    """In one direction, a step of 2^-10 deviations apart at least, as near as half of one."""
    h, gender, emotion, _ = draw(0)
    inputs = inputs_of(h, gender, emotion)
    inputs = inputs._replace(kernel=inputs.kernel[:, :1], bias=inputs.bias[:1])
    decision = RELEASES["decision"]
    learned = decision.learn(jnp.asarray(h), inputs)
    sent = np.float64(decision.send(None, jnp.asarray(h), learned, (inputs.kernel, inputs.bias)))
    exact, predicted = (np.float64(x) @ inputs.kernel[:, 0] for x in (h, sent))
    assert np.linalg.matrix_rank(sent - sent.mean(0), tol=1e-3) == 1
    apart = np.diff(np.unique(predicted))
    step = exact.std() * 2**-10
    assert apart.min() > 0.99 * step
    assert np.abs(predicted - exact).max() < 0.51 * step
