"""Simulations of the measurement on synthetic worlds whose true leakage is known.

    python -m experiments.simulations                        all parts
    python -m experiments.simulations --only=verdicts --draws=400

The parts are:

    designs        false alarms of the usual suite in the designs that corpora have
    worlds         whether "no leak shown" is ever the verdict of a world that leaks
    seeds          whether the seed of the test turns the verdict (a tenth of --draws corpora)
    power          how often a leak of the minimum detectable size is detected, and whether the
                   bounds hold (these four resume from the draws in --output, and begin at seed
                   --first, so that their draws may be divided over sessions or machines)
    verdicts       false alarms, power and coverage of the bounds, by number of speakers and leak
    numbers        the same for a private attribute that is a number
    intervals      coverage of the confidence intervals of a score
    strength       the closed-form attackers beside scikit-learn's logistic regression and support
                   vector machine
    given          false alarms and power of the test of leakage beyond a covariate
    members        the same for membership identification
    folds          the same for networks of several folds: attackers who know training speakers or
                   others too, rooms, a leak that is hidden in training speakers
    readme_figure  the figure of README.md
    speed          time and memory of a whole measurement of 100,000 x 256
    trained        false alarms and power of nearest neighbours and of the attackers that are
                   trained afresh for every permutation (a tenth of --draws, because they are slow)
"""

from experiments.start import parse_flags  # isort: skip  # before what may fail

import functools
import itertools
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags

from experiments.simulations.designs import designs, seeds, worlds
from experiments.simulations.draws import Draws
from experiments.simulations.fold_worlds import folds
from experiments.simulations.membership_worlds import members
from experiments.simulations.power import power
from experiments.simulations.readme_figure import readme_figure
from privrep.attacks.lda import ATTACKS
from privrep.attacks.suite import SEQUENCE, SLOW, affordable_permutations, suite
from privrep.leakage.conditional import explain
from privrep.leakage.measurement import measure
from privrep.leakage.number_measurement import measure_number
from privrep.leakage.number_worlds import NUMBER_WORLDS
from privrep.leakage.worlds import WORLDS, linear, speaker_only
from privrep.program import end_with
from privrep.statistics.confidence import INTERVALS, interval
from privrep.statistics.design import design
from privrep.statistics.strata import covariate
from privrep.statistics.uar import confusion_counts, uar
from privrep.types import InferenceSettings

FLAGS = flags.FLAGS
SPEAKERS = (10, 28, 100)
DESIGNS = ((10, True), (10, False), (28, False), (100, False))  # speakers, paired in sessions
UTTERANCES, SIZE, PERMUTATIONS = 10, 8, 99
# Both attackers take twenty times as long as the linear one, so they are tried only at the leaks
# that the tests mention.
SUITES = {"linear": (0.0, 0.55, 1.0), "linear,kernel": (0.0, 0.55)}


def one_verdict(
    suite: str, paired: bool, num_speakers: int, strength: float, seed: int
) -> list[float]:
    """uar, lower, upper, p, minimum detectable UAR, leaks, no leak shown; every attacker's UAR."""
    world = linear(seed, num_speakers, UTTERANCES, SIZE, strength)
    measurement = measure(
        world.sample(with_session=paired),
        attackers={name: ATTACKS[name] for name in suite.split(",")},
        settings=InferenceSettings(permutations=PERMUTATIONS, seed=seed),
    )
    verdict = measurement.verdict
    outcomes = (verdict.verdict == "leaks", verdict.verdict == "no_leak_shown")
    uars = (result.uar for result in measurement.attackers.values())
    return [*verdict[1:5], verdict.minimum_detectable, *outcomes, *uars]


