"""The ONNX graph sends what the loaded model sends; onnxruntime runs it."""

import json

import numpy as np
import pytest

import privrep
from privrep import Recordings
from privrep.deploy.description import AcousticInput, LexicalInput, TaskOutput
from privrep.deploy.model_folder import write_model
from privrep.deploy.onnx_graph import EXPORTED, onnx_graph, person_arrays
from privrep.inputs.audio import FeatureSettings, log_mel
from privrep.unlearning.releases import NAMES
from tests.support import small_models
from tests.support.onnx_runs import sent_by, session_of
from tests.support.small_models import BANDS, RATE, tones, write

pytestmark = pytest.mark.usefixtures("quickly_compiled")
STEP = 2.0**-8  # of a released coordinate that lies at the edge of two roundings
POOLED = {"acoustic": {"conv_layers": 3, "num_kernels": 8, "gru_layers": 2, "gru_width": 8}}
POOLED["acoustic"]["dense_width"] = 8
BOTH = {
    "encoders": {"acoustic": small_models.ACOUSTIC, "lexical": small_models.LEXICAL},
    "lexical": LexicalInput("learned", 8),
}
TEXTS = ["the sad day", "day", "a SAD cat", ""]
NUMBERS = [[3, 2, 1], [1], [0, 2, 0], [0]]


def assert_sent(h, expected, rounded=False):
    """Equal to 1e-5, but for an utterance of which a number lies at the edge of two roundings: of a
    frame, to float16, or of a coordinate that is sent."""
    difference = np.abs(h - expected).max(1)
    assert h.shape == expected.shape and np.isfinite(h).all()
    assert (difference > 1e-5).sum() <= 1, difference
    assert difference.max() < (STEP if rounded else 1e-4), difference


def waves():
    """Of a single frame, of an odd number of them, and of 6 s: lengths that no layer divides."""
    noise = np.random.default_rng(1).normal(size=6 * RATE + 77).astype("f")
    return [noise[:400] * 0.1, *tones(1, 0.207), noise[:560] * 0.02, noise * 0.05]


@pytest.mark.parametrize(
    "changes",
    [
        {**small_models.OF_SPEAKER, "encoders": POOLED, "release": "whitened"},
        pytest.param({"encoders": POOLED}, marks=pytest.mark.long),
        pytest.param({"relative": True, "release": "posterior"}, marks=pytest.mark.long),
    ],
)
def test_h_of_waveforms_is_that_of_the_loaded_model(tmp_path, changes):
    model = privrep.load(write(tmp_path, **changes))
    person = model.enrol(Recordings(tones(6), sample_rate=RATE)) if model.needs else None
    expected = model.encode(Recordings(waves(), sample_rate=RATE), person=person).h
    arrays = person_arrays(model.model, person)
    sent = sent_by(onnx_graph(model.model), arrays, waveform=waves())
    assert_sent(sent, expected, bool(arrays))


def test_released_h_is_the_only_output_and_the_file_says_what_it_is(tmp_path):
    model = privrep.load(write(tmp_path, **BOTH, release="posterior"))
    graph = onnx_graph(model.model, ["a card"])
    session = session_of(graph)
    assert [(o.name, o.shape, o.type) for o in session.get_outputs()] == [
        ("h", [16], "tensor(float)")
    ]
    assert {i.name: i.shape for i in session.get_inputs()} == {
        "waveform": ["num_samples"],
        "word_numbers": ["num_words"],
    }
    said = session.get_modelmeta().custom_metadata_map
    assert said["schema_version"] == "1" and said["model"] == model.model.identity
    assert said["sample_rate"] == "16000" and said["card"] == "a card"
    assert json.loads(said["vocabulary"]) == ["<unk>", "day", "sad", "the"]
    assert [opset.version for opset in graph.opset_import] == [18]
    assert onnx_graph(model.model, ["a card"]) == graph


def test_frames_are_those_of_the_filterbank():
    """Also where a constant is added to all samples, and only the first two seconds count."""
    from privrep.deploy.graph_builder import GraphBuilder
    from privrep.deploy.onnx_frames import log_mel as add_log_mel

    for settings in (FeatureSettings(), FeatureSettings(8000, 23, 32, 8, 0, None, 2)):
        graph = GraphBuilder()
        frames = add_log_mel(graph, graph.input("waveform", np.float32, ["n"]), settings)
        session = session_of(graph.model(frames, "frames", [1, settings.num_mel_bands, "T"], {}))
        for wave in (*waves()[1:], waves()[3] + 0.3):
            expected = log_mel(wave, settings)
            (made,) = session.run(None, {"waveform": wave})
            np.testing.assert_allclose(made[0].T, expected, atol=2e-3)
            assert np.abs(made[0].T - expected).mean() < 1e-5


@pytest.mark.parametrize("release", ["none", "decision"])
def test_a_waveform_with_a_sample_that_is_no_number_gives_no_h(tmp_path, release):
    graph = onnx_graph(privrep.load(write(tmp_path, release=release)).model)
    for value in (np.nan, np.inf):
        wave = np.sin(np.arange(4000) / 9).astype(np.float32)
        wave[2000] = value
        assert np.isnan(sent_by(graph, waveform=[wave])).all()


