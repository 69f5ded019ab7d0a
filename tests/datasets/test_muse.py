"""Tests of the MuSE reader: folder variants, the three kinds of ratings, errors."""

import warnings

import pytest

from privrep.datasets.muse import read
from tests.support import corpora_on_disk
from tests.support.corpora_on_disk import MUSE_TABLE, write_muse
from tests.support.sounds_on_disk import edit, write_text

TABLE = f"SurveyInformation/{MUSE_TABLE}"
FIRST = "01_DR-100_0093_0_sentence_7"  # on line 2
CELLS = f"{FIRST}.wav,0.5,F,NS,Icebreaker,3.0,0.7,3.0"


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    """Nobody listens here: empty audio files are written faster."""
    monkeypatch.setattr(corpora_on_disk, "write_wav", lambda path, *_, **__: write_text(path, ""))


@pytest.fixture
def root(tmp_path):
    write_muse(tmp_path, utterances_per_speaker=2)
    return tmp_path


def utterance_of(root, name=FIRST):
    return next(utterance for utterance in read(root) if utterance.id == name)


@pytest.mark.parametrize(
    "variant",
    [
        {"survey": "Survey Information (Questions, Data etc)"},
        {
            "folders": (
                "NotStressed/Audio/Non Stressed Question Monologue Audio (segmented)",
                "Stressed/Audio/Stressed Question Monologue Audio",
            )
        },
        {
            "transcripts": (
                "Whisper-Transcriptions/Nonstressed_Segments",
                "Whisper-Transcriptions/Stressed_Segments",
            )
        },
    ],
)
def test_variants(variant, tmp_path):
    expected = write_muse(tmp_path, utterances_per_speaker=2, **variant)
    assert read(tmp_path) == expected


def test_activation_is_the_mean_of_annotators_who_heard_the_utterance_alone(root):
    assert utterance_of(root).ratings == {
        "activation": 3.0,
        "valence": 3.0,
        "activation_context": 3.5,
        "valence_context": 3.5,
        "activation_self": 6.0,
    }


def test_stressed_is_a_task_and_a_private_attribute(root):
    stressed = utterance_of(root, FIRST.replace("_0_", "_1_"))
    assert stressed.categories == {"stressed": "yes"}
    assert stressed.private == {"gender": "female", "stressed": "yes"}


@pytest.mark.parametrize("literal", ["F", "f", "Female", "FEMALE", " female "])
def test_spellings_of_gender(literal, root):
    edit(root / TABLE, CELLS, CELLS.replace(",F,", f",{literal},"))
    assert utterance_of(root).private["gender"] == "female"


def test_transcripts_of_the_release_come_before_those_of_whisper(root):
    write_muse(root, 2, transcripts=("Whisper-Transcriptions/Nonstressed_Segments",) * 2)
    (root / "Combined/Utterance Transcripts" / f"{FIRST}.txt").write_text("by hand")
    assert utterance_of(root).transcript == "by hand"


def test_missing_audio_and_transcript(root):
    (root / "Combined/Utterance Transcripts" / f"{FIRST}.txt").unlink()
    for folder in root.glob("*Stressed/Audio/*"):
        for path in folder.glob("*.wav"):
            path.unlink()
        folder.rmdir()
    utterance = utterance_of(root)
    assert utterance.transcript is None
    assert utterance.wav == (
        root / "NotStressed/Audio/Non Stressed Question Monologue Audio" / f"{FIRST}.wav"
    )


@pytest.mark.parametrize("empty", ["", "NaN"])
def test_a_rating_that_is_not_there_is_left_out(empty, root):
    edit(root / TABLE, CELLS, CELLS.replace(",3.0,", f",{empty},", 1))
    assert "activation" not in utterance_of(root).ratings
    assert "valence" in utterance_of(root).ratings


def test_self_reports_off_the_scale_are_counted_in_a_warning(root):
    edit(root / TABLE, "5;6;4,5;5;5,6,\n", "5;6;4,5;5;5,0,none\n")
    with pytest.warns(UserWarning, match=rf"2 self-reports.*{MUSE_TABLE[:20]}.*:2: '0'"):
        ratings = utterance_of(root).ratings
    assert not {"activation_self", "valence_self"} & set(ratings)


def test_a_whole_corpus_warns_of_nothing(root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(root)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (CELLS.replace(",F,", ",X,"), "'X'.*Female, Male, Unknown"),
        (CELLS.replace(",NS,", ",calm,"), "'CALM'.*S, NS"),
        (CELLS.replace(",3.0,0.7,3.0", ",3.0,0.7,9.5"), "'9.5'.*from 1 to 9"),
        (CELLS.replace(",3.0,0.7,3.0", ",3.0,0.7,high"), "'high'.*number"),
        (CELLS.replace("Icebreaker,", ""), "19 cells as in the header, not 18"),
        (CELLS.replace("01_DR", "1_DR"), "a name such as"),
    ],
)
def test_a_row_that_does_not_parse_names_file_line_and_form(new, expected, root):
    edit(root / TABLE, CELLS, new)
    with pytest.raises(ValueError, match=rf"\.csv:2: .*{expected}"):
        read(root)


def test_missing_columns_are_named(root):
    edit(root / TABLE, ",Valence_Mean", ",Valence")
    with pytest.raises(ValueError, match=r"\.csv:1: no column Valence_Mean in the header"):
        read(root)


def test_an_utterance_described_twice_names_both_places(root):
    edit(root / TABLE, FIRST.replace("_0_", "_1_"), FIRST)
    with pytest.raises(ValueError, match=r"twice: .*\.csv:2 and .*\.csv:3"):
        read(root)
