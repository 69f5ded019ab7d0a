"""Tests of the readers of MSP-IMPROV and MSP-Podcast: variants, pitfalls, errors."""

import re
import shutil

import pytest

from privrep.datasets import msp_improv, msp_podcast
from tests.support import corpora_on_disk
from tests.support.corpora_on_disk import (
    PODCAST_LAYOUTS,
    write_msp_improv,
    write_msp_podcast,
)
from tests.support.sounds_on_disk import edit, make_empty, write_text

FIRST = "UTD-IMPROV-S01A-F01-P-FM00.avi; N; A:4.000000; V:2.000000; D:NaN ; N:4.200000;"  # line 1
ROW = "MSP-PODCAST_0000_0001.wav,A,4.0,4.0,2.6,1,Female,Train"  # line 3
LABELS = "Labels/labels_consensus.csv"


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    """Nobody listens here: empty audio files are written faster."""
    monkeypatch.setattr(corpora_on_disk, "write_wav", lambda path, *_, **__: write_text(path, ""))


@pytest.fixture
def improv(tmp_path):
    write_msp_improv(tmp_path, utterances_per_speaker=1)
    return tmp_path


@pytest.fixture
def podcast(tmp_path):
    write_msp_podcast(tmp_path, utterances_per_speaker=2)
    return tmp_path


def utterance_of(module, root, name):
    return next(utterance for utterance in module.read(root) if utterance.id == name)


@pytest.mark.parametrize(
    "variant",
    [
        {"spelling": "Evaluation.txt"},
        {"audio": ""},
        {"transcripts": "All_human_transcriptions"},
        {"transcripts": "All_human_transcriptions/session1"},
        {"transcripts": "Text"},
    ],
)
def test_improv_variants(variant, tmp_path):
    expected = write_msp_improv(tmp_path, utterances_per_speaker=1, **variant)
    assert msp_improv.read(tmp_path) == expected


def test_improv_activation_is_stored_upside_down_and_valence_is_not(improv):
    edit(improv / "Evalution.txt", "A:4.000000; V:2.000000", "A:1.400000; V:4.400000")
    ratings = utterance_of(msp_improv, improv, "MSP-IMPROV-S01A-F01-P-FM00").ratings
    assert ratings == {"activation": 4.6, "valence": 4.4, "naturalness": 4.2}


@pytest.mark.parametrize(
    ("old", "new", "ratings"),
    [
        ("D:NaN ; N:4.200000;", "D:2.500000;", {"dominance": 2.5}),
        ("D:NaN ; N:4.200000;", "D:2.500000  ;N:NaN ;", {"dominance": 2.5}),
        ("A:4.000000;", "A:NaN;", {"naturalness": 4.2, "activation": None}),
    ],
)
def test_improv_ratings_that_are_not_there(old, new, ratings, improv):
    edit(improv / "Evalution.txt", old, new)
    expected = {"activation": 2.0, "valence": 2.0} | ratings
    expected = {task: value for task, value in expected.items() if value is not None}
    assert utterance_of(msp_improv, improv, "MSP-IMPROV-S01A-F01-P-FM00").ratings == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (FIRST, FIRST[:40], "EMOTION; A:number"),
        ("A:4.000000", "A:6.000000", "'6.000000'.*from 1 to 5"),
        ("V:2.000000", "V:good", "'good'.*number"),
        ("; N; A", "; Q; A", "'Q'.*A, H, S, N"),
        ("F01-P", "F07-P", "EMOTION; A:number"),
        ("UTD-IMPROV", "IMPROV", "UTD-IMPROV-S01A"),
    ],
)
def test_improv_line_that_does_not_parse(old, new, expected, improv):
    edit(improv / "Evalution.txt", old, new)
    with pytest.raises(ValueError, match=rf"Evalution\.txt:1: .*{expected}"):
        msp_improv.read(improv)


def test_improv_turn_inside_the_block_of_another_is_not_passed_over(improv):
    edit(improv / "Evalution.txt", "N:NaN;\n\nUTD-", "N:NaN;\nTD-")
    with pytest.raises(ValueError, match=r"Evalution\.txt:3: 'TD-IMPROV"):
        msp_improv.read(improv)


