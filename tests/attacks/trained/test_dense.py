from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.attacks.trained.dense import (
    ATTACKERS,
    AttackData,
    AttackRun,
    Largest,
    apply_dense,
    attack,
    attack_problem,
    init_dense,
    standardise,
)
from privrep.attacks.trained.pair_verification import verification_eer
from privrep.training.losses import cross_entropy
from privrep.training.metrics import equal_error_rate
from privrep.types import Split

N, D, SPEAKERS = 1200, 6, 60
LARGEST = Largest(depth=4, width=64, num_classes=3)
SPEAKER = np.arange(N) % SPEAKERS
PART = np.array([0, 0, 0, 1, 2, 2])[SPEAKER % 6]  # no speaker in two parts
pytestmark = pytest.mark.usefixtures("quickly_compiled")


def plain(hidden, kernel, bias, x):
    """The ordinary dense network: hidden layers with ReLU, then logits."""
    for weights, shift in hidden:
        x = jax.nn.relu(x @ weights + shift[None])
    return x @ kernel + bias[None]


def sliced(params, depth, width):
    """(hidden, kernel, bias) of the network of this size within the arrays of the largest."""
    if depth == 0:
        return [], params["straight"], params["bias"]
    rows = [slice(None)] + [slice(width)] * (depth - 1)
    hidden = [(k[r, :width], b[:width]) for r, (k, b) in zip(rows, params["hidden"])]
    return hidden, params["output"][:width], params["bias"]


@partial(jax.jit, static_argnums=0)
def stacked(largest, run, h, labels):
    """The start, its logits and its gradient."""
    params = init_dense(largest, h.shape[1], run)

    def loss(params):
        return cross_entropy(apply_dense(params, h, run), labels).mean()

    return params, apply_dense(params, h, run), jax.grad(loss)(params)


@pytest.mark.parametrize("name", ATTACKERS)
def test_within_the_largest_network_is_exactly_one_of_its_size(name):
    depth, width = ATTACKERS[name]
    run = AttackRun(jax.random.key(1), jnp.int32(0), jnp.int32(depth), jnp.int32(width))
    h = np.random.default_rng(0).normal(size=(40, D)).astype(np.float32)
    labels = np.arange(40) % 3
    params, logits, gradient = jax.tree.map(np.asarray, stacked(LARGEST, run, h, labels))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))

    def plain_loss(network):
        logits = plain(*network, h)
        return cross_entropy(logits, labels).mean(), logits

    network = sliced(params, depth, width)
    small, expected = jax.jit(jax.grad(plain_loss, has_aux=True))(network)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    close = partial(np.testing.assert_allclose, atol=1e-6)
    jax.tree.map(close, sliced(gradient, depth, width), small)
    # And no parameter outside of it ever moves.
    inside, whole = (
        sum(float(np.abs(leaf).sum()) for leaf in jax.tree.leaves(tree))
        for tree in (small, gradient)
    )
    assert inside > 0 and whole == pytest.approx(inside, rel=1e-5)


def test_a_start_is_he_s_whatever_the_largest():
    run = AttackRun(jax.random.key(1), jnp.int32(0), jnp.int32(2), jnp.int32(32))
    start, *_ = stacked(LARGEST, run, np.zeros((40, D), np.float32), np.zeros(40, np.int64))
    hidden, output, _ = sliced(jax.tree.map(np.asarray, start), 2, 32)
    assert np.std(hidden[0][0]) == pytest.approx(np.sqrt(2 / D), rel=0.1)
    assert np.std(hidden[1][0]) == pytest.approx(np.sqrt(2 / 32), rel=0.1)
    assert np.std(output) == pytest.approx(np.sqrt(1 / 32), rel=0.3)


def attack_data_of(rows, num_classes=2):
    """Threats with one key, from (h, labels) rows."""
    h, labels = (jnp.stack([jnp.asarray(row[i]) for row in rows]) for i in (0, 1))
    split = Split(*(jnp.tile(jnp.asarray(i == PART)[None], (len(rows), 1)) for i in range(3)))
    return AttackData(
        key=jnp.stack([jax.random.key(0)] * len(rows)),
        h=h.astype(jnp.float32),
        labels=labels.astype(jnp.int32),
        weights=jnp.ones((len(rows), num_classes)),
        split=split,
    )


NAMES = ("linear", "mlp_2x32")
ROWS = ("noise", "test_changed", "label", "xor", "constant", "broken")


