"""The loss and the gradient that each defence adds."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.networks.emotion_net import adversary_of
from privrep.training.losses import cross_entropy
from privrep.unlearning import dependence
from privrep.unlearning.defences import DEFENCES, DependenceRows
from privrep.unlearning.objective import Architecture, Batch, BatchLabels, objective
from tests.support.small_data import average_net, padded

SIZE = 8
BATCH = padded(num_frames=(6, 2, 5, 4) * 2, num_words=(3, 1, 2, 2) * 2)
EMOTION = np.array([0, 2, 1, 2, 0, 0, -1, 0], np.int32)
PRIVATE = {
    "gender": np.array([0, 1, -1, 1, 0, 1, 1, 1], np.int32),
    "accent": np.array([2, -1, 0, 1, 2, 0, 1, 2], np.int32),
}
UNKNOWN = {attribute: np.full(SIZE, -1, np.int32) for attribute in PRIVATE}
WEIGHTS = {"gender": np.float32([0.7, 1.6]), "accent": np.float32([1, 0.5, 2])}
LAMBDA = {"gender": np.float32(0.5), "accent": np.float32(2)}
ZERO = {"gender": np.float32(0), "accent": np.float32(0)}


@pytest.fixture(scope="module", params=("joint", "modality"))
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
        views = net.bind({"params": params}).encode(BATCH)
        views = {view: views[view] for view in net.views()}
        adversary = adversary_of(net, params, EMOTION)
        classes = {a: jax.nn.one_hot(of, len(WEIGHTS[a])) for a, of in private.items()}
        measured = DependenceRows(views, classes, jnp.ones((SIZE, 1)))
        each = DEFENCES[name](adversary, views, private, measured, WEIGHTS, lambda_)
        return each.sum(), each

    gradient, each = jax.grad(loss, has_aux=True)(params)
    return each, gradient


@partial(jax.jit, static_argnums=(0, 1))
def guessing(net, attribute, params):
    """The gradient of the attribute's adversaries' loss as if nobody resisted."""

    def loss(params):
        bound = net.bind({"params": params})
        logits = bound.adversary(attribute, bound.encode(BATCH), EMOTION)
        labels, weights = PRIVATE[attribute], WEIGHTS[attribute]
        return sum(cross_entropy(x[:, 0], labels, weights).sum() for x in logits.values())

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
    adversary_gradients = {attribute: guessing(net, attribute, params) for attribute in PRIVATE}
    gender, accent = (groups(adversary_gradients[attribute]) for attribute in ("gender", "accent"))
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


def test_of_several_in_a_program_each_run_has_its_own(net, params):
    """The loss and the gradient of the one that is named, as if no other were there."""
    labels = BatchLabels(EMOTION, PRIVATE, np.zeros(SIZE, np.int32))
    batch, fold = (
        Batch(BATCH, labels, np.ones(SIZE, bool)),
        SimpleNamespace(private_weights=WEIGHTS),
    )
    fold.task_weights = np.ones(3, np.float32)

    @partial(jax.jit, static_argnums=0)
    def of(defences, number):
        rest = ("constant", "emotion", "float32", (8, 8), None)
        run = SimpleNamespace(defence=number)

        def loss(params):
            key, made = jax.random.key(0), Architecture(net, defences, *rest)
            losses = objective(made, params, key, batch, fold, run, LAMBDA)
            return losses.defence.sum(), losses.defence

        return jax.grad(loss, has_aux=True)(params)

    several = ("grl", "mmd", "none", "uniform")
    for number, name in enumerate(several):
        assert_close(of(several, number), of((name,), 0))


# Every defence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEFENCES)
def test_loss_is_one_number_per_utterance(net, params, name):
    each, _ = added(net, name, params, PRIVATE, LAMBDA)
    assert each.shape == (SIZE,) and each.dtype == jnp.float32
    assert np.all(np.isfinite(each)) and each.sum() > 0


@pytest.mark.parametrize("name", DEFENCES)
def test_an_utterance_whose_attributes_are_unknown_adds_nothing(net, params, name):
    each, gradient = added(net, name, params, UNKNOWN, LAMBDA)
    assert not np.any(each) and not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))
    # One unknown among others: the others' numbers stay, unless they are of the batch as a whole.
    some = PRIVATE | {"gender": np.where(np.arange(SIZE) < 1, PRIVATE["gender"], -1)}
    rest = PRIVATE | {"gender": np.where(np.arange(SIZE) < 1, -1, PRIVATE["gender"])}
    none = PRIVATE | {"gender": UNKNOWN["gender"]}
    whole, *parts = (added(net, name, params, p, LAMBDA)[0] for p in (PRIVATE, some, rest, none))
    if name not in ("mmd", "hsic"):
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
        for logits in bound.adversary(attribute, bound.encode(BATCH), EMOTION).values():
            answers = np.float64(jax.nn.softmax(logits[:, 0]))
            even = np.full(answers.shape[1], 1 / answers.shape[1])
            away = [kl(even, q) if name == "uniform" else kl(q, even) for q in answers]
            expected += LAMBDA[attribute] * np.where(labels >= 0, away, 0)
    np.testing.assert_allclose(each, expected, rtol=1e-5)
    # What the encoders get is the gradient of that distance: a small step against it shortens it.
    step = jax.tree.map(lambda p, g: p - 1e-3 * g, params, gradient)
    unmoved = {k: params[k] if k.startswith("adversaries") else step[k] for k in params}
    none = added(net, "none", unmoved, PRIVATE, LAMBDA)[0].sum()
    assert added(net, name, unmoved, PRIVATE, LAMBDA)[0].sum() - none < (each - plain).sum()


@pytest.mark.parametrize("name", ["mmd", "hsic"])
def test_a_dependence_is_borne_by_those_it_is_of(net, params, name):
    """Loss: none's, and lambda times the measure for every utterance of known attribute."""
    plain, alone = added(net, "none", params, PRIVATE, LAMBDA)
    each, gradient = added(net, name, params, PRIVATE, LAMBDA)
    assert_equal(groups(gradient)[1], groups(alone)[1])
    views, expected = net.bind({"params": params}).encode(BATCH), np.array(plain)
    for attribute, labels in PRIVATE.items():
        classes = jax.nn.one_hot(labels, len(WEIGHTS[attribute]))
        for view in net.views():
            dependence_of_view = getattr(dependence, name)(
                views[view], classes, jnp.ones((SIZE, 1))
            )
            expected += LAMBDA[attribute] * np.where(labels >= 0, dependence_of_view, 0)
    np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-6)


