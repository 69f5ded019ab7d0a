"""Tests of the manifest reader: types of columns, dialects of CSV, error messages."""

import warnings
from collections import Counter
from dataclasses import replace

import pytest

from privrep.datasets.manifest import read
from privrep.formats.columns import naming_of
from privrep.inputs.text import tokenise
from tests.support.open_corpora_on_disk import write_manifest
from tests.support.paths import ROOT
from tests.support.peak_memory import printed_by

ROWS = ["id,speaker,emotion", "a,anna,sad", "b,ben,happy"]


@pytest.fixture
def written(tmp_path):
    def write(*lines, encoding="utf-8"):
        (tmp_path / "m.csv").write_bytes("\n".join(lines).encode(encoding))
        return tmp_path / "m.csv"

    return write


def test_the_smallest_manifest(written):
    first, second = read(written(*ROWS))
    assert (first.id, first.speaker, first.categories) == ("a", "anna", {"emotion": "sad"})
    assert second.private == {"emotion": "happy"}
    unknown = (first.wav, first.transcript, first.scale, first.session, first.split, first.start)
    assert unknown == (None,) * 6 and first.ratings == {}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters(delimiter, tmp_path):
    expected = write_manifest(tmp_path / "m.csv", 2, delimiter=delimiter)
    assert read(tmp_path / "m.csv") == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encodings(encoding, written):
    path = written("id,speaker,emotion,transcript", "a,Zoë,sad,café", encoding=encoding)
    assert (read(path)[0].speaker, read(path)[0].transcript) == ("Zoë", "café")


def test_quotes_commas_line_breaks_and_blank_lines(written):
    path = written(
        "id, speaker ,emotion,transcript", 'a,"Anna, B.",sad,"one\ntwo"', "", "b,ben,sad,x"
    )
    first, second = read(path)
    assert (first.speaker, first.transcript, second.id) == ("Anna, B.", "one\ntwo", "b")


def test_a_line_break_in_a_cell_does_not_shift_the_lines_of_errors(written):
    path = written("id,speaker,emotion,split,transcript", 'a,x,sad,,"1\n2"', "b,x,sad,never,3")
    with pytest.raises(ValueError, match=r"m\.csv:4, column split: 'never'"):
        read(path)


def test_audio_lies_relative_to_the_manifest_or_anywhere(written, tmp_path):
    path = written("id,speaker,emotion,audio", "a,x,sad,wav/a.wav", "b,x,sad,/far/b.wav", "c,x,s,")
    assert [str(u.wav) for u in read(path)] == [f"{tmp_path}/wav/a.wav", "/far/b.wav", "None"]


def test_places_in_a_longer_recording(written):
    path = written("id,speaker,emotion,audio,start,end", "a,x,sad,l.wav,1.5,2", "b,x,s,l.wav,,")
    assert [(u.start, u.end) for u in read(path)] == [(1.5, 2.0), (None, None)]


def test_empty_cells_are_unknown(written):
    path = written(
        "id,speaker,gender,emotion,activation,scale,accent,transcript,session,split",
        "a,,,,,,,,,",
        "b,x,f,sad,2,1-5,north,w,day,test",
    )
    first = read(path)[0]
    assert (first.speaker, first.transcript, first.session, first.split) == (None,) * 4
    assert first.ratings == first.categories == first.private == {}


@pytest.mark.parametrize(
    ("literal", "gender"),
    [("f", "female"), ("Male", "male"), ("FEMALE", "female"), ("nonbinary", "nonbinary")]
    + [
        ("w", "female"),
        ("male_masculine", "male"),
        ("Frau", "female"),
        ("non-binary", "nonbinary"),
    ],
)
def test_gender(literal, gender, written):
    assert read(written("id,speaker,gender", f"a,x,{literal}"))[0].private == {"gender": gender}


@pytest.mark.parametrize(
    ("literal", "split"),
    [("Train", "train"), ("validation", "val"), ("dev", "val"), ("DEVELOPMENT", "val"), ("", None)],
)
def test_splits(literal, split, written):
    assert read(written("id,speaker,emotion,split", f"a,x,sad,{literal}"))[0].split == split


def test_further_text_is_a_task_and_a_private_attribute(written):
    first = read(written("id,speaker,accent,age group", "a,x,north,40", "b,y,south,20"))[0]
    assert first.categories == first.private == {"accent": "north", "age group": "40"}


