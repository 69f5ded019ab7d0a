"""Tests of the reader of Kaldi data directories: case 95, where paths begin, pipes, lists."""

import os
import shutil
from collections import Counter

import pytest

from privrep.datasets import kaldi
from tests.support import open_corpora_on_disk
from tests.support.open_corpora_on_disk import write_kaldi
from tests.support.paths import ROOT
from tests.support.sounds_on_disk import edit, write_text

CASE = ROOT / "tests/cases/95"
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    """Nobody listens here: empty audio files are written faster."""

    def write_wav(path, *_):
        write_text(path, "")
        return path

    monkeypatch.setattr(open_corpora_on_disk, "write_wav", write_wav)


@pytest.fixture
def root(tmp_path):
    write_kaldi(tmp_path / "data", utterances_per_speaker=1, speakers=4)
    return tmp_path / "data"


def read_first(root):
    return kaldi.read(root)[0]


def test_case_95():
    utterances = kaldi.read(CASE / "data")
    assert (len(utterances), utterances[0].id) == (16, "sp01-u1")
    assert len({u.speaker for u in utterances}) == 8
    assert Counter(u.private["gender"] for u in utterances) == {"female": 8, "male": 8}
    assert Counter(u.categories["emotion"] for u in utterances) == {"ang": 8, "neu": 8}
    assert utterances[0].transcript == "i do not know"
    assert all(u.wav.is_file() for u in utterances)


@pytest.mark.parametrize("place", ["working directory", "directory", "above"])
def test_relative_paths_begin_in_any_of_three_folders_which_is_said(place, tmp_path, monkeypatch):
    root = tmp_path / "recipe" / "data"
    write_kaldi(root, 1, 4, wavs="audio", above=place == "above")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    base = {"directory": root, "above": root.parent, "working directory": elsewhere}[place]
    if place == "working directory":
        shutil.move(root / "audio", elsewhere / "audio")
    with pytest.warns(UserWarning, match=f"its relative paths lie 4 below {base}$"):
        assert [u.wav.parent for u in kaldi.read(root)] == [base / "audio"] * 4
    assert all(u.wav.is_file() for u in kaldi.read(root))


def test_the_working_directory_comes_first_as_in_kaldi(root, monkeypatch, tmp_path):
    shutil.copytree(root / "wav", tmp_path / "wav")
    monkeypatch.chdir(tmp_path)
    assert read_first(root).wav == tmp_path / "wav/sp00-u0.wav"


@pytest.mark.parametrize(
    "entry",
    ["sph2pipe -f wav audio/a.sph |", "cat wav/sp00-u0.wav |", "sox wav/sp00-u0.wav -t wav -|"],
)
def test_a_pipe_is_refused_by_name_and_never_run(entry, root):
    edit(root / "wav.scp", "wav/sp00-u0.wav", entry)
    with pytest.raises(ValueError, match=r"wav\.scp:1: .* is a command that writes to a pipe"):
        kaldi.read(root)


def test_audio_in_an_archive_is_refused_by_name(root):
    edit(root / "wav.scp", "wav/sp00-u0.wav", "wav.ark:17")
    with pytest.raises(ValueError, match=r"wav\.scp:1: 'wav\.ark:17' lies in an archive"):
        kaldi.read(root)


def test_segments_are_utterances(root):
    for name in ("text", "utt2spk", "utt2emo", "utt2arousal", "utt2valence", "utt2ses"):
        (root / name).unlink()
    for name in ("utt2split", "utt2dur", "spk2utt"):
        (root / name).unlink()
    write_text(root / "segments", "a1 sp00-u0 0.5 1.25\na2 sp00-u0 1.25 -1\nb1 sp01-u0 0 2\n")
    write_text(root / "utt2spk", "a1 sp00\na2 sp00\nb1 sp01\n")
    write_text(root / "text", "a1 yes\na2 no\n")
    a1, a2, b1 = kaldi.read(root)
    assert (a1.id, a1.start, a1.end, a1.transcript) == ("a1", 0.5, 1.25, "yes")
    assert (a2.start, a2.end) == (1.25, None) and a1.wav == a2.wav == root / "wav/sp00-u0.wav"
    assert (b1.speaker, b1.private["gender"], b1.transcript) == ("sp01", "male", None)


