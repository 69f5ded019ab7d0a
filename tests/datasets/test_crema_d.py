"""Tests of the reader of CREMA-D: slips of the release, and errors of a damaged copy."""

import pytest

from privrep.datasets import crema_d
from tests.support import open_corpora_on_disk
from tests.support.open_corpora_on_disk import write_crema_d
from tests.support.sounds_on_disk import edit, make_empty, write_text

TABLE = "VideoDemographics.csv"


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    """Nobody listens here: empty audio files are written faster."""

    def write_wav(path, *_):
        write_text(path, "")
        return path

    monkeypatch.setattr(open_corpora_on_disk, "write_wav", write_wav)


def test_facts_of_the_actors_are_joined(tmp_path):
    write_crema_d(tmp_path, utterances_per_speaker=1)
    second = crema_d.read(tmp_path)[1]
    assert second.speaker == "1002"
    assert second.private == {
        "gender": "female",
        "age": "23",
        "race": "Caucasian",
        "ethnicity": "Not Hispanic",
    }


def test_an_unspecified_level_is_no_intensity_however_it_is_spelled(tmp_path):
    write_crema_d(tmp_path, speakers=2)
    assert (tmp_path / "AudioWAV/1001_TSI_NEU_X.wav").exists()
    assert (tmp_path / "AudioWAV/1002_TSI_NEU_XX.wav").exists()
    unspecified = [u for u in crema_d.read(tmp_path) if "intensity" not in u.categories]
    assert [u.id for u in unspecified] == ["1001_TSI_NEU_X", "1002_TSI_NEU_XX"]


def test_the_release_s_mp3_serve_where_the_wav_are_missing(tmp_path):
    write_crema_d(tmp_path, 1, 2)
    (tmp_path / "AudioWAV").rename(tmp_path / "AudioMP3")
    for path in sorted((tmp_path / "AudioMP3").iterdir()):
        path.rename(path.with_suffix(".mp3"))
    assert [u.wav.suffix for u in crema_d.read(tmp_path)] == [".mp3", ".mp3"]


def test_without_the_table_of_the_actors_it_is_said_where_that_is(tmp_path):
    write_crema_d(tmp_path, 1, 2)
    (tmp_path / TABLE).unlink()
    with pytest.raises(ValueError, match=r"VideoDemographics\.csv is missing.*github\.com"):
        crema_d.read(tmp_path)


def test_an_actor_without_a_row_is_named(tmp_path):
    write_crema_d(tmp_path, 1, 2)
    edit(tmp_path / TABLE, '"1002"', '"1003"')
    with pytest.raises(ValueError, match="has no row of the actors 1002"):
        crema_d.read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Female"', '"Femal"', r"csv:3: 'Femal' does not parse; expected a gender, one of Female"),
        ('"1002"', '"1001"', r"csv:3: actor 1001 is described twice"),
        ('"Sex"', '"Gender"', r"csv:1: no column Sex"),
    ],
)
def test_a_table_that_does_not_parse(old, new, message, tmp_path):
    write_crema_d(tmp_path, 1, 2)
    edit(tmp_path / TABLE, old, new)
    with pytest.raises(ValueError, match=message):
        crema_d.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1001_IEO_ANG", "a name such as 1001_IEO_ANG_HI.wav"),
        ("1001_IEO_JOY_HI", "'JOY' does not parse; expected an emotion, one of ANG"),
        ("1001_ABC_ANG_HI", "'ABC' does not parse; expected a sentence"),
    ],
)
def test_a_name_that_does_not_parse(name, message, tmp_path):
    write_crema_d(tmp_path, 1, 2)
    make_empty(tmp_path / "AudioWAV" / f"{name}.wav")
    with pytest.raises(ValueError, match=rf"{name}\.wav: .*{message}"):
        crema_d.read(tmp_path)
