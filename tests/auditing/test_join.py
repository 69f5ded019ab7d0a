"""Representations and labels brought together: what is joined, noted, refused, and why."""

from pathlib import Path

import numpy as np
import pytest

from privrep.auditing.join import check_counts, counts_rows, join
from privrep.formats.tables import read_table, table_of_columns
from privrep.formats.vectors import Representations, read_vectors
from tests.support.paths import ROOT
from tests.support.vector_files import IDS, H, csv_of, refused


def joined(path, table):
    return read_vectors(path), read_table(table), "gender"


def test_a_first_line_of_numbers_is_a_row_unless_it_counts_the_columns(tmp_path):
    path, labels = tmp_path / "h.csv", tmp_path / "labels.csv"
    for header, count in (("0,1,2", 7), ("1,2,3", 8), ("0.0,1.0,2.0", 8), ("7,8,9", 8)):
        path.write_text(f"{header}\n{csv_of(H, header=False)}")
        vectors = read_vectors(path)
        assert len(vectors.h) == count, header
        np.testing.assert_array_equal(vectors.h[-7:], H)
        assert ("names of its columns" in vectors.first_line) == (count == 7)
        assert ("for a row:" in vectors.first_line) == (count == 8)
    path.write_text(csv_of(H))
    assert read_vectors(path).first_line == ""
    path.write_text(csv_of(H, header=False))
    labels.write_text(text_of(ROWS[:6]))
    refused("taken for a row: it has no header", join, *joined(path, labels))
    labels.write_text(text_of(ROWS))
    assert "taken for a row" in join(*joined(path, labels)).notes[0]


def samples(tmp_path, text, ids=None, **columns):
    (tmp_path / "labels.csv").write_text(text)
    np.savez(tmp_path / "h.npz", h=H, **({} if ids is None else {"id": np.array(ids)}))
    table = read_table(tmp_path / "labels.csv")
    sample = join(read_vectors(tmp_path / "h.npz"), table, "gender", **columns)
    check_counts(sample, "gender", table)
    return sample


ROWS = [("u0", "a", "f"), ("u1", "a", "f"), ("u2", "b", "m"), ("u3", "c", "f"), ("u4", "d", "m")]
ROWS += [("u5", "", "m"), ("u6", "d", "")]


def text_of(rows, header="id,speaker,gender"):
    return "\n".join([header, *map(",".join, rows)])


def test_rows_are_joined_by_id_or_by_place(tmp_path):
    by_place = samples(tmp_path, text_of(ROWS))
    by_id = samples(tmp_path, text_of(ROWS[::-1]), ids=IDS)
    for sample in (by_place, by_id):
        np.testing.assert_array_equal(sample.h, H[:5])
        assert sample.labels.tolist() == [0, 0, 1, 0, 1] and sample.classes == ("f", "m")
        assert sample.speaker.tolist() == [0, 0, 1, 2, 3]
        assert sample.num_speakers == {"f": 2, "m": 2} and sample.session is None
        assert sample.notes[:2] == [
            "1 of 7 rows have no speaker and were left out.",
            "1 of 7 rows have no gender and were left out.",
        ]


@pytest.mark.parametrize("ids", [None, IDS])
def test_rows_of_commas_alone_are_no_rows(tmp_path, ids):
    empty = ("", "", "")
    sample = samples(tmp_path, text_of([*ROWS[:2], empty, *ROWS[2:], empty, empty]), ids=ids)
    assert sample.speaker.tolist() == [0, 0, 1, 2, 3]
    assert sample.notes == samples(tmp_path, text_of(ROWS), ids=ids).notes
    np.testing.assert_array_equal(sample.h, H[:5])


def test_labels_without_representations_are_counted(tmp_path):
    sample = samples(tmp_path, text_of([("x0", "e", "m"), *ROWS, ("x1", "e", "m")]), ids=IDS)
    note = "2 of 9 rows of the labels have no representation and were left out."
    assert sample.notes[0] == note
    np.testing.assert_array_equal(sample.h, H[:5])