@pytest.fixture(scope="module")
def data():
    """(h, labels) by name. "label" leaks it in a line, "xor" only to who looks at two columns."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(SPEAKERS) % 2)[SPEAKER].astype(np.int32)
    labels[rng.random(N) < 0.05] = -1
    noise = rng.normal(size=(N, D))
    test = PART == 2
    other = np.where(test[:, None], rng.normal(5, 3, (N, D)), noise)
    flipped = np.where(test & (labels >= 0), 1 - labels, labels)
    with_label = noise.copy()
    with_label[:, 2] = 100 + 0.1 * (labels + 0.1 * noise[:, 2])  # of another size than the others
    xor = noise.copy()
    xor[:, 1] = np.abs(noise[:, 1]) * np.where((labels == 1) == (noise[:, 0] > 0), 1, -1)
    constant = with_label.copy()
    constant[:, 0], constant[:, 1] = 3.3, 0
    broken = noise.copy()
    broken[7, 3] = np.nan  # of the training part
    return {
        "noise": (noise, labels),
        "test_changed": (other, flipped),
        "label": (with_label, labels),
        "xor": (xor, labels),
        "constant": (constant, labels),
        "broken": (broken, labels),
    }


def attacked(data, names):
    actual = attack(NAMES, attack_data_of([data[name] for name in names]), 2)
    return {p: {n: np.asarray(v[:, i]) for i, n in enumerate(names)} for p, v in actual.items()}


@pytest.fixture(scope="module")
def scores(data):
    """{part: {row: UAR of linear and mlp}}"""
    return attacked(data, ROWS)


def test_at_chance_where_there_is_nothing_to_find(scores):
    assert (np.abs(scores["test"]["noise"] - 0.5) < 0.08).all()


def test_what_h_says_is_found(scores):
    assert (scores["test"]["label"] > 0.95).all() and (scores["val"]["label"] > 0.95).all()
    # Columns that never change neither help nor harm.
    assert (scores["test"]["constant"] > 0.95).all()


def test_what_no_line_divides_is_found_by_the_dense_network_alone(scores):
    linear, dense = scores["test"]["xor"]
    assert abs(linear - 0.5) < 0.08 and dense > 0.9


def test_the_test_part_has_no_say(scores):
    for part in ("train", "val"):
        np.testing.assert_array_equal(scores[part]["test_changed"], scores[part]["noise"])
    assert (scores["test"]["test_changed"] != scores["test"]["noise"]).any()


def test_a_broken_representation_has_no_score_and_harms_no_other(data, scores):
    for part in ("train", "val", "test"):
        assert np.isnan(scores[part]["broken"]).all()
        others = [scores[part][name] for name in ROWS if name != "broken"]
        assert np.isfinite(others).all()
    alone = attacked(data, ("xor", "noise", "label", "noise", "constant", "noise"))
    for part in ("train", "val", "test"):  # in other company and in other places
        for name in ("xor", "noise", "label", "constant"):
            np.testing.assert_array_equal(alone[part][name], scores[part][name])


def test_gradients_come_from_known_training_rows(data):
    """Utterances beyond the training part, or without label, weigh nothing whatever they hold."""
    h, labels = data["noise"]
    attack_data = attack_data_of([(h, labels)])
    run = AttackRun(jax.random.key(0), jnp.int32(0), jnp.int32(0), jnp.int32(0))
    problem = attack_problem(Largest(0, 1, 2), attack_data, run)
    np.testing.assert_array_equal(problem.train, (PART == 0) & (labels >= 0))
    gradient_of = jax.jit(
        lambda *batch: problem.gradient(problem.init(run.key), (), None, *batch, 0.0)
    )
    index, weight = np.arange(8), np.array([1.0] * 4 + [0.0] * 4, np.float32)
    sums, gradient = gradient_of(index, weight)
    other_sums, other = gradient_of(np.where(weight > 0, index, 100), weight)
    np.testing.assert_array_equal(sums["attacker"], other_sums["attacker"])
    jax.tree.map(np.testing.assert_array_equal, gradient, other)


def test_standardised_by_the_training_part():
    rng = np.random.default_rng(0)
    h = rng.normal(4, 3, (200, 4))
    h[:, 1] = 1e4 + 1e-4 * rng.normal(size=200)  # in float32, rounding error
    h[:, 2] = 0
    train = np.arange(200) < 120
    z = np.asarray(standardise(jnp.asarray(h, jnp.float32), jnp.asarray(train)))
    np.testing.assert_allclose(z[train][:, [0, 3]].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(z[train][:, [0, 3]].std(0), 1, atol=1e-4)
    np.testing.assert_array_equal(z[:, 1:3], 0)
    h[~train] = np.nan
    other = standardise(jnp.asarray(h, jnp.float32), jnp.asarray(train))
    np.testing.assert_array_equal(other[:120], z[:120])


def test_verification_of_unseen_speakers():
    rng = np.random.default_rng(0)
    n, speakers = 600, 30
    of = np.arange(n) % speakers
    part = np.array([0, 0, 1, 2, 2])[of % 5]
    voices = rng.normal(size=(speakers, 8))
    labels = np.where(part == 0, of, -1).astype(np.int32)
    room = 3 * rng.normal(size=(n, 1)) * rng.normal(size=8)  # drowns the voice, in one direction
    clustered = voices[of] + 0.05 * rng.normal(size=(n, 8))
    broken = clustered.copy()
    broken[0, 0] = np.nan
    rows = [clustered, clustered + room, rng.normal(size=(n, 8)), broken, clustered]
    attack_data = AttackData(
        key=jnp.stack([jax.random.key(0)] * 5),
        h=jnp.asarray(np.stack(rows), jnp.float32),
        labels=jnp.tile(labels[None], (5, 1)),
        weights=jnp.ones((5, speakers)),
        split=Split(*(jnp.tile(jnp.asarray(part == i)[None], (5, 1)) for i in range(3))),
    )
    pairs = rng.choice(np.flatnonzero(part == 2), (5, 4000, 2))
    pairs = np.where(pairs[..., :1] == pairs[..., 1:], -1, pairs)  # a pair of one is no pair
    pairs[4, 50:] = -1
    same = of[pairs[..., 0]] == of[pairs[..., 1]]
    rate = verification_eer(attack_data, jnp.asarray(pairs, jnp.int32), jnp.asarray(same))
    assert rate[0] < 0.02
    # What varies within the training speakers is discounted: cosines alone do worse.
    directions = rows[1] / np.linalg.norm(rows[1], axis=1, keepdims=True)
    cosines = (directions[pairs[1, :, 0]] * directions[pairs[1, :, 1]]).sum(-1)
    alone = equal_error_rate(cosines, same[1], pairs[1, :, 0] >= 0)
    assert rate[1] < 0.1 and alone > 0.25
    assert abs(rate[2] - 0.5) < 0.05
    assert jnp.isnan(rate[3])
    assert rate[4] < 0.1  # padding does not count
