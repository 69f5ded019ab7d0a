"""Rows of figures, one for each contestant, and their tables."""

import importlib.util
from collections.abc import Sequence
from statistics import median
from typing import Any

from experiments.benchmark.rounds import RoundFigures, ratio

BenchmarkRow = dict[str, Any]

# {column: (heading, format)}, in the order of a table, which has those that its rows have.
COLUMNS: dict[str, tuple[str, str]] = {
    "contestant": ("", "s"),
    "rate": ("rate", ".4g"),
    "unit": ("", "s"),
    "latency_ms": ("ms each", ".1f"),
    "cpu_ms": ("CPU ms each", ".1f"),
    "real_time": ("x real time", ".0f"),
    "size_mb": ("size MB", ".2f"),
    "privrep_is_times": ("privrep is", ".2fx"),
    "per_core_second": ("per core-second", ".2fx"),
    "cores_at_work": ("cores", ".1f"),
    "seconds": ("s", ".1f"),
    "cpu_seconds": ("CPU s", ".1f"),
    "cold_seconds": ("cold s", ".1f"),
    "real_time_per_core": ("x real time per core", ".0f"),
    "compile_seconds": ("compile s", ".1f"),
    "peak_mb": ("peak MB", ".0f"),
    "device_peak_mb": ("on device MB", ".0f"),
    "estimated_mb": ("estimated MB", ".0f"),
    "difference": ("difference", ".1e"),
}


def row(
    part: str, contest: str, contestant: str, measured: RoundFigures, unit: str
) -> BenchmarkRow:
    """The figures that every contestant has."""
    rates = measured.rates()
    figures: BenchmarkRow = {
        "part": part,
        "contest": contest,
        "contestant": contestant,
        "unit": unit,
    }
    figures |= {"rate": median(rates), "rates": rates, "peak_mb": measured.peak_mb}
    if "device_peak_mb" in measured.rounds[-1]:
        figures["device_peak_mb"] = measured.rounds[-1]["device_peak_mb"]
    return figures | dict(measured.facts)


def versus(ours: RoundFigures, theirs: RoundFigures) -> BenchmarkRow:
    """The speed-up of ours over theirs; empty for our own row."""
    return {} if ours is theirs else {"privrep_is_times": ratio(ours, theirs)}


def efficiency(measured: RoundFigures) -> BenchmarkRow:
    """How many cores worked, and how much longer than the others the first round took."""
    compiling = max(measured.first_seconds - measured.median("seconds"), 0.0)
    busy = [each["cpu_seconds"] / each["seconds"] for each in measured.rounds]
    return {"cores_at_work": median(busy), "compile_seconds": compiling}


def tables(rows: Sequence[BenchmarkRow]) -> str:
    """Aligned text, a table for each contest."""
    lines = []
    for part, contest in dict.fromkeys((row["part"], row["contest"]) for row in rows):
        chosen = [row for row in rows if (row["part"], row["contest"]) == (part, contest)]
        columns = [name for name in COLUMNS if any(name in row for row in chosen)]
        cells = [[COLUMNS[name][0] for name in columns]]
        cells += [[_cell(row, name) for name in columns] for row in chosen]
        widths = [max(map(len, column)) for column in zip(*cells)]
        sides = ["<" if COLUMNS[name][1] == "s" else ">" for name in columns]
        lines.append(f"{part}: {contest}")
        for line in cells:
            aligned = (f"{c:{side}{w}}" for c, side, w in zip(line, sides, widths))
            lines.append("  ".join(aligned).rstrip())
        lines.append("")
    return "\n".join(lines)


def _cell(row: BenchmarkRow, name: str) -> str:
    if name not in row:
        return ""
    form = COLUMNS[name][1]
    return f"{row[name]:{form.removesuffix('x')}}" + ("x" if form.endswith("x") else "")


def installed(package: str) -> bool:
    """Whether `package` can be imported."""
    return importlib.util.find_spec(package) is not None
