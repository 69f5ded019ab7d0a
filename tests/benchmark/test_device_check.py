"""The script for a machine with an accelerator runs in every part, at tiny sizes on a CPU."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


@pytest.mark.long
def test_every_part_of_the_device_check_runs_on_a_cpu(tmp_path):
    settings = {"DEVICE_CHECK_CPU": "1", "OUT": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", str(ROOT / "experiments/benchmark/device_check.sh")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | settings,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("versions", "correct", "growth", "train"):
        assert f"-- {part}: status 0" in (tmp_path / "log.txt").read_text()
    for figures in ("growth.json", "train.json"):
        assert json.loads((tmp_path / figures).read_text())["rows"]
