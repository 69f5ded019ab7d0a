"""Tests of the table reader: equal cells from all formats, and refusals that name the line."""

import json
import re
import time

import pyarrow as pa
import pytest
from pyarrow import parquet

from privrep.formats.tables import read_table
from tests.support.vector_files import refused


def test_every_kind_of_table_gives_the_same_cells(tmp_path):
    rows = [{"speaker": "ä,1", "gender": "f"}, {"speaker": '2"', "gender": ""}]
    rows += [{"speaker": "=1+1", "gender": "m"}]
    (tmp_path / "t.csv").write_text('speaker,gender\n"ä,1",f\n"2""", \n=1+1,m\n', "utf-8")
    (tmp_path / "t.tsv").write_text('speaker\tgender\nä,1\tf\n"2"""\t\n=1+1\tm\n', "utf-8")
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        columns = read_table(tmp_path / f"t.{kind}").columns
        assert columns == {"speaker": ["ä,1", '2"', "=1+1"], "gender": ["f", None, "m"]}, kind


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "txt"])
def test_the_separator_is_found_whatever_the_ending(tmp_path, mark, ending):
    path = tmp_path / f"t.{ending}"
    rows = [["speaker", "note"], ["a", "one; two, three"], ["b", ""], ["c", "four|five"]]
    quoted = [[f'"{cell}"' if set(cell) & set(",;|") else cell for cell in row] for row in rows]
    path.write_text("".join(mark.join(row) + "\n" for row in quoted))
    assert read_table(path).cells == {"speaker": ["a", "b", "c"], "note": [r[1] for r in rows[1:]]}


def test_quotes_of_what_is_said_in_text_without_quotes(tmp_path):
    path = tmp_path / "cv.tsv"
    path.write_text('path\tsentence\na\t"Hello," she said.\nb\tno "end\n')
    table = read_table(path)
    assert table.cells["sentence"] == ['"Hello," she said.', 'no "end']
    assert "quotes were read as part of the text" in table.notes[0]


@pytest.mark.parametrize(
    "content",
    [
        {"u1": {"speaker": "a", "n": 1}, "u2": {"speaker": "b", "n": None}},
        [{"id": "u1", "speaker": "a", "n": 1}, {"id": "u2", "speaker": "b"}],
        {"id": ["u1", "u2"], "speaker": ["a", "b"], "n": [1, None]},
        {"id": {"0": "u1", "1": "u2"}, "speaker": {"0": "a", "1": "b"}, "n": {"0": 1, "1": None}},
    ],
)
def test_json_by_utterance_in_a_list_or_by_column(tmp_path, content):
    (tmp_path / "t.json").write_text(json.dumps(content, indent=1))
    cells = read_table(tmp_path / "t.json").cells
    assert cells == {"id": ["u1", "u2"], "speaker": ["a", "b"], "n": ["1", ""]}


