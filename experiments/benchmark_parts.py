"""The parts of the benchmark: who takes turns at what, and what is told of each."""

import csv
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from experiments.benchmark_rounds import Contestant, Measured, interleave, ratio, run_whole
from experiments.benchmark_work import Network, flops

Row = dict[str, Any]


class Size(NamedTuple):
    """How much work a round is; `quick` for a look at whether all of it runs."""

    rounds: int
    quick: bool = False
    network: Network = Network()
    runs: int = 20
    batch: int = 32
    frames: int = 300
    steps: int = 5
    minutes: float = 10.0
    rows: int = 500
    product: int = 1024
    demo: Sequence[str] = ()


QUICK = Size(
    rounds=1,
    quick=True,
    network=Network(conv_layers=2, num_kernels=8, gru_layers=1, gru_width=8, dense_width=8),
    runs=2,
    batch=4,
    frames=32,
    steps=1,
    minutes=0.2,
    rows=40,
    product=128,
    demo=(
        *("--lambda=1", "--folds=3", "--max_epochs=1", "--attackers=linear", "--dense_width=8"),
        *("--conv_layers=1", "--num_kernels=8", "--gru_layers=1", "--gru_width=8"),
    ),
)


_ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure_prepare(size: Size) -> list[Row]:
    """Audio to arrays. Hours of audio per second, and times real time per core at work.

    librosa is compared with what it does too, reading wav files and computing frames, and with
    the whole of preparing, which writes the frames and reads them back.
    """
    minutes = {"minutes": size.minutes}
    contestants = {
        "privrep, 1 worker": Contestant("benchmark_audio", "ours", minutes | {"workers": 1}),
        "privrep, all cores": Contestant("benchmark_audio", "ours", minutes | {"workers": None}),
        "privrep, frames only": Contestant("benchmark_audio", "frames", minutes, _ONE_CORE),
    }
    contests = {"prepared": list(contestants)[:2], "frames": list(contestants)[2:]}
    if installed("librosa"):
        peer = "librosa, frames only"
        contestants[peer] = Contestant("benchmark_audio", "librosa", minutes, _ONE_CORE)
        contests = {contest: [*names, peer] for contest, names in contests.items()}
    found = interleave("prepare", contestants, size.rounds, size.quick)
    rows = []
    for contest, names in contests.items():
        for name in names:
            one = found[name]
            about = f"{size.minutes:g} minutes of audio, {contest}"
            row = _row("prepare", about, name, one, "audio hours/s")
            row["real_time_per_core"] = 3600 * one.facts["units"] / one.middle("cpu_seconds")
            if "second_call_seconds" in one.rounds[0]:
                row["second_call_seconds"] = one.middle("second_call_seconds")
            rows.append(row | _versus(found[names[0]], one))
    return rows


def measure_train(size: Size) -> list[Row]:
    """Forward, backward and Adam of one network is a model-step."""
    pooled = replace(size.network, conv_pool=2)
    contests = {
        f"{size.frames} frames": (size.network, size.frames, True),
        f"{size.frames} frames, conv_pool 2": (pooled, size.frames, True),
        # A stack of networks, all padded to 12 s, is more than the memory of a small machine.
        "real lengths": (size.network, 0, False),
    }
    if size.quick:
        contests = dict(list(contests.items())[:1])
    rows = []
    for contest, (network, frames, stacked_peer) in contests.items():
        trainers = _trainers(size, network, frames, stacked_peer)
        found = interleave(f"train: {contest}", trainers, size.rounds, size.quick)
        peak = found.pop("products")
        first = next(iter(found.values()))
        for name, one in found.items():
            row = _row("train", contest, name, one, "model-steps/s")
            operations = flops(network, size.batch, one.facts["useful_frames"]) / 1e9
            row["gflop_per_s"] = row["rate"] * operations
            shares = [a * operations / b for a, b in zip(one.rates, peak.rates)]
            row["share_of_products"] = median(shares)
            row["computed_per_useful"] = one.facts["computed_per_useful"]
            row["compile_seconds"] = max(one.first_seconds - one.middle("seconds"), 0.0)
            rows.append(row | _versus(first, one))
        rows.append(_row("train", contest, "matrix products", peak, "GFLOP/s"))
    return rows