def verdicts(draws: int) -> Iterator[str]:
    """A line per attackers, corpus size, design and leak. Truth: the best attacker's mean UAR."""
    yield "attackers speakers design strength | mean UAR, sd | leaks, none shown, cannot tell | "
    yield "         p <= .1 .2 .5 | upper, lower bound hold | minimum detectable, median"
    for attackers, (num_speakers, paired) in itertools.product(SUITES, DESIGNS):
        for strength in SUITES[attackers]:
            simulate = functools.partial(one_verdict, attackers, paired, num_speakers, strength)
            with ProcessPoolExecutor() as pool:
                rows = np.array(list(pool.map(simulate, range(draws), chunksize=8)))
            score, lower, upper, p, detectable, leaks, none = rows[:, :7].T
            truth = max(0.5, rows[:, 7:].mean(0).max())
            below = " ".join(f"{(p <= level).mean():.2f}" for level in (0.1, 0.2, 0.5))
            yield (
                f"{attackers:13s} {num_speakers:3d} {'pairs' if paired else 'free '} "
                f"{strength:.2f} | "
                f"{score.mean():.3f} {score.std():.3f} | {leaks.mean():.3f} {none.mean():.3f} "
                f"{1 - leaks.mean() - none.mean():.3f} | {below} | "
                f"{(upper >= truth).mean():.3f} {(lower <= truth).mean():.3f} | "
                f"{np.median(detectable):.3f}"
            )


def one_number(world: str, num_speakers: int, strength: float, seed: int) -> list[float]:
    """correlation, lower, upper, p, minimum detectable, leaks, no leak shown; every attacker's."""
    measurement = measure_number(
        NUMBER_WORLDS[world].draw(seed, num_speakers, UTTERANCES, SIZE, strength),
        settings=InferenceSettings(permutations=PERMUTATIONS, seed=seed),
    )
    verdict = measurement.verdict
    outcomes = (verdict.verdict == "leaks", verdict.verdict == "no_leak_shown")
    correlations = (result.correlation for result in measurement.attackers.values())
    return [*verdict[1:5], verdict.minimum_detectable, *outcomes, *correlations]


def numbers(draws: int) -> Iterator[str]:
    """A line per corpus size, world and leak. Truth: the best attacker's mean correlation."""
    yield "speakers world strength | mean correlation, sd | leaks, none shown, cannot tell | "
    yield "         p <= .1 .2 .5 | upper, lower bound hold | minimum detectable, median"
    for num_speakers, world in itertools.product(SPEAKERS, NUMBER_WORLDS):
        for strength in (0.0, 1.0):
            simulate = functools.partial(one_number, world, num_speakers, strength)
            with ProcessPoolExecutor() as pool:
                rows = np.array(list(pool.map(simulate, range(draws), chunksize=4)))
            score, lower, upper, p, detectable, leaks, none = rows[:, :7].T
            truth = max(0.0, rows[:, 7:].mean(0).max())
            below = " ".join(f"{(p <= level).mean():.2f}" for level in (0.1, 0.2, 0.5))
            yield (
                f"{num_speakers:3d} {world:6s} {strength:.2f} | {score.mean():.3f} "
                f"{score.std():.3f} | {leaks.mean():.3f} {none.mean():.3f} "
                f"{1 - leaks.mean() - none.mean():.3f} | {below} | "
                f"{(upper >= truth).mean():.3f} {(lower <= truth).mean():.3f} | "
                f"{np.median(detectable):.3f}"
            )


def intervals(draws: int) -> Iterator[str]:
    """Coverage and mean width of 95 % intervals of a UAR of three uneven classes."""
    rng = np.random.default_rng(0)
    truth = uar(sum(_emotion_counts(rng, 500).sum(0) for _ in range(40)))
    for num_speakers in SPEAKERS:
        covered: dict[str, Any] = dict.fromkeys(INTERVALS, 0.0)
        width: dict[str, Any] = dict.fromkeys(INTERVALS, 0.0)
        for draw in range(draws):
            counts = _emotion_counts(rng, num_speakers)
            for method in INTERVALS:
                bounds = interval(counts, method=method, draws=999, seed=draw)
                covered[method] += (bounds.lower <= truth <= bounds.upper) / draws
                width[method] += (bounds.upper - bounds.lower) / draws
        results = ", ".join(f"{m} {covered[m]:.3f} (width {width[m]:.3f})" for m in INTERVALS)
        yield f"{num_speakers:4d} speakers: {results}"


