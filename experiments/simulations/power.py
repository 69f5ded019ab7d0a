"""Simulated corpora with leaks of several sizes: power, the minimum detectable UAR, and bounds."""

from collections.abc import Iterator
from statistics import fmean

import numpy as np

from experiments.simulations.draws import Draws, resumed, share
from privrep.attacks.suite import QUICK, suite
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import linear
from privrep.types import InferenceSettings

SIZE, EACH, PERMUTATIONS = 8, 6, 99
# How far the genders are apart, in standard deviations of speakers: around what is detected.
STRENGTHS = {28: (0.5, 0.8, 1.1, 1.4), 100: (0.2, 0.4, 0.6, 0.8)}
COLUMNS = ("design", "seed", "uar", "lower", "upper", "minimum_detectable", "verdict", *QUICK)


def one_leak(name: str, seed: int) -> tuple[str | float, ...]:
    """A row of COLUMNS, of "28 speakers, 0.5"; the last columns are the UAR of every attacker."""
    speakers, strength = name.split(" speakers, ")
    sample = linear(seed, int(speakers), EACH, SIZE, float(strength)).sample()
    settings = InferenceSettings(permutations=PERMUTATIONS, seed=seed)
    measurement = measure(sample, attackers=suite(QUICK), settings=settings)
    verdict = measurement.verdict
    return (
        *(name, seed, verdict.uar, verdict.lower, verdict.upper, verdict.minimum_detectable),
        verdict.verdict,
        *(measurement.attackers[attacker].uar for attacker in QUICK),
    )


def power(draws: Draws) -> Iterator[str]:
    """A line per corpus and leak size: how often a leak of the minimum detectable size is detected.

    The truth of a leak is the mean UAR of its best attacker. The power at the median of the minimum
    detectable UAR is interpolated between the leaks.
    """
    names = [
        f"{speakers} speakers, {strength}"
        for speakers, strengths in STRENGTHS.items()
        for strength in strengths
    ]
    draws_of = dict.fromkeys(names, draws.end)
    rows = resumed(draws.folder / "power.csv", COLUMNS, one_leak, draws_of, draws.first)
    covered = {"upper": 0, "lower": 0}
    for speakers, strengths in STRENGTHS.items():
        truths, powers, detectable = [], [], []
        for strength in strengths:
            at = [row for row in rows if row["design"] == f"{speakers} speakers, {strength}"]
            truth = max(fmean(float(row[attacker]) for row in at) for attacker in QUICK)
            leaks = sum(row["verdict"] == "leaks" for row in at)
            upper = sum(bool(float(row["upper"]) >= truth) for row in at)
            lower = sum(bool(float(row["lower"]) <= truth) for row in at)
            covered["upper"] += upper
            covered["lower"] += lower
            detectable += [float(row["minimum_detectable"]) for row in at]
            truths.append(truth)
            powers.append(leaks / len(at))
            yield (
                f"{speakers:4d} speakers, UAR {truth:.3f}: leaks {share(leaks, len(at))}, "
                f"upper bound holds {upper}, lower {lower}"
            )
        smallest = float(np.median(detectable))
        yield (
            f"{speakers:4d} speakers: minimum detectable UAR {smallest:.3f}, detected in "
            f"{np.interp(smallest, truths, powers):.0%}"
        )
    for bound, count in covered.items():
        yield f"all: {bound} bound holds {share(count, len(rows))}"
