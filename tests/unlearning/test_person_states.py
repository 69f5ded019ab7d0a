"""What is sent of an utterance depends on the enrolment of its speaker, and on nothing scored.

A state that goes on (`Architecture.running`) depends on what was said before, too.
"""

import jax
import numpy as np
import pytest

from privrep.parallel.run_axis import take
from privrep.training.fit import start_all
from privrep.types import Ragged
from privrep.unlearning.released_h import represent
from privrep.unlearning.releases import NAMES
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import EACH, SPEAKERS
from tests.support.small_networks import LIGHT, PACKED, SETTINGS, run_table

SENDING = ("none", "posterior", "whitened", "mean_off")
ENROLLED = np.arange(SPEAKERS * EACH) % EACH < 4  # four of five utterances of each speaker
SCORED, KNOWN = 6 * EACH + 4, 6 * EACH + 1  # of a test speaker of fold 0


@pytest.fixture(scope="module")
def send():
    """(data, running) -> (h, scores) of one network of relative h behind each of SENDING."""
    architecture = LIGHT._replace(relative=True, num_speakers=SPEAKERS)
    runs = take(run_table(), np.zeros(len(SENDING), int))
    runs = runs._replace(
        release=np.int32([NAMES.index(name) for name in SENDING]),
        relative=np.ones(len(SENDING), bool),
    )
    start = start_all(network_problem, architecture, SETTINGS, PACKED.data, runs).params

    def of(data, running=False):
        h, scores, _ = represent(architecture._replace(running=running), data, runs, start)
        return h, scores

    return of


def changed(data, utterance):
    """The data with other frames of one utterance."""
    frames = data.corpus.frames
    values = np.array(frames.values)
    first = frames.start[utterance]
    values[first : first + frames.length[utterance]] += 1.5
    corpus = data.corpus._replace(frames=Ragged(values, frames.start, frames.length))
    return data._replace(corpus=corpus)


def test_no_utterance_tells_on_another_that_is_scored(send):
    data = PACKED.data._replace(enrolled=ENROLLED)
    before, _ = send(data)
    after, _ = send(changed(data, SCORED))
    others = np.arange(len(ENROLLED)) != SCORED
    # A state is of enrolled utterances, and releases learn from the training part.
    np.testing.assert_array_equal(before[:, others], after[:, others])
    assert np.all(np.abs(before[:, SCORED] - after[:, SCORED]).max(1) > 1e-4)


def test_a_running_state_knows_what_was_said_and_not_what_will_be(send):
    enrolled = np.arange(SPEAKERS * EACH) % EACH == 3
    data = PACKED.data._replace(enrolled=enrolled)
    first = 6 * EACH  # the test speaker's utterances: first, first + 1, first + 2, enrolled, last
    before, _ = send(data, running=True)
    after, _ = send(changed(data, first + 1), running=True)
    differs = np.abs(before - after).max(2) > 1e-5
    # Of the first four known ones the mean is that of all who have enrolled: `rows.LEAST`.
    of_state = [SENDING.index(name) for name in ("whitened", "mean_off")]
    expected = np.isin(np.arange(len(enrolled)), [first + 1, first + 2, first + 4])
    np.testing.assert_array_equal(differs[of_state], [expected] * 2)
    assert not differs[:, ~expected].any() and differs[:, first + 1].all()
    # As the enrolment of all that was said before.
    for t in (first, first + 1, first + 2, first + 4):
        said = np.arange(len(enrolled)) // EACH == 6
        known = data._replace(enrolled=enrolled | (said & (np.arange(len(enrolled)) < t)))
        np.testing.assert_allclose(before[of_state, t], send(known)[0][of_state, t], atol=5e-3)


def test_an_enrolled_utterance_changes_what_is_sent_of_its_speaker_and_of_nobody_else(send):
    data = PACKED.data._replace(enrolled=ENROLLED)
    before, _ = send(data)
    after, _ = send(changed(data, KNOWN))
    speaker = np.arange(len(ENROLLED)) // EACH
    np.testing.assert_array_equal(before[:, speaker != 6], after[:, speaker != 6])
    assert np.all(np.abs(before[:, SCORED] - after[:, SCORED]).max(1) > 1e-5)


def test_enrolled_utterances_are_scored_in_no_part(send):
    """Their emotions may be anything: no score changes."""
    data = PACKED.data._replace(enrolled=ENROLLED)
    task = np.where(ENROLLED, (np.asarray(data.folds.task) + 1) % 3, data.folds.task)
    scores = send(data)[1]
    relabelled = send(data._replace(folds=data.folds._replace(task=task.astype(np.int32))))[1]
    index = SENDING.index("whitened")  # what others learn from the training part depends on labels
    for part in ("train", "val", "test"):
        name = f"{part}_emotion_uar"
        np.testing.assert_array_equal(scores[name][index], relabelled[name][index])
    whole = send(data._replace(enrolled=None))[1]
    assert "one_emotion_enrolments" in scores and "one_emotion_enrolments" not in whole
    assert np.any(whole["train_emotion_uar"] != scores["train_emotion_uar"])


def test_a_head_of_absolute_h_is_given_the_training_speakers_mean():
    """The recognised emotion of a network without relative h survives the release."""
    architecture = LIGHT._replace(num_speakers=SPEAKERS)
    runs = take(run_table(), np.zeros(2, int))
    runs = runs._replace(release=np.int32([NAMES.index(n) for n in ("none", "mean_off")]))
    params = start_all(network_problem, architecture, SETTINGS, PACKED.data, runs).params
    h, _, learned = represent(architecture, PACKED.data, runs, params)
    train = np.asarray(PACKED.data.folds.split.train[0])
    by_speaker = h[0][train].reshape(-1, EACH, h.shape[2]).mean(1)
    np.testing.assert_allclose(h[1][train].mean(0), by_speaker.mean(0), atol=2e-3)
    assert jax.tree.leaves(learned.person)
