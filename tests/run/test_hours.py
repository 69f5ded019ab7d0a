"""Tests of hours beside counts: a copy whose recordings are cut is noticed."""

import pytest
import soundfile

from experiments.config.settings import Config
from experiments.run.hours import hours_note
from experiments.run.load_data import preparable, prepare_inputs, read
from privrep.datasets import DATASETS
from tests.support.corpora_on_disk import write_msp_podcast
from tests.support.open_corpora_on_disk import write_emodb, write_manifest


@pytest.fixture
def note_of(monkeypatch):
    """(folder of an EmoDB, utterances and hours of its publication) -> the note."""

    def note_of(folder, utterances, hours):
        known = DATASETS["emodb"]._replace(utterances=utterances, hours=hours)
        monkeypatch.setitem(DATASETS, "emodb", known)
        config = Config("emodb", str(folder))
        read_ = read(config, folder)
        prepared = prepare_inputs(config, preparable(read_), folder / "cache", progress=False)
        (note,) = hours_note("emodb", prepared, len(read_))
        return note

    return note_of


@pytest.fixture
def corpus(tmp_path):
    """A folder with 70 utterances, and their seconds."""
    written = write_emodb(tmp_path / "emodb")
    return tmp_path / "emodb", sum(soundfile.info(u.wav).duration for u in written)


def test_hours_stand_beside_counts_against_the_published_ones(corpus, note_of):
    folder, seconds = corpus
    minutes = f"{seconds / 60:.1f} min"
    assert note_of(folder, utterances=70, hours=seconds / 3600) == (
        f"emodb: {minutes} of sound in 70 utterances; {minutes} in 70 were published"
    )


def test_a_copy_whose_recordings_are_cut_is_noticed_though_none_is_missing(corpus, note_of):
    folder, seconds = corpus
    for path in sorted((folder / "wav").iterdir()):
        sound, rate = soundfile.read(path)
        soundfile.write(path, sound[: int(0.3 * rate)], rate)
    note = note_of(folder, utterances=70, hours=seconds / 3600)
    assert note.endswith("are expected: is every recording whole?")


def test_of_a_part_as_many_hours_are_expected_as_its_utterances_have(corpus, note_of):
    folder, seconds = corpus
    note = note_of(folder, utterances=140, hours=2 * seconds / 3600)
    assert "in 140 were published" in note and "expected" not in note


def test_without_published_hours_there_are_the_measured_ones(corpus, note_of):
    folder, seconds = corpus
    expected = f"emodb: {seconds / 60:.1f} min of sound in 70 utterances"
    assert note_of(folder, utterances=70, hours=None) == expected


def test_turns_without_speakers_belong_to_the_release_that_is_whole(tmp_path, monkeypatch):
    written = write_msp_podcast(tmp_path / "podcast", utterances_per_speaker=1)
    hours = sum(soundfile.info(u.wav).duration for u in written) / 3600
    known = DATASETS["msp_podcast"]._replace(releases={len(written): hours})
    monkeypatch.setitem(DATASETS, "msp_podcast", known)
    config = Config("msp_podcast", str(tmp_path / "podcast"))
    utterances = read(config, tmp_path)
    prepared = prepare_inputs(config, preparable(utterances), tmp_path / "cache", progress=False)
    (note,) = hours_note("msp_podcast", prepared, len(utterances))
    assert len(preparable(utterances)) < len(written) == 13
    assert "in 11 utterances; " in note and "in 13 were published" in note


def test_counts_of_releases_that_are_whole_copies(tmp_path, monkeypatch, capsys):
    write_msp_podcast(tmp_path / "podcast", utterances_per_speaker=1)
    config = Config("msp_podcast", str(tmp_path / "podcast"))
    known = DATASETS["msp_podcast"]._replace(utterances=12, releases={13: 0.1})
    monkeypatch.setitem(DATASETS, "msp_podcast", known)
    read(config, tmp_path)
    assert "whole?" not in capsys.readouterr().err
    monkeypatch.setitem(DATASETS, "msp_podcast", known._replace(releases={}))
    read(config, tmp_path)
    assert "13 utterances, 12 were published: is the copy whole?" in capsys.readouterr().err


def test_words_without_sound_have_no_hours(tmp_path):
    write_manifest(tmp_path / "m.csv", utterances_per_speaker=1)
    config = Config("manifest", str(tmp_path / "m.csv"), modality="lexical")
    utterances = read(config, tmp_path)
    prepared = prepare_inputs(config, utterances, tmp_path / "cache", progress=False)
    assert hours_note("manifest", prepared, len(utterances)) == []
