"""How fast this machine prepares, trains and attacks, beside what else one could use.

    python -m experiments.benchmark                          all parts
    python -m experiments.benchmark --only=train,attack
    python -m experiments.benchmark --profile=out/trace      a trace of training for Perfetto

What is compared takes turns within one run (see `benchmark_rounds.py`), so its ratios mean
something on a machine whose speed drifts. PyTorch and librosa are compared if they are installed:
pip install -e '.[bench]'. Nothing else should run meanwhile.

Columns: "privrep is" is the first line's speed over this line's, the median over rounds; "GFLOP/s"
are those of `benchmark_work.flops`, and "of products" their share of what plain matrix products
reach on all cores; "compile s" is how much longer the first round took; "peak MB" is the resident
memory of the whole process, libraries included.
"""

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import app, flags

from experiments.benchmark_parts import PARTS, QUICK, Row, Size, installed, write_profile

FLAGS = flags.FLAGS
PACKAGES = ("jax", "flax", "optax", "numpy", "torch", "librosa")


def machine() -> Row:
    """What the figures depend on, and nothing that says whose machine it is."""
    has_affinity = hasattr(os, "sched_getaffinity")
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count(),
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


# Column: its head, and how its values are written. In this order, where a part has it.
COLUMNS: dict[str, tuple[str, str]] = {
    "contest": ("", "s"),
    "contestant": ("", "s"),
    "rate": ("rate", ".4g"),
    "unit": ("", "s"),
    "privrep_is_times": ("privrep is", ".2fx"),
    "seconds": ("s", ".1f"),
    "real_time_per_core": ("x real time per core", ".0f"),
    "second_call_seconds": ("second call s", ".3f"),
    "gflop_per_s": ("GFLOP/s", ".1f"),
    "share_of_products": ("of products", ".0%"),
    "computed_per_useful": ("computed/useful", ".2f"),
    "compile_seconds": ("compile s", ".1f"),
    "peak_mb": ("peak MB", ".0f"),
}


def table(rows: Sequence[Row]) -> str:
    """The rows of each part as aligned text."""
    blocks = []
    for part in dict.fromkeys(row["part"] for row in rows):
        of_part = [row for row in rows if row["part"] == part]
        columns = [name for name in COLUMNS if any(name in row for row in of_part)]
        lines = [[part if name == "contest" else COLUMNS[name][0] for name in columns]]
        lines += [[_cell(row, name) for name in columns] for row in of_part]
        widths = [max(map(len, column)) for column in zip(*lines)]
        left = [COLUMNS[name][1] == "s" for name in columns]
        for line in lines:
            cells = zip(line, widths, left)
            blocks.append("  ".join(c.ljust(w) if to else c.rjust(w) for c, w, to in cells))
        blocks.append("")
    return "\n".join(line.rstrip() for line in blocks)


def _cell(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return ""
    form = COLUMNS[name][1]
    return f"{row[name]:{form.removesuffix('x')}}" + ("x" if form.endswith("x") else "")


def measure(parts: Sequence[str], size: Size) -> dict[str, Any]:
    """Runs the parts: {"machine": …, "rounds": …, "quick": …, "notes": [...], "rows": [...]}.

    Raises:
      ValueError: an unknown part.
      RuntimeError: a program under measurement failed.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"--only={unknown[0]}: choose from {', '.join(PARTS)}")
    peers = {"prepare": "librosa", "train": "torch"}
    notes = [
        f"{package} is not installed, so {part} is not compared with it"
        for part, package in peers.items()
        if part in parts and not installed(package)
    ]
    rows = [row for part in parts for row in PARTS[part](size)]
    facts = {"machine": machine(), "rounds": size.rounds, "quick": size.quick}
    return facts | {"notes": notes, "rows": rows}


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"what is {argv[1]!r}? Values stand behind a flag: --only=train")
    size = QUICK if FLAGS.quick else Size(rounds=FLAGS.rounds)
    try:
        if FLAGS.profile:
            print(f"trace: {write_profile(Path(FLAGS.profile), size)}")
            return
        found = measure(FLAGS.only, size)
    except (ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    output = Path(FLAGS.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    about = found["machine"]
    print(f"{about['cpu']}, {about['cores']} cores, jax {about['versions']['jax']}; medians of")
    print(f"{size.rounds} rounds\n\n{table(found['rows'])}")
    for note in found["notes"]:
        print(note)
    print(f"written: {output}")


if __name__ == "__main__":
    flags.DEFINE_list("only", list(PARTS), f"parts to measure, of {', '.join(PARTS)}")
    flags.DEFINE_integer("rounds", 5, "times each is measured", lower_bound=1)
    flags.DEFINE_string("output", "out/benchmark.json", "where the figures go")
    flags.DEFINE_bool("quick", False, "tiny sizes: shows that it runs, its figures mean nothing")
    flags.DEFINE_string(
        "profile", "", "write a trace of a few training steps here, measure nothing"
    )
    app.run(main)
