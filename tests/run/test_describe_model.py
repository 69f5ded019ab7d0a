"""The description says of the corpus what `privrep.load` takes note of."""

import numpy as np

from experiments.run.describe_model import _longest
from privrep.deploy.description import AcousticInput
from privrep.inputs.audio import FeatureSettings, log_mel
from privrep.types import ragged


def test_the_longest_recording_is_that_of_the_frames():
    settings = FeatureSettings(num_mel_bands=8)
    lengths = (4000, 9000, 6000)  # samples at 16 kHz
    noise = np.random.default_rng(0).normal(size=max(lengths)).astype(np.float32)
    frames = ragged([log_mel(0.1 * noise[:length], settings) for length in lengths])
    of_audio = _longest(frames, AcousticInput(8, "none", settings))["longest_seconds"]
    assert 0 <= 9000 / 16000 - of_audio < 0.01  # what is left is shorter than a step
    assert _longest(frames, AcousticInput(8, "none", None)) == {}  # ready features have no rate
    assert _longest(None, None) == {}
