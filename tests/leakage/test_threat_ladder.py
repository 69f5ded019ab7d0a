"""The ladder of threats, and the online code, where the answer is known."""

import numpy as np
import pytest

from privrep.attacks.lda import kernel, linear
from privrep.leakage.measurement import measure
from privrep.leakage.online_code import online_code
from privrep.leakage.threat_ladder import OtherCorpus, in_steps, ladder
from privrep.leakage.worlds import WORLDS
from privrep.types import InferenceSettings, Sample


def climb(h, sample, **more):
    rungs = ladder(Sample.of(h, sample.gender, sample.speaker), attack=linear, **more)
    assert all(rung.lower <= rung.uar <= rung.upper for rung in rungs)
    return {rung.threat: rung.uar for rung in rungs}


def test_a_defence_that_turns_the_leak_round_fools_the_ignorant_alone():
    sample = WORLDS["linear"].draw(0, 40, 10, 6)
    h = sample.h / np.abs(sample.h).max(0)
    uars = climb(-h, sample, unprotected=h)
    assert uars["informed"] > 0.75 and uars["ignorant"] < 0.4
    assert abs(uars["float16"] - uars["informed"]) < 0.02
    assert abs(uars["int8"] - uars["informed"]) < 0.05
    same = climb(h, sample, unprotected=h)
    assert same["ignorant"] == same["informed"]


def test_an_informed_attacker_has_the_bounds_of_the_measurement():
    """One attacker on one corpus has one pair of bounds, wherever it is printed."""
    sample = WORLDS["linear"].draw(0, 24, 6, 6).sample()
    settings = InferenceSettings(permutations=39, deals=1)
    measured = measure(sample, attackers={"linear": linear}, settings=settings)
    informed, *others = ladder(sample, attack=linear, settings=settings)
    expected = measured.attackers["linear"]
    assert informed == ("informed", expected.uar, expected.lower, expected.upper)
    # Half precision changes next to nothing, neither the UAR nor its bounds.
    half = next(rung for rung in others if rung.threat == "float16")
    assert np.allclose(half[1:], informed[1:], atol=0.03)
    assert [rung.threat for rung in ladder(sample, attack=linear, without=("informed",))] == [
        *("float16", "int8")
    ]


def test_what_another_corpus_teaches_is_what_both_have_in_common():
    rng, sample = np.random.default_rng(0), WORLDS["linear"].draw(0, 40, 10, 6)
    noise = rng.normal(size=(400, 6))
    common = noise + 3 * np.outer(2 * sample.gender - 1, np.eye(6)[0])
    turned = noise + 3 * np.outer(2 * sample.gender - 1, np.eye(6)[1])
    for other, least, most in ((common, 0.95, 1), (turned, 0.3, 0.7)):
        there = OtherCorpus(other, sample.gender, np.array([f"o{s}" for s in sample.speaker]))
        uars = climb(common / 20, sample, other=there._replace(h=other / 20))
        assert least <= uars["transferred"] <= most and uars["informed"] > 0.95
    # A class that is not ours does not count, nor what is said of its speakers.
    labels = np.where(sample.speaker < 6, -1, sample.gender)
    partly = OtherCorpus(np.where(labels[:, None] < 0, 99, common), labels, sample.speaker)
    assert climb(common, sample, other=partly)["transferred"] > 0.95


def test_in_steps_is_within_half_a_step_of_what_was_learned_and_clips_the_rest():
    h = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    h[:, 2] = 7
    learned = np.arange(200) < 150
    sent = in_steps(h, learned)
    low, high = h[learned].min(0), h[learned].max(0)
    assert (sent >= low - 1e-6).all() and (sent <= high + 1e-6).all()
    inside = (h >= low) & (h <= high)
    assert (np.abs(sent - h) <= (high - low) / 510 + 1e-6)[inside].all() and not inside.all()
    assert all(len(np.unique(column)) <= 256 for column in sent.T)
    np.testing.assert_array_equal(sent[:, 2], 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unprotected": np.zeros((80, 5))}, "must be of the same utterances"),
        ({"unprotected": np.full((80, 4), np.nan)}, "not finite"),
        (
            {"other": OtherCorpus(np.zeros((9, 5)), np.zeros(9, int), np.arange(9))},
            "as many columns",
        ),
        (
            {"other": OtherCorpus(np.zeros((9, 4)), np.zeros(9, int), np.arange(9))},
            "fewer than two",
        ),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    sample = WORLDS["linear"].draw(0, 8, 10, 4)
    with pytest.raises(ValueError, match=message):
        climb(sample.h, sample, **change)


def test_the_online_code_is_shorter_the_more_h_tells_and_never_much_longer_than_without_h():
    codes = {}
    for world, attack in (("linear", linear), ("speaker_only", linear), ("nonlinear", kernel)):
        sample = WORLDS[world].draw(0, 64, 8, 6)
        codes[world] = online_code(sample.sample(), attack=attack)
        assert codes[world].speakers == (8, 16, 32, 64) and codes[world].uniform == 1
        code = codes[world]
        assert code.compression == pytest.approx(code.prior / code.bits)
        assert code.prior == pytest.approx(1, abs=0.02)  # as many women as men
    assert codes["nonlinear"].bits < 0.4 and codes["linear"].bits < 0.8
    assert 0.97 < codes["speaker_only"].bits < 1.2


def test_a_rare_class_is_no_compression():
    """Noise with 10 women of 100: few bits are needed, with h or without."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        speaker = np.repeat(np.arange(100), 6)
        women = rng.permutation(np.arange(100) < 10)[speaker].astype(int)
        noise = Sample.of(rng.normal(size=(600, 6)), women, speaker)
        code = online_code(noise, attack=linear, seed=seed)
        assert code.bits < 0.7 and 0.85 < code.compression < 1.05


def test_the_code_without_h_is_that_of_the_frequencies_before():
    """Four speakers of each class first, at one bit; then each portion by what was sent."""
    speaker = np.repeat(np.arange(16), 5)
    labels = speaker % 2
    code = online_code(Sample.of(np.zeros((80, 2)), labels, speaker), attack=linear)
    assert code.speakers == (8, 16) and code.prior == pytest.approx(1)
    assert code.compression == pytest.approx(1, abs=1e-6)


def test_a_perfect_attacker_sends_all_but_the_first_portion_for_next_to_nothing():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(32), 10)
    labels = speakers % 2
    h = 100.0 * labels[:, None] + rng.normal(size=(320, 2))
    code = online_code(Sample.of(h, labels, speakers), attack=linear)
    # 8 of 32 speakers at one bit, the rest at -log2 0.995.
    assert code.bits == pytest.approx(0.25 - 0.75 * np.log2(0.995), abs=2e-3)


def test_nothing_is_learned_before_two_speakers_of_each_class_are_known():
    sample = WORLDS["linear"].draw(0, 4, 5, 6)
    code = online_code(sample.sample(), attack=linear)
    assert code.speakers == (4,) and code.bits == code.compression == 1
    rare = np.where(np.arange(20) < 2, 1, 0)[np.repeat(np.arange(20), 5)]
    code = online_code(
        Sample.of(np.ones((100, 1)), rare, np.repeat(np.arange(20), 5)), attack=linear
    )
    assert code.speakers[0] >= 10  # the second of two among twenty comes late
