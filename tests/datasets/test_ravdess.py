"""Tests of the reader of RAVDESS: zips and copies, songs, errors, the real corpus."""

import os
import warnings
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from privrep.datasets import DATASETS, ravdess
from tests.support import open_corpora_on_disk
from tests.support.open_corpora_on_disk import write_ravdess
from tests.support.sounds_on_disk import write_text


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    """Nobody listens here: empty audio files are written faster."""

    def write_wav(path, *_):
        write_text(path, "")
        return path

    monkeypatch.setattr(open_corpora_on_disk, "write_wav", write_wav)


def test_a_copy_in_flac_is_read(tmp_path):
    expected = write_ravdess(tmp_path, suffix=".flac")
    assert ravdess.read(tmp_path) == expected


def test_intensities_and_sentences(tmp_path):
    expected = write_ravdess(tmp_path, utterances_per_speaker=16)
    assert ravdess.read(tmp_path) == expected
    assert {u.categories["intensity"] for u in expected} == {"normal", "strong"}
    assert {u.categories["sentence"] for u in expected} == {"kids", "dogs"}


def test_songs_are_left_out_and_counted(tmp_path):
    expected = write_ravdess(tmp_path, utterances_per_speaker=2)
    for actor in ("01", "02"):
        write_text(tmp_path / f"Actor_{actor}/03-02-01-01-01-01-{actor}.wav", "")
    with pytest.warns(UserWarning, match="left out 2 songs"):
        assert ravdess.read(tmp_path) == expected


def test_of_both_zips_side_by_side_the_speech_is_read(tmp_path):
    expected = write_ravdess(tmp_path / "Audio_Speech_Actors_01-24", utterances_per_speaker=1)
    write_text(tmp_path / "Audio_Song_Actors_01-24/Actor_01/03-02-01-01-01-01-01.wav", "")
    with pytest.warns(UserWarning, match=r"read from .*Audio_Speech_Actors_01-24$"):
        assert ravdess.read(tmp_path) == expected
    with pytest.raises(FileNotFoundError, match="does not look like RAVDESS"):
        ravdess.read(tmp_path / "Audio_Song_Actors_01-24")


def test_what_a_mac_leaves_and_videos_are_no_speech(tmp_path):
    expected = write_ravdess(tmp_path, utterances_per_speaker=1)
    write_text(tmp_path / "Actor_01/._03-01-01-01-01-01-01.wav", "")
    write_text(tmp_path / "Actor_01/01-01-01-01-01-01-01.mp4", "")
    assert ravdess.read(tmp_path) == expected


def test_actors_who_are_missing_are_named(tmp_path):
    expected = write_ravdess(tmp_path, utterances_per_speaker=1, speakers=22)
    with pytest.warns(UserWarning, match="incomplete RAVDESS: no speech of the actors 23, 24"):
        assert ravdess.read(tmp_path) == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("03-01-09-01-01-01-01", "'09' does not parse; expected an emotion, one of 01, 02"),
        ("03-01-01-03-01-01-01", "'03' does not parse; expected an intensity"),
        ("03-01-01-01-03-01-01", "'03' does not parse; expected a statement"),
        ("03-03-01-01-01-01-01", "'03' does not parse; expected a channel"),
        ("03-01-01-01-01-01-25", "seven numbers, the last an actor from 01 to 24"),
        ("03-01-01-01-01-01", "seven numbers"),
        ("03-01-01-01-01-01-02", "a file of Actor_01"),
    ],
)
def test_a_name_that_does_not_parse(name, message, tmp_path):
    write_ravdess(tmp_path, utterances_per_speaker=1)
    write_text(tmp_path / "Actor_01" / f"{name}.wav", "")
    with pytest.raises(ValueError, match=rf"Actor_01/{name}\.wav: .*{message}"):
        ravdess.read(tmp_path)


def test_the_same_speech_in_two_formats_is_described_twice(tmp_path):
    write_ravdess(tmp_path, utterances_per_speaker=1)
    write_ravdess(tmp_path, utterances_per_speaker=1, suffix=".flac")
    with pytest.raises(ValueError, match=r"described twice: .*\.flac and .*\.wav"):
        ravdess.read(tmp_path)


@pytest.fixture(scope="module")
def real():
    """The corpus itself, where PRIVREP_RAVDESS names its folder."""
    root = Path(os.environ.get("PRIVREP_RAVDESS", "no folder"))
    if not root.is_dir():
        pytest.skip("1 test of the 1,440 real utterances: PRIVREP_RAVDESS names no folder")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ravdess.read(root)


def test_the_real_ravdess(real):
    assert len(real) == DATASETS["ravdess"].utterances == 1_440
    genders = {u.speaker: u.private["gender"] for u in real}
    assert Counter(genders.values()) == {"female": 12, "male": 12}
    emotions = Counter(u.categories["emotion"] for u in real)
    assert emotions.pop("neutral") == 96 and set(emotions.values()) == {192} and len(emotions) == 7
    seconds = sum(soundfile.info(u.wav).duration for u in real)
    assert seconds / 3600 == pytest.approx(DATASETS["ravdess"].hours, rel=1e-3)
