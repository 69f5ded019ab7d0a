"""Files of any origin: what is read is what stands there, and what cannot serve is named."""

import json
import pickle
import re
import zipfile

import numpy as np
import pytest

from privrep.representations import read_representations
from privrep.samples import bring_together
from privrep.tables import read_table

H = np.random.default_rng(0).normal(size=(7, 3)).astype("f")
IDS = [f"u{i}" for i in range(7)]


def csv_of(h, header=True, ids=None):
    names = [*(["id"] if ids else []), *(f"h{i}" for i in range(h.shape[1]))]
    rows = [[*([ids[i]] if ids else []), *map(repr, map(float, row))] for i, row in enumerate(h)]
    return "".join(",".join(row) + "\n" for row in [names] * header + rows)


def refused(match, call, *arguments):
    with pytest.raises((ValueError, FileNotFoundError), match=match) as error:
        call(*arguments)
    return str(error.value)


def test_every_kind_of_file_gives_the_same_array(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    np.save(tmp_path / "h.npy", H)
    np.savez(tmp_path / "one.npz", anything=H)
    np.savez(tmp_path / "h.npz", h=H.astype("d"), id=np.array(IDS))
    (tmp_path / "bare.csv").write_text(csv_of(H, header=False))
    (tmp_path / "h.csv").write_text("\ufeff" + csv_of(H, ids=IDS), "utf-8")
    (tmp_path / "h.TSV").write_text(csv_of(H).replace(",", "\t"))
    columns = {f"h{i}": H[:, i] for i in range(3)}
    parquet.write_table(pa.table(columns | {"id": IDS}), tmp_path / "h.parquet")
    parquet.write_table(pa.table({"h": H.tolist()}), tmp_path / "lists.parquet")
    known = ("h.npz", "h.csv", "h.parquet")
    others = ("h.npy", "one.npz", "bare.csv", "h.TSV", "lists.parquet")
    for name in (*known, *others):
        h, ids, _ = read_representations(tmp_path / name)
        assert h.dtype == np.float32
        np.testing.assert_array_equal(h, H, err_msg=name)
        assert ids == (IDS if name in known else None), name
    np.save(tmp_path / "frames.npy", np.zeros((4, 5, 2), "f"))
    assert read_representations(tmp_path / "frames.npy").h.shape == (4, 5, 2)


def test_every_kind_of_table_gives_the_same_cells(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"speaker": "ä,1", "gender": "f"}, {"speaker": '2"', "gender": ""}]
    rows += [{"speaker": "=1+1", "gender": "m"}]
    (tmp_path / "t.csv").write_text('speaker,gender\n"ä,1",f\n"2""", \n=1+1,m\n', "utf-8")
    (tmp_path / "t.tsv").write_text('speaker\tgender\nä,1\tf\n"2"""\t\n=1+1\tm\n', "utf-8")
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        columns = read_table(tmp_path / f"t.{kind}").columns
        assert columns == {"speaker": ["ä,1", '2"', "=1+1"], "gender": ["f", None, "m"]}, kind


