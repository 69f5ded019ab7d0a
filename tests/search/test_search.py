"""A search drops what it may, looks at no test label on the way, and goes on where it stopped."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import main
from experiments.config.settings import FIELDS, flag_name
from experiments.results import checkpoints, parts
from experiments.results.runs_csv import read_rows
from experiments.run import run_pack, train_pack
from experiments.search import grid as grid_search
from experiments.search import validation_scores
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import cache_of, in_processes, run
from tests.support.searches import GRID, SWEEP, same, search_in, unattacked

pytestmark = pytest.mark.usefixtures("quickly_compiled", "no_attack")


@pytest.fixture(scope="module")
def no_attack():
    with pytest.MonkeyPatch.context() as patched:
        unattacked(patched.setattr)
        patched.setattr(grid_search, "AT_HAND", 3)  # programs are given up once on the way
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    write_msp_improv(folder / "corpus", utterances_per_speaker=5)
    return folder


@pytest.fixture(scope="module")
def plain(folder, no_attack):
    """What every setting comes to without a search."""
    return read_rows(search_in(folder, "plain") / "runs.csv")


@pytest.fixture(scope="module")
def grid(folder, no_attack):
    return search_in(folder, "grid", *GRID)


def settings_of(row):
    return tuple(row[name] for name in ("lambda", "recipe", *SWEEP, "fold"))


def test_what_is_chosen_is_measured_as_ever_with_its_twin(grid, plain):
    """Nothing but the chosen and the ordinary networks they are compared with reaches the test, and
    in the state in which they would have without a search."""
    rows = read_rows(grid / "runs.csv")
    of_plain = {settings_of(row): row for row in plain}
    network = ("kernel_width", "learning_rate")
    there = {(row["recipe"], *(row[n] for n in network)) for row in rows}
    chosen = read_rows(grid / "chosen.csv")
    places = {(row["recipe"], *(row[n] for n in network)) for row in chosen}
    assert there == places | {("none", *place[1:]) for place in places}
    assert len(rows) == 5 * len(there) < len(plain)
    for row in rows:
        assert row == of_plain[settings_of(row)]


def test_a_search_keeps_no_test_score_and_nothing_of_the_losers(grid):
    rows = read_rows(grid / "search.csv")
    scores = {*rows[0]} - {*map(flag_name, FIELDS)}
    assert not [name for name in scores if name.startswith(("test_", "train_"))]
    needed = {f"{row['pack']:03d}" for row in read_rows(grid / "runs.csv")}
    assert {path.name for path in (grid / "checkpoints").iterdir()} == needed
    assert not list((grid / "checkpoints").glob("*/progress"))
    assert (grid / "flags.txt").read_text().splitlines()[len(FIELDS) :] == ["--search=grid"]


def test_a_search_says_what_it_trained(grid):
    """8 networks on each of 5 folds, and each for up to 3 epochs."""
    cost = json.loads((grid / "search.json").read_text())
    assert cost["networks"] == 40 and cost["run_epochs"] <= cost["run_epochs_limit"] == 40 * 3


def test_the_labels_of_test_speakers_are_not_there_while_it_searches():
    split = SimpleNamespace(test=np.array([[True, False, False], [False, True, False]]))
    task = np.array([[0, 1, 2], [0, 1, 2]], np.int32)

    class Tuple(SimpleNamespace):
        def _replace(self, **new):
            return Tuple(**{**vars(self), **new})

    folds = Tuple(split=split, task=task, private={"gender": task % 2})
    loaded = Tuple(packed=Tuple(data=Tuple(folds=folds), ratings=None))
    folds = validation_scores.without_test_labels(loaded).packed.data.folds
    np.testing.assert_array_equal(folds.task, [[-1, 1, 2], [0, -1, 2]])
    np.testing.assert_array_equal(folds.private["gender"], [[-1, 1, 0], [0, -1, 0]])
    assert folds.task.dtype == np.int32 and task[0, 0] == 0

    folds = folds._replace(target=np.float32([[1, 2, 3], [4, 5, 6]]))
    ratings = Tuple(values=np.array([1.0, 2.0, 3.0]), mean=np.zeros(2))
    loaded = Tuple(packed=Tuple(data=Tuple(folds=folds), ratings=ratings))
    hidden = validation_scores.without_test_labels(loaded).packed
    nan = np.nan
    np.testing.assert_array_equal(hidden.data.folds.target, [[nan, 2, 3], [4, nan, 6]])
    assert np.isnan(hidden.ratings.values).all() and hidden.ratings.mean is ratings.mean


def test_what_is_trained_and_scored_was_stripped_of_them(folder, monkeypatch):
    """The first pack of a grid, seen at the door of training and of scoring."""

    class Seen(Exception):
        pass

    def check(loaded):
        folds = loaded.packed.data.folds
        assert (folds.task[folds.split.test] == -1).all()
        assert (folds.private["gender"][folds.split.test] == -1).all()
        assert (folds.task[~folds.split.test] >= 0).any()

    train, doors = grid_search.train_pack, []

    def trained(job, loaded):
        check(loaded)
        doors.append("train")
        return train(job, loaded)

    def scored(trained, loaded, configs):
        check(loaded)
        doors.append("score")
        raise Seen

    monkeypatch.setattr(grid_search, "train_pack", trained)
    monkeypatch.setattr(grid_search, "validated", scored)
    with pytest.raises(Seen):
        search_in(folder, "seen", *GRID)
    assert doors == ["train", "score"]


def test_stopped_anywhere_and_resumed_it_is_the_same_to_the_byte(folder, grid, monkeypatch):
    """Stopped behind or before every n-th thing that it writes, with n growing until it ends."""
    monkeypatch.setattr(train_pack, "SECONDS_BETWEEN_SAVES", 0)
    left = 0

    def stopping(f, before):
        def stopped(*arguments):
            nonlocal left
            left -= 1
            if left == 0 and before:
                raise KeyboardInterrupt
            result = f(*arguments)
            if left == 0:
                raise KeyboardInterrupt
            return result

        return stopped

    for owner, name, before in (
        (checkpoints, "save_progress", False),
        (parts, "write_part", True),
        (grid_search, "_forget", True),
        (run_pack, "_measured", True),
        (main, "drop_progress", True),
    ):
        monkeypatch.setattr(owner, name, stopping(getattr(owner, name), before))
    for attempt in range(1, 40):
        left = attempt
        try:
            search_in(folder, "stopped", *GRID, *["--resume"] * (attempt > 1))
            break
        except KeyboardInterrupt:
            continue
    assert attempt > 4
    same(folder / "stopped", grid)


def test_a_finished_search_is_reported_again_without_training(folder, grid, monkeypatch):
    """Also where the corpus was moved: every table names where it lay when the search began."""
    shutil.copytree(grid, folder / "finished")

    def trained(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(train_pack, "fit", trained)
    shutil.copytree(folder / "corpus", folder / "moved")
    search_in(folder, "finished", *GRID, "--resume", f"--data_dir={folder / 'moved'}")
    same(folder / "finished", grid)
    with pytest.raises(ValueError, match="there: --search=grid"):
        search_in(folder, "finished", "--resume")


UNATTACKED = """
from absl import app
from experiments import main
from tests.support.searches import unattacked
unattacked(setattr)
app.run(main.main)
"""


@pytest.mark.long
def test_two_processes_search_as_one_does(folder):
    """Of one architecture, as nothing is compiled yet for two processes."""
    alone, workdir = search_in(folder, "alone", *GRID, "--kernel_width=2"), folder / "shared"
    given = (f"--workdir={workdir}", f"--cache_dir={cache_of(workdir)}")
    done = in_processes(UNATTACKED, f"--flagfile={alone / 'flags.txt'}", *given, count=2)
    assert [process.returncode for process in done] == [0, 0], [process.stderr for process in done]
    first, second = (process.stderr for process in done)
    assert "search: 6 settings, 20 networks in 1 packs" in first
    assert "search: trained 20 networks in" in first and "validation chooses" in first
    assert "search:" not in second
    same(workdir, alone)


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--search=grid"], "nothing to choose"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_before_anything_is_read(flags, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        run(tmp_path / "out", "--dataset=emodb", "--data_dir=nowhere", *flags)
    assert not (tmp_path / "out").exists()
