"""Several deals of folds, several utterances of a person, attackers outside the test."""

import numpy as np
import pytest

from privrep.attacks.lda import ATTACKS
from privrep.attacks.protocol import Attacked
from privrep.attacks.suite import SMALL, Suite
from privrep.leakage.deals import attack_deals
from privrep.leakage.measurement import measure
from privrep.leakage.victims import group_counts, groups_of, person_counts
from privrep.leakage.worlds import WORLDS, linear
from privrep.statistics.confidence import standard_error
from privrep.statistics.design import deal_folds, speaker_labels, speakers_per_class
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.types import InferenceSettings, Sample

LINEAR = {"linear": ATTACKS["linear"]}


def test_a_labelling_has_the_mean_of_its_deals():
    sample = linear(0, 20, 6, 4, 0.5).sample()
    zeros = np.zeros(20, int)
    permutations = permute(sample.labels, sample.speaker, zeros, 12, 0)
    dealt = attack_deals(sample, permutations, None, Suite(LINEAR), (3, 4, 5), 4)
    by_hand = []
    for seed in (3, 4, 5):
        folds = deal_folds(sample.speaker, None, 4, seed)
        arguments = (permutations.labels, sample.speaker, folds, 2)
        attacked = ATTACKS["linear"](seed, sample.h, *arguments)
        by_hand.append(uars_of(attacked.predictions, permutations.labels, 2))
    np.testing.assert_allclose(dealt.one_utterance.uars[0], np.mean(by_hand, 0))
    for scores, uars in zip(dealt.of_deal, by_hand):
        np.testing.assert_allclose(scores.uars[0], uars)
    assert dealt.counts["linear"].sum() == 3 * len(sample.labels)


def test_errors_are_those_of_all_deals_together():
    sample = linear(0, 20, 6, 4, 0.5).sample()
    class_of = speaker_labels(sample.labels, sample.speaker)
    permutations = permute(sample.labels, sample.speaker, np.zeros(20, int), 2, 0)
    dealt = attack_deals(sample, permutations, None, Suite(LINEAR), (3, 4, 5), 4)
    persons = 0
    for seed in (3, 4, 5):
        folds = deal_folds(sample.speaker, None, 4, seed)
        arguments = (permutations.labels, sample.speaker, folds, 2)
        attacked = ATTACKS["linear"](seed, sample.h, *arguments)
        persons = persons + person_counts(attacked, 0, sample.labels, sample.speaker, 2)
    for scores, counts in ((dealt.one_utterance, dealt.counts["linear"]), (dealt.person, persons)):
        assert scores.errors[0] == pytest.approx(standard_error(counts, uar, class_of))


