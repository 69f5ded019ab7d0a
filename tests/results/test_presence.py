"""A result directory that is removed or replaced while a program writes to it is noticed."""

import shutil

import pytest

from experiments.results.presence import Presence


@pytest.mark.parametrize("again", ["nothing", "empty", "whole"])
def test_a_folder_that_is_removed_is_noticed(tmp_path, again):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "flags.txt").write_text("")
    presence = Presence(folder, "flags.txt")
    presence.check()
    shutil.rmtree(folder)
    if again != "nothing":
        folder.mkdir()
    if again == "whole":
        (folder / "flags.txt").write_text("")
    with pytest.raises(FileNotFoundError, match=r"out was removed or replaced .* start again"):
        presence.check()


def test_what_is_removed_from_a_folder_is_noticed(tmp_path):
    (tmp_path / "flags.txt").write_text("")
    presence = Presence(tmp_path, "flags.txt")
    (tmp_path / "flags.txt").unlink()
    with pytest.raises(FileNotFoundError, match="removed or replaced"):
        presence.check()
