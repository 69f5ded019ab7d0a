"""What the report says in words, computed from a summary and its rows, and what was not tested."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from experiments.config.lambdas import is_zero, lambda_text
from experiments.results.columns import PROTECTION
from experiments.results.poster import CORPORA
from experiments.results.result_directories import Results, Row
from experiments.results.selected import (
    ORDINARY,
    Cell,
    block_of,
    choices,
    corpus_name,
    leak_of,
    modality_name,
)
from experiments.results.summary import Entry, attributes, recipe_of, sound


def lambda_words(summary: Sequence[Entry], rows: Sequence[Row]) -> list[str]:
    """For each line over lambda whether privacy drops again beyond some strength."""
    said = []
    for cell, networks in choices(summary).items():
        for name, chosen in networks.items():
            same = [e for e in summary if not e["control"] and block_of(e) == block_of(chosen)]
            line = [e for e in same if recipe_of(e) == name]
            if len(line) > 1 and name != ORDINARY:
                said += [_of_line(cell, name, line, a, rows) for a in attributes(chosen)]
    return said


def _passed(line: Sequence[Entry]) -> str:
    """Which settings of a line count for nothing, and why."""
    told = [
        f"λ {_lambda(e)} ({e['collapsed']} collapsed, {e['diverged']} diverged of "
        f"{e['n'] + e['diverged']} runs)"
        for e in line
        if not sound(e)
    ]
    return f" Passed over: {', '.join(told)}." * bool(told)


def _of_line(cell: Cell, recipe: str, line: Sequence[Entry], a: str, rows: Sequence[Row]) -> str:
    column = f"test_{a}_privacy"
    known = [e for e in line if sound(e) and _drawn(e, a) == _drawn(e, a)]
    start, end = f"{_named(cell)}, {recipe}: ", _passed(line)
    if len(known) < 2:
        return f"{start}{a} privacy is known at fewer than two λ.{end}"
    best = max(known, key=lambda e: _drawn(e, a))
    beyond = known[known.index(best) + 1 :]
    told = f"{a} privacy, as drawn, is highest at λ {_lambda(best)} ({_drawn(best, a):.3f})"
    if not beyond:
        largest = "that was run" if best is line[-1] else "of those that count"
        return f"{start}{told}, the largest {largest}: it does not drop again.{end}"
    lowest = min(beyond, key=lambda e: _drawn(e, a))
    lower, pairs = _lower(lowest, best, column, rows)
    return (
        f"{start}{told} and drops beyond it, to {_drawn(lowest, a):.3f} at λ "
        f"{_lambda(lowest)}. By the attacker best on validation it is lower in {lower} of {pairs} "
        "pairs of fold and seed; no test over "
        f"speakers compares the two.{end}"
    )


def _drawn(entry: Entry, a: str) -> float:
    """The privacy that the figure above these words shows."""
    return 1 - leak_of(entry, a)[0]


def _lower(a: Entry, b: Entry, column: str, rows: Sequence[Row]) -> tuple[int, int]:
    """In how many pairs of fold and seed a run of a is below one of b, and of how many."""
    scores = [
        {
            (row["fold"], row["seed"]): row[column]
            for row in rows
            if not row.get("control")
            and not row.get("diverged")
            and not row.get("collapsed")
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
    return f"{corpus_name(cell.dataset)}, {modality_name(cell.modality)}, {cell.task}"


def modality_words(summary: Sequence[Entry]) -> list[str]:
    """Which modality of a corpus and task leaks more, in the ordinary network."""
    chosen, said = choices(summary), []
    for dataset, task, private in dict.fromkeys((c.dataset, c.task, c.private) for c in chosen):
        for a in private.split("+"):
            leaks = {
                c.modality: leak_of(told[ORDINARY], a)[0]
                for c, told in chosen.items()
                if (c.dataset, c.task, c.private) == (dataset, task, private) and ORDINARY in told
            }
            leaks = {modality: leak for modality, leak in leaks.items() if leak == leak}
            if len(leaks) > 1:
                order = sorted(leaks, key=lambda modality: -leaks[modality])
                listed = ", ".join(f"{modality_name(m)} {leaks[m]:.3f}" for m in order)
                start = f"{corpus_name(dataset)}, {task}: the {a} attacker finds"
                said.append(f"{start}, in the ordinary network, {listed}.")
    return said


def not_tested(summary: Sequence[Entry], results: Results) -> list[str]:
    """What this report cannot say, in sentences."""
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
        yield "The demo corpus is synthetic: nothing found on it is a finding about people."
    if not any(entry.get("membership") for entry in runs):
        yield "Membership identification was not measured."
    placements = _values(runs, "placement")
    if len(placements) < 2 and "multimodal" in _values(runs, "modality"):
        yield f"Adversaries were placed in one way only ({', '.join(sorted(placements))})."
    seeds = {row["seed"] for row in results.rows}
    if len(seeds) < 3:
        count = "One seed was" if len(seeds) == 1 else f"{len(seeds)} seeds were"
        yield f"{count} run: how far scores move between starts is hardly known."
    few = {
        row["dataset"]: row["num_speakers"]
        for row in results.rows
        if row.get("num_speakers") and row["num_speakers"] < 40
    }
    for dataset, speakers in few.items():
        yield (
            f"{corpus_name(dataset)} has {speakers} speakers here: with so few, no change may mean "
            "no more than that none could be shown."
        )
    if any(entry["collapsed"] for entry in runs):
        yield (
            "Networks that collapsed count for nothing in privacy; "
            "the table All settings says which did."
        )


def _never(kinds: str) -> Iterator[str]:
    """kinds: the values of --attackers."""
    yield (
        "Comparisons hold the networks fixed: they are over test speakers, not over other training "
        "speakers or starts."
    )
    yield (
        f"Attackers of these kinds were tried for the means over folds, and no others: {kinds}. A "
        "stronger one, or one who knows more speakers, may find more."
    )
    yield "Whoever holds the recordings or transcripts themselves needs no representation."
    yield "The digits of the paper's tables are not known here; its signs are the poster's."


def _values(entries: Sequence[Entry], name: str) -> set[str]:
    return {str(entry["settings"].get(name)) for entry in entries}


def overview(summary: Sequence[Entry], results: Results) -> list[list[str]]:
    """A line per corpus, modality and task: how many runs, folds, seeds, speakers, utterances."""
    lines = []
    for cell in choices(summary):
        runs = [
            row
            for row in results.rows
            if not row.get("control")
            and all(str(row[n] or "") == v for n, v in cell._asdict().items())
        ]
        counts = [len(runs), len({r["fold"] for r in runs}), len({r["seed"] for r in runs})]
        people = [_most(runs, "num_speakers"), _most(runs, "num_utterances")]
        settings = {tuple(r.get(n) for n in r if n in PROTECTION or n == "lambda") for r in runs}
        epochs = [r["best_epoch"] for r in runs if isinstance(r.get("best_epoch"), int)]
        middle = f"{fmean(epochs):.1f}" if epochs else ""
        named = [modality_name(cell.modality), corpus_name(cell.dataset), cell.task, cell.private]
        lines.append([*named, *people, *map(str, [*counts, len(settings)]), middle])
    return lines


def _most(rows: Sequence[Row], column: str) -> str:
    known = [row[column] for row in rows if row.get(column)]
    return f"{max(known)}" if known else ""
