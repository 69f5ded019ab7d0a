"""What is told of a contestant: a row of figures, and rows as tables."""

import importlib.util
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from experiments.benchmark.rounds import Measured, ratio
from experiments.benchmark.work import Network, flops

Row = dict[str, Any]

# Column: its head, and how its values are written. In this order, where a table has it.
COLUMNS: dict[str, tuple[str, str]] = {
    "contestant": ("", "s"),
    "rate": ("rate", ".4g"),
    "unit": ("", "s"),
    "privrep_is_times": ("privrep is", ".2fx"),
    "per_core_second": ("per core-second", ".2fx"),
    "cores_at_work": ("cores", ".1f"),
    "seconds": ("s", ".1f"),
    "real_time_per_core": ("x real time per core", ".0f"),
    "second_call_seconds": ("second call s", ".3f"),
    "gflop_per_s": ("GFLOP/s", ".1f"),
    "share_of_products": ("of products", ".0%"),
    "computed_per_useful": ("computed/useful", ".2f"),
    "conv_per_useful": ("conv", ".2f"),
    "gru_per_useful": ("GRU", ".2f"),
    "compile_seconds": ("compile s", ".1f"),
    "peak_mb": ("peak MB", ".0f"),
    "device_peak_mb": ("on device MB", ".0f"),
}


def row(part: str, contest: str, contestant: str, one: Measured, unit: str) -> Row:
    """What is told of any contestant."""
    told = {"part": part, "contest": contest, "contestant": contestant}
    rates = one.rates()
    told |= {"rate": median(rates), "unit": unit, "rates": rates, "peak_mb": one.peak_mb}
    if "device_peak_mb" in one.rounds[-1]:
        told["device_peak_mb"] = one.rounds[-1]["device_peak_mb"]
    return told | {name: one.facts[name] for name in ("device", "devices") if name in one.facts}


def versus(ours: Measured, theirs: Measured) -> Row:
    """How many times as fast as theirs ours is; nothing of ours itself."""
    return {} if ours is theirs else {"privrep_is_times": ratio(ours, theirs)}


def compilation(one: Measured) -> Row:
    """How much longer than the others the first round took."""
    return {"compile_seconds": max(one.first_seconds - one.middle("seconds"), 0.0)}


def efficiency(one: Measured, peak: Measured, network: Network, batch: int) -> Row:
    """How well a contestant that trains `network` uses the machine.

    Rows that are computed for nothing count by the operations that a row costs.

    Args:
      peak: matrix products, in turn with `one`.
    """
    facts = one.facts
    convolutions, recurrent = flops(network, batch, facts["useful_frames"])
    useful = convolutions + recurrent
    computed = facts["conv_per_useful"] * convolutions + facts["gru_per_useful"] * recurrent
    shares = [a * useful / 1e9 / b for a, b in zip(one.rates(), peak.rates())]
    found = {
        "cores_at_work": median(each["cpu_seconds"] / each["seconds"] for each in one.rounds),
        "gflop_per_s": median(one.rates()) * useful / 1e9,
        "share_of_products": median(shares),
        "computed_per_useful": computed / useful,
        "gru_per_useful": facts["gru_per_useful"],
    }
    if network.conv_layers:
        found["conv_per_useful"] = facts["conv_per_useful"]
    return found | compilation(one)


def tables(rows: Sequence[Row]) -> str:
    """Aligned text, a table for each contest."""
    lines = []
    for part, contest in dict.fromkeys((row["part"], row["contest"]) for row in rows):
        chosen = [row for row in rows if (row["part"], row["contest"]) == (part, contest)]
        columns = [name for name in COLUMNS if any(name in row for row in chosen)]
        cells = [[COLUMNS[name][0] for name in columns]]
        cells += [[_cell(row, name) for name in columns] for row in chosen]
        widths = [max(map(len, column)) for column in zip(*cells)]
        left = [COLUMNS[name][1] == "s" for name in columns]
        lines.append(f"{part}: {contest}")
        for line in cells:
            aligned = zip(line, widths, left)
            lines.append("  ".join(c.ljust(w) if to else c.rjust(w) for c, w, to in aligned))
        lines.append("")
    return "\n".join(line.rstrip() for line in lines)


def _cell(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return ""
    form = COLUMNS[name][1]
    return f"{row[name]:{form.removesuffix('x')}}" + ("x" if form.endswith("x") else "")


def installed(package: str) -> bool:
    """Whether `package` can be imported."""
    return importlib.util.find_spec(package) is not None
