"""Tests of the reader of databases in audformat: segments, misc tables, Parquet, errors."""

import sys

import pytest

from privrep.datasets import audformat
from tests.support import open_corpora_on_disk
from tests.support.open_corpora_on_disk import write_audformat
from tests.support.sounds_on_disk import edit, write_text

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
    write_audformat(tmp_path, utterances_per_speaker=2, speakers=3)
    return tmp_path


SEGMENTS = """
  pieces:
    type: segmented
    columns:
      emotion: {scheme_id: emotion}
"""


def test_the_package_is_not_needed(root):
    audformat.read(root)
    assert "audformat" not in sys.modules


def test_the_header_may_be_named_itself(root):
    assert audformat.read(root / "db.yaml") == audformat.read(root)


def test_segments_are_utterances_with_the_columns_of_their_file(tmp_path):
    header = (
        "tables:\n  files:\n    type: filewise\n    columns:\n      speaker: {}\n" + SEGMENTS[1:]
    )
    write_text(tmp_path / "db.yaml", header)
    write_text(tmp_path / "db.files.csv", "file,speaker\na.wav,anna\nb.wav,ben\n")
    lines = ("a.wav,0 days 00:00:00,0 days 00:00:01.500000,sad", "a.wav,00:00:01.5,,happy")
    lines += ("b.wav,0,2.25,sad",)
    write_text(tmp_path / "db.pieces.csv", "\n".join(("file,start,end,emotion", *lines)) + "\n")
    first, second, third = audformat.read(tmp_path)
    assert (first.id, first.start, first.end) == ("a.wav_0_1.5", 0.0, 1.5)
    assert (second.id, second.start, second.end) == ("a.wav_1.5", 1.5, None)
    assert (third.speaker, third.wav, third.end) == ("ben", tmp_path / "b.wav", 2.25)
    assert first.speaker == second.speaker == "anna"
    assert [u.categories["emotion"] for u in (first, second, third)] == ["sad", "happy", "sad"]


def test_facts_of_the_speakers_in_a_misc_table(root):
    header = (root / "db.yaml").read_text()
    begin, end = header.index("    labels:\n      0:"), header.index("  transcription:\n")
    misc = "misc_tables:\n  people:\n    levels: {speaker: int}\n    columns:\n      sex: {}\n"
    write_text(root / "db.yaml", header[:begin] + "    labels: people\n" + header[end:] + misc)
    write_text(root / "db.people.csv", "speaker,sex\n0,female\n1,male\n2,female\n")
    genders = {u.speaker: u.private["gender"] for u in audformat.read(root)}
    assert genders == {"0": "female", "1": "male", "2": "female"}


def test_parquet_is_read_in_place_of_csv(root):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    expected = audformat.read(root)
    frame = pandas.read_csv(root / "db.files.csv")
    frame["duration"] = pandas.to_timedelta(frame["duration"])
    frame.to_parquet(root / "db.files.parquet", index=False)
    (root / "db.files.csv").unlink()
    assert audformat.read(root) == expected


def test_words_of_yaml_stay_text(root):
    """`no` is Norwegian here, and 01 a code: YAML would make them False and 1."""
    edit(root / "db.yaml", "language: deu", "language: no")
    edit(root / "db.yaml", "language: deu", "language: 01")
    languages = {u.speaker: u.private["language"] for u in audformat.read(root)}
    assert (languages["0"], languages["1"]) == ("no", "01")


def test_times_are_no_labels_which_is_said(root):
    with pytest.warns(UserWarning, match=r"left out times and dates: .*files\.duration"):
        first = audformat.read(root)[0]
    assert not {"duration", "confidence"} & {*first.ratings, *first.categories}


def test_tables_that_contradict_one_another_are_counted_and_the_gold_standard_counts(root):
    edit(root / "db.yaml", "tables:\n", "tables:\n  raters:\n    columns:\n      emotion: {}\n")
    write_text(root / "db.raters.csv", "file,emotion\nwav/00-0.wav,bored\nwav/00-1.wav,bored\n")
    expected = [u.categories["emotion"] for u in audformat.read(root)]
    with pytest.warns(UserWarning, match=r"db\.raters\.csv: emotion of 2 rows is another"):
        assert [u.categories["emotion"] for u in audformat.read(root)] == expected
    assert "bored" not in expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tables:", "tabels:", "expected the header of a database, with a section 'tables'"),
        ("tables:", "tables: [", "this is not YAML"),
        ("  files:", "  filles:", r"of the table filles there is no db\.filles\.csv or db\.filles"),
        ("      speaker: {s", "      spekaer: {s", r"db\.files\.csv.*no column spekaer"),
    ],
)
def test_a_header_that_does_not_fit(old, new, message, root):
    edit(root / "db.yaml", old, new)
    with pytest.raises(ValueError, match=message):
        audformat.read(root)


def test_a_pickled_table_is_never_loaded(root):
    (root / "db.files.csv").rename(root / "db.files.pkl")
    with pytest.raises(ValueError, match=r"only db\.files\.pkl, a pickle, which is never loaded"):
        audformat.read(root)


def test_a_time_that_does_not_parse_names_the_line(tmp_path):
    write_text(tmp_path / "db.yaml", "tables:" + SEGMENTS)
    write_text(tmp_path / "db.pieces.csv", "file,start,end,emotion\na.wav,soon,,sad\n")
    with pytest.raises(ValueError, match=r"db\.pieces\.csv:2, start: 'soon' does not parse"):
        audformat.read(tmp_path)
