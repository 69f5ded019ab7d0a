"""A result directory says how it was made: repeated, stopped and resumed, its runs are the same."""

import os
import shutil
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest

from experiments import main
from experiments.report import finish
from experiments.results import checkpoints
from experiments.results.result_directories import read_results
from experiments.results.runs_csv import read_rows
from experiments.run import run_pack, train_pack
from privrep.cli import main as audit
from privrep.lock import InUse, holding
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import SMALL, cache_of, in_processes, run, set_flags
from tests.support.sounds_on_disk import edit

pytestmark = pytest.mark.usefixtures("quickly_compiled")
# What goes from one epoch to the next beside the network: what the adversaries remember, their own
# optimiser, and the count of steps, of which the fifth of six is the second epoch's.
KEEP_UP = (
    *("--adversary_steps=3", "--memory=24", "--adversary_input=standardised"),
    *("--adversary_layers=0+1", "--adversary_restart=5"),
)
REVERSED = "grl+adversary_steps=3+adversary_input=standardised"  # of the recipe paper


@pytest.fixture(scope="module")
def folder(finished_once, quickly_compiled):
    """A corpus, and in whole/ what an undisturbed sweep of two packs made of it."""

    def make(folder):
        write_msp_improv(folder / "corpus", utterances_per_speaker=5)
        run(folder / "whole", *flags(folder))

    return finished_once("again", make)


def flags(folder):
    corpus = ("--dataset=msp_improv", f"--data_dir={folder / 'corpus'}")
    return (*corpus, "--task=activation,valence", "--membership=off", *KEEP_UP)


def again(folder, name, *more):
    return run(folder / name, *flags(folder), *more)


@pytest.fixture(scope="module")
def whole(folder):
    return (folder / "whole" / "runs.csv").read_bytes()


def test_flags_txt_repeats_the_runs_to_the_byte(folder, whole):
    assert run(folder / "repeated", f"--flagfile={folder / 'whole' / 'flags.txt'}") == whole
    for name in ("flags.txt", "summary.json", "summary.md"):
        before, after = ((folder / of / name).read_bytes() for of in ("whole", "repeated"))
        assert before == after, name


KILLED = """
import os, signal, sys
from functools import partial
from absl import app
from experiments import main
from experiments.results import checkpoints
from experiments.run import train_pack
import jax
# Who is gone is missed after 100 s otherwise.
jax.distributed.initialize = partial(jax.distributed.initialize, heartbeat_timeout_seconds=20)
train_pack.SECONDS_BETWEEN_SAVES = 0
save = checkpoints.save_progress
def then_die(folder, epoch, *state):
    save(folder, epoch, *state)
    if folder.name == "001" and jax.process_index() == jax.process_count() - 1:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoints.save_progress = then_die
app.run(main.main)
"""


def killed(folder, name, count=1):
    """The sweep of whole/ in folder/name, whose last process kill -9 ends in the second pack."""
    workdir = folder / name
    given = (f"--workdir={workdir}", f"--cache_dir={cache_of(workdir)}")
    flagfile = f"--flagfile={folder / 'whole' / 'flags.txt'}"
    return in_processes(KILLED, flagfile, *given, count=count)


@pytest.mark.long
def test_killed_in_training_and_resumed(folder, whole):
    """kill -9 in the second pack, after its first epoch of two."""
    (done,), workdir = killed(folder, "killed"), folder / "killed"
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert {row["task"] for row in read_rows(workdir / "runs.csv")} == {"activation"}
    assert [p.name for p in (workdir / "checkpoints" / "001" / "progress").iterdir()] == ["1"]
    assert again(folder, "killed", "--resume") == whole
    assert not (workdir / "checkpoints" / "001" / "progress").exists()


@pytest.mark.long
def test_two_processes_do_what_one_does(folder, whole):
    """One pack whole, and one until kill -9 takes the second after its first epoch of two: the
    first says so, and a single process ends it the same."""
    (first, second), workdir = killed(folder, "shared", 2), folder / "shared"
    assert second.returncode == -signal.SIGKILL, (first.stderr, second.stderr)
    assert first.returncode == 70 and "Another process has probably ended" in first.stderr
    assert "Traceback" not in first.stderr
    assert "utterances" in first.stderr and "utterances" not in second.stderr  # one speaks for both
    rows = (workdir / "runs.csv").read_bytes()
    assert len(rows.splitlines()) > 10 and whole.startswith(rows)
    assert {row["task"] for row in read_rows(workdir / "runs.csv")} == {"activation"}
    assert [p.name for p in (workdir / "checkpoints" / "001" / "progress").iterdir()] == ["1"]
    assert again(folder, "shared", "--resume") == whole
    assert not (workdir / "checkpoints" / "001" / "progress").exists()


