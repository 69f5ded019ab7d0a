"""One process writes to a result directory, and that it is removed or replaced is noticed."""

import shutil

import pytest

from experiments.results.writer import Writer
from privrep.lock import InUse


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "flags.txt").write_text("")
    return tmp_path / "out"


@pytest.mark.parametrize("again", ["nothing", "empty", "whole"])
def test_a_folder_that_is_removed_is_noticed(folder, again):
    with Writer(folder) as writer:
        writer.watch()
        writer.check()
        shutil.rmtree(folder)
        if again != "nothing":
            folder.mkdir()
        if again == "whole":
            (folder / "flags.txt").write_text("")
        with pytest.raises(FileNotFoundError, match=r"out was removed or replaced .* start again"):
            writer.write("search", 0, [{"pack": 0}])
        assert not (folder / "rows").exists()


def test_what_is_removed_from_a_folder_is_noticed(folder):
    with Writer(folder) as writer:
        writer.watch()
        (folder / "flags.txt").unlink()
        with pytest.raises(FileNotFoundError, match="removed or replaced"):
            writer.check()


def test_a_second_writer_is_refused_until_the_first_ends(folder):
    with Writer(folder) as writer:
        with pytest.raises(InUse, match="out is in use"), Writer(folder):
            pass
        writer.write("search", 0, [{"pack": 0}])
    with Writer(folder) as second:
        second.check()
    assert sorted(path.name for path in folder.iterdir()) == ["flags.txt", "rows", "search.csv"]
