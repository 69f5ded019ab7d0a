"""Tests of audits of vectors and frames by utterance: every source tells what plain arrays tell."""

import shutil

import h5py
import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.pooling import pooled_blocks, pooled_sequences, side_by_side
from privrep.auditing.read_inputs import read_inputs
from privrep.cli import main
from privrep.formats.sequences import Sequences
from privrep.formats.vectors import Representations
from tests.support.audits import report_of
from tests.support.paths import ROOT
from tests.support.peak_memory import printed_by
from tests.support.vector_files import refused

IDS = [f"u{i}" for i in range(24)]
RNG = np.random.default_rng(0)
FRAMES = {id_: RNG.normal(size=(2 + i % 5, 3)).astype("f") for i, id_ in enumerate(IDS)}
LABELS = {
    "id": IDS[::-1],
    "speaker": [f"s{i % 6}" for i in range(24)],
    "gender": ["fm"[i % 2] for i in range(24)],
}


def inputs(source, labels=LABELS, **options):
    return read_inputs(str(source), labels, "gender", AuditOptions(**options))


def of_arrays(name, arrays):
    arrays = list(arrays)
    return Sequences(name, None, len(arrays), lambda i: arrays[i], lambda _: None)


@pytest.fixture
def case(tmp_path):
    """The files of a case of tests/cases, in a folder of their own."""

    def copy(name):
        return shutil.copytree(ROOT / "tests" / "cases" / name, tmp_path / name)

    return copy


def audited(folder, *flags):
    arguments = ["audit", *map(str, flags[:2]), "--attribute=gender", "--fail-above=0.60"]
    arguments += ["--attackers=linear", "--permutations=24", "--limit=0.3"]
    return main([*arguments, f"--output={folder / 'out'}", *flags[2:]])


def test_case_37_frames_end_to_end_are_cut_by_their_lengths(case, capsys):
    folder = case("37")
    files = folder / "train.npy", folder / "l.csv"
    assert audited(folder, *files) == 2
    message = capsys.readouterr().err
    for part in ("--lengths", "train.lengths", "1,294", "240", "[1294, 12]"):
        assert part in message
    assert audited(folder, *files, f"--lengths={folder / 'train.lengths'}") == 1
    report = report_of(folder)
    assert report["verdict"] == "leaks" and report["uar"] >= 0.85
    assert (report["data"]["utterances"], report["data"]["speakers"]) == (240, 24)
    assert report["data"]["shape"] == [1294, 12]
    notes = " ".join(report["data"]["notes"])
    assert "Ids are those of train.emo" in notes and "240 utterances, 3 to 8 each" in notes
    assert "--lengths=" in report["command"]
    assert {record["role"] for record in report["data"]["inputs"]} >= {"lengths"}


def test_case_40_bfloat16_is_read(case):
    folder = case("40")
    assert audited(folder, folder / "h.npy", folder / "l.csv") == 1
    report = report_of(folder)
    assert report["verdict"] == "leaks" and report["uar"] >= 0.85
    assert (report["data"]["utterances"], report["data"]["speakers"]) == (240, 24)
    assert any("bfloat16" in note for note in report["data"]["notes"])


def test_frames_of_an_utterance_are_pooled_to_mean_and_deviation(tmp_path):
    (tmp_path / "f").mkdir()
    for id_, frames in FRAMES.items():
        np.save(tmp_path / "f" / f"{id_}.npy", frames)
    read = inputs(tmp_path / "f")
    by_row = [FRAMES[id_] for id_ in read.joined.columns["id"]]
    expected = [[*frames.mean(0), *frames.std(0)] for frames in by_row]
    np.testing.assert_allclose(read.joined.h, expected, rtol=1e-5, atol=1e-6)
    assert read.shape == (sum(map(len, by_row)), 3)
    assert "24 utterances, 2 to 6 each, [T, 3], were pooled" in " ".join(read.notes)


def test_vectors_are_not_pooled_and_frames_of_one_are_vectors(tmp_path):
    for shape in ((3,), (1, 3)):
        arrays = [frames[0].reshape(shape) for frames in FRAMES.values()]
        pooled = pooled_sequences(of_arrays("x", arrays))
        assert np.array_equal(pooled.h, [frames[0] for frames in FRAMES.values()])
        assert not pooled.notes


def test_several_sources_stand_side_by_side_by_id(tmp_path):
    h = RNG.normal(size=(24, 2)).astype("f")
    np.savez(tmp_path / "a.npz", h=h, id=IDS)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        for id_ in IDS[1:]:  # one is lacking
            file[id_] = FRAMES[id_]
    read = inputs(f"{tmp_path / 'a.npz'}+{tmp_path / 'b.h5'}")
    rows = [IDS.index(id_) for id_ in read.joined.columns["id"]]
    assert sorted(rows) == list(range(1, 24)) and read.joined.h.shape == (23, 8)
    np.testing.assert_array_equal(read.joined.h[:, :2], h[rows])
    notes = " ".join(read.notes)
    assert "Columns of a.npz (2) + b.h5 (6), joined by id." in notes
    assert "1 of 24 utterances are not in all of" in notes