def numbers(name, values, others="emotion", cell="sad"):
    """A manifest with a column of numbers."""
    rows = [f"u{i:02d},x,{cell},{value}" for i, value in enumerate(values)]
    return [f"id,speaker,{others},{name}", *rows]


def test_more_than_ten_different_numbers_are_a_rating_and_ten_are_classes(written):
    eleven = [1 + i / 4 for i in range(11)]
    with pytest.warns(UserWarning, match="took trust to be rated from 1 to 5"):
        utterances = read(written(*numbers("trust", eleven)))
    assert [u.ratings for u in utterances] == [{"trust": value} for value in eleven]
    ten = read(written(*numbers("trust", eleven[:10])))
    assert ten[0].ratings == {} and ten[1].categories["trust"] == "1.25"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.1, 1], (0, 1)),
        ([-0.5, 1], (-1, 1)),
        ([1, 4.5], (1, 5)),
        ([2, 5.5], (1, 7)),
        ([1, 8], (1, 9)),
    ],
)
def test_the_scale_is_the_smallest_that_holds_all_and_is_said(values, scale, written):
    path = written(*numbers("activation", values))
    with pytest.warns(UserWarning, match=f"took activation to be rated from {scale[0]} to"):
        assert {u.scale for u in read(path)} == {scale}


@pytest.mark.parametrize(("text", "scale"), [("1-100", (1, 100)), ("-3 - 3", (-3, 3))])
def test_the_scale_may_be_declared(text, scale, written):
    first = read(written("id,speaker,valence,scale", f"a,x,2,{text}", "b,x,,"))[0]
    assert (first.scale, first.ratings) == (scale, {"valence": 2.0})


@pytest.mark.parametrize("code", ["99", "-1", "999.0"])
@pytest.mark.parametrize("scale", ["", "1-5"])
def test_a_code_for_a_missing_rating_is_named_and_may_be_declared(code, scale, written):
    path = written(
        "id,speaker,activation,scale",
        *(f"u{i},x,{rating},{scale}" for i, rating in enumerate(["1", "5", code, "2", code])),
    )
    cell = code.removesuffix(".0")
    with pytest.raises(ValueError, match=r"m.csv:4, column activation") as refused:
        read(path)
    message = str(refused.value)
    assert f"'{cell}' is off the scale from 1 to 5, in 2 rows" in message
    flag = message.split("--values=")[1].split(";")[0]
    assert flag == f"activation:{cell}="
    utterances = read(path, naming_of(values=flag))
    assert [u.ratings.get("activation") for u in utterances] == [1, 5, None, 2, None]
    assert utterances[0].scale == (1, 5)


def test_numbers_off_the_scale_are_left_out_with_a_warning(written):
    rates = numbers("loudness", range(20, 40), "activation,scale", "3,1-5")
    with pytest.warns(UserWarning, match="left out loudness: numbers off the scale"):
        first = read(written(*rates))[0]
    assert first.ratings == {"activation": 3.0} and first.private == {}


def test_postcodes_are_classes_and_no_numbers(written):
    rows = [f"u{s}{i},s{s},{s * 997:05d},sad" for s in range(12) for i in (0, 1)]
    first = read(written("id,speaker,postcode,emotion", *rows))[0]
    assert first.categories["postcode"] == "00000" and first.ratings == {}


def test_such_numbers_alone_do_not_need_a_scale(written):
    with pytest.warns(UserWarning, match="left out loudness"):
        first = read(written(*numbers("loudness", range(20, 40))))[0]
    assert (first.categories, first.ratings, first.scale) == ({"emotion": "sad"}, {}, None)


def test_an_age_is_a_fact_about_the_speaker_and_no_rating(written):
    first = read(written(*numbers("age", range(20, 40), "activation,scale", "3,1-100")))[0]
    assert (first.private["age"], "age" in first.ratings, "age" in first.categories) == (
        "20",
        False,
        False,
    )


