"""Tests of the readers of representations: equal arrays from all formats, and named refusals."""

import pickle
import re
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from privrep.formats.tables import read_table
from privrep.formats.vectors import read_vectors
from tests.support.vector_files import IDS, H, csv_of, refused


def test_every_kind_of_file_gives_the_same_array(tmp_path):
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
        h, ids, *_, units = read_vectors(tmp_path / name)
        assert units == (("h0", "h1", "h2") if name in ("h.csv", "h.TSV", "h.parquet") else ())
        assert h.dtype in (np.float32, np.float64)
        np.testing.assert_array_equal(h, H, err_msg=name)
        assert ids == (IDS if name in known else None), name
    np.save(tmp_path / "frames.npy", np.zeros((4, 5, 2), "f"))
    assert read_vectors(tmp_path / "frames.npy").h.shape == (4, 5, 2)


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
        message = refused(re.escape(name), read_vectors, tmp_path / name)
        advice = "numpy.savez(PATH" if name == "ids.npz" else "numpy.save(PATH"
        assert advice in message and "allow_pickle" not in message
    refused("pickle is never loaded", read_vectors, tmp_path / "h.pkl")


def test_what_is_advised_for_ids_of_objects_helps(tmp_path):
    """Strings of pandas 3 stay objects by astype(str)."""
    ids = np.array([f"u{i}" for i in range(len(H))], object)
    np.savez(tmp_path / "ids.npz", h=H, id=ids)
    message = refused("array of objects", read_vectors, tmp_path / "ids.npz")
    names = {"numpy": np, "PATH": tmp_path / "ids.npz", "h": H, "id": ids}
    eval(message[message.index("numpy.savez") :], names)
    assert [*read_vectors(tmp_path / "ids.npz").ids] == [*ids]


def test_a_header_that_promises_more_than_there_is(tmp_path):
    np.save(tmp_path / "h.npy", H)
    huge = (tmp_path / "h.npy").read_bytes().replace(b"(7, 3)", b"(7000000000, 3000)"[:18])
    (tmp_path / "h.npy").write_bytes(huge)
    refused("h.npy", read_vectors, tmp_path / "h.npy")
    (tmp_path / "cut.npy").write_bytes(huge[:40])
    refused("cut.npy", read_vectors, tmp_path / "cut.npy")
    with zipfile.ZipFile(tmp_path / "cut.npz", "w") as archive:
        archive.writestr("h.npy", huge)
    refused("cut.npz", read_vectors, tmp_path / "cut.npz")


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
        parquet.write_table(pa.table({"h": h.tolist()}), path)
    message = refused("2 of 7 rows hold NaN", read_vectors, path)
    assert ("id u2, u5" if kind == "csv" else "row (from 0) 2, 5") in message


