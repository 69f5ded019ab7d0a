"""Tests of sources of vectors and frames: every kind tells the same, and refusals name shapes."""

import struct
import unicodedata
import zipfile

import h5py
import kaldiio
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from privrep.auditing.pooling import pooled_sequences
from privrep.formats.sequences import Sequences, files_of, open_sequences, sources_of
from tests.support.array_files import KINDS
from tests.support.vector_files import refused

RNG = np.random.default_rng(0)
FRAMES = {f"u{i}": RNG.normal(size=(2 + i, 3)).astype("f").round(3) for i in range(4)}
WANTED = ["u3", "u1", "u0", "x"]


def opened(source, wanted=WANTED):
    lengths = source.replace(".npy", ".lengths") if source.endswith("/e.npy") else None
    return open_sequences(source, wanted, lengths)


def by_id(sequences):
    return {id_: sequences.read(i) for i, id_ in enumerate(sequences.ids)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_gives_the_same_frames(tmp_path, kind):
    source = KINDS[kind](tmp_path / "e", FRAMES)
    sequences = opened(source)
    assert isinstance(sequences, Sequences)
    arrays = by_id(sequences)
    assert {"u0", "u1", "u3"} <= {*arrays} <= {*FRAMES}
    for id_, array in arrays.items():
        assert array.dtype == np.float64 if "lists" in kind else np.float32
        np.testing.assert_array_equal(array.astype("f"), FRAMES[id_])
        assert sequences.path_of(id_) in files_of(source)
    if len(arrays) == 3 and kind not in ("folder", "pattern"):
        assert "1 of 4 arrays of " in " ".join(sequences.notes)


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("end_to_end", "h5_groups")])
def test_ids_that_are_paths_or_in_another_normal_form(tmp_path, kind):
    """Such as made on another system."""
    stored = {"a/Zoé": np.ones((2, 3), "f"), "b/u": np.zeros((1, 3), "f")}
    source = KINDS[kind](
        tmp_path / "e", {unicodedata.normalize("NFD", id_): array for id_, array in stored.items()}
    )
    wanted = {"a\\Zoé.wav": "a/Zoé", "./b/u.flac": "b/u"}
    arrays = by_id(opened(source, list(wanted)))
    assert {*arrays} == {*wanted}
    for id_, name in wanted.items():
        np.testing.assert_array_equal(arrays[id_], stored[name])


def test_files_in_folders_below_are_found_by_their_names(tmp_path):
    KINDS["folder"](tmp_path / "e", {f"s{i}/u{i}": FRAMES[f"u{i}"] for i in range(4)})
    sequences = opened(str(tmp_path / "e"))
    assert {*by_id(sequences)} == {"u0", "u1", "u3"} and "folders below" in sequences.notes[0]
    KINDS["folder"](tmp_path / "e", {"again/u3": FRAMES["u3"]})
    refused("utterance u3 has 2 files", opened, str(tmp_path / "e"))


def test_an_id_names_no_file_outside_of_the_folder(tmp_path):
    np.save(tmp_path / "u.npy", np.ones(3))
    KINDS["folder"](tmp_path / "e", {"v": np.ones(3)})
    arrays = by_id(opened(str(tmp_path / "e"), ["../u", str(tmp_path / "u"), "v"]))
    assert [*arrays] == ["v"]


def test_one_array_of_all_utterances_is_read_as_such(tmp_path):
    h = RNG.normal(size=(4, 3)).astype("f")
    with h5py.File(tmp_path / "h.h5", "w") as file:
        file["features"], file["id"] = h, [*FRAMES]
    with h5py.File(tmp_path / "plain.hdf5", "w") as file:
        file["group/any"] = h
    columns = {"id": [*FRAMES], **{f"h{i}": h[:, i] for i in range(3)}}
    feather.write_feather(pa.table(columns), str(tmp_path / "h.feather"))
    for name, ids in (("h.h5", [*FRAMES]), ("plain.hdf5", None), ("h.feather", [*FRAMES])):
        read = opened(str(tmp_path / name))
        assert np.array_equal(read.h, h) and read.ids == ids


