"""Tests of the IEMOCAP reader: pitfalls of the release, and errors of a damaged copy."""

import shutil

import pytest

from privrep.datasets.iemocap import read
from tests.support import corpora_on_disk
from tests.support.corpora_on_disk import write_iemocap
from tests.support.sounds_on_disk import edit, make_empty, write_text

DIALOG = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
WORDS = "Session1/dialog/transcriptions/Ses01F_impro01.txt"
FIRST = "Ses01F_impro01_F000\txxx\t[2.0000, 2.0000, 2.5000]"  # on line 3


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    """Nobody listens here: empty audio files are written faster."""
    monkeypatch.setattr(corpora_on_disk, "write_wav", lambda path, *_, **__: write_text(path, ""))


@pytest.fixture
def root(tmp_path):
    write_iemocap(tmp_path, utterances_per_speaker=2)
    return tmp_path


def utterance_of(root, name="Ses01F_impro01_F000"):
    return next(utterance for utterance in read(root) if utterance.id == name)


def test_gender_and_speaker_are_those_of_the_turn_not_of_the_markers(root):
    man = utterance_of(root, "Ses01F_impro01_M000")
    assert (man.private["gender"], man.speaker) == ("male", "Ses01M")
    woman = utterance_of(root, "Ses01M_script01_1b_F001")
    assert (woman.private["gender"], woman.speaker) == ("female", "Ses01F")
    assert len({utterance.speaker for utterance in read(root)}) == 10


def test_the_order_of_ratings_is_valence_activation_dominance(root):
    edit(root / DIALOG, FIRST, FIRST.replace("2.0000, 2.0000, 2.5000", "1.5000, 4.5000, 3.0000"))
    assert utterance_of(root).ratings == {"valence": 1.5, "activation": 4.5, "dominance": 3.0}


def test_no_agreement_is_no_emotion(root):
    assert utterance_of(root).categories == {"scenario": "improvised"}


@pytest.mark.parametrize(("code", "emotion"), [("fru", "frustrated"), ("oth", "other")])
def test_emotions_have_readable_names(code, emotion, root):
    edit(root / DIALOG, FIRST, FIRST.replace("xxx", code))
    assert utterance_of(root).categories["emotion"] == emotion


def test_the_folder_above_the_release_serves_too(tmp_path):
    expected = write_iemocap(tmp_path / "IEMOCAP_full_release", utterances_per_speaker=1)
    assert read(tmp_path) == expected


def test_an_average_half_a_point_off_the_scale_counts_as_its_end(root):
    edit(root / DIALOG, FIRST, FIRST.replace("2.0000, 2.0000, 2.5000", "5.5000, 1.0000, 0.5000"))
    assert utterance_of(root).ratings == {"valence": 5.0, "activation": 1.0, "dominance": 1.0}


def test_a_rating_further_off_the_scale_is_an_error(root):
    edit(root / DIALOG, FIRST, FIRST.replace("2.5000", "7.0000"))
    with pytest.raises(ValueError, match=rf"{DIALOG}:3: ' 7.0000'.*off the scale from"):
        read(root)


def test_missing_transcripts_are_none(root):
    (root / WORDS).unlink()
    assert utterance_of(root).transcript is None
    assert utterance_of(root, "Ses02F_impro01_F000").transcript is not None


def test_sessions_that_are_missing_are_named(root):
    shutil.rmtree(root / "Session2")
    shutil.rmtree(root / "Session5" / "dialog")
    with pytest.raises(ValueError, match=r"incomplete IEMOCAP.*Session2, Session5.*manifest"):
        read(root)


def test_a_session_without_label_files_is_named(root):
    for path in (root / "Session3/dialog/EmoEvaluation").glob("*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"Session3 is incomplete"):
        read(root)


def test_a_transcribed_dialog_without_labels_is_named(root):
    (root / DIALOG).unlink()
    with pytest.raises(ValueError, match=r"Session1 is incomplete.*Ses01F_impro01\.txt"):
        read(root)


def test_empty_label_files_are_no_corpus(root):
    for path in root.glob("Session*/dialog/EmoEvaluation/Ses*.txt"):
        make_empty(path)
    with pytest.raises(ValueError, match="no utterance"):
        read(root)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("Ses01F_impro01_F000\txxx\t[2.0000, 2.00", "valence, activation, dominance"),
        (FIRST.replace("2.5000", "much"), "' much'.*number"),
        (FIRST.replace("xxx", "joy"), "'joy'.*ang, hap"),
        (FIRST.replace("F000", "MXX0"), "MXX0.*a turn such as"),
        (FIRST.replace("Ses01F", "Ses02F"), "a turn of Session1"),
    ],
)
def test_a_label_line_that_does_not_parse_names_file_line_and_form(new, expected, root):
    edit(root / DIALOG, FIRST, new)
    with pytest.raises(ValueError, match=rf"{DIALOG}:3: .*{expected}"):
        read(root)


def test_a_line_that_is_neither_label_nor_rater_is_an_error(root):
    edit(root / DIALOG, "C-E2:\tNeutral", "Neutral")
    with pytest.raises(ValueError, match=rf"{DIALOG}:4: 'Neutral"):
        read(root)


def test_a_transcript_line_that_does_not_parse_is_an_error(root):
    edit(root / WORDS, "[000.2901-000.9357]", "000.2901")
    with pytest.raises(ValueError, match=rf"{WORDS}:3: .*TURN \[start-end\]: words"):
        read(root)


def test_an_utterance_labelled_twice_names_both_places(root):
    edit(root / DIALOG, "Ses01F_impro01_M000", "Ses01F_impro01_F000")
    with pytest.raises(ValueError, match=rf"F000 is described twice: .*{DIALOG}:3 and .*:8"):
        read(root)