def test_columns_of_a_parquet_file_that_are_no_text_are_left_out_and_named(tmp_path):
    rows = [{"speaker": "a", "audio": {"bytes": b"RIFF", "path": "a.wav"}, "h": [0.5]}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.cells == {"speaker": ["a"]}
    assert "left out audio" in table.notes[0] and "RIFF" not in table.notes[0]


def test_row_numbers_that_pandas_writes_are_no_column(tmp_path):
    (tmp_path / "t.csv").write_text(",Unnamed: 0,speaker\n0,3,a\n1,5,b\n")
    assert read_table(tmp_path / "t.csv").cells == {"speaker": ["a", "b"]}


def test_text_stays_text(tmp_path):
    (tmp_path / "t.csv").write_text("id,a b \n01,NA\n1.0,null\nnan, x \n")
    table = read_table(tmp_path / "t.csv")
    assert table.columns == {"id": ["01", "1.0", "nan"], "a b": ["NA", "null", "x"]}


def test_rows_have_the_line_at_which_they_begin(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'\nid, note\r\na,"one\r\ntwo\nthree"\r\n\r\nb,\r\n,\r\nc, x ')
    assert list(read_table(path).rows()) == [
        (f"{path}:3", {"id": "a", "note": "one\r\ntwo\nthree"}),
        (f"{path}:7", {"id": "b", "note": ""}),
        (f"{path}:9", {"id": "c", "note": "x"}),
    ]
    assert read_table(path).columns["note"] == ["one two three", None, None, "x"]


def test_required_columns_in_text_of_any_ending_and_encoding(tmp_path):
    path = tmp_path / "labels.txt"
    for encoding in ("utf-8", "utf-8-sig", "latin-1", "utf-16"):
        path.write_bytes(";speaker\n0;Zoë\n".encode(encoding))
        for delimiter in (";", None):
            table = read_table(path, ["speaker"], delimiter=delimiter)
            assert table.columns == {"speaker": ["Zoë"]}, encoding
    path.write_text("Speaker;gender\nanna;f\n")
    refused(
        "labels.txt:1: no column speaker in the header; its columns are Speaker, gender; rename "
        "Speaker to speaker, case matters",
        lambda: read_table(path, ["speaker"], delimiter=";"),
    )
    path.with_suffix(".csv").write_text(",speaker\nb,anna\n")
    refused("csv:1: ',speaker' does not parse", read_table, path.with_suffix(".csv"))


def test_the_labels_of_a_large_corpus_are_read_in_seconds(tmp_path):
    """A table of MSP-Podcast's size takes 1 s; the limit allows for slow machines."""
    row = 'MSP-PODCAST_{:06d}.wav,N,4.2,3.1,5.0,{},Male,"Train"\n'
    path = tmp_path / "labels.csv"
    rows = "".join(row.format(i, i % 2000) for i in range(264_705))
    path.write_text("FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n" + rows)
    begin = time.process_time()
    (*_, (place, last)) = read_table(path, ["FileName"]).rows()
    assert time.process_time() - begin < 15
    assert place == f"{path}:264706" and last["FileName"] == "MSP-PODCAST_264704.wav"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "t.csv",
            "speaker,gender\na,f\nb\n",
            "t.csv:3: 'b' does not parse; expected 2 cells",
        ),
        (
            "t.csv",
            "speaker,speaker\na,f\n",
            "t.csv:1: 'speaker,speaker' does not parse",
        ),
        ("t.csv", " ", "is empty; expected a header"),
        (
            "t.csv",
            "speaker\n" + "x" * 2_000_000 + "\n",
            "t.csv:2: this row is not CSV: field larger",
        ),
        ("t.csv", "speaker,gender\na,f,x\n", "t.csv:2: 'a,f,x' does not parse; expected 2 cells"),
        ("t.csv", 'a,b\n1,"x\ny"\n\n3\n', "t.csv:5: '3' does not parse; expected 2 cells"),
        ("t.csv", 'a,b\n1,"x\n2,y\n', "t.csv:2: this row is not CSV: unexpected end of data"),
        ("t.jsonl", '{"speaker": "a"}\n[1]\n', "t.jsonl:2: is not a JSON object"),
        ("t.jsonl", '{"speaker": {"a": 1}}\n', "t.jsonl:1: "),
        ("t.jsonl", "[" * 100_000, "t.jsonl:1: "),
        ("t.parquet", "PAR1\0 and no more", "is not a Parquet file"),
        ("t.xlsx", "nothing", "only .csv, .tsv, .jsonl, .parquet"),
        ("t.xlsx", "nothing", "is a workbook (.xlsx)"),
        ("t.csv", "PK\3\4\0\0", "is no .csv file, whatever its ending says: it is a zip file"),
        ("t.csv", "version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("t.csv", "SQLite format 3\0", "an SQLite database"),
        ("t.csv", "a\0b,c\n1,2\n", "holds bytes that no text has"),
        ("t.tsv", 'a\tb\n"x\ty\n1\n', "t.tsv:3: '1' does not parse; expected 2 cells"),
        ("t.json", "[1, 2]", "is JSON, but no table"),
        ("t.json", '{"u1": 3}', "is JSON, but no table"),
        ("t.json", '{"u1": {"a": 1}, "u1": {"a": 2}}', "'u1' stands there twice"),
        ("t.json", '{"a": [1, 2], "b": [1]}', "columns of equal length"),
        ("t.json", '{"u1": {"a": 1}', "this is not JSON"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    refused(re.escape(message), read_table, tmp_path / name)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("sep=;\nspeaker;valence\n01;3.5\n2;2.25\n", ""),
        ('"sep=\t"\r\nspeaker\tvalence\r\n01\t3.5\r\n2\t2.25\r\n', ""),
        ("speaker;valence;;\n01;3.5;;\n2;2.25;;\n", ""),
        ("speaker;valence\n01;3,5\n2;2,25\n", "the commas in valence were read as decimal points"),
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path, text, note):
    """A line that names the separator, separators behind the last column, decimal commas."""
    (tmp_path / "t.csv").write_text(text, newline="")
    table = read_table(tmp_path / "t.csv")
    assert table.cells == {"speaker": ["01", "2"], "valence": ["3.5", "2.25"]}
    assert table.lines == ([3, 4] if "sep=" in text else [2, 3])
    assert len(table.notes) == bool(note) and note in "".join(table.notes)


def test_commas_of_text_stay(tmp_path):
    (tmp_path / "t.csv").write_text("speaker;raters;note\na;1,5;one, two\nb;x;1,5\n")
    table = read_table(tmp_path / "t.csv")
    assert table.cells["raters"] == ["1,5", "x"] and table.cells["note"] == ["one, two", "1,5"]
    (tmp_path / "t.csv").write_text("speaker;note;\na;1;\nb;2;x\n")
    refused("t.csv:1.*one without a name may only number the rows", read_table, tmp_path / "t.csv")


def test_letters_that_several_programs_have_torn_are_mended(tmp_path):
    text = torn = "speaker,transcript\nZoé,don’t… naïve\n"
    for _ in range(3):
        torn = torn.encode().decode("cp1252")
        (tmp_path / "t.csv").write_text(torn, "utf-8")
        table = read_table(tmp_path / "t.csv")
        assert table.cells == {"speaker": ["Zoé"], "transcript": ["don’t… naïve"]}
        assert "in 1 lines were torn" in table.notes[0]
    assert text != torn


CELLS = {"id": ["u1", "u2"], "speaker": ["Anna", "Bo"], "gender": ["f", "m"]}


HEADER, FIRST, SECOND = "id,speaker,gender", "u1,Anna,f", "u2,Bo,m"


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize(
    ("comments", "lines"),
    [
        (2, ["# made by hand; 2 rows, of 1 day", "#", HEADER, FIRST, SECOND]),
        (1, ['"# exported, by hand"', HEADER, FIRST, SECOND]),
        (3, [HEADER, '# session 2: it\'s "good"', FIRST, "  #x", SECOND, "# end"]),
        (2, [HEADER, FIRST, "#u3,Cid,m", "# u4,Di,f", SECOND]),
        (1, [f"#{HEADER}", FIRST, f"#{HEADER}", SECOND]),
        (0, [f"#{HEADER}", FIRST, SECOND]),
        (1, ["## labels", f"# {HEADER}", FIRST, SECOND]),
        (0, [f"#,{HEADER}", f"1,{FIRST}", f"2,{SECOND}"]),
    ],
)
def test_comment_lines_are_left_out_and_counted(tmp_path, comments, lines, mark):
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{s if 'hand' in s else s.replace(',', mark)}\n" for s in lines))
    table = read_table(path)
    assert table.cells == CELLS
    assert table.lines == [i for i, s in enumerate(lines, 1) if s.endswith((FIRST, SECOND))]
    notes = " ".join(table.notes)
    assert (f"{comments} lines that begin with # were left out" in notes) == bool(comments)


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        (
            "id,tag\n#1,a\n#2,#b\n#3,c # d\n",
            {"id": ["#1", "#2", "#3"], "tag": ["a", "#b", "c # d"]},
        ),
        ('id,tag\n"#1",a\nu2,"x\n# y"\n', {"id": ["#1", "u2"], "tag": ["a", "x\n# y"]}),
        ('id,tag\nu1, "a"\nu2,b\n', {"id": ["u1", "u2"], "tag": ['"a"', "b"]}),
        ("id;text\nu1;#now\nu2;no. #1\n", {"id": ["u1", "u2"], "text": ["#now", "no. #1"]}),
        ("id,C#\nu1,2\n", {"id": ["u1"], "C#": ["2"]}),
    ],
)
def test_cells_with_a_hash_are_cells(tmp_path, text, cells):
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv")
    assert table.cells == cells and not table.notes