def test_improv_label_file_cut_short_names_the_sessions(improv):
    labels = (improv / "Evalution.txt").read_text()
    (improv / "Evalution.txt").write_text(labels[: labels.index("UTD-IMPROV-S01A-F05")])
    with pytest.raises(ValueError, match="session5, session6"):
        msp_improv.read(improv)


def test_improv_without_transcripts(improv):
    shutil.rmtree(improv / "Human_transcriptions")
    assert {utterance.transcript for utterance in msp_improv.read(improv)} == {None}


def test_improv_turn_described_twice(improv):
    edit(improv / "Evalution.txt", "M01-P", "F01-P")
    with pytest.raises(ValueError, match=r"twice: .*Evalution\.txt:1 and .*Evalution\.txt:4"):
        msp_improv.read(improv)


def test_improv_empty_label_file(improv):
    make_empty(improv / "Evalution.txt")
    with pytest.raises(ValueError, match="no utterance"):
        msp_improv.read(improv)


@pytest.mark.parametrize("number", PODCAST_LAYOUTS)
def test_podcast_layouts_that_people_have(number, tmp_path):
    expected = write_msp_podcast(tmp_path, utterances_per_speaker=2, **PODCAST_LAYOUTS[number])
    assert msp_podcast.read(tmp_path) == expected


def test_podcast_fourteen_layouts():
    assert [*PODCAST_LAYOUTS] == [*range(1, 15)]


@pytest.mark.parametrize("folder", ["Labels", "labels", "."])
def test_podcast_texts_of_the_first_releases_in_any_folder(folder, tmp_path):
    expected = write_msp_podcast(tmp_path, 2, labels=f"{folder}/labels.txt")
    assert msp_podcast.read(tmp_path) == expected
    assert {u.test_set for u in expected} == {None, "Test1", "Test2", "Test3"}


def test_podcast_texts_beside_the_table_of_a_later_release_do_not_count(podcast):
    for name in msp_podcast.TEXTS:
        write_text(podcast / name, "nothing\n")
    assert len(msp_podcast.read(podcast)) == 23


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("labels.txt", "; A:", "; Q:", r"labels\.txt:1: .*EMOTION; A:number"),
        ("labels.txt", "V:2.500000", "V:9.000000", r"labels\.txt:1: '9.000000' is off the scale"),
        ("labels.txt", "_0000_0001", "_0000_0000", r"0000_0000.wav is described twice"),
        ("Partitions.txt", "Train; ", "Trane; ", r"'Trane' does not parse; expected a split"),
        ("Partitions.txt", "Train; ", "Train ", r"Partitions\.txt:1: .*'Train; MSP-PODCAST"),
        ("Speaker_ids.txt", "; Female", "; Femal", r"'Femal' does not parse; expected a gender"),
        ("Speaker_ids.txt", "; Female", "", r"Speaker_ids\.txt:1: .*'Speaker_1; Male'"),
    ],
)
def test_podcast_texts_that_do_not_parse(file, old, new, message, tmp_path):
    write_msp_podcast(tmp_path, 2, labels="labels.txt")
    edit(tmp_path / file, old, new)
    with pytest.raises(ValueError, match=message):
        msp_podcast.read(tmp_path)


def test_podcast_turns_in_no_part_are_counted(tmp_path):
    expected = write_msp_podcast(tmp_path, 2, labels="labels.txt")
    edit(tmp_path / "Partitions.txt", f"Train; {expected[0].id}.wav\n", "")
    with pytest.warns(UserWarning, match=f"1 turns are in no part .*: {expected[0].id}.wav"):
        assert msp_podcast.read(tmp_path)[0].split is None


def test_podcast_table_of_an_earlier_release_takes_the_audio_of_its_release(tmp_path):
    earlier = "Previous_releases_information/previous_releases_info/v1.8"
    table = f"{earlier}/Labels/labels_concensus.csv"
    expected = write_msp_podcast(tmp_path, 2, labels=table, development="Validation")
    with pytest.warns(UserWarning, match=rf"v1\.8 has labels and no audio: .*{tmp_path}/Audios"):
        assert msp_podcast.read(tmp_path / earlier) == expected


