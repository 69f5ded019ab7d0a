"""How long a search trains what: rungs of epochs, what it costs at most, and what it saved.

Successive halving (Karnin, Koren & Somekh 2013; Jamieson & Talwalkar 2016): all settings are
trained for a few epochs, the better part of them for more, and so on. A grid is the case of a
single rung.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from experiments.results.summary import Row
from experiments.search.candidates import Setting


class Rungs(NamedTuple):
    """epochs: after each of these settings are measured and dropped; the last ends training.
    eta: behind every rung but the last one of so many goes on, behind the last a single one.
    """

    epochs: tuple[int, ...]
    eta: int


def rungs_of(search: str, text: str, eta: int, max_epochs: int) -> Rungs:
    """What --search, --rungs and --eta say.

    Raises:
      ValueError: a flag has no such value, or no rung lies below --max_epochs.
    """
    if search == "grid":
        return Rungs((max_epochs,), eta)
    parts = [part.strip() for part in text.split(",")]
    epochs = [int(part) for part in parts if part.isdecimal()]
    if len(epochs) < len(parts) or epochs != sorted({*epochs}) or epochs[0] < 1:
        raise ValueError(f"--rungs={text}: rising numbers of epochs, such as 4,8,16, expected")
    if eta < 2:
        raise ValueError(f"--eta={eta}: one of so many settings goes on; it must be at least 2")
    below = tuple(rung for rung in epochs if rung < max_epochs)
    if not below:
        raise ValueError(
            f"--rungs={text}: none is below --max_epochs={max_epochs}, so that nothing would be "
            "dropped early; give smaller ones, or --search=grid"
        )
    return Rungs((*below, max_epochs), eta)


def kept(rungs: Rungs, rung: int, count: int) -> int:
    """How many of `count` settings of a question go on behind rung number `rung`."""
    last = rung == len(rungs.epochs) - 1
    return 1 if last else math.ceil(count / rungs.eta ** (rung + 1))


def most_epochs(
    rungs: Rungs,
    settings: Sequence[Setting],
    questions: Mapping[tuple, Sequence[int]],
    networks: Sequence[Set[tuple]],
    folds: int,
) -> list[int]:
    """Run-epochs of each rung at most: if nothing stops early and what goes on shares no network.

    Args:
      networks: of each setting those of one fold that serve it.
    """
    found, before, going = [], 0, len(set().union(*networks))
    for rung, epochs in enumerate(rungs.epochs):
        found.append(going * folds * (epochs - before))
        before, after = epochs, 0
        for numbers in questions.values():
            # A protected network takes its twin along, unless that is what is released.
            each = max(len(networks[s] | networks[_twin(settings, s)]) for s in numbers)
            after += each * kept(rungs, rung, len(numbers))
        going = min(going, after)
    return found


def _twin(settings: Sequence[Setting], number: int) -> int:
    twin = settings[number].twin
    return number if twin is None else twin


def spent(rows: Iterable[Row], networks: int) -> dict[str, int]:
    """What a finished search has trained, against training every network to its end.

    Args:
      rows: of search.csv; `network` numbers the trained networks of a pack, which settings that
        differ behind training share.
      networks: of all settings and folds.

    Returns:
      run_epochs: trained. finished: networks that were trained to their end. grid_at_most: if none
      stopped early. grid_about: if all had stopped after as many epochs as those that finished.
    """
    trained: dict[tuple, int] = {}
    finished: dict[tuple, int] = {}
    rows = list(rows)
    last = max(row["rung"] for row in rows)
    for row in rows:
        key = row["pack"], row["network"]
        trained[key] = max(trained.get(key, 0), row["epochs"])
        if row["rung"] == last:
            finished[key] = row["epochs"]
    mean = sum(finished.values()) / len(finished)
    return {
        "run_epochs": sum(trained.values()),
        "networks": networks,
        "finished": len(finished),
        "grid_at_most": networks * last,
        "grid_about": round(networks * mean),
    }
