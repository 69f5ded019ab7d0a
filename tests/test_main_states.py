"""Runs with a state per person: scored on other utterances, resumed to the byte, exported."""

import csv
import signal

import numpy as np
import pytest

from experiments.config import recipes
from experiments.results.runs_csv import read_rows
from privrep.datasets.demo import corpus as demo
from privrep.leakage.fold_measurement import measure_folds
from privrep.leakage.fold_sample import FoldSample
from privrep.types import Split
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import cache_of, in_processes, run

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quickly_compiled")]
EACH, K = 14, 6
KILLED = """
import os, signal
from absl import app
from experiments import main
from experiments.results import checkpoints
from experiments.run import train_pack
train_pack.SECONDS_BETWEEN_SAVES = 0
save = checkpoints.save_progress
def then_die(folder, epoch, *state):
    save(folder, epoch, *state)
    os.kill(os.getpid(), signal.SIGKILL)
checkpoints.save_progress = then_die
app.run(main.main)
"""


def flags(folder):
    corpus = ("--dataset=msp_improv", f"--data_dir={folder / 'corpus'}", "--task=activation")
    recipes = ("--recipe=keep,relative,posterior", "--memory=24", f"--enrolment={K}")
    return (*corpus, *recipes, "--membership=off", "--validation_scores=on", "--export=all")


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def folder(finished_once, quickly_compiled):
    def make(folder):
        write_msp_improv(folder / "corpus", utterances_per_speaker=EACH)
        run(folder / "whole", *flags(folder))

    return finished_once("states", make)


def test_all_networks_are_scored_on_the_same_utterances_that_made_no_state(folder):
    rows = [row for row in read_rows(folder / "whole" / "runs.csv") if not row["control"]]
    assert {row["recipe"] for row in rows} == {"none", "keep", "relative", "posterior"}
    assert {row["enrolment"] for row in rows} == {K}
    assert all(0 <= row["test_emotion_uar"] <= 1 for row in rows)
    assert all(row["one_emotion_enrolments"] >= 0 for row in rows)
    exported = folder / "whole" / "representations"
    ids = [np.load(path)["id"] for path in sorted(exported.rglob("*.npz"))]
    per_speaker = {np.unique([i.rpartition("-")[0] for i in of]).size for of in ids}
    assert len({frozenset(of.tolist()) for of in ids if len(of) == len(ids[0])}) >= 1
    assert {len(of) for of in ids} == {12 * (EACH - K)} and per_speaker


def test_validation_scores_are_those_of_exported_h_with_validation_in_the_place_of_test(folder):
    exported = sorted((folder / "whole" / "representations").rglob("fold_*"))
    files = {path.name for path in exported[0].glob("*recipe=keep*.npz")}
    (name,) = files
    tables = [read_table(path / "labels.csv") for path in exported]
    part = np.array([table["part"] for table in tables])
    h = np.stack([np.load(path / name)["h"] for path in exported])
    columns = [np.unique(tables[0][of], return_inverse=True)[1] for of in ("gender", "speaker")]
    session = np.unique(tables[0]["session"], return_inverse=True)[1]
    split = Split(train=part == "train", val=part == "test", test=part == "val")
    measured = measure_folds(FoldSample(h, *columns, split, session))
    rows = read_rows(folder / "whole" / "runs.csv")
    rows = [row for row in rows if row["recipe"] == "keep" and not row["control"]]
    place = "validation_gender_pooled"
    for kind, verdict in (
        ("seen", measured.by_knowledge["seen"]),
        ("own", measured.by_knowledge["own"]),
    ):
        assert {row[f"{place}_{kind}_uar"] for row in rows} == {round(verdict.uar, 6)}
    assert {row[f"{place}_uar"] for row in rows} != {row["gender_pooled_uar"] for row in rows}
    assert all(0 <= row["validation_emotion_pooled_uar"] <= 1 for row in rows)
    assert all(0 <= row["validation_activation_read_uar"] <= 1 for row in rows)


def test_killed_in_training_and_resumed_the_memory_and_states_are_the_same(folder):
    """kill -9 after the first epoch of two."""
    workdir = folder / "killed"
    given = (f"--workdir={workdir}", f"--cache_dir={cache_of(workdir)}")
    (done,) = in_processes(KILLED, f"--flagfile={folder / 'whole' / 'flags.txt'}", *given)
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = run(workdir, *flags(folder), "--resume")
    assert again == (folder / "whole" / "runs.csv").read_bytes()


