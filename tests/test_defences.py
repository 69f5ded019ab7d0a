"""What a defence adds to the gradient, and what it lets out."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from privrep.defences import DEFENCES
from privrep.losses import cross_entropy
from privrep.models import PLACEMENTS, adversary_of
from tests.small_data import average_net, padded

BATCH = padded(num_frames=(6, 2, 5, 4), num_words=(3, 1, 2, 2))
EMOTION = np.array([0, 2, 1, 2], np.int32)
PRIVATE = {"gender": np.array([0, 1, -1, 1], np.int32), "accent": np.array([2, -1, 0, 1], np.int32)}
UNKNOWN = {attribute: np.full(4, -1, np.int32) for attribute in PRIVATE}
WEIGHTS = {"gender": np.float32([0.7, 1.6]), "accent": np.float32([1, 0.5, 2])}
LAMBDA = {"gender": np.float32(0.5), "accent": np.float32(2)}
# Those that differ in training: the first defence of each loss.
LOSSES = sorted({DEFENCES[name].loss: name for name in reversed(DEFENCES)}.values())
ZERO = {"gender": np.float32(0), "accent": np.float32(0)}


@pytest.fixture(scope="module", params=PLACEMENTS)
def net(request):
    return average_net(request.param)


@pytest.fixture(scope="module")
def params(net):
    shapes = jax.eval_shape(lambda key: net.init(key, BATCH)["params"], jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: rng.normal(0, 0.7, a.shape).astype("f"), shapes)


@partial(jax.jit, static_argnums=(0, 1))
def added(net, name, params, private, lambda_):
    """The defence's loss per utterance, and the gradient of its sum."""

    def loss(params):
        bound = net.bind({"params": params})
        adversary = adversary_of(net, params)
        each = DEFENCES[name].loss(adversary, bound.encode(BATCH), private, WEIGHTS, lambda_)
        return each.sum(), each

    gradient, each = jax.grad(loss, has_aux=True)(params)
    return each, gradient


@partial(jax.jit, static_argnums=(0, 1))
def guessing(net, attribute, params):
    """The gradient of the attribute's adversaries' loss as if nobody resisted."""

    def loss(params):
        bound = net.bind({"params": params})
        logits = bound.adversary(attribute, bound.encode(BATCH))
        labels, weights = PRIVATE[attribute], WEIGHTS[attribute]
        return sum(cross_entropy(x, labels, weights).sum() for x in logits.values())

    return jax.grad(loss)(params)


def groups(gradient):
    """(of the encoders, of the adversaries, of the emotion head)."""
    names = "encoders", "adversaries", "emotion_head"
    return [{k: v for k, v in gradient.items() if k.startswith(name)} for name in names]


def assert_equal(actual, expected):
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def assert_close(actual, expected):
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), actual, expected)


def test_grl_is_the_two_player_gradient(net, params):
    """Encoders: - lambda times each adversary's own gradient. Adversaries: their own gradient."""
    _, gradient = added(net, "grl", params, PRIVATE, LAMBDA)
    encoders, adversaries, head = groups(gradient)
    own = {attribute: guessing(net, attribute, params) for attribute in PRIVATE}
    gender, accent = (groups(own[attribute]) for attribute in ("gender", "accent"))
    assert_close(encoders, jax.tree.map(lambda g, a: -0.5 * g - 2 * a, gender[0], accent[0]))
    assert_close(adversaries, jax.tree.map(jnp.add, gender[1], accent[1]))
    assert all(np.any(leaf) for leaf in jax.tree.leaves((encoders, adversaries)))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(head))


def test_lambda_does_not_reach_the_adversaries(net, params):
    with_lambda, without = (added(net, "grl", params, PRIVATE, x) for x in (LAMBDA, ZERO))
    assert_equal(with_lambda[0], without[0])
    assert_equal(groups(with_lambda[1])[1], groups(without[1])[1])


def test_none_is_grl_with_lambda_zero(net, params):
    for strength in (LAMBDA, ZERO):
        none = added(net, "none", params, PRIVATE, strength)
        assert_equal(none, added(net, "grl", params, PRIVATE, ZERO))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(groups(none[1])[0]))


