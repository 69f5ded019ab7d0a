"""Tests of text files: encodings, and lines numbered as in an editor."""

import pytest

from privrep.formats.text_files import decoded, read_lines, read_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "café"),
        (b"caf\xe9", "café"),
        (b"\x81\x8d", "\x81\x8d"),
        (b"it\x92s \x80 5\x85", "it’s € 5…"),
        ("it\u0092s".encode(), "it’s"),
        ("it\u00e2\u0080\u0099s itâ€™s JosÃ©".encode(), "it’s it’s José"),
        ("IRMÃ…” café…” Ârbore".encode(), "IRMÃ…” café…” Ârbore"),
        ("caf\u00e9\n".encode() + b"don\x92t", "café\ndon’t"),
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
        (f"{path}:2", "two…still two"),
        (f"{path}:3", "three\x0cstill three"),
        (f"{path}:4", "four"),
    ]


def test_what_was_guessed_is_counted(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("caf\u00e9\n".encode() + b"don\x92t\nyou\x92re\n")
    (note,) = decoded(path).notes
    assert "2 lines are not in UTF-8 and were read as Windows-1252" in note
    path.write_text("don\u0092t you\u0092re\n\nit\u0092s", "utf-8")
    (note,) = decoded(path).notes
    assert "3 characters in 2 lines were torn" in note
    path.write_text("café ’", "utf-8")
    assert decoded(path).notes == ()