@pytest.mark.parametrize("varies", [False, True])
def test_numbers_that_are_the_same_in_all_rows_of_a_speaker_are_no_rating(written, varies):
    rows = [f"u{s}{i},s{s},{150 + s + (varies and i)},50,1-300" for s in range(12) for i in (0, 1)]
    first = read(written("id,speaker,height,activation,scale", *rows))[0]
    assert first.ratings == (
        {"activation": 50.0, "height": 150.0} if varies else {"activation": 50}
    )
    assert first.private == ({} if varies else {"height": "150"})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["id,emotion", "a,sad"],
            ":1: no column speaker in the header; its columns are id, emotion",
        ),
        (["id,speaker", "a,x"], ":1: .*another column"),
        (
            ["id,speaker,emotion,emotion", "a,x,sad,sad"],
            ":1: .*a different name for each column",
        ),
        (ROWS[:2] + ["a,ben,happy"], "a is described twice: .*m.csv:2 and .*m.csv:3"),
        (ROWS[:2] + ["b,ben"], ":3: .*3 cells as in the header, not 2"),
        (ROWS[:2] + [",ben,sad"], ":3, column id: ''.*an id"),
        (ROWS[:2] + ['b,"ben,sad'], ":3: this row is not CSV"),
        (ROWS[:1], "no utterance"),
        (["id,speaker,valence,scale", "a,x,high,1-5"], ":2, column valence: 'high'.*a number"),
        (["id,speaker,valence,scale", 'a,x,"2,5",1-5'], ":2, column valence: '2,5'.*decimal point"),
        (
            ["id,speaker,valence,scale", "a,x,6,1-5"],
            ":2, column valence: '6' is off the scale from 1 to 5",
        ),
        (["id,speaker,valence,scale", "a,x,2,1-5", "b,x,2,1-7"], ":3: '1-7'.*rows above, 1-5"),
        (["id,speaker,valence,scale", "a,x,2,five"], ":2: 'five'.*a scale such as"),
        (["id,speaker,valence,scale", "a,x,2,5-1"], ":2: '5-1'.*from low to high"),
        (["id,speaker,valence", "a,x,50"], "no usual scale holds all of valence.*'scale'"),
        (
            ["id,speaker,emotion,split", "a,x,sad,eval"],
            ":2, column split: 'eval'.*Train, Validation, Development",
        ),
        (
            ["id,speaker,emotion,start", "a,x,sad,-1"],
            ":2, column start: '-1' is too small; expected at least 0",
        ),
        (
            ["id,speaker,emotion,start", "a,x,sad,inf"],
            ":2, column start: 'inf' is not a valid value",
        ),
        (
            ["id,speaker,emotion,start,end", "a,x,sad,2,1"],
            ":2, column end: the end, 1 s, must be after the start, 2 s",
        ),
        (
            ["id,speaker,gender", "a,x,f", "b,y,0", "c,y,h"],
            ":3, column gender: '0' .1., 'h' .1. are not known as a gender; .*0 may mean female or "
            "male; .*h may mean male .*--values=gender:0=…,gender:h=….*--columns=gender=",
        ),
        (
            ["id,speaker,emotion,split", "a,x,sad,1"],
            ":2, column split: '1' .1. is not known.*--columns=split=",
        ),
        (
            ["file,ID,Sex", "a.wav,7,1.0", "b.wav,7,1.0"],
            ":1: .*no column speaker.*believed right: --columns=audio=file,speaker=ID,gender=Sex$",
        ),
        (["wav/a.wav", "wav/b.wav"], ":1: no header"),
        (["speaker,emotion", "x,sad"], ":1: no column id in the header, and none of paths"),
        (["file,speaker,emotion"] + ["a.wav,x,sad"] * 2, "a.wav is described twice: .*:2 and .*:3"),
        (["file,speaker,emotion", ",x,sad", "a,y,s"], ":2, column audio: '' is no path"),
        (
            ["file,speaker,emotion,start", "a.wav,x,sad,soon"],
            ":2, column start: 'soon'.*00:00:03.795",
        ),
    ],
)
def test_errors_name_file_and_line(lines, expected, written):
    with pytest.raises(ValueError, match=f"m.csv{expected}" if expected[0] == ":" else expected):
        read(written(*lines))


def test_a_folder_is_no_manifest(tmp_path):
    with pytest.raises(FileNotFoundError, match="CSV file"):
        read(tmp_path)


CASES = ROOT / "tests/cases"