def test_a_waveform_that_is_shorter_than_a_frame_is_no_h(tmp_path):
    graph = onnx_graph(privrep.load(write(tmp_path)).model)
    assert sent_by(graph, waveform=[np.ones(400, np.float32)]).shape == (1, 8)
    said = session_of(graph).get_modelmeta().custom_metadata_map
    assert said["least_samples"] == "400" and "caller refuses silence" in said["waveform"]
    with pytest.raises(Exception, match="Invalid input shape"):
        sent_by(graph, waveform=[np.ones(399, np.float32)])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"release": "noise"}, "draws numbers"), ({"running": True, "relative": True}, "goes on")],
)
def test_what_no_file_can_send_is_refused(tmp_path, changes, reason):
    model = privrep.load(write(tmp_path, **changes))
    with pytest.raises(ValueError, match=reason) as error:
        onnx_graph(model.model)
    assert "Exported are the releases none, leace, subspace, posterior, decision, whit" in (
        str(error.value)
    )
    assert {*EXPORTED} == {*NAMES} - {"noise"}


def test_h_of_words_is_that_of_the_loaded_model(tmp_path):
    model = privrep.load(write(tmp_path, **small_models.WORDS))
    expected = model.encode(Recordings(transcripts=TEXTS)).h
    numbers = [np.array(row) for row in NUMBERS]
    assert_sent(sent_by(onnx_graph(model.model), word_numbers=numbers), expected)


@pytest.mark.long
def test_h_of_both_modalities_is_that_of_the_loaded_model(tmp_path):
    model = privrep.load(write(tmp_path, **BOTH, release="leace"))
    expected = model.encode(Recordings(waves(), sample_rate=RATE, transcripts=TEXTS)).h
    inputs = {"waveform": waves(), "word_numbers": [np.array(row) for row in NUMBERS]}
    assert_sent(sent_by(onnx_graph(model.model), **inputs), expected, rounded=True)


def _of_ready_words(folder):
    """A model of ready word vectors, with the parameters of one that has learned its own."""
    made = privrep.load(write(folder / "learned", **small_models.WORDS)).model
    params = {n: p for n, p in made.params["encoders_lexical"].items() if n != "table"}
    described = small_models.description(
        encoders={"lexical": small_models.SMALL}, acoustic=None, lexical=LexicalInput("ready", 8)
    )
    params = {**made.params, "encoders_lexical": params}
    write_model(folder, described, params, made.release, {})
    return folder


@pytest.mark.long
@pytest.mark.parametrize("kind", ["none", "speaker", "words"])
def test_h_of_ready_features_is_that_of_the_loaded_model(tmp_path, kind):
    name = "words" if kind == "words" else "frames"
    ready = {"acoustic": AcousticInput(BANDS, kind, None)}
    folder = _of_ready_words(tmp_path) if kind == "words" else write(tmp_path, **ready)
    model = privrep.load(folder)
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(n, 8)).astype("f") for n in (1, 9, 30)]
    person = model.enrol(Recordings(**{name: rows})) if model.needs else None
    expected = model.encode(Recordings(**{name: rows}), person=person).h
    arrays = person_arrays(model.model, person)
    assert_sent(sent_by(onnx_graph(model.model), arrays, **{name: rows}), expected)


@pytest.mark.long
@pytest.mark.parametrize("release", [*EXPORTED, "deep"])
@pytest.mark.parametrize("task", ["classes", "rating"])
def test_every_release_is_that_of_the_loaded_model(tmp_path, release, task):
    changes = {"task": TaskOutput("valence", (), 3.0, 0.5)} if task == "rating" else {}
    if release == "deep":
        release, changes["head_layers"] = "decision", 2
    model = privrep.load(write(tmp_path, release=release, **changes))
    heard = tones(6)
    person = model.enrol(Recordings(heard[:4], sample_rate=RATE)) if model.needs else None
    expected = model.encode(Recordings(heard, sample_rate=RATE), person=person).h
    arrays = person_arrays(model.model, person)
    sent = sent_by(onnx_graph(model.model), arrays, waveform=heard)
    assert_sent(sent, expected, release != "none")


@pytest.mark.long
@pytest.mark.parametrize(
    ("activation", "pooling", "conv_pool", "kernel_width"),
    [("gelu", "max", 2, 4), ("leaky_relu", "last", 1, 3), ("tanh", "mean", 2, 5)],
)
def test_every_layer_is_that_of_the_encoders(
    tmp_path, activation, pooling, conv_pool, kernel_width
):
    settings = POOLED["acoustic"] | {
        "activation": activation,
        "pooling": pooling,
        "conv_pool": conv_pool,
        "kernel_width": kernel_width,
        "dense_layers": 2,
    }
    model = privrep.load(write(tmp_path, encoders={"acoustic": settings}))
    expected = model.encode(Recordings(waves(), sample_rate=RATE)).h
    assert_sent(sent_by(onnx_graph(model.model), waveform=waves()), expected)
