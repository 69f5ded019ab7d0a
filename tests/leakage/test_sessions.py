"""Sessions: what they tell is a leak in total and none beyond them."""

import numpy as np
import pytest

from privrep.attacks.lda import ATTACKS
from privrep.attacks.suite import Suite
from privrep.leakage.measurement import measure
from privrep.leakage.sessions import beyond_sessions
from privrep.types import InferenceSettings, Sample

LINEAR = {"linear": ATTACKS["linear"]}
QUICK = InferenceSettings(permutations=99, deals=2)
EACH, SIZE = 6, 4


def two_sites(seed, voice=0.0):
    """24 of 30 women at one site and 6 of 30 at the other; h tells the site, and `voice` gender."""
    rng = np.random.default_rng(seed)
    site = np.repeat([0, 1], 30)
    gender = np.concatenate([np.arange(30) < 24, np.arange(30) < 6]).astype(int)
    speaker = np.repeat(np.arange(60), EACH)
    h = rng.normal(size=(len(speaker), SIZE)) + rng.normal(size=(60, SIZE))[speaker]
    h[:, 0] += 20 * site[speaker]
    h[:, 1] += voice * gender[speaker]
    return Sample.of(h, gender[speaker], speaker, site[speaker])


def test_two_sites_leak_in_total_and_not_beyond_them():
    for seed in range(3):
        measurement = measure(two_sites(seed), attackers=LINEAR, settings=QUICK)
        total, beyond = measurement.verdict, measurement.beyond_sessions.verdict
        assert total.verdict == "leaks" and total.uar == pytest.approx(0.8, abs=0.02)
        assert total.lower <= total.uar <= total.upper
        assert beyond.verdict != "leaks" and beyond.lower <= beyond.uar <= beyond.upper < 0.7
    measurement = measure(two_sites(0, voice=4), attackers=LINEAR, settings=QUICK)
    assert measurement.beyond_sessions.verdict.verdict == "leaks"


