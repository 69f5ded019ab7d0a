"""Published folds are read by id, speaker or session as they are written; errors name lines."""

import numpy as np
import pytest

from privrep.inputs.fold_file import (
    folds_of,
    is_fold_file,
    named_parts,
    read_folds,
    table_text,
)
from privrep.inputs.folds import speaker_folds
from privrep.types import Utterance

UTTERANCES = [
    Utterance(f"u{s}{i}", f"s{s}", session=f"Ses{s // 2}", private={"gender": "fm"[s % 2]})
    for s in range(12)
    for i in range(3)
]


def read(tmp_path, text):
    path = tmp_path / "folds.csv"
    path.write_text(text, encoding="utf-8")
    return read_folds(path)


def test_folds_that_were_written_are_read_back(tmp_path):
    split = speaker_folds(UTTERANCES, 3, seed=1)
    table = read(tmp_path, table_text(split, UTTERANCES))
    assert table.key == "id" and table.folds == ("0", "1", "2")
    shuffled = UTTERANCES[::-1]
    parts, notes = folds_of(table, shuffled)
    for part, expected in zip(parts, split):
        np.testing.assert_array_equal(part[:, ::-1], expected)
    assert notes == []


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Speaker_ID,Split,Fold", "s{}"),
        ("session;part;fold", "Ses{}"),
        ("part\tfold\tspeaker", "s{}"),
    ],
)
def test_a_table_may_tell_it_of_speakers_or_sessions(header, name, tmp_path):
    is_session = name.startswith("Ses")
    words = {0: "Test1", 1: "Development"}  # as in MSP-Podcast
    mark = next(c for c in ",;\t" if c in header)
    rows = []
    for fold in range(3):
        for k in range(6 if is_session else 12):
            part = words.get(((k if is_session else k // 2) - fold) % 3, "Train")
            cells = [name.format(k), part, f"Session{fold + 1}"]
            rows.append(mark.join(cells if header[0] != "p" else [*cells[1:], cells[0]]))
    table = read(tmp_path, "\n".join([header, *rows]))
    assert table.folds == ("Session1", "Session2", "Session3")
    split, _ = folds_of(table, UTTERANCES)
    session = np.repeat(np.arange(12) // 2, 3)
    np.testing.assert_array_equal(split.test, session % 3 == np.arange(3)[:, None])
    np.testing.assert_array_equal(split.val, (session - 1) % 3 == np.arange(3)[:, None])
    assert (
        "fold 0 validates on 12 utterances of s2, s3, s8, s9 in Ses1, Ses4"
        in named_parts(split, UTTERANCES)[0]
    )


def test_one_fold_needs_no_column_and_ids_that_are_absent_are_counted(tmp_path):
    rows = [f"u{s}{i},{('train', 'val', 'test')[s % 3]}" for s in range(9) for i in range(3)]
    table = read(tmp_path, "\n".join(["utterance,part", *rows, "x99,train"]))
    split, notes = folds_of(table, UTTERANCES)
    assert split.train.shape == (1, 36) and split.train.sum() == 9
    assert "1 of 28 ids" in notes[0] and "x99" in notes[0]
    assert "9 of 36 utterances are in no part" in notes[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,fold\nu00,0\n", "no column part .*It has: id, fold"),
        ("name,part\nu00,train\n", "no column id, speaker or session"),
        ("id,part,fold\nu00,train,0\nu00,test,0\n", r"folds.csv:3: id u00 is in the test and in"),
        ("id,part,fold\nu00,practice,0\n", r"folds.csv:2: 'practice' does not parse"),
        ("id,part,fold\n,train,0\n", r"folds.csv:2: '' does not parse; expected an id"),
        ("id,part,fold\n", "no row"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_a_table_of_another_corpus_or_that_tests_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no id of the corpus.*names v1, where the corpus has"):
        folds_of(read(tmp_path, "id,part\nv1,train\n"), UTTERANCES)
    twice = "id,part,fold\nu00,test,a\nu00,test,b\nu10,train,a\nu10,train,b\n"
    with pytest.raises(ValueError, match=r"1 utterances are tested in more than one fold.*a and b"):
        folds_of(read(tmp_path, twice), UTTERANCES)


def test_a_value_of_the_flag_is_a_file_or_not():
    assert is_fold_file("/data/folds.csv")
    assert not any(map(is_fold_file, ("5", "official")))