def test_kaldi_of_all_kinds(tmp_path):
    vector, matrix = np.arange(4, dtype="f"), RNG.normal(size=(5, 4))
    kaldiio.save_ark(str(tmp_path / "v.ark"), {"PK1": vector, "u0": vector.astype("d")})
    arrays = by_id(opened(str(tmp_path / "v.ark"), ["PK1", "u0"]))  # PK begins a zip file too
    assert [a.tolist() for a in arrays.values()] == [vector.tolist()] * 2
    for method in (1, 2, 3, 5):
        kaldiio.save_ark(str(tmp_path / "c.ark"), {"u0": matrix}, compression_method=method)
        kaldiio.save_ark(str(tmp_path / "c.ark"), {"u1": matrix}, append=True)
        arrays = by_id(opened(str(tmp_path / "c.ark")))
        np.testing.assert_allclose(arrays["u0"], matrix, atol=0.05)
        np.testing.assert_array_equal(arrays["u1"], matrix)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.scp").write_text("u0 v.ark:4\n")  # from the folder above
    assert np.array_equal(by_id(opened(str(tmp_path / "data" / "a.scp")))["u0"], vector)


def test_sources_are_joined_by_a_plus_and_may_have_one_in_their_name(tmp_path):
    (tmp_path / "a+b").mkdir()
    assert sources_of(tmp_path / "a+b") == [str(tmp_path / "a+b")]
    assert sources_of("a.npz + b.h5") == ["a.npz", "b.h5"]


def rewritten(kind, change):
    """Writes FRAMES in a kind of file, and `change`s its bytes."""

    def write(folder):
        source = KINDS[kind](folder / "e", FRAMES)
        path = folder / source
        path.write_bytes(change(path.read_bytes()))
        return source

    return write


def text(name, content):
    def write(folder):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(folder / name)

    return write


def npy(array, lengths="1\n", name="e"):
    def write(folder):
        np.save(folder / "e.npy", array, allow_pickle=True)
        if lengths is not None:
            (folder / "e.lengths").write_text(lengths)
        return str(folder / f"{name}.npy")

    return write


def arrays(kind, content):
    return lambda folder: KINDS[kind](folder / "e", content)


def hdf5(**content):
    def write(folder):
        with h5py.File(folder / "e.h5", "w") as file:
            for name, array in content.items():
                file[name] = array
        return str(folder / "e.h5")

    return write


def bomb_h5(folder):
    with h5py.File(folder / "e.h5", "w") as file:
        file.create_dataset("u0", (1 << 20, 1 << 14), "f8", chunks=True, compression="gzip")
    return str(folder / "e.h5")


def lists(rows, ids=("u0", "u1"), write=parquet.write_table, ending="parquet"):
    def save(folder):
        columns = {"h": pa.array(rows, pa.list_(pa.list_(pa.float32())))}
        write(pa.table(columns | ({"id": ids} if ids else {})), str(folder / f"e.{ending}"))
        return str(folder / f"e.{ending}")

    return save


def two_columns(folder):
    nested = [[[1.0]], [[2.0]]]
    parquet.write_table(pa.table({"a": nested, "b": nested}), folder / "e.parquet")
    return str(folder / "e.parquet")


def zipped(name, content):
    def write(folder):
        with zipfile.ZipFile(folder / "e.npz", "w") as archive:
            for member in ("u0.npy", "u1.npy") if name is None else (name, "u1.npy"):
                archive.writestr(member, content)
        return str(folder / "e.npz")

    return write


def ark_of(key, kind, *numbers, data=b""):
    header = b"".join(b"\4" + struct.pack("<i", n) for n in numbers)
    return text("e.ark", key.encode() + b" \0B" + kind + b" " + header + data)


