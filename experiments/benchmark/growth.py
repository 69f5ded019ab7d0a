"""Growth of the cost of training with networks, frames, batch size and steps of the adversary.

Of the default network, one thing grows and the others stay. The adversary of the recipe `strong`
takes more and more steps for each of the network's; 0 stands for a linear one that takes one.
"""

from experiments.benchmark.rounds import Contestant, interleave
from experiments.benchmark.rows import BenchmarkRow, efficiency, row
from experiments.benchmark.work import Size, Training


def measure_growth(size: Size) -> list[BenchmarkRow]:
    """A table for each thing that grows."""
    rows = []
    work = size.training("mid", size.growing_runs)._replace(steps=size.growing_steps)
    fixed = {"runs": work.runs, "steps": work.steps, "frames": work.frames, "batch": work.batch}
    for grows, values in size.growth.items():
        contestants = {
            f"{value} {grows}": Contestant("ours", "train", {"work": grown})
            for value in values
            for grown in [Training(**work._asdict() | {grows: value})]
        }
        measured = interleave(f"growth: {grows}", contestants, size.rounds, size.quick)
        others = ", ".join(f"{value} {name}" for name, value in fixed.items() if name != grows)
        for value, name in zip(values, measured):
            contest = f"{grows} beside {others}"
            figures = row("growth", contest, name, measured[name], "model-steps/s")
            figures |= {"grows": grows, "value": value}
            rows.append(figures | efficiency(measured[name]))
    return rows
