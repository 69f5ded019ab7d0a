"""Tests of the benchmark: its arithmetic, its processes, and every part on tiny sizes."""

import gzip
import json
import os
import statistics
import subprocess
import sys

import numpy as np
import pytest

from experiments.benchmark.contestants.ours import make_corpus
from experiments.benchmark.contestants.whole_command import run
from experiments.benchmark.rounds import (
    CHECKOUT,
    Contestant,
    RoundFigures,
    interleave,
    ratio,
    side_by_side,
)
from experiments.benchmark.rows import efficiency, installed
from experiments.benchmark.work import (
    QUICK,
    Network,
    Training,
    draw_batches,
    draw_lengths,
)


def test_drawn_lengths_are_those_of_a_corpus():
    seconds = draw_lengths(0, 100_000) / 100
    assert seconds.min() >= 1 and seconds.max() <= 12
    assert seconds.mean() == pytest.approx(4.4, abs=0.1)  # 4.5, less what is clipped above
    assert set(draw_lengths(300, 5)) == {300}


def test_every_contestant_computes_the_same_utterances():
    work = Training(Network(bands=5), frames=0, runs=1, batch=4, steps=3)
    batches = draw_batches(work, number=3, room=0)
    lengths = np.concatenate([length for _, length, *_ in batches])
    np.testing.assert_array_equal(lengths, draw_lengths(0, 12 + 4)[:12])
    for x, length, emotion, gender in batches:
        assert x.shape == (4, length.max(), 5)
        for row, n in zip(x, length):
            assert np.all(row[:n] != 0) and np.all(row[n:] == 0)
        assert set(emotion) <= {0, 1, 2} and set(gender) <= {0, 1}


def test_a_ratio_is_of_rounds_that_followed_one_another():
    slowing = [1.0, 2.0, 4.0]  # the machine slows down; the ratio stays
    ours, theirs = (
        RoundFigures(
            {},
            0.0,
            [{"units": 6, "seconds": factor * s, "cpu_seconds": factor**2} for s in slowing],
            1.0,
        )
        for factor in (1, 3)
    )
    assert ours.rates() == [6, 3, 1.5]
    assert ratio(ours, theirs) == pytest.approx(3)
    assert ratio(ours, theirs, "cpu_seconds") == pytest.approx(9)


def test_speeds_of_processes_side_by_side_are_added():
    first = {"units": 6, "seconds": 2.0, "cpu_seconds": 1.5, "peak_mb": 100.0, "facts": {}}
    slower = first | {"seconds": 3.0, "cpu_seconds": 2.5}
    both = side_by_side([first, slower])
    assert both["units"] == 12 and both["facts"] == {}
    assert both["units"] / both["seconds"] == pytest.approx(6 / 2 + 6 / 3)
    assert both["cpu_seconds"] == 4 and both["peak_mb"] == 200
    assert side_by_side([first]) == first


def test_efficiency_is_of_measured_rounds_and_compilation_of_the_first():
    rounds = [{"units": 10, "seconds": 2.0, "cpu_seconds": 3.0}]
    assert efficiency(RoundFigures({}, 9.0, rounds, 1.0)) == {
        "cores_at_work": 1.5,
        "compile_seconds": 7.0,
    }


def test_the_corpus_of_a_training_contest_holds_an_epoch():
    work = Training(Network(bands=2), frames=100, runs=1, batch=8, steps=5)
    packed = make_corpus(work)
    frames, split = packed.data.corpus.frames, packed.data.folds.split
    assert split.train[0].sum() == 40 and split.val[0].any() and split.test[0].any()
    assert len(frames.values) == frames.length.sum() == 100 * len(frames.length)
    assert not (split.train & split.val).any() and not (split.train & split.test).any()
    words = make_corpus(Training(Network(bands=7, conv_layers=0), 30, 1, 6, 1)).data.corpus
    assert words.words.values.shape[1] == 7 and words.frames is None


def test_a_contestant_that_fails_is_named_with_what_it_said():
    broken = Contestant("prepare_audio", "prepared", {"minutes": "ten"})
    with pytest.raises(RuntimeError, match=r"(?s)the broken one failed.*missing.*'workers'"):
        interleave("test", {"the broken one": broken}, rounds=1)
    command = Contestant("whole_command", "run", {"arguments": ["-c", "exit('out of luck')"]})
    with pytest.raises(RuntimeError, match=r"(?s)failed:.*out of luck"):
        interleave("test", {"command": command}, rounds=0)