def rooms(seed, interviewer):
    """Ten rooms of one gender each, of which h tells the room; one man may be in all of them."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(40), EACH)
    room = speaker // 4
    gender = room % 2
    if interviewer:
        speaker = np.concatenate([speaker, np.full(10 * EACH, 40)])
        room = np.concatenate([room, np.repeat(np.arange(10), EACH)])
        gender = np.concatenate([gender, np.ones(10 * EACH, int)])
    h = rng.normal(size=(len(speaker), SIZE)) + rng.normal(size=(41, SIZE))[speaker]
    h += 2 * rng.normal(size=(10, SIZE))[room]
    return Sample.of(h, gender, speaker, room)


@pytest.mark.parametrize("interviewer", [False, True])
def test_rooms_are_no_leak_beyond_sessions_whoever_is_in_all_of_them(interviewer):
    alarms = 0
    for seed in range(20):
        sample = rooms(seed, interviewer)
        beyond = measure(sample, attackers=LINEAR, settings=QUICK).beyond_sessions
        alarms += beyond.verdict.verdict == "leaks"
        assert beyond.left_out == ((40,) if interviewer else ())
        assert beyond.permuted_between == "whole sessions"
    assert alarms <= 4  # in total, 20 of 20 would be


def test_a_state_that_varies_by_day_is_permuted_by_day():
    """Days sound differently and states do not; utterance by utterance a third were alarms."""
    alarms = {"days": 0, "no days": 0}
    speaker = np.repeat(np.arange(20), 24)
    day = np.arange(len(speaker)) // 6
    for seed in range(16):
        rng = np.random.default_rng(seed)
        state = rng.permuted(np.tile([0, 0, 1, 1], (20, 1)), axis=1).reshape(-1)[day]
        h = rng.normal(size=(len(speaker), SIZE)) + rng.normal(size=(20, SIZE))[speaker]
        h += 3 * rng.normal(size=(80, SIZE))[day]
        for name, session in (("days", day), ("no days", None)):
            sample = Sample.of(h, state, speaker, session)
            verdict = measure(sample, attackers=LINEAR, settings=QUICK).verdict
            alarms[name] += verdict.verdict == "leaks"
    assert alarms["days"] <= 3 < alarms["no days"]


def test_a_state_that_varies_by_day_is_permuted_by_day_beyond_sessions_too():
    """Days of two speakers each, who sound differently every day; states are of speaker and day."""
    speaker = np.repeat(np.arange(20), 24)
    block = np.arange(len(speaker)) // 6
    session = speaker // 2 * 4 + block % 4
    rng = np.random.default_rng(0)
    often = np.tile([[1], [3]], (10, 1))  # of four days
    state = rng.permuted((np.arange(4) < often).astype(int), axis=1).reshape(-1)[block]
    sample = Sample.of(rng.normal(size=(len(speaker), SIZE)), state, speaker, session)
    seen = []

    def attack(seed, h, labels, speakers, folds, num_classes):
        seen.append(labels)
        return LINEAR["linear"](seed, h, labels, speakers, folds, num_classes)

    settings = InferenceSettings(permutations=24, deals=1, folds=4)
    assert beyond_sessions(sample, Suite({"attack": attack}), (0,), settings).verdict is not None
    by_block = seen[0].reshape(25, -1, 6)
    assert (by_block == by_block[..., :1]).all()


def test_speakers_who_are_as_often_of_one_class_as_of_the_other_are_of_both():
    """Whichever of two equally frequent classes is counted first, no class is without speakers."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(20), 12)
    state = rng.permuted(np.tile([0, 1], (20, 6)), axis=1).reshape(-1)
    h = rng.normal(size=(len(speaker), SIZE))
    for session, note in ((speaker, "of one speaker"), (speaker // 4, "whole sessions")):
        measurement = measure(
            Sample.of(h, state, speaker, session), attackers=LINEAR, settings=QUICK
        )
        assert measurement.speakers_per_class == (20, 20)
        assert "a bound of its recall" not in measurement.verdict.reason
        assert note in measurement.beyond_sessions.note


def of_rooms(room_of_speaker, gender_of_speaker):
    """What is said beyond sessions of an h that tells the room and nothing else."""
    room, gender = np.array(room_of_speaker), np.array(gender_of_speaker)
    speaker = np.repeat(np.arange(len(room)), EACH)
    rng = np.random.default_rng(0)
    h = rng.normal(size=(len(speaker), SIZE)) + 3 * rng.normal(size=(9, SIZE))[room[speaker]]
    sample = Sample.of(h, gender[speaker], speaker, room[speaker])
    measurement = measure(sample, attackers=LINEAR, settings=QUICK)
    assert measurement.verdict.verdict == "leaks"
    return measurement.beyond_sessions


def test_a_class_that_is_its_room_is_not_told_from_it():
    """Rooms that change places change the names of the classes, and no attacker's score."""
    of_class = np.arange(36)
    for count in (2, 3):
        beyond = of_rooms(of_class % count, of_class % count)
        assert beyond.verdict is None and "sessions of its own" in beyond.note


@pytest.mark.parametrize(
    ("gender_of_room", "ways"), [((0, 0, 1), 3), ((0, 0, 1, 1), 6), ((0, 0, 0, 1, 1), 10)]
)
def test_few_rooms_show_nothing_and_it_is_rooms_that_are_few(gender_of_room, ways):
    """p is at least 1 / (0.8 ways), twice that if the classes are alike in their rooms."""
    room = np.arange(40) % len(gender_of_room)
    verdict = of_rooms(room, np.array(gender_of_room)[room]).verdict
    alike = 2 * sum(gender_of_room) == len(gender_of_room)
    assert verdict.verdict == "cannot_tell"
    assert verdict.smallest_p == pytest.approx((1 + alike) / ways / 0.8)
    assert f"So few sessions cannot show anything at the level 0.05: with the {ways}" in (
        verdict.reason
    )
    assert "More sessions, or sessions of speakers of several classes" in verdict.reason


def test_what_is_not_subtracted_is_named():
    """Rooms may lie in sites, and the sessions of a table may be sites of several rooms."""
    for sample, note in (
        (rooms(0, interviewer=False), "such as a site of several rooms, is not subtracted"),
        (two_sites(0), "such as a room of a site, is not subtracted"),
    ):
        assert note in measure(sample, attackers=LINEAR, settings=QUICK).beyond_sessions.note


def test_no_attacker_knows_the_room_of_whom_it_is_tried_on():
    sample, seen = rooms(0, interviewer=False), []

    def attack(seed, h, labels, speakers, folds, num_classes):
        seen.append(folds)
        return LINEAR["linear"](seed, h, labels, speakers, folds, num_classes)

    settings = InferenceSettings(permutations=24, deals=1)
    beyond_sessions(sample, Suite({"attack": attack}), (0, 1), settings)
    for folds in seen:
        assert np.unique(np.stack([sample.session, folds]), axis=1).shape[1] == 10


def test_sessions_that_say_nothing_are_named():
    sample = two_sites(0)
    of_all = Sample.of(sample.h, sample.labels, sample.speaker, np.zeros(len(sample.h), int))
    beyond = measure(of_all, attackers=LINEAR, settings=QUICK).beyond_sessions
    assert beyond.verdict is None and "one session" in beyond.note
    alone = Sample.of(sample.h, sample.labels, sample.speaker, sample.speaker)
    beyond = measure(alone, attackers=LINEAR, settings=QUICK).beyond_sessions
    assert beyond.verdict is None and "of one speaker" in beyond.note
    everywhere = np.arange(len(sample.h)) % EACH
    tied = Sample.of(sample.h, sample.labels, sample.speaker, everywhere)
    beyond = measure(tied, attackers=LINEAR, settings=QUICK).beyond_sessions
    assert beyond.verdict is None and "tie the sessions" in beyond.note
