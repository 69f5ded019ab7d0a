"""How the cost of training grows: networks side by side, frames, batch, speakers, hours, adversary.

Of the default network, one thing grows and the others stay. Speakers are the classes of an
adversary; hours are of a corpus, of which as few utterances as ever are trained on. The adversary
of the recipe `strong` takes more and more steps for each of the network's; 0 is a linear one that
takes one.
"""

from dataclasses import asdict

from experiments.benchmark.rounds import Contestant, interleave
from experiments.benchmark.rows import Row, efficiency, row
from experiments.benchmark.train import products
from experiments.benchmark.work import Size


def measure_growth(size: Size) -> list[Row]:
    """A table for each thing that grows."""
    rows = []
    shape = size.shape("mid")
    work = {"network": asdict(shape.network), "frames": shape.frames, "batch": size.batch}
    work |= {"runs": size.growing_runs, "steps": size.growing_steps}
    for what, values in size.growth.items():
        contestants = {
            f"{value} {what}": Contestant("ours", "train", work | {what: value}) for value in values
        }
        everyone = contestants | {"products": products(size, {})}
        found = interleave(f"growth: {what}", everyone, size.rounds, size.quick)
        peak = found.pop("products")
        fixed = [f"{n} {name}" for name, n in work.items() if name not in (what, "network")]
        for value, (name, one) in zip(values, found.items()):
            told = row("growth", f"{what} beside {', '.join(fixed)}", name, one, "model-steps/s")
            batch = value if what == "batch" else size.batch
            told |= {"grows": what, "value": value}
            rows.append(told | efficiency(one, peak, shape.network, batch))
    return rows
