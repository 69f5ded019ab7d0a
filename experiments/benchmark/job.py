"""A whole job of `experiments.main`, from the corpus to the report."""

import tempfile
from pathlib import Path

from experiments.benchmark.rounds import Contestant, interleave, ratio
from experiments.benchmark.rows import BenchmarkRow, versus
from experiments.benchmark.work import Size


def measure_job(size: Size) -> list[BenchmarkRow]:
    """The command of `Size.job` from an empty cache, once; or in turn with another checkout.

    In turn, each checkout keeps corpus and compiled programs in a cache of its own: its first round
    fills that, `cold_seconds`, and the later ones are compared.
    """
    with tempfile.TemporaryDirectory() as folder:
        contestants = {"privrep": _job(size, Path(folder, "ours"), None)}
        if size.against:
            contestants[size.against] = _job(size, Path(folder, "theirs"), Path(size.against))
        measured = interleave("job", contestants, size.rounds if size.against else 0)
    rows = []
    for name, theirs in measured.items():
        seconds = theirs.median("seconds") if theirs.rounds else theirs.first_seconds
        figures: BenchmarkRow = {"part": "job", "contest": " ".join(size.job), "contestant": name}
        figures |= {"rate": 1 / seconds, "unit": "jobs/s", "seconds": seconds}
        figures |= {"cold_seconds": theirs.first_seconds, "peak_mb": theirs.peak_mb}
        if theirs.rounds:
            figures["cpu_seconds"] = theirs.median("cpu_seconds")
        if theirs is not measured["privrep"]:
            figures |= versus(measured["privrep"], theirs)
            figures["per_core_second"] = ratio(measured["privrep"], theirs, "cpu_seconds")
        rows.append(figures)
    return rows


def _job(size: Size, folder: Path, checkout: Path | None) -> Contestant:
    output = folder / "out"
    command = ["-m", "experiments.main", *size.job]
    command += [f"--workdir={output}", f"--cache_dir={folder}/cache"]
    arguments = {"arguments": command, "checkout": checkout, "output": output}
    keeps_programs = {
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": f"{folder}/compiled",
    }
    return Contestant("whole_command", "run", arguments, keeps_programs)