RUNNING = ("--dataset=demo", "--folds=3", "--recipe=keep,relative,posterior", "--state=running")
RUNNING += (f"--enrolment={K}", "--memory=24", "--membership=off")


@pytest.fixture(scope="module")
def of_demo(finished_once, quickly_compiled):
    def make(folder):
        demo.make(folder / "cache" / "corpora" / "demo", seed=1, speakers=12, utterances=EACH)
        for state in ("running", "enrolled"):
            run(folder / state, *RUNNING, f"--state={state}")

    return finished_once("running_states", make)


def test_a_state_that_goes_on_concerns_only_what_has_a_state(of_demo):
    rows_of = {}
    for state in ("running", "enrolled"):
        rows = read_rows(of_demo / state / "runs.csv")
        assert {row["state"] for row in rows if not row["control"]} == {state}
        rows_of[state] = {
            (row["recipe"], row["fold"]): {n: v for n, v in row.items() if n != "state"}
            for row in rows
            if not row["control"]
        }
    assert {recipe for recipe, _ in rows_of["running"]} == {"none", "keep", "relative", "posterior"}
    for key, row in rows_of["running"].items():
        of_enrolment = rows_of["enrolled"][key]
        assert (row == of_enrolment) == (key[0] in ("none", "posterior")), key
        assert row["best_epoch"] == of_enrolment["best_epoch"]  # trained alike
        assert 0 <= row["test_emotion_uar"] <= 1 and 0 <= row["test_gender_attacker_uar"] <= 1


def test_a_state_that_goes_on_is_the_same_in_a_job_that_was_killed(of_demo):
    workdir = of_demo / "killed"
    given = (f"--workdir={workdir}", f"--cache_dir={cache_of(workdir)}")
    (done,) = in_processes(KILLED, f"--flagfile={of_demo / 'running' / 'flags.txt'}", *given)
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = run(workdir, *RUNNING, "--resume")
    assert again == (of_demo / "running" / "runs.csv").read_bytes()


def test_a_state_of_scored_utterances_is_called_transductive_and_never_chosen(folder, capsys):
    run(folder / "transductive", *flags(folder)[:-1], "--enrolment=0", "--export=none")
    rows = read_rows(folder / "transductive" / "runs.csv")
    names = {row["recipe"] for row in rows if not row["control"]}
    assert names == {"none", "posterior", "keep+transductive", "relative+transductive"}
    said = " ".join(capsys.readouterr().out.split())
    assert "these rows are no results to quote and are never chosen" in said
    summary = (folder / "transductive" / "summary.md").read_text(encoding="utf-8")
    assert "validation chooses" in summary and "validation chooses keep" not in summary


@pytest.mark.usefixtures("few_permutations")
def test_a_default_that_keeps_a_state_gives_way_where_it_cannot(folder, capsys, monkeypatch):
    monkeypatch.setattr(recipes, "DEFAULT", ("keep", "paper"))
    write_msp_improv(folder / "short" / "corpus", utterances_per_speaker=5)
    for where, expected in (("short", {"posterior", "paper"}), (".", {"keep", "paper"})):
        workdir = folder / where / "default"
        of_corpus = ("--dataset=msp_improv", f"--data_dir={folder / where / 'corpus'}")
        given = (*of_corpus, "--folds=3", "--lambda=1", "--membership=off")
        table = run(workdir, *given)
        rows = read_rows(workdir / "runs.csv")
        assert {row["recipe"] for row in rows if not row["control"]} == expected
        gives_way = where == "short"
        assert ("12 of 12 speakers have too few utterances" in capsys.readouterr().err) == gives_way
        text = (workdir / "flags.txt").read_text().splitlines()
        assert ("--recipe=stateless" if gives_way else "--recipe=auto") in text
        assert run(workdir, *given, "--resume") == table  # its plan is what it was
        capsys.readouterr()


def test_too_few_utterances_of_each_speaker_are_refused(folder, capsys):
    with pytest.raises(ValueError, match=r"--enrolment=20: \d+ of 12 speakers have too few"):
        few = folder / "few"
        write_msp_improv(few / "corpus", utterances_per_speaker=5)
        run(few / "out", *flags(few)[:-1], "--enrolment=20", "--export=none")