@pytest.mark.parametrize("column", ["id", "speaker"])
def test_a_speaker_for_every_row_is_asked_about(tmp_path, column):
    sample = samples(tmp_path, text_of(ROWS), speaker=column)
    asked = [note for note in sample.notes if "does the column" in note]
    assert len(asked) == (column == "id") and all(
        "column id identify the speaker?" in a for a in asked
    )


def test_sessions_and_columns_of_other_names(tmp_path):
    rows = [(*row, "s1" if i < 3 else "s2") for i, row in enumerate(ROWS)]
    sample = samples(tmp_path, text_of(rows, "x,who,gender,room"), speaker="who", session="room")
    assert sample.session.tolist() == [0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match=r"no column 'rom', recorded together \(--session\)"):
        samples(tmp_path, text_of(rows, "x,who,gender,room"), speaker="who", session="rom")


@pytest.mark.parametrize(
    ("text", "ids", "said"),
    [
        (text_of(ROWS, "id,name,gender"), None, "no column 'speaker'.*It has: id, name, gender"),
        (text_of(ROWS, "id,speaker,sex"), None, "no column 'gender'"),
        (text_of(ROWS[:4]), None, "7 representations and 4 rows"),
        (text_of(ROWS[:4]), IDS, "no row of 3 of the representations: id u4, u5, u6"),
        (text_of([*ROWS, ROWS[0]]), IDS, "labels.csv:2 and .*labels.csv:9 have the same id, 'u0'"),
        (text_of([*ROWS, ("", "a", "f")]), IDS, "labels.csv:9: no id; each row"),
        (text_of([("u0", "a", "f")] * 9), None, "7 representations and 9 rows"),
        (text_of(ROWS, "id,speker,gender"), None, r"did you mean speker\?"),
        (text_of([(i, s, "f") for i, s, _ in ROWS]), None, r"one value only, f \(4\)"),
        (text_of([(i, s, "") for i, s, _ in ROWS]), None, "no value"),
        (
            text_of([(i, "ab"[g == "m"], g) for i, _, g in ROWS[:6]] + [("u6", "b", "m")]),
            None,
            r"known of 2 speakers, .*f \(1\), m \(1\)",
        ),
    ],
)
def test_what_cannot_be_judged_is_explained(tmp_path, text, ids, said):
    refused(said, samples, tmp_path, text, ids)


def test_values_that_differ_in_blanks_only_are_one(tmp_path):
    rows = [(i, f" {s}\t", f"{g}\u00a0") if i in ("u0", "u4") else (i, s, g) for i, s, g in ROWS]
    sample = samples(tmp_path, text_of(rows))
    assert sample.classes == ("f", "m") and sample.speaker.tolist() == [0, 0, 1, 2, 3]
    (tmp_path / "t.csv").write_text('speaker,"gen\nder"\n"a\nb  c",f\n')
    assert read_table(tmp_path / "t.csv").columns == {"speaker": ["a b c"], "gen der": ["f"]}


def test_two_speakers_with_both_values_are_too_few(tmp_path):
    rows = [(i, "ab"[k % 2], "fm"[k < 3]) for k, (i, _, _) in enumerate(ROWS)]
    refused("labels.csv: gender is known of 2 speakers, and 3", samples, tmp_path, text_of(rows))


def test_representations_without_information_are_not_called_private(tmp_path):
    np.save(tmp_path / "h.npy", np.ones((7, 3), "f"))
    (tmp_path / "labels.csv").write_text(text_of(ROWS))
    same = read_vectors(tmp_path / "h.npy")
    refused("all 5 .* are the same", join, same, read_table(tmp_path / "labels.csv"), "gender")


