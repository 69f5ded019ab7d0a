"""Releases: what they change in h, and what attackers still predict from it."""

from functools import partial

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from privrep.unlearning.releases import RELEASES, ReleaseInputs

H = np.random.default_rng(0).normal(size=(6, 5)).astype("f")
INPUTS = ReleaseInputs(
    kernel=np.random.default_rng(1).normal(size=(5, 3)).astype("f"),
    bias=np.float32([0.3, -0.2, 0.1]),
    task=np.array([0, 1, 2, 1, 0, -1], np.int32),
    private={"gender": np.array([0, 1, 0, 1, -1, 1], np.int32)},
    sizes={"gender": 2},
    train=np.array([True, True, True, True, False, False]),
    lambda_={"gender": np.float32(0.5)},
)
ZERO = {"gender": np.float32(0)}


def release(name, key, h, inputs):
    """What is sent of the h that it was learned from."""
    chosen = RELEASES[name]
    return chosen.send(key, h, chosen.learn(h, inputs), (inputs.kernel, inputs.bias))


@pytest.mark.parametrize("name", RELEASES)
def test_release_is_a_representation_of_every_utterance(name):
    released = release(name, jax.random.key(0), H, INPUTS)
    assert released.shape == H.shape and released.dtype == H.dtype
    assert np.all(np.isfinite(released))


@pytest.mark.parametrize("name", RELEASES)
def test_release_learns_from_the_training_part_alone(name):
    """Another h or attribute of a test utterance changes nothing for the others."""
    send = partial(release, name, jax.random.key(0))
    h, gender, task = H.copy(), INPUTS.private["gender"].copy(), INPUTS.task.copy()
    h[5], gender[5], task[5] = 40, 0, 2
    released = send(H, INPUTS)
    changed = send(h, INPUTS._replace(private={"gender": gender}, task=task))
    np.testing.assert_array_equal(changed[:5], released[:5])


@pytest.mark.parametrize("name", RELEASES)
def test_release_at_lambda_zero_lets_h_out_as_it_is(name):
    released = release(name, jax.random.key(0), H, INPUTS._replace(lambda_=ZERO))
    np.testing.assert_array_equal(released, H)


@pytest.mark.parametrize("name", [name for name in RELEASES if name != "noise"])
def test_one_new_utterance_is_sent_as_it_would_be_among_all(name):
    chosen = RELEASES[name]
    learned, head = chosen.learn(H, INPUTS), (INPUTS.kernel, INPUTS.bias)
    together = chosen.send(jax.random.key(0), H, learned, head)
    alone = [chosen.send(jax.random.key(0), h[None], learned, head)[0] for h in H]
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)


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


def uar_of(attacker, h, labels, train):
    return balanced_accuracy_score(
        labels[~train], attacker.fit(h[train], labels[train]).predict(h[~train])
    )


def after(name, lambda_):
    """Test UAR of (linear gender, non-linear gender, linear emotion) attackers on released h."""
    h, gender, emotion = leaking()
    train = np.arange(len(h)) < 3000
    codes = np.where(np.arange(len(h)) % 7 == 0, -1, gender)
    kernel = np.linalg.lstsq(h - h.mean(0), np.stack([0.5 - emotion, emotion - 0.5], 1))[0]
    inputs = ReleaseInputs(
        kernel=kernel.astype("f"),
        bias=(-h.mean(0) @ kernel).astype("f"),
        task=emotion,
        private={"gender": codes},
        sizes={"gender": 2},
        train=train,
        lambda_={"gender": np.float32(lambda_)},
    )
    h = np.asarray(release(name, jax.random.key(3), h, inputs))
    line = make_pipeline(StandardScaler(), LogisticRegression())
    curve = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression())
    return (
        uar_of(line, h, gender, train),
        uar_of(curve, h, gender, train),
        uar_of(line, h, emotion, train),
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
    inputs = INPUTS._replace(train=train, lambda_={"gender": np.float32(2)})
    noise = [np.asarray(release("noise", jax.random.key(k), h, inputs)) - h for k in (0, 1)]
    np.testing.assert_allclose(noise[0].std(0), 2 * h[train].std(0), rtol=0.05)
    assert abs(np.corrcoef(noise[0][:, 0], noise[1][:, 0])[0, 1]) < 0.1


def test_the_posterior_is_what_the_head_makes_of_the_subspace_and_no_more():
    key = jax.random.key(0)
    projected, posterior = (
        np.asarray(release(name, key, H, INPUTS)) for name in ("subspace", "posterior")
    )
    logits = [chosen @ INPUTS.kernel + INPUTS.bias for chosen in (projected, posterior)]
    posterior = np.exp(logits[0]) / np.exp(logits[0]).sum(1, keepdims=True)
    np.testing.assert_allclose(
        logits[1] - logits[1].mean(1, keepdims=True), posterior - 1 / 3, atol=2**-10
    )


@pytest.mark.parametrize("name", ["subspace", "posterior"])
def test_the_subspace_removes_what_emotion_is_not_read_from(name):
    """Neither eye finds gender, and emotion stays where it was."""
    before, projected = after("none", 1), after(name, 1)
    assert min(before) > 0.8
    assert abs(projected[0] - 0.5) < 0.04 and abs(projected[1] - 0.5) < 0.04
    assert projected[2] == pytest.approx(before[2], abs=0.02)


def louder(num_rows=4000, seed=0):
    """h of one gender is twice as far from 0: the sign of the emotion logit tells emotion, its size
    gender."""
    rng = np.random.default_rng(seed)
    gender, emotion = rng.integers(0, 2, (2, num_rows), dtype=np.int32)
    z = (2 * emotion - 1) * 60 * np.exp(0.4 * rng.normal(size=num_rows)) * (1 + gender)
    return np.stack([-z, z], 1).astype("f"), gender, emotion


def test_the_posterior_hides_how_sure_the_network_is():
    h, gender, emotion = louder()
    train = np.arange(len(h)) < 3000
    inputs = ReleaseInputs(
        kernel=np.eye(2, dtype="f"),
        bias=np.zeros(2, np.float32),
        task=emotion,
        private={"gender": gender},
        sizes={"gender": 2},
        train=train,
        lambda_={"gender": np.float32(1)},
    )
    trees = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0)

    def uar_of_release(name):
        released = np.asarray(release(name, jax.random.key(0), h, inputs))
        return uar_of(trees, released, gender, train)

    assert uar_of_release("subspace") > 0.75 and uar_of_release("posterior") < 0.55


def test_the_decision_is_the_emotion_recognised_and_nothing_else():
    released = np.asarray(release("decision", jax.random.key(0), H, INPUTS))
    choices = [(h @ INPUTS.kernel + INPUTS.bias).argmax(1) for h in (H, released)]
    np.testing.assert_array_equal(*choices)
    assert len(np.unique(released, axis=0)) == len(np.unique(choices[0]))  # to the last bit
    _, curve, emotion = after("decision", 1)
    assert abs(curve - 0.5) < 0.04 and emotion == pytest.approx(after("none", 1)[2], abs=0.03)
