"""The report's tables of detail, from a summary: leakage, placement, choice on validation,
front, folds, groups, confusion of emotions, modalities compared.

Networks are those of `selected`, unless a table says otherwise.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.config.lambdas import is_zero
from experiments.report.side_tables import SideTable
from experiments.results.modalities import Compared
from experiments.results.pareto import leaks_of, pareto
from experiments.results.questions import by_question, with_controls
from experiments.results.result_directories import Row
from experiments.results.selected import (
    Cell,
    best,
    cell_of,
    choices,
    corpus_name,
    joint_name,
    leak_of,
    network_name,
)
from experiments.results.summary import (
    Entry,
    attributes,
    blocks,
    emotion_column,
    emotion_mean,
    emotion_name,
    emotion_pooled,
    mean,
    selected,
    selected_within_leak,
    summarise,
)
from privrep.training.selection import ALLOWED_LEAK

_PLACED = ["corpus", "task", "unlearned"]


def tables(summary: Sequence[Entry], rows: Sequence[Row]) -> dict[str, SideTable]:
    """{file name: table} of those that have a line."""
    made = {
        "leakage": leakage(summary),
        "placement": placement(summary),
        "choice": choice_table(summary),
        "front": front_table(summary),
        "folds": per_fold(summary, rows),
        "groups": per_group(summary),
        **confusions(summary),
    }
    return {name: table for name, table in made.items() if table.lines}


def leakage(summary: Sequence[Entry]) -> SideTable:
    """The attacker's scores by modality: of the ordinary network, each recipe, and the controls."""
    lines: list[list[str]] = []
    shown = with_controls(choices(summary), summary)
    pooled = any(entry["verdicts"] for networks in shown.values() for entry in networks.values())
    for question, cells in by_question(shown).items():
        lines += [[]] if lines else []
        for cell in cells:
            for entry in shown[cell].values():
                placed = [corpus_name(cell.dataset), cell.task, cell.modality]
                placed.append(network_name(entry))
                lines += [
                    [*placed, a, *_leak(entry, a, pooled)] for a in question.private.split("+")
                ]
    if pooled:
        attacker = (
            "UAR of the strongest attacker on the speakers of all folds together (linear or "
            "kernel; seen or own), with its one-sided bounds and its verdict"
        )
    else:
        attacker = (
            "UAR of the freshly trained attacker that was best on validation, mean over folds and "
            "seeds"
        )
    return SideTable(
        "Leakage by modality",
        [
            *(
                "corpus",
                "task",
                "modality",
                "network",
                "attribute",
                "attacker",
                "95 % bounds",
                "verdict",
            )
        ],
        lines,
        f"attacker: {attacker}; of speaker, 1 - equal error rate of verification of held-out "
        "speakers. raw: the input of the network; untrained: its encoder before training; "
        "decision: the predicted emotion class and nothing else.",
    )


def _leak(entry: Entry, attribute: str, pooled: bool) -> list[str]:
    """Score, bounds and verdict; of all attackers of a table the scores are of one kind."""
    test = entry["verdicts"].get(attribute, {})
    attacker = test.get("uar") if pooled else mean(entry, f"test_{attribute}_attacker_uar")
    verdict = test.get("verdict", "").replace("_", " ")
    if entry["collapsed"]:
        verdict = f"{entry['collapsed']} of {entry['n']} collapsed"
    return [score(attacker), _bounds(test), verdict]


def _bounds(test: Mapping[str, Any]) -> str:
    lower, upper = test.get("lower"), test.get("upper")
    if upper is None:
        return ""
    return f"upper {upper:.3f}" if lower is None else f"{lower:.3f} to {upper:.3f}"


def _interval(interval: Mapping[str, float]) -> str:
    return f"{interval['lower']:.3f} to {interval['upper']:.3f}" if interval else ""


def score(value: float | None) -> str:
    """Three decimal places; empty where there is none."""
    return "" if value is None or math.isnan(value) else f"{value:.3f}"


