"""Tests of the table reader: equal cells from all formats, and refusals that name the line."""

import json
import re
import time

import pyarrow as pa
import pytest
from pyarrow import parquet

from privrep.formats.tables import read_table
from privrep.formats.text_files import read_text
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
        table = read_table(path, ["speaker"], delimiter=";", decode=read_text)
        assert table.columns == {"": ["0"], "speaker": ["Zoë"]}, encoding
    path.write_text("Speaker;gender\nanna;f\n")
    refused(
        "labels.txt:1: no column speaker in the header; its columns are Speaker, gender; rename "
        "Speaker to speaker, case matters",
        lambda: read_table(path, ["speaker"], delimiter=";"),
    )
    path.with_suffix(".csv").write_text(",speaker\n0,anna\n")
    refused("csv:1: ',speaker' does not parse", read_table, path.with_suffix(".csv"))


def test_the_labels_of_a_large_corpus_are_read_in_seconds(tmp_path):
    """A table of MSP-Podcast's size takes 2 s; the limit allows for other load on the machine."""
    row = 'MSP-PODCAST_{:06d}.wav,N,4.2,3.1,5.0,{},Male,"Train"\n'
    path = tmp_path / "labels.csv"
    rows = "".join(row.format(i, i % 2000) for i in range(264_705))
    path.write_text("FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n" + rows)
    begin = time.perf_counter()
    (*_, (place, last)) = read_table(path, ["FileName"], delimiter=",").rows()
    assert time.perf_counter() - begin < 30
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
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    refused(re.escape(message), read_table, tmp_path / name)
