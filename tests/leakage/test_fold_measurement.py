"""The verdict on networks of several folds: right where the answer is known."""

import numpy as np
import pytest

from privrep.attacks.lda import linear
from privrep.leakage.fold_measurement import measure_folds, threats_on_folds
from privrep.types import InferenceSettings, Split

FOLDS = 4
LINEAR = {"linear": linear}
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
    verdict = measure_folds(h, gender, speakers, split).verdict
    assert verdict.verdict == "leaks" and verdict.uar > 0.8 and verdict.p <= 0.05
    assert verdict.lower <= verdict.uar <= verdict.upper


def test_false_alarms_are_rare_and_bounds_hold():
    """40 corpora without a leak: as many alarms as one in twenty makes likely (99 %), or fewer."""
    speakers, gender, split = corpus(24, per_speaker=5)
    verdicts = [
        measure_folds(
            noise(seed, speakers), gender, speakers, split, attackers=LINEAR, settings=FEWER
        ).verdict
        for seed in range(40)
    ]
    assert sum(verdict.verdict == "leaks" for verdict in verdicts) <= 6
    assert sum(verdict.upper >= 0.5 for verdict in verdicts) == 40
    assert 0.45 < np.mean([verdict.uar for verdict in verdicts]) < 0.55


def test_two_speakers_in_a_fold_cannot_show_anything():
    speakers, gender, split = corpus(2 * FOLDS)
    h = noise(0, speakers) + 9 * gender[:, None]
    verdict = measure_folds(h, gender, speakers, split).verdict
    assert verdict.verdict == "cannot_tell"
    assert verdict.minimum_detectable == np.inf and verdict.uar == 1


def test_nothing_of_a_test_speaker_teaches_its_attacker():
    """A column that tells the gender of tested speakers only is of no use."""
    speakers, gender, split = corpus(48)
    h = noise(1, speakers)
    for k in range(FOLDS):
        h[k, :, 0] += 9 * gender * split.test[k]
    assert measure_folds(h, gender, speakers, split).verdict.verdict != "leaks"


def test_unknown_labels_do_not_count():
    speakers, gender, split = corpus(48)
    h = noise(2, speakers)
    h[..., 0] += 3 * gender
    unknown = gender.copy()
    unknown[speakers == 5] = -1
    kept = speakers != 5
    of_kept = Split(*(part[:, kept] for part in split))
    measurement = measure_folds(h, unknown, speakers, split)
    other = measure_folds(h[:, kept], gender[kept], speakers[kept], of_kept)
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
    assert measure_folds(h, gender, speakers, split, **both).verdict.verdict == "leaks"
    beyond = measure_folds(h, gender, speakers, split, given=given, **both).verdict
    assert beyond.verdict != "leaks" and abs(beyond.uar - 0.5) < 0.08
    h[..., 1] += 2 * gender
    beyond = measure_folds(h, gender, speakers, split, given=given, **both).verdict
    assert beyond.verdict == "leaks" and beyond.uar > 0.7


def test_what_cannot_be_measured_is_refused():
    speakers, gender, split = corpus(16)
    h = noise(0, speakers)
    with pytest.raises(ValueError, match="of one class"):
        measure_folds(h, gender * 0, speakers, split)
    h[1, 3, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        measure_folds(h, gender, speakers, split)


def test_an_ignorant_attacker_is_fooled_by_a_leak_that_moved_and_eight_bits_are_enough():
    speakers, gender, split = corpus(24)
    bare = noise(3, speakers)
    bare[..., 0] += 3 * (2 * gender - 1)
    moved = bare[..., ::-1].copy()
    uars = threats_on_folds(moved, gender, speakers, split, unprotected=bare)
    assert uars["int8"] > 0.9 and abs(uars["ignorant"] - 0.5) < 0.2
    assert threats_on_folds(bare, gender, speakers, split, unprotected=bare)["ignorant"] > 0.9
    assert list(threats_on_folds(bare, gender, speakers, split)) == ["int8"]