@pytest.mark.parametrize(
    "text",
    [
        "id speaker gender\nu1 Anna f\nu2 Bo m\n",
        "\ufeffid   speaker  gender \r\nu1   Anna     f\r\n\r\nu2   Bo       m   \r\n",
        " id speaker gender\n u1    Anna      f\n u2      Bo      m\n",
        '"id" "speaker" "gender"\n"1" "u1" "Anna" "f"\n"2" "u2" "Bo" "m"\n',
        "   id speaker gender\n0  u1    Anna      f\n1  u2      Bo      m\n",
        "# old\rid speaker gender\ru1 Anna f\ru2 Bo m\r",
        "# id  speaker  gender \n  u1  Anna     f    \n#\n  u2  Bo       m \n",
        "# aligned\nid   speaker   gender\n# two\nu1   Anna      f\nu2   Bo        m\n",
    ],
)
@pytest.mark.parametrize("ending", ["txt", "csv", "tsv"])
def test_cells_separated_by_blanks(tmp_path, text, ending):
    (tmp_path / f"t.{ending}").write_text(text, newline="")
    table = read_table(tmp_path / f"t.{ending}")
    assert table.cells == CELLS
    assert any("separated by blanks" in note for note in table.notes)


def test_cells_that_hold_blanks(tmp_path):
    path = tmp_path / "t.txt"
    for text in (
        "id  speaker     note, or none\nu1  Anna Maria  a, b\n",  # commas in its header
        "id,speaker name\nu1,Anna Maria\n",
    ):
        path.write_text(text)
        assert not any("blanks" in note for note in read_table(path).notes)
    for text in (
        "id  speaker     text\nu1  Anna Maria  oh, no\nu2  Bo          yes\n",
        'id speaker text\nu1 "Anna Maria" "oh, no"\nu2 Bo yes\n',
    ):
        path.write_text(text)
        cells = read_table(path).cells
        assert cells["speaker"] == ["Anna Maria", "Bo"] and cells["text"] == ["oh, no", "yes"]
    for text in (
        "id   speaker     text\nu1   Anna Maria  a\nu 22 Bo          b\n",
        "id   speaker     text\nu1   Anna Maria  a\n     Bo\n",  # with empty cells
    ):
        path.write_text(text)
        cells = read_table(path).cells
        assert cells["speaker"] == ["Anna Maria", "Bo"] and cells["text"][0] == "a"
    path.write_text("id speaker rate\nu1 Bo 3,5\nu2 Bo 4\n")
    assert read_table(path).cells["rate"] == ["3.5", "4"]
    path.write_text("my column\nx\ny\n")
    assert read_table(path).cells == {"my column": ["x", "y"]}