def test_what_could_mix_up_rows_is_refused_or_said(tmp_path):
    """Ids under another name, a row number that pandas wrote, ids in one file alone."""
    np.savez(tmp_path / "h.npz", h=H, ids=np.array(IDS))
    refused("name the representations h, the utterances id", read_vectors, tmp_path / "h.npz")
    text = csv_of(H).splitlines()
    numbered = ["," + text[0], *(f"{i},{line}" for i, line in enumerate(text[1:]))]
    (tmp_path / "pandas.csv").write_text("\n".join(numbered))
    refused("column 1 of 4 has no name", read_vectors, tmp_path / "pandas.csv")
    for column in ("ID", "utterance"):
        said = f"labels.csv: column '{column}' holds every id .* Call it id"
        refused(said, samples, tmp_path, text_of(ROWS[::-1], f"{column},speaker,gender"), IDS)
    said = r"Call it id, --id='Utterance ID': .* only where it is said"
    refused(said, samples, tmp_path, text_of(ROWS[::-1], "Utterance ID,speaker,gender"), IDS)
    alone = samples(tmp_path, text_of([row[1:] for row in ROWS], "speaker,gender"), ids=IDS)
    assert any("only the representations have id" in note for note in alone.notes)


CASES = ROOT / "tests" / "cases"


def case(folder, name):
    return read_vectors(CASES / folder / name), read_table(CASES / folder / "l.csv"), "gender"


def test_rows_of_h_under_two_speakers_are_refused_with_counts_and_names():
    message = refused("^240 representations are there under two", join, *case("43", "43_h.npz"))
    assert "utt0000x (x0) = utt0000y (y0)" in message and "x0 and y0 (10)" in message
    assert join(*case("43", "43_once.npz")).notes == [
        "240 of 480 rows of the labels have no representation and were left out."
    ]


def test_speakers_that_share_rows_are_merged_or_kept_on_request():
    merged = join(*case("43", "43_h.npz"), duplicates="merge")
    once = join(*case("43", "43_once.npz"))
    np.testing.assert_array_equal(merged.h, once.h)
    assert merged.speaker.tolist() == once.speaker.tolist()
    assert "24 speakers were merged into others, 240 rows left out" in merged.notes[0]
    kept = join(*case("43", "43_h.npz"), duplicates="keep")
    assert len(kept.h) == 480 and "They were kept." in kept.notes[0]
    with pytest.raises(ValueError, match="duplicates='dorp': it is one of stop"):
        join(*case("43", "43_h.npz"), duplicates="dorp")


def test_a_unit_that_counts_rows_or_is_a_label_is_refused(tmp_path):
    refused("'Unnamed: 0' of the representations counts the rows", join, *case("54", "unnamed.csv"))
    assert len(join(*case("54", "clean.csv")).h) == 240
    text = (CASES / "54" / "clean.csv").read_text()
    for name in ("Gender", "speaker "):
        (tmp_path / "h.csv").write_text(text.replace("e3", name, 1))
        vectors, table = read_vectors(tmp_path / "h.csv"), case("54", "clean.csv")[1]
        refused(f"^{name.strip()}: a unit of h and", join, vectors, table, "gender")


@pytest.mark.parametrize(
    ("unit", "counts"),
    [
        (np.arange(50), True),
        (np.arange(50)[::-1] + 7, True),
        (np.delete(np.arange(60), [3, 20, 41]), True),
        (np.random.default_rng(0).permutation(50), True),
        (np.arange(50) / 49, True),
        (np.repeat(np.arange(25), 2), False),
        (np.arange(5), False),
        (np.ones(50), False),
        (np.sort(np.random.default_rng(0).normal(size=50)), False),
        (np.random.default_rng(0).integers(0, 256, 50), False),
    ],
)
def test_what_counts_rows(unit, counts):
    assert counts_rows(unit.astype("f")) == counts


def test_ids_that_are_written_in_two_ways_are_joined_and_it_is_said(tmp_path):
    text = text_of([(f"wav/{i}.wav", *rest) for i, *rest in ROWS[::-1]])
    sample = samples(tmp_path, text, ids=IDS)
    np.testing.assert_array_equal(sample.h, H[:5])
    assert "7 of 7 ids are written in two ways" in sample.notes[0]
    assert "which differ in folder and ending of a path" in sample.notes[0]
    refused("no row of 7 of the repres", samples, tmp_path, text.replace("wav/u5", "new/u6"), IDS)


