"""The parts of the benchmark: who takes turns at what, and what is told of each."""

import csv
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.benchmark.audit import measure_audit
from experiments.benchmark.growth import measure_growth
from experiments.benchmark.rounds import Contestant, interleave, run_whole
from experiments.benchmark.rows import Row, compilation, installed, row, versus
from experiments.benchmark.train import measure_one_core, measure_train
from experiments.benchmark.work import Size

_ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure_prepare(size: Size) -> list[Row]:
    """Audio to arrays. Hours of audio per second, and times real time per core at work.

    librosa is compared with what it does too, reading wav files and computing frames, and with
    the whole of preparing, which writes the frames and reads them back.
    """
    minutes = {"minutes": size.minutes}
    contestants = {
        "privrep, 1 worker": Contestant("prepare_audio", "ours", minutes | {"workers": 1}),
        "privrep, all cores": Contestant("prepare_audio", "ours", minutes | {"workers": None}),
        "privrep, frames only": Contestant("prepare_audio", "frames", minutes, _ONE_CORE),
    }
    contests = {"prepared": list(contestants)[:2], "frames": list(contestants)[2:]}
    if installed("librosa"):
        peer = "librosa, frames only"
        contestants[peer] = Contestant("prepare_audio", "librosa", minutes, _ONE_CORE)
        contests = {contest: [*names, peer] for contest, names in contests.items()}
    found = interleave("prepare", contestants, size.rounds, size.quick)
    rows = []
    for contest, names in contests.items():
        for name in names:
            one = found[name]
            about = f"{size.minutes:g} minutes of audio, {contest}"
            told = row("prepare", about, name, one, "audio hours/s")
            told["real_time_per_core"] = 3600 * one.facts["units"] / one.middle("cpu_seconds")
            if "second_call_seconds" in one.rounds[0]:
                told["second_call_seconds"] = one.middle("second_call_seconds")
            rows.append(told | versus(found[names[0]], one))
    return rows


def measure_attack(size: Size) -> list[Row]:
    """The paper's grid of attackers on frozen h, each from start to its last epoch."""
    width = size.shape("mid").network.dense_width
    work = {"runs": size.runs, "rows": size.rows, "width": width}
    contest = f"grid on {size.runs} runs of h [{size.rows}, {width}]"
    contestants = {"privrep": Contestant("ours", "attack", work)}
    one = interleave("attack", contestants, size.rounds, size.quick)["privrep"]
    return [row("attack", contest, "privrep", one, "attackers/s") | compilation(one)]


def measure_demo(size: Size) -> list[Row]:
    """The demo command from an empty cache, once."""
    with tempfile.TemporaryDirectory() as folder:
        places = [f"--workdir={folder}/out", f"--cache_dir={folder}/cache"]
        program = ["-m", "experiments.main", "--dataset=demo", *size.demo, *places]
        seconds, peak = run_whole(program)
        with (Path(folder) / "out/runs.csv").open(encoding="utf-8", newline="") as file:
            trained = sum(not row["control"] for row in csv.DictReader(file))
    told = {"part": "demo", "contest": "whole command", "contestant": "privrep"}
    told |= {"rate": trained / seconds, "unit": "runs/s", "seconds": seconds, "peak_mb": peak}
    return [told | {"runs": trained}]


PARTS: dict[str, Callable[[Size], list[Row]]] = {
    "prepare": measure_prepare,
    "train": measure_train,
    "one_core": measure_one_core,
    "growth": measure_growth,
    "attack": measure_attack,
    "audit": measure_audit,
    "demo": measure_demo,
}
ON_DEVICE = ("train", "growth", "attack")  # what an accelerator has a say in


def device() -> dict[str, Any]:
    """What jax computes on: {"platform", "device", "devices"}."""
    # Asked of a process of its own: jax keeps a hold of an accelerator until its process ends.
    asked = interleave("device", {"device": Contestant("ours", "device", {})}, 0)
    return {name: asked["device"].facts[name] for name in ("platform", "device", "devices")}


def write_profile(folder: Path, size: Size) -> Path:
    """Traces two training steps of a few runs; the file that ui.perfetto.dev opens."""
    shape = size.shape(size.shapes[0] if size.shapes else "mid")
    work = {"network": asdict(shape.network), "runs": min(size.runs, 4), "steps": 2}
    work |= {"batch": size.batch, "frames": shape.frames, "folder": str(folder.resolve())}
    contestants = {"profile": Contestant("ours", "profile", work)}
    interleave("profile", contestants, 0, size.quick)
    return max(folder.rglob("perfetto_trace.json.gz"), key=lambda path: path.stat().st_mtime)
