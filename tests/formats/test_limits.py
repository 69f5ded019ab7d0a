"""Files that promise more than they hold are refused by size, before they are read."""

import struct
import time
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from privrep.formats.limits import COLUMNS, GIGABYTES, limit_of
from privrep.formats.tables import read_table
from privrep.formats.vectors import read_vectors
from tests.support.vector_files import refused

ROWS = 3_000_000


@pytest.fixture(autouse=True)
def _low(monkeypatch):
    """Ten megabytes stand for gigabytes."""
    monkeypatch.setenv(GIGABYTES, "0.01")


def header(text):
    padded = text + " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()


def described(descr, shape):
    return header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")


def write_npz(path, **parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(f"{name}.npy", content)


H = described("<f4", (4, 2)) + bytes(32)


def npz_of_ids(path):
    write_npz(path, h=H, id=described("<U1000000", (4,)) + bytes(16_000_000))


def npz_of_h(path):
    np.savez_compressed(path, h=np.zeros((4, 1_000_000), "f"))


def sparse(path):
    with path.open("wb") as file:
        file.write(described("<f4", (4, 1_000_000)))
        file.truncate(file.tell() + 16_000_000)


def parquet_of_rows(path):
    parquet.write_table(pa.table({"h": np.zeros(ROWS)}), path)


def parquet_of_lists(path):
    row = pa.array(np.zeros(ROWS))
    parquet.write_table(pa.table({"h": pa.ListArray.from_arrays([0, ROWS], row)}), path)


def parquet_of_text(path):
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2000, "i4")), ["x" * 10_000])
    parquet.write_table(pa.table({"speaker": rows}), path)


BOMBS = {
    "ids.npz": npz_of_ids,
    "h.npz": npz_of_h,
    "h.npy": sparse,
    "rows.parquet": parquet_of_rows,
    "lists.parquet": parquet_of_lists,
    "text.parquet": parquet_of_text,
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_fill_memory_is_refused_and_the_limit_can_be_raised(tmp_path, monkeypatch, name):
    path = tmp_path / name
    BOMBS[name](path)
    read = read_table if name == "text.parquet" else read_vectors
    began = time.process_time()
    message = refused(f"{name}: is .* MB, and .* would unpack to", read, path)
    assert time.process_time() - began < 1
    assert "over the limit of 0.01 GB" in message and f"{GIGABYTES}=1" in message
    monkeypatch.setenv(GIGABYTES, "1")
    if name == "ids.npz":
        refused("no id", read, path)  # it was read
    else:
        read(path)


def test_a_large_file_that_holds_what_it_promises_is_read(tmp_path):
    h = np.random.default_rng(0).normal(size=(300, 9000)).astype("f")
    np.save(tmp_path / "h.npy", h)
    np.savez_compressed(tmp_path / "h.npz", h=h)
    for name in ("h.npy", "h.npz"):
        assert (tmp_path / name).stat().st_size > 1e7
        assert read_vectors(tmp_path / name).h.shape == h.shape


def test_objects_of_many_columns_are_no_table_of_all_of_them(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f'{{"c{i}": 1}}\n' for i in range(1000)))
    refused("table of 1,000 x 1,000 cells would unpack", read_table, path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": ' + "9" * 100_000 + "}"])
def test_json_that_goes_deep_is_named_by_its_line(tmp_path, text):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n' + text)
    refused("t.jsonl:2: ", read_table, tmp_path / "t.jsonl")


@pytest.mark.parametrize("read", [read_table, read_vectors])
@pytest.mark.parametrize("separator", ",;")
def test_a_header_of_very_many_columns(tmp_path, monkeypatch, read, separator):
    path = tmp_path / "wide.csv"
    path.write_text("speaker" + f"{separator}x" * 150_000 + "\n1,2\n")
    message = refused("has 150,001 columns, over the limit of 100,000", read, path)
    assert f"{COLUMNS}=150001" in message
    monkeypatch.setenv(COLUMNS, "1000")
    path.write_text("speaker,h0\n" + "1" * 500_000 + "\n")
    refused(r"a line of more than 0.16 MB, .* PRIVREP_MAX_COLUMNS=10000$", read, path)


@pytest.mark.parametrize(
    "content",
    [
        header("{'descr': " + "(" * 3000 + "'<f4'" + ")" * 3000 + ", 'shape': (4, 2)}"),
        header("(" * 4000),
        header("-" * 9000 + "1"),
        header("{'descr': " + "(" * 300),
        described("<U0", (10**12,)),
        described("<f4", (10**12, 0)),
        described("<f4", (-1, 4)),
    ],
)
@pytest.mark.parametrize("inside", ["h.npy", "h.npz"])
def test_a_header_that_describes_no_numbers(tmp_path, content, inside):
    path = tmp_path / inside
    if inside == "h.npz":
        write_npz(path, h=content)
    else:
        path.write_bytes(content)
    assert len(refused(inside, read_vectors, path)) < 1000


@pytest.mark.parametrize("value", ["many", "0", "-1", "nan"])
def test_a_limit_that_is_none(monkeypatch, value):
    monkeypatch.setenv(GIGABYTES, value)
    with pytest.raises(ValueError, match=f"{GIGABYTES}={value}: a positive number, such as 4"):
        limit_of(GIGABYTES)
