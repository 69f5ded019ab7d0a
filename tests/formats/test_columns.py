"""Tests of the names of columns: what people call them, what a user says, what is proposed."""

import csv
import json
import re
import shlex

import pytest

from privrep.datasets.manifest import read
from privrep.formats.columns import (
    Naming,
    check_values_there,
    flags_of,
    labels,
    naming_of,
    no_speaker,
    pieces,
    proposal,
    several,
)
from privrep.formats.tables import read_table
from tests.support.paths import ROOT
from tests.support.vector_files import refused

HEADERS = json.loads((ROOT / "tests/cases/headers.json").read_text("utf-8"))


def write(path, header, rows, separator=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([header, *rows])
    return path


@pytest.fixture
def table(tmp_path):
    def of(text):
        (tmp_path / "t.csv").write_text(text, "utf-8")
        return read_table(tmp_path / "t.csv")

    return of


@pytest.mark.filterwarnings("ignore")
def test_the_published_tables_are_read_as_they_are(tmp_path):
    """131 tables of a project, two of them without a header and one with rows given twice."""
    count = 0
    for number, published in enumerate(HEADERS):
        mapping, header = published["mapping"], published["header"]
        rows = []
        for i in range(3):
            cells = [cell.replace("a_01", f"a_{i}") for cell in published["example"]]
            rows.append([str(i) if n in ("", "id") else c for n, c in zip(header, cells)])
        separator = "\t" if published.get("separator") == "tab" else ","
        path = write(tmp_path / f"{number}.csv", header, rows, separator)
        if not published["read"]:
            message = refused("", read, path)
            assert "no column speaker" in message or "column split: '1' (3) is not" in message
            continue
        first = read(path)[0]
        row = dict(zip(header, rows[0]))
        expected = {ours: row[theirs] for ours, theirs in mapping.items() if theirs in row}
        assert first.speaker == expected["speaker"] and first.wav.match(expected["audio"])
        assert first.id == expected.get("id") or first.id.startswith(expected["audio"])
        assert first.transcript == expected.get("transcript")
        assert first.categories.get("emotion") == expected.get("emotion")
        gender = {"f": "female"}.get(expected.get("gender"), expected.get("gender"))
        assert first.private.get("gender") == gender
        assert first.ratings.get("activation") == (
            float(expected["activation"]) if "activation" in expected else None
        )
        count += published["read"]
    assert count >= 99


def test_columns_that_the_user_names_come_first(table):
    source = table("file,speaker,who,label,mood\na.wav,x,p,sad,up\nb.wav,y,q,glad,up\n")
    named = labels([source], naming_of("speaker=who,emotion=label,mood=")).table
    assert named.cells == {
        "id": ["a.wav", "b.wav"],
        "audio": ["a.wav", "b.wav"],
        "speaker": ["p", "q"],
        "emotion": ["sad", "glad"],
    }
    assert named.original == {"audio": "file", "speaker": "who", "emotion": "label"}
    assert any("audio is file" in note for note in named.notes)
    for text, message in (
        ("speaker=wo", r"no column 'wo'.*did you mean who\?"),
        ("color=", "no such column to leave out"),
    ):
        refused(message, labels, [source], naming_of(text))


def test_a_name_that_the_user_uses_is_found_and_kept(table):
    source = table("ID,Sex,utterance\nu1,f,one\nu2,m,two\n")
    used = labels([source], Naming(), {"sex", "utterance"}).table
    assert used.cells["sex"] == ["female", "male"] and "utterance" in used.cells
    assert labels([source], Naming()).table.cells["gender"] == ["female", "male"]


def test_numbers_within_a_dialogue_are_no_ids(table):
    source = table("file,Utterance_ID,speaker\na.wav,0,x\nb.wav,1,x\n")
    assert labels([source], Naming()).cells["id"] == ["a.wav", "b.wav"]


def test_pieces_of_one_file_are_told_apart_by_their_start(table):
    source = table("file,speaker,start\na.wav,x,0 days 00:00:01.5\na.wav,x,2\n")
    assert labels([source], Naming()).cells["id"] == ["a.wav:0 days 00:00:01.5", "a.wav:2"]


def test_speakers_from_paths(table):
    source = table("file,emotion\nwav/s1/a.wav,sad\nwav/s2/a.wav,sad\n")
    for pattern in ("([^/]+)/[^/]+$", r"s\d"):
        named = labels([source], Naming(speaker_from=pattern))
        assert named.cells["speaker"] == ["s1", "s2"]
    assert any("2 speakers were found in audio" in note for note in named.notes)
    refused("no speaker in 1 of 2 cells of audio", labels, [source], Naming(speaker_from="s1"))
    refused("no regular expression", lambda: naming_of(speaker_from="("))


def test_facts_of_the_speakers_are_joined(table, tmp_path):
    facts = tmp_path / "people.csv"
    facts.write_text("ActorID,Age,Sex\n1,31,Female\n2,44,Male\n9,50,Male\n")
    source = table("file,speaker\na.wav,01\nb.wav,02\nc.wav,03\nd.wav,NA\n")
    named = labels([source], Naming(speakers=facts))
    assert named.cells["gender"] == ["female", "male", "", ""]
    assert named.cells["Age"] == ["31", "44", "", ""]
    text = " ".join(named.notes)
    assert "2 of 2 speakers are written in two ways" in text and "leading zeros" in text
    assert "1 speakers have no row" in text and "03" in text
    source = table("file,speaker,gender\na.wav,1,m\nb.wav,2,\n")
    refused(
        "t.csv:2: gender is 'm' there and 'Female' of", labels, [source], Naming(speakers=facts)
    )
    agree = table("file,speaker,gender\na.wav,1,f\nb.wav,2,\n")
    assert labels([agree], Naming(speakers=facts)).cells["gender"] == ["female", "male"]
    facts.write_text("speaker,Age\n1,31\n1,32\n")
    refused("people.csv:3: speaker '1' has another Age", labels, [agree], Naming(speakers=facts))


def test_what_is_proposed_reads_the_table(table):
    source = table("path,subj,Geschlecht,mood\na.wav,x1,w,sad\nb.wav,x1,w,glad\n")
    named = labels([source], Naming()).tables[0]
    flag = proposal(named)
    assert flag == "--columns=audio=path,speaker=subj,gender=Geschlecht"
    again = labels([source], naming_of(flag.removeprefix("--columns="))).table
    assert again.cells["speaker"] == ["x1", "x1"] and again.cells["gender"] == ["female"] * 2


def test_a_slip_in_our_name_of_the_speaker_is_named(table):
    source = table("id,speaker\nu1,a\nu2,b\n")
    slip = {"speakr": "speaker"}
    renamed = labels([source], Naming(columns=slip)).tables[0]
    said = str(no_speaker(renamed, columns=slip))
    assert said == (
        "--columns=speakr=speaker: speakr is no name that privrep reads (did you mean speaker?), "
        "and there is no column speaker"
    )
    # A column that the user calls by a name of their own is no slip.
    assert "--columns=mother=" not in str(no_speaker(renamed, columns={"mother": "id"}))


def test_what_is_proposed_holds_id_and_task_where_they_are_known(table):
    """Ids that are numbers are not taken for such by themselves."""
    source = table("utt_id,the actor,mood\n001,x1,sad\n002,x1,happy\n")
    named = labels([source], Naming()).tables[0]
    flag = proposal(named, also=("id", "emotion"))
    assert flag == "--columns='id=utt_id,speaker=the actor,emotion=mood'"
    (text,) = shlex.split(flag.removeprefix("--columns="))
    again = labels([source], naming_of(text)).table
    assert again.cells["id"] == ["001", "002"] and again.cells["emotion"] == ["sad", "happy"]


def test_ages_that_may_be_codes_are_named_and_may_be_declared(table):
    source = table("id,speaker,Age\na,x,31\nb,y,999\nc,z,-1\nd,w,999\n")
    (note,) = labels([source], Naming()).notes
    assert "t.csv:3; 2), '-1' (" in note and "are outside 0 to 120 years" in note
    flag = note.split("--values=")[1].rstrip(".")
    declared = labels([source], naming_of(values=flag))
    assert declared.cells["Age"] == ["31", "", "", ""] and not declared.notes
    assert not labels([table("id,speaker,height\na,x,999\nb,y,-1\n")], Naming()).notes
    (note,) = labels([table("id,speaker,age\na,x,45 years\nb,y,31\n")], Naming()).notes
    assert "age: '45 years' (1 such cells) might be a number" in note


def test_the_flags_of_a_naming_mean_the_same():
    naming = naming_of("audio=file,split=", "key", "(.)", None, "sex:1=male,sex:0=")
    texts = dict(flag.removeprefix("--").split("=", 1) for flag in flags_of(naming))
    assert naming_of(**texts) == naming
    for flag, text, message in (
        ("columns", "file", "'file' is no pair"),
        ("columns", "a=b,a=c", "a is named twice"),
        ("values", "sex=1", "COLUMN:VALUE=MEANING"),
    ):
        refused(
            re.escape(f"--{flag}={text}") + ".*" + message,
            lambda f=flag, t=text: naming_of(**{f: t}),
        )
    refused("name different columns", lambda: naming_of("id=a", "b"))


@pytest.mark.filterwarnings("ignore:.*of its columns")
def test_several_tables_are_the_parts_of_a_split(tmp_path):
    assert pieces("/corpora/a, b and c") == [("", "/corpora/a, b and c")]
    assert [part for part, _ in several("x_train.csv,y.dev.csv,test=z.csv")] == [
        "train",
        "val",
        "test",
    ]
    refused("b.csv: which part of the split is it", several, "train=a.csv,b.csv")
    write(tmp_path / "train.csv", ["file", "speaker", "emotion"], [["a.wav", "x", "Sad"]])
    write(
        tmp_path / "test.csv",
        ["file", "emo", "spk"],
        [["b.wav", "sad", "y"], ["c.wav", "sad", "y"]],
    )
    with pytest.warns(UserWarning, match="emotion: 2 spellings were merged"):
        a, b, c = read(f"{tmp_path}/train.csv,{tmp_path}/test.csv")
    assert (a.split, b.split, c.split) == ("train", "test", "test")
    assert a.categories == c.categories == {"emotion": "sad"} and b.speaker == "y"
    write(tmp_path / "test.csv", ["file", "emo"], [["b.wav", "sad"]])
    refused("test.csv:1: no column speaker", read, f"{tmp_path}/train.csv,{tmp_path}/test.csv")


@pytest.mark.parametrize(
    "header",
    [
        "V,A,D",
        "v,a,d",
        "val,aro,dom",
        "Val,Act,Dom",
        "v_mean,a_mean,d_mean",
        "mean V,mean A,mean D",
        "EmoVal,EmoAct,EmoDom",
        "Valence score,Arousal score,Dominance score",
        "avg_val,avg_aro,avg_dom",
        "valence,A,D",
        "Valence (1-5),Arousal [1-5],Dominance (D)",
        "pleasure,arousal,dominance",
        " V , A , D ",
    ],
)
def test_ratings_by_their_abbreviations(table, header):
    """With another column of the same letters, as MSP-Improv's N, and a deviation beside it."""
    source = table(f"id,speaker,{header},N,V_SD\nu1,x,3,2.5,4,1,0.5\nu2,y,2,NA,1,2,0.5\n")
    named = labels([source], Naming())
    assert named.cells["valence"] == ["3", "2"] and named.cells["activation"] == ["2.5", ""]
    assert named.cells["dominance"] == ["4", "1"] and {"N", "V_SD"} <= {*named.cells}
    assert any("valence is" in n or "activation is" in n for n in named.notes)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("A,mode", "3,1"),
        ("A,V,T", "1,0,1"),  # audio, video, text
        ("A,V,D", "x,y,z"),  # classes
        ("label_A,label_V,label_T", "0.2,0.4,-1"),
        ("train,val,test", "1,0,0"),
        ("V/A/D,other", "3/2,1"),
        ("V/A,other", "3/NA,1"),
        ("VAD,other", "1,1"),  # voice activity
    ],
)
def test_letters_that_are_no_group_of_ratings_stay(table, header, row):
    source = table(f"id,speaker,{header}\nu1,x,{row}\nu2,y,{row}\n")
    assert [*labels([source], Naming()).cells] == ["id", "speaker", *header.split(",")]


