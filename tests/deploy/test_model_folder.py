"""A model folder comes back as it was written, or not at all."""

import json
import shutil

import numpy as np
import pytest

from privrep.deploy import description as descriptions
from privrep.deploy.description import OF_PERSON, AcousticInput, TaskOutput, from_json, to_json
from privrep.deploy.model_folder import ARRAYS, DESCRIPTION, SEAL, read_model, write_model
from privrep.unlearning.person_release import PERSON_RELEASES
from tests.support import small_models


def _write(folder):
    described = small_models.description()
    params = {"head": {"kernel": np.ones((8, 3), np.float32)}, "bias": np.zeros(3, np.float32)}
    write_model(folder, described, params, {"noise": np.zeros(8)}, {"frame_mean": np.arange(8.0)})
    return described


def test_a_folder_is_read_as_it_was_written(tmp_path):
    described = _write(tmp_path / "a" / "model")
    model = read_model(tmp_path / "a" / "model")
    assert model.description == described and len(model.identity) == 16
    np.testing.assert_array_equal(model.params["head"]["kernel"], np.ones((8, 3)))
    assert model.params["bias"].dtype == np.float32 and {*model.release} == {"noise"}
    np.testing.assert_array_equal(model.inputs["frame_mean"], np.arange(8))
    _write(tmp_path / "b")
    assert read_model(tmp_path / "b").identity == model.identity  # not of the place or the time
    assert {p.name for p in (tmp_path / "b").iterdir()} == {ARRAYS, DESCRIPTION, SEAL}


def test_a_document_is_sealed_and_no_part_of_the_identity(tmp_path):
    described, params = small_models.description(), {"bias": np.zeros(3, np.float32)}
    write_model(tmp_path / "a", described, params, {}, {})
    write_model(tmp_path / "b", described, params, {}, {}, {"README.md": "a card\n"})
    assert read_model(tmp_path / "a").identity == read_model(tmp_path / "b").identity
    (tmp_path / "b" / "README.md").write_text("a better card\n")
    with pytest.raises(ValueError, match=r"README\.md is not as it was written"):
        read_model(tmp_path / "b")


def test_every_description_comes_back_from_json():
    for changes in (
        small_models.WORDS,
        small_models.READY,
        {"task": TaskOutput("valence", (), 3.1, 0.7), "private": {"speaker": ()}},
    ):
        described = small_models.description(**changes)
        assert from_json(json.loads(json.dumps(to_json(described))), "model.json") == described


def test_needs_follow_from_inputs_and_release():
    speaker = AcousticInput(8, "speaker", None)
    assert small_models.description().needs == ()
    assert small_models.description(acoustic=speaker).needs == ("frames",)
    assert small_models.description(relative=True).needs == ("state",)
    assert small_models.description(acoustic=speaker, release="whitened").needs == (
        "frames",
        "state",
    )
    assert {*OF_PERSON} == {*PERSON_RELEASES}


@pytest.mark.parametrize("name", [ARRAYS, DESCRIPTION, SEAL])
def test_a_missing_or_changed_file_is_named(tmp_path, name):
    _write(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-3] + b"zzz")
    with pytest.raises(ValueError, match=rf"{name} is not as it was written: the model cannot be"):
        read_model(tmp_path)
    (tmp_path / name).unlink()
    kind = FileNotFoundError if name == DESCRIPTION else ValueError
    with pytest.raises(kind, match=rf"{name}"):
        read_model(tmp_path)


def test_where_there_is_no_model_the_next_one_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        read_model(tmp_path / "none")
    _write(tmp_path / "models" / "fold_0")
    with pytest.raises(FileNotFoundError, match=r"no model\.json; there is one in .*fold_0$"):
        read_model(tmp_path / "models")
    with pytest.raises(FileNotFoundError, match=r"that is a file; give its folder, .*fold_0$"):
        read_model(tmp_path / "models" / "fold_0" / DESCRIPTION)


def test_a_folder_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(descriptions, "SCHEMA_VERSION", 2)
    _write(tmp_path / "later")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="schema version 2, and this privrep reads 1: use the"):
        read_model(tmp_path / "later")
    monkeypatch.setattr(descriptions, "FEATURES_VERSION", "0.9")
    _write(tmp_path / "frames")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"log-Mel frames of version 0\.9, and this privrep comp"):
        read_model(tmp_path / "frames")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "it has no schema_version"),
        ({"schema_version": 1}, "describes no model of privrep: 'encoders' is missing"),
        ({"acoustic": {"num_features": 8, "normalise": "odd", "log_mel": None}}, "normalisation"),
        ({"lexical": {"kind": "odd", "size": 8}}, "unknown kind of words odd"),
        ({"acoustic": {"num_features": 8, "normalise": "none", "log_mel": {"x": 1}}}, "no model"),
    ],
)
def test_what_describes_no_model_is_refused(content, message):
    whole = to_json(small_models.description())
    given = whole | content if isinstance(content, dict) and len(content) == 1 else content
    if given == whole | {"schema_version": 1}:
        given = content
    with pytest.raises(ValueError, match=message):
        from_json(given, "model.json")


def test_a_folder_that_was_not_finished_is_no_model(tmp_path, monkeypatch):
    _write(tmp_path)
    before = read_model(tmp_path).identity

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("privrep.deploy.model_folder.replace_file", full)
    with pytest.raises(OSError, match="space"):
        _write(tmp_path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"model\.sha256 is missing: the model cannot be trusted"):
        read_model(tmp_path)
    _write(tmp_path)
    assert read_model(tmp_path).identity == before
    shutil.rmtree(tmp_path)


def test_nothing_is_pickled(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_model(tmp_path, small_models.description(), {"a": np.array([None])}, {}, {})
    assert not list(tmp_path.glob("*"))
