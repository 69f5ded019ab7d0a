"""The report's other tables, from a summary: leaks by modality, placement, front, folds, groups.

Networks are those of `selected`, unless a table says otherwise.
"""

from collections.abc import Mapping, Sequence

from experiments.config.lambdas import is_zero, lambda_text
from experiments.report.side_tables import SideTable
from experiments.results.pareto import leaks_of, pareto
from experiments.results.result_directories import Row
from experiments.results.selected import (
    ORDINARY,
    Cell,
    cell_of,
    choices,
    corpus_name,
    modality_name,
)
from experiments.results.summary import (
    NOTHING,
    Entry,
    attributes,
    blocks,
    label,
    mean,
    recipe_of,
    summarise,
)

_FLOORS = ("raw", "untrained", "decision")
_PLACED = ["corpus", "task", "unlearned"]


def tables(summary: Sequence[Entry], rows: Sequence[Row]) -> dict[str, SideTable]:
    """{file name: table} of those that have a line."""
    found = {
        "leakage": leakage(summary),
        "placement": placement(summary),
        "front": front_table(summary),
        "folds": per_fold(summary, rows),
        "groups": per_group(summary),
    }
    return {name: table for name, table in found.items() if table.lines}


def leakage(summary: Sequence[Entry]) -> SideTable:
    """What a fresh attacker finds by modality: ordinary, each recipe, and the controls."""
    lines = []
    chosen = choices(summary)
    for dataset, task, private in dict.fromkeys((c.dataset, c.task, c.private) for c in chosen):
        lines += [[]] if lines else []
        for cell in [
            c for c in chosen if (c.dataset, c.task, c.private) == (dataset, task, private)
        ]:
            networks = dict(chosen[cell])
            for entry in summary:
                if entry["control"] in _FLOORS and cell_of(entry) == cell:
                    networks.setdefault(entry["control"], entry)
            for name, entry in networks.items():
                placed = [corpus_name(dataset), task, modality_name(cell.modality), name]
                lines += [[*placed, a, *_leak(entry, a)] for a in private.split("+")]
    header = ["corpus", "task", "", "network", "attribute", "λ", "attacker", "privacy"]
    return SideTable(
        "Leakage by modality",
        [*header, "all speakers", "95 % bounds", "verdict"],
        lines,
        "attacker: UAR of the fresh attacker that was best on validation, mean over folds and "
        "seeds; of speaker, 1 - equal error rate of verification of strangers. all speakers: of "
        "the strongest of linear and kernel on the speakers of all folds together, with its "
        "one-sided bounds. raw: what the network is given; untrained: its encoder before training; "
        "decision: which emotion it recognises, nothing else.",
    )


def _leak(entry: Entry, a: str) -> list[str]:
    told = entry["verdicts"].get(a, {})
    lambda_ = "" if entry["control"] else lambda_text(entry["settings"]["lambda"])
    numbers = [mean(entry, f"test_{a}_attacker_uar"), mean(entry, f"test_{a}_privacy")]
    verdict = told.get("verdict", "").replace("_", " ")
    if entry["collapsed"]:
        verdict = f"{entry['collapsed']} of {entry['n']} collapsed"
    return [lambda_, *map(score, numbers), score(told.get("uar")), _bounds(told), verdict]


def _bounds(told: Mapping) -> str:
    lower, upper = told.get("lower"), told.get("upper")
    if upper is None:
        return ""
    return f"{upper:.3f} at most" if lower is None else f"{lower:.3f} to {upper:.3f}"


def score(value: float | None) -> str:
    """Three places; empty where there is none."""
    return "" if value is None or value != value else f"{value:.3f}"


def placement(summary: Sequence[Entry]) -> SideTable:
    """Adversaries on the joint h beside those on its parts, wherever both were run."""
    lines = []
    groups: dict[tuple, list[Entry]] = {}
    for entry in summary:
        told = entry["settings"]
        if not entry["control"] and not is_zero(told["lambda"]) and "placement" in told:
            groups.setdefault(tuple(v for n, v in told.items() if n != "placement"), []).append(
                entry
            )
    for entries in groups.values():
        if len({e["settings"]["placement"] for e in entries}) < 2:
            continue
        lines += [[]] if lines else []
        for entry in entries:
            cell, told = cell_of(entry), entry["settings"]
            placed = [corpus_name(cell.dataset), cell.task, cell.private, recipe_of(entry)]
            placed += [lambda_text(told["lambda"]), str(told["placement"])]
            numbers = [_spread(entry, "test_emotion_uar")]
            for a in attributes(entry):
                numbers_of = [_spread(entry, f"test_{a}_privacy"), *_leak(entry, a)[3:]]
                lines.append([*placed, *numbers, a, *numbers_of])
    header = [*_PLACED, "recipe", "λ", "placement", "emotion", "attribute", "privacy"]
    return SideTable(
        "Where the adversary reads: the joint h, or each modality's part",
        [*header, "attacker, all speakers", "95 % bounds", "verdict"],
        lines,
        "Test scores, mean ± standard deviation over folds and seeds. The attacker reads the joint "
        "h in either case.",
    )


