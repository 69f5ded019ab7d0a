"""A state that goes on: each utterance is sent by the enrolment and by what was said before it."""

import doctest

import jax
import numpy as np
import pytest

from privrep.unlearning import running_state
from privrep.unlearning.person_release import (
    PERSON_RELEASES,
    Shrinkage,
    enrol,
    enrol_all,
    learn,
    send,
    send_running,
)
from privrep.unlearning.rows import LEAST, centred_by_earlier, centred_by_speaker

D, PERSONS, EACH = 5, 6, 30
SHRINKAGE = Shrinkage()
send_running_ = jax.jit(send_running, static_argnums=6)
send_, enrol_ = jax.jit(send, static_argnums=4), jax.jit(enrol)


@pytest.fixture(scope="module")
def corpus():
    """h, speaker, is_enrolled: persons' utterances lie in any order; some are of unknown persons.

    Person 4 has enrolled nothing, person 5 two utterances.
    """
    rng = np.random.default_rng(3)
    speaker = rng.permutation(np.repeat(np.arange(PERSONS, dtype=np.int32), EACH))
    place, size = 5 * rng.normal(size=(PERSONS, D)), np.exp(rng.normal(size=(PERSONS, D)))
    h = place[speaker] + size[speaker] * rng.normal(size=(len(speaker), D))
    is_enrolled = (rng.random(len(speaker)) < 0.3) & (speaker < 4)
    is_enrolled[np.flatnonzero(speaker == 5)[[3, 20]]] = True
    return h.astype(np.float32), np.where(rng.random(len(speaker)) < 0.1, -1, speaker), is_enrolled


def before(t, speaker, is_enrolled):
    """bool[N], of what the state is made by which utterance t is sent."""
    if speaker[t] < 0:
        return np.zeros(len(speaker), bool)
    earlier = (np.arange(len(speaker)) < t) & ~is_enrolled[t]
    return (speaker == speaker[t]) & (is_enrolled | earlier)


@pytest.mark.parametrize("release", PERSON_RELEASES.values(), ids=[*PERSON_RELEASES])
def test_every_utterance_is_sent_by_the_state_of_those_before_it(corpus, release):
    h, speaker, is_enrolled = corpus
    learned = learn(h, speaker, (speaker >= 0) & (speaker < 3))
    states = enrol_all(h, speaker, is_enrolled, PERSONS)
    sent = send_running_(h, speaker, states, is_enrolled, learned, SHRINKAGE, release)
    plain = np.concatenate(
        [
            send_(h[[t]], enrol_(h, before(t, speaker, is_enrolled)), learned, SHRINKAGE, release)
            for t in range(len(h))
        ]
    )
    difference = np.abs(sent - plain) / h.std(0)
    assert difference.max() < 4e-3  # a step of rounding
    assert np.isclose(sent, plain, rtol=1e-4, atol=1e-4).all(1).mean() > 0.9


def test_the_mean_that_is_taken_off_is_of_those_before(corpus):
    h, speaker, is_enrolled = corpus
    plain = np.array(h)
    for t in range(len(h)):
        known = before(t, speaker, is_enrolled)
        plain[t] -= h[known if known.sum() >= LEAST else is_enrolled].mean(0)
    actual = jax.jit(centred_by_earlier)(h, speaker, is_enrolled)
    np.testing.assert_allclose(actual, plain, atol=2e-5)
    of_enrolment = centred_by_speaker(h, speaker, is_enrolled)
    np.testing.assert_allclose(actual[is_enrolled], of_enrolment[is_enrolled], atol=1e-6)


def test_what_is_said_later_changes_nothing_that_was_sent(corpus):
    h, speaker, is_enrolled = corpus
    learned = learn(h, speaker, (speaker >= 0) & (speaker < 3))
    states = enrol_all(h, speaker, is_enrolled, PERSONS)
    t = np.flatnonzero((speaker == 3) & ~is_enrolled)[8]
    changed = np.array(h)
    changed[t] += 9

    def both(h):
        sent = send_running_(h, speaker, states, is_enrolled, learned, SHRINKAGE)
        return np.stack([sent, centred_by_earlier(h, speaker, is_enrolled)])

    differs = np.abs(both(changed) - both(h)).max(2) > 0
    touched = np.flatnonzero(differs.all(0))
    np.testing.assert_array_equal(differs[0], differs[1])
    later = (speaker == 3) & ~is_enrolled & (np.arange(len(h)) >= t)
    np.testing.assert_array_equal(touched, np.flatnonzero(later))


def test_the_example_of_the_documentation():
    failed, tried = doctest.testmod(running_state)
    assert tried and not failed
