"""Benchmark of preparing, training and attacking beside what else one could use.

    python -m experiments.benchmark                                all parts
    python -m experiments.benchmark --only=train --shapes=mid      one contest
    python -m experiments.benchmark --only=audit                   `privrep audit`, two sizes
    python -m experiments.benchmark --only=audit --against=DIR     in turn with another checkout
    python -m experiments.benchmark --only=job --against=DIR       whole jobs, likewise
    python -m experiments.benchmark --device                       privrep alone, on a GPU or TPU
    python -m experiments.benchmark --profile=out/trace            a trace for Perfetto

What is compared takes turns within one run (see `rounds.py`), so its ratios mean something on a
machine whose speed drifts. PyTorch and librosa are compared if they are installed:
pip install -e '.[bench]'. Nothing else should run meanwhile. `train.py` lists the peers; of PyTorch
padded and packed the better counts.

Columns: "privrep is" is the speed of the first line over that of this line, the median over rounds;
"per core-second" is the same per time that cores worked, which hardly depends on what else the
machine does (a thread that waits busily works). "cores" is the number of cores at work.
"compile s" is how much longer the first round took. "peak MB" is the resident memory of the whole
process, libraries included; "on device MB" is that of an accelerator.
"""

from experiments.start import parse_flags  # isort: skip  # before what may fail

import importlib.metadata
import json
import os
import platform
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from absl import app, flags

from experiments.benchmark.parts import ON_DEVICE, PARTS, device, write_profile
from experiments.benchmark.rows import BenchmarkRow, installed, tables
from experiments.benchmark.work import QUICK, SHAPES, Size
from privrep.cores import usable_cores
from privrep.program import FAULT, WRONG, end_with

FLAGS = flags.FLAGS
PACKAGES = ("jax", "flax", "optax", "numpy", "torch", "librosa", "onnxruntime")
_PEERS = {
    **{"prepare": "librosa", "train": "torch", "one_core": "torch"},
    "encode": "onnxruntime",
}


def machine() -> BenchmarkRow:
    """What the figures depend on, and nothing that identifies the machine's owner."""
    versions: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "cpu": _cpu(),
        "cores": usable_cores(),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def measure(parts: Sequence[str], size: Size) -> dict[str, Any]:
    """Runs the parts: {"machine": …, "rounds": …, "quick": …, "notes": [...], "rows": [...]}.

    Raises:
      ValueError: an unknown part or shape.
      RuntimeError: a program under measurement failed.
    """
    _check("only", parts, PARTS)
    _check("shapes", size.shapes, SHAPES)
    notes = [
        f"{package} is not installed, so {part} is not compared with it"
        for part, package in _PEERS.items()
        if part in parts and not installed(package)
    ]
    rows = [row for part in parts for row in PARTS[part](size)]
    facts = {"machine": machine(), "rounds": size.rounds, "quick": size.quick}
    return facts | {"notes": notes, "rows": rows}


def measure_device(parts: Sequence[str], size: Size) -> dict[str, Any]:
    """`measure` without peers, with the device: {"device": …, "devices": …, "platform": …} too."""
    facts, notes = device(), []
    if facts["platform"] == "cpu":
        notes = ["jax sees no accelerator here: these are the figures of its CPU devices"]
    elif not size.quick:  # what fills a core does not fill an accelerator
        growth = dict(size.growth) | {"runs": (20, 80, 320, 1280)}
        size = size._replace(growth=growth)
    return measure(parts, size._replace(alone=True)) | facts | {"notes": notes}


def _check(flag: str, chosen: Sequence[str], valid: Iterable[str]) -> None:
    for name in chosen:
        if name not in valid:
            raise ValueError(f"--{flag}={name}: choose from {', '.join(valid)}")


def _audit_size(text: str) -> tuple[int, int, int]:
    try:
        speakers, utterances, columns = map(int, text.split("x"))
    except ValueError:
        end_with(f"error: --audit={text}: speakers x utterances x columns, such as 40x50x192")
    return speakers, utterances, columns


def _check_against(checkout: str) -> None:
    if checkout and not Path(checkout, "privrep").is_dir():
        end_with(f"error: --against={checkout}: no checkout of privrep: it has no folder privrep")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        end_with(f"error: what is {argv[1]!r}? Values stand behind a flag: --only=train")
    size = QUICK if FLAGS.quick else Size(rounds=FLAGS.rounds)
    size = size._replace(shapes=FLAGS.shapes, against=FLAGS.against)
    if FLAGS.job:
        size = size._replace(job=shlex.split(FLAGS.job))
    _check_against(FLAGS.against)
    if FLAGS.audit:
        size = size._replace(audits=[_audit_size(text) for text in FLAGS.audit])
    try:
        if FLAGS.profile:
            _check("shapes", FLAGS.shapes, SHAPES)
            print(f"trace: {write_profile(Path(FLAGS.profile), size)}")
            return
        if FLAGS.device:
            figures = measure_device(FLAGS.only or ON_DEVICE, size)
        else:
            figures = measure(FLAGS.only or list(PARTS), size)
    except (ValueError, RuntimeError) as error:  # the latter of a contestant that ended
        end_with(f"error: {error}", WRONG if isinstance(error, ValueError) else FAULT)
    output = Path(FLAGS.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    about = figures["machine"]
    print(f"{about['cpu']}, {about['cores']} cores, jax {about['versions']['jax']}")
    if FLAGS.device:
        print(f"jax computes on {figures['devices']} x {figures['device']} ({figures['platform']})")
    print(f"medians of {size.rounds} rounds\n\n{tables(figures['rows'])}")
    print(*figures["notes"], f"written: {output}", sep="\n")


if __name__ == "__main__":
    flags.DEFINE_list("only", [], f"parts to measure, of {', '.join(PARTS)}; all if left out")
    flags.DEFINE_list("shapes", [], f"networks and lengths to train, of {', '.join(SHAPES)}")
    flags.DEFINE_list("audit", [], "sizes of audits, as 40x50x192: speakers, utterances, columns")
    flags.DEFINE_string(
        "job", "", "flags of the job to measure, as --dataset=demo; that if left out"
    )
    flags.DEFINE_string("against", "", "another checkout, to be compared by --only=audit,job")
    flags.DEFINE_bool("device", False, "privrep alone, on the accelerator that jax sees")
    flags.DEFINE_integer("rounds", 5, "times each is measured", lower_bound=1)
    flags.DEFINE_string("output", "out/benchmark.json", "file of the figures")
    flags.DEFINE_bool("quick", False, "tiny sizes: shows that it runs, its figures mean nothing")
    flags.DEFINE_string(
        "profile", "", "write a trace of a few training steps here, measure nothing"
    )
    app.run(main, flags_parser=parse_flags)
