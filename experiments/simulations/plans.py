"""Whether `privrep plan` is right: corpora without a leak beside what was expected of them."""

from collections.abc import Iterator
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from experiments.simulations.draws import Draws, resumed, share
from privrep.attacks.suite import QUICK, is_small, suite
from privrep.leakage.measurement import measure
from privrep.leakage.number_measurement import measure_number
from privrep.leakage.number_worlds import linear as number_world
from privrep.statistics.planning import (
    Expected,
    ExpectedCorrelation,
    expected,
    expected_correlation,
)
from privrep.types import InferenceSettings, Sample

SPEAKERS, EACH, SIZE = (20, 40, 100), 10, 16
SCORES = ("UAR", "correlation")
# Of so large an h some attackers take part in one deal of folds alone.
LARGE = ("40 speakers, 192 values, UAR", "100 speakers, 128 values, UAR")
PERMUTATIONS = 99
CHANCES = (0.2, 0.5, 0.8)  # to pass; a limit is looked at for each
COLUMNS = ("design", "seed", "upper", "minimum_detectable", "verdict")


class PlannedCorpus(NamedTuple):
    """What the name of a design says."""

    speakers: int
    size: int
    score: str

    @classmethod
    def of(cls, name: str) -> "PlannedCorpus":
        """Of such as "40 speakers, UAR" or "40 speakers, 192 values, UAR"."""
        speakers, *size, score = name.split(", ")
        return cls(int(speakers.split()[0]), int(size[0].split()[0]) if size else SIZE, score)


def corpus(seed: int, num_speakers: int, size: int) -> Sample:
    """No leak; a third of the variance between speakers, between emotions, within both."""
    rng = np.random.default_rng((seed, 31))
    labels = rng.permutation(np.arange(num_speakers) % 2)
    speaker = np.repeat(np.arange(num_speakers), EACH)
    h = rng.normal(size=(len(speaker), size)) + rng.normal(size=(num_speakers, size))[speaker]
    h += rng.normal(size=(4, size))[rng.integers(0, 4, len(speaker))]
    return Sample.of(h.astype(np.float32), labels[speaker], speaker)


def one_plan(name: str, seed: int) -> tuple[str | float, ...]:
    """A row of COLUMNS."""
    design = PlannedCorpus.of(name)
    settings = InferenceSettings(permutations=PERMUTATIONS, seed=seed)
    if design.score == "UAR":
        sample = corpus(seed, design.speakers, design.size)
        verdict = measure(sample, attackers=suite(QUICK), settings=settings).verdict
        return (name, seed, verdict.upper, verdict.minimum_detectable, verdict.verdict)
    world = number_world(seed, design.speakers, EACH, design.size, 0.0)
    of_number = measure_number(world, settings=settings).verdict
    return (name, seed, of_number.upper, of_number.minimum_detectable, of_number.verdict)


def planned(name: str) -> Expected | ExpectedCorrelation:
    """What is expected of the corpora of a name, see `one_plan`."""
    (count, size, score), deals = PlannedCorpus.of(name), InferenceSettings().deals
    if score == "UAR":
        classes = [count // 2, count - count // 2]
        return expected(classes, [EACH] * count, deals, is_small(count * EACH * size))
    return expected_correlation([1] * count, deals)


def limit_passed(result: Expected | ExpectedCorrelation, chance: float) -> float:
    """The limit that a corpus without a leak is expected to pass with this probability."""
    low, high = result.chance, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if result.passes(middle) < chance else (low, middle)
    return high


def plan(draws: Draws) -> Iterator[str]:
    """A line per size of corpus and score: detectable leak, upper bound, and passes, as planned.

    Agreement is meant to be within 0.02 of a score, and within 10 points of a chance to pass.
    """
    names = [f"{speakers} speakers, {score}" for score in SCORES for speakers in SPEAKERS]
    names += LARGE
    rows = resumed(
        draws.folder / "plan.csv", COLUMNS, one_plan, dict.fromkeys(names, draws.end), draws.first
    )
    for name in names:
        of_name, result = [row for row in rows if row["design"] == name], planned(name)
        uppers = [float(row["upper"]) for row in of_name]
        detectable = median(float(row["minimum_detectable"]) for row in of_name)
        yield (
            f"{name:29s} detectable {detectable:.3f}, planned {result.minimum_detectable:.3f}; "
            f"upper bound {fmean(uppers):.3f}, planned {result.upper:.3f}"
        )
        for chance in CHANCES:
            limit = limit_passed(result, chance)
            passed = sum(
                row["verdict"] != "leaks" and float(row["upper"]) <= limit for row in of_name
            )
            yield f"{'':29s} limit {limit:.3f}, planned {chance:.0%}: {share(passed, len(of_name))}"