def test_a_rating_that_is_no_number_is_named(tmp_path):
    rows = [["a.wav", "x", 1, 2, 3], ["b.wav", "y", 1, 2, 3], ["c.wav", "y", 1, "two", 3]]
    path = write(tmp_path / "t.csv", ["file", "speaker", "V", "A", "D"], rows)
    with pytest.warns(UserWarning, match="activation is A"):
        refused("t.csv:4, column activation: 'two'", read, path)


def test_a_pair_of_letters_and_what_the_user_says_of_them(table):
    source = table("id,speaker,V,A\nu1,x,3,2\n")
    assert {"valence", "activation"} <= {*labels([source], Naming()).cells}
    swapped = labels([source], naming_of("activation=V,valence=A"))
    assert swapped.cells["activation"] == ["3"] and swapped.cells["valence"] == ["2"]
    assert "A" in labels([source], Naming(), {"A"}).cells


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("V/A/D", ["3/2.5/4", "", "NA"]),
        ("[V, A, D]", ["[3.0, 2.5, 4]", "", "nan"]),
        ("VAD", ["3 2.5 4", "", ""]),
        ("valence-arousal-dominance", ["(3; 2.5; 4)", "", ""]),
    ],
)
def test_several_ratings_in_one_column(table, name, cells):
    rows = "".join(f'u{i},s{i},"{cell}"\n' for i, cell in enumerate(cells))
    named = labels([table(f'id,speaker,"{name}"\n{rows}')], Naming())
    values = [float(named.cells[n][0]) for n in ("valence", "activation", "dominance")]
    assert values == [3, 2.5, 4] and named.cells["valence"][1:] == ["", ""]
    assert any("was divided into valence, activation, dominance" in n for n in named.notes)


def test_a_meaning_for_a_value_that_no_table_has_is_refused(table, tmp_path):
    source = table("id,speaker,gender\nu1,a,0\nu2,b,1\n")
    declared = naming_of(values="gender:0=female,gender:x=male")
    read = labels([source], declared)
    refused(
        r"--values=gender:x=male: .*t\.csv: no cell of gender is 'x'\. It has: 0, 1",
        lambda: check_values_there([read]),
    )
    # It is enough that one of several tables has it.
    check_values_there([read, labels([table("id,speaker,gender\nu3,c,x\n")], declared)])
    check_values_there([labels([source], naming_of(values="gender:0=female,gender:1=male"))])


def test_a_value_that_facts_on_speakers_have_or_fill_is_there(table, tmp_path):
    facts = tmp_path / "facts.csv"
    facts.write_text("speaker,Sex\na,1\nb,2\n")
    source = table("id,speaker,gender\nu1,a,9\nu2,b,male\n")
    naming = naming_of(speakers=facts, values="gender:9=,gender:1=female,gender:2=male")
    read = labels([source], naming)
    assert read.cells["gender"] == ["female", "male"] and not read.absent
