"""Tests of the contract of every corpus reader, of EmoDB, and of the shared parsing."""

import os
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from privrep.datasets import DATASETS
from privrep.datasets.categories import LEVELS, SCALE, ratings_of
from privrep.datasets.parsing import read_transcript
from privrep.types import Utterance
from tests.support import corpora_on_disk

WRITTEN = [name for name in DATASETS if name != "demo"]  # which makes itself: see test_demo


@pytest.fixture(scope="module", params=WRITTEN)
def corpus(request, tmp_path_factory):
    """(dataset, root, expected records) of each corpus in turn."""
    root = tmp_path_factory.mktemp(request.param)
    root = root / "mine.csv" if request.param == "manifest" else root
    return request.param, root, getattr(corpora_on_disk, f"write_{request.param}")(root)


def test_reads_exactly_what_was_written(corpus):
    name, root, expected = corpus
    assert DATASETS[name].read(root) == expected


def test_a_root_may_be_a_string(corpus):
    name, root, expected = corpus
    assert DATASETS[name].read(str(root)) == expected


def test_contract(corpus):
    name, root, _ = corpus
    utterances = DATASETS[name].read(root)
    ids = [utterance.id for utterance in utterances]
    assert ids == sorted(set(ids))
    for utterance in utterances:
        assert isinstance(utterance, Utterance)
        assert utterance.speaker is None or (utterance.speaker and type(utterance.speaker) is str)
        assert utterance.private.get("gender", "female") in {"female", "male"}
        low, high = utterance.scale
        assert all(low <= value <= high for value in utterance.ratings.values())
        assert None not in {*utterance.categories.values(), *utterance.private.values()}
        assert utterance.split in {None, "train", "val", "test"}
        assert utterance.wav.is_absolute() and soundfile.info(utterance.wav).duration > 0.25


def test_fakes_serve_five_speaker_independent_folds_of_both_genders(corpus):
    speakers = {u.speaker: u.private["gender"] for u in corpus[2] if u.speaker and u.private}
    assert min(Counter(speakers.values()).values()) >= 5


def test_fakes_hold_every_level_of_both_tasks_for_every_speaker(corpus):
    # The emotions of acted corpora have them too: neutral is mid, happiness of high valence.
    for speaker in {u.speaker for u in corpus[2]} - {None}:
        for task in ("activation", "valence"):
            rated = [u.ratings.get(task) for u in corpus[2] if u.speaker == speaker]
            assert len(set(rated)) == 3, (corpus[0], speaker, task)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_missing_root_says_what_was_looked_for_and_how_to_obtain_it(name, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        DATASETS[name].read(tmp_path / "nowhere")
    message = str(error.value)
    assert str(tmp_path / "nowhere") in message
    assert "looked there for" in message and DATASETS[name].obtain in message


@pytest.mark.parametrize("name", WRITTEN)
def test_another_folder_does_not_pass_for_the_corpus(name, tmp_path):
    (tmp_path / "holiday.txt").write_text("no corpus")
    with pytest.raises(FileNotFoundError, match="does not look like"):
        DATASETS[name].read(tmp_path)


@pytest.mark.parametrize("name", WRITTEN)
def test_reading_opens_no_audio_and_tells_where_missing_audio_should_be(name, tmp_path):
    root = tmp_path / "mine.csv" if name == "manifest" else tmp_path
    expected = getattr(corpora_on_disk, f"write_{name}")(root, utterances_per_speaker=2)
    if name in ("emodb", "ravdess", "crema_d"):  # where the files are the labels
        for utterance in expected:
            corpora_on_disk.make_empty(utterance.wav)
    else:
        corpora_on_disk.truncate(expected[0].wav)
        expected[1].wav.unlink()
    assert DATASETS[name].read(root) == expected


def test_emodb_root_may_be_the_folder_of_the_files(tmp_path):
    expected = corpora_on_disk.write_emodb(tmp_path, folder="wav")
    assert DATASETS["emodb"].read(tmp_path / "wav") == expected


def test_emodb_names_the_actors_that_are_missing(tmp_path):
    for utterance in corpora_on_disk.write_emodb(tmp_path):
        if utterance.speaker in ("08", "16"):
            utterance.wav.unlink()
    with pytest.raises(ValueError, match=r"incomplete EmoDB.*08, 16"):
        DATASETS["emodb"].read(tmp_path)


@pytest.mark.parametrize("name", ["04a01Fa", "03a03Fa", "03a01Xa", "03a01F"])
def test_emodb_refuses_a_name_of_no_known_speaker_sentence_or_emotion(name, tmp_path):
    expected = corpora_on_disk.write_emodb(tmp_path, utterances_per_speaker=1)
    expected[0].wav.rename(tmp_path / "wav" / f"{name}.wav")
    with pytest.raises(ValueError, match=f"{name}.wav.*03a01Fa.wav"):
        DATASETS["emodb"].read(tmp_path)


def test_emodb_skips_what_a_mac_leaves_in_archives(tmp_path):
    expected = corpora_on_disk.write_emodb(tmp_path)
    (tmp_path / "wav" / "._03a01Wa.wav").write_bytes(b"\0")
    assert DATASETS["emodb"].read(tmp_path) == expected


def test_the_real_emodb():
    root = Path(os.environ.get("PRIVREP_EMODB", "no folder"))
    if not root.is_dir():
        pytest.skip("EmoDB is not here; PRIVREP_EMODB may name its folder")
    utterances = DATASETS["emodb"].read(root)
    assert len(utterances) == DATASETS["emodb"].utterances == 535
    genders = {u.speaker: u.private["gender"] for u in utterances}
    assert Counter(genders.values()) == {"female": 5, "male": 5}
    # The counts of Burkhardt et al. (2005).
    assert Counter(u.categories["emotion"] for u in utterances) == {
        "angry": 127,
        "bored": 81,
        "disgusted": 46,
        "fearful": 69,
        "happy": 71,
        "sad": 62,
        "neutral": 79,
    }
    assert all(u.wav.is_file() and len(u.transcript.split()) >= 6 for u in utterances)


def test_levels_of_categories():
    assert ratings_of("angry") == {"activation": 3.0, "valence": 1.0}
    assert ratings_of("calm") == {"activation": 1.0, "valence": 2.0}
    assert {level for pair in LEVELS.values() for level in pair} == {SCALE[0], 2.0, SCALE[1]}


def test_a_missing_transcript_differs_from_one_without_words(tmp_path):
    (tmp_path / "silent.txt").write_text(" \n")
    assert read_transcript(tmp_path / "silent.txt") == ""
    assert read_transcript(tmp_path / "missing.txt") is None


def test_the_fakes_can_be_damaged(tmp_path):
    paths = [utterance.wav for utterance in corpora_on_disk.write_emodb(tmp_path, 1)]
    whole = soundfile.read(paths[0])[0].size
    corpora_on_disk.truncate(paths[0])
    assert soundfile.read(paths[0])[0].size < 0.6 * whole  # libsndfile takes it without a word
    corpora_on_disk.make_empty(paths[1])
    corpora_on_disk.corrupt(paths[2])
    for path in paths[1:3]:
        with pytest.raises(soundfile.LibsndfileError):
            soundfile.info(path)