class Bomb:
    """Unpickled, it would leave a mark."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def test_no_pickle_is_loaded(tmp_path):
    bombs = np.array([Bomb()] * 3, object)
    np.save(tmp_path / "bomb.npy", bombs, allow_pickle=True)
    np.savez(tmp_path / "bomb.npz", h=bombs)
    np.savez(tmp_path / "ids.npz", h=H, id=np.array([Bomb()] * 7, object))
    (tmp_path / "plain.npy").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "h.pkl").write_bytes(pickle.dumps(H))
    for name in ("bomb.npy", "bomb.npz", "ids.npz", "plain.npy", "plain.npz"):
        said = refused(re.escape(name), read_representations, tmp_path / name)
        assert "numpy.save(PATH" in said and "allow_pickle" not in said
    refused("pickle is never loaded", read_representations, tmp_path / "h.pkl")


def test_a_header_that_promises_more_than_there_is(tmp_path):
    np.save(tmp_path / "h.npy", H)
    huge = (tmp_path / "h.npy").read_bytes().replace(b"(7, 3)", b"(7000000000, 3000)"[:18])
    (tmp_path / "h.npy").write_bytes(huge)
    refused("h.npy", read_representations, tmp_path / "h.npy")
    (tmp_path / "cut.npy").write_bytes(huge[:40])
    refused("cut.npy", read_representations, tmp_path / "cut.npy")
    with zipfile.ZipFile(tmp_path / "cut.npz", "w") as archive:
        archive.writestr("h.npy", huge)
    refused("cut.npz", read_representations, tmp_path / "cut.npz")


@pytest.mark.parametrize("kind", ["npy", "csv", "parquet"])
def test_rows_that_are_not_finite_are_named(tmp_path, kind):
    h = H.copy()
    h[2, 1], h[5, 0] = np.nan, np.inf
    path = tmp_path / f"h.{kind}"
    if kind == "npy":
        np.save(path, h)
    elif kind == "csv":
        path.write_text(csv_of(h, ids=IDS))
    else:
        pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.table({"h": h.tolist()}), path)
    message = refused("2 of 7 rows hold NaN", read_representations, path)
    assert ("id u2, u5" if kind == "csv" else "row (from 0) 2, 5") in message


def test_what_is_no_number_is_named(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("h0,h1\n1,2\n3,four\n")
    said = refused("every row", read_representations, path)
    assert "record 3 (from 1, the header too), column 2 of 2, 'h1': 'four' is no number" in said
    path.write_text("1,2\n3,\n")
    assert "record 2 (from 1" in (said := refused("every row", read_representations, path))
    assert "column 2 of 2: '' is no number" in said
    for text in ("h0,h1\n1,2\n3\n", "id,h0\nu0,1\nu1,2,3\n", "h0,h1\n1,2,3\n4,5,6\n"):
        path.write_text(text)
        refused("cells, where the first record has 2", read_representations, path)
    path.write_text("")
    refused("no column of numbers", read_representations, path)
    for name, array, said in (
        ("text", np.array([["a", "b"]]), "no real numbers"),
        ("complex", np.ones((2, 2), complex), "no real numbers"),
        ("flat", np.ones(5), r"shape \[5\]"),
        ("empty", np.ones((0, 4)), r"shape \[0, 4\]"),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        refused(said, read_representations, tmp_path / f"{name}.npy")
    np.save(tmp_path / "big.npy", np.full((2, 2), 1e300))
    refused("beyond float32", read_representations, tmp_path / "big.npy")
    np.savez(tmp_path / "two.npz", a=H, b=H)
    refused("name the representations h", read_representations, tmp_path / "two.npz")
    refused("no such file", read_representations, tmp_path / "nowhere.npy")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.csv", "speaker,gender\na,f\nb\n", "record 3: 1 cells under 2 columns"),
        ("t.csv", "speaker,speaker\na,f\n", "a name of its own"),
        ("t.csv", "", "needs a header"),
        ("t.csv", "speaker\n" + "x" * 2_000_000 + "\n", "no table of text"),
        ("t.jsonl", '{"speaker": "a"}\n[1]\n', "line 2"),
        ("t.jsonl", '{"speaker": {"a": 1}}\n', "line 1"),
        ("t.jsonl", "[" * 100_000, "line 1"),
        ("t.parquet", "nothing", "no Parquet file"),
        ("t.xlsx", "nothing", "only .csv, .tsv, .jsonl, .parquet"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    refused(re.escape(said), read_table, tmp_path / name)


def joined(path, table):
    return read_representations(path), read_table(table), "gender"


def test_a_first_line_of_numbers_is_a_row_unless_it_counts_the_columns(tmp_path):
    path, labels = tmp_path / "h.csv", tmp_path / "labels.csv"
    for header, count in (("0,1,2", 7), ("1,2,3", 8), ("0.0,1.0,2.0", 8), ("7,8,9", 8)):
        path.write_text(f"{header}\n{csv_of(H, header=False)}")
        found = read_representations(path)
        assert len(found.h) == count, header
        np.testing.assert_array_equal(found.h[-7:], H)
        assert ("names of its columns" in found.first_line) == (count == 7)
        assert ("for a row:" in found.first_line) == (count == 8)
    path.write_text(csv_of(H))
    assert read_representations(path).first_line == ""
    path.write_text(csv_of(H, header=False))
    labels.write_text(text_of(ROWS[:6]))
    refused("taken for a row: it has no header", bring_together, *joined(path, labels))
    labels.write_text(text_of(ROWS))
    assert "taken for a row" in bring_together(*joined(path, labels)).notes[0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("h.csv", "h0;h1\n1;2\n3;4\n", "separated by semicolons"),
        ("h.csv", "0,5;0,7\n1,5;2,7\n", "separated by semicolons"),
        ("h.csv", "h0\th1\n1\t2\n3\t4\n", "as .tsv"),
        ("h.tsv", "h0\th1\n0,5\t0,7\n", "points in its decimal fractions"),
        ("t.csv", "speaker;gender\na;f\n", "separated by semicolons"),
        ("t.tsv", "speaker,gender\na,f\n", "separated by commas"),
    ],
)
def test_another_separator_is_told(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    refused(said, read_table if name[0] == "t" else read_representations, tmp_path / name)


def samples(tmp_path, text, ids=None, **columns):
    (tmp_path / "labels.csv").write_text(text)
    np.savez(tmp_path / "h.npz", h=H, **({} if ids is None else {"id": np.array(ids)}))
    return bring_together(
        read_representations(tmp_path / "h.npz"),
        read_table(tmp_path / "labels.csv"),
        "gender",
        **columns,
    )


ROWS = [("u0", "a", "f"), ("u1", "a", "f"), ("u2", "b", "m"), ("u3", "c", "f"), ("u4", "d", "m")]
ROWS += [("u5", "", "m"), ("u6", "d", "")]


def text_of(rows, header="id,speaker,gender"):
    return "\n".join([header, *map(",".join, rows)])


def test_rows_are_joined_by_id_or_by_place(tmp_path):
    by_place = samples(tmp_path, text_of(ROWS))
    by_id = samples(tmp_path, text_of(ROWS[::-1]), ids=IDS)
    for found in (by_place, by_id):
        np.testing.assert_array_equal(found.h, H[:5])
        assert found.labels.tolist() == [0, 0, 1, 0, 1] and found.classes == ("f", "m")
        assert found.speakers.tolist() == [0, 0, 1, 2, 3]
        assert found.num_speakers == {"f": 2, "m": 2} and found.sessions is None
        assert found.notes[:2] == [
            "1 of 7 rows have no speaker and were left out.",
            "1 of 7 rows have no gender and were left out.",
        ]


def test_sessions_and_columns_of_other_names(tmp_path):
    rows = [(*row, "s1" if i < 3 else "s2") for i, row in enumerate(ROWS)]
    found = samples(tmp_path, text_of(rows, "x,who,gender,room"), speaker="who", session="room")
    assert found.sessions.tolist() == [0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match=r"no column 'rom', recorded together \(--session\)"):
        samples(tmp_path, text_of(rows, "x,who,gender,room"), speaker="who", session="rom")


@pytest.mark.parametrize(
    ("text", "ids", "said"),
    [
        (text_of(ROWS, "id,name,gender"), None, "no column 'speaker'.*It has: id, name, gender"),
        (text_of(ROWS, "id,speaker,sex"), None, "no column 'gender'"),
        (text_of(ROWS[:4]), None, "7 representations and 4 rows"),
        (text_of(ROWS[:4]), IDS, "no row of 3 of the representations: id u4, u5, u6"),
        (text_of([*ROWS, ROWS[0]]), IDS, "the same id"),
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


def test_representations_that_say_nothing_are_not_called_private(tmp_path):
    np.save(tmp_path / "h.npy", np.ones((7, 3), "f"))
    (tmp_path / "labels.csv").write_text(text_of(ROWS))
    same = read_representations(tmp_path / "h.npy")
    refused(
        "all 5 .* are the same", bring_together, same, read_table(tmp_path / "labels.csv"), "gender"
    )


def test_what_could_mix_up_rows_is_refused_or_said(tmp_path):
    """Ids under another name, a row number that pandas wrote, ids in one file alone."""
    np.savez(tmp_path / "h.npz", h=H, ids=np.array(IDS))
    refused(
        "name the representations h, the utterances id", read_representations, tmp_path / "h.npz"
    )
    text = csv_of(H).splitlines()
    numbered = ["," + text[0], *(f"{i},{line}" for i, line in enumerate(text[1:]))]
    (tmp_path / "pandas.csv").write_text("\n".join(numbered))
    refused("column 1 of 4 has no name", read_representations, tmp_path / "pandas.csv")
    alone = samples(tmp_path, text_of([row[1:] for row in ROWS], "speaker,gender"), ids=IDS)
    assert any("only the representations have id" in note for note in alone.notes)