PROGRAM = """
from absl import app
from experiments import main
app.run(main.main)
"""


@pytest.mark.long
def test_all_processes_are_told_why_the_first_may_not_write(folder, whole):
    """At once, and not when jax gives up waiting for the first."""
    workdir = folder / "in_use_by_another"
    shutil.copytree(folder / "whole", workdir)
    given = (f"--flagfile={workdir / 'flags.txt'}", f"--workdir={workdir}")
    given += (f"--cache_dir={cache_of(workdir)}",)
    with holding(workdir / "writer.lock"):
        in_use = in_processes(PROGRAM, *given, "--resume", count=2)
    used = in_processes(PROGRAM, *given, count=2)
    for ended, sentence in ((in_use, "in_use_by_another is in use"), (used, "with --resume")):
        for process in ended:
            assert process.returncode == 2 and "Traceback" not in process.stderr
            assert sentence in process.stderr.splitlines()[-1], process.stderr
            assert process.stderr.splitlines()[-1].startswith("error: ")
    assert (workdir / "runs.csv").read_bytes() == whole


# jax aborts a process whose coordinator, process 0, has gone: it waits until the other has ended,
# which gives back a lock.
TERMINATED = """
import fcntl, os, signal, time
import jax
from absl import app
from experiments import main
def experiment():
    with open(os.environ["LOCKED"], "a+") as file:
        if jax.process_index() == 0:
            while not os.path.getsize(file.name):
                time.sleep(0.1)
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
            print("locked", file=file, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
main.experiment = experiment
app.run(main.main)
"""


def test_sigterm_ends_each_of_several_processes(tmp_path, monkeypatch):
    """As a scheduler sends it; jax would rather keep it for a checkpoint that nobody makes."""
    monkeypatch.setenv("LOCKED", str(tmp_path / "locked"))
    ended = in_processes(TERMINATED, count=2)
    assert [process.returncode for process in ended] == [-signal.SIGTERM] * 2, ended[0].stderr


def half_done(folder, whole, name):
    """A copy of whole/ of which the first pack is done."""
    workdir = folder / name
    shutil.copytree(folder / "whole", workdir)
    kept = [line for line in whole.decode().splitlines(True) if not line.startswith("1,")]
    (workdir / "runs.csv").write_text("".join(kept))
    for part in (workdir / "rows").glob("runs_001.*"):
        part.unlink()
    shutil.rmtree(workdir / "checkpoints" / "001")
    return workdir


def stop(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "owner, name", [(run_pack, "_measured"), (checkpoints, "save_chosen"), (main, "drop_progress")]
)
def test_stopped_after_training_and_resumed(folder, whole, monkeypatch, owner, name):
    """Between the last epoch and the end of a pack, training is not done again."""
    workdir = half_done(folder, whole, f"stopped_{name}")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(owner, name, stop)
        again(folder, workdir.name, "--resume")
    with monkeypatch.context() as patched:
        trained = []
        fit = train_pack.fit
        patched.setattr(train_pack, "fit", lambda *a: (trained.append(e) or e for e in fit(*a)))
        assert again(folder, workdir.name, "--resume") == whole
        assert not trained


def test_a_finished_directory_is_reported_again(folder, whole, capsys):
    shutil.copytree(folder / "whole", folder / "finished")
    for name in ("summary.md", "summary.json"):
        (folder / "finished" / name).unlink()
    assert again(folder, "finished", "--resume") == whole
    assert "emotion UAR" in capsys.readouterr().out
    assert (folder / "finished" / "summary.json").exists()


