"""Intervals and changes to lambda 0 over speakers, from the counts of each speaker."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.config.lambdas import is_zero
from experiments.results.columns import PROTECTION, Row
from experiments.run.target_groups import Group, put
from privrep.statistics.confidence import interval
from privrep.statistics.paired_comparison import Comparison, compare


class Counted(NamedTuple):
    """counts: int64[S, C, C], of each speaker how often a class was recognised as a class; or other
    sums of each speaker, such as `concordance.moments`."""

    group: Group
    counts: np.ndarray


def by_seed(counted: Sequence[Counted]) -> dict[tuple, dict[Any, Counted]]:
    """{(settings, control, protection): {seed: counts}}."""
    seeds: dict[tuple, dict[Any, Counted]] = {}
    for of_group in counted:
        row, control = of_group.group.targets[0].settings, of_group.group.targets[0].control
        rest = tuple(v for n, v in row.items() if n not in ("fold", "seed", *PROTECTION))
        protection = tuple(None if control else row.get(name) for name in PROTECTION)
        seeds.setdefault((rest, control, protection), {})[row["seed"]] = of_group
    return seeds


def summed(counted: Sequence[Counted]) -> np.ndarray:
    """The counts of all seeds, added up: int64[S, C, C]."""
    return np.sum([of_seed.counts for of_seed in counted], axis=0)


def put_intervals(rows: Sequence[Row], counted: Sequence[Counted], place: str) -> None:
    """UAR and interval of every setting; the counts of its seeds are added up."""
    for of_seed in by_seed(counted).values():
        uar, lower, upper, _ = interval(summed([*of_seed.values()]))
        for seed in of_seed.values():
            put(rows, seed.group, place, {"uar": uar, "lower": lower, "upper": upper})


def put_changes(
    rows: Sequence[Row],
    counted: Sequence[Counted],
    place: str,
    comparison: Callable[..., Comparison] = compare,
) -> None:
    """The difference of every setting to lambda 0; the counts of its seeds are added up."""
    seeds = by_seed(counted)
    for (rest, control, (lambda_, *_)), of_seed in seeds.items():
        if control or is_zero(lambda_):
            continue
        zeros = next(
            (of for (r, c, (z, *_)), of in seeds.items() if r == rest and not c and is_zero(z)), {}
        )
        both = [seed for seed in of_seed if seed in zeros]
        if both:
            a, b = summed([of_seed[seed] for seed in both]), summed([zeros[seed] for seed in both])
            change = comparison(a, b)._asdict()
            change.pop("smallest_p")
            for seed in of_seed.values():
                put(rows, seed.group, f"{place}_change", change)
