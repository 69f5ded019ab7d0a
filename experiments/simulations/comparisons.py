"""Whether `privrep compare` is right: false alarms, power and coverage of paired differences."""

from collections.abc import Iterator
from statistics import fmean

import numpy as np

from experiments.simulations.draws import Draws, resumed, share
from privrep.attacks.suite import QUICK, suite
from privrep.auditing.compare import share_of_margin
from privrep.auditing.options import MARGIN
from privrep.leakage.measurement import measure
from privrep.statistics.design import speaker_labels
from privrep.statistics.difference import LESS, MORE, NO_MORE, judge_difference
from privrep.types import InferenceSettings, Sample

EACH, SIZE, PERMUTATIONS = 6, 8, 99
SHARED = 0.7  # of the variance between speakers, that both representations have in common
# How far the genders are apart in the old and in the new representation, in standard deviations of
# speakers, as in the simulations of power.
PAIRS = {28: ((0.0, 0.0), (1.1, 1.1), (0.5, 1.4)), 100: ((0.0, 0.0), (0.6, 0.6), (0.4, 0.8))}
COLUMNS = ("design", "seed", "old", "new", "difference", "lower", "upper", "p", "verdict")


def pair(seed: int, num_speakers: int, strengths: tuple[float, float]) -> list[Sample]:
    """Two representations of the same utterances, in which gender leaks to different extents."""
    rng = np.random.default_rng((seed, 37))
    gender = rng.permutation(np.arange(num_speakers) % 2)
    speaker = np.repeat(np.arange(num_speakers), EACH)
    common = rng.normal(size=(num_speakers, SIZE))
    samples = []
    for strength in strengths:
        alone = rng.normal(size=(num_speakers, SIZE))
        h = rng.normal(size=(len(speaker), SIZE))
        h += (np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * alone)[speaker]
        h[:, 0] += strength * (2 * gender - 1)[speaker]
        samples.append(Sample.of(h, gender[speaker], speaker))
    return samples


def one_comparison(name: str, seed: int) -> tuple[str | float, ...]:
    """A row of COLUMNS, of "28 speakers, 0.5 to 1.4"."""
    speakers, strengths = name.split(" speakers, ")
    first, second = map(float, strengths.split(" to "))
    samples = pair(seed, int(speakers), (first, second))
    settings = InferenceSettings(permutations=PERMUTATIONS, seed=seed)
    old, new = (measure(s, attackers=suite(QUICK), settings=settings) for s in samples)
    judged = judge_difference(
        new.scored,
        old.scored,
        speaker_labels(samples[0].labels, samples[0].speaker),
        margin=share_of_margin(MARGIN) / 2,  # of two classes chance is a half
        alpha=settings.alpha,
        seed=seed,
    )
    bounds = (judged.difference, judged.lower, judged.upper, judged.p)
    return (name, seed, old.verdict.uar, new.verdict.uar, *bounds, judged.verdict)


def compare(draws: Draws) -> Iterator[str]:
    """A line per size of corpus and pair of leaks: verdicts, and how often the bounds hold.

    The truth is 0 for equal leaks, else the mean difference over the draws.
    """
    names = [
        f"{speakers} speakers, {old} to {new}"
        for speakers, pairs in PAIRS.items()
        for old, new in pairs
    ]
    rows = resumed(
        draws.folder / "compare.csv",
        COLUMNS,
        one_comparison,
        dict.fromkeys(names, draws.end),
        draws.first,
    )
    for name in names:
        of_name = [row for row in rows if row["design"] == name]
        old, new = name.split(" speakers, ")[1].split(" to ")
        truth = 0.0 if old == new else fmean(float(row["difference"]) for row in of_name)
        verdicts = [row["verdict"] for row in of_name]
        counts = ", ".join(
            f"{word} {share(verdicts.count(word), len(verdicts))}" for word in (MORE, LESS, NO_MORE)
        )
        upper = sum(float(row["upper"]) >= truth for row in of_name)
        lower = sum(float(row["lower"]) <= truth for row in of_name)
        yield f"{name:26s} difference {truth:+.3f}: {counts}"
        yield (
            f"{'':26s} upper bound holds {share(upper, len(of_name))}, lower "
            f"{share(lower, len(of_name))}"
        )
