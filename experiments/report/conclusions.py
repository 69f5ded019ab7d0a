"""The report's conclusions in sentences, computed from a summary and its rows, and its limits."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean

from experiments.config.lambdas import is_zero, lambda_text
from experiments.results.columns import PROTECTION
from experiments.results.poster import CORPORA
from experiments.results.questions import by_question
from experiments.results.result_directories import Results, Row
from experiments.results.selected import (
    ORDINARY,
    Cell,
    block_of,
    cell_of_settings,
    choices,
    corpus_name,
    leak_of,
)
from experiments.results.summary import Entry, attributes, recipe_of, sound


def lambda_conclusions(summary: Sequence[Entry], rows: Sequence[Row]) -> list[str]:
    """For each line over lambda whether the attacker gains again beyond some strength."""
    sentences = []
    for cell, networks in choices(summary).items():
        for recipe, chosen in networks.items():
            same = [e for e in summary if not e["control"] and block_of(e) == block_of(chosen)]
            line = [entry for entry in same if recipe_of(entry) == recipe]
            if len(line) > 1 and recipe != ORDINARY:
                for attribute in attributes(chosen):
                    sentence = _of_line(line, attribute, rows)
                    sentences.append(f"{_named(cell)}, {recipe}: {sentence}{_left_out(line)}")
    return sentences


def _left_out(line: Sequence[Entry]) -> str:
    """The settings of a line that do not count, and why."""
    unsound = [
        f"λ {_lambda(e)} (of {e['n'] + e['diverged']} runs {_faults(e)})"
        for e in line
        if not sound(e)
    ]
    return f" Left out: {', '.join(unsound)}." if unsound else ""


def _faults(entry: Entry) -> str:
    kinds = {
        "collapsed": "collapsed",
        "diverged": "diverged",
        "lagging": "had an adversary that never learned the attribute",
    }
    return ", ".join(f"{entry[kind]} {words}" for kind, words in kinds.items() if entry[kind])


def _of_line(line: Sequence[Entry], attribute: str, rows: Sequence[Row]) -> str:
    def leak(entry: Entry) -> float:
        """The score that the figure shows."""
        return leak_of(entry, attribute)[0]

    known = [entry for entry in line if sound(entry) and not math.isnan(leak(entry))]
    if len(known) < 2:
        return f"fewer than two λ are left at which the {attribute} attacker could be compared."
    best = min(known, key=leak)
    beyond = known[known.index(best) + 1 :]
    lowest = (
        f"the score of the {attribute} attacker is lowest, which is most private, at λ "
        f"{_lambda(best)} ({leak(best):.3f})"
    )
    if not beyond:
        largest = "that was run" if best is line[-1] else "that is not left out"
        return f"{lowest}, the largest {largest}: it does not rise again."
    worst = max(beyond, key=leak)
    if f"{leak(worst):.3f}" == f"{leak(best):.3f}":
        return f"{lowest}: beyond it the score rises by less than 0.001."
    lower, pairs = _lower(worst, best, f"test_{attribute}_privacy", rows)
    return (
        f"{lowest} and higher beyond it, {leak(worst):.3f} at λ {_lambda(worst)}. The attacker "
        f"that is best on validation is stronger there in {lower} of {pairs} pairs of fold and "
        "seed; no test over speakers compares the two."
    )


def _lower(a: Entry, b: Entry, column: str, rows: Sequence[Row]) -> tuple[int, int]:
    """In how many pairs of fold and seed a run of a is below one of b, and of how many."""
    scores = [
        {
            (row["fold"], row["seed"]): row[column]
            for row in rows
            if not any(row.get(name) for name in ("control", "diverged", "collapsed"))
            and row.get(column) is not None
            and all(row.get(n) == v for n, v in entry["settings"].items())
        }
        for entry in (a, b)
    ]
    both = [(scores[0][pair], scores[1][pair]) for pair in scores[0] if pair in scores[1]]
    return sum(x < y for x, y in both), len(both)


def _lambda(entry: Entry) -> str:
    return lambda_text(entry["settings"]["lambda"])


def _named(cell: Cell) -> str:
    return f"{corpus_name(cell.dataset)}, {cell.modality}, {cell.task}"


def modality_conclusions(summary: Sequence[Entry]) -> list[str]:
    """Which modality of a corpus and task leaks more, in the ordinary network."""
    chosen, sentences = choices(summary), []
    for question, cells in by_question(chosen).items():
        networks = {c.modality: chosen[c][ORDINARY] for c in cells if ORDINARY in chosen[c]}
        for attribute in question.private.split("+"):
            standing = {name: entry for name, entry in networks.items() if not entry["collapsed"]}
            leaks = {name: leak_of(entry, attribute)[0] for name, entry in standing.items()}
            leaks = {name: leak for name, leak in leaks.items() if not math.isnan(leak)}
            if len(leaks) > 1:
                order = sorted(leaks, key=lambda name: -leaks[name])
                listed = ", ".join(f"{name} {leaks[name]:.3f}" for name in order)
                sentences.append(
                    f"{corpus_name(question.dataset)}, {question.task}: score of the {attribute} "
                    f"attacker on the ordinary network: {listed}."
                )
    return sentences


def not_tested(summary: Sequence[Entry], results: Results) -> list[str]:
    """The limits of this report, in sentences."""
    kinds = sorted({str(row["attackers"]) for row in results.rows if row.get("attackers")})
    return [*_missing(summary, results), *_never(", ".join(kinds))]


def _missing(summary: Sequence[Entry], results: Results) -> Iterator[str]:
    runs = [entry for entry in summary if not entry["control"]]
    if not any(is_zero(entry["settings"]["lambda"]) for entry in runs):
        yield "No ordinary network (λ 0) was run: nothing can be compared with it."
    lacking = [CORPORA[name] for name in CORPORA if name not in _values(runs, "dataset")]
    if lacking:
        yield f"Corpora of the paper without results here: {', '.join(lacking)}."
    if "demo" in _values(runs, "dataset"):
        yield "The demo corpus is synthetic: its results say nothing about real speakers."
    if not any(entry.get("membership") for entry in runs):
        yield "Membership identification was not measured."
    placements = _values(runs, "placement")
    if len(placements) < 2 and "multimodal" in _values(runs, "modality"):
        yield f"Adversaries were placed in one way only ({', '.join(sorted(placements))})."
    seeds = {row["seed"] for row in results.rows}
    if len(seeds) < 3:
        count = "One seed was" if len(seeds) == 1 else f"{len(seeds)} seeds were"
        yield f"{count} run: the variation between initialisations is hardly known."
    few = {
        row["dataset"]: row["num_speakers"]
        for row in results.rows
        if row.get("num_speakers") and row["num_speakers"] < 40
    }
    for dataset, speakers in few.items():
        yield (
            f"{corpus_name(dataset)} has {speakers} speakers here: with so few, a test has little "
            "power: where it shows no change, there may be one."
        )
    if any(entry["collapsed"] for entry in runs):
        yield (
            "Networks that collapsed are left out of privacy; the table All settings marks the "
            "settings in which networks collapsed."
        )


def _never(kinds: str) -> Iterator[str]:
    """kinds: the values of --attackers."""
    yield (
        "Comparisons hold the networks fixed: they generalise to other test speakers, not to other "
        "training speakers or initialisations."
    )
    yield (
        f"The means over folds are of attackers of these kinds, and no others: {kinds}. A stronger "
        "attacker, or one with more speakers to learn from, may reveal more."
    )
    yield "An attacker who has the recordings or transcripts themselves needs no representation."
    yield "The digits of the paper's tables are not known here; its signs are those of the poster."


def _values(entries: Sequence[Entry], name: str) -> set[str]:
    return {str(entry["settings"].get(name)) for entry in entries}


def overview(summary: Sequence[Entry], results: Results) -> list[list[str]]:
    """A line per corpus, modality and task: numbers of speakers, utterances, runs, folds, seeds."""
    lines = []
    for cell in choices(summary):
        runs = [
            row for row in results.rows if not row.get("control") and cell_of_settings(row) == cell
        ]
        sizes = [_largest(runs, "num_speakers"), _largest(runs, "num_utterances")]
        folds, seeds = ({row[name] for row in runs} for name in ("fold", "seed"))
        settings = {tuple(r.get(n) for n in r if n in PROTECTION or n == "lambda") for r in runs}
        epochs = [row["best_epoch"] for row in runs if isinstance(row.get("best_epoch"), int)]
        counts = map(str, (len(runs), len(folds), len(seeds), len(settings)))
        placed = [cell.modality, corpus_name(cell.dataset), cell.task, cell.private]
        lines.append([*placed, *sizes, *counts, f"{fmean(epochs):.1f}" if epochs else ""])
    return lines


def _largest(rows: Sequence[Row], column: str) -> str:
    known = [row[column] for row in rows if row.get(column)]
    return f"{max(known)}" if known else ""
