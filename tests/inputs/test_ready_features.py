"""Tests of ready features for training: any source, several side by side, and what is refused."""

import h5py
import kaldiio
import numpy as np
import pytest

from privrep.inputs.audio import UnusableUtterance
from privrep.inputs.ready_features import open_ready, read_features, ready_files

IDS = ["u0", "u1", "u2"]
FRAMES = {id_: np.random.default_rng(i).normal(size=(i + 2, 4)) for i, id_ in enumerate(IDS)}


def save_folder(folder, arrays, ending=".npy"):
    folder.mkdir(exist_ok=True)
    for id_, array in arrays.items():
        np.save(folder / f"{id_}{ending}", array)
    return folder


def save_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for id_, array in arrays.items():
            file[id_] = array
    return path


def test_arrays_become_frames(tmp_path):
    array = np.arange(6, dtype=np.float64).reshape(3, 2)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "b.c.npz", array)
    np.save(tmp_path / "v.npy", array[0].astype(np.float16))
    ready = open_ready(tmp_path, ["a", "b.c", "v"])
    for name, expected in (("a", array), ("b.c", array), ("v", array[:1])):
        features = read_features(ready, name)
        assert features.dtype == np.float32 and np.array_equal(features, expected)


def test_sources_joined_by_a_plus_stand_side_by_side(tmp_path):
    folder = save_folder(tmp_path / "a+b", FRAMES)  # a folder that has a + in its name
    hdf5 = save_h5(tmp_path / "b.h5", {id_: 2 * frames[:, :3] for id_, frames in FRAMES.items()})
    np.save(tmp_path / "c.npy", np.concatenate([*FRAMES.values()]))
    (tmp_path / "c.lengths").write_text("2\n3\n4\n")
    (tmp_path / "c.ids").write_text("u0\nu1\nu2\n")
    assert read_features(open_ready(folder, IDS), "u1").shape == (3, 4)
    with pytest.warns(UserWarning, match="Ids are those of c.ids"):
        ready = open_ready(f"{hdf5}+{tmp_path / 'c.npy'}", IDS)
    for id_, frames in FRAMES.items():
        expected = np.concatenate([2 * frames[:, :3], frames], 1).astype("f")
        assert np.array_equal(read_features(ready, id_), expected)
    files = ready_files(f"{hdf5}+{tmp_path / 'c.npy'}", IDS)
    parts = [tmp_path / f"c.{ending}" for ending in ("npy", "lengths", "ids")]
    assert files == 3 * [[hdf5, *parts]]
    save_folder(tmp_path / "short", FRAMES | {"u1": np.ones((7, 2))})
    ready = open_ready(f"{hdf5}+{tmp_path / 'short'}", IDS)
    with pytest.raises(UnusableUtterance, match=r"\[3, 3\] in b.h5, \[7, 2\] in short"):
        read_features(ready, "u1")


def test_what_an_utterance_lacks_is_its_fault_alone(tmp_path):
    folder = save_folder(tmp_path / "f", {id_: FRAMES[id_] for id_ in IDS[:2]})
    ready = open_ready(folder, IDS)
    assert read_features(ready, "u0").shape == (2, 4)
    with pytest.raises(UnusableUtterance, match="u2: feature file missing") as error:
        read_features(ready, "u2")
    assert error.value.path == folder / "u2.npy"
    assert ready_files(folder, IDS) == [[folder / f"{id_}.npy"] for id_ in IDS]
    kaldiio.save_ark(str(tmp_path / "a.ark"), {"u0": FRAMES["u0"].astype("f")})
    with pytest.raises(UnusableUtterance, match="u1: features missing"):
        read_features(open_ready(tmp_path / "a.ark", IDS), "u1")


def test_a_file_without_ids_is_whose(tmp_path):
    for name, array in (("h.npy", np.ones((3, 5))), ("t.npy", np.ones((3, 2, 5)))):
        np.save(tmp_path / name, array)
        with pytest.raises(ValueError, match="without ids") as error:
            open_ready(tmp_path / name, IDS)
        assert str(list(array.shape)) in str(error.value) and ".lengths" in str(error.value)
    np.savez(tmp_path / "h.npz", h=np.ones((3, 5)), id=["x", "y", "z"])
    with pytest.raises(ValueError, match="of no utterance here, such as u0"):
        open_ready(tmp_path / "h.npz", IDS)
    np.savez(tmp_path / "h.npz", h=np.eye(3), id=IDS[::-1])
    assert read_features(open_ready(tmp_path / "h.npz", IDS), "u0").tolist() == [[0, 0, 1]]


def test_bfloat16_is_read_and_said(tmp_path):
    array = FRAMES["u1"].astype("f")
    np.save(tmp_path / "u1.npy", (array.view(np.uint32) >> 16).astype(np.uint16).view("V2"))
    ready = open_ready(tmp_path, IDS)
    with pytest.warns(UserWarning, match="V2.* read as bfloat16"):
        assert np.allclose(read_features(ready, "u1"), array, rtol=2**-7)


def test_unusable_ready_features_name_utterance_file_and_shape(tmp_path):
    for name, array in {
        "rank": np.zeros((2, 3, 4)),
        "nan": np.array([[1.0, np.nan]]),
        "huge": np.array([[1.0, 1e300]]),
        "none": np.zeros((0, 4)),
        "text": np.array([["a", "b"]]),
        "pickle": np.array([{"a": 1}], object),
    }.items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
    np.savez(tmp_path / "two.npz", np.zeros((1, 2)), np.zeros((1, 2)))
    np.savez_compressed(tmp_path / "flate.npz", np.arange(1000.0)[:, None])
    raw = bytearray((tmp_path / "flate.npz").read_bytes())
    raw[200:220] = bytes(20)
    (tmp_path / "flate.npz").write_bytes(raw)
    (tmp_path / "half.npy").write_bytes((tmp_path / "rank.npy").read_bytes()[:150])
    reasons = {
        "rank": r"neither \[T, F\] nor \[F\] \(shape \[2, 3, 4\]\)",
        "nan": r"not finite \(shape \[1, 2\]\)",
        "huge": "not finite",
        "none": r"empty \(shape \[0, 4\]\)",
        "text": "not real numbers",
        "pickle": "unreadable",
        "two": "it holds arr_0, arr_1",
        "half": "unreadable",
        "flate": "unreadable",
        "gone": "missing",
    }
    ready = open_ready(tmp_path, list(reasons))
    for name, reason in reasons.items():
        with pytest.raises(UnusableUtterance, match=reason) as error:
            read_features(ready, name)
        assert f"utterance {name}" in str(error.value) and str(tmp_path) in str(error.value)


def test_a_git_lfs_pointer_is_named(tmp_path):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    (tmp_path / "a.npy").write_text(text)
    np.save(tmp_path / "b.npy", np.ones((3, 2)))
    with pytest.raises(UnusableUtterance, match="a Git LFS pointer in place of the file"):
        read_features(open_ready(tmp_path, ["a", "b"]), "a")