def test_a_missing_column_is_answered_with_the_flag_believed_right(tmp_path):
    text = text_of([(i, s or "z", g) for i, s, g in ROWS], "id,subj,gender")
    refused("Believed right: --columns=speaker=subj", samples, tmp_path, text)
    text = text_of([(i[1:], s or "z", g) for i, s, g in ROWS], "Utterance ID,subj,sx")
    flag = "Believed right: --columns='id=Utterance ID,speaker=subj,gender=sx'"
    refused(flag, samples, tmp_path, text)


def failing(value, every=7, speakers=24, utterances=5):
    """h with every 7th row `value`, and labels; two genders."""
    h = np.random.default_rng(0).normal(size=(speakers * utterances, 6)).astype("f")
    h[::every] = value
    who = np.repeat(np.arange(speakers), utterances)
    columns = {"id": [f"u{i}" for i in range(len(h))], "speaker": [f"s{i}" for i in who]}
    columns["gender"] = ["fm"[i % 2] for i in who]
    table = table_of_columns(columns, range(len(h)), Path("labels"))
    return Representations(h, columns["id"]), table, "gender"


@pytest.mark.parametrize("value", [0, -999, np.arange(6)])
def test_rows_of_an_encoder_that_failed_are_no_person_under_two_names(value):
    """One value repeated, or a vector that women and men have."""
    with pytest.raises(
        ValueError, match=r"18 of 120 .* failed \(u0, u7, .*--duplicates=drop"
    ) as said:
        join(*failing(value))
    assert "One person under two names" not in str(said.value)
    for duplicates, kept in (("drop", 102), ("merge", 102), ("keep", 120)):
        sample = join(*failing(value), duplicates=duplicates)
        assert len(sample.h) == kept and len(np.unique(sample.speaker)) == 24
        assert sum("18 of 120 representations" in note for note in sample.notes) == 1


def test_a_single_failed_row_is_said_and_dropped_where_that_is_asked():
    sample = join(*failing(0, every=500))
    assert len(sample.h) == 120 and any("1 of 120" in note for note in sample.notes)
    assert len(join(*failing(0, every=500), duplicates="drop").h) == 119


def test_a_copy_under_two_names_is_no_failed_row():
    read, table, attribute = failing(0, every=500)
    read.h[0], read.h[11] = np.arange(6), np.arange(6)
    for duplicates in ("stop", "drop"):
        with pytest.raises(ValueError, match="One person under two names"):
            join(read, table, attribute, duplicates=duplicates)


def test_few_rows_without_a_session_are_left_out_and_many_leave_no_sessions():
    for lacking, kept in ((2, 118), (30, 120)):
        read, table, attribute = failing(range(6), every=500)
        sessions = [None if i < lacking else f"s{i % 4}" for i in range(120)]
        columns = table.columns | {"session": sessions}
        table = table_of_columns(columns, range(120), Path("labels"))
        sample = join(read, table, attribute)
        assert len(sample.h) == kept and (sample.session is None) == (kept == 120)
        (note,) = [note for note in sample.notes if "session" in note]
        assert note.startswith(f"{lacking} of 120 rows have no session (u0, u1")
        assert ("and were left out" in note) == (lacking == 2)
        assert ("Fill these cells" in note) == (lacking == 30)


def test_a_missing_column_is_told_with_what_it_is_for():
    read, table, _ = failing(range(6), every=500)
    with pytest.raises(ValueError, match=r"no column 'age'.* It has: id, speaker, gender") as said:
        join(read, table, "age")
    assert "--attribute" in str(said.value) and "peaker" not in str(said.value).split("gender")[-1]
    with pytest.raises(ValueError, match=r"no column 'who'.*sampling unit.*--speaker") as said:
        join(read, table, "gender", speaker="who")
    assert "--attribute" not in str(said.value)