def test_spk2utt_serves_where_utt2spk_is_missing(root):
    expected = kaldi.read(root)
    (root / "utt2spk").unlink()
    assert kaldi.read(root) == expected


def test_every_other_list_is_a_column(root):
    write_text(root / "spk2accent", "sp00 north\nsp01 south\nsp02 north\nsp03 south\n")
    write_text(root / "utt2lang", "sp00-u0 de\nsp01-u0 de\nsp02-u0 en\n")
    first, *_, last = kaldi.read(root)
    assert first.private["accent"] == "north" and first.private["lang"] == "de"
    assert last.private["accent"] == "south" and "lang" not in last.private


def test_lists_that_contradict_one_another_name_both_lines(root):
    write_text(root / "utt2gender", "sp00-u0 m\n")
    message = r"sp00-u0: gender is f in .*spk2gender:1 and m in .*utt2gender:1"
    with pytest.raises(ValueError, match=message):
        kaldi.read(root)


def test_what_is_of_no_utterance_is_counted(root):
    write_text(root / "utt2emo", (root / "utt2emo").read_text() + "ghost sad\n")
    write_text(root / "spk2gender", (root / "spk2gender").read_text() + "nobody f\n")
    with pytest.warns(UserWarning) as said:
        assert len(kaldi.read(root)) == 4
    text = "\n".join(str(warning.message) for warning in said)
    assert "emotion of 1 utterances that are not in the list of utterances: ghost" in text
    assert "spk2gender: left out 1 speakers of no utterance: nobody" in text
    assert "utt2dur hold no labels" in text


def test_directories_named_by_parts_are_an_official_split(tmp_path):
    for i, part in enumerate(("train", "dev", "test")):
        write_kaldi(tmp_path / part, 1, 2)
        for path in (path for path in (tmp_path / part).iterdir() if path.is_file()):
            path.write_text(path.read_text().replace("sp0", f"sp{i}"))
        (tmp_path / part / "utt2split").unlink()
    with pytest.warns(UserWarning, match="dev, test, train as the parts of an official split"):
        utterances = kaldi.read(tmp_path)
    assert Counter(u.split for u in utterances) == {"train": 2, "val": 2, "test": 2}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("utt2spk", "sp01-u0", "sp00-u0", r"utt2spk:2: sp00-u0 is described twice.*utt2spk:1"),
        ("wav.scp", "sp00-u0 wav/sp00-u0.wav", "sp00-u0", r"wav\.scp:1: '' does not parse"),
        ("utt2valence", "sp00-u0 2.0", "sp00-u0 high", r"column valence: 'high' does not parse"),
        ("utt2split", "train", "trane", r"column split: 'trane' does not parse"),
    ],
)
def test_a_list_that_does_not_parse(file, old, new, message, root):
    edit(root / file, old, new)
    with pytest.raises(ValueError, match=message):
        kaldi.read(root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a1 sp00-u0 0.5", r"segments:1: .*'utterance recording start end'"),
        ("a1 ghost 0 1", r"segments:1: the recording ghost is not in wav\.scp"),
        ("a1 sp00-u0 2 1", "the end, 1 s, must be after the start, 2 s"),
    ],
)
def test_a_segment_that_does_not_parse(line, message, root):
    write_text(root / "segments", f"{line}\n")
    with pytest.raises(ValueError, match=message):
        kaldi.read(root)


def test_a_file_in_a_path_of_blanks_is_read(tmp_path):
    write_kaldi(tmp_path / "my data", 1, 4, wavs="the sounds")
    assert os.path.isfile(read_first(tmp_path / "my data").wav)
