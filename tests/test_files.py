"""Files are replaced at once, and a seal notices whatever befalls them."""

import os
import subprocess

import pytest

from privrep.files import drop_partial, fault, replace_file, replacing, write_seal


@pytest.fixture
def seal(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a b.txt", "deep/x", "deep/er/y"):
        (tmp_path / name).write_text(f"content of {name}")
    write_seal(tmp_path / "all.sha256", [tmp_path / "a b.txt", tmp_path / "deep"])
    return tmp_path / "all.sha256"


def test_what_is_as_it_was_written_has_no_fault(seal):
    assert fault(seal) is None and fault(seal, "deep", "a b.txt") is None
    (seal.parent / "deep" / "new").write_text("another program's")
    assert fault(seal) is None
    checked = subprocess.run(
        ["sha256sum", "--check", seal.name], cwd=seal.parent, capture_output=True
    )
    assert checked.returncode == 0 and not checked.stderr


def test_every_byte_counts_of_files_and_seal(seal):
    for path in sorted(path for path in seal.parent.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        for i in range(len(whole)):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
            assert fault(seal) == f"{path} is not as it was written"
            path.write_bytes(whole[:i])
            assert fault(seal) == f"{path} is not as it was written"
        path.unlink()
        assert fault(seal) == f"{path} is missing"
        path.write_bytes(whole)
    assert fault(seal) is None


def test_what_was_not_sealed_is_not_vouched_for(seal):
    (seal.parent / "b").write_text("")
    assert fault(seal, "b") == f"{seal.parent / 'b'} is not as it was written"
    assert fault(seal, "c") == f"{seal.parent / 'c'} is missing"
    (seal.parent / "a b.txt").write_text("")
    assert fault(seal, "deep") is None


def test_a_file_is_old_or_new_and_nothing_is_left_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "file"
    replace_file(path, "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_two_writers_have_files_of_their_own(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        first.write(b"one" * 100)
        second.write(b"other")
    assert path.read_bytes() == b"one" * 100  # whose block ended last


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path):
    for name in ("file.0123abcd.partial", "film.partial", "mine.0123abcd.txt"):
        (tmp_path / name).touch()
    drop_partial([tmp_path, tmp_path / "nowhere"])
    assert sorted(os.listdir(tmp_path)) == ["film.partial", "mine.0123abcd.txt"]
