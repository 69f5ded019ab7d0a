"""Tests of the directories that results go to where --workdir does not say it."""

import os

import pytest

from experiments.results import workdirs
from experiments.results.workdirs import (
    chosen,
    latest,
    point_latest,
    result_directory,
    results_below,
    same_flags,
)


@pytest.fixture(autouse=True)
def in_new_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def begun(path, text="--seed=0\n"):
    path.mkdir(parents=True, exist_ok=True)
    (path / "flags.txt").write_text(text)
    return path


def test_jobs_that_start_in_the_same_second_have_directories_of_their_own():
    paths = [chosen("", "", "demo", resume=False) for _ in range(3)]
    assert len({*paths}) == 3 and all(path.is_dir() for path in paths)


def test_the_latest_is_the_one_that_began_last_and_stands_for_the_corpus():
    first, second = begun(chosen("", "", "demo", False)), begun(chosen("", "", "demo", False))
    point_latest(first)
    point_latest(second)
    assert latest(workdirs.OUT / "demo") == second == result_directory(workdirs.OUT / "demo")
    assert chosen("", "", "demo", resume=True) == second
    assert result_directory(first) == first


def test_where_links_are_impossible_a_file_holds_the_name(monkeypatch):
    path = begun(chosen("", "", "demo", False))

    def refused(*_, **__):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refused)
    point_latest(path)
    assert (path.parent / "latest").read_text() == f"{path.name}\n"
    assert latest(path.parent) == path


def test_a_directory_without_results_is_no_latest_and_leaves_nothing():
    path = chosen("", "", "demo", False)
    point_latest(path)
    assert latest(path.parent) is None
    (path.parent / "latest").unlink()
    workdirs.drop_empty(path)
    assert not path.exists() and not workdirs.OUT.exists()
    path.mkdir(parents=True)
    kept = begun(path)
    workdirs.drop_empty(kept)
    assert kept.exists()


def test_a_folder_that_somebody_called_latest_is_left_alone():
    path = begun(chosen("", "", "demo", False))
    (path.parent / "latest").mkdir()
    point_latest(path)
    assert (path.parent / "latest").is_dir() and latest(path.parent) is None


def test_directories_of_the_same_flags_are_found():
    other = begun(workdirs.OUT / "demo" / "a", "--seed=1\n")
    same = [begun(workdirs.OUT / "demo" / name) for name in ("c", "b")]
    point_latest(other)
    assert same_flags(workdirs.OUT / "demo", "--seed=0\n--workdir=x\n") == same


@pytest.mark.parametrize("name", ["a/b", "..", "latest", "a b"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(ValueError, match=f"--name={name}: one folder of out/demo"):
        chosen("", name, "demo", False)


def test_a_name_is_the_last_part_and_goes_with_no_workdir():
    assert chosen("", "trial", "demo", False) == workdirs.OUT / "demo" / "trial"
    with pytest.raises(ValueError, match="give one of them"):
        chosen("elsewhere", "trial", "demo", False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_said():
    os.chmod(".", 0o500)
    with pytest.raises(ValueError, match="say with --workdir where results go"):
        chosen("", "", "demo", False)


def test_result_directories_in_a_folder_are_named(tmp_path):
    assert results_below(tmp_path) == ""
    for name in ("b", "a", "begun"):
        (tmp_path / name).mkdir()
    for name in ("b", "a"):
        (tmp_path / name / "runs.csv").touch()
    named = f"{tmp_path / 'a'}, {tmp_path / 'b'}"
    assert results_below(tmp_path) == f"; results lie in {named}: name one of these"
