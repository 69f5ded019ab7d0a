"""What an accelerator does and how fast, in parts, the most important first.

    python -m experiments.benchmark.device_check --output=out/device.jsonl
    python -m experiments.benchmark.device_check --only=kernel,peers --output=out/device.jsonl
    python -m experiments.benchmark.device_check --tiny      on any machine: that every part runs

Device time is short, so every contestant is a process of its own whose failure stops no other. The
first rounds of a part, which compile, run at once ("compile s" is theirs), the others one at a
time. A line of JSON is written as soon as a contestant is measured, and what stands in the file
already is not measured again. `device_check.sh` installs what the machine lacks and runs all this.
"""

from experiments.start import parse_flags  # isort: skip  # before what may fail

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from absl import app, flags

from experiments.benchmark.device_parts import PARTS, PRECISIONS, Planned, whole_size
from experiments.benchmark.rounds import Child, RoundFigures, child, measured
from experiments.benchmark.rows import BenchmarkRow, efficiency, row, tables
from experiments.benchmark.work import QUICK
from privrep.program import end_with

FLAGS = flags.FLAGS
_COMPILING = 0.75  # of the time of a part
_OF_ROUNDS = {"units", "seconds", "cpu_seconds", "peak_mb", "facts"}


class CheckOutcome(NamedTuple):
    """Of a contestant either its measurements, or in one sentence why there are none."""

    planned: Planned
    measurements: RoundFigures | None
    error: str = ""


def measure_part(
    planned: Sequence[Planned], rounds: int, until: float, quick: bool
) -> Iterator[CheckOutcome]:
    """Measures the contestants of a part, each as soon as all have compiled.

    Args:
      rounds: how often each is measured after its first round.
      until: the time.monotonic() at which those that are not done are given up; those that have
        not compiled after `_COMPILING` of the time, earlier, so that the others can be measured.
      quick: see `rounds.interleave`.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        children = [
            stack.enter_context(child(each.name, each.contestant, folder, quick))
            for each in planned
        ]
        for process in children:
            process.start_round()
        compiled_by = time.monotonic() + _COMPILING * (until - time.monotonic())
        firsts = [_replied(process, compiled_by) for process in children]
        for each, process, first in zip(planned, children, firsts):
            replies, error = [first], ""
            while isinstance(replies[-1], dict) and len(replies) <= rounds:
                process.start_round()
                replies.append(_replied(process, until))
            if isinstance(replies[-1], str):
                error = replies.pop()
            several = len(replies) > 1  # a first round alone is mostly compilation
            yield CheckOutcome(each, measured(replies) if several else None, error)


def _replied(process: Child, until: float) -> Any:
    """The measurements of a round, or why there are none."""
    try:
        return process.reply(max(until - time.monotonic(), 0.0))
    except RuntimeError as error:
        return str(error)


def line_of(outcome: CheckOutcome, rounds: int) -> BenchmarkRow:
    """What is written of a contestant: its figures, or "error"."""
    part, name, unit, _ = outcome.planned
    if outcome.measurements is None:
        return {"part": part, "contest": part, "contestant": name, "error": outcome.error}
    figures = efficiency(outcome.measurements)  # the facts of a contestant count for more
    figures |= row(part, part, name, outcome.measurements, unit)
    last = outcome.measurements.rounds[-1]
    figures |= {name: value for name, value in last.items() if name not in _OF_ROUNDS}
    if len(outcome.measurements.rounds) < rounds:
        figures["error"] = outcome.error
    return figures


def read_lines(path: Path) -> list[BenchmarkRow]:
    """The lines of an earlier run; none if there is no such file."""
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise ValueError(
            f"--output={path}: a line of it is no JSON ({error}); delete the file, or name another"
        ) from None


def check_device(
    parts: Sequence[str], output: Path, seconds: float, tiny: bool
) -> list[BenchmarkRow]:
    """Measures what `output` lacks of the parts, within `seconds`, and appends it there.

    Returns:
      The lines of these parts, the earlier ones included.
    """
    until, rounds = time.monotonic() + seconds, 1 if tiny else 2
    size = QUICK if tiny else whole_size()
    output.parent.mkdir(parents=True, exist_ok=True)
    done = {(line["part"], line["contestant"]): line for line in read_lines(output)}
    with output.open("a", encoding="utf-8") as file:
        for part in parts:
            if time.monotonic() >= until:
                print(f"{part}: no time is left; the same command again measures it", flush=True)
                continue
            planned = PARTS[part].plan(size)
            left = [p for p in planned if "rate" not in done.get((p.part, p.name), {})]
            of_part = min(until, time.monotonic() + PARTS[part].seconds * (10 if tiny else 1))
            for outcome in measure_part(left, rounds, of_part, tiny):
                line = line_of(outcome, rounds)
                done[line["part"], line["contestant"]] = line
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
                if "error" in line:
                    print(f"{part}, {outcome.planned.name}: {line['error']}", flush=True)
            print(tables(in_table(_of(part, done))), flush=True)
    return [line for part in parts for line in _of(part, done)]


def in_table(lines: Sequence[BenchmarkRow]) -> list[BenchmarkRow]:
    """The measured lines of a part; where precisions take part, with their "difference".

    That is the mean over networks of how far the loss lies from that in float32 after as many
    epochs.
    """
    lines = [line for line in lines if "rate" in line]
    exact = [line["emotion_loss"] for line in lines if line["contestant"] == PRECISIONS[0]]
    if not exact:
        return lines
    return [
        line | {"difference": mean(abs(a - b) for a, b in zip(line["emotion_loss"], exact[0]))}
        for line in lines
    ]


def _of(part: str, done: dict[tuple[str, str], BenchmarkRow]) -> list[BenchmarkRow]:
    return [line for (of_line, _), line in done.items() if of_line == part]


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        end_with(f"error: what is {argv[1]!r}? Values stand behind a flag: --only=kernel")
    parts = FLAGS.only or list(PARTS)
    for part in parts:
        if part not in PARTS:
            end_with(f"error: --only={part}: choose from {', '.join(PARTS)}")
    try:
        lines = check_device(parts, Path(FLAGS.output), FLAGS.seconds, FLAGS.tiny)
    except ValueError as error:
        end_with(f"error: {error}")
    size = QUICK if FLAGS.tiny else whole_size()
    planned = sum(len(PARTS[part].plan(size)) for part in parts)
    failed = [line for line in lines if "error" in line]
    print(f"{len(lines) - len(failed)} of {planned} measured; written: {FLAGS.output}")
    if failed:
        end_with(f"error: {len(failed)} failed, as their lines say", 1)


if __name__ == "__main__":
    flags.DEFINE_list("only", [], f"parts, in order of importance: {', '.join(PARTS)}")
    flags.DEFINE_string("output", "out/device.jsonl", "file of the figures, which is added to")
    flags.DEFINE_float("seconds", 480, "of all parts together", lower_bound=1)
    flags.DEFINE_bool("tiny", False, "tiny sizes: shows that it runs, its figures mean nothing")
    app.run(main, flags_parser=parse_flags)
