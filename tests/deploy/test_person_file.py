"""A person file comes back as it was written; the moments of frames add up."""

import numpy as np
import pytest

from privrep.deploy import person_file
from privrep.deploy.person_file import Person, read_person, write_person
from privrep.inputs.normalisation import moments_of, normalise_by, normalise_per_speaker
from privrep.types import ragged

RNG = np.random.default_rng(0)
FRAMES = [RNG.normal(3, 2, (n, 4)).astype(np.float16) for n in (5, 9, 2)]
STATE = (np.array(3, np.int32), np.ones(2, np.float32), np.eye(2, dtype=np.float32))


def test_a_file_is_read_as_it_was_written(tmp_path):
    person = Person("abc", 3, moments_of(FRAMES), STATE)
    write_person(tmp_path / "me.npz", person)
    assert repr(person) == "Person(model='abc', utterances=3, knows=['frames', 'state'])"
    again = read_person(str(tmp_path / "me.npz"))
    assert (again.model, again.utterances) == ("abc", 3)
    for before, after in zip([*person.frames, *person.state], [*again.frames, *again.state]):
        np.testing.assert_array_equal(before, after)
    write_person(tmp_path / "me.npz", Person("abc", 0))
    again = read_person(tmp_path / "me.npz")
    assert again.frames is None and again.state is None


def test_frames_are_normalised_as_those_of_a_speaker_in_training():
    """To the bit, whether they are enrolled together or one after another."""
    expected = normalise_per_speaker(ragged(FRAMES), ["s"] * 3)
    together, apart = moments_of(FRAMES), moments_of(FRAMES[1:], moments_of(FRAMES[:1]))
    for moments in (together, apart):
        values = np.concatenate([normalise_by(frames, moments) for frames in FRAMES])
        assert values.dtype == np.float16
        np.testing.assert_array_equal(values, expected.values)


def test_a_damaged_file_and_one_of_another_kind_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "me.npz"
    with pytest.raises(FileNotFoundError, match="no such person file; make it with privrep enrol"):
        read_person(path)
    for content in (b"", b"no zip", b"PK\x03\x04 damaged"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is no person file, or is damaged") as error:
            read_person(path)
        assert "pickle" not in str(error.value)  # which numpy advises to allow
    np.savez(path, h=np.zeros(3))
    with pytest.raises(ValueError, match="was not written by privrep enrol"):
        read_person(path)
    write_person(path, Person("abc", 3, moments_of(FRAMES)))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **(arrays | {"frames_total": arrays["frames_total"] + 1}))
    with pytest.raises(ValueError, match="is not as it was written: enrol the person anew"):
        read_person(path)
    monkeypatch.setattr(person_file, "VERSION", 2)
    write_person(path, Person("abc", 3))
    monkeypatch.undo()
    with pytest.raises(ValueError, match="of version 2, and this privrep reads 1: enrol"):
        read_person(path)