def taken(path):
    """Utterances, speakers and genders of a manifest, and the notes that were given."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        utterances = read(path)
    genders = Counter(u.private["gender"] for u in utterances)
    assert (len(utterances), len({u.speaker for u in utterances})) == (72, 12), path
    assert genders == {"female": 36, "male": 36}, path
    return utterances, " ".join(str(note.message) for note in notes)


@pytest.mark.parametrize(
    ("name", "id_", "notes"),
    [
        ("good.csv", "u0", []),
        ("01/m.csv", "wav/s00/u0.wav", ["audio is file"]),
        ("05/m.csv", "u0", ["10 spellings", "'Female' (6)", "'woman' (6)", "'w' (6)"]),
        ("07/m.csv", "u0", ["72 paths with backslashes"]),
        ("91/good.jsonl", "u0", []),
        ("91/m.jsonl", "u0", ["id is key, audio is wav, emotion is emo"]),
        ("91/m.parquet", "u0", []),
        ("91/cv.tsv", "wav/s00/u0.wav", ["speaker is client_id"]),
    ],
)
def test_tables_of_people_are_read_as_they_are(name, id_, notes):
    utterances, text = taken(CASES / name)
    assert (
        utterances[0].id == id_
        and all(note in text for note in notes)
        and bool(text) == bool(notes)
    )
    assert utterances[0].wav == (CASES / name).parent / "wav/s00/u0.wav"


def test_comments_and_cells_in_columns_say_the_same(tmp_path):
    """As a table that is printed, with every fifth emotion abbreviated."""
    lines = (CASES / "good.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    emotion = rows[0].index("emotion")
    for row in rows[5::5]:
        row[emotion] = row[emotion][:3].upper()
    widths = [max(map(len, column)) for column in zip(*rows)]
    printed = [" ".join(map(str.ljust, row, widths)) for row in rows]
    printed[40:40] = ["# day 2"]
    (tmp_path / "m.txt").write_text("# 72 utterances, 12 speakers\n" + "\n".join(printed))
    utterances, text = taken(tmp_path / "m.txt")
    expected, _ = taken(CASES / "good.csv")
    assert [replace(u, wav=None) for u in utterances] == [replace(u, wav=None) for u in expected]
    assert "2 lines that begin with #" in text and "separated by blanks" in text
    assert "emotion: 6 spellings were merged into 3 values, 14 cells" in text


@pytest.mark.parametrize(
    ("name", "notes"),
    [("utf8", []), ("cp1252", ["72 lines", "Windows-1252"]), ("twice", ["in 72 lines", "mended"])],
)
def test_torn_letters_make_no_other_words(name, notes):
    utterances, text = taken(CASES / f"03/{name}.csv")
    words = [word for u in utterances for word in tokenise(u.transcript)]
    assert (len(words), len(set(words))) == (360, 15)
    assert utterances[0].transcript == "I don’t know what he’s on about"
    assert all(note in text for note in notes) and bool(text) == bool(notes)


def test_a_workbook_is_refused_by_name():
    with pytest.raises(ValueError, match=r"m\.xlsx: is a workbook .*'CSV UTF-8'") as error:
        read(CASES / "91/m.xlsx")
    assert "PK" not in str(error.value)


def test_a_missing_value_is_no_speaker_and_no_class(written):
    path = written("id,speaker,gender,emotion", "a,Unknown,u,N/A", "b,x,f,U")
    with pytest.warns(UserWarning, match="is taken to be missing"):
        a, b = read(path)
    assert a.speaker is None and a.private == a.categories == {}
    assert b.private == {"gender": "female", "emotion": "U"}


@pytest.mark.long
def test_a_large_manifest_is_read_in_little_time_and_memory(tmp_path):
    """264,705 rows as MSP-Podcast has; 5 s of processor time, and 340 MB, on two slow cores."""
    row = "MSP-PODCAST_{:06d}.wav,N,{:.3f},3.1,5.0,{},Male,Train\n"
    rows = "".join(row.format(i, 1 + i % 6001 / 1000, i % 2000) for i in range(264_705))
    path = tmp_path / "labels.csv"
    path.write_text("FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n" + rows)
    program = (
        "import sys, time, warnings; from privrep.datasets.manifest import read;"
        "warnings.simplefilter('ignore'); begin = time.process_time(); read(sys.argv[1]);"
        "print(time.process_time() - begin, peak())"
    )
    seconds, kilobytes = printed_by(program, path)
    assert seconds < 15 and kilobytes < 500_000
