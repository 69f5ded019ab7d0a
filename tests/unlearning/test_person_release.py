"""Releases with a state per person: what is left of a leak in means and variances, and of h."""

import doctest
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privrep.attacks.lda import kernel, linear
from privrep.files import fault, replacing, write_seal
from privrep.inputs.enrolment import draw_enrolment
from privrep.parallel.run_axis import take
from privrep.statistics.design import design
from privrep.statistics.uar import uars_of
from privrep.types import renumber
from privrep.unlearning import person_release
from privrep.unlearning.person_release import (
    PERSON_RELEASES,
    PersonState,
    Shrinkage,
    enrol,
    enrol_all,
    learn,
    mean_off,
    merge,
    send,
    send_all,
    update,
    whitened,
)
from tests.support.last_bits import KINDS, blurred, draw, last_bits_uar

D, EMOTIONS, SPEAKERS, UTTERANCES = 8, 4, 120, 60
DEFAULT, OWN_MEAN = Shrinkage(), Shrinkage(mean_weight=0.0)
learn_ = jax.jit(learn)
enrol_, update_ = jax.jit(enrol), jax.jit(update)
enrol_all_ = jax.jit(enrol_all, static_argnums=3)
send_ = jax.jit(send, static_argnums=4)
send_all_ = jax.jit(send_all, static_argnums=5)


@cache
def world(leak):
    """h float32[N, D], gender, emotion, speaker int32[N].

    Speakers differ in mean and variance; the genders in the mean, or in the variance of half of the
    directions, by a factor of e. Emotions lie in the same places for all.
    """
    rng = np.random.default_rng(5)
    speaker = np.repeat(np.arange(SPEAKERS), UTTERANCES).astype(np.int32)
    gender = rng.permutation(np.arange(SPEAKERS, dtype=np.int32) % 2)[speaker]
    emotion = rng.integers(0, EMOTIONS, len(speaker)).astype(np.int32)
    z = rng.normal(size=(len(speaker), D)) + 1.5 * rng.normal(size=(EMOTIONS, D))[emotion]
    sign = 2 * gender[:, None] - 1
    if leak == "variance":
        z *= np.exp(0.5 * sign * (np.arange(D) % 2))
    z *= np.exp(0.15 * rng.normal(size=(SPEAKERS, D)))[speaker]
    z += 0.5 * rng.normal(size=(SPEAKERS, D))[speaker]
    if leak == "mean":
        z += sign * rng.normal(size=D)
    h = z @ rng.normal(size=(D, D)) * np.geomspace(0.1, 10, D) + 3
    return h.astype(np.float32), gender, emotion, speaker


def uar(attack, h, labels, speaker):
    """Of an attacker who learns from other speakers."""
    speaker, labels = renumber(speaker), labels[None]
    folds = design(labels[0], speaker, None, 3, 0).folds
    num_classes = labels.max() + 1
    predictions = attack(0, h, labels, speaker, folds, num_classes).predictions
    return uars_of(predictions, labels, num_classes)[0]


@cache
def scores(leak, release, k=40, shrinkage=DEFAULT):
    """UAR of (linear gender, kernel gender, linear emotion) of what is scored of unseen speakers.

    Statistics of the first third of the speakers; of the others k utterances are enrolled, and the
    rest of them is scored.
    """
    h, gender, emotion, speaker = world(leak)
    train = speaker < SPEAKERS // 3
    enrolled = draw_enrolment(0, speaker, emotion, k).is_enrolled
    learned = learn_(h, speaker, train, shrinkage)
    states = enrol_all_(h, speaker, enrolled, SPEAKERS)
    if release != "none":
        h = send_all_(h, speaker, states, learned, shrinkage, PERSON_RELEASES[release])
    rows = ~train & ~enrolled
    h, gender, emotion, speaker = (np.asarray(a)[rows] for a in (h, gender, emotion, speaker))
    return (
        uar(linear, h, gender, speaker),
        uar(kernel, h, gender, speaker),
        uar(linear, h, emotion, speaker),
    )