@pytest.mark.parametrize(("columns", "deals"), [(4, 3), (SMALL // 120 + 1, 1)])
def test_what_is_cheap_for_a_small_h_takes_part_in_every_deal_of_it(columns, deals):
    """120 utterances: its UAR then moves with the seed as little as that of the others."""
    sample = linear(0, 20, 6, 4, 0.5).sample()
    h = np.tile(sample.h, columns // 4 + 1)[:, :columns]
    sample = Sample.of(h, sample.labels, sample.speaker)
    permutations = permute(sample.labels, sample.speaker, np.zeros(20, int), 2, 0)
    counted = []

    def attack(seed, h, labels, speakers, folds, num_classes):
        counted.append(seed)
        return Attacked(labels.astype(np.int16), np.zeros((len(h), num_classes)), ("",) * 4)

    suite = Suite({}, {"small": attack}, {"once": attack}, {"untested": attack})
    dealt = attack_deals(sample, permutations, None, suite, (3, 4, 5), 4)
    assert dealt.deals == {"small": deals, "once": 1}
    assert sorted(counted) == sorted([3, 4, 5][:deals] + [3, 3])


def test_who_shares_a_group_shares_the_fold_in_every_deal():
    sample = linear(0, 20, 6, 4, 0.5).sample()
    permutations = permute(sample.labels, sample.speaker, np.zeros(20, int), 2, 0)
    group, seen = np.arange(20) // 3, []

    def attack(seed, h, labels, speakers, folds, num_classes):
        seen.append(folds)
        return ATTACKS["linear"](seed, h, labels, speakers, folds, num_classes)

    attack_deals(sample, permutations, group, Suite({"attack": attack}), (3, 4, 5), 4)
    for folds in seen:
        pairs = np.unique(np.stack([group[sample.speaker], folds]), axis=1)
        assert len(np.unique(folds)) == 4 and pairs.shape[1] == group.max() + 1
    assert len({folds.tobytes() for folds in seen}) == 3


def test_a_person_is_judged_in_every_labelling_as_by_a_sum_over_a_list():
    """Where a state varies within speakers, a speaker in one state is a person."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(12), 8)
    sample = Sample.of(rng.normal(size=(96, 3)), rng.integers(0, 3, 96), speaker)
    permutations = permute(sample.labels, sample.speaker, np.zeros(12, int), 5, 0)
    dealt = attack_deals(sample, permutations, None, Suite(LINEAR), (3,), 4)
    folds = deal_folds(sample.speaker, None, 4, 3)
    scores = ATTACKS["linear"](3, sample.h, permutations.labels, speaker, folds, 3).scores
    for row, labels in enumerate(permutations.labels):
        hits = {0: [], 1: [], 2: []}
        for s, c in {*zip(speaker.tolist(), labels.tolist())}:
            total = scores[row, (speaker == s) & (labels == c)].sum(0, dtype=float)
            hits[c].append(np.append(0, total).argmax() == c)
        expected = np.mean([np.mean(of_class) for of_class in hits.values()])
        assert dealt.person.uars[0, row] == pytest.approx(expected)


def test_the_scores_of_a_person_add_up():
    """Four persons: one utterance that is sure outweighs two that are not."""
    speaker = np.repeat(np.arange(4), 3)
    labels = np.repeat([0, 0, 1, 1], 3)
    scores = np.tile([-5.0, 1.0, 1.0], 4).astype(np.float32)
    scores[6:] *= -1
    predictions = (scores > 0).astype(np.int16)
    attacked = Attacked(predictions[None], np.zeros((12, 2)), ("",), scores[None, :, None])
    counts = person_counts(attacked, 0, labels, speaker, 2).sum(0)
    np.testing.assert_array_equal(counts, [[2, 0], [0, 2]])
    # Without scores the majority decides, wrongly here.
    voted = person_counts(attacked._replace(scores=None), 0, labels, speaker, 2).sum(0)
    np.testing.assert_array_equal(voted, [[0, 2], [2, 0]])


def test_many_utterances_of_a_person_tell_what_one_does_not():
    """A shift of a quarter of the noise within speakers, who hardly differ otherwise."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(60), 40)
    h = rng.normal(size=(2400, 3)) + 0.05 * rng.normal(size=(60, 3))[speaker]
    h[:, 0] += 0.3 * (speaker % 2)
    settings = InferenceSettings(permutations=60, deals=2)
    measurement = measure(Sample.of(h, speaker % 2, speaker), attackers=LINEAR, settings=settings)
    utterance, person = measurement.verdict, measurement.person
    assert utterance.uar < 0.62 and person.uar > 0.75 and person.verdict == "leaks"
    for verdict in (utterance, person):
        assert verdict.lower <= verdict.uar <= verdict.upper
    worst = measurement.worst_protected
    assert worst.utterances == 40 and worst.recall > utterance.uar


def test_an_untested_attacker_that_reads_more_than_the_bound_forbids_no_leak():
    def sees_all(seed, h, labels, speakers, folds, num_classes):
        assert len(labels) == 1  # the true labelling only
        return Attacked(labels.astype(np.int16), np.zeros((len(h), num_classes)), ("",) * 5)

    sample = WORLDS["no_leak"].draw(3, 40, 20, 6).sample()
    settings = InferenceSettings(permutations=60, deals=1)
    without = measure(sample, attackers=Suite(LINEAR), settings=settings)
    assert without.verdict.verdict == "no_leak_shown"
    blind = measure(
        sample, attackers=Suite(LINEAR, untested={"trees": sees_all}), settings=settings
    )
    assert blind.verdict.verdict == "cannot_tell" and blind.verdict.upper == 1
    assert "--attackers=trees" in blind.verdict.reason and blind.untested == {"trees": 1.0}
    assert blind.verdict.p == without.verdict.p


def test_an_untested_attacker_is_asked_about_persons_as_well():
    """It names 11 of 20 utterances of everybody rightly: little of one, and every person."""

    def sees_a_little(seed, h, labels, speakers, folds, num_classes):
        is_right = np.arange(len(h)) % 20 < 11
        predictions = np.where(is_right, labels, 1 - labels).astype(np.int16)
        return Attacked(predictions, np.zeros((len(h), num_classes)), ("",) * 5)

    sample = WORLDS["no_leak"].draw(3, 40, 20, 6).sample()
    settings = InferenceSettings(permutations=39, deals=1, limit=0.45)
    suite = Suite(LINEAR)
    without = measure(sample, attackers=suite, settings=settings)
    blind = measure(
        sample, attackers=suite._replace(untested={"trees": sees_a_little}), settings=settings
    )
    assert blind.verdict == without.verdict
    assert without.person.verdict == "no_leak_shown" and without.person.upper < 1
    assert blind.person.verdict == "cannot_tell" and blind.person.upper == 1


def test_deals_are_others_for_other_seeds_and_more_deals_are_further_ones():
    seeds = [InferenceSettings(seed=seed, deals=6).deal_seeds for seed in range(50)]
    assert len(set(sum(seeds, ()))) == 300
    for seed, of_six in enumerate(seeds):
        assert of_six[0] == seed
        assert InferenceSettings(seed=seed, deals=3).deal_seeds == of_six[:3]


def test_a_class_of_few_speakers_is_no_ground_for_no_leak():
    sample = WORLDS["no_leak"].draw(3, 80, 10, 4)
    # The women but six are left out.
    kept = (sample.gender == 1) | np.isin(sample.speaker, np.unique(sample.speaker)[:12])
    part = Sample.of(sample.h, sample.gender, sample.speaker).take(kept)
    settings = InferenceSettings(permutations=60, deals=1, limit=0.4)
    verdict = measure(part, attackers=LINEAR, settings=settings).verdict
    assert verdict.verdict == "cannot_tell" and "class 0 has 6 speakers" in verdict.reason


def test_slips_make_no_speaker_of_a_class():
    """28 men, of whom each has one utterance that is called a woman's, and 4 women."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(32), 20)
    gender = ((speaker < 4) | (np.arange(640) % 20 == 0)).astype(int)
    assert speakers_per_class(gender, speaker).tolist() == [28, 4]
    sample = Sample.of(rng.normal(size=(640, 3)), gender, speaker)
    settings = InferenceSettings(permutations=60, deals=1, limit=0.4)
    verdict = measure(sample, attackers=LINEAR, settings=settings).verdict
    assert verdict.verdict == "cannot_tell" and "class 1 has 4 speakers who" in verdict.reason


def test_the_test_is_made_on_a_share_of_a_large_corpus_and_the_uar_is_of_all():
    sample = linear(0, 20, 50, 4, 2.0).sample()
    settings = InferenceSettings(permutations=30, deals=1, utterances=200)
    measurement = measure(sample, attackers=LINEAR, settings=settings)
    assert measurement.tested_utterances == 200 and measurement.num_utterances == 1000
    folds = deal_folds(sample.speaker, None, 5, 0)
    arguments = (sample.labels[None], sample.speaker, folds, 2)
    of_all = ATTACKS["linear"](0, sample.h, *arguments).predictions
    assert measurement.verdict.uar == uars_of(of_all, sample.labels[None], 2)[0]
    assert (measurement.predictions == of_all[0]).all()
    assert measurement.verdict.lower <= measurement.verdict.uar <= measurement.verdict.upper


def test_columns_of_one_value_are_named():
    world = WORLDS["linear"].draw(0, 20, 5, 4)
    h = np.insert(world.h, 2, 1e6, axis=1)
    sample = Sample.of(h, world.gender, world.speaker)
    settings = InferenceSettings(permutations=30, deals=1)
    assert measure(sample, attackers=LINEAR, settings=settings).constant_columns == (2,)


def test_groups_divide_the_utterances_of_a_person_and_leave_out_a_remainder():
    speaker = np.repeat([0, 1, 2], [5, 2, 6])
    varying = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    for labels in (np.array([0, 1, 0])[speaker], varying):
        (group,) = groups_of(labels[None], speaker, 2, 3, seed=0)
        person = speaker * 2 + labels
        for somebody in np.unique(person):
            count = int((person == somebody).sum())
            sizes = np.bincount(group[(person == somebody) & (group >= 0)])
            assert sizes[sizes > 0].tolist() == ([3] * (count // 3) or [count])
        for number in range(group.max() + 1):
            assert len(np.unique(person[group == number])) == 1


def test_one_utterance_is_a_group_of_its_own():
    rng = np.random.default_rng(0)
    speaker, labels = np.repeat(np.arange(6), 4), np.repeat(np.arange(6) % 2, 4)
    scores = rng.normal(size=(1, 24, 1))
    attacked = Attacked((scores[..., 0] > 0).astype(np.int16), np.zeros((24, 2)), (), scores)
    (group,) = groups_of(labels[None], speaker, 2, 1, seed=0)
    counts = group_counts(attacked, 0, labels, speaker, 2, group)
    expected = confusion_counts(attacked.predictions[0], labels, speaker, 2)
    np.testing.assert_array_equal(counts, expected)
