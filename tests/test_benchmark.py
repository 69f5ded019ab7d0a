"""The benchmark: its arithmetic, its machinery, and every part of it on tiny sizes."""

import json
import statistics
import subprocess
import sys

import numpy as np
import pytest

from experiments.benchmark_parts import QUICK, installed
from experiments.benchmark_rounds import (
    CHECKOUT,
    Contestant,
    Measured,
    interleave,
    ratio,
    run_whole,
)
from experiments.benchmark_work import Network, draw_batches, draw_lengths, flops


def test_operations_are_those_of_every_matrix_product():
    # 32 utterances of 300 frames: by hand, forward, and twice that backward but at the input.
    rows = 32 * 300
    convolutions = 2 * rows * 3 * 64 * (2 * 40 + 3 * 64 + 3 * 64)
    recurrent = 3 * 2 * rows * 96 * (64 + 32 + 32 + 32)
    assert flops(Network(), 32, 300) == convolutions + recurrent
    assert flops(Network(), 32, 300) == pytest.approx(2.60e9, rel=0.002)
    # Pooling by two behind the first and second convolution.
    halves = 2 * 3 * 64 * (2 * rows * 40 + 3 * rows / 2 * 64 + 3 * rows / 4 * 64)
    assert flops(Network(conv_pool=2), 32, 300) == halves + recurrent / 4
    assert flops(Network(), 32, 450) == 1.5 * flops(Network(), 32, 300)


def test_drawn_lengths_are_those_of_a_corpus():
    seconds = draw_lengths(0, 100_000) / 100
    assert seconds.min() >= 1 and seconds.max() <= 12
    assert seconds.mean() == pytest.approx(4.4, abs=0.1)  # 4.5, less what is clipped above
    assert set(draw_lengths(300, 5)) == {300}


def test_every_contestant_computes_the_same_utterances():
    batches = draw_batches(Network(bands=5), batch=4, frames=0, number=3, room=0)
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
        Measured({"units": 6}, 0.0, [{"seconds": factor * s} for s in slowing], 1.0)
        for factor in (1, 3)
    )
    assert ours.rates == [6, 3, 1.5]
    assert ratio(ours, theirs) == pytest.approx(3)


def test_a_contestant_that_fails_is_named_with_what_it_said():
    broken = Contestant("benchmark_audio", "ours", {"minutes": "ten"})
    with pytest.raises(RuntimeError, match=r"(?s)the broken one failed.*missing.*'workers'"):
        interleave("test", {"the broken one": broken}, rounds=1)
    with pytest.raises(RuntimeError, match=r"(?s)failed:.*out of luck"):
        run_whole(["-c", "raise SystemExit('out of luck')"])


def test_a_whole_program_is_timed_and_weighed():
    program = "import time; x = bytearray(200_000_000); time.sleep(0.3)"
    seconds, peak = run_whole(["-c", program])
    assert 0.3 <= seconds < 10
    assert 200 <= peak < 2000


KEYS = {
    "prepare": {"real_time_per_core"},
    "train": {"gflop_per_s", "share_of_products", "computed_per_useful", "compile_seconds"},
    "attack": {"compile_seconds"},
}


def test_every_part_prints_a_table_and_writes_figures(tmp_path):
    output = tmp_path / "figures" / "benchmark.json"
    program = [sys.executable, "-m", "experiments.benchmark", "--quick", f"--output={output}"]
    done = subprocess.run(
        [*program, f"--only={','.join(KEYS)}"], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    machine = found["machine"]
    assert machine["cores"] >= 1 and machine["versions"]["jax"] and machine["cpu"]
    assert found["rounds"] == QUICK.rounds and found["quick"]
    for part, keys in KEYS.items():
        rows = [row for row in found["rows"] if row["part"] == part]
        ours = [row for row in rows if row["contestant"].startswith("privrep")]
        assert ours and rows[0] in ours
        for row in rows:
            assert row["contestant"] in done.stdout and row["unit"] in done.stdout
            assert row["rate"] == statistics.median(row["rates"]) > 0
            assert row["peak_mb"] > 10
        for row in ours:
            assert keys <= row.keys()
            assert all(row[key] >= 0 for key in keys)
        first = {row["contest"]: row for row in reversed(rows)}
        for row in rows:  # one that is compared says how often it fits into ours
            peer = row is not first[row["contest"]] and row["contestant"] != "matrix products"
            assert ("privrep_is_times" in row) == peer
    for package, name in (("torch", "torch, one by one"), ("librosa", "librosa, frames only")):
        compared = any(row["contestant"] == name for row in found["rows"])
        assert compared == installed(package)
        assert (f"{package} is not installed" in done.stdout) != compared
    text = output.read_text()
    assert str(CHECKOUT) not in text and str(tmp_path) not in text


def test_an_unknown_part_lists_the_parts():
    program = [sys.executable, "-m", "experiments.benchmark", "--only=train,speed"]
    done = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "--only=speed: choose from prepare, train, attack, demo" in done.stderr
