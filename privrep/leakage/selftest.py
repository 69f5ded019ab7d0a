"""Self-test: the measurement on simulated worlds with a known leak, against the right verdicts."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.types import PRIMARY, SECONDARY, InferenceSettings

SPEAKERS, SIZE = 100, 16
FEW = 10  # speakers, as many as IEMOCAP has


class Effort(NamedTuple):
    """Utterances per speaker, and settings of the test."""

    utterances: int
    settings: InferenceSettings


QUICK = Effort(8, SECONDARY)
FULL = Effort(20, PRIMARY)


class Case(NamedTuple):
    """A world, its number of speakers, and the verdicts that are right."""

    world: str
    num_speakers: int
    right: tuple[str, ...]


def _right(name: str) -> tuple[str, ...]:
    """The right verdicts on a world."""
    world = WORLDS[name]
    if not world.leaks:
        return ("no_leak_shown", "cannot_tell")
    # Trees alone read it, which are not tested by permutations unless asked for.
    return ("leaks", "cannot_tell") if name == "comb" else ("leaks",)


CASES = (
    *(Case(name, SPEAKERS, _right(name)) for name in WORLDS),
    Case("speaker_only", FEW, ("cannot_tell",)),
)


def selftest(seed: int, write_line: Callable[[str], None], effort: Effort = QUICK) -> bool:
    """Measures every world, writes a line about each; whether all verdicts are right.

    A test at the level 5 % reports a leak in one of twenty worlds without a leak: of the 3 here,
    another seed may give one.
    """
    write_line(f"{'world':14}{'speakers':>9}{'UAR':>7}{'upper':>7}{'p':>7}  {'verdict':14} must be")
    all_right, start = True, time.perf_counter()
    settings = replace(effort.settings, seed=seed)
    for case in CASES:
        drawn = WORLDS[case.world].draw(seed, case.num_speakers, effort.utterances, SIZE)
        verdict = measure(drawn.sample(), settings=settings).verdict
        is_right = verdict.verdict in case.right
        all_right &= is_right
        write_line(
            f"{case.world:14}{case.num_speakers:9}{verdict.uar:7.3f}{verdict.upper:7.3f}"
            f"{verdict.p:7.3f}  {verdict.verdict:14} {' or '.join(case.right)}"
            f"{'' if is_right else '  WRONG'}"
        )
    summary = "all worlds were judged rightly" if all_right else "a world was misjudged"
    write_line(f"{summary} ({time.perf_counter() - start:.0f} s)")
    return all_right
