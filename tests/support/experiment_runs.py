"""Runs of `experiments.main` on corpora of 60 short utterances, and what a finished one must hold.

The runs are of one size wherever they can be, so that they share compiled programs: 60 utterances
of 28 frames, 3 classes, 5 folds x (lambda 0 and two recipes), h of 8 numbers.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import main
from experiments.config.settings import FIELDS, flag_name
from experiments.report import finish
from experiments.report.figures.style import file_name
from experiments.results.checkpoints import load_chosen, load_params
from experiments.results.runs_csv import read_rows
from experiments.results.seeds import VERDICTS
from tests.support.paths import ROOT
from tests.support.small_data import devices

SMALL = (
    *("--conv_layers=1", "--num_kernels=8", "--gru_layers=1", "--gru_width=8", "--dense_width=8"),
    *("--adversary_layers=0", "--word_size=8", "--num_mel_bands=8", "--max_seconds=0.3"),
    *("--max_epochs=2", "--batch_size=16", "--attackers=linear"),
)
MORE = (
    "workdir",
    "name",
    "wide",
    "cache_dir",
    "resume",
    "export",
    "export_model",
    "search",
    "search_rule",
)
MORE += ("engine", "engine_options", "coordinator", "processes", "process")
CONTROLS = ("chance", "majority", "shuffled", "decision", "untrained", "raw")


def set_flags(*flags: str) -> None:
    """Sets the program's flags to their defaults and then to `flags`, as the command line does."""
    for name in (*map(flag_name, FIELDS), *MORE):
        main.FLAGS[name].unparse()
    main.FLAGS(["main", *flags])


def run(workdir: Path, *flags: str, report: bool = False) -> bytes:
    """`python -m experiments.main` at a small size, in this process. The bytes of runs.csv.

    Without `report` neither page nor figures are made, which take longer than all else.
    """
    set_flags(*SMALL, f"--cache_dir={cache_of(workdir)}", f"--workdir={workdir}", *flags)
    with pytest.MonkeyPatch.context() as patched:
        if not report:
            patched.setattr(finish, "write_report", lambda workdirs, output: None)
        main.experiment()
    return (workdir / "runs.csv").read_bytes()


def cache_of(workdir: Path) -> Path:
    return workdir.parent / "cache"


def in_processes(
    program: str, *flags: str, count: int = 1
) -> list[subprocess.CompletedProcess[str]]:
    """`python -c program` with the flags; of several processes each has a device of one job."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # as in this process, whose programs it finds
    }
    flags_of_processes: list[tuple[str, ...]] = [()]
    if count > 1:
        environment["XLA_FLAGS"] = devices(1)
        flags_of_processes = shared_by(count)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, *flags, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for more in flags_of_processes
    ]
    said = [process.communicate() for process in started]
    return [
        subprocess.CompletedProcess(process.args, process.returncode, *texts)
        for process, texts in zip(started, said)
    ]


def shared_by(count: int) -> list[tuple[str, ...]]:
    """Flags of each of several processes of one job, at a free port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = (f"--coordinator=localhost:{port}", f"--processes={count}")
    return [(*shared, f"--process={i}") for i in range(count)]


