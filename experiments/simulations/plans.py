"""Whether `privrep plan` is right: corpora without a leak beside what was expected of them."""

from collections.abc import Iterator
from statistics import fmean, median

import numpy as np

from experiments.simulations.draws import Draws, resumed, share
from privrep.attacks.suite import QUICK, suite
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
PERMUTATIONS = 99
CHANCES = (0.2, 0.5, 0.8)  # to pass; a limit is looked at for each
COLUMNS = ("design", "seed", "upper", "minimum_detectable", "verdict")


def corpus(seed: int, num_speakers: int) -> Sample:
    """No leak; a third of the variance between speakers, between emotions, within both."""
    rng = np.random.default_rng((seed, 31))
    labels = rng.permutation(np.arange(num_speakers) % 2)
    speaker = np.repeat(np.arange(num_speakers), EACH)
    h = rng.normal(size=(len(speaker), SIZE)) + rng.normal(size=(num_speakers, SIZE))[speaker]
    h += rng.normal(size=(4, SIZE))[rng.integers(0, 4, len(speaker))]
    return Sample.of(h.astype(np.float32), labels[speaker], speaker)


def one_plan(name: str, seed: int) -> tuple[str | float, ...]:
    """A row of COLUMNS, of "40 speakers, UAR" or "40 speakers, correlation"."""
    speakers, score = name.split(" speakers, ")
    settings = InferenceSettings(permutations=PERMUTATIONS, seed=seed)
    if score == "UAR":
        sample = corpus(seed, int(speakers))
        verdict = measure(sample, attackers=suite(QUICK), settings=settings).verdict
        return (name, seed, verdict.upper, verdict.minimum_detectable, verdict.verdict)
    world = number_world(seed, int(speakers), EACH, SIZE, 0.0)
    of_number = measure_number(world, settings=settings).verdict
    return (name, seed, of_number.upper, of_number.minimum_detectable, of_number.verdict)


def planned(name: str) -> Expected | ExpectedCorrelation:
    """What is expected of the corpora of a name, see `one_plan`."""
    speakers, score = name.split(" speakers, ")
    count, deals = int(speakers), InferenceSettings().deals
    if score == "UAR":
        return expected([count // 2, count - count // 2], [EACH] * count, deals)
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
    rows = resumed(
        draws.folder / "plan.csv", COLUMNS, one_plan, dict.fromkeys(names, draws.end), draws.first
    )
    for name in names:
        of_name, result = [row for row in rows if row["design"] == name], planned(name)
        uppers = [float(row["upper"]) for row in of_name]
        detectable = median(float(row["minimum_detectable"]) for row in of_name)
        yield (
            f"{name:26s} detectable {detectable:.3f}, planned {result.minimum_detectable:.3f}; "
            f"upper bound {fmean(uppers):.3f}, planned {result.upper:.3f}"
        )
        for chance in CHANCES:
            limit = limit_passed(result, chance)
            passed = sum(
                row["verdict"] != "leaks" and float(row["upper"]) <= limit for row in of_name
            )
            yield f"{'':26s} limit {limit:.3f}, planned {chance:.0%}: {share(passed, len(of_name))}"