def test_adversaries_of_several_depths_add_the_mean_of_their_losses():
    alone = {
        depth: average_net("modality", adversary_layers=(depth,), adversary_width=5)
        for depth in (0, 2)
    }
    both = average_net("modality", adversary_layers=(0, 2), adversary_width=5)
    shapes = jax.eval_shape(lambda key: both.init(key, BATCH)["params"], jax.random.key(0))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda a: rng.normal(0, 0.7, a.shape).astype("f"), shapes)
    numbers = both.numbered()
    assert set(numbers) == {name for name in params if name.startswith("adversaries")}
    parts = []
    for i, (depth, net) in enumerate(alone.items()):
        adversaries = {name[:-2]: params[name] for name, number in numbers.items() if number == i}
        rest = {name: part for name, part in params.items() if name not in numbers}
        parts.append(added(net, "grl", rest | adversaries, PRIVATE, LAMBDA))
        assert len(adversaries["adversaries_gender_acoustic"].get("MLP_0", {})) == depth
    each, gradient = added(both, "grl", params, PRIVATE, LAMBDA)
    assert_close(each, (parts[0][0] + parts[1][0]) / 2)
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *(groups(part[1])[0] for part in parts))
    assert_close(groups(gradient)[0], mean)


def test_several_adversaries_add_the_mean_of_their_losses():
    """Two that are equal are as one, in the loss and in what reaches the encoders."""
    single_net, double_net = average_net("joint"), average_net("joint", num_adversaries=2)
    shapes = jax.eval_shape(lambda key: single_net.init(key, BATCH)["params"], jax.random.key(0))
    rng = np.random.default_rng(1)
    single = jax.tree.map(lambda a: rng.normal(0, 0.7, a.shape).astype("f"), shapes)
    double = {n: part for n, part in single.items() if not n.startswith("adversaries")}
    for attribute in PRIVATE:
        name = f"adversaries_{attribute}_joint"
        double |= dict.fromkeys((f"{name}_0", f"{name}_1"), single[name])
    for name in ("grl", "uniform"):
        each, gradient = added(single_net, name, single, PRIVATE, LAMBDA)
        each_of_two, gradient_of_two = added(double_net, name, double, PRIVATE, LAMBDA)
        assert_close(each_of_two, each)
        assert_close(groups(gradient_of_two)[0], groups(gradient)[0])


@pytest.mark.parametrize("name", DEFENCES)
def test_no_gradient_reaches_the_encoders_at_lambda_zero(net, params, name):
    assert_close(added(net, name, params, PRIVATE, ZERO), added(net, "none", params, PRIVATE, ZERO))
    _, gradient = added(net, name, params, PRIVATE, LAMBDA)
    resisted = any(np.any(leaf) for leaf in jax.tree.leaves(groups(gradient)[0]))
    assert resisted == (name != "none")
