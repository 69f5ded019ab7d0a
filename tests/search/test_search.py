"""A search drops what it may, looks at no test label on the way, and goes on where it stopped."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import main
from experiments.config.settings import FIELDS
from experiments.results import checkpoints
from experiments.results import runs_csv as results
from experiments.results.runs_csv import read_rows
from experiments.run import run_pack as packs
from experiments.run import train_pack as pack_training
from experiments.search import grid as search
from experiments.search import validation_scores as validation
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import cache_of, in_processes, run
from tests.support.searches import GRID, HALVING, SWEEP, same, search_in, unattacked

pytestmark = pytest.mark.usefixtures("quickly_compiled", "no_attack")


@pytest.fixture(scope="module")
def no_attack():
    with pytest.MonkeyPatch.context() as patched:
        unattacked(patched.setattr)
        patched.setattr(search, "AT_HAND", 3)  # programs are given up once on the way
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


@pytest.fixture(scope="module")
def halving(folder, no_attack):
    return search_in(folder, "halving", *HALVING)


def told(row):
    return tuple(row[name] for name in ("lambda", "recipe", *SWEEP, "fold"))


@pytest.mark.parametrize("kind", ["grid", "halving"])
def test_what_is_chosen_is_measured_as_ever_with_its_twin(kind, plain, request):
    """Nothing but the chosen and the ordinary networks they are compared with reaches the test, and
    in the state in which they would have without a search."""
    workdir = request.getfixturevalue(kind)
    rows = read_rows(workdir / "runs.csv")
    of_plain = {told(row): row for row in plain}
    network = ("kernel_width", "learning_rate")
    there = {(row["recipe"], *(row[n] for n in network)) for row in rows}
    chosen = read_rows(workdir / "chosen.csv")
    places = {(row["recipe"], *(row[n] for n in network)) for row in chosen}
    assert there == places | {("none", *place[1:]) for place in places}
    assert len(rows) == 5 * len(there) < len(plain)
    for row in rows:
        assert row == of_plain[told(row)]


@pytest.mark.parametrize("kind", ["grid", "halving"])
def test_a_search_keeps_no_test_score_and_nothing_of_the_losers(kind, request):
    workdir = request.getfixturevalue(kind)
    rows = read_rows(workdir / "search.csv")
    assert not [name for name in rows[0] if name.startswith(("test_", "train_"))]
    needed = {f"{row['pack']:03d}" for row in read_rows(workdir / "runs.csv")}
    assert {path.name for path in (workdir / "checkpoints").iterdir()} == needed
    assert not list((workdir / "checkpoints").glob("*/progress"))
    flags = (workdir / "flags.txt").read_text().splitlines()[len(FIELDS) :]
    assert flags == (["--search=grid"] if kind == "grid" else [*HALVING])


def test_halving_drops_runs_inside_a_pack_and_trains_less(grid, halving):
    rows = read_rows(halving / "search.csv")
    first, last = ([row for row in rows if row["rung"] == rung] for rung in (1, 3))
    assert len(first) == 60 and 5 * 3 <= len(last) <= 5 * 8 and {r["epochs"] for r in first} == {1}
    both = {told(row): row for row in read_rows(grid / "search.csv")}
    for row in last:  # it was trained on, not anew and not otherwise
        assert row["epochs"] == both[told(row)]["epochs"]
        assert row["val_emotion_uar"] == both[told(row)]["val_emotion_uar"]
    spent, of_grid = (json.loads((w / "search.json").read_text()) for w in (halving, grid))
    assert spent["run_epochs"] < of_grid["run_epochs"] <= of_grid["grid_at_most"] == 40 * 3
    assert of_grid["run_epochs"] == of_grid["grid_about"] and of_grid["finished"] == 40


def test_the_labels_of_test_speakers_are_not_there_while_it_searches():
    split = SimpleNamespace(test=np.array([[True, False, False], [False, True, False]]))
    task = np.array([[0, 1, 2], [0, 1, 2]], np.int32)

    class Tuple(SimpleNamespace):
        def _replace(self, **new):
            return Tuple(**{**vars(self), **new})

    folds = Tuple(split=split, task=task, private={"gender": task % 2})
    loaded = Tuple(packed=Tuple(data=Tuple(folds=folds)))
    found = validation.without_test_labels(loaded).packed.data.folds
    np.testing.assert_array_equal(found.task, [[-1, 1, 2], [0, -1, 2]])
    np.testing.assert_array_equal(found.private["gender"], [[-1, 1, 0], [0, -1, 0]])
    assert found.task.dtype == np.int32 and task[0, 0] == 0


def test_what_is_trained_and_scored_was_stripped_of_them(folder, monkeypatch):
    """The first pack of a grid, seen at the door of training and of scoring."""

    class Seen(Exception):
        pass

    def check(loaded):
        folds = loaded.packed.data.folds
        assert (folds.task[folds.split.test] == -1).all()
        assert (folds.private["gender"][folds.split.test] == -1).all()
        assert (folds.task[~folds.split.test] >= 0).any()

    train, doors = search.train_pack, []

    def trained(pack, loaded, *others):
        check(loaded)
        doors.append("train")
        return train(pack, loaded, *others)

    def scored(trained, loaded, configs):
        check(loaded)
        doors.append("score")
        raise Seen

    monkeypatch.setattr(search, "train_pack", trained)
    monkeypatch.setattr(search, "validated", scored)
    with pytest.raises(Seen):
        search_in(folder, "seen", *GRID)
    assert doors == ["train", "score"]


def test_stopped_anywhere_and_resumed_it_is_the_same_to_the_byte(folder, halving, monkeypatch):
    """Stopped behind or before every n-th thing that it writes, with n growing until it ends."""
    monkeypatch.setattr(pack_training, "SECONDS_BETWEEN_SAVES", 0)
    left = 0

    def stopping(f, before):
        def stopped(*arguments):
            nonlocal left
            left -= 1
            if left == 0 and before:
                raise KeyboardInterrupt
            found = f(*arguments)
            if left == 0:
                raise KeyboardInterrupt
            return found

        return stopped

    for owner, name, before in (
        (checkpoints, "save_progress", False),
        (results, "append_rows", True),
        (search, "_forget", True),
        (packs, "_measured", True),
        (main, "drop_progress", True),
    ):
        monkeypatch.setattr(owner, name, stopping(getattr(owner, name), before))
    for attempt in range(1, 40):
        left = attempt
        try:
            search_in(folder, "stopped", *HALVING, *["--resume"] * (attempt > 1))
            break
        except KeyboardInterrupt:
            continue
    assert attempt > 4
    same(folder / "stopped", halving)


def test_a_finished_search_is_reported_again_without_training(folder, halving, monkeypatch):
    shutil.copytree(halving, folder / "finished")

    def trained(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(pack_training, "fit", trained)
    search_in(folder, "finished", *HALVING, "--resume")
    same(folder / "finished", halving)
    with pytest.raises(ValueError, match="there: --search=halving"):
        search_in(folder, "finished", "--resume")


UNATTACKED = """
from absl import app
from experiments import main
from tests.support.searches import unattacked
unattacked(setattr)
app.run(main.main)
"""


def test_two_processes_search_as_one_does(folder):
    """Of one architecture, as nothing is compiled yet for two processes."""
    alone, workdir = search_in(folder, "alone", *HALVING, "--kernel_width=2"), folder / "shared"
    given = (f"--workdir={workdir}", f"--cache_dir={cache_of(workdir)}")
    done = in_processes(UNATTACKED, f"--flagfile={alone / 'flags.txt'}", *given, count=2)
    assert [process.returncode for process in done] == [0, 0], [one.stderr for one in done]
    first, second = (process.stderr for process in done)
    assert "search: 6 settings, 20 networks in 1 packs" in first
    assert "run-epochs/s" in first and "validation chooses" in first
    assert "search:" not in second
    same(workdir, alone)


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--search=grid"], "nothing to choose"),
        (["--search=grid", "--lambda=0,0.5,1", "--rungs=2"], "--rungs is for --search=halving"),
        (["--lambda=0,0.5,1", "--eta=4"], "--eta is for --search=halving"),
        (["--search=halving", "--lambda=0,0.5,1"], "none is below --max_epochs=2"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_before_anything_is_read(flags, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        run(tmp_path / "out", "--dataset=emodb", "--data_dir=nowhere", *flags)
    assert not (tmp_path / "out").exists()
