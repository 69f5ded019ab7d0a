"""The measurement of a number: worlds with a known answer, and what may not change it."""

import numpy as np
import pytest

from privrep.attacks.ridge import ridge
from privrep.leakage.number_folds import measure_number_folds
from privrep.leakage.number_measurement import measure_number, measure_numbers
from privrep.leakage.number_worlds import linear, radius
from privrep.types import InferenceSettings, NumberSample, Sample, Split

FEW = InferenceSettings(permutations=40, deals=1)
LINEAR = {"ridge": ridge}


def measured(sample, **changed):
    return measure_number(sample, **({"attackers": LINEAR, "settings": FEW} | changed))


@pytest.fixture(scope="module")
def leaking():
    return linear(0, 40, 5, 6, strength=2.0)


def test_a_planted_number_is_found_and_lies_within_its_bounds(leaking):
    result = measured(leaking)
    verdict = result.verdict
    assert verdict.verdict == "leaks" and verdict.correlation > 0.6
    assert verdict.lower <= verdict.correlation <= verdict.upper < 1
    assert result.num_speakers == 40 and result.share_within == pytest.approx(0, abs=1e-12)
    assert result.lowest < 30 and result.highest > 60
    single, *_, every = result.victims
    assert [victim.utterances for victim in result.victims] == [1, 2, 5]
    assert every[1:] == (verdict.correlation, verdict.lower, verdict.upper)
    assert (
        single.lower <= single.correlation <= single.upper
        and single.correlation < every.correlation
    )


def test_what_is_not_linear_is_found_by_the_kernel_only():
    result = measure_number(radius(0, 40, 5, 4), settings=FEW)
    attackers = result.attackers
    assert result.strongest == "kernel_ridge" and result.verdict.verdict == "leaks"
    assert attackers["kernel_ridge"].correlation > 0.8 and attackers["ridge"].p > 0.05
    assert result.verdict.upper == max(of.upper for of in attackers.values())


def test_an_increasing_function_of_the_number_changes_nothing(leaking):
    changed = NumberSample.of(leaking.h, np.exp(leaking.values / 10), leaking.speaker)
    assert measured(changed).verdict == measured(leaking).verdict


def test_what_no_test_may_look_at_changes_nothing(leaking):
    """The order of the utterances, the names of speakers, and utterances of unknown number."""
    order = np.random.default_rng(1).permutation(len(leaking.values))
    mixed = NumberSample.of(leaking.h[order], leaking.values[order], leaking.speaker[order])
    noise = np.random.default_rng(2).normal(size=(9, 6))
    more = NumberSample.of(
        np.concatenate([leaking.h, noise]),
        np.append(leaking.values, np.full(9, np.nan)),
        np.append(leaking.speaker, np.arange(9)),
    )
    for sample in (mixed, more):
        verdict, expected = measured(sample).verdict, measured(leaking).verdict
        assert verdict.correlation == pytest.approx(expected.correlation, abs=1e-9)
        assert verdict.p == expected.p


def test_ten_speakers_of_noise_cannot_tell_and_no_bound_excludes_anything():
    for seed in range(3):
        verdict = measured(linear(seed, 10, 4, 4, strength=0)).verdict
        assert verdict.verdict in ("cannot_tell", "leaks") and verdict.upper > verdict.limit


def test_three_speakers_have_three_orders_up_to_reversal():
    """All 6 labellings are tried; each ties with its reverse, so that p is 1/3 at least."""
    result = measured(linear(0, 3, 6, 2, strength=5))
    assert result.distinct_permutations == 6 and result.num_permutations == 5
    assert result.verdict.smallest_p > 1 / 3 and result.verdict.verdict == "cannot_tell"
    assert "So few speakers" in result.verdict.reason


def test_what_rooms_tell_is_no_leak_beyond_them_and_is_never_called_none():
    """h tells the room and nothing else, and the people of a room are of one age, nearly."""
    rng = np.random.default_rng(3)
    speaker = np.repeat(np.arange(60), 4)
    room = speaker // 5
    age = 20 + 3.0 * room + rng.normal(size=60)[speaker]
    h = rng.normal(size=(12, 5))[room] + 0.1 * rng.normal(size=(len(room), 5))
    h[:, 0] = room + 0.1 * rng.normal(size=len(room))
    verdicts = [measured(NumberSample.of(h, age, speaker, s)).verdict for s in (room, None)]
    assert verdicts[1].verdict == "leaks"
    for verdict in verdicts:
        assert verdict.verdict != "no_leak_shown" and verdict.upper >= verdict.correlation > 0.5


def test_a_number_that_varies_within_speakers_is_measured_by_their_mean():
    rng = np.random.default_rng(4)
    sample = linear(4, 30, 6, 4, strength=2)
    by_utterance = sample.values + rng.normal(0, 3, len(sample.values))
    result = measured(NumberSample.of(sample.h, by_utterance, sample.speaker))
    assert 0 < result.share_within < 0.2 and result.verdict.verdict == "leaks"
    rating = rng.normal(size=len(sample.values))
    columns = {"age": by_utterance, "rating": rating, "height": np.full(len(rating), 170.0)}
    drawn = Sample(sample.h, np.zeros(len(rating), np.int32), sample.speaker)
    rows, left_out = measure_numbers(drawn, columns, FEW)
    assert [row.name for row in rows] == ["age"] and rows[0].values == 30
    assert "within speakers" in left_out["rating"] and "same number" in left_out["height"]


def test_networks_of_several_folds_are_judged_together():
    speaker = np.repeat(np.arange(40), 5)
    fold = speaker % 4
    rotation = np.stack([(fold - k) % 4 for k in range(4)])
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    rng = np.random.default_rng(5)
    age = rng.normal(size=40)[speaker]
    noise = rng.normal(size=(4, 40, 5))[:, speaker] + rng.normal(size=(4, len(speaker), 5))
    h = noise.copy()
    for k in range(4):  # in another direction of every network
        h[k, :, k] += 3 * age
    leak = measure_number_folds(h, age, speaker, split, settings=FEW)
    none = measure_number_folds(noise, age, speaker, split, attackers=LINEAR, settings=FEW)
    assert leak.verdict == "leaks" and leak.correlation > 0.7 and leak.upper >= leak.correlation
    assert none.verdict != "leaks" and none.upper > abs(none.correlation)
    unknown = np.where(speaker < 2, np.nan, age)
    assert measure_number_folds(h, unknown, speaker, split, settings=FEW).verdict == "leaks"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([np.nan] * 4, "no number is known"),
        ([3.0] * 4, "same number"),
        ([1, 2, 1, 2], "at least 3"),
    ],
)
def test_what_cannot_be_measured_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        measure_number(NumberSample.of(np.eye(4), values, [0, 1, 0, 1]))


@pytest.mark.by_hand
@pytest.mark.parametrize("num_speakers", [10, 28, 100])
def test_the_level_is_held(num_speakers):
    """100 worlds without a leak, the whole suite: as many alarms as 5 % makes likely (99 %)."""
    verdicts = [
        measure_number(linear(seed, num_speakers, 5, 8, strength=0), settings=FEW).verdict
        for seed in range(100)
    ]
    assert sum(verdict.verdict == "leaks" for verdict in verdicts) <= 11
    assert np.mean([verdict.upper >= 0 for verdict in verdicts]) == 1