def _spread(entry: Entry, column: str) -> str:
    found = entry["scores"].get(column, NOTHING)
    spread = "" if found["sd"] is None else f" ± {found['sd']:.3f}"
    return "" if found["mean"] is None else f"{found['mean']:.3f}{spread}"


def front_table(summary: Sequence[Entry]) -> SideTable:
    """The settings that no other beats on validation in both emotion and every leak."""
    lines = []
    for title, entries in blocks(summary):
        kept = [] if sum(not entry["control"] for entry in entries) < 2 else pareto(entries)
        for entry in sorted(kept, key=lambda e: -mean(e, "val_emotion_uar")):
            placed = [title, recipe_of(entry) or ORDINARY, label(entry)]
            interval = entry["interval"]
            sure = f"{interval['lower']:.3f} to {interval['upper']:.3f}" if interval else ""
            numbers = [score(mean(entry, "val_emotion_uar")), _joined(leaks_of(entry, "val"))]
            numbers += [score(mean(entry, "test_emotion_uar")), sure]
            bounds = [entry["verdicts"].get(a, {}).get("upper") for a in attributes(entry)]
            numbers += [_joined(leaks_of(entry, "test")), _joined(bounds)]
            lines.append([*placed, *numbers])
    header = ["setting", "recipe", "λ", "validation: emotion", "validation: attacker"]
    return SideTable(
        "Settings on the front",
        [*header, *(f"test: {name}" for name in ("emotion", "95 %", "attacker", "at most"))],
        lines,
        "Of the settings of a block, those that no other beats on validation data, where both "
        "emotion UAR and the fresh attacker's score count; on test speakers they may be beaten. "
        "With several attributes the attackers' scores stand in the order of --private.",
    )


def _joined(scores: Sequence[float | None]) -> str:
    return " / ".join(map(score, scores))


def per_fold(summary: Sequence[Entry], rows: Sequence[Row]) -> SideTable:
    """Test scores of the chosen networks in each fold."""
    folds = sorted({row["fold"] for row in rows}, key=str)
    names = list(summary[0]["settings"]) if summary else []
    of_fold = {
        fold: {_key(e): e for e in summarise([r for r in rows if r["fold"] == fold], names)}
        for fold in folds
    }
    lines = []
    for cell, networks in choices(summary).items():
        for name, entry in networks.items():
            columns = {"emotion": "test_emotion_uar"}
            columns |= {f"{a} attacker": f"test_{a}_attacker_uar" for a in attributes(entry)}
            for what, column in columns.items():
                there = [of_fold[fold].get(_key(entry)) for fold in folds]
                scores = [score(mean(one, column)) if one else "" for one in there]
                lines.append([*_placed(cell), name, what, *scores])
    return SideTable(
        "Fold by fold",
        ["", *_PLACED, "network", "UAR of", *(f"fold {fold}" for fold in folds)],
        lines,
        "Test scores of the networks of tables 1, mean over seeds. Each fold tests other speakers; "
        "one fold's few speakers say little by themselves.",
    )


def _key(entry: Entry) -> tuple:
    return entry["control"], tuple(sorted((n, str(v)) for n, v in entry["settings"].items()))


def per_group(summary: Sequence[Entry]) -> SideTable:
    """Emotion UAR of the speakers of each value of the unlearned attributes."""
    lines = []
    for cell, networks in choices(summary).items():
        for name, entry in networks.items():
            for who, told in entry["among"].items():
                sure = f"{told['lower']:.3f} to {told['upper']:.3f}"
                attribute, _, value = who.partition("=")
                line = [*_placed(cell), name, attribute, value, score(told["uar"]), sure]
                lines.append(line)
    return SideTable(
        "Whose emotion is recognised",
        ["", *_PLACED, "network", "attribute", "value", "emotion UAR", "95 %"],
        lines,
        "Of the speakers with this value alone, all folds and seeds together, intervals over "
        "speakers. Where two intervals overlap widely no difference between the groups is shown.",
    )


def _placed(cell: Cell) -> list[str]:
    return [modality_name(cell.modality), corpus_name(cell.dataset), cell.task, cell.private]
