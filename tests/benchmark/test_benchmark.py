"""The benchmark: its arithmetic, its machinery, and every part of it on tiny sizes."""

import gzip
import json
import os
import statistics
import subprocess
import sys

import numpy as np
import pytest

from experiments.benchmark.contestants.ours import make_corpus, rows_computed
from experiments.benchmark.rounds import (
    CHECKOUT,
    Contestant,
    Measured,
    interleave,
    ratio,
    run_whole,
    side_by_side,
)
from experiments.benchmark.rows import efficiency, installed
from experiments.benchmark.work import (
    QUICK,
    SHAPES,
    Network,
    draw_batches,
    draw_lengths,
    flops,
    padded_facts,
)
from experiments.config import build, sweep
from experiments.config.settings import Config


def test_operations_are_those_of_every_matrix_product():
    # 32 utterances of 300 frames: by hand, forward, and twice that backward but at the input.
    rows = 32 * 300
    convolutions = 2 * rows * 3 * 64 * (2 * 40 + 3 * 64 + 3 * 64)
    recurrent = 3 * 2 * rows * 96 * (64 + 32 + 32 + 32)
    assert flops(Network(), 32, 300) == (convolutions, recurrent)
    assert sum(flops(Network(), 32, 300)) == pytest.approx(2.60e9, rel=0.002)
    # Pooling by two behind the first and second convolution.
    halves = 2 * 3 * 64 * (2 * rows * 40 + 3 * rows / 2 * 64 + 3 * rows / 4 * 64)
    assert flops(Network(conv_pool=2), 32, 300) == (halves, recurrent / 4)
    # Words: the input products of the first layer have no gradient to give to what lies below.
    words = 32 * 30 * 2 * 96 * (2 * 300 + 3 * 32 + 3 * 32 + 3 * 32)
    assert flops(SHAPES["lexical"].network, 32, 30) == (0, words)


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
        Measured(
            {"units": 6},
            0.0,
            [{"seconds": factor * s, "cpu_seconds": factor**2} for s in slowing],
            1.0,
        )
        for factor in (1, 3)
    )
    assert ours.rates() == [6, 3, 1.5]
    assert ratio(ours, theirs) == pytest.approx(3)
    assert ratio(ours, theirs, "cpu_seconds") == pytest.approx(9)


def test_speeds_of_processes_side_by_side_are_added():
    one = {"facts": {"units": 6, "threads": 1}, "seconds": 2.0, "cpu_seconds": 1.5}
    slower = one | {"seconds": 3.0, "cpu_seconds": 2.5}
    both = side_by_side([one, slower])
    assert both["facts"] == {"units": 12, "threads": 1}
    assert both["facts"]["units"] / both["seconds"] == pytest.approx(6 / 2 + 6 / 3)
    assert both["cpu_seconds"] == 4
    assert side_by_side([one]) == one


def test_wasted_rows_count_by_what_they_cost():
    facts = {"units": 10, "useful_frames": 300.0, "conv_per_useful": 3.0, "gru_per_useful": 1.0}
    one = Measured(facts, 9.0, [{"seconds": 2.0, "cpu_seconds": 3.0}], 1.0)
    peak = Measured({"units": 52.0}, 1.0, [{"seconds": 1.0}], 1.0)
    found = efficiency(one, peak, Network(), batch=32)
    convolutions, recurrent = flops(Network(), 32, 300)
    useful = convolutions + recurrent
    assert found["computed_per_useful"] == pytest.approx((3 * convolutions + recurrent) / useful)
    assert found["gflop_per_s"] == pytest.approx(5 * useful / 1e9)
    assert found["share_of_products"] == pytest.approx(5 * useful / 52e9)
    assert found["cores_at_work"] == 1.5 and found["compile_seconds"] == 7


def test_rows_of_padded_batches():
    facts = padded_facts(
        [(np.zeros((2, 8, 1)), np.array([8, 4])), (np.zeros((2, 4, 1)), np.full(2, 4))]
    )
    assert facts["useful_frames"] == 5
    assert facts["conv_per_useful"] == facts["gru_per_useful"] == 6 / 5


def _architecture(network, packed):
    config = Config(conv_pool=network.conv_pool, modality=network.modality)
    return build.architecture(sweep.Pack(config, (config,)), packed)


def test_rows_that_training_computes():
    """More than the useful ones; padded, as on an accelerator, the padded ones."""
    network = Network(bands=2)
    packed, length = make_corpus(network, 320, frames=0)
    here = _architecture(network, packed)
    found = rows_computed(here, length, batch=32)
    assert 1 < found["conv_per_useful"] < 1.2 and 1 < found["gru_per_useful"] < 1.5
    padded = rows_computed(here._replace(fill=None), length, batch=32)
    assert padded["gru_per_useful"] == pytest.approx(packed.longest[0] / length.mean(), rel=0.02)
    assert padded["conv_per_useful"] == padded["gru_per_useful"]
    # One batch of utterances of one length: 100 frames are seven turns of 16 steps.
    packed, length = make_corpus(network, 320, frames=100)
    found = rows_computed(_architecture(network, packed), length, batch=32)
    assert found["gru_per_useful"] == pytest.approx(1.12)


