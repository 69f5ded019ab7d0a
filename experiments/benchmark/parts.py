"""The parts of the benchmark: the contestants of each and the figures that are reported."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmark.encode import measure_encode
from experiments.benchmark.growth import measure_growth
from experiments.benchmark.job import measure_job
from experiments.benchmark.rounds import Contestant, interleave, ratio
from experiments.benchmark.rows import BenchmarkRow, efficiency, installed, row, versus
from experiments.benchmark.train import measure_one_core, measure_train
from experiments.benchmark.work import Size
from privrep.leakage.worlds import WORLDS

_WORLD = "emotion_tied"  # has a covariate that explains the leak
_ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure_prepare(size: Size) -> list[BenchmarkRow]:
    """Audio to arrays: hours of audio per second, and times real time per core at work.

    librosa is compared with what it does too, reading wav files and computing frames, and with
    the whole of preparing, which writes the frames and reads them back.
    """
    minutes = {"minutes": size.minutes}
    peer = "librosa, frames only"
    contestants = {
        "privrep, 1 worker": Contestant("prepare_audio", "prepared", minutes | {"workers": 1}),
        "privrep, all cores": Contestant("prepare_audio", "prepared", minutes | {"workers": None}),
        "privrep, frames only": Contestant("prepare_audio", "frames", minutes, _ONE_CORE),
        peer: Contestant("prepare_audio", "librosa_frames", minutes, _ONE_CORE),
    }
    whole, all_cores, frames, _ = contestants
    contests = {"prepared": [whole, all_cores, peer], "frames": [frames, peer]}
    if not installed("librosa"):
        del contestants[peer]
    measured = interleave("prepare", contestants, size.rounds, size.quick)
    rows = []
    for contest, names in contests.items():
        about = f"{size.minutes:g} minutes of audio, {contest}"
        for name in (name for name in names if name in measured):
            theirs = measured[name]
            figures = row("prepare", about, name, theirs, "audio hours/s")
            hours, seconds = theirs.median("units"), theirs.median("cpu_seconds")
            figures["real_time_per_core"] = 3600 * hours / seconds
            rows.append(figures | versus(measured[names[0]], theirs))
    return rows


def measure_attack(size: Size) -> list[BenchmarkRow]:
    """The paper's grid of attackers on frozen h, each from start to its last epoch."""
    width = size.shape("mid").network.dense_width
    work = {"runs": size.runs, "rows": size.rows, "width": width}
    contest = f"grid on {size.runs} runs of h [{size.rows}, {width}]"
    contestants = {"privrep": Contestant("ours", "attack_all", work)}
    measured = interleave("attack", contestants, size.rounds, size.quick)["privrep"]
    return [row("attack", contest, "privrep", measured, "attackers/s") | efficiency(measured)]


def measure_audit(size: Size) -> list[BenchmarkRow]:
    """`privrep audit` of synthetic corpora, from two files to the card.

    The default attackers and permutations, with all questions that the labels allow. Once, or, with
    another checkout of privrep, in turn with that one.
    """
    return [row for shape in size.audits for row in _measure_audit(shape, size)]


def _measure_audit(shape: tuple[int, int, int], size: Size) -> list[BenchmarkRow]:
    speakers, utterances, width = shape
    count = speakers * utterances
    with tempfile.TemporaryDirectory() as folder:
        h, labels = Path(folder, "h.npy"), Path(folder, "labels.csv")
        sample = WORLDS[_WORLD].draw(0, speakers, utterances, width)
        np.save(h, sample.h)
        # Without sessions, so that labels are permuted freely between speakers.
        gender = np.array(["female", "male"])[sample.gender]
        columns = np.stack([sample.speaker.astype(str), gender, sample.emotion.astype(str)], 1)
        np.savetxt(labels, columns, "%s", ",", header="speaker,gender,emotion", comments="")
        command = ["-m", "privrep", "audit", str(h), str(labels), "--attribute=gender"]
        command.append("--fail-on=none")  # of whatever verdict, the time is measured
        contestants = {"privrep": _audit(command, f"{folder}/out", None)}
        if size.against:
            contestants[size.against] = _audit(command, f"{folder}/other", Path(size.against))
        measured = interleave("audit", contestants, size.rounds if size.against else 0)
    contest = f"{count:,} x {width} of {speakers} speakers, default attackers"
    rows = []
    for name, theirs in measured.items():
        seconds = theirs.median("seconds") if theirs.rounds else theirs.first_seconds
        figures: BenchmarkRow = {"part": "audit", "contest": contest, "contestant": name}
        figures |= {"rate": count / seconds, "unit": "utterances/s", "seconds": seconds}
        figures["peak_mb"] = theirs.peak_mb
        if theirs is not measured["privrep"]:
            figures |= versus(measured["privrep"], theirs)
            figures["per_core_second"] = ratio(measured["privrep"], theirs, "cpu_seconds")
        rows.append(figures)
    return rows


def _audit(command: list[str], output: str, checkout: Path | None) -> Contestant:
    arguments = {"arguments": [*command, f"--output={output}"], "checkout": checkout}
    return Contestant("whole_command", "run", arguments)


PARTS: dict[str, Callable[[Size], list[BenchmarkRow]]] = {
    "prepare": measure_prepare,
    "train": measure_train,
    "one_core": measure_one_core,
    "growth": measure_growth,
    "attack": measure_attack,
    "audit": measure_audit,
    "encode": measure_encode,
    "job": measure_job,
}
ON_DEVICE = ("train", "growth", "attack")  # the parts that compute on an accelerator


def device() -> dict[str, Any]:
    """The device that jax computes on: {"platform", "device", "devices"}."""
    # Asked of another process: jax holds an accelerator until its process ends.
    asked = interleave("device", {"device": Contestant("ours", "ask_device")}, 0)
    return dict(asked["device"].facts)


def write_profile(folder: Path, size: Size) -> Path:
    """Traces two training steps of a few runs; the file that ui.perfetto.dev opens."""
    work = size.training(next(iter(size.shapes), "mid"), min(size.runs, 4))._replace(steps=2)
    arguments = {"folder": str(folder.resolve()), "work": work}
    interleave("profile", {"profile": Contestant("ours", "profile", arguments)}, 0, size.quick)
    return max(folder.rglob("perfetto_trace.json.gz"), key=lambda path: path.stat().st_mtime)