def placement(summary: Sequence[Entry]) -> SideTable:
    """Adversaries on the joint h beside those on its parts, wherever both were run."""
    lines: list[list[str]] = []
    groups: dict[tuple, list[Entry]] = {}
    pooled = any(entry["verdicts"] for entry in summary)
    for entry in summary:
        settings = entry["settings"]
        if not entry["control"] and not is_zero(settings["lambda"]) and "placement" in settings:
            others = tuple(value for name, value in settings.items() if name != "placement")
            groups.setdefault(others, []).append(entry)
    for entries in groups.values():
        if len({entry["settings"]["placement"] for entry in entries}) < 2:
            continue
        lines += [[]] if lines else []
        for entry in entries:
            cell = cell_of(entry)
            placed = [corpus_name(cell.dataset), cell.task, cell.private, network_name(entry)]
            placed += [str(entry["settings"]["placement"]), score(emotion_pooled(entry))]
            placed.append(_interval(entry["interval"]))
            lines += [[*placed, a, *_leak(entry, a, pooled)] for a in attributes(entry)]
    header = [*_PLACED, "network", "placement", emotion_name(summary), "95 %", "attribute"]
    return SideTable(
        "Placement of the adversary: on the joint h, or on the part of each modality",
        [*header, "attacker", "95 % bounds", "verdict"],
        lines,
        "On all test speakers together. The attacker has the joint h in either case; a lower score "
        "of it is more private.",
    )


def front_table(summary: Sequence[Entry]) -> SideTable:
    """The Pareto front: settings that no other beats on validation in emotion and every leak."""
    lines = []
    for title, entries in blocks(summary):
        kept = [] if sum(not entry["control"] for entry in entries) < 2 else pareto(entries)
        for entry in sorted(kept, key=lambda e: -emotion_mean(e, "val")):
            placed = [title, network_name(entry)]
            numbers = [score(emotion_mean(entry, "val")), _joined(leaks_of(entry, "val"))]
            numbers += [score(emotion_pooled(entry)), _interval(entry["interval"])]
            leaks = [leak_of(entry, a)[0] for a in attributes(entry)]
            bounds = [entry["verdicts"].get(a, {}).get("upper") for a in attributes(entry)]
            numbers += [_joined(leaks), _joined(bounds)]
            lines.append([*placed, *numbers])
    header = ["setting", "network", "validation: emotion", "validation: attacker"]
    return SideTable(
        "Networks on the Pareto front",
        [*header, *(f"test: {name}" for name in ("emotion", "95 %", "attacker", "upper bound"))],
        lines,
        "The networks that no other beats on validation speakers in both emotion and the score of "
        "the freshly trained attacker; on test speakers they may be beaten. validation: means over "
        "folds and seeds. test: all test speakers together, with the strongest attacker and the "
        "upper bound of its score at 95 % confidence. With several attributes the attackers' "
        "scores stand in the order of --private.",
    )


def _joined(scores: Sequence[float | None]) -> str:
    return " / ".join(map(score, scores))


def choice_table(summary: Sequence[Entry]) -> SideTable:
    """The settings of each block with their scores on validation by both rules of choice."""
    lines: list[list[str]] = []
    for title, entries in blocks(summary):
        runs = [e for e in entries if not e["control"] and not is_zero(e["settings"]["lambda"])]
        runs = [e for e in runs if e["n"] and not math.isnan(selected(e))]
        standing = [e for e in runs if e["collapsed"] < e["n"]]
        if len(runs) < 2 or not standing:
            continue
        lines += [[]] if lines else []
        rules = {"paper": selected, "leak-aware": selected_within_leak}
        winners = {name: best(standing, rule) for name, rule in rules.items()}
        for entry in runs:
            chosen = [name for name, winner in winners.items() if winner is entry]
            scores = [score(emotion_mean(entry, "val")), _joined(leaks_of(entry, "val"))]
            scores += [f"{rule(entry):.3f}" for rule in rules.values()]
            lines.append([title, network_name(entry), *scores, " and ".join(chosen)])
    header = ["setting", "network", "emotion", "attacker", "paper's score", "leak-aware score"]
    return SideTable(
        "Choice on validation speakers",
        [*header, "chosen by"],
        lines,
        "Mean scores on validation speakers; the attacker is freshly trained. paper's score: "
        "emotion less the attacker's distance from chance, by which the tables in the paper's "
        f"layout choose. leak-aware score: emotion where the attacker is within {ALLOWED_LEAK:g} "
        "of chance, else -1 less what it exceeds that by. Settings without collapsed runs are "
        "preferred.",
    )


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
        for entry in networks.values():
            columns = {"emotion": emotion_column(entry, "test")}
            columns |= {f"{a} attacker": f"test_{a}_attacker_uar" for a in attributes(entry)}
            for measure, column in columns.items():
                in_folds = [of_fold[fold].get(_key(entry)) for fold in folds]
                scores = [score(mean(e, column)) if e else "" for e in in_folds]
                lines.append([*_placed(cell), network_name(entry), measure, *scores])
    return SideTable(
        "Fold by fold",
        ["modality", *_PLACED, "network", "score of", *(f"fold {fold}" for fold in folds)],
        lines,
        "Test scores of the networks of tables 1, mean over seeds. Each fold tests other speakers; "
        "the few speakers of one fold allow no conclusion by themselves.",
    )