def test_a_leak_in_the_means_dies_with_the_mean_taken_off():
    before, after = scores("mean", "none"), scores("mean", "mean_off")
    assert before[0] > 0.8
    assert after[0] == pytest.approx(0.5, abs=0.03) and after[1] < 0.54
    assert scores("mean", "whitened")[0] == pytest.approx(0.5, abs=0.03)


def test_a_leak_in_the_variance_outlives_the_mean_and_dies_by_whitening():
    before, off, white = (scores("variance", r) for r in ("none", "mean_off", "whitened"))
    assert before[1] > 0.8 and off[1] > 0.8
    assert off[0] == pytest.approx(0.5, abs=0.03)
    # What the shrinkage of 40 utterances leaves; without it less.
    assert white[1] < 0.6 and white[0] == pytest.approx(0.5, abs=0.03)
    assert scores("variance", "whitened", 40, Shrinkage(n0=0.0))[1] < 0.56


@pytest.mark.parametrize("release", PERSON_RELEASES)
@pytest.mark.parametrize("leak", ["mean", "variance"])
def test_emotion_that_all_speakers_share_survives(leak, release):
    assert scores(leak, release)[2] > scores(leak, "none")[2] - 0.02


def test_the_more_is_enrolled_the_less_is_left():
    left = [scores("variance", "whitened", k)[1] for k in (5, 10, 40)]
    assert left[0] > left[1] + 0.02 > left[2] + 0.04


def test_a_shrunken_mean_leaves_its_share_of_the_leak():
    """Why `few` is 10: 3 / 43 of a mean of 40 utterances."""
    always = Shrinkage(few=1000, mean_weight=30.0)
    assert scores("mean", "mean_off", 40, always)[0] > 0.6


def exact(h, enrolled, train, speaker, shrinkage):
    """`whitened` in float64, as its docstring says it."""
    h, enrolled = np.float64(h), np.float64(enrolled)
    named = np.unique(speaker[train])
    members = [h[train & (speaker == s)] for s in named]
    pooled = sum(len(x) * np.cov(x.T, bias=True) for x in members)
    pooled = pooled / (train.sum() - len(named))
    unit = np.sqrt(np.diag(pooled))
    c = pooled / np.outer(unit, unit)
    n, ridge = len(enrolled), shrinkage.ridge * np.eye(len(c))
    w = n / (n + shrinkage.n0) if n > 1 else 0
    of_person = np.cov((enrolled / unit).T) if n > 1 else c
    weight = shrinkage.mean_weight if n <= shrinkage.few else 0
    common = np.mean([x.mean(0) for x in members], 0)
    mean = (n * enrolled.mean(0) + weight * common) / (n + weight)

    def power(matrix, exponent):
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * values**exponent) @ vectors.T

    turned = power(w * of_person + (1 - w) * c + ridge, -0.5) @ power(c + ridge, 0.5)
    return (h - mean) / unit @ turned * unit


@pytest.mark.parametrize("n", [1, 2, 5, 10, 11, 40])
@pytest.mark.parametrize("shrinkage", [Shrinkage(), Shrinkage(20.0, 1.0, 5, 0.1)])
def test_it_is_the_formula_but_for_a_step(n, shrinkage):
    h, _, _, speaker = world("variance")
    train, person = speaker < 40, h[speaker == 90]
    learned = learn_(h, speaker, train, shrinkage)
    sent = np.asarray(send_(h, enrol(person[:n]), learned, shrinkage, whitened))
    expected = exact(h, person[:n], train, speaker, shrinkage)
    assert np.isfinite(sent).all()
    # Half a step, of 2^-10 deviations, in each of D coordinates at most.
    off = np.abs(sent - expected) / expected[speaker == 90].std(0)
    assert off[speaker == 90].max() < 2**-10 * np.sqrt(D)