def test_damaged_rows_between_comments_and_blanks_are_named(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text('id speaker text\nu1 "Anna f\nu2 Bo f\n')
    refused(r"t.txt:2: 'u1 \"Anna f' does not parse", read_table, path)
    path.write_text("# id, speaker\n#\n")
    refused("t.txt: all of its lines begin with #", read_table, path)
    path.write_text("id speaker gender\nu1 Anna f\nu2 Anna Maria f\nu3 Bo m\n")
    refused(r"t.txt:3: 'u2 Anna Maria f' does not parse.*quote a cell that", read_table, path)
    path.write_text("# old\nid,speaker\nu1,a\nu2,b,c\n# end\n")
    refused("t.txt:4: 'u2,b,c' does not parse; expected 2 cells as in the header", read_table, path)
    path.write_text("text,speaker\n#metoo,a\nhello,b\nwell,b\n")
    refused("t.txt:2: is '#metoo' a cell or the beginning of a comment", read_table, path)
    path.write_text("id speaker gender\nu1 a\nu2 b\n")
    refused("t.txt:2: 'u1 a' does not parse; expected 3 cells", read_table, path)
    path.write_text('# old\nid,speaker\nu1,"a\nu2,b\n')
    refused("t.txt:3: this row is not CSV", read_table, path)