def _key(entry: Entry) -> tuple:
    return entry["control"], tuple(sorted((n, str(v)) for n, v in entry["settings"].items()))


def per_group(summary: Sequence[Entry]) -> SideTable:
    """Emotion UAR of the speakers of each value of the unlearned attributes."""
    lines = []
    for cell, networks in choices(summary).items():
        for entry in networks.values():
            for group, emotion in entry["among"].items():
                attribute, _, value = group.partition("=")
                scores = [score(emotion.get("uar", emotion.get("ccc"))), _interval(emotion)]
                gap = entry["gaps"].get(group, {})
                scores += [f"{gap['difference']:+.3f}" if gap else "", _signed(gap)]
                lines.append([*_placed(cell), network_name(entry), attribute, value, *scores])
    return SideTable(
        "Emotion recognition by group of speakers",
        [
            *["modality", *_PLACED, "network", "attribute", "value", emotion_name(summary), "95 %"],
            "gap",
            "95 % of it",
        ],
        lines,
        "Of the speakers with this value alone, all folds and seeds together, with intervals over "
        "speakers. gap: UAR of these speakers less that of the others; where its interval holds 0, "
        "no difference between the groups is shown.",
    )


def _signed(interval: Mapping[str, float]) -> str:
    return f"{interval['lower']:+.3f} to {interval['upper']:+.3f}" if interval else ""


def confusions(summary: Sequence[Entry]) -> dict[str, SideTable]:
    """{file name: confusion matrices of the chosen networks}, a table for each set of classes."""
    lines_of: dict[tuple[str, ...], list[list[str]]] = {}
    tasks: dict[tuple[str, ...], dict[str, None]] = {}
    for cell, networks in choices(summary).items():
        for entry in networks.values():
            classes = tuple(entry["confusion"])
            if not classes:
                continue
            tasks.setdefault(classes, {})[cell.task] = None
            lines = lines_of.setdefault(classes, [])
            lines += [[]] if lines else []
            for true, counts in entry["confusion"].items():
                total = max(sum(counts.values()), 1)
                shares = [f"{counts.get(c, 0) / total:.2f}" for c in classes]
                placed = [*_placed(cell), network_name(entry), true]
                lines.append([*placed, *shares, str(sum(counts.values()))])
    return {
        f"confusion_{'_'.join(tasks[classes])}": SideTable(
            f"Confusion of {', '.join(classes)}",
            ["modality", *_PLACED, "network", "true", *classes, "utterances"],
            lines,
            "Of the utterances of each true class the share that was recognised as each class, on "
            "test speakers, all folds and seeds together; the diagonal is the recall.",
        )
        for classes, lines in lines_of.items()
    }


def _placed(cell: Cell) -> list[str]:
    return [cell.modality, corpus_name(cell.dataset), cell.task, cell.private]


def modalities(rows: Sequence[Compared], summary: Sequence[Entry]) -> SideTable:
    """The modalities of each question compared pair by pair, on the same speakers."""
    chosen, lines = choices(summary), list[list[str]]()
    for row in rows:
        cells = [
            Cell(row.private, m, row.dataset, row.task) for m in (row.modality_a, row.modality_b)
        ]
        network = joint_name(chosen[cell][row.network] for cell in cells)
        name = "emotion" if row.subject == "emotion" else f"{row.subject} attacker"
        pair = f"{row.modality_a} - {row.modality_b}"
        values = [score(row.value_a), score(row.value_b), f"{row.difference:+.3f}"]
        interval = _signed({"lower": row.lower, "upper": row.upper})
        placed = [corpus_name(row.dataset), row.task, row.private, network]
        counts = [f"{row.p:.3f}", str(row.speakers)]
        lines.append([*placed, f"{name} {row.score}", pair, *values, interval, *counts])
    return SideTable(
        "Modalities compared",
        [
            *_PLACED,
            "network",
            "score",
            "modalities",
            "first",
            "second",
            "difference",
            "95 %",
            "p",
            "speakers",
        ],
        lines,
        "Two modalities on the same test speakers, all folds and seeds that both have together. "
        "The networks are those that validation chooses; of two λ the former is of the former "
        "modality. The attacker is the stronger of linear and kernel: a higher score of it is a "
        "larger leak. p: permutation test that swaps the two networks' predictions of random "
        "speakers; not corrected for the number of comparisons.",
    )