def _trainers(size: Size, network: Network, frames: int, stacked_peer: bool):
    stack = {"network": asdict(network), "runs": size.runs, "batch": size.batch, "frames": frames}
    stack["steps"] = size.steps
    alone = stack | {"runs": 1}
    trainers = {f"privrep, {size.runs} runs": Contestant("benchmark_ours", "train", stack)}
    if stacked_peer:
        trainers[f"flax, vmap over {size.runs}"] = Contestant(
            "benchmark_flax", "vmapped", stack | {"steps": 1}
        )
    trainers["flax, one by one"] = Contestant("benchmark_flax", "one_by_one", alone)
    if installed("torch"):
        trainers["torch, one by one"] = Contestant("benchmark_torch", "one_by_one", alone)
    work = {"size": size.product, "repeats": 20}
    return trainers | {"products": Contestant("benchmark_ours", "products", work)}


def measure_attack(size: Size) -> list[Row]:
    """The paper's grid of attackers on frozen h, each from start to its last epoch."""
    width = size.network.dense_width
    work = {"runs": size.runs, "rows": size.rows, "width": width}
    contest = f"grid on {size.runs} runs of h [{size.rows}, {width}]"
    contestants = {"privrep": Contestant("benchmark_ours", "attack", work)}
    found = interleave("attack", contestants, size.rounds, size.quick)
    one = found["privrep"]
    row = _row("attack", contest, "privrep", one, "attackers/s")
    return [row | {"compile_seconds": max(one.first_seconds - one.middle("seconds"), 0.0)}]


def measure_demo(size: Size) -> list[Row]:
    """The demo command from an empty cache, once."""
    with tempfile.TemporaryDirectory() as folder:
        places = [f"--workdir={folder}/out", f"--cache_dir={folder}/cache"]
        program = ["-m", "experiments.main", "--dataset=demo", *size.demo, *places]
        seconds, peak = run_whole(program)
        with (Path(folder) / "out/runs.csv").open(encoding="utf-8", newline="") as file:
            trained = sum(not row["control"] for row in csv.DictReader(file))
    row = {"part": "demo", "contest": "whole command", "contestant": "privrep"}
    row |= {"rate": trained / seconds, "unit": "runs/s", "seconds": seconds, "peak_mb": peak}
    return [row | {"runs": trained}]


PARTS: dict[str, Callable[[Size], list[Row]]] = {
    "prepare": measure_prepare,
    "train": measure_train,
    "attack": measure_attack,
    "demo": measure_demo,
}


def _row(part: str, contest: str, name: str, one: Measured, unit: str) -> Row:
    row = {"part": part, "contest": contest, "contestant": name}
    row |= {"rate": median(one.rates), "unit": unit, "rates": one.rates, "peak_mb": one.peak_mb}
    return row | {name: one.facts[name] for name in ("device", "devices") if name in one.facts}


def _versus(ours: Measured, theirs: Measured) -> Row:
    return {} if ours is theirs else {"privrep_is_times": ratio(ours, theirs)}


def installed(package: str) -> bool:
    """Whether `package` can be imported."""
    return importlib.util.find_spec(package) is not None


def write_profile(folder: Path, size: Size) -> Path:
    """Traces two training steps of a few runs; the file that ui.perfetto.dev opens."""
    work = {"network": asdict(size.network), "runs": min(size.runs, 4), "steps": 2}
    work |= {"batch": size.batch, "frames": size.frames, "folder": str(folder.resolve())}
    interleave("profile", {"profile": Contestant("benchmark_ours", "profile", work)}, 0)
    return max(folder.rglob("perfetto_trace.json.gz"), key=lambda path: path.stat().st_mtime)
