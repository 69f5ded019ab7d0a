"""Result directories joined: seeds together, corpora side by side, contradictions refused."""

import json
import re
import shlex

import numpy as np
import pytest

from experiments.config.sweep import row_settings
from experiments.report.write_report import main, write_report
from experiments.results.columns import PROTECTION
from experiments.results.expected_rows import CONTROLS, wanted_runs
from experiments.results.result_directories import SETTINGS, read_results
from experiments.results.runs_csv import append_rows
from experiments.results.summary import summarise
from tests.support.result_rows import control, run


def change(difference, p):
    lower, upper = difference - 0.1, difference + 0.1
    interval = {"difference": difference, "lower": lower, "upper": upper, "p": p}
    return {f"emotion_change_{name}": value for name, value in interval.items()}


def directory(path, rows):
    path.mkdir()
    rows = [{"pack": 0, "recipe": "paper" if row["lambda"] else "none"} | row for row in rows]
    append_rows(path / "runs.csv", rows)
    return path


def seed(number, emotion=0.5, difference=0.04, p=0.01, **changed):
    return [
        run(0.0, seed=number, emotion=emotion, **changed),
        run(1.0, seed=number, emotion=emotion + difference, **changed, **change(difference, p)),
        control("raw", 0.8, seed=number, **changed),
    ]


def test_seeds_of_two_directories_join(tmp_path):
    first = directory(tmp_path / "a", seed(0))
    second = directory(tmp_path / "b", seed(1, difference=0.02, p=0.03))
    results = read_results([first, second])
    entries = {entry["settings"]["lambda"]: entry for entry in summarise(results.rows, SETTINGS)}
    assert entries[0.0]["n"] == entries[1.0]["n"] == 2
    over = entries[1.0]["over_speakers"]["emotion"]
    assert over == pytest.approx({"difference": 0.03, "lower": -0.07, "upper": 0.13, "p": 0.03})


def test_seeds_that_point_both_ways_show_nothing(tmp_path):
    first = directory(tmp_path / "a", seed(0, difference=0.05))
    second = directory(tmp_path / "b", seed(1, difference=-0.05))
    entries = summarise(read_results([first, second]).rows, SETTINGS)
    assert entries[1]["over_speakers"]["emotion"]["p"] == 1.0


def test_corpora_lie_side_by_side_and_the_same_run_counts_once(tmp_path):
    first = directory(tmp_path / "a", seed(0))
    second = directory(tmp_path / "b", [*seed(0)[:1], *seed(0, dataset="muse", prepared_hash="x")])
    results = read_results([first, second])
    assert len(results.rows) == 6 and [source.rows for source in results.sources] == [3, 3]
    assert "b: 1 rows stand in a directory named before it too." in results.notes


def test_other_scores_for_the_same_run_are_refused_unless_the_first_is_to_count(tmp_path):
    first = directory(tmp_path / "a", seed(0))
    second = directory(tmp_path / "b", seed(0, emotion=0.6))
    with pytest.raises(ValueError, match=r"a and b have other scores.*test_emotion_uar is 0\.5 "):
        read_results([first, second])
    results = read_results([first, second], keep_first=True)
    assert {row["test_emotion_uar"] for row in results.rows} == {0.5, 0.54, None}
    assert any("3 rows" in note and "2 of them with other scores" in note for note in results.notes)


def test_corpora_of_manifests_go_by_the_names_of_their_files(tmp_path):
    given = {"dataset": "manifest", "data_dir": "/x/calls.csv", "prepared_hash": "abc"}
    first = directory(tmp_path / "a", seed(0, **given))
    given |= {"data_dir": "/x/emodb.csv", "prepared_hash": "def"}
    second = directory(tmp_path / "b", seed(0, emotion=0.6, **given))
    results = read_results([first, second])
    assert len(results.rows) == 6
    assert {row["dataset"] for row in results.rows} == {"calls", "emodb (manifest)"}


@pytest.mark.parametrize("keep_first", [False, True])
def test_other_data_are_told_before_other_scores_and_never_left_out(tmp_path, keep_first):
    given = {"dataset": "manifest", "data_dir": "/x/calls.csv"}
    first = directory(tmp_path / "a", seed(0, prepared_hash="abc", **given))
    second = directory(tmp_path / "b", seed(0, emotion=0.6, prepared_hash="def", **given))
    with pytest.raises(ValueError, match=r"calls, acoustic, .* of a and b are of different data"):
        read_results([first, second], keep_first)


def test_runs_of_other_data_are_not_averaged(tmp_path):
    first = directory(tmp_path / "a", seed(0, prepared_hash="abc"))
    second = directory(tmp_path / "b", seed(1, prepared_hash="def"))
    with pytest.raises(ValueError, match=r"demo, acoustic, activation.*abc and def"):
        read_results([first, second])


def test_runs_of_two_machines_are_of_the_same_data(tmp_path):
    """The corpus lay elsewhere on the other, or had been copied at another time."""
    first = directory(tmp_path / "a", seed(0, prepared_hash="abc", data_hash="x"))
    second = directory(tmp_path / "b", seed(1, prepared_hash="def", data_hash="x"))
    third = directory(tmp_path / "c", seed(2, prepared_hash="ghi", data_hash="y"))
    assert len(read_results([first, second]).rows) == 6
    with pytest.raises(ValueError, match=r"of a and c are of different data \(hashes x and y\)"):
        read_results([first, third])


def test_where_the_data_lay_makes_no_other_setting(tmp_path):
    first = directory(tmp_path / "a", seed(0, data_dir="/x/corpus", word_vectors="/x/v.txt"))
    second = directory(tmp_path / "b", seed(1, data_dir="/y/corpus", word_vectors="/y/v.txt"))
    assert len(summarise(read_results([first, second]).rows, SETTINGS)) == 3