def test_h_of_finished_runs_is_exported_and_audited(folder, whole, capsys):
    """What is written is what was scored, and the audit reads it without more ado."""
    workdir = folder / "exported"
    shutil.copytree(folder / "whole", workdir)
    assert again(folder, "exported", "--resume", "--export=test") == whole
    runs = [row for row in read_rows(workdir / "runs.csv") if row["control"] is None]
    pack = workdir / "checkpoints" / "000"
    described, params = checkpoints.load_chosen(pack)[0], checkpoints.load_params(pack)
    key = ("lambda", "recipe", "seed", "fold")
    first = [row for row in runs if row["pack"] == 0]
    scores = {tuple(row[n] for n in key): row["test_emotion_uar"] for row in first}
    seen = []
    for fold in range(5):
        to = workdir / "representations" / "000" / f"fold_{fold}"
        labels = read_rows(to / "labels.csv")
        assert {row["part"] for row in labels} == {"test"}
        assert {"speaker", "gender", "session", "emotion", "num_frames"} <= {*labels[0]}
        seen += [row["id"] for row in labels]
        files = sorted(path.name for path in to.glob("*.npz"))
        assert files == [
            "lambda=0_recipe=none_seed=0.npz",
            f"lambda=1_recipe={REVERSED}_seed=0.npz",
            "lambda=1_recipe=posterior_seed=0.npz",
        ]
        truth = np.array([row["emotion"] for row in labels])
        for i, run_ in enumerate(described):
            if run_["fold"] != fold:
                continue
            name = f"lambda={run_['lambda']:g}_recipe={run_['recipe']}_seed=0.npz"
            with np.load(to / name) as file:
                assert file["id"].tolist() == [row["id"] for row in labels]
                h = file["h"]
            head = params["emotion_head"]
            guessed = (h @ head["kernel"][i] + head["bias"][i]).argmax(1)
            names = np.array(["low", "mid", "high"])[guessed]
            uar = np.mean([(names == c)[truth == c].mean() for c in np.unique(truth)])
            assert uar == pytest.approx(scores[tuple(run_[n] for n in key)], abs=1e-5)
    assert len(seen) == len({*seen}) == 60  # everybody is tested once

    again(folder, "exported", "--resume", "--export=all")
    to = workdir / "representations" / "000" / "fold_0"
    arguments = [str(to / f"lambda=1_recipe={REVERSED}_seed=0.npz"), str(to / "labels.csv")]
    arguments += [f"--unprotected={to / 'lambda=0_recipe=none_seed=0.npz'}", "--attackers=linear"]
    arguments += ["--attribute=gender", "--permutations=24", f"--output={folder / 'audit'}"]
    arguments += ["--fail-on=none"]
    assert audit(["audit", *arguments]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "of 60 utterances have part train" in said and "ignorant" in said
    assert audit(["audit", *arguments, "--only=part=test"]) == 0
    assert "gender: cannot_tell. So few speakers" in capsys.readouterr().out


def test_a_used_directory_is_left_alone(folder, whole):
    with pytest.raises(ValueError, match="same flags: continue them with --resume"):
        again(folder, "whole")
    for more in ((), ("--resume",)):
        with pytest.raises(ValueError) as error:
            again(folder, "whole", "--max_epochs=3", *more)
        said = str(error.value)
        assert "there: --max_epochs=2" in said and "now:   --max_epochs=3" in said
        assert "--task" not in said
    assert (folder / "whole" / "runs.csv").read_bytes() == whole


def test_a_pack_is_not_resumed_on_another_corpus(folder, whole):
    """Neither one that was begun nor one that is finished."""
    for name in ("begun", "all_done"):
        shutil.copytree(folder / "whole", folder / name)
    (folder / "begun" / "runs.csv").unlink()
    shutil.copytree(folder / "corpus", folder / "before")
    try:
        edit(folder / "corpus" / "Evalution.txt", "V:3.000000", "V:3.100000")
        for name in ("begun", "all_done"):
            with pytest.raises(ValueError, match="000: this pack was begun on other data"):
                again(folder, name, "--resume")
    finally:
        shutil.copy2(folder / "before" / "Evalution.txt", folder / "corpus" / "Evalution.txt")


def resumed(folder, name, *flags_):
    """(bytes of runs.csv, warnings) of folder/name when it is resumed."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        rows = run(folder / name, *flags_, "--resume")
    return rows, [str(warning.message) for warning in said if warning.category is UserWarning]


def moved(folder, to):
    """The flags of the sweep of a copy of the corpus with other times."""
    shutil.copytree(folder / "corpus", to, copy_function=shutil.copyfile)
    return [flag.replace(str(folder / "corpus"), str(to)) for flag in flags(folder)]


def test_a_corpus_that_was_moved_is_the_same_corpus(folder, whole):
    shutil.copytree(folder / "whole", folder / "as_moved")
    elsewhere = moved(folder, folder / "elsewhere")
    assert run(folder / "as_moved", *elsewhere, "--resume") == whole
    edit(folder / "elsewhere" / "Evalution.txt", "V:3.000000", "V:3.100000")
    with pytest.raises(
        ValueError, match=r"begun on other data.*ratings of .*valence 3\.0, now 3\.1"
    ):
        run(folder / "as_moved", *elsewhere, "--resume")


@pytest.mark.long
def test_a_pack_is_made_on_a_corpus_that_was_moved(folder, whole):
    """Also the cache is another one."""
    workdir = half_done(folder, whole, "moved/out")
    assert run(workdir, *moved(folder, folder / "moved" / "corpus"), "--resume") == whole
    for name in ("flags.txt", "split_findings.csv", "summary.json", "checkpoints/001/runs.json"):
        assert (workdir / name).read_bytes() == (folder / "whole" / name).read_bytes(), name


def test_a_directory_in_use_is_left_alone(folder, whole):
    workdir = folder / "in_use"
    shutil.copytree(folder / "whole", workdir)
    named = f"{workdir} is in use: process {os.getpid()} on .*writes there"
    with holding(workdir / "writer.lock"), pytest.raises(InUse, match=named):
        again(folder, "in_use", "--resume")
    assert (workdir / "runs.csv").read_bytes() == whole
    assert again(folder, "in_use", "--resume") == whole
    assert not (workdir / "writer.lock").exists()


@pytest.mark.parametrize(
    "name, named",
    [
        ("runs.csv", "runs.csv is not what was written"),
        ("split_findings.csv", "split_findings.csv is not what was written"),
        ("rows/split_findings_001.csv", "split_findings_001.csv is not as it was written"),
    ],
)
def test_a_damaged_table_is_made_anew_without_training(folder, whole, monkeypatch, name, named):
    """Without a line, as a careless program leaves it."""
    workdir = folder / f"without_line_{Path(name).stem}"
    shutil.copytree(folder / "whole", workdir)
    path = workdir / name
    before = path.read_bytes()
    path.write_bytes(b"".join(before.splitlines(True)[:-1]))
    with monkeypatch.context() as patched:
        patched.setattr(train_pack, "fit", stop)
        rows, said = resumed(folder, workdir.name, *flags(folder))
    assert rows == whole and path.read_bytes() == before
    assert [line for line in said if named in line]


@pytest.mark.parametrize("name", ["*.jsonl.gz", "*.sha256"])
def test_a_damaged_record_of_the_corpus_is_made_anew(folder, whole, name):
    """It names what differs where the corpus is another one day."""
    workdir = folder / f"record_{name[2:]}"
    shutil.copytree(folder / "whole", workdir)
    (path,) = (workdir / "data").glob(name)
    before = path.read_bytes()
    path.write_bytes(before[:-9] + b"~" + before[-8:])
    rows, said = resumed(folder, workdir.name, *flags(folder))
    assert rows == whole and path.read_bytes() == before
    assert len([line for line in said if "not as it was written: it is made anew" in line]) == 1
    path.unlink()
    elsewhere = moved(folder, folder / f"elsewhere_{name[2:]}")
    edit(folder / f"elsewhere_{name[2:]}" / "Evalution.txt", "V:3.000000", "V:3.100000")
    with pytest.raises(ValueError, match=r"cannot be said: .* is missing \(--resume makes that"):
        run(workdir, *elsewhere, "--resume")
    assert not path.exists()


@pytest.mark.parametrize(
    "name", ["map.npz", "history.npz", "runs.json", "params/_CHECKPOINT_METADATA", "prepared_hash"]
)
def test_a_pack_of_which_a_file_is_damaged_is_made_anew(folder, whole, monkeypatch, name):
    """Its training, which tests of the whole job look at, is left out: it would begin."""
    workdir = folder / f"damaged_{Path(name).stem}"
    shutil.copytree(folder / "whole", workdir)
    path = workdir / "checkpoints" / "001" / name
    path.write_bytes(path.read_bytes()[:-1] + b"~")
    if name != "prepared_hash":
        with pytest.raises(ValueError, match=rf"{name} is not as it was written: .*--resume"):
            read_results([workdir]) if "params" not in name else checkpoints.load_params(
                path.parents[1]
            )
    begun = []
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(main, "run_pack", lambda job, *_: (begun.append(job.folder.name), stop()))
        resumed(folder, workdir.name, *flags(folder))
    assert begun == ["001"]
    assert {row["pack"] for row in read_rows(workdir / "runs.csv")} == {0}


def test_without_a_workdir_results_go_to_a_new_one_and_resume_goes_on_with_it(
    folder, whole, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "out" / "msp_improv"

    def run_there(*more):
        set_flags(*SMALL, f"--cache_dir={folder / 'cache'}", *flags(folder), *more)
        with monkeypatch.context() as patched:
            patched.setattr(finish, "write_report", lambda workdirs, output: None)
            main.experiment()

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(main, "run_pack", stop)
        run_there()
    (begun,) = (path for path in results.iterdir() if path.name != "latest")
    assert (results / "latest").resolve() == begun and (begun / "flags.txt").exists()

    shutil.rmtree(begun)
    shutil.copytree(folder / "whole", begun)
    run_there("--resume")
    assert {path.name for path in results.iterdir()} == {"latest", begun.name}
    assert (begun / "runs.csv").read_bytes() == whole

    shutil.copytree(begun, results / "before")
    (begun / "flags.txt").write_text((begun / "flags.txt").read_text() + "--lambda=7\n")
    with pytest.raises(ValueError, match="other flags") as raised:
        run_there("--resume")
    assert str(raised.value).endswith("present flags:\n  --workdir=out/msp_improv/before")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run_there(f"--data_dir={tmp_path / 'nowhere'}")
    assert {path.name for path in results.iterdir()} == {"latest", begun.name, "before"}
