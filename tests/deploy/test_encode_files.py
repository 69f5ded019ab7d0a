"""`privrep enrol` and `privrep encode`: files in, one whole file out, or a sentence and nothing."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from privrep.cli import main
from privrep.deploy.description import LexicalInput
from privrep.deploy.person_file import read_person
from privrep.formats.vectors import read_vectors
from tests.support import small_models
from tests.support.small_models import tones, write

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quickly_compiled):
    """Models and recordings of a person."""
    folder = tmp_path_factory.mktemp("files")
    write(folder / "model")
    write(folder / "personal", **small_models.OF_SPEAKER, release="whitened")
    write(folder / "words", **small_models.WORDS)
    write(folder / "ready", **small_models.READY)
    for i, wave in enumerate(tones(3)):
        soundfile.write(folder / f"u{i}.wav", wave, 16000)
    soundfile.write(folder / "silence.wav", np.zeros(9000), 16000)
    return folder


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    return tmp_path


def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


WAVES = ("u0.wav", "u1.wav", "u2.wav")


def test_recordings_are_encoded_to_a_file_that_the_audit_reads(here, capsys):
    output = here / "new" / "h.npz"
    assert main(["encode", "model", *WAVES, f"--output={output}"]) == 0
    made = arrays(output)
    assert made["h"].shape == (3, 8) and made["id"].tolist() == ["u0", "u1", "u2"]
    assert {*made["emotion"]} <= {*made["classes"]} and made["probabilities"].shape == (3, 3)
    assert len(str(made["model"])) == 16
    read = read_vectors(output)
    np.testing.assert_array_equal(read.h, made["h"])
    assert read.ids == ["u0", "u1", "u2"]
    assert "3 recordings, low " in capsys.readouterr().err


def test_a_person_is_enrolled_used_and_updated(here, capsys):
    me, output = here / "me.npz", here / "h.npz"
    flags = [f"--person={me}", f"--output={output}"]
    assert main(["encode", "personal", *WAVES, f"--output={output}"]) == 2
    assert "this model needs statistics of the person who speaks" in capsys.readouterr().err
    assert main(["encode", "personal", *WAVES, *flags]) == 2
    assert "there is no such person file; make it with privrep enrol" in capsys.readouterr().err
    assert not [*here.iterdir()]
    assert main(["enrol", "personal", *WAVES[:2], f"--person={me}"]) == 0
    assert (
        "2 utterances are enrolled, and the model's verdict was measured with 20"
        in (said := capsys.readouterr().err)
        and "keep it on the device" in said
    )
    before = me.read_bytes()
    assert main(["enrol", "personal", *WAVES, f"--person={me}"]) == 2
    assert "is there already: add the recordings to it with --update" in capsys.readouterr().err
    assert main(["encode", "personal", *WAVES, *flags]) == 0 and me.read_bytes() == before
    first = arrays(output)["h"]
    assert main(["encode", "personal", *WAVES, *flags, "--update"]) == 0
    np.testing.assert_array_equal(arrays(output)["h"], first)  # by the statistics before
    assert read_person(me).utterances == 5
    assert main(["enrol", "personal", "u2.wav", f"--person={me}", "--update"]) == 0
    assert read_person(me).utterances == 6
    assert main(["encode", "personal", *WAVES, *flags]) == 0
    assert np.abs(arrays(output)["h"] - first).max() > 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "u0.wav"], "nowhere: there is no such folder"),
        ([".", "u0.wav"], "no model folder, it has no model.json; there is one in "),
        (["model"], "name what is to be encoded: audio files, --transcripts or ready features"),
        (["model", "u0.wav", "silence.wav"], "silence: audio silent: silence.wav"),
        (["model", "u0.wav", "none.wav"], "none: audio file missing"),
        (["model", "u0.wav", "--update"], "--update: of which person? Name the file by --person"),
        (["model", "u0.wav", "--person=model/arrays.npz"], "is no person file"),
        (["words", "u0.wav"], "reads transcripts: give transcripts, by --transcripts=FILE"),
        (["words", "--transcripts=none.csv"], "none.csv"),
        (["ready", "u0.wav"], "[T, 8], by --acoustic_features=SOURCE"),
        (["ready", "--acoustic_features=none.npz"], "none.npz"),
    ],
)
def test_what_cannot_be_used_leaves_no_file(here, capsys, arguments, message):
    assert main(["encode", *arguments, f"--output={here / 'h.npz'}"]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not [*here.iterdir()]


def test_an_output_of_another_kind_is_refused_before_anything_is_read(here, capsys):
    assert main(["encode", "nowhere", "u0.wav", f"--output={here / 'h.csv'}"]) == 2
    assert "a name that ends in .npz expected" in capsys.readouterr().err
    assert main(["enrol", "nowhere", "u0.wav", f"--person={here / 'me'}"]) == 2
    assert "a name that ends in .npz expected" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["me.npz", "model/arrays.npz", "model/h.npz", "texts.npz"])
def test_an_output_in_the_place_of_an_input_is_refused(here, capsys, output):
    model = Path("model").resolve()
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    flags = ["--person=me.npz", f"--output={output}", "--acoustic_features=texts.npz"]
    assert main(["encode", "model", "u0.wav", *flags]) == 2
    assert f"--output={output}: " in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_only_an_earlier_output_is_replaced(here, capsys):
    """h can be made again; a person file, a table of somebody and what is no .npz cannot."""
    me, output = here / "me.npz", here / "h.npz"
    for _ in range(2):
        assert main(["encode", "model", "u0.wav", f"--output={output}"]) == 0
    assert main(["enrol", "personal", "u0.wav", f"--person={me}"]) == 0
    np.savez(here / "mine.npz", h=np.zeros(3))
    (here / "text.npz").write_bytes(b"a text")
    before = {path: path.read_bytes() for path in here.iterdir()}
    for name in ("me.npz", "mine.npz", "text.npz"):
        assert main(["encode", "model", "u0.wav", f"--output={here / name}"]) == 2
        assert "that is no earlier output of this command" in capsys.readouterr().err
    assert main(["enrol", "personal", "u0.wav", "--person=personal/me.npz"]) == 2
    assert "it lies in the model folder" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_a_place_that_cannot_be_written_to_is_named_before_anything_is_read(here, capsys):
    for command in (["encode", "none", "--output="], ["enrol", "none", "--person="]):
        assert main([*command[:2], "u0.wav", f"{command[2]}{Path('u0.wav').resolve()}/x.npz"]) == 2
        error = capsys.readouterr().err
        assert f"{command[2]}" in error and "u0.wav is a file, no folder" in error
    (here / "h.npz").mkdir()
    assert main(["encode", "none", "u0.wav", f"--output={here / 'h.npz'}"]) == 2
    assert "that is a folder; name a file in it" in capsys.readouterr().err


def test_a_full_disk_leaves_the_file_that_was_there(here, capsys, monkeypatch):
    output = here / "h.npz"
    assert main(["encode", "model", "u0.wav", f"--output={output}"]) == 0
    before = output.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("privrep.deploy.encode_files.np.savez", full)
    assert main(["encode", "model", "u0.wav", f"--output={output}"]) == 2
    assert "no space is left on the device" in capsys.readouterr().err
    assert output.read_bytes() == before and [*here.iterdir()] == [output]


def test_a_faulty_recording_is_left_out_on_demand(here, capsys):
    output = here / "h.npz"
    flags = ["--unusable=drop", f"--output={output}"]
    assert main(["encode", "model", "silence.wav", "u0.wav", *flags]) == 0
    assert arrays(output)["id"].tolist() == ["u0"]
    assert "left out, 1 of 2 recordings cannot be used" in capsys.readouterr().err


def test_the_advice_of_a_command_names_a_flag(here, capsys):
    for command in (["encode", "model", "--output=h.npz"], ["enrol", "personal", "--person=m.npz"]):
        *words, flag = command
        place = f"{flag.split('=')[0]}={here / 'x.npz'}"
        assert main([*words, "silence.wav", "u0.wav", place]) == 2
        assert "or leave them out with --unusable=drop." in capsys.readouterr().err


def test_transcripts_are_joined_by_id(here, capsys):
    table, output = here / "texts.csv", here / "h.npz"
    table.write_text("id,transcript\nb,the sad day\na,day\n")
    flags = [f"--transcripts={table}", f"--output={output}"]
    assert main(["encode", "words", *flags]) == 0
    assert arrays(output)["id"].tolist() == ["b", "a"]
    write(
        here / "both",
        encoders={"acoustic": small_models.ACOUSTIC, "lexical": small_models.LEXICAL},
        lexical=LexicalInput("learned", 8),
    )
    assert main(["encode", str(here / "both"), "u0.wav", *flags]) == 2
    assert "has no transcript of u0" in capsys.readouterr().err
    table.write_text("id\ttranscript\nu1.wav\tthe day\nu0.wav\tsad\n")
    assert main(["encode", str(here / "both"), "u0.wav", "u1.wav", *flags]) == 0
    assert arrays(output)["id"].tolist() == ["u0", "u1"]
    assert arrays(output)["h"].shape == (2, 16)
    table.write_text("id,transcript\na,x\na,y\n")
    assert main(["encode", "words", *flags]) == 2
    assert "two rows have the id a" in capsys.readouterr().err


def test_ready_features_come_from_any_source(here):
    rng, output = np.random.default_rng(0), here / "h.npz"
    frames = {name: rng.normal(size=(5 + i, 8)).astype("f") for i, name in enumerate("ab")}
    np.savez(here / "f.npz", **frames)
    (here / "folder").mkdir()
    for name, values in frames.items():
        np.save(here / "folder" / f"{name}.npy", values)
    made = []
    for source in ("f.npz", "folder"):
        flags = [f"--acoustic_features={here / source}", f"--output={output}"]
        assert main(["encode", "ready", *flags]) == 0
        assert arrays(output)["id"].tolist() == ["a", "b"]
        made.append(arrays(output)["h"])
    np.testing.assert_array_equal(*made)


def test_without_jax_a_sentence_names_what_is_missing(here, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "privrep.deploy.encode_files", raising=False)
    monkeypatch.delattr("privrep.deploy.encode_files", raising=False)
    monkeypatch.setitem(sys.modules, "privrep.deploy.encoder", None)
    assert main(["encode", "model", "u0.wav", f"--output={here / 'h.npz'}"]) == 2
    assert "which is not installed: install privrep with its requirements" in (
        capsys.readouterr().err
    )


def test_a_running_state_is_to_be_kept(here, capsys):
    write(here / "running", release="whitened", running=True)
    me, output = here / "me.npz", here / "h.npz"
    model, flags = str(here / "running"), [f"--person={me}", f"--output={output}"]
    assert main(["enrol", model, *WAVES[:2], f"--person={me}"]) == 0
    assert main(["encode", model, *WAVES, *flags]) == 0
    assert "goes on with every utterance: use --update" in capsys.readouterr().err
    assert main(["encode", model, *WAVES, *flags, "--update"]) == 0
    assert "use --update" not in capsys.readouterr().err and read_person(me).utterances == 5