def test_a_corpus_grows_in_speakers_and_hours():
    packed, length = make_corpus(Network(bands=2), 40, frames=100, speakers=8, hours=0.5)
    assert packed.num_private == {"speaker": 8}
    frames, train = packed.data.corpus.frames, packed.data.folds.split.train[0]
    assert train.sum() == len(length) == 40 and set(
        packed.data.folds.private["speaker"][0, train]
    ) == set(range(8))
    assert len(frames.values) == frames.length.sum() == 0.5 * 3600 * 100
    words, _ = make_corpus(Network(bands=7, conv_layers=0), 6, frames=30)
    assert words.data.corpus.words.values.shape == (300, 7) and words.data.corpus.frames is None


def test_a_contestant_that_fails_is_named_with_what_it_said():
    broken = Contestant("prepare_audio", "ours", {"minutes": "ten"})
    with pytest.raises(RuntimeError, match=r"(?s)the broken one failed.*missing.*'workers'"):
        interleave("test", {"the broken one": broken}, rounds=1)
    with pytest.raises(RuntimeError, match=r"(?s)failed:.*out of luck"):
        run_whole(["-c", "raise SystemExit('out of luck')"])


def test_a_whole_program_is_timed_and_weighed():
    # From a process of its own, as the benchmark is: what this one weighs, which starts it, would
    # count as the program's until that begins.
    program = """
from experiments.benchmark.rounds import run_whole
print(*run_whole(["-c", "import time; x = bytearray(200_000_000); time.sleep(0.3)"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT
    )
    seconds, peak = map(float, done.stdout.split())
    assert 0.3 <= seconds < 10
    assert 200 <= peak < 2000


TRAINING = {
    *("gflop_per_s", "share_of_products", "compile_seconds", "cores_at_work"),
    *("computed_per_useful", "gru_per_useful"),
}
KEYS = {
    "prepare": {"real_time_per_core"},
    "train": TRAINING | {"conv_per_useful"},
    "one_core": TRAINING,
    "growth": TRAINING | {"conv_per_useful", "grows", "value"},
    "attack": {"compile_seconds"},
    "audit": {"seconds"},
}


def test_every_part_prints_a_table_and_writes_figures(tmp_path):
    output = tmp_path / "figures" / "benchmark.json"
    program = [sys.executable, "-m", "experiments.benchmark", "--quick", f"--output={output}"]
    # Compiled quickly: whether it runs is the question here, not how fast.
    environment = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    command = [*program, f"--only={','.join(KEYS)}"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    machine = found["machine"]
    assert machine["cores"] >= 1 and machine["versions"]["jax"] and machine["cpu"]
    assert found["rounds"] == QUICK.rounds and found["quick"]
    for part, keys in KEYS.items():
        rows = [row for row in found["rows"] if row["part"] == part]
        ours = [row for row in rows if row["contestant"].startswith("privrep")]
        if part == "growth":
            ours = rows
        assert ours and rows[0] in ours
        for row in rows:
            assert row["contestant"] in done.stdout and row["unit"] in done.stdout
            assert row["rate"] == statistics.median(row["rates"]) > 0
            assert row["peak_mb"] > 10
        for row in ours:
            assert keys <= row.keys()
            assert all(row[key] >= 0 for key in keys - {"grows"})
        first = {row["contest"]: row for row in reversed(rows)}
        for row in rows:  # one that is compared says how often it fits into ours
            peer = row is not first[row["contest"]] and row["contestant"] != "matrix products"
            assert ("privrep_is_times" in row) == peer
    peers = [row["contestant"] for row in found["rows"] if row["part"] == "train"]
    assert {"flax", "flax-vmap"} <= set(peers)
    for package, name in (
        ("torch", "torch-stacked-processes"),
        ("librosa", "librosa, frames only"),
    ):
        compared = any(row["contestant"] == name for row in found["rows"])
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
        ("--only=train,speed", "prepare, train, one_core, growth, attack, audit, demo"),
        ("--shapes=speed", "mid, pooled, real, lexical, long, deep"),
        ("--peers=speed", "flax, flax-vmap, torch, torch-packed, torch-processes"),
    ],
)
def test_an_unknown_value_lists_the_known_ones(flag, valid):
    done = benchmark(flag)
    assert done.returncode != 0
    name = flag.partition("=")[0]
    assert f"{name}=speed: choose from {valid}" in done.stderr


def on_device(tmp_path):
    output = tmp_path / "device.json"
    done = benchmark("--device", "--quick", "--only=attack", f"--output={output}")
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    assert found["devices"] >= 1 and found["device"] in done.stdout
    assert {row["contestant"] for row in found["rows"]} == {"privrep"}
    return found, done.stdout


def test_device_says_that_it_is_the_cpu(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    found, said = on_device(tmp_path)
    assert found["platform"] == "cpu" and "jax sees no accelerator here" in said


def test_profile_writes_what_perfetto_opens(tmp_path):
    done = benchmark("--quick", "--shapes=lexical", f"--profile={tmp_path}")
    assert done.returncode == 0, done.stderr
    (trace,) = tmp_path.rglob("perfetto_trace.json.gz")
    assert str(trace) in done.stdout
    with gzip.open(trace) as file:
        events = json.load(file)["traceEvents"]
    assert {"X", "M"} <= {event.get("ph") for event in events}  # spans, and names of threads
