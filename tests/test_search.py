"""A search chooses what measuring everything would have, and looks at no test label on the way."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import checkpoints, main, pack_training, packs, results, search, validation
from experiments.choice import questions, score, settings_of
from experiments.config import FIELDS
from experiments.results import read_rows
from experiments.sweep import expand
from tests.corpora_on_disk import write_msp_improv
from tests.experiment_runs import cache_of, run

pytestmark = pytest.mark.usefixtures("quickly_compiled")

# 12 settings of 8 networks a fold: 2 architectures x 2 rates x (ordinary, posterior, reversal).
SWEEP = {"kernel_width": "2,3", "learning_rate": "0.001,0.01", "max_epochs": "3"}
HALVING = ("--search=halving", "--rungs=1", "--eta=2")
FILES = ("search.csv", "chosen.csv", "search.json", "runs.csv", "flags.txt", "summary.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    write_msp_improv(folder / "corpus", utterances_per_speaker=5)
    return folder


def again(folder, name, *more):
    flags = [f"--{name}={text}" for name, text in SWEEP.items()]
    where = ("--dataset=msp_improv", f"--data_dir={folder / 'corpus'}", "--attackers=lda+kernel")
    run(folder / name, *where, *flags, *more)
    return folder / name


@pytest.fixture(scope="module")
def plain(folder):
    """What measuring every setting says: real rows."""
    rows = read_rows(again(folder, "plain") / "runs.csv")
    return [row for row in rows if row["control"] is None]


@pytest.fixture(scope="module")
def grid(folder, plain):
    return again(folder, "grid", "--search=grid")


@pytest.fixture(scope="module")
def halving(folder, plain):
    return again(folder, "halving", *HALVING)


def told(row):
    return tuple(row[name] for name in ("lambda", "recipe", *SWEEP, "fold"))


def test_a_grid_chooses_by_validation_what_measuring_everything_would_have(grid, plain):
    searched = read_rows(grid / "search.csv")
    assert {*map(told, searched)} == {*map(told, plain)} and len(searched) == len(plain) == 60
    of_plain = {told(row): row for row in plain}
    for row in searched:
        other = of_plain[told(row)]
        for name in ("val_emotion_uar", "val_gender_attacker_uar", "val_gender_lda_uar"):
            assert row[name] == pytest.approx(other[name], abs=1e-6), name
        assert (row["best_epoch"], row["collapsed"]) == (other["best_epoch"], other["collapsed"])
    settings = settings_of(expand(SWEEP))
    scores = {}
    for row in searched:
        scores.setdefault(row["setting"], []).append(of_plain[told(row)])
    scores = {s: score(rows) for s, rows in scores.items()}
    chosen = {row["recipe"]: row for row in read_rows(grid / "chosen.csv")}
    assert {*chosen} == {"none", "posterior", "paper"}
    for numbers in questions(settings).values():
        row = chosen[settings[numbers[0]].config.recipe]
        sound = [s for s in numbers if scores[s].sound] or numbers
        assert row["of"] == len(numbers) == 4 and row["setting"] in sound
        assert scores[row["setting"]].value == max(scores[s].value for s in sound)
        assert row["selection_score"] == pytest.approx(scores[row["setting"]].value, abs=1e-6)


@pytest.mark.parametrize("kind", ["grid", "halving"])
def test_what_is_chosen_is_measured_as_ever_with_its_twin(kind, plain, request):
    """Nothing but the chosen and the ordinary networks they are compared with reaches the test."""
    workdir = request.getfixturevalue(kind)
    rows = [row for row in read_rows(workdir / "runs.csv") if row["control"] is None]
    of_plain = {told(row): row for row in plain}
    network = ("kernel_width", "learning_rate")
    there = {(row["recipe"], *(row[n] for n in network)) for row in rows}
    chosen = read_rows(workdir / "chosen.csv")
    places = {(row["recipe"], *(row[n] for n in network)) for row in chosen}
    assert there == places | {("none", *place[1:]) for place in places}
    assert len(rows) == 5 * len(there) < len(plain)
    for row in rows:
        for name in ("emotion_uar", "gender_attacker_uar", "gender_lda_uar", "gender_privacy"):
            assert row[f"test_{name}"] == of_plain[told(row)][f"test_{name}"], name
        assert row["gender_pooled_uar"] == of_plain[told(row)]["gender_pooled_uar"]
        assert row["pack"] == of_plain[told(row)]["pack"]
    table = (workdir / "summary.md").read_text()
    assert "| none |" in table and "| posterior |" in table and "| paper |" in table


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


def test_what_is_trained_and_scored_was_stripped_of_them(folder, plain, monkeypatch):
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
        again(folder, "seen", "--search=grid")
    assert doors == ["train", "score"]


@pytest.mark.parametrize("kind", ["grid", "halving"])
def test_stopped_anywhere_and_resumed_it_is_the_same_to_the_byte(
    kind, folder, request, monkeypatch
):
    """Stopped behind or before every n-th thing that it writes, with n growing until it ends."""
    whole = request.getfixturevalue(kind)
    flags = HALVING if kind == "halving" else ("--search=grid",)
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
    workdir = folder / f"stopped_{kind}"
    for attempt in range(1, 40):
        left = attempt
        try:
            again(folder, workdir.name, *flags, *["--resume"] * (attempt > 1))
            break
        except KeyboardInterrupt:
            continue
    assert attempt > 4
    for name in FILES:
        assert (workdir / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_finished_search_is_reported_again_without_training(folder, halving, monkeypatch):
    workdir = folder / "finished"
    shutil.copytree(halving, workdir)

    def trained(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(pack_training, "fit", trained)
    again(folder, "finished", *HALVING, "--resume")
    for name in FILES:
        assert (workdir / name).read_bytes() == (halving / name).read_bytes(), name
    with pytest.raises(ValueError, match="there: --search=halving"):
        again(folder, "finished", "--resume")


def test_two_processes_search_as_one_does(folder, halving):
    workdir = folder / "shared"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "experiments.main"]
    command += [f"--flagfile={halving / 'flags.txt'}", f"--workdir={workdir}"]
    command += [f"--cache_dir={cache_of(workdir)}", f"--coordinator=localhost:{port}"]
    environment = {
        **os.environ,
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # as in this process, whose programs it finds
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
    }
    started = [
        subprocess.Popen(
            [*command, "--processes=2", f"--process={i}"],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for i in range(2)
    ]
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert "search: 12 settings, 40 networks in 2 packs" in said[0][1]
    assert "run-epochs/s" in said[0][1] and "validation chooses" in said[0][1]
    assert "search:" not in said[1][1]
    for name in FILES:
        assert (workdir / name).read_bytes() == (halving / name).read_bytes(), name


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