def _strict(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def check_report(folder: Path, dataset: str, task: str, private: str) -> None:
    """Asserts that the report of a finished run has its page and figures."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    of_task = f"{dataset}_{task}"
    names = [f"lambda_{of_task}_{private}", f"leakage_{of_task}_{private}", f"front_{of_task}"]
    for name in [*names, f"curves_{of_task}"]:
        name = file_name(name)
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert all((folder / "tables" / f"all.{ending}").exists() for ending in ("md", "tex", "csv"))


def check_results(
    workdir: Path,
    task: str,
    private: str,
    classes: int,
    runs: int = 15,
    controls: int = 5,
    report: bool = False,
) -> list[dict]:
    """Asserts that the directory holds everything a finished run promises; the pack's rows."""
    attributes = private.split("+")
    rows = [
        row
        for row in read_rows(workdir / "runs.csv")
        if row["task"] == task and row["private"] == private
    ]
    real = [row for row in rows if row["control"] is None]
    assert len(real) == runs
    for control in CONTROLS:
        assert len([row for row in rows if row["control"] == control]) == controls, control
    for row in rows:
        assert {*map(flag_name, FIELDS), "fold", "control", "pack", "best_epoch"} <= {*row}
        assert len(str(row["prepared_hash"])) == 16 and row["version_jax"]
        assert row["emotion_chance"] == 1 / classes
        learned = row["modality"] == "lexical" and not row["word_vectors"]
        learned = learned and not row["lexical_features"]
        for a in attributes:
            if row["control"] == "raw" and learned:  # there are no features before the network
                assert row[f"test_{a}_attacker_uar"] is None
                continue
            attacker, privacy = row[f"test_{a}_attacker_uar"], row[f"test_{a}_privacy"]
            assert 0 <= attacker <= 1 and abs(privacy - (1 - attacker)) < 2e-6
    for row in (row for row in rows if row["control"] in (None, "untrained")):
        for a in (a for a in attributes if a != "speaker"):
            assert row[f"{a}_pooled_verdict"] in VERDICTS
            assert 0 < row[f"{a}_pooled_upper"] <= 1 and 0 < row[f"{a}_pooled_p"] <= 1
            assert row[f"{a}_given_emotion_verdict"] in VERDICTS
            assert 0 <= row[f"{a}_from_emotion_uar"] <= 1
        assert row["speaker_pooled_verdict"] in VERDICTS
        assert 0 <= row["speaker_closed_set_accuracy"] <= 1
        for known in ("h", "labels") if row["membership"] == "on" else ():
            assert row[f"{known}_membership_verdict"] in VERDICTS
            assert 0 <= row[f"{known}_membership_auc"] <= row[f"{known}_membership_upper"] <= 1
        lower, score, upper = (row[f"emotion_pooled_{c}"] for c in ("lower", "uar", "upper"))
        assert 0 <= lower <= score <= upper <= 1
    for row in real:
        for place in ("emotion", *(a for a in attributes if a != "speaker")):
            change = [row[f"{place}_change_{c}"] for c in ("difference", "lower", "upper", "p")]
            if row["lambda"] == 0:
                assert change == [None] * 4
            else:
                assert change[1] <= change[0] <= change[2] and 0 < change[3] <= 1
        assert row["diverged"] is False and 1 <= row["best_epoch"] <= row["max_epochs"]
        assert row["lambda"] is not None
        assert isinstance(row["collapsed"], bool) and 0 <= row["h_rank"] <= 16
        for part in ("val", "test"):
            scores = [f"{part}_emotion_uar"]
            scores += [f"{part}_{a}_adversary_uar" for a in attributes if a != "speaker"]
            scores += [f"{part}_{a}_linear_uar" for a in attributes if a != "speaker"]
            assert all(0 <= row[score] <= 1 for score in scores), scores
    key = ("lambda", "recipe", "fold", "seed", "learning_rate")
    keys = {tuple(row[name] for name in key) for row in real}
    assert len(keys) == runs

    findings = read_rows(workdir / "split_findings.csv")
    assert {row["severity"] for row in findings} <= {"warning", "note"}
    flags = (workdir / "flags.txt").read_text().splitlines()
    assert [line.split("=")[0] for line in flags] == [f"--{flag_name(name)}" for name in FIELDS]
    json.loads((workdir / "summary.json").read_text(), parse_constant=_strict)
    table = (workdir / "summary.md").read_text()
    assert all(f"| {control} |" in table for control in CONTROLS)
    if report:
        check_report(workdir / "report", rows[0]["dataset"], task, private)
    curves = list((workdir / "tensorboard").glob(f"{real[0]['pack']:03d}_*/*/events.out.tfevents*"))
    assert len(curves) == runs and all(file.stat().st_size > 100 for file in curves)
    of_attack = [file.parent / "attack" / file.name for file in curves]
    assert all(
        b"attacker_uar" in f.read_bytes() or b"linear_uar" in f.read_bytes() for f in of_attack
    )

    folder = workdir / "checkpoints" / f"{real[0]['pack']:03d}"
    described, history = load_chosen(folder)
    assert [[row[name] for name in key] for row in described] == [
        [row[name] for name in key] for row in real
    ]
    assert history["val_emotion_uar"].shape == (2, runs)
    kernel = load_params(folder)["emotion_head"]["kernel"]
    assert kernel.shape[0] == runs and kernel.shape[2] == classes and np.isfinite(kernel).all()
    assert not list(folder.glob("progress")) and not list(folder.glob("history_*"))
    return rows