# Every defence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_one_number_per_utterance(net, params, name):
    each, _ = added(net, name, params, PRIVATE, LAMBDA)
    assert each.shape == (4,) and each.dtype == jnp.float32
    assert np.all(np.isfinite(each)) and np.all(each > 0)


@pytest.mark.parametrize("name", LOSSES)
def test_an_utterance_whose_attributes_are_unknown_adds_nothing(net, params, name):
    each, gradient = added(net, name, params, UNKNOWN, LAMBDA)
    assert not np.any(each) and not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))
    # One unknown among others: the others' numbers stay.
    some = PRIVATE | {"gender": np.array([0, -1, -1, -1], np.int32)}
    rest = PRIVATE | {"gender": np.array([-1, 1, -1, 1], np.int32)}
    none = PRIVATE | {"gender": np.full(4, -1, np.int32)}
    whole, *parts = (added(net, name, params, p, LAMBDA)[0] for p in (PRIVATE, some, rest, none))
    np.testing.assert_allclose(whole, parts[0] + parts[1] - parts[2], rtol=1e-5)


def kl(p, q):
    return float((p * np.log(p / q)).sum())


@pytest.mark.parametrize("name", ["uniform", "entropy"])
def test_confusion_asks_the_encoders_for_no_answer_and_leaves_the_adversary_alone(
    net, params, name
):
    """Loss: none's, and lambda times the answers' distance from uniform. Gradient: by its parts."""
    plain, alone = added(net, "none", params, PRIVATE, LAMBDA)
    each, gradient = added(net, name, params, PRIVATE, LAMBDA)
    assert_equal(groups(gradient)[1], groups(alone)[1])
    bound = net.bind({"params": params})
    expected = np.array(plain)
    for attribute, labels in PRIVATE.items():
        for logits in bound.adversary(attribute, bound.encode(BATCH)).values():
            answers = np.float64(jax.nn.softmax(logits))
            even = np.full(answers.shape[1], 1 / answers.shape[1])
            away = [kl(even, q) if name == "uniform" else kl(q, even) for q in answers]
            expected += LAMBDA[attribute] * np.where(labels >= 0, away, 0)
    np.testing.assert_allclose(each, expected, rtol=1e-5)
    # What the encoders get is the gradient of that distance: a small step against it shortens it.
    step = jax.tree.map(lambda p, g: p - 1e-3 * g, params, gradient)
    unmoved = {k: params[k] if k.startswith("adversaries") else step[k] for k in params}
    none = added(net, "none", unmoved, PRIVATE, LAMBDA)[0].sum()
    assert added(net, name, unmoved, PRIVATE, LAMBDA)[0].sum() - none < (each - plain).sum()


@pytest.mark.parametrize("name", LOSSES)
def test_nobody_resists_at_lambda_zero(net, params, name):
    assert_close(added(net, name, params, PRIVATE, ZERO), added(net, "none", params, PRIVATE, ZERO))
    _, gradient = added(net, name, params, PRIVATE, LAMBDA)
    resisted = any(np.any(leaf) for leaf in jax.tree.leaves(groups(gradient)[0]))
    assert resisted == DEFENCES[name].unlearns


# Release ------------------------------------------------------------------------------------------

H = np.random.default_rng(0).normal(size=(6, 5)).astype("f")
GENDERS = {"gender": np.array([0, 1, 0, 1, -1, 1], np.int32)}
SIZES = {"gender": 2}
TRAIN = np.array([True, True, True, True, False, False])


@pytest.mark.parametrize("name", DEFENCES)
def test_release_is_a_representation_of_every_utterance(name):
    release = partial(DEFENCES[name].release, jax.random.key(0))
    released = release(H, GENDERS, SIZES, TRAIN, LAMBDA)
    assert released.shape == H.shape and released.dtype == H.dtype
    assert np.all(np.isfinite(released))


