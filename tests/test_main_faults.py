"""Whole jobs on a system that refuses: one sentence, and nothing torn; or the same results."""

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.support.experiment_runs import SMALL
from tests.support.open_corpora_on_disk import write_manifest
from tests.support.paths import ROOT

pytestmark = pytest.mark.long
FLAGS = (*SMALL, "--folds=3", "--membership=off", "--recipe=paper", "--lambda=0", "--export=test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus in corpus/, and in whole/ what an undisturbed job leaves."""
    folder = tmp_path_factory.mktemp("faults")
    write_manifest(folder / "corpus" / "my.csv", 5, speakers=12)
    done = job(folder, "whole")
    assert done.returncode == 0, done.stderr
    return folder


def started(folder, name, *flags, environment=(), preexec=None):
    flags = (*FLAGS, "--dataset=manifest", f"--data_dir={folder / 'corpus' / 'my.csv'}", *flags)
    places = (f"--workdir={folder / name}", f"--cache_dir={folder / f'{name}_cache'}")
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.main", *places, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=ROOT,
        env={**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", **dict(environment)},
        preexec_fn=preexec,
    )


def job(*arguments, **more):
    process = started(*arguments, **more)
    out, error = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def refusal_of(done):
    """The sentence with which a job ended."""
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.stderr.endswith(sentence + "\n")
    return sentence


def check_whole(folder):
    """Every file under its final name is one."""
    for path in folder.rglob("*.npz"):
        with np.load(path) as arrays:
            assert all(arrays[name] is not None for name in arrays.files), path
    for path in folder.rglob("*.png"):
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82"), path
    for path in folder.rglob("*.pdf"):
        assert path.read_bytes().endswith(b"%%EOF\n"), path


def at_most(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [100, 3_000, 20_000])
def test_files_that_may_not_grow(folder, size):
    """RLIMIT_FSIZE stands for a full disk: a write fails in the middle of a file."""
    name = f"grown_{size}"
    if size > 3_000:  # prepared data are there
        shutil.copytree(folder / "whole_cache", folder / f"{name}_cache")
    done = job(folder, name, preexec=at_most(size))
    assert "a file may not grow so large here" in refusal_of(done)
    check_whole(folder / name)
    done = job(folder, name, "--resume")
    assert done.returncode == 0, done.stderr
    assert (folder / name / "runs.csv").read_bytes() == (folder / "whole/runs.csv").read_bytes()


@pytest.mark.parametrize("size", ["16k", "100k", "400k"])
def test_a_full_disk(folder, tmp_path, size):
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        done = job(folder, "unused", f"--workdir={tmp_path / 'out'}")
        assert "no space is left on the device" in refusal_of(done)
        check_whole(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def without_privileges():
    """Of root: it may no longer read and write what a file's mode forbids."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.parametrize("flag", ["--workdir", "--cache_dir", "--data_dir"])
def test_no_permission(folder, tmp_path, flag):
    place = tmp_path / "forbidden"
    shutil.copytree(folder / "corpus", place)
    place.chmod(0o500)
    if flag == "--data_dir":
        place = place / "my.csv"
        place.chmod(0)
    done = job(folder, "unused", f"{flag}={place}", preexec=without_privileges)
    place.chmod(0o700)
    assert str(place) in (said := refusal_of(done)) and "permission denied" in said.lower()


@pytest.mark.parametrize("seconds", [0.0, 4.0])
def test_a_workdir_that_is_removed(folder, seconds):
    process = started(folder, f"gone_{seconds:g}")
    workdir = folder / f"gone_{seconds:g}"
    while process.poll() is None and not (workdir / "checkpoints").exists():
        time.sleep(0.02)
    time.sleep(seconds)
    shutil.rmtree(workdir, ignore_errors=True)
    out, error = process.communicate()
    assert "removed" in refusal_of(
        subprocess.CompletedProcess(process.args, process.returncode, out, error)
    )


def test_a_device_that_is_missing(folder):
    done = job(folder, "unused", environment={"JAX_PLATFORMS": "tpu"})
    assert "JAX_PLATFORMS=tpu: no such device" in refusal_of(done)


@pytest.mark.parametrize(
    ("name", "environment", "preexec"),
    [
        ("x64", {"JAX_ENABLE_X64": "1"}, None),
        ("ascii", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, None),
        ("latin", {"PYTHONIOENCODING": "ascii"}, None),
        ("files", {}, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))),
    ],
)
def test_what_the_system_is_like_changes_nothing(folder, name, environment, preexec):
    done = job(folder, f"{name}_\u00f6", environment=environment, preexec=preexec)
    assert done.returncode == 0, done.stderr
    there = (folder / f"{name}_\u00f6" / "runs.csv").read_bytes()
    assert there == (folder / "whole" / "runs.csv").read_bytes()
