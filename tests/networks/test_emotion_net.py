"""What the network is made of: names, shapes, which head sees which view."""

import jax
import numpy as np
import pytest
from flax.core import FrozenDict

from privrep.networks.emotion_net import JOINT, PLACEMENTS, EmotionNet
from privrep.networks.encoders import ENCODERS, MODALITIES
from tests.support.small_data import Average, architecture, average_net, corpus, packed, padded

BATCH = padded()
SIZES = {"gender": 2, "accent": 3}
TASK = np.array([0, 2, -1], np.int32)


@pytest.fixture(scope="module", params=PLACEMENTS)
def net(request):
    return average_net(request.param)


@pytest.fixture(scope="module")
def outputs(net):
    """(parameters, views, emotion logits, adversaries' logits)."""

    @jax.jit
    def everything(key):
        params = net.init(key, BATCH)
        return params, net.apply(params, BATCH, method="encode"), *net.apply(params, BATCH)

    return everything(jax.random.key(0))


def test_h_is_the_modalities_in_the_order_of_their_names(net, outputs):
    _, views, _, _ = outputs
    assert set(views) == {"acoustic", "lexical", JOINT}
    assert views["acoustic"].shape == (3, 3) and views["lexical"].shape == (3, 2)
    expected = np.concatenate([views["acoustic"], views["lexical"]], -1)
    np.testing.assert_array_equal(views[JOINT], expected)


def test_each_encoder_reads_its_own_modality(net, outputs):
    params, views, *_ = outputs
    deaf = BATCH._replace(frames=BATCH.frames + 1)
    changed = jax.jit(lambda p: net.apply(p, deaf, method="encode"))(params)
    np.testing.assert_array_equal(changed["lexical"], views["lexical"])
    assert np.all(np.any(changed["acoustic"] != views["acoustic"], axis=1))


def test_an_adversary_for_every_attribute_and_view(net, outputs):
    params, views, emotion, adversaries = outputs
    places = {"joint": ("joint",), "modality": ("acoustic", "lexical")}
    expected = places.get(net.placement, (net.placement,))
    assert net.views() == expected
    assert emotion.shape == (3, 3)
    shapes = {a: {v: x.shape for v, x in by_view.items()} for a, by_view in adversaries.items()}
    assert shapes == {a: dict.fromkeys(expected, (3, 1, n)) for a, n in SIZES.items()}

    # One's own parameters each, on the view's own size.
    kernels = [
        part["MLP_0"]["Dense_0"]["kernel"]
        for name, part in params["params"].items()
        if name.startswith("adversaries")
    ]
    assert len(kernels) == len(SIZES) * len(expected)
    inputs = sorted(views[view].shape[-1] for view in expected for _ in SIZES)
    assert sorted(len(kernel) for kernel in kernels) == inputs
    assert len({np.asarray(kernel).tobytes() for kernel in kernels}) == len(kernels)


def test_an_adversary_sees_its_view_alone(net, outputs):
    params, views, _, adversaries = outputs
    for changed in net.views():
        others = {view: x + (view == changed) for view, x in views.items()}
        actual = jax.jit(lambda o: net.apply(params, "gender", o, TASK, method="adversary"))(others)
        for view, logits in adversaries["gender"].items():
            same = np.allclose(actual[view], logits, rtol=1e-5)
            assert same == (view != changed)


def test_an_attribute_may_have_a_place_of_its_own():
    net = average_net(FrozenDict(gender="acoustic", accent="joint"))
    assert net.views() == ("acoustic", "joint") and net.views("gender") == ("acoustic",)
    shapes = jax.eval_shape(lambda key: net.init(key, BATCH), jax.random.key(0))["params"]
    adversaries = {name for name in shapes if name.startswith("adversaries")}
    assert adversaries == {"adversaries_gender_acoustic", "adversaries_accent_joint"}
    answers = jax.eval_shape(lambda p: net.apply({"params": p}, BATCH)[1], shapes)
    assert {a: {v: x.shape for v, x in of.items()} for a, of in answers.items()} == {
        "gender": {"acoustic": (3, 1, 2)},
        "accent": {"joint": (3, 1, 3)},
    }