def test_a_whole_command_is_timed_and_its_memory_measured():
    # From a small process, as in the benchmark: a started process inherits the peak of its starter.
    program = """
from experiments.benchmark.rounds import Contestant, interleave
command = ["-c", "import time; x = bytearray(200_000_000); time.sleep(0.3)"]
contestant = Contestant("whole_command", "run", {"arguments": command})
measured = interleave("test", {"command": contestant}, rounds=0)["command"]
print(measured.first_seconds, measured.peak_mb)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT
    )
    seconds, peak = map(float, done.stdout.split())
    assert 0.3 <= seconds < 10
    assert 200 <= peak < 2000


def test_a_command_of_another_checkout_imports_from_there_and_its_processor_time_counts(tmp_path):
    (tmp_path / "privrep.py").write_text("import time\nwhile time.process_time() < 0.3: pass\n")
    started = run(["-c", "import privrep; open('made', 'w').write(privrep.__file__)"], tmp_path)
    assert started.run_round()["cpu_seconds"] >= 0.3
    assert (tmp_path / "made").read_text() == str(tmp_path / "privrep.py")


TRAINING = {"compile_seconds", "cores_at_work"}
KEYS = {
    "prepare": {"real_time_per_core"},
    "train": TRAINING,
    "one_core": TRAINING,
    "growth": TRAINING | {"grows", "value"},
    "attack": {"compile_seconds"},
    "audit": {"seconds"},
    "job": {"seconds", "cold_seconds"},
    "encode": TRAINING | {"latency_ms", "cpu_ms", "size_mb"},
}


@pytest.mark.long
def test_every_part_prints_a_table_and_writes_figures(tmp_path):
    output = tmp_path / "figures" / "benchmark.json"
    program = [sys.executable, "-m", "experiments.benchmark", "--quick", f"--output={output}"]
    # Compiled quickly: whether it runs is the question here, not how fast.
    environment = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    command = [*program, f"--only={','.join(KEYS)}"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text())
    machine = figures["machine"]
    assert machine["cores"] >= 1 and machine["versions"]["jax"] and machine["cpu"]
    assert figures["rounds"] == QUICK.rounds and figures["quick"]
    for part, keys in KEYS.items():
        rows = [row for row in figures["rows"] if row["part"] == part]
        ours = [row for row in rows if row["contestant"].startswith("privrep")]
        if part == "growth":
            ours = rows
        assert ours and rows[0] in ours
        for row in rows:
            assert row["contestant"] in done.stdout and row["unit"] in done.stdout
            assert row["rate"] == statistics.median(row.get("rates", [row["rate"]])) > 0
            assert row["peak_mb"] > 10
        for row in ours:
            assert keys <= row.keys()
            assert all(row[key] >= 0 for key in keys - {"grows"})
        first = {row["contest"]: row for row in reversed(rows)}
        for row in rows:  # one that is compared says how often it fits into ours
            peer = row is not first[row["contest"]] and part != "growth"
            assert ("privrep_is_times" in row) == peer
    peers = [row["contestant"] for row in figures["rows"] if row["part"] == "train"]
    assert {"privrep", "flax"} <= set(peers)
    for package, name in (
        ("torch", "torch-stacked-processes"),
        ("librosa", "librosa, frames only"),
    ):
        compared = any(row["contestant"] == name for row in figures["rows"])
        assert compared == installed(package)
        assert (f"{package} is not installed" in done.stdout) != compared
    text = output.read_text()
    assert str(CHECKOUT) not in text and str(tmp_path) not in text


def benchmark(*flags):
    program = [sys.executable, "-m", "experiments.benchmark", *flags]
    return subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("flag", "valid"),
    [
        ("--only=train,speed", "prepare, train, one_core, growth, attack, audit, encode, job"),
        ("--shapes=speed", "mid, pooled, real, lexical, long, deep"),
    ],
)
def test_an_unknown_value_lists_the_known_ones(flag, valid):
    done = benchmark(flag)
    assert done.returncode == 2
    name = flag.partition("=")[0]
    assert f"{name}=speed: choose from {valid}" in done.stderr


def on_device(tmp_path):
    output = tmp_path / "device.json"
    done = benchmark("--device", "--quick", "--only=attack", f"--output={output}")
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text())
    assert figures["devices"] >= 1 and figures["device"] in done.stdout
    assert {row["contestant"] for row in figures["rows"]} == {"privrep"}
    return figures, done.stdout


@pytest.mark.long
def test_device_says_that_it_is_the_cpu(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    figures, printed = on_device(tmp_path)
    assert figures["platform"] == "cpu" and "jax sees no accelerator here" in printed


@pytest.mark.long
def test_profile_writes_what_perfetto_opens(tmp_path):
    done = benchmark("--quick", "--shapes=lexical", f"--profile={tmp_path}")
    assert done.returncode == 0, done.stderr
    (trace,) = tmp_path.rglob("perfetto_trace.json.gz")
    assert str(trace) in done.stdout
    with gzip.open(trace) as file:
        events = json.load(file)["traceEvents"]
    assert {"X", "M"} <= {event.get("ph") for event in events}  # spans, and names of threads
