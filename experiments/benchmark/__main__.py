"""How fast this machine prepares, trains and attacks, beside what else one could use.

    python -m experiments.benchmark                                all parts
    python -m experiments.benchmark --only=train --shapes=mid      one contest
    python -m experiments.benchmark --only=one_core --peers=torch  against one peer
    python -m experiments.benchmark --only=audit                   `privrep audit` of 100,000 x 256
    python -m experiments.benchmark --device                       ours alone, on a GPU or TPU
    python -m experiments.benchmark --profile=out/trace            a trace for Perfetto

What is compared takes turns within one run (see `rounds.py`), so its ratios mean
something on a machine whose speed drifts. PyTorch and librosa are compared if they are installed:
pip install -e '.[bench]'. Nothing else should run meanwhile. `train.py` says who the
peers are; of PyTorch padded and packed the better counts.

Columns: "privrep is" is the first line's speed over this line's, the median over rounds, and "per
core-second" the same by the time that cores worked for them, which hardly depends on what else the
machine does (a thread that waits busily works); "cores" are those at work; "GFLOP/s" are those of
`work.flops`, and "of products" their share of what plain matrix products reach in the
same rounds; "computed/useful" counts the operations on all frames that are gone over, padding too,
over those on frames that are there, and "conv" and "GRU" are the same of either's rows; "compile s"
is how much longer the first round took; "peak MB" is the resident memory of the whole process,
libraries included, "on device MB" an accelerator's own.
"""

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import app, flags

from experiments.benchmark.parts import ON_DEVICE, PARTS, device, write_profile
from experiments.benchmark.rounds import cores
from experiments.benchmark.rows import Row, installed, tables
from experiments.benchmark.train import PEERS
from experiments.benchmark.work import QUICK, SHAPES, Size

FLAGS = flags.FLAGS
PACKAGES = ("jax", "flax", "optax", "numpy", "torch", "librosa")
_OTHERS = {"prepare": "librosa", "train": "torch", "one_core": "torch"}


def machine() -> Row:
    """What the figures depend on, and nothing that says whose machine it is."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _cpu() -> str:
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def measure(parts: Sequence[str], size: Size) -> dict[str, Any]:
    """Runs the parts: {"machine": …, "rounds": …, "quick": …, "notes": [...], "rows": [...]}.

    Raises:
      ValueError: an unknown part, shape or peer.
      RuntimeError: a program under measurement failed.
    """
    _check("only", parts, PARTS)
    _check("shapes", size.shapes, SHAPES)
    _check("peers", size.peers, PEERS)
    notes = [
        f"{package} is not installed, so {part} is not compared with it"
        for part, package in _OTHERS.items()
        if part in parts and not installed(package)
    ]
    rows = [row for part in parts for row in PARTS[part](size)]
    facts = {"machine": machine(), "rounds": size.rounds, "quick": size.quick}
    return facts | {"notes": notes, "rows": rows}


def measure_device(parts: Sequence[str], size: Size) -> dict[str, Any]:
    """`measure` without peers, and on what: {"device": …, "devices": …, "platform": …} too."""
    found = device()
    if found["platform"] == "cpu":
        notes = ["jax sees no accelerator here: these are the figures of its CPU devices"]
    else:
        notes = []
        if not size.quick:  # what fills a core does not fill an accelerator
            growth = dict(size.growth) | {"runs": (20, 80, 320, 1280)}
            size = size._replace(growth=growth, product=8192)
    measured = measure(parts, size._replace(peers=()))
    return measured | found | {"notes": notes}


def _check(flag: str, chosen: Sequence[str], valid: Sequence[str]) -> None:
    for name in chosen:
        if name not in valid:
            raise ValueError(f"--{flag}={name}: choose from {', '.join(valid)}")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"what is {argv[1]!r}? Values stand behind a flag: --only=train")
    size = QUICK if FLAGS.quick else Size(rounds=FLAGS.rounds)
    size = size._replace(shapes=FLAGS.shapes, peers=FLAGS.peers)
    try:
        if FLAGS.profile:
            _check("shapes", FLAGS.shapes, SHAPES)
            print(f"trace: {write_profile(Path(FLAGS.profile), size)}")
            return
        if FLAGS.device:
            found = measure_device(FLAGS.only or ON_DEVICE, size)
        else:
            found = measure(FLAGS.only or list(PARTS), size)
    except (ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    output = Path(FLAGS.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    about = found["machine"]
    print(f"{about['cpu']}, {about['cores']} cores, jax {about['versions']['jax']}")
    if FLAGS.device:
        print(f"jax computes on {found['devices']} x {found['device']} ({found['platform']})")
    print(f"medians of {size.rounds} rounds\n\n{tables(found['rows'])}")
    for note in found["notes"]:
        print(note)
    print(f"written: {output}")


if __name__ == "__main__":
    flags.DEFINE_list("only", [], f"parts to measure, of {', '.join(PARTS)}; all if left out")
    flags.DEFINE_list(
        "shapes",
        [],
        f"networks and lengths to train, of {', '.join(SHAPES)}",
    )
    flags.DEFINE_list("peers", list(PEERS), "whom to compare training with")
    flags.DEFINE_bool(
        "device", False, "this project alone, on the accelerator that jax sees; names it"
    )
    flags.DEFINE_integer("rounds", 5, "times each is measured", lower_bound=1)
    flags.DEFINE_string("output", "out/benchmark.json", "where the figures go")
    flags.DEFINE_bool("quick", False, "tiny sizes: shows that it runs, its figures mean nothing")
    flags.DEFINE_string(
        "profile", "", "write a trace of a few training steps here, measure nothing"
    )
    app.run(main)