def half(raw):
    return raw[: len(raw) // 2]


def exported(folder):
    """A folder of folders, each with one file of all utterances, as the main job exports h."""
    for fold in ("fold_0", "fold_1"):
        (folder / "000" / fold).mkdir(parents=True)
        np.savez(folder / "000" / fold / "a.npz", h=ONE, id=np.array(["u0", "u1"]))
        (folder / "000" / fold / "labels.csv").write_text("id,speaker\n")
    return str(folder)


ONE = np.ones((2, 3), "f")
HUGE = b"\x93NUMPY\1\0\x76\0" + (
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3000), }".ljust(117) + b"\n"
)
NAN = np.array([[1, np.nan, 2]], "f")
MALFORMED = {
    # a folder or pattern
    "folder: gone": (lambda f: str(f / "gone"), "gone"),
    "folder: empty": (lambda f: str(f), "none of 4 utterances.*no files"),
    "folder: other names": (arrays("folder", {"y": ONE}), r"In .* lie y\.npy"),
    "folder: longer names": (arrays("folder", {"u0.emb": ONE}), r"is the pattern .*\{id\}\.emb"),
    "folder: whole files below": (
        exported,
        r"named itself, such as .*fold_0/a\.npz, its labels are .*fold_0/labels\.csv",
    ),
    "folder: widths": (arrays("folder", {"u0": ONE, "u1": ONE[:, :2]}), r"u1 \[2, 2\]"),
    "folder: vector and frames": (arrays("folder", {"u0": ONE, "u1": ONE[0]}), "2 kinds"),
    "folder: rank": (arrays("folder", {"u0": ONE[None]}), r"u0 has shape \[1, 2, 3\]"),
    "folder: no frames": (arrays("folder", {"u0": ONE[:0]}), r"u0 has shape \[0, 3\]"),
    "folder: scalar": (arrays("folder", {"u0": np.float32(1)}), r"u0 has shape \[\]"),
    "folder: not finite": (arrays("folder", {"u0": NAN}), "1 of 1 utterances hold NaN.*u0"),
    "folder: text": (arrays("folder", {"u0": np.array(["a"])}), r"u0 holds <U1 of shape \[1\]"),
    "folder: complex": (arrays("folder", {"u0": ONE * 1j}), "u0 holds complex64"),
    "folder: objects": (
        lambda f: np.save(f / "u0.npy", np.array([{}], object)) or str(f),
        "u0.npy: .*a pickle",
    ),
    "folder: cut off": (
        lambda f: (
            np.save(f / "u0.npy", ONE)
            or ((f / "u0.npy").write_bytes(half((f / "u0.npy").read_bytes())) and str(f))
        ),
        "u0.npy",
    ),
    "folder: empty file": (lambda f: (f / "u0.npy").touch() or str(f), "u0.npy: is empty, 0 bytes"),
    "folder: note of LFS": (
        lambda f: (f / "u0.npy").write_text("version https://git-lfs") and str(f),
        "u0.npy.*fetch the file itself",
    ),
    "pattern: no folder": (lambda f: f"{f}/no/{{id}}.npy", "no folder .*no"),
    "pattern: nothing": (lambda f: f"{f}/{{id}}.emb.npy", "none of 4 utterances"),
    # end to end
    "lengths: sum": (npy(ONE, "1\n2\n"), r"2 lengths that add up to 3, .* shape \[2, 3\]"),
    "lengths: a word": (npy(ONE, "1\nx\n"), "number 2 is 'x'"),
    "lengths: a fraction": (npy(ONE, "1.5\n0.5\n"), "number 1 is '1.5'"),
    "lengths: below zero": (npy(ONE, "-1\n3\n"), "number 1 is '-1'"),
    "lengths: zero": (npy(ONE, "2\n0\n"), "1 of 2 lengths are below 1, .* utterance 1"),
    "lengths: empty": (npy(ONE, ""), "number 1 is ''"),
    "lengths: huge": (npy(ONE, "9" * 40), "number 1 is '9999"),
    "lengths: gone": (npy(ONE, None), "no such file of lengths"),
    "lengths: of a vector": (npy(ONE[0]), r"shape \[3\]; frames end to end"),
    "lengths: of a cube": (npy(ONE[None]), r"shape \[1, 2, 3\]; frames end to end"),
    "lengths: not finite": (npy(NAN, "1\n"), "1 of 1 utterances hold NaN"),
    "lengths: text": (npy(np.array([["a"]])), r"holds <U1 of shape \[1, 1\]"),
    "lengths: objects": (npy(np.array([[{}]], object)), "e.npy: .*a pickle"),
    # npz
    "npz: gone": (lambda f: str(f / "e.npz"), "no such file"),
    "npz: empty": (text("e.npz", b""), "is empty, 0 bytes"),
    "npz: text": (text("e.npz", "id,h\n"), "is text"),
    "npz: cut off": (rewritten("npz", half), "holds less than it promises"),
    "npz: other ids": (arrays("npz", {"y": ONE, "z": ONE}), "holds y, z: name .*each array"),
    "npz: widths": (arrays("npz", {"u0": ONE, "u1": ONE[:, :2]}), r"u0 \[2, 3\], u1 \[2, 2\]"),
    "npz: no array": (zipped("u0.txt", b"x"), "e.npz: array 'u1'|no array"),
    "npz: torn member": (zipped(None, b"\x93NUMPY\1\0v\0"), "e.npz: array 'u0'"),
    "npz: promise": (zipped(None, HUGE), "e.npz: (array 'u0'|u0 promises)"),
    "npz: two forms": (arrays("npz", {"u0": ONE, "./u0": ONE}), "are both of u0"),
    # HDF5
    "h5: gone": (lambda f: str(f / "e.h5"), "no such file"),
    "h5: empty": (text("e.h5", b""), "is empty, 0 bytes"),
    "h5: text": (text("e.h5", "u0 1 2 3\n"), "is no HDF5 file|is text"),
    "h5: a numpy file": (
        lambda f: np.savez(f / "x.npz", u0=ONE) or text("e.h5", (f / "x.npz").read_bytes())(f),
        "begins as .npz files",
    ),
    "h5: cut off": (rewritten("h5", half), "is no HDF5 file, or a damaged one"),
    "h5: nothing in it": (hdf5(), "holds no array"),
    "h5: several": (hdf5(a=ONE, b=ONE), r"holds a \[2, 3\], b \[2, 3\]: name"),
    "h5: ids and rows": (hdf5(h=ONE, id=["a", "b", "c"]), "3 ids for 2 rows"),
    "h5: ids twice": (hdf5(h=ONE, id=["a", "a"]), "same id, 'a'"),
    "h5: ids of numbers": (hdf5(h=ONE, id=ONE), r"id holds float32 of shape \[2, 3\]"),
    "h5: rank": (hdf5(u0=ONE[None], u1=ONE), r"u0 has shape \[1, 2, 3\]"),
    "h5: text in it": (hdf5(u0=["a"], u1=ONE), "u0 holds object"),
    "h5: bomb": (bomb_h5, r"'u0' \[1048576, 16384\] would unpack to 137 GB"),
    # Kaldi
    "ark: gone": (lambda f: str(f / "e.ark"), "no such file"),
    "ark: text": (text("e.ark", "this is no archive\n"), "begins with b'is no ar'"),
    "ark: binary": (text("e.ark", bytes(range(1, 99))), "no Kaldi archive"),
    "ark: other keys": (arrays("ark", {"y": ONE}), "arrays of y, and of no utterance here: u3"),
    "ark: cut off": (rewritten("ark", lambda raw: raw[:-3]), r"'u3' promises \[5, 3\], to byte"),
    "ark: header cut": (ark_of("u0", b"FM"), "ends within the header of entry 'u0'"),
    "ark: promise": (ark_of("u0", b"FM", 1 << 30, 1 << 30), r"promises \[1073741824, 1073741824\]"),
    "ark: below zero": (ark_of("u0", b"FM", -1, 3), r"promises \[-1, 3\]"),
    "ark: kind": (ark_of("u0", b"XX", 1, 1), "of kind 'XX'"),
    "ark: pickle": (text("e.ark", b"u0 PKL\x80\x04."), "begins with b'PKL"),
    "ark: sound": (text("e.ark", b"u0 RIFF....WAVE"), "begins with b'RIFF"),
    "ark: brackets": (text("e.ark", "u0  [ 1 2\n"), "no closing bracket"),
    "ark: words": (text("e.ark", "u0  [ 1 two ]\n"), "no vector or matrix.*two"),
    "ark: rows": (text("e.ark", "u0  [\n1 2\n3 ]\n"), "no vector or matrix"),
    "ark: twice": (text("e.ark", "u0  [ 1 2 ]\nu0  [ 1 2 ]\n"), "'u0' comes twice"),
    "scp: command": (text("e.scp", "u0 cat /etc/passwd |\n"), "scp:1: .*is a command, .*never run"),
    "scp: no archive": (text("e.scp", "u0 no.ark:3\n"), "e.scp:1: there is no no.ark"),
    "scp: no place": (text("e.scp", "u0\n"), "e.scp:1: 'u0' is no key and a place"),
    "scp: range": (
        lambda f: arrays("ark", {"u0": ONE})(f) and text("e.scp", "u0 e.ark:3[0:1]\n")(f),
        "a range of an entry",
    ),
    "scp: offset": (
        lambda f: arrays("ark", {"u0": ONE})(f) and text("e.scp", "u0 e.ark:9999\n")(f),
        "entry 'u0' begins with b''",
    ),
    # Parquet and Arrow
    "parquet: text": (text("e.parquet", "id,h\n"), "is text"),
    "parquet: cut off": (rewritten("lists_in_parquet", half), "e.parquet"),
    "parquet: ragged": (lists([[[1.0], [1.0, 2.0]], [[1.0]]]), r"row 0 .* have 1 to 2"),
    "parquet: hole": (lists([[[1.0, None]], [[1.0, 2.0]]]), "row 0 .* lack some"),
    "parquet: no frames": (lists([None, [[1.0]]]), "row 0 .* has no frames in column 'h'"),
    "parquet: empty frames": (lists([[], [[1.0]]]), r"u0 has shape \[0, 0\]"),
    "parquet: ids twice": (lists([[[1.0]]] * 2, ["u0", "u0"]), "two rows have the id 'u0'"),
    "parquet: no id": (lists([[[1.0]]] * 2, ["u0", None]), r"row 1 \(from 0\) has no id"),
    "parquet: columns": (two_columns, "frames in columns a, b"),
    "arrow: text": (text("e.arrow", "id,h\n"), "e.arrow: is (damaged|no|text)"),
    "arrow: cut off": (rewritten("lists_in_feather", lambda raw: raw[:200]), "e.feather: is damag"),
    "arrow: stream cut off": (rewritten("lists_in_stream", half), "e.arrow: is damaged"),
    "another kind": (text("e.mat", b"MATLAB 5.0"), "cannot read .mat here, only .npy"),
}


def test_a_table_of_frames_that_would_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIVREP_MAX_GB", "0.001")
    parquet.write_table(pa.table({"id": ["u0"], "h": [[[0.0] * 400_000]]}), tmp_path / "e.parquet")
    refused("would unpack to .* over the limit of 0.001 GB", opened, str(tmp_path / "e.parquet"))


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_sources_are_refused_by_name(tmp_path, name):
    write, message = MALFORMED[name]
    source = write(tmp_path)

    def read():
        lengths = tmp_path / "e.lengths" if name.startswith("lengths") else None
        read = open_sequences(source, ["u3", "u0", "u1", "u2"], lengths)
        if isinstance(read, Sequences):
            pooled_sequences(read)

    refused(message, read)


def test_a_folder_of_whole_files_is_explained_without_ids_too(tmp_path):
    with pytest.raises(
        ValueError, match=r"have no column id\. A folder stands for .*fold_0/a\.npz"
    ):
        open_sequences(exported(tmp_path), None)