def test_little_enrolment_leaves_the_training_covariance():
    """1 utterance: that of the mean alone; 2: near it; none: that of nobody."""
    h, _, _, speaker = world("variance")
    learned, person = learn_(h, speaker, speaker < 40), h[speaker == 90]

    def turn(n, shrinkage=DEFAULT):
        return np.asarray(whitened(enrol(person[:n]), learned, shrinkage).turn)

    far = [np.abs(turn(n) - np.eye(D)).max() for n in (1, 2, 5, 60)]
    assert far[0] < 1e-5 < far[1] and far[1] < 0.9 * far[3]
    nobody = enrol(person, np.zeros(len(person), bool))
    np.testing.assert_allclose(whitened(nobody, learned).turn, np.eye(D), atol=1e-5)
    np.testing.assert_allclose(whitened(nobody, learned).mean, learned.mean, rtol=1e-6)


@pytest.mark.parametrize("n0", [np.inf, 1e9])
def test_an_infinite_n0_only_takes_the_mean_off(n0):
    h, _, _, speaker = world("variance")
    learned, state = learn_(h, speaker, speaker < 40), enrol(h[speaker == 90])
    sent = send_(h, state, learned, Shrinkage(n0=n0), whitened)
    off = send_(h, state, learned, DEFAULT, mean_off)
    deviation = h.std(0)
    assert (np.abs(sent - off) / deviation).max() < 2e-3
    np.testing.assert_allclose(
        np.asarray(off) / deviation,
        (h - np.asarray(state.mean)) / deviation,
        atol=2**-10 * np.sqrt(D),
    )


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    offset=st.sampled_from([0.0, 1.0, -300.0]),
    seed=st.integers(0, 99),
)
def test_updates_are_as_exact_as_one_enrolment(sizes, offset, seed):
    h = (np.random.default_rng(seed).normal(size=(sum(sizes), 3)) + offset).astype(np.float32)
    state = enrol_(h[:0])
    for part in np.split(h, np.cumsum(sizes)[:-1]):
        padded = np.concatenate([part, np.zeros((9 - len(part), 3), np.float32)])
        state = update_(state, padded, np.arange(9) < len(part))
    whole, tolerance = enrol(h), 1e-6 * (1 + abs(offset))
    assert state.num_rows == whole.num_rows == len(h)
    np.testing.assert_allclose(state.mean, whole.mean, atol=tolerance)
    np.testing.assert_allclose(state.scatter, whole.scatter, atol=20 * tolerance)
    if len(h):
        x = np.float64(h) - np.float64(h).mean(0)
        np.testing.assert_allclose(state.scatter, x.T @ x, atol=20 * tolerance)


def test_a_thousand_updates_far_from_0_lose_no_digits():
    h = (np.random.default_rng(0).normal(size=(3000, 2)) + [1e4, -1]).astype(np.float32)

    def step(state, rows):
        return update(state, rows), None

    state = jax.lax.scan(step, enrol(h[:3]), h[3:].reshape(-1, 3, 2))[0]
    x = np.float64(h)
    np.testing.assert_allclose(np.asarray(state.scatter) / 2999, np.cov(x.T), atol=0.02)
    np.testing.assert_allclose(state.mean, x.mean(0), rtol=1e-6)


def test_a_long_sum_far_from_0_loses_no_digits():
    h = (np.random.default_rng(0).normal(size=(40_000, 2)) + [1e4, -1]).astype(np.float32)
    everyone = np.ones(len(h), bool)
    states = enrol_all_(h, np.zeros(len(h), np.int32), everyone, 1)
    for state in (take(states, 0), enrol(h)):
        np.testing.assert_allclose(state.mean, np.float64(h).mean(0), rtol=3e-7)
        np.testing.assert_allclose(state.scatter / 39_999, np.cov(np.float64(h).T), atol=1e-3)


