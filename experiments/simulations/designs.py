"""Simulated corpora without a leak, in the designs that corpora have: false alarms and bounds."""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from experiments.simulations.draws import Draws, resumed, share
from privrep.attacks.suite import QUICK, suite
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.types import InferenceSettings, Sample

SIZE, EACH, SEEDS = 8, 6, 5
COLUMNS = ("design", "seed", "uar", "upper", "p", "verdict", "beyond_p", "beyond_verdict")


class SimulatedLabels(NamedTuple):
    """Who speaks where: labels int[N], speaker int[N], and session int[N] or None."""

    labels: np.ndarray
    speaker: np.ndarray
    session: np.ndarray | None = None


class SimulatedDesign(NamedTuple):
    """A kind of corpus.

    Attributes:
      draw: (rng) -> SimulatedLabels.
      rooms: how much sessions differ in h, in standard deviations of speakers.
      beyond: whether a false alarm is one beyond sessions; in total the sessions reveal the label.
      most: draws of it at most, where one takes long.
    """

    draw: Callable[[np.random.Generator], SimulatedLabels]
    rooms: float = 0.0
    beyond: bool = False
    most: int = 10**9


def _speakers(num_speakers: int, share: float, rng: np.random.Generator) -> SimulatedLabels:
    classes = (np.arange(num_speakers) < round(share * num_speakers)).astype(int)
    speaker = np.repeat(np.arange(num_speakers), EACH)
    return SimulatedLabels(rng.permutation(classes)[speaker], speaker)