def test_what_is_no_result_directory_is_named(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match=r"nowhere is no folder"):
        read_results([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty holds no runs\.csv"):
        read_results([tmp_path / "empty"])
    controls = directory(tmp_path / "controls", [control("raw", 0.8)])
    with pytest.raises(ValueError, match="holds no run"):
        read_results([controls])
    (tmp_path / "other").mkdir()
    append_rows(tmp_path / "other" / "runs.csv", [{"task": "x", "fold": 0}])
    with pytest.raises(ValueError, match="has no column modality, private, lambda"):
        read_results([tmp_path / "other"])
    with pytest.raises(ValueError, match="named twice"):
        read_results([controls, tmp_path / "other" / ".." / "controls"])
    with pytest.raises(SystemExit, match=r"error: .*no runs\.csv"):
        main([str(tmp_path / "empty")])


def test_a_report_that_cannot_be_put_there_names_its_flag(tmp_path):
    folder = directory(tmp_path / "a", seed(0))
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"error: --output=.*file/x: cannot be made: Not a dir"):
        main([str(folder), f"--output={tmp_path / 'file' / 'x'}"])


def test_a_directory_without_checkpoints_is_reported_and_what_lacks_is_said(tmp_path):
    folder = directory(tmp_path / "a", seed(0))
    assert "a: no training curves of pack 000." in read_results([folder]).notes
    page = write_report([folder], tmp_path / "report").read_text(encoding="utf-8")
    assert "no training curves of pack 000" in page and "Maps of h" not in page


def test_curves_belong_to_their_runs(tmp_path):
    folder = directory(tmp_path / "a", seed(0))
    pack = folder / "checkpoints" / "000"
    pack.mkdir(parents=True)
    settings = [{"lambda": 0.0, "fold": 0}, {"lambda": 1.0, "fold": 0}]
    (pack / "runs.json").write_text(json.dumps(settings))
    np.savez(pack / "history.npz", val_emotion_uar=np.array([[0.1, 0.2], [0.3, 0.4]]))
    (plain, plain_curves), (protected, protected_curves) = read_results([folder]).curves
    assert plain["lambda"] == 0.0 and plain_curves == {"val_emotion_uar": [0.1, 0.3]}
    assert protected["lambda"] == 1.0 and protected_curves == {"val_emotion_uar": [0.2, 0.4]}
    assert plain["dense_width"] == 64  # a setting that the directory's version did not know


FLAGS = "--dataset=demo\n--folds=3\n--lambda=0,1\n--recipe=paper\n"


def planned(path):
    """A directory of 6 runs and 18 controls, as its flags plan it."""
    path.mkdir()
    (path / "flags.txt").write_text(FLAGS)
    (runs,) = wanted_runs(path).values()
    rows = [
        {"pack": 0, "control": name} | row_settings(config) | {"fold": fold, "diverged": False}
        for name, configs in ((None, runs), *((name, runs[:1]) for name in CONTROLS))
        for config in configs
        for fold in range(3)
    ]
    rows = [row | dict.fromkeys(PROTECTION) if row["control"] else row for row in rows]
    append_rows(path / "runs.csv", rows)
    return path


def test_a_table_shorter_or_longer_than_its_plan_is_refused(tmp_path):
    """Each line that can be lost, and each that can be doubled."""
    folder = planned(tmp_path / "a")
    header, *lines = (folder / "runs.csv").read_text().splitlines(True)
    assert len(lines) == 24 and len(read_results([folder]).rows) == 24
    command = f"experiments.main --flagfile={folder}/flags.txt --workdir={folder} --resume"
    for i, line in enumerate(lines):
        (folder / "runs.csv").write_text("".join([header, *lines[:i], *lines[i + 1 :]]))
        lost = f"{int(i < 6)} of 6 runs .*controls 1 of 24 rows.*fold=.*{re.escape(command)}"
        with pytest.raises(ValueError, match=lost):
            read_results([folder])
        (folder / "runs.csv").write_text("".join([header, *lines, line]))
        with pytest.raises(
            ValueError, match="1 runs stand there more than once, the first 2 times"
        ):
            read_results([folder])
    (folder / "runs.csv").write_text("".join([header, *lines, *lines]))
    with pytest.raises(ValueError, match="24 runs stand there more than once"):
        read_results([folder])
    (folder / "flags.txt").unlink()
    with pytest.raises(ValueError, match="24 runs stand there more than once"):
        read_results([folder])
    (folder / "runs.csv").write_text("".join([header, *lines]))
    (folder / "flags.txt").write_text(FLAGS.replace("0,1", "0"))
    with pytest.raises(ValueError, match=r"has 3 rows besides the 21 .*lambda=1"):
        read_results([folder])


def test_how_much_of_a_stopped_sweep_is_missing_is_said(tmp_path):
    """With the command that goes on; also of a search, and where no pack is done yet."""
    folder = planned(tmp_path / "a b")
    (folder / "runs.csv").unlink()
    with pytest.raises(ValueError) as error:
        read_results([folder])
    said = str(error.value)
    assert "a b: the sweep is not finished: 6 of 6 runs" in said and "24 of 24 rows" in said
    command = ["python", "-m", "experiments.main", f"--flagfile={folder / 'flags.txt'}"]
    assert shlex.split(said.partition("Go on with: ")[2]) == [
        *command,
        f"--workdir={folder}",
        "--resume",
    ]
    (folder / "flags.txt").write_text(FLAGS + "--search=grid\n--kernel_width=2,3\n")
    append_rows(folder / "search.csv", [{"pack": 0}])
    with pytest.raises(ValueError, match="search is not finished: 1 of 2 packs are missing"):
        read_results([folder])