def _emotion_counts(rng: np.random.Generator, num_speakers: int) -> np.ndarray:
    """int64[S, 3, 3], confusion counts of speakers of unequal accuracy and unequal size."""
    counts = np.zeros((num_speakers, 3, 3), np.int64)
    for speaker_counts in counts:
        size = max(2, int(40 * np.exp(0.5 * rng.normal())))
        skill = 1 / (1 + np.exp(-(0.5 + 0.8 * rng.normal(size=3) + 0.4 * rng.normal())))
        for c, total in enumerate(rng.multinomial(size, (0.5, 0.3, 0.2))):
            hits = rng.binomial(total, skill[c])
            speaker_counts[c, c], speaker_counts[c, (c + 1) % 3] = hits, total - hits
    return counts


def strength(draws: int) -> Iterator[str]:
    """Mean UAR over the worlds of draws // 40 seeds, 60 speakers of 20 utterances, 16 columns."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    searched = {
        "logistic": (
            LogisticRegression(class_weight="balanced", max_iter=500),
            "logisticregression",
        ),
        "svm": (SVC(class_weight="balanced"), "svc"),
    }
    for name, world in WORLDS.items():
        uars: dict[str, list[float]] = {name: [] for name in (*ATTACKS, *searched)}
        for seed in range(max(1, draws // 40)):
            sample = world.draw(seed, 60, 20, 16)
            y, speaker = sample.gender, sample.speaker
            folds = design(y, speaker, None, 5, seed).folds
            for attack_name, attack in ATTACKS.items():
                predicted = attack(seed, sample.h, y[None], speaker, folds, 2).predictions[0]
                uars[attack_name].append(
                    float(uar(confusion_counts(predicted, y, speaker, 2).sum(0)))
                )
            for other, (model, step) in searched.items():
                predicted = np.zeros_like(y)
                for fold in range(5):
                    grid = {f"{step}__C": (0.001, 0.01, 0.1, 1.0, 10.0)}
                    search = GridSearchCV(
                        make_pipeline(StandardScaler(), model),
                        grid,
                        scoring="balanced_accuracy",
                        cv=GroupKFold(4),
                    )
                    train = folds != fold
                    search.fit(sample.h[train], y[train], groups=speaker[train])
                    predicted[~train] = search.predict(sample.h[~train])
                uars[other].append(float(uar(confusion_counts(predicted, y, speaker, 2).sum(0))))
        yield f"{name:13s} " + "  ".join(f"{k} {np.mean(v):.3f}" for k, v in uars.items())


def speed(draws: int) -> Iterator[str]:
    """100 speakers of 1,000 utterances, 256 columns, 200 permutations, the default attackers."""
    del draws
    world = speaker_only(0, 100, 1000, 256)
    start = time.perf_counter()
    measurement = measure(world.sample())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    each = ", ".join(f"{name} {spent:.1f} s" for name, spent in measurement.seconds.items())
    yield f"{seconds:.1f} s ({each}), peak {peak:.2f} GiB, {measurement.verdict.reason}"


def one_given(world: str, covariate_name: str, num_speakers: int, seed: int) -> list[float]:
    """uar, upper, leaks, no leak shown beyond the covariate; leaks when it is ignored."""
    sample = WORLDS[world].draw(seed, num_speakers, UTTERANCES, SIZE)
    z = covariate(covariate_name, [str(value) for value in getattr(sample, covariate_name)])
    settings = InferenceSettings(permutations=PERMUTATIONS, seed=seed)
    linear_alone = {"linear": ATTACKS["linear"]}
    (explained,) = explain(sample.sample(), [z], attackers=linear_alone, settings=settings)
    beyond, total = explained.beyond, explained.total.verdict
    outcomes = (beyond.verdict == "leaks", beyond.verdict == "no_leak_shown", total == "leaks")
    return [beyond.uar, beyond.upper, *outcomes]


def one_trained(attacker: str, num_speakers: int, strength: float, seed: int) -> list[float]:
    """UAR, upper bound, p, leaks, no leak shown of one attacker that has no closed form."""
    world = linear(seed, num_speakers, UTTERANCES, SIZE, strength)
    # The four frames of an utterance are its h plus independent noise.
    noise = np.random.default_rng(seed).normal(size=(len(world.h), 4, SIZE))
    verdict = measure(
        world.sample(),
        attackers=suite([attacker], (), world.h[:, None] + noise),
        settings=InferenceSettings(
            permutations=affordable_permutations([attacker], PERMUTATIONS), seed=seed
        ),
    ).verdict
    outcomes = (verdict.verdict == "leaks", verdict.verdict == "no_leak_shown")
    return [verdict.uar, verdict.upper, verdict.p, *outcomes]


def trained(draws: int) -> Iterator[str]:
    """A line per attacker and leak, 28 speakers without sessions, draws // 10 corpora each."""
    # A forked process would lack the threads of jax.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:
        for attacker, strength in itertools.product(("knn", *SLOW, SEQUENCE), (0.0, 1.0)):
            simulate = functools.partial(one_trained, attacker, 28, strength)
            rows = np.array(list(pool.map(simulate, range(max(1, draws // 10)))), float)
            score, upper, p, leaks, none = rows.T
            yield (
                f"{attacker:8s} {strength:.2f} | {score.mean():.3f} ({score.std():.3f}) | "
                f"leaks {leaks.mean():.3f}, none shown {none.mean():.3f}, p <= .2 "
                f"{(p <= 0.2).mean():.2f} .5 {(p <= 0.5).mean():.2f} | upper bound holds "
                f"{(upper >= max(0.5, score.mean())).mean():.3f}"
            )


def given(draws: int) -> Iterator[str]:
    """A line per world, covariate and corpus size; the linear attacker within strata."""
    cases = [("emotion_tied", "emotion"), ("length_only", "num_frames")]
    cases += [("speaker_only", "emotion"), ("linear", "emotion"), ("one_emotion", "emotion")]
    for num_speakers, (world, name) in itertools.product((28, 100), cases):
        simulate = functools.partial(one_given, world, name, num_speakers)
        with ProcessPoolExecutor() as pool:
            rows = np.array(list(pool.map(simulate, range(draws), chunksize=4)), float)
        score, upper, leaks, none, total = rows.T
        yield (
            f"{num_speakers:3d} {world:12s} given {name:10s} | beyond: {score.mean():.3f} "
            f"({score.std():.3f}), leaks {leaks.mean():.3f}, none shown {none.mean():.3f}, upper "
            f"bound over chance {(upper >= 0.5).mean():.3f} | in all: leaks {total.mean():.3f}"
        )


def _resumes(part: Callable[[Draws], Iterator[str]]) -> Callable[[int], Iterator[str]]:
    """A part that resumes, with the first seed and the folder of the flags."""

    @functools.wraps(part)
    def of_flags(draws: int) -> Iterator[str]:
        return part(Draws(draws, Path(FLAGS.output), FLAGS.first))

    return of_flags


PARTS = {
    "designs": _resumes(designs),
    "worlds": _resumes(worlds),
    "seeds": _resumes(seeds),
    "power": _resumes(power),
    "verdicts": verdicts,
    "numbers": numbers,
    "intervals": intervals,
    "strength": strength,
    "given": given,
    "members": members,
    "folds": folds,
    "readme_figure": readme_figure,
    "speed": speed,
    "trained": trained,
}


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        end_with(f"error: what is {argv[1]!r}? Values stand behind a flag: --only=verdicts")
    if FLAGS.first >= FLAGS.draws:
        end_with(f"error: --first={FLAGS.first} leaves no seed below --draws={FLAGS.draws}")
    for name in FLAGS.only:
        print(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", flush=True)
        for line in PARTS[name](FLAGS.draws):
            print(line, flush=True)


if __name__ == "__main__":
    flags.DEFINE_multi_enum("only", list(PARTS), list(PARTS), "Part to run; may be repeated.")
    flags.DEFINE_string("output", "out/simulations", "Folder of the draws that were made.")
    flags.DEFINE_integer("draws", 400, "Corpora drawn per line.", lower_bound=1)
    flags.DEFINE_integer(
        "first", 0, "First seed of the parts that resume; the last is --draws - 1.", lower_bound=0
    )
    app.run(main, flags_parser=parse_flags)