def test_many_persons_at_once_are_as_one_by_one():
    h, _, _, speaker = world("variance")
    rng = np.random.default_rng(0)
    order = rng.permutation(len(h))  # rows of a person lie anywhere
    h, speaker = h[order], np.where(rng.random(len(h)) < 0.1, -1, speaker[order])
    where = (rng.random(len(h)) < 0.3) & (speaker != 7)
    learned = learn_(h, speaker, (speaker >= 0) & (speaker < 40))
    states = enrol_all_(h, speaker, where, SPEAKERS)
    nobody = enrol(h, np.zeros(len(h), bool))
    for release in PERSON_RELEASES.values():
        sent = np.asarray(send_all_(h, speaker, states, learned, DEFAULT, release))
        for person in (0, 7, 90, -1):
            rows = speaker == person
            state = enrol(h, where & rows) if person >= 0 else nobody
            if person >= 0:
                of_person = take(states, person)
                assert of_person.num_rows == state.num_rows
                np.testing.assert_allclose(of_person.mean, state.mean, atol=1e-5)
                np.testing.assert_allclose(of_person.scatter, state.scatter, rtol=1e-3, atol=0.01)
            alone = send_(h[rows], state, learned, DEFAULT, release)
            assert (np.abs(sent[rows] - alone) / h.std(0)).max() < 4e-3
            assert np.isclose(sent[rows], alone, rtol=1e-4, atol=1e-4).all(1).mean() > 0.9


def test_the_order_of_an_enrolment_does_not_matter():
    h, _, _, speaker = world("mean")
    learned, person = learn_(h, speaker, speaker < 40), h[speaker == 90]
    backwards = merge(enrol(person[:13:-1]), enrol(person[13::-1]))
    for a, b in zip(enrol(person), backwards):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=0.01)
    sent = [np.asarray(send_(h, s, learned)) for s in (enrol(person), backwards)]
    assert (np.abs(sent[0] - sent[1]) / h.std(0)).max() < 2e-3


def test_padding_is_not_enrolled():
    person = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    padded = np.concatenate([person, np.full((5, 3), np.nan, np.float32)])
    is_valid = np.arange(12) < 7
    for state in (enrol(padded, is_valid), update(enrol(padded[:0]), padded, is_valid)):
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5), state, enrol(person))
    learned = learn(padded, np.arange(12) % 2, is_valid)
    assert all(np.isfinite(a).all() for a in learned)


@pytest.mark.parametrize("release", PERSON_RELEASES.values(), ids=[*PERSON_RELEASES])
def test_the_units_of_h_do_not_matter(release):
    h, _, _, speaker = world("variance")
    scale = np.exp(3 * np.random.default_rng(0).normal(size=D)).astype(np.float32)

    def sent(h):
        states = enrol_all_(h, speaker, np.arange(len(h)) % 2 == 0, SPEAKERS)
        learned = learn_(h, speaker, speaker < 40)
        return np.asarray(send_all_(h, speaker, states, learned, DEFAULT, release))

    assert (np.abs(sent(h * scale) / scale - sent(h)) / sent(h).std(0)).max() < 4e-3


def test_units_and_directions_that_do_not_vary_in_training_are_not_sent():
    """Constant, of one value for each speaker, a copy, and the same alive in another person."""
    h, _, _, speaker = (a.copy() for a in world("mean"))
    h[:, 1], h[:, 2], h[:, 4] = 7, 0.1 * speaker, h[:, 3]
    learned, state = learn_(h, speaker, speaker < 40), enrol(h[speaker == 90])
    other = h + np.random.default_rng(0).normal(size=h.shape) * (np.isin(np.arange(D), [1, 2, 4]))
    other = other.astype(np.float32)
    for release in PERSON_RELEASES.values():
        sent = np.asarray(send_(h, state, learned, DEFAULT, release))
        assert np.isfinite(sent).all() and not sent[:, 1:3].any()
        np.testing.assert_allclose(sent[:, 3], sent[:, 4], rtol=1e-4, atol=1e-4)
        alive = enrol(other[speaker == 90])
        sent = np.asarray(send_(other, alive, learned, DEFAULT, release))
        assert np.isfinite(sent).all() and not sent[:, 1:3].any()
        np.testing.assert_allclose(sent[:, 3], sent[:, 4], rtol=1e-4, atol=1e-4)
    assert not np.asarray(send_(h, state, learn_(h, speaker, speaker < 0))).any()


@pytest.mark.parametrize("release", PERSON_RELEASES.values(), ids=[*PERSON_RELEASES])
def test_there_may_be_more_units_than_rows(release):
    rng = np.random.default_rng(0)
    h, speaker = rng.normal(size=(30, 64)).astype(np.float32), np.arange(30) % 5
    learned = learn_(h, speaker, speaker < 3)
    sent = np.asarray(send_(h, enrol(h[speaker == 4]), learned, DEFAULT, release))
    assert np.isfinite(sent).all()
    assert np.linalg.matrix_rank(np.float64(sent), tol=1e-3) == 15  # 18 rows of 3 speakers


