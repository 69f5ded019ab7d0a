"""Large frames [N, T, D] of compressed files are mapped from a temporary one, and are the same."""

import os
import tempfile

import h5py
import numpy as np
import pytest

from privrep.formats import unpacked
from privrep.formats.sequences import open_sequences
from privrep.formats.unpacked import taken
from privrep.formats.vectors import as_real, read_vectors
from tests.support.vector_files import refused

FRAMES = np.random.default_rng(0).normal(size=(50, 7, 3))
IDS = [f"u{i}" for i in range(50)]


@pytest.fixture(autouse=True)
def all_is_large(monkeypatch):
    """A few hundred bytes are large, and less are read together."""
    monkeypatch.setattr(unpacked, "_LARGE", 500)
    monkeypatch.setattr(unpacked, "BLOCK", 900)


def write(path, frames):
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["id"] = IDS
            file.create_dataset("h", data=frames, chunks=(8, 2, 3), compression="gzip")
    elif path.stem == "compressed":
        np.savez_compressed(path, h=frames, id=IDS)
    else:
        np.savez(path, h=frames, id=IDS)
    return path


def is_mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i2"])
@pytest.mark.parametrize("name", ["plain.npz", "compressed.npz", "e.h5"])
def test_frames_are_the_same_mapped_and_in_memory(tmp_path, monkeypatch, name, dtype):
    path = write(tmp_path / name, (100 * FRAMES).astype(dtype))
    read = open_sequences(path, None)
    assert is_mapped(read.h) and read.ids == IDS
    some = taken(read.h, np.arange(3, 40))
    monkeypatch.setattr(unpacked, "_LARGE", 1 << 26)
    in_memory = open_sequences(path, None)
    assert is_mapped(some) and not is_mapped(in_memory.h)
    assert read.h.dtype == in_memory.h.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read.h, in_memory.h)
    np.testing.assert_array_equal(some, in_memory.h[3:40])


def test_bfloat16_becomes_float32_row_by_row(tmp_path, monkeypatch):
    bits = FRAMES.astype("f").view(np.uint16)[..., 1::2].copy()
    np.savez(tmp_path / "h.npz", h=bits.view("V2"))
    read = read_vectors(tmp_path / "h.npz")
    assert is_mapped(read.h) and "read as bfloat16" in read.notes[0]
    monkeypatch.setattr(unpacked, "_LARGE", 1 << 26)
    np.testing.assert_array_equal(read.h, as_real(bits.view("V2"))[0])


def test_what_is_stored_by_columns_is_read_whole(tmp_path):
    np.savez(tmp_path / "h.npz", h=np.asfortranarray(FRAMES))
    read = read_vectors(tmp_path / "h.npz")
    assert not is_mapped(read.h) and np.array_equal(read.h, FRAMES)


def test_damage_is_named(tmp_path):
    """A byte flipped in the middle, which the checksum of the zip file tells, and a torn end."""
    path = write(tmp_path / "plain.npz", FRAMES)
    content = path.read_bytes()
    at = content.index(FRAMES.tobytes()) + 4000
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    refused(r"plain\.npz: is no .*CRC", read_vectors, path)
    path = write(tmp_path / "e.h5", FRAMES)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(r"e\.h5: is no HDF5 file, or a damaged one", open_sequences, path, None)


@pytest.mark.parametrize("name", ["compressed.npz", "e.h5"])
def test_no_room_for_the_temporary_file_is_said(tmp_path, monkeypatch, name):
    path = write(tmp_path / name, FRAMES)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    refused(
        r"shape \[50, 7, 3\] .* and that fails: No such file.*TMPDIR=FOLDER",
        open_sequences,
        path,
        None,
    )


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    read = taken(FRAMES, np.arange(50))
    assert is_mapped(read) and os.listdir(tmp_path) == []
