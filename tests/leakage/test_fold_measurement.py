"""The verdict on networks of several folds: right where the answer is known."""

import numpy as np
import pytest

from privrep.leakage.fold_measurement import LINEAR, measure_folds, threats_on_folds
from privrep.leakage.fold_sample import FoldSample
from privrep.statistics.uar import uar
from privrep.types import InferenceSettings, Split

FOLDS = 4
FEWER = InferenceSettings(permutations=59)


def corpus(num_speakers, per_speaker=10):
    """Speakers, their genders by turns, and folds that hold both genders in equal numbers."""
    speakers = np.repeat(np.arange(num_speakers), per_speaker)
    gender = (speakers % 2).astype(np.int32)
    fold = speakers // 2 % FOLDS
    rotation = np.stack([(fold - k) % FOLDS for k in range(FOLDS)])
    return speakers, gender, Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)


def noise(seed, speakers, size=6):
    """h of K networks: a speaker has a place of his own in each, and utterances spread about it."""
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((FOLDS, speakers.max() + 1, size))
    return places[:, speakers] + rng.standard_normal((FOLDS, len(speakers), size))


def test_a_leak_in_another_direction_in_every_network_is_found():
    speakers, gender, split = corpus(48)
    h = noise(0, speakers)
    for k in range(FOLDS):
        h[k, :, k] += 3 * gender
    verdict = measure_folds(FoldSample(h, gender, speakers, split)).verdict
    assert verdict.verdict == "leaks" and verdict.uar > 0.8 and verdict.p <= 0.05
    assert verdict.lower <= verdict.uar <= verdict.upper


def test_false_alarms_are_rare_and_bounds_hold():
    """12 corpora without a leak: as many alarms as one in twenty makes likely (99 %), or fewer."""
    speakers, gender, split = corpus(24, per_speaker=5)
    verdicts = [
        measure_folds(
            FoldSample(noise(seed, speakers), gender, speakers, split),
            attackers=LINEAR,
            settings=FEWER,
        ).verdict
        for seed in range(12)
    ]
    assert sum(verdict.verdict == "leaks" for verdict in verdicts) <= 3
    assert all(verdict.upper >= max(0.5, verdict.uar) for verdict in verdicts)
    assert 0.45 < np.mean([verdict.uar for verdict in verdicts]) < 0.57  # the stronger of two


def test_two_speakers_in_a_fold_cannot_show_anything():
    speakers, gender, split = corpus(2 * FOLDS)
    h = noise(0, speakers) + 9 * gender[:, None]
    verdict = measure_folds(FoldSample(h, gender, speakers, split)).verdict
    assert (
        verdict.verdict == "cannot_tell"
        and verdict.minimum_detectable == np.inf
        and verdict.uar == 1
    )


def test_who_knows_unseen_speakers_reads_what_is_hidden_in_the_training_speakers_alone():
    """A column shows the gender of tested speakers only: a network that unlearned by heart."""
    speakers, gender, split = corpus(48)
    h = noise(1, speakers)
    for k in range(FOLDS):
        h[k, :, 0] += 9 * gender * split.test[k]
    measured = measure_folds(FoldSample(h, gender, speakers, split))
    assert measured.by_knowledge["seen"].verdict != "leaks"
    assert measured.verdict.verdict == measured.by_knowledge["own"].verdict == "leaks"
    assert measured.strongest.startswith("own ") and measured.verdict.uar > 0.9
    assert measured.verdict.upper >= max(v.uar for v in measured.by_knowledge.values())


def test_the_strongest_attacker_is_the_one_that_is_counted():
    speakers, gender, split = corpus(24)
    for seed in range(3):
        h = noise(seed, speakers)
        h[..., 0] += 2 * gender
        sample = FoldSample(h, gender, speakers, split)
        measured = measure_folds(sample, settings=InferenceSettings(permutations=19))
        assert measured.verdict.uar == pytest.approx(float(uar(measured.counts.sum(0))))
        assert measured.verdict.uar == max(v.uar for v in measured.by_knowledge.values())