def test_runs_are_computed_side_by_side():
    """What needs no LAPACK is mapped over runs; what needs it, over runs one after another."""
    h, _, _, speaker = world("mean")
    runs = jnp.stack([h, 2 * h])
    alone = enrol_all(h, speaker, speaker > 3, SPEAKERS)
    states = jax.vmap(partial(enrol_all, num_speakers=SPEAKERS), (0, None, None))(
        runs, speaker, speaker > 3
    )
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b), states, alone)

    def one_run(row):
        h, states = row
        learned = learn(h, speaker, speaker < 40)
        return send_all(h, speaker, states, learned, OWN_MEAN)

    sent = jax.jit(lambda rows: jax.lax.map(one_run, rows))((runs, states))
    assert (np.abs(2 * sent[0] - sent[1]) / h.std(0)).max() < 4e-3


@cache
def sent_draw(seed, kind, release):
    """draw(seed, kind) as sent with states of all utterances, learned of draw(0, kind)."""
    h, _, _, speaker = draw(0, kind)
    learned = learn_(h, speaker, np.ones(len(h), bool))
    h, _, _, speaker = draw(seed, kind)
    states = enrol_all_(h, speaker, np.ones(len(h), bool), 100)
    return states, learned, of_draw(h, speaker, states, learned, release)


def of_draw(h, speaker, states, learned, release):
    return np.asarray(send_all_(h, speaker, states, learned, OWN_MEAN, PERSON_RELEASES[release]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("release", PERSON_RELEASES)
def test_the_last_bits_reveal_nothing(release, kind):
    """To speakers that it was learned of and to others, of a leak of 6 deviations in the mean."""
    for seed in (0, 1):
        _, gender, _, speaker = draw(seed, kind)
        sent = sent_draw(seed, kind, release)[2]
        assert last_bits_uar(draw(seed, kind)[0], gender, speaker) > 0.95
        uar = last_bits_uar(sent, gender, speaker)
        assert uar < 0.55 or uar < last_bits_uar(blurred(sent), gender, speaker) + 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("release", PERSON_RELEASES)
def test_what_changes_h_in_its_last_bits_changes_hardly_anything_that_is_sent(release, kind):
    h, _, _, speaker = draw(0, kind)
    states, learned, sent = sent_draw(0, kind, release)
    up = np.random.default_rng(0).random(h.shape) < 0.5
    other = np.nextafter(h, np.where(up, np.float32(1e9), np.float32(-1e9)))
    assert (of_draw(other, speaker, states, learned, release) != sent).any(1).mean() < 0.05


@pytest.mark.parametrize("release", PERSON_RELEASES)
def test_what_is_sent_is_made_of_steps(release):
    _, learned, sent = sent_draw(1, "plain", release)
    decode = np.float64(learned.decode)
    steps = np.float64(sent) @ np.linalg.inv(decode) / np.asarray(learned.step)
    assert np.abs(steps - np.round(steps)).max() < 0.1
    # 2^10 steps are a deviation of the training speakers.
    assert (np.abs(steps.std(0) - 1050) < 350).all()


def test_a_device_keeps_a_state_in_a_sealed_file(tmp_path):
    state = enrol(world("mean")[0][:20])
    with replacing(tmp_path / "person.npz") as file:
        np.savez(file, **state._asdict())
    write_seal(tmp_path / "person.sha256", [tmp_path / "person.npz"])
    assert fault(tmp_path / "person.sha256") is None
    with np.load(tmp_path / "person.npz", allow_pickle=False) as arrays:
        kept = PersonState(**arrays)
    further = world("mean")[0][20:30]
    jax.tree.map(np.testing.assert_array_equal, update(kept, further), update(state, further))


def test_the_examples_of_the_docstrings():
    failed, tried = doctest.testmod(person_release)
    assert tried > 6 and not failed
