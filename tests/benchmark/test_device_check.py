"""The check of an accelerator: every part at tiny sizes on a CPU, failures, and what is resumed."""

import json
import os
import subprocess
import sys
import time

import pytest

from experiments.benchmark import device_check, device_parts
from experiments.benchmark.device_parts import PARTS, Planned, whole_size
from experiments.benchmark.rounds import Contestant
from experiments.benchmark.rows import installed
from experiments.benchmark.work import QUICK
from privrep.networks.encoders import RECURRENCES
from privrep.unlearning.objective import PRECISIONS
from tests.support.paths import ROOT

ENDS = Planned("part", "ends", "steps/s", Contestant("ours", "no_such_function"))
ASKS = Planned("part", "asks", "steps/s", Contestant("ours", "ask_device"))


def test_a_contestant_that_fails_or_is_late_stops_no_other_and_its_line_says_why():
    until = time.monotonic() + 120
    ends, asks = device_check.measure_part([ENDS, ASKS], 1, until, quick=True)
    assert "no_such_function" in device_check.line_of(ends, 1)["error"]
    line = device_check.line_of(asks, 1)
    assert line["rate"] > 0 and line["device"] == "cpu" and "error" not in line
    (late,) = device_check.measure_part([ASKS], 1, time.monotonic() + 0.1, quick=True)
    assert "asks was not done in time" in device_check.line_of(late, 1)["error"]


def test_what_was_measured_is_not_measured_again_and_what_failed_is(tmp_path, monkeypatch):
    output, measured = tmp_path / "device.jsonl", []

    def measure_part(planned, rounds, until, quick):
        measured.extend(each.name for each in planned)
        return iter(())

    lines = [{"part": "streaming", "contest": "streaming", "contestant": "streamed", "rate": 1.0}]
    lines += [{"part": "streaming", "contestant": "on the device", "error": "was not done in time"}]
    output.write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setattr(device_check, "measure_part", measure_part)
    monkeypatch.setattr(device_check, "tables", str)
    device_check.check_device(["streaming"], output, 1.0, tiny=True)
    assert measured == ["on the device"]
    output.write_text("no json")
    with pytest.raises(ValueError, match=r"--output=.*device\.jsonl: a line of it is no JSON"):
        device_check.check_device(["streaming"], output, 1.0, tiny=True)


def test_a_precision_is_judged_by_the_loss_of_each_network_beside_float32():
    lines = [
        {"contestant": "float32", "rate": 1.0, "emotion_loss": [1.0, 2.0]},
        {"contestant": "bfloat16", "rate": 2.0, "emotion_loss": [1.5, 1.0]},
        {"contestant": "tensorfloat32", "error": "was not done in time"},
    ]
    table = device_check.in_table(lines)
    assert [line["difference"] for line in table] == [0.0, 0.75]
    assert device_check.in_table(lines[1:]) == [lines[1]]


def test_the_names_of_forms_are_those_of_the_settings():
    assert tuple(RECURRENCES) == device_parts._WAYS
    assert device_parts.PRECISIONS == PRECISIONS


def test_the_parts_name_each_contestant_once_and_end_within_the_time_that_a_device_has():
    for size in (QUICK, whole_size()):
        for name, part in PARTS.items():
            planned = part.plan(size)
            assert {each.part for each in planned} == {name}
            assert len({each.name for each in planned}) == len(planned) > 0
    assert sum(part.seconds for part in PARTS.values()) <= 600


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
    log = (tmp_path / "log.txt").read_text()
    assert all(f"-- {part}: status 0" in log for part in ("versions", "measure", "correct"))
    lines = [json.loads(line) for line in (tmp_path / "device.jsonl").read_text().splitlines()]
    assert {line["part"] for line in lines} == set(PARTS)
    assert all(line["rate"] > 0 for line in lines)
    by_name = {(line["part"], line["contestant"]): line for line in lines}
    assert by_name["kernel", "kernel, 2 networks"]["difference"] < 1e-4
    assert any("torch" in line["contestant"] for line in lines) == installed("torch")
