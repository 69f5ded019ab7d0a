"""Tests of normalisation by speaker and by part."""

import numpy as np
import pytest

from privrep.inputs.normalisation import moments_of_part, normalise_per_speaker
from privrep.types import ragged


def test_speaker_normalisation_has_mean_0_and_deviation_1_per_speaker():
    random = np.random.default_rng(0)
    rows = [random.normal(5.0, 3.0, (n, 4)).astype(np.float16) for n in (30, 50, 40, 20, 10)]
    rows[3] *= 2
    for row in rows:
        row[:, 3] = 7.0  # a band that never changes
    frames = ragged(rows)
    result = normalise_per_speaker(frames, ["a", "b", "a", "b", None])
    assert result.values.dtype == np.float16 and np.array_equal(frames.start, result.start)
    back = np.split(result.values.astype(np.float64), frames.start[1:])
    for frames_of_speaker in (back[0::2][:2], back[1::2], back[4:]):
        frames_of_speaker = np.concatenate(frames_of_speaker)
        np.testing.assert_allclose(frames_of_speaker.mean(axis=0), 0, atol=2e-3)
        np.testing.assert_allclose(frames_of_speaker.std(axis=0)[:3], 1, atol=2e-3)
        assert (frames_of_speaker[:, 3] == 0).all()
    other = ragged([rows[0], 3 * rows[1] + 1, rows[2], rows[3], rows[4]])
    changed = normalise_per_speaker(other, ["a", "b", "a", "b", None]).values
    assert np.array_equal(changed[:30], result.values[:30])  # no speaker touches another
    with pytest.raises(ValueError, match="4 speakers for 5"):
        normalise_per_speaker(frames, list("abab"))


def test_moments_of_a_part():
    random = np.random.default_rng(1)
    rows = [random.normal(1000.0, 1.0, (n, 3)) for n in (300, 500, 400)]
    mean, deviation = moments_of_part(ragged(rows), np.array([True, False, True]))
    both = np.concatenate([rows[0], rows[2]])
    np.testing.assert_allclose(mean, both.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, both.std(axis=0), rtol=1e-5)
    with pytest.raises(ValueError, match="no utterance"):
        moments_of_part(ragged(rows), np.zeros(3, bool))