def test_cells_that_are_no_numbers_are_named(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("h0,h1\n1,2\n3,four\n")
    message = refused("every row", read_vectors, path)
    assert "h.csv:3, column 2 of 2, 'h1': 'four' is no number" in message
    path.write_text("1,2\n3,\n")
    message = refused("every row", read_vectors, path)
    assert "h.csv:2, column 2 of 2: '' is no number" in message
    for text in ("h0,h1\n1,2\n3\n", "id,h0\nu0,1\nu1,2,3\n", "h0,h1\n1,2,3\n4,5,6\n"):
        path.write_text(text)
        refused("cells, where the first line has 2", read_vectors, path)
    path.write_text("id\nu0\n")
    refused("no column of numbers", read_vectors, path)
    path.write_text("h0,h1\n\n")
    refused("a header and no row of numbers", read_vectors, path)
    for name, array, message in (
        ("text", np.array([["a", "b"]]), r"not real numbers. Text becomes numbers by h\.astype"),
        ("complex", np.ones((2, 2), complex), "not real numbers"),
        ("flat", np.ones(5), r"shape \[5\]"),
        ("empty", np.ones((0, 4)), r"shape \[0, 4\]"),
        ("no_frames", np.ones((3, 0, 4)), r"shape \[3, 0, 4\]"),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        refused(message, read_vectors, tmp_path / f"{name}.npy")
    np.save(tmp_path / "big.npy", np.full((2, 2), 1e300))
    refused("beyond float32", read_vectors, tmp_path / "big.npy")
    np.savez(tmp_path / "two.npz", a=H, b=H)
    refused("name the representations h", read_vectors, tmp_path / "two.npz")
    refused("no such file", read_vectors, tmp_path / "nowhere.npy")


@pytest.mark.parametrize("ending", ["npy", "npz", "parquet", "csv", "tsv"])
def test_a_file_that_is_not_what_its_ending_says(tmp_path, ending):
    path = tmp_path / f"h.{ending}"
    path.write_bytes(b"")
    assert "h." + ending in refused("is empty, 0 bytes", read_vectors, path)
    np.savez(tmp_path / "numbers.npz", h=H)
    np.save(tmp_path / "numbers.npy", H)
    other = "npz" if ending == "npy" else "npy"
    path.write_bytes((tmp_path / f"numbers.{other}").read_bytes())
    refused(f"is no .{ending} file, .* begins as .{other} files", read_vectors, path)
    if ending in ("csv", "tsv"):
        path.write_text("PK\n1\n2\n")  # as a zip file begins
        assert read_vectors(path).h.tolist() == [[1], [2]]
    else:
        path.write_text(csv_of(H, ids=IDS))
        message = refused(f"is no .{ending} file", read_vectors, path)
        assert "text that begins 'id,h0,h1,h2'" in message and "ends in .csv" in message
        path.write_bytes(bytes(range(1, 80)))
        refused("its first bytes are", read_vectors, path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "h.parquet").write_bytes(b"PAR1\0")
    for read in READERS.values():
        refused("needs pyarrow: pip install 'privrep.tables", read, tmp_path / "h.parquet")


def test_numbers_of_any_kind_are_read(tmp_path):
    for dtype in ("float16", "float64", "int8", "uint64", "bool"):
        array = np.arange(6).reshape(3, 2).astype(dtype)
        np.save(tmp_path / "h.npy", array)
        h = read_vectors(tmp_path / "h.npy").h
        kept = np.float64 if dtype == "float64" else np.float32
        assert h.dtype == kept and (h == array).all()


def test_a_file_that_is_cut_off_is_no_numpy_riddle(tmp_path):
    np.save(tmp_path / "h.npy", H)
    np.savez(tmp_path / "h.npz", h=H)
    for name in ("h.npy", "h.npz"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
        refused("holds less than it promises", read_vectors, tmp_path / name)


def test_a_folder_in_place_of_a_file_says_what_lies_there(tmp_path):
    refused("is a folder; .* It holds none", read_vectors, tmp_path)
    np.save(tmp_path / "h.npy", H)
    (tmp_path / "labels.jsonl").write_text("{}")
    refused("is a folder; name a file, .npy, .* In it: h.npy$", read_vectors, tmp_path)
    refused("In it: labels.jsonl$", read_table, tmp_path)


def test_text_in_another_encoding_is_named_by_its_line(tmp_path):
    name = "h.csv"
    (tmp_path / name).write_bytes("id,h0\na,1\nRené,2\n".encode("latin-1"))
    message = refused("save it again as UTF-8", READERS[name[0]], tmp_path / name)
    assert f"{name}:3: is not in UTF-8" in message and "René" in message


@pytest.mark.parametrize("order", ["le", "be"])
def test_sixteen_bits_a_letter_are_no_latin(tmp_path, order):
    name = "h.csv"
    (tmp_path / name).write_bytes("\ufeffspeaker,gender\na,f\n".encode(f"utf-16-{order}"))
    message = refused(f"{name}: is text in UTF-16", READERS[name[0]], tmp_path / name)
    assert "Latin" not in message


READERS = {"t": read_table, "h": read_vectors}


def test_an_npz_holds_one_array_or_h_and_id_beside_others(tmp_path):
    path, ids = tmp_path / "h.npz", np.array([f" u{i} " for i in range(7)])
    for arrays in ({"x": H}, {"x": H, "id": ids}, {"h": H, "id": ids, "y": H[0]}):
        np.savez(path, **arrays)
        h, ids_read, *_ = read_vectors(path)
        assert (h == H).all() and ids_read == (IDS if "id" in arrays else None)
    for arrays in (
        {"x": H, "y": H},
        {"h": H, "y": H},
        {"x": H, "y": H, "id": ids},
        {"id": ids},
        {},
    ):
        np.savez(path, **arrays)
        refused("h.npz: .*name the representations h", read_vectors, path)
    for arrays, message in (
        ({"id": ids[:, None]}, r"id has shape \[7, 1\]"),
        ({"id": ids[:6]}, "6 ids for 7 rows"),
        ({"id": ids[[0, 1, 1, 3, 4, 5, 6]]}, r"rows 1 and 2 \(from 0\) have the same id, 'u1'"),
        ({"id": [*ids[:6], ""]}, r"row 6 \(from 0\) has no id"),
    ):
        np.savez(path, h=H, **arrays)
        refused(f"h.npz: {message}", read_vectors, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.txt", "hello")
    refused("its part 'data.txt' is no array", read_vectors, path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("h.csv", "h0;h1\n1;2\n3;4\n", "separated by semicolons"),
        ("h.csv", "0,5;0,7\n1,5;2,7\n", "separated by semicolons"),
        ("h.csv", "h0\th1\n1\t2\n3\t4\n", "as .tsv"),
        ("h.tsv", "h0\th1\n0,5\t0,7\n", "points in its decimal fractions"),
        ("h.csv", "h0\th1\n1,5\t2,5\n", "separated by tabs"),
    ],
)
def test_another_separator_is_reported(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    refused(message, read_table if name[0] == "t" else read_vectors, tmp_path / name)
