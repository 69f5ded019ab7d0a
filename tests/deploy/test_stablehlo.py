"""StableHLO that is read back sends what the loaded model sends."""

import jax
import jax.export
import numpy as np
import pytest

import privrep
from privrep import Recordings
from privrep.deploy.onnx_graph import person_arrays
from privrep.deploy.stablehlo import stablehlo
from privrep.inputs.audio import log_mel
from tests.support import small_models
from tests.support.small_models import BANDS, RATE, tones, write

pytestmark = pytest.mark.usefixtures("quickly_compiled")
STEP = 2.0**-8  # of a released coordinate that lies at the edge of two roundings
POOLED = small_models.ACOUSTIC | {"conv_layers": 3, "gru_layers": 2}


def padded(rows, multiple, width):
    longest = -(-max(map(len, rows)) // multiple) * multiple
    values = np.full((len(rows), longest, width), 7, np.float32)  # what is padding does not count
    for place, row in zip(values, rows):
        place[: len(row)] = row
    return values, np.array([len(row) for row in rows], np.int32)


@pytest.mark.parametrize(
    "changes",
    [
        {**small_models.OF_SPEAKER, "release": "whitened"},
        pytest.param({"release": "posterior"}, marks=pytest.mark.long),
        pytest.param({"release": "decision"}, marks=pytest.mark.long),
        pytest.param({"release": "leace", "relative": True}, marks=pytest.mark.long),
    ],
)
def test_h_of_any_batch_is_that_of_the_loaded_model(tmp_path, changes):
    model = privrep.load(write(tmp_path, encoders={"acoustic": POOLED}, **changes))
    heard = tones(5)
    person = model.enrol(Recordings(heard, sample_rate=RATE)) if model.needs else None
    expected = model.encode(Recordings(heard, sample_rate=RATE), person=person).h
    content, notes = stablehlo(model.model)
    assert notes["frames_multiple_of"] == 4
    settings = model.description.acoustic.log_mel
    frames = [log_mel(wave, settings) for wave in heard]
    call = jax.export.deserialize(bytearray(content)).call
    arrays = person_arrays(model.model, person)
    for rows in ([0, 1, 2, 3, 4], [4, 0]):
        values, length = padded([frames[i] for i in rows], 4, BANDS)
        batch = {"frames": values, "num_frames": length}
        batch |= {n: np.stack([a] * len(rows)).astype(np.float32) for n, a in arrays.items()}
        assert {*batch} == {*notes["inputs"]}
        difference = np.abs(np.asarray(call(batch)) - expected[rows]).max(1)
        assert (difference > 1e-5).sum() <= 1 and difference.max() < STEP, difference


@pytest.mark.long
def test_h_of_words_is_that_of_the_loaded_model(tmp_path):
    model = privrep.load(write(tmp_path, **small_models.WORDS))
    content, _ = stablehlo(model.model)
    numbers = np.array([[3, 2, 1], [1, 0, 0]], np.int32)
    batch = {"word_numbers": numbers, "num_words": np.array([3, 1], np.int32)}
    sent = jax.export.deserialize(bytearray(content)).call(batch)
    expected = model.encode(Recordings(transcripts=["the sad day", "day"])).h
    np.testing.assert_allclose(sent, expected, atol=1e-5)