def test_sources_that_cannot_stand_side_by_side():
    def part(h, ids=None):
        return Representations(np.zeros(h, "f"), ids)

    for parts, message in (
        ((part((2, 3)), part((3, 3))), r"a \[2, 3\], b \[3, 3\]: without ids row i"),
        ((part((2, 3), ["x", "y"]), part((2, 3))), r"b has no ids"),
        ((part((1, 3), ["x"]), part((1, 3), ["y"])), "no id is common to all, x, y"),
        ((part((2, 3)), part((2, 4, 3))), r"b \[2, 4, 3\]: only vectors"),
    ):
        refused(message, side_by_side, list(zip("ab", parts)))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([np.ones((2, 3)), np.ones((2, 4))], r"row 0 \(from 0\) \[2, 3\], row 1 .* \[2, 4\]"),
        ([np.ones(3), np.ones((2, 3))], r"arrays of 2 kinds"),
        ([np.ones((2, 3)), np.ones((2, 2, 3))], r"row 1 \(from 0\) has shape \[2, 2, 3\]"),
        ([np.ones((0, 3))], r"shape \[0, 3\]"),
        ([np.array([["a", "b"]])], r"holds <U1 of shape \[1, 2\]"),
        ([np.array([1 + 1j])], "not real numbers"),
        ([np.array([1.0, np.nan])], "1 of 1 utterances hold NaN"),
        ([np.array([1e300])], "beyond float32"),
    ],
)
def test_arrays_that_are_no_vectors_or_frames_are_named_with_shapes(arrays, message):
    assert "x: " in refused(message, pooled_sequences, of_arrays("x", arrays))


def test_padding_is_left_out_block_by_block(monkeypatch):
    frames = RNG.normal(size=(50, 4, 3))
    length = RNG.integers(1, 5, 50)
    monkeypatch.setattr("privrep.auditing.pooling._BLOCK", 100)
    pooled = pooled_blocks(frames, length)
    for row, valid, h in zip(frames, length, pooled):
        np.testing.assert_allclose(h, [*row[:valid].mean(0), *row[:valid].std(0)], rtol=1e-5)


def test_what_a_source_needs_of_the_labels(tmp_path):
    without = {name: column for name, column in LABELS.items() if name != "id"}
    (tmp_path / "f").mkdir()
    np.save(tmp_path / "f" / "u0.embedding.npy", FRAMES["u0"])
    refused("have no column id", inputs, tmp_path / "f", without)
    message = refused("a file of none of 24 utterances", inputs, tmp_path / "f")
    assert f"{tmp_path / 'f'}/{{id}}.embedding.npy" in message
    np.savez(tmp_path / "h.npz", h=np.ones((24, 2)), id=IDS)
    with pytest.raises(ValueError, match="end to end; other sources"):
        inputs(tmp_path / "h.npz", lengths=tmp_path / "l")


# Holds more frames than the child may allocate, and pools them.
_POOL = """
import sys
import h5py, kaldiio, numpy as np
from pyarrow import parquet
from privrep.auditing.options import AuditOptions
from privrep.auditing.read_inputs import read_inputs
before = peak()
ids = [f"u{i}" for i in range(64)]
speaker = [i % 8 for i in range(64)]
labels = {"id": ids, "speaker": speaker, "gender": ["fm"[s % 2] for s in speaker]}
labels["part"] = ["train"] + ["test"] * 63
options = AuditOptions(only={"part": ["test"]} if sys.argv[2:] else None)
h = read_inputs(sys.argv[1], labels, "gender", options).sample.h
print(peak() - before, h.shape[0], np.abs(h).sum())
"""
_FRAMES = (64, 4000, 256)


@pytest.fixture(scope="module")
def whole():
    return np.random.default_rng(0).random(_FRAMES, "f")  # 256 MB


def _write_by_id(path, whole, kind):
    import kaldiio
    import pyarrow as pa
    from pyarrow import parquet

    frames = {f"u{i}": array for i, array in enumerate(whole)}
    if kind == "h5":
        with h5py.File(path, "w") as file:
            for id_, array in frames.items():
                file[id_] = array
    elif kind == "npz":
        np.savez(path, **frames)
    elif kind == "ark":
        kaldiio.save_ark(str(path), frames)
    elif kind == "folder":
        path.mkdir()
        for id_, array in frames.items():
            np.save(path / f"{id_}.npy", array)
    else:
        rows = pa.FixedSizeListArray.from_arrays(whole.ravel(), 256)
        lists = pa.ListArray.from_arrays(np.arange(65, dtype="i4") * 4000, rows)
        table = pa.table({"id": [*frames], "h": lists})
        parquet.write_table(table, path, use_dictionary=False, compression="none")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["h5", "npz", "ark", "parquet", "folder"])
def test_frames_of_all_utterances_are_never_in_memory(tmp_path, whole, kind):
    path = tmp_path / f"x.{kind}"
    _write_by_id(path, whole, kind)
    assert printed_by(_POOL, path)[0] < 130_000  # kilobytes


def _padded_h5(path, whole, **settings):
    with h5py.File(path, "w") as file:
        file.create_dataset("h", data=whole, **settings)


PADDED = {
    "npy": lambda path, whole: np.save(path, whole),
    "npz": lambda path, whole: np.savez(path, h=whole),
    "compressed npz": lambda path, whole: np.savez_compressed(path, h=whole),
    "h5": _padded_h5,
    "compressed h5": lambda path, whole: _padded_h5(path, whole, compression="lzf"),
    "bfloat16 npy": lambda path, whole: np.save(path, whole.view(np.uint16)[..., 1::2].view("V2")),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", PADDED)
def test_padded_frames_are_never_in_memory(tmp_path, whole, kind):
    """[N, T, D], of all rows and of some; pooled as those in memory are."""
    path = tmp_path / f"x.{kind.split()[-1]}"
    PADDED[kind](path, whole)
    pooled = pooled_blocks(whole, None)
    for more, rows in (((), pooled), (("some",), pooled[1:])):
        kilobytes, count, total = printed_by(_POOL, path, *more)
        assert kilobytes < 130_000 and count == len(rows)
        scaled = rows / np.exp2(np.ceil(np.log2(np.abs(rows).max(0))))
        assert total == pytest.approx(np.abs(scaled).sum(dtype="d"), rel=1e-2)
