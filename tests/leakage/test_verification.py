"""Speaker verification: p and jackknife by definition, and nothing learned of who is tested."""

import numpy as np
import pytest
import scipy.special

from privrep.leakage.verification import VerificationTarget, verify
from privrep.types import InferenceSettings

MET, EACH = 10, 4  # speakers who are tested, and their utterances


def voices(seed, strength, size=6):
    """h and speaker of 12 speakers to learn from and of 10 to be met; a voice is as much stronger
    than what varies between its utterances as `strength` [22] says."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(12 + MET), EACH)
    means = rng.normal(size=(12 + MET, size)) * np.broadcast_to(strength, 12 + MET)[:, None]
    return means[speaker] + rng.normal(size=(len(speaker), size)), speaker


def test_no_p_is_below_one_in_all_labellings():
    """Where speakers are told apart without error no permuted labelling comes near."""
    h, speaker = voices(0, 50.0)
    target = VerificationTarget(h, speaker < 12, speaker >= 12)
    verdict = verify([target], speaker, InferenceSettings(permutations=19))
    assert verdict.uar > 0.95 and verdict.p == verdict.smallest_p == 1 / 20


def test_whitening_learns_nothing_of_the_speakers_who_are_met():
    """30 columns of noise and 48 utterances to learn from: what varies within the tested speakers
    would pull each of them together if they were learned from, and permuted ones not."""
    uars = []
    for seed in range(6):
        h, speaker = voices(seed, 0.0, size=30)
        target = VerificationTarget(h, speaker < 12, speaker >= 12)
        uars.append(verify([target], speaker, InferenceSettings(permutations=1)).uar)
    assert 0.42 < np.mean(uars) < 0.58


def test_the_bounds_are_those_of_the_jackknife_over_speakers():
    """By its definition: each tested speaker in turn is not tested, and

    error^2 = (n - 1) / n sum_s (score without s - mean of these)^2
    """
    h, speaker = voices(1, np.where(np.arange(12 + MET) % 2, 4.0, 0.0))
    settings = InferenceSettings(permutations=19)

    def verdict_without(*left_out):
        tested = (speaker >= 12) & ~np.isin(speaker, left_out)
        return verify([VerificationTarget(h, speaker < 12, tested)], speaker, settings)

    scores = [verdict_without(s).uar for s in range(12, 12 + MET)]
    error = np.sqrt((MET - 1) / MET * ((scores - np.mean(scores)) ** 2).sum())
    verdict = verdict_without()
    margin = scipy.special.ndtri(1 - settings.alpha) * error
    assert verdict.lower == pytest.approx(verdict.uar - margin)
    assert verdict.upper == pytest.approx(min(1, verdict.uar + margin))