def test_adversaries_are_the_parameters_whose_names_say_so(net, outputs):
    """`network_problem` gives these the adversaries' learning rate, and no others."""
    params, views, *_ = outputs

    def names(loss):
        slope = jax.jit(jax.grad(lambda p: loss(net.bind({"params": p}))))
        slopes = slope(params["params"])
        return {name for name, part in slopes.items() if any(map(np.any, jax.tree.leaves(part)))}

    emotion = names(lambda bound: (bound.emotion(bound.encode(BATCH)[JOINT]) ** 2).sum())
    assert emotion == {"emotion_head", "encoders_acoustic", "encoders_lexical"}
    guesses = set()
    for attribute in net.private:
        guesses |= names(
            lambda bound, a=attribute: sum(
                (x**2).sum() for x in bound.adversary(a, views, TASK).values()
            )
        )
    assert guesses == set(params["params"]) - emotion
    assert all(name.startswith("adversaries") for name in guesses)
    assert not any(name.startswith("adversaries") for name in emotion)


def test_adversaries_of_standardised_views_with_the_emotion():
    """logits = head([(view - mean) / deviation, one-hot emotion]), and no gradient to the units."""
    changes = {"adversary_input": "standardised", "adversary_given": "emotion"}
    net = average_net(num_adversaries=2, **changes)
    plain = average_net(num_adversaries=2)
    shapes = jax.eval_shape(lambda key: net.init(key, BATCH)["params"], jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda a: rng.uniform(0.3, 1, a.shape).astype("f"), shapes)
    h = rng.normal(size=(3, 5)).astype("f")

    def answers(params, h, task):
        return net.apply({"params": params}, "gender", {JOINT: h}, task, method="adversary")[JOINT]

    actual = answers(params, h, TASK)
    assert actual.shape == (3, 2, 2) and not np.allclose(actual[:, 0], actual[:, 1])
    one_hot = np.eye(3, dtype="f")[TASK] * (TASK >= 0)[:, None]
    units = params["units_joint"]
    read = np.concatenate([(h - units["mean"]) / units["deviation"], one_hot], 1)
    expected = plain.apply({"params": params}, "gender", {JOINT: read}, TASK, method="adversary")
    np.testing.assert_allclose(actual, expected[JOINT], rtol=1e-5)
    slopes = jax.grad(lambda p: answers(p, h, TASK).sum())(params)
    still = {n for n, part in slopes.items() if not any(map(np.any, jax.tree.leaves(part)))}
    accents = {n for n in params if n.startswith("adversaries_accent")}
    assert still == {"units_joint", "emotion_head"} | accents | {
        n for n in params if n.startswith("encoders")
    }


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_modality_has_a_network(modality):
    encoders = {name: ENCODERS[name](gru_width=4, dense_width=6) for name in MODALITIES[modality]}
    net = average_net("modality", encoders=FrozenDict(encoders))
    shapes = jax.eval_shape(lambda key: net.init(key, BATCH), jax.random.key(0))
    views = jax.eval_shape(lambda p: net.apply(p, BATCH, method="encode"), shapes)
    assert views[JOINT].shape == (3, 6 * len(encoders))
    assert net.views() == MODALITIES[modality]


def test_without_private_attributes_there_are_no_adversaries():
    net = average_net(private=FrozenDict())
    shapes = jax.eval_shape(lambda key: net.init(key, BATCH), jax.random.key(0))["params"]
    assert set(shapes) == {"emotion_head", "encoders_acoustic", "encoders_lexical"}


def test_equal_networks_are_one_compiled_program():
    """A network is compiled in by its value, so it must hash and compare by its value."""
    first, second = average_net(), average_net()
    assert first == second and hash(first) == hash(second)
    jax.eval_shape(lambda key: first.init(key, BATCH), jax.random.key(0))  # use changes nothing
    assert first == second and hash(first) == hash(second)
    data = packed(*corpus())
    assert hash(architecture(data)) == hash(architecture(data))
    assert architecture(data) == architecture(data)


@pytest.mark.parametrize(
    "change",
    [
        {"placement": "modality"},
        {"placement": FrozenDict(gender="acoustic", accent="joint")},
        {"num_classes": 4},
        {"private": FrozenDict({"gender": 2})},
        {"adversary_width": 5},
        {"num_adversaries": 2},
        {"adversary_input": "standardised"},
        {"adversary_given": "emotion"},
        {"encoders": FrozenDict({"acoustic": Average("frames", 3)})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_different_networks_are_different(change):
    assert isinstance(average_net(**change), EmotionNet)
    assert average_net(**change) != average_net()
