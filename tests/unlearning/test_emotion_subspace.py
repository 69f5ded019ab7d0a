"""The emotion subspace is the minimiser of its criterion and keeps the emotion logits."""

import jax.numpy as jnp
import numpy as np
import pytest

from privrep.unlearning.emotion_subspace import STRENGTH, emotion_subspace

N, D, C = 400, 8, 3
WHERE = np.arange(N) < 300


def world(seed=0):
    """h float32[N, D], kernel [D, C], emotion and gender int32[N]; both move h."""
    rng = np.random.default_rng(seed)
    task, gender = rng.integers(0, C, N), rng.integers(0, 2, N)
    h = rng.normal(size=(N, D)) @ rng.normal(size=(D, D))
    h += rng.normal(size=(C, D))[task] * 3 + rng.normal(size=(2, D))[gender] * 2
    kernel = rng.normal(size=(D, C))
    task[::17], gender[::13] = -1, -1
    return h.astype("f"), kernel.astype("f"), task.astype("i"), gender.astype("i")


def pressed(h, kernel, task, gender, lambda_=1.0, where=WHERE):
    labels, strength = {"gender": gender}, {"gender": np.float32(lambda_)}
    matrix, offset = emotion_subspace(h, kernel, task, labels, strength, {"gender": 2}, where)
    return h @ np.asarray(matrix) + np.asarray(offset)


def logits(h, kernel):
    return np.float64(h) @ (kernel - kernel.mean(1, keepdims=True))


def apart(z, task, gender):
    """Mean squared distance of the genders' mean logits within an emotion."""
    cells = [[z[WHERE & (task == e) & (gender == g)].mean(0) for g in range(2)] for e in range(C)]
    return np.mean([((a - b) ** 2).sum() for a, b in cells])


def test_it_is_the_least_squares_solution():
    """A weighted ridge regression, solved again in float64 by stacking its terms as rows."""
    h, kernel, task, gender = world()
    x = np.float64(h[WHERE])
    mean, unit = x.mean(0), x.std(0)
    x = (x - mean) / unit
    v = np.float64(kernel - kernel.mean(1, keepdims=True)) * unit[:, None]
    terms, targets = [x / np.sqrt(len(x))], [x @ v / np.sqrt(len(x))]
    known = (task[WHERE] >= 0) & (gender[WHERE] >= 0)
    for e in range(C):
        of_emotion = known & (task[WHERE] == e)
        cells = np.stack([x[of_emotion & (gender[WHERE] == g)].mean(0) for g in range(2)])
        terms.append(
            (cells - cells.mean(0)) * np.sqrt(STRENGTH * 0.7 * of_emotion.sum() / known.sum() / 2)
        )
        targets.append(np.zeros((2, C)))
    terms.append(1e-2 * np.eye(D))
    targets.append(np.zeros((D, C)))
    weights = np.linalg.lstsq(np.concatenate(terms), np.concatenate(targets))[0]
    expected = (np.float64(h) - mean) / unit @ weights + mean / unit @ v
    actual = logits(pressed(h, kernel, task, gender, 0.7), kernel)
    np.testing.assert_allclose(actual, expected, atol=2e-3 * np.abs(expected).max())


def test_what_the_head_does_not_read_is_gone():
    h, kernel, task, gender = world()
    released = np.float64(pressed(h, kernel, task, gender))
    assert np.linalg.matrix_rank(released - released.mean(0), tol=1e-3) == C - 1
    # Another h with the same part for the head is not another release, once the fit is given.
    away = np.linalg.svd((kernel - kernel.mean(1, keepdims=True)).T)[2][C - 1 :]
    assert np.abs(released @ away.T).max() < 1e-3 * np.abs(released).max()


def test_differences_within_an_emotion_fall_as_lambda_rises_and_emotion_stays():
    h, _, task, gender = world()
    emotion = np.linalg.lstsq(h - h.mean(0), np.eye(C)[np.maximum(task, 0)])[0].astype("f")
    released = [pressed(h, emotion, task, gender, strength) for strength in (1e-6, 0.1, 1, 5)]
    spread = [apart(logits(released_h, emotion), task, gender) for released_h in released]
    assert spread == sorted(spread, reverse=True) and spread[-1] < 0.1 * spread[0]
    right = [
        (logits(released_h, emotion).argmax(1) == task)[~WHERE & (task >= 0)].mean()
        for released_h in (h, *released)
    ]
    assert min(right) > right[0] - 0.05 and right[0] > 0.6


def test_units_of_h_and_dead_ones_do_not_matter():
    h, kernel, task, gender = world()
    plain = logits(pressed(h, kernel, task, gender), kernel)
    unit = np.float32([100, 1, 0.01, 1, 3, 1, 1, 50])
    scaled = logits(pressed(h * unit, kernel / unit[:, None], task, gender), kernel / unit[:, None])
    # Logits up to what all classes share, which no choice of emotion depends on.
    plain, scaled = (z - z.mean(1, keepdims=True) for z in (plain, scaled))
    np.testing.assert_allclose(
        scaled - scaled.mean(0), plain - plain.mean(0), atol=5e-3 * np.abs(plain).max()
    )
    dead = h.copy()
    dead[:, 2], dead[:, 5] = 0, 7.3
    assert np.isfinite(pressed(dead, kernel, task, gender)).all()


@pytest.mark.parametrize("nobody", ["task", "gender"])
def test_without_labels_only_the_bottleneck_is_left(nobody):
    h, kernel, task, gender = world()
    none = np.full(N, -1, np.int32)
    labels = (
        {"task": none, "gender": gender} if nobody == "task" else {"task": task, "gender": none}
    )
    released = pressed(h, kernel, **labels)
    np.testing.assert_allclose(
        logits(released, kernel), logits(h, kernel), atol=2e-3 * np.abs(logits(h, kernel)).max()
    )


def test_lambda_zero_lets_h_out_as_it_is():
    h, kernel, task, gender = world()
    np.testing.assert_array_equal(pressed(h, kernel, task, gender, 0), h)


def test_of_several_attributes_each_has_its_own_strength():
    """A class that only one fold's training part holds, and speakers as classes, are allowed."""
    h, kernel, task, gender = world()
    speaker = (np.arange(N) // 10).astype("i")  # most cells of emotion and speaker are empty
    labels, sizes = {"gender": gender, "speaker": speaker}, {"gender": 2, "speaker": 40}

    def released(of_gender, of_speaker):
        strength = {"gender": jnp.float32(of_gender), "speaker": jnp.float32(of_speaker)}
        matrix, offset = emotion_subspace(h, kernel, task, labels, strength, sizes, WHERE)
        return h @ np.asarray(matrix) + np.asarray(offset)

    np.testing.assert_allclose(released(1, 0), pressed(h, kernel, task, gender), atol=1e-3)
    assert np.isfinite(released(0, 1)).all() and np.abs(released(0, 1) - released(1, 0)).max() > 0.1
