"""Tests of text files: encodings, and lines numbered as in an editor."""

import pytest

from privrep.formats.text_files import read_lines, read_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "café"),
        (b"caf\xe9", "café"),
        (b"\x81\x8d", "\x81\x8d"),
        (b"", ""),
    ],
)
def test_any_bytes_are_text(raw, text, tmp_path):
    (tmp_path / "a.txt").write_bytes(raw)
    assert read_text(tmp_path / "a.txt") == text


def test_lines_end_where_an_editor_ends_them(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\x85still two\nthree\x0cstill three\rfour")
    assert list(read_lines(path)) == [
        (f"{path}:1", "one"),
        (f"{path}:2", "two\x85still two"),
        (f"{path}:3", "three\x0cstill three"),
        (f"{path}:4", "four"),
    ]