def test_podcast_unknown_speaker_and_gender_are_left_out(podcast):
    stereo = utterance_of(msp_podcast, podcast, "MSP-PODCAST_1023_0235")
    assert stereo.speaker is None and stereo.private == {"gender": "male"}
    unknown = utterance_of(msp_podcast, podcast, "MSP-PODCAST_2000_0000")
    assert unknown.speaker == "1" and unknown.private == {}


@pytest.mark.parametrize("hidden", [",,,,", "N,4.0,4.0,4.0,", "-,nan,hidden,0,"])
def test_podcast_test3_is_hidden_whatever_stands_in_its_cells(hidden, podcast):
    edit(podcast / LABELS, "3000_0000.wav,,,,,", f"3000_0000.wav,{hidden}")
    utterance = utterance_of(msp_podcast, podcast, "MSP-PODCAST_3000_0000")
    assert (utterance.ratings, utterance.categories, utterance.split) == ({}, {}, "test")


def test_podcast_test_speakers_recur_and_all_test_sets_are_test(podcast):
    assert ",9,Female,Test1" in (podcast / LABELS).read_text()
    assert ",9,Female,Test2" in (podcast / LABELS).read_text()
    assert {u.split for u in msp_podcast.read(podcast) if u.speaker == "9"} == {"test"}


def test_podcast_missing_transcript(podcast):
    (podcast / "Transcripts/MSP-PODCAST_0000_0001.txt").unlink()
    assert utterance_of(msp_podcast, podcast, "MSP-PODCAST_0000_0001").transcript is None


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (ROW.replace(",Female,Train", ""), "8 cells as in the header, not 6"),
        (ROW.replace("4.0,4.0", "4.0,8.0"), "'8.0'.*from 1 to 7"),
        (ROW.replace("4.0,4.0", "x,4.0"), "'x'.*number"),
        (ROW.replace("Female", "Femal"), "'Femal'.*Female, Male, Unknown"),
        (ROW.replace("Train", "Trane"), "'Trane'.*Train, Validation, Development, Test1"),
        (ROW.replace("wav,A", "wav,Q"), "'Q'.*A, S, H"),
        (ROW.replace(".wav", ".mp4"), "mp4.*a file name such as"),
    ],
)
def test_podcast_row_that_does_not_parse(new, expected, podcast):
    edit(podcast / LABELS, ROW, new)
    with pytest.raises(ValueError, match=rf"labels_consensus\.csv:3: .*{expected}"):
        msp_podcast.read(podcast)


def test_podcast_missing_columns_are_named(podcast):
    edit(podcast / LABELS, "EmoVal", "Valence")
    with pytest.raises(ValueError, match=r"labels_consensus\.csv:1: .*no column EmoVal"):
        msp_podcast.read(podcast)


def test_podcast_turn_described_twice(podcast):
    edit(podcast / LABELS, ROW, ROW.replace("0001.wav", "0000.wav"))
    with pytest.raises(ValueError, match=r"0000_0000 is described twice: .*csv:2 and .*csv:3"):
        msp_podcast.read(podcast)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("0000_0001.wav", "0000_0000.wav", "twice"),  # which a dict would hide
        ('"Train"', '"Trane"', "entry MSP-PODCAST_0000_0000.wav: 'Trane'"),
        ('"Gender"', '"gender"', "entry MSP-PODCAST_0000_0000.wav.*the keys"),
        ("}", "", r"labels_consensus\.json:\d+: this is not JSON"),
        ("{", "[1, {", "JSON|an object of objects"),
    ],
)
def test_podcast_json_errors(old, new, expected, tmp_path):
    write_msp_podcast(tmp_path, 2, labels="Labels/labels_consensus.json")
    edit(tmp_path / "Labels/labels_consensus.json", old, new)
    with pytest.raises(ValueError, match=expected):
        msp_podcast.read(tmp_path)


def test_podcast_json_of_another_form(tmp_path):
    (tmp_path / "Labels").mkdir()
    (tmp_path / "Labels/labels_consensus.json").write_text('[{"FileName": "a.wav"}]')
    with pytest.raises(ValueError, match=re.escape("expected an object of objects")):
        msp_podcast.read(tmp_path)
