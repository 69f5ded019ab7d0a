"""Tests of what the corpus readers share: where a corpus lies, words of an official split."""

import shutil

import pytest

from privrep.datasets import DATASETS
from privrep.datasets.parsing import locate, official_part
from tests.support import corpora_on_disk

INNER = {  # a folder of each corpus' own; EmoDB's may be named by itself
    "audformat": "wav",
    "crema_d": "AudioWAV",
    "iemocap": "Session1",
    "kaldi": "wav",
    "msp_improv": "Audio",
    "msp_podcast": "Labels",
    "muse": "SurveyInformation",
    "ravdess": "Actor_01",
}
READ_FROM_FOLDERS = [name for name in DATASETS if name not in ("demo", "manifest")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READ_FROM_FOLDERS)
def test_the_folder_above_the_corpus_or_in_it_serves_and_is_named(name, tmp_path):
    root = tmp_path / "downloads" / "release"
    expected = getattr(corpora_on_disk, f"write_{name}")(root, utterances_per_speaker=1)
    inner = [root / INNER[name]] if name in INNER else []
    for given in (root.parent, *inner):
        with pytest.warns(UserWarning, match=rf"{given} is a folder .* read from {root}$"):
            assert DATASETS[name].read(given) == expected


@pytest.mark.parametrize("given", ["Labels", "Labels/Labels", "Audios", "Audios/Audio", "."])
def test_every_folder_of_a_deep_msp_podcast_serves(given, tmp_path):
    expected = corpora_on_disk.write_msp_podcast(
        tmp_path / "2.0",
        utterances_per_speaker=1,
        labels="Labels/Labels/labels_consensus.csv",
        audio="Audios/Audio",
    )
    given = tmp_path / "2.0" / given
    if given == tmp_path / "2.0":
        assert DATASETS["msp_podcast"].read(given) == expected
        return
    with pytest.warns(UserWarning, match="is a folder in the corpus"):
        assert DATASETS["msp_podcast"].read(given) == expected


def test_of_two_copies_none_is_taken(tmp_path):
    corpora_on_disk.write_emodb(tmp_path / "a", utterances_per_speaker=1)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with pytest.raises(ValueError, match="2 copies or parts of the corpus: a, b; name one"):
        DATASETS["emodb"].read(tmp_path)


def test_a_folder_that_is_not_there_is_not_looked_for_elsewhere(tmp_path):
    assert locate(tmp_path / "typo", lambda folder: folder == tmp_path) == tmp_path / "typo"


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("Train", ("train", None)),
        ("TRAIN", ("train", None)),
        ("dev", ("val", None)),
        ("Validation", ("val", None)),
        ("Development", ("val", None)),
        ("test", ("test", None)),
        ("Test1", ("test", "Test1")),
        ("test 2", ("test", "Test2")),
        ("Test_3", ("test", "Test3")),
        ("", (None, None)),
    ],
)
def test_words_of_an_official_split(word, part):
    assert official_part(word, "here") == part


@pytest.mark.parametrize("word", ["Trane", "Tes", "fold1"])
def test_another_word_is_refused_with_the_valid_ones(word):
    with pytest.raises(ValueError, match=f"here: '{word}'.*Train, Validation, Development, Test1"):
        official_part(word, "here")