def _zipf(rng: np.random.Generator) -> SimulatedLabels:
    """Sixty speakers, of whom the first has sixty utterances and the last one."""
    counts = np.maximum(60 // np.arange(1, 61), 1)
    speaker = np.repeat(np.arange(60), counts)
    return SimulatedLabels(rng.permutation(np.arange(60) % 2)[speaker], speaker)


def _rooms(interviewer: bool, rng: np.random.Generator) -> SimulatedLabels:
    """Ten rooms of four speakers of one gender; an interviewer may be in all of them."""
    speaker = np.repeat(np.arange(40), EACH)
    room, gender_of_room = speaker // 4, rng.permutation(np.arange(10) % 2)
    labels = gender_of_room[room]
    if interviewer:
        speaker = np.concatenate([speaker, np.full(10 * EACH, 40)])
        room = np.concatenate([room, np.repeat(np.arange(10), EACH)])
        labels = np.concatenate([labels, np.full(10 * EACH, rng.integers(2))])
    return SimulatedLabels(labels, speaker, room)


def _days(rng: np.random.Generator) -> SimulatedLabels:
    """A state that is another on two of four days of each of 28 speakers."""
    speaker = np.repeat(np.arange(28), 4 * EACH)
    day = np.arange(len(speaker)) // EACH
    state = rng.permuted(np.tile([0, 0, 1, 1], (28, 1)), axis=1).reshape(-1)
    return SimulatedLabels(state[day], speaker, day)


def _sites(rng: np.random.Generator) -> SimulatedLabels:
    """Two sites of thirty speakers, 24 of them women at one and six at the other."""
    site = np.repeat([0, 1], 30)
    women = np.concatenate([rng.permutation(30) < 24, rng.permutation(30) < 6]).astype(int)
    speaker = np.repeat(np.arange(60), EACH)
    return SimulatedLabels(women[speaker], speaker, site[speaker])


def _three_classes(rng: np.random.Generator) -> SimulatedLabels:
    speaker = np.repeat(np.arange(30), EACH)
    return SimulatedLabels(rng.permutation(np.repeat([0, 1, 2], [14, 14, 2]))[speaker], speaker)


DESIGNS: dict[str, SimulatedDesign] = {
    "10 speakers": SimulatedDesign(functools.partial(_speakers, 10, 0.5)),
    "28 speakers": SimulatedDesign(functools.partial(_speakers, 28, 0.5)),
    "100 speakers": SimulatedDesign(functools.partial(_speakers, 100, 0.5)),
    "300 speakers": SimulatedDesign(functools.partial(_speakers, 300, 0.5), most=100),
    "Zipf counts": SimulatedDesign(_zipf),
    "80:20": SimulatedDesign(functools.partial(_speakers, 50, 0.2)),
    "classes 14/14/2": SimulatedDesign(_three_classes),
    "rooms of one gender": SimulatedDesign(functools.partial(_rooms, False), 2.0, True),
    "the same, an interviewer in all": SimulatedDesign(functools.partial(_rooms, True), 2.0, True),
    "two sites": SimulatedDesign(_sites, 5.0, True),
    "state by day": SimulatedDesign(_days, 1.5),
}


def draw(design: SimulatedDesign, seed: int) -> Sample:
    """A corpus of the design, in which h reveals speaker and session, and no label."""
    rng = np.random.default_rng((seed, 29))
    labels, speaker, session = design.draw(rng)
    h = rng.normal(size=(len(speaker), SIZE))
    h += rng.normal(size=(speaker.max() + 1, SIZE))[speaker]
    if session is not None:
        h += design.rooms * rng.normal(size=(session.max() + 1, SIZE))[session]
    return Sample.of(h, labels, speaker, session)


def one_draw(name: str, seed: int) -> tuple[str | float, ...]:
    """A row of COLUMNS by the usual suite without trees, which take no part in the test."""
    settings = InferenceSettings(permutations=99, seed=seed)
    measurement = measure(draw(DESIGNS[name], seed), attackers=suite(QUICK), settings=settings)
    total, beyond = measurement.verdict, measurement.beyond_sessions
    row = (name, seed, total.uar, total.upper, total.p, total.verdict)
    if beyond is None or beyond.verdict is None:
        return (*row, "", "")
    return (*row, beyond.verdict.p, beyond.verdict.verdict)


def one_world(name: str, seed: int) -> tuple[str | float, ...]:
    """A row of COLUMNS of a world that leaks, by the usual suite with trees."""
    world = WORLDS[name].draw(seed, 60, 8, 16)
    settings = InferenceSettings(permutations=99, seed=seed, deals=2)
    verdict = measure(world.sample(), settings=settings).verdict
    return (name, seed, verdict.uar, verdict.upper, verdict.p, verdict.verdict, "", "")


def one_seed(name: str, seed: int) -> tuple[str | float, ...]:
    """A row of COLUMNS of corpus seed // SEEDS of 100 speakers, one of five seeds of the test."""
    sample = draw(DESIGNS["100 speakers"], seed // SEEDS)
    settings = InferenceSettings(seed=seed % SEEDS)
    verdict = measure(sample, attackers=suite(QUICK), settings=settings).verdict
    return (name, seed, verdict.uar, verdict.upper, verdict.p, verdict.verdict, "", "")


def designs(draws: Draws) -> Iterator[str]:
    """A line per design of corpora without a leak: alarms and their exact 95 % interval.

    Every draw is a line of designs.csv as soon as it is made; those there are not repeated.
    """
    draws_of = {
        name: min(draws.end, design.most)
        for name, design in DESIGNS.items()
        if draws.first < design.most
    }
    rows = resumed(draws.folder / "designs.csv", COLUMNS, one_draw, draws_of, draws.first)
    every = []
    for name in draws_of:
        design = DESIGNS[name]
        column = "beyond_verdict" if design.beyond else "verdict"
        verdicts = [row[column] for row in rows if row["design"] == name]
        every += verdicts
        yield f"{name:32s} {share(verdicts.count('leaks'), len(verdicts))}"
    yield f"{'all':32s} {share(every.count('leaks'), len(every))}"


def worlds(draws: Draws) -> Iterator[str]:
    """A line per world that leaks: how often the verdict is leaks, and how often no_leak_shown."""
    leaking = [name for name, world in WORLDS.items() if world.leaks]
    draws_of = dict.fromkeys(leaking, draws.end)
    rows = resumed(draws.folder / "worlds.csv", COLUMNS, one_world, draws_of, draws.first)
    for name in leaking:
        verdicts = [row["verdict"] for row in rows if row["design"] == name]
        shown = share(verdicts.count("no_leak_shown"), len(verdicts))
        yield f"{name:16s} leaks {share(verdicts.count('leaks'), len(verdicts))}, none {shown}"


def seeds(draws: Draws) -> Iterator[str]:
    """Corpora of 100 speakers without a leak whose verdict is the same for five seeds."""
    first = draws.first // 10
    draws_of = {"100 speakers": max(first + 1, draws.end // 10) * SEEDS}
    rows = resumed(draws.folder / "seeds.csv", COLUMNS, one_seed, draws_of, first * SEEDS)
    by_corpus: dict[int, set[str]] = {}
    for row in rows:
        by_corpus.setdefault(int(row["seed"]) // SEEDS, set()).add(row["verdict"])
    same = sum(len(verdicts) == 1 for verdicts in by_corpus.values())
    yield f"the same verdict by {SEEDS} seeds: {share(same, len(by_corpus))} corpora"
