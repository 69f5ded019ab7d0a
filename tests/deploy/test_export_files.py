"""`privrep export`: a model folder in, one whole file out, or a sentence and nothing."""

import json
import re
import sys

import jax
import jax.export
import numpy as np
import onnx
import pytest
import soundfile

import privrep
from privrep.cli import main
from privrep.commands.models import EXPORT_FORMATS
from privrep.deploy.export_files import FORMATS
from privrep.deploy.onnx_graph import person_arrays
from privrep.deploy.person_file import read_person
from tests.support import small_models
from tests.support.onnx_runs import sent_by
from tests.support.paths import ROOT
from tests.support.small_models import RATE, tones, write

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a model that needs units of frames, and a person file of it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "model", **small_models.OF_SPEAKER)
    for i, wave in enumerate(tones(2)):
        soundfile.write(f"u{i}.wav", wave, RATE)
    assert main(["enrol", "model", "u0.wav", "u1.wav", "--person=me.npz"]) == 0
    return tmp_path


def test_a_file_is_written_with_the_inputs_of_a_person_beside_it(here, capsys):
    flags = ["--format=onnx", "--output=out/model.onnx"]
    assert main(["export", "model", *flags]) == 0
    assert {p.name for p in (here / "out").iterdir()} == {"model.onnx"}
    assert main(["export", "model", *flags, "--person=me.npz"]) == 0
    error = capsys.readouterr().err
    assert "a file by itself has no verdict" in error and "out/model.onnx: " in error
    assert "out/model.person.npz: inputs that say how the person sounds" in error
    graph = onnx.load(here / "out/model.onnx")
    with np.load(here / "out/model.person.npz", allow_pickle=False) as file:
        arrays = dict(file)
    expected = person_arrays(privrep.load("model").model, read_person(here / "me.npz"))
    assert {*arrays} == {*expected} == {"frame_mean", "frame_deviation"}
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert sent_by(graph, arrays, waveform=tones(2)).shape == (2, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--output=a.onnx"], "nowhere: there is no such folder"),
        (["model", "--output=a.bin"], "--output=a.bin: a name that ends in .onnx expected"),
        (["model", "--output=a.onnx", "--person=none.npz"], "there is no such person file"),
        (["noisy", "--output=a.onnx"], "Exported are the releases none, leace"),
        (["other", "--output=a.onnx", "--person=me.npz"], "was enrolled for another model"),
    ],
)
def test_what_cannot_be_exported_leaves_no_file(here, capsys, arguments, message):
    write(here / "noisy", release="noise")
    write(here / "other", **small_models.OF_SPEAKER, release="leace")
    before = {*here.iterdir()}
    capsys.readouterr()
    assert main(["export", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert {*here.iterdir()} == before


def test_no_output_takes_the_place_of_a_person_file_or_of_somebodys_file(here, capsys):
    """What is written beside --output counts too: <name>.person.npz, and of StableHLO .json."""
    (here / "me.npz").rename("m.person.npz")
    (here / "mine.onnx").write_bytes(b"somebody's")
    (here / "m.json").write_text('{"mine": 1}')
    before = {path.name: path.read_bytes() for path in here.glob("*.*")}
    for flags, message in (
        (["--output=m.onnx", "--person=m.person.npz"], "writes m.person.npz): that file is read"),
        (["--output=mine.onnx"], "no earlier output of this command"),
        (["--format=stablehlo", "--output=m.stablehlo"], "(it also writes m.json): a file is"),
        (["--format=stablehlo", "--output=model/model.stablehlo"], "writes model/model.json): a"),
    ):
        assert main(["export", "model", *flags]) == 2
        assert message in capsys.readouterr().err
    (here / "other").mkdir()
    (here / "other" / "m.person.npz").write_bytes(before["m.person.npz"])
    beside = ["--output=other/m.onnx", "--person=m.person.npz"]
    assert main(["export", "model", *beside]) == 2
    assert "no earlier output of this command" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in here.glob("*.*")} == before
    for _ in range(2):
        flags = ["--output=again.onnx", "--person=m.person.npz"]
        assert main(["export", "model", *flags]) == 0


def test_the_example_of_the_readme_runs(here):
    """onnxruntime sends what `encode` sends, and whoever receives h finds the same class."""
    readme = (ROOT / "privrep/deploy/README.md").read_text(encoding="utf-8")
    example = re.search(r"```py\n(.*?)```", readme, re.DOTALL)[1].replace('"MODEL"', '"model"')
    assert main(["export", "model", "--output=model.onnx", "--person=me.npz"]) == 0
    (here / "u0.wav").rename("new.wav")
    names = {}
    exec(compile(example, "README", "exec"), names)
    encoded = privrep.load("model").encode("new.wav", person="me.npz")
    np.testing.assert_allclose(names["h"], encoded.h[0], atol=2e-4)
    assert names["emotion"] == encoded.emotion[0]


def test_without_onnx_a_sentence_names_the_extra(here, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "privrep.deploy.onnx_graph", raising=False)
    monkeypatch.delattr("privrep.deploy.onnx_graph", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", "model", "--output=a.onnx"]) == 2
    assert "needs onnx, which is not installed: pip install 'privrep[export]'" in (
        capsys.readouterr().err
    )


def test_the_formats_of_the_command_are_those_that_are_written():
    assert {*EXPORT_FORMATS} == {*FORMATS}


@pytest.mark.long
def test_stablehlo_comes_with_what_it_reads(here):
    assert main(["export", "model", "--format=stablehlo", "--output=m.stablehlo"]) == 0
    notes = json.loads((here / "m.json").read_text())
    assert notes["model"] == privrep.load("model").model.identity and notes["card"]
    assert notes["inputs"]["frame_mean"] == "float32[batch, 8]"
    exported = jax.export.deserialize(bytearray((here / "m.stablehlo").read_bytes()))
    assert exported.platforms == ("cpu", "cuda", "tpu")


def test_int8_rounds_the_encoders_alone(here, capsys):
    write(here / "linear", release="leace", encoders={"acoustic": small_models.ACOUSTIC})
    for name in EXPORT_FORMATS[:2]:
        assert main(["export", "linear", f"--format={name}", f"--output={name}.onnx"]) == 0
    assert "GRU (onnxruntime has none of 8 bits)" in capsys.readouterr().err
    plain, rounded = (onnx.load(f"{name}.onnx") for name in EXPORT_FORMATS[:2])
    kinds = [node.op_type for node in rounded.graph.node]
    assert kinds.count("ConvInteger") == 1 and kinds.count("MatMulInteger") == 1
    assert kinds.count("GRU") == 1 and kinds.count("Conv") == 2  # of the frames
    assert {n.name for n in plain.graph.node if n.name[:7] == "release"} <= {
        n.name for n in rounded.graph.node
    }
    card = {entry.key: entry.value for entry in rounded.metadata_props}["card"]
    assert "int8: the convolutions" in card and "what it reveals was not measured" in card
    first, second = (sent_by(graph, waveform=tones(6)) for graph in (plain, rounded))
    difference = np.abs(second - first).max()
    assert 1e-5 < difference < 0.05, difference