def rooms(num_rooms, per_room, seed, mixed=False, loud=3.0):
    """Rooms of speakers, of one gender by turns or of both, and each room whole in one fold."""
    room = np.repeat(np.arange(num_rooms), per_room)  # of each speaker
    gender_of = np.arange(len(room)) % 2 if mixed else room % 2
    fold_of = room % FOLDS if mixed else room // 2 % FOLDS
    speakers = np.repeat(np.arange(len(room)), 5)
    rotation = np.stack([(fold_of[speakers] - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    h = noise(seed, speakers)
    sound = np.random.default_rng(seed).standard_normal((FOLDS, num_rooms, h.shape[2]))
    h += loud * sound[:, room[speakers]]
    gender = gender_of[speakers].astype(np.int32)
    return FoldSample(h, gender, speakers, split, room[speakers])


def test_rooms_of_one_gender_tell_the_gender_and_nothing_is_said_beyond_them():
    sample = rooms(24, 4, seed=0)
    measured = measure_folds(sample, attackers=LINEAR)
    assert measured.verdict.verdict == "leaks" and measured.verdict.uar > 0.7
    assert measured.strongest == "own linear"  # who knows others of the room
    beyond = measured.beyond_sessions
    assert beyond.verdict != "leaks" and beyond.uar < measured.verdict.uar - 0.1


def test_alarms_beyond_rooms_are_rare():
    verdicts = [
        measure_folds(rooms(16, 2, seed), attackers=LINEAR, settings=FEWER).beyond_sessions
        for seed in range(5)
    ]
    assert sum(verdict.verdict == "leaks" for verdict in verdicts) <= 2


def test_a_leak_within_rooms_is_found_beyond_them():
    sample = rooms(12, 4, seed=0, mixed=True)
    assert measure_folds(sample, attackers=LINEAR).beyond_sessions.verdict != "leaks"
    sample.h[..., 0] += 4 * sample.labels
    beyond = measure_folds(sample, attackers=LINEAR).beyond_sessions
    assert beyond.verdict == "leaks" and beyond.lower <= beyond.uar <= beyond.upper


def test_two_rooms_of_one_gender_each_cannot_be_told_from_the_gender():
    """The only other labelling of the rooms renames the genders: nothing h reveals is beyond it."""
    speakers, gender, split = corpus(24)
    sample = FoldSample(noise(0, speakers), gender, speakers, split, gender)
    sample.h[..., 0] += 9 * gender
    measured = measure_folds(sample, attackers=LINEAR, settings=FEWER)
    assert measured.verdict.verdict == "leaks"
    beyond = measured.beyond_sessions
    assert beyond.verdict == "cannot_tell" and beyond.uar == pytest.approx(0.5)
    assert beyond.upper == 1 and "sessions of its own" in beyond.reason


def test_without_sessions_or_with_a_session_for_each_speaker_nothing_is_beyond_them():
    speakers, gender, split = corpus(24)
    sample = FoldSample(noise(0, speakers), gender, speakers, split)
    without = measure_folds(sample, attackers=LINEAR, settings=FEWER)
    each = measure_folds(sample._replace(session=speakers), attackers=LINEAR, settings=FEWER)
    assert without.beyond_sessions is None and each.beyond_sessions is None
    assert without.by_knowledge["seen"] == each.by_knowledge["seen"]


def test_unknown_labels_do_not_count():
    speakers, gender, split = corpus(48)
    h = noise(2, speakers)
    h[..., 0] += 3 * gender
    unknown = gender.copy()
    unknown[speakers == 5] = -1
    kept = speakers != 5
    of_kept = Split(*(part[:, kept] for part in split))
    fewer = {"attackers": LINEAR, "settings": FEWER}
    measurement = measure_folds(FoldSample(h, unknown, speakers, split), **fewer)
    other = measure_folds(FoldSample(h[:, kept], gender[kept], speakers[kept], of_kept), **fewer)
    assert measurement.verdict == other.verdict
    np.testing.assert_array_equal(measurement.counts, other.counts)
    assert measurement.counts.shape == (47, 2, 2) and measurement.counts.sum() == kept.sum()


def test_a_leak_that_is_the_emotions_own_is_gone_given_emotion():
    """Half of the women's emotions are of a kind that men do not show, and h tells emotions."""
    speakers, gender, split = corpus(48)
    rng = np.random.default_rng(0)
    emotion = np.where(rng.random(len(gender)) < 0.5, gender, rng.integers(0, 2, len(gender)))
    given = np.tile(emotion, (FOLDS, 1))
    h = noise(3, speakers)
    h[..., 0] += 4 * emotion
    both = {"attackers": LINEAR, "settings": FEWER}
    assert measure_folds(FoldSample(h, gender, speakers, split), **both).verdict.verdict == "leaks"
    beyond = measure_folds(FoldSample(h, gender, speakers, split), given=given, **both).verdict
    assert beyond.verdict != "leaks" and abs(beyond.uar - 0.5) < 0.08
    h[..., 1] += 2 * gender
    beyond = measure_folds(FoldSample(h, gender, speakers, split), given=given, **both).verdict
    assert beyond.verdict == "leaks" and beyond.uar > 0.7


def test_what_cannot_be_measured_is_refused():
    speakers, gender, split = corpus(16)
    h = noise(0, speakers)
    with pytest.raises(ValueError, match="of one class"):
        measure_folds(FoldSample(h, gender * 0, speakers, split))
    h[1, 3, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        measure_folds(FoldSample(h, gender, speakers, split))


def test_an_ignorant_attacker_is_fooled_by_a_leak_that_moved_and_eight_bits_are_enough():
    speakers, gender, split = corpus(24)
    bare = noise(3, speakers)
    bare[..., 0] += 3 * (2 * gender - 1)
    moved = bare[..., ::-1].copy()
    uars = threats_on_folds(FoldSample(moved, gender, speakers, split), unprotected=bare)
    assert uars["int8"] > 0.9 and abs(uars["ignorant"] - 0.5) < 0.2
    assert (
        threats_on_folds(FoldSample(bare, gender, speakers, split), unprotected=bare)["ignorant"]
        > 0.9
    )
    assert list(threats_on_folds(FoldSample(bare, gender, speakers, split))) == ["int8"]


def test_a_weak_leak_is_read_from_all_utterances_of_a_person():
    speakers, gender, split = corpus(40, per_speaker=50)
    h = np.random.default_rng(0).standard_normal((FOLDS, len(speakers), 2))
    h[..., 0] += 0.5 * gender  # every utterance tells a little of its own
    measured = measure_folds(FoldSample(h, gender, speakers, split), attackers=LINEAR)
    assert list(measured.victims) == [20, 50]
    shares = [measured.verdict.uar, *(verdict.uar for verdict in measured.victims.values())]
    assert 0.55 < shares[0] < 0.65 and shares == sorted(shares) and shares[2] > 0.85
    assert all(v.lower <= v.uar <= v.upper for v in measured.victims.values())
    assert "all utterances of a person" in measured.victims[50].reason


def test_a_person_of_one_utterance_tells_no_more_with_all():
    speakers, gender, split = corpus(40, per_speaker=1)
    measured = measure_folds(FoldSample(noise(0, speakers), gender, speakers, split))
    assert list(measured.victims) == [1]
    assert measured.victims[1].uar == measured.verdict.uar
    assert measured.victims[1].p == measured.verdict.p