@pytest.mark.parametrize("name", DEFENCES)
def test_release_learns_from_the_training_part_alone(name):
    """Another h or attribute of a test utterance changes nothing for the others."""
    release = partial(DEFENCES[name].release, jax.random.key(0))
    h, gender = H.copy(), GENDERS["gender"].copy()
    h[5], gender[5] = 40, 0
    released = release(H, GENDERS, SIZES, TRAIN, LAMBDA)
    changed = release(h, {"gender": gender}, SIZES, TRAIN, LAMBDA)
    np.testing.assert_array_equal(changed[:5], released[:5])


@pytest.mark.parametrize("name", DEFENCES)
def test_release_at_lambda_zero_lets_h_out_as_it_is(name):
    released = DEFENCES[name].release(jax.random.key(0), H, GENDERS, SIZES, TRAIN, ZERO)
    np.testing.assert_array_equal(released, H)


@pytest.mark.parametrize("name", ["none", "grl", "uniform", "entropy"])
def test_what_acts_in_training_lets_h_out_as_it_is(name):
    released = DEFENCES[name].release(jax.random.key(0), H, GENDERS, SIZES, TRAIN, LAMBDA)
    np.testing.assert_array_equal(released, H)


# What a release removes, and what it does not: gender is told by the sign of unit 0 and by the
# product of the signs of units 1 and 2; emotion by unit 3.


def leaking(num_rows=4000, seed=0):
    """h float32[N, 6], gender int32[N], emotion int32[N]."""
    rng = np.random.default_rng(seed)
    gender, emotion = rng.integers(0, 2, (2, num_rows), dtype=np.int32)
    h = rng.normal(size=(num_rows, 6))
    h[:, 0] += 2 * gender - 1
    h[:, 2] = np.abs(h[:, 2]) * np.where((h[:, 1] > 0) == (gender == 1), 1, -1)
    h[:, 3] += 2 * emotion - 1
    mixed = h @ np.linalg.qr(rng.normal(size=(6, 6)))[0] * np.float32([1, 1, 9, 1, 0.1, 1]) + 3
    return mixed.astype("f"), gender, emotion


def found(attacker, h, labels, train):
    return balanced_accuracy_score(
        labels[~train], attacker.fit(h[train], labels[train]).predict(h[~train])
    )


def after(name, lambda_):
    """Test UAR of (linear gender, non-linear gender, linear emotion) attackers on released h."""
    h, gender, emotion = leaking()
    train = np.arange(len(h)) < 3000
    known = np.where(np.arange(len(h)) % 7 == 0, -1, gender)
    h = np.asarray(
        DEFENCES[name].release(
            jax.random.key(3), h, {"gender": known}, SIZES, train, {"gender": np.float32(lambda_)}
        )
    )
    line = make_pipeline(StandardScaler(), LogisticRegression())
    curve = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression())
    return (
        found(line, h, gender, train),
        found(curve, h, gender, train),
        found(line, h, emotion, train),
    )


def test_leace_removes_the_linear_leak_alone():
    before, erased = after("none", 1), after("leace", 1)
    assert min(before[0], before[2]) > 0.8 and before[1] > 0.9
    assert abs(erased[0] - 0.5) < 0.04 and erased[1] > 0.8
    assert erased[2] == pytest.approx(before[2], abs=0.02)


def test_noise_removes_some_of_everything():
    before, little, much = (after("noise", lambda_) for lambda_ in (0, 1, 30))
    for kind in range(3):
        assert before[kind] - 0.05 > little[kind] > 0.53
        assert abs(much[kind] - 0.5) < 0.06


def test_noise_is_lambda_training_deviations_and_its_own_draw():
    h = np.float32([3, 0.1, 0]) * np.random.default_rng(0).normal(size=(5000, 3)).astype("f")
    train = np.arange(5000) < 2500
    h[2500:] *= 8  # deviations are the training part's
    noise = [
        np.asarray(DEFENCES["noise"].release(jax.random.key(k), h, {}, {}, train, LAMBDA)) - h
        for k in (0, 1)
    ]
    np.testing.assert_allclose(noise[0].std(0), 2 * h[train].std(0), rtol=0.05)
    assert abs(np.corrcoef(noise[0][:, 0], noise[1][:, 0])[0, 1]) < 0.1
