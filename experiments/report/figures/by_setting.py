"""The report's figures: scores against lambda with intervals, leaks by modality, maps of h."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.report.figures.style import (
    CHANCE,
    COLOURS,
    GREY,
    LEAST,
    SHAPES,
    file_name,
    finish,
    framed,
    in_legend,
    titled,
    whiskers,
)
from experiments.results.h_map import Map
from experiments.results.selected import (
    ORDINARY,
    Cell,
    block_of,
    cell_of,
    choices,
    corpus_name,
    leak_of,
    modality_name,
    pooled_of,
)
from experiments.results.summary import Entry, attributes, mean, recipe_of

_BASELINE = {"linestyle": ":", "linewidth": 1.1, "alpha": 0.8}
_ZERO = {"marker": "o", "ms": 8, "mfc": "white", "mew": 1.5, "zorder": 4}
_FLOORS = {"raw": "x", "untrained": "+", "decision": "*"}
Maps = Sequence[tuple[Mapping[str, Any], Map]]


def report_figures(summary: Sequence[Entry], maps: Maps) -> Iterator[tuple[str, Figure]]:
    """(kind/file name without ending, figure), to be drawn in `style.STYLE`."""
    chosen = choices(summary)
    for dataset, task, private in dict.fromkeys((c.dataset, c.task, c.private) for c in chosen):
        cells = [c for c in chosen if (c.dataset, c.task, c.private) == (dataset, task, private)]
        name = file_name(f"{dataset}_{task}_{private}")
        title = f"{corpus_name(dataset)}, {task}, unlearning {private}"
        lines = {cell: _lines(summary, chosen[cell]) for cell in cells}
        if any(len(line) > 1 for told in lines.values() for line in told.values()):
            yield f"lambda_{name}", _against_lambda(title, lines)
        yield f"leakage_{name}", _leakage(title, {c: chosen[c] for c in cells}, summary)
        for cell in cells:
            found = _maps_of(chosen[cell], maps)
            if found:
                yield (
                    file_name(f"map_{dataset}_{cell.modality}_{task}_{private}"),
                    _map(f"{title}, {modality_name(cell.modality)}", found),
                )


def _lines(summary: Sequence[Entry], networks: Mapping[str, Entry]) -> dict[str, list[Entry]]:
    """{recipe: lambda 0 and all lambdas of it, all else as in the chosen network}"""
    found = {}
    for name, entry in networks.items():
        block = [e for e in summary if e["n"] and not e["control"]]
        block = [e for e in block if block_of(e) == block_of(entry)]
        zeros = [e for e in block if is_zero(e["settings"]["lambda"])]
        if name != ORDINARY:
            found[name] = zeros + [e for e in block if e not in zeros and recipe_of(e) == name]
    return found


def _against_lambda(title: str, lines: Mapping[Cell, Mapping[str, list[Entry]]]) -> Figure:
    """A column per modality; emotion, then the privacy of each attribute."""
    cells = [cell for cell in lines if lines[cell]]
    entries = [e for cell in cells for line in lines[cell].values() for e in line]
    names = list(dict.fromkeys(name for cell in cells for name in lines[cell]))
    looks = {name: (COLOURS[i % 6], SHAPES[i % 7]) for i, name in enumerate(names)}
    grid = dict.fromkeys(e["settings"]["lambda"] for e in entries)
    ticks = list(dict.fromkeys(map(lambda_text, sorted(grid, key=strengths))))
    panels = ["emotion", *attributes(entries[0])]
    figure, axes = framed(len(panels), len(cells), 3.9, 2.6)
    for column, cell in enumerate(cells):
        axes[0, column].set_title(modality_name(cell.modality))
        axes[-1, column].set_xlabel("strength λ (no unit)")
        for ax, what in zip(axes[:, column], panels):
            for i, (name, line) in enumerate(lines[cell].items()):
                points = [(e, _point(e, what)) for e in line]
                points = [(e, p) for e, p in points if p[0] == p[0]]
                shift = 0.1 * (i - (len(lines[cell]) - 1) / 2)
                x = [ticks.index(lambda_text(e["settings"]["lambda"])) + shift for e, _ in points]
                whiskers(ax, x, [p for _, p in points], *looks[name], line=True)
                for (e, point), place in zip(points, x):
                    if is_zero(e["settings"]["lambda"]):
                        ax.axhline(point[0], color=looks[name][0], **_BASELINE)
                        ax.plot(place, point[0], mec=looks[name][0], **_ZERO)
            chance = entries[0]["chance"].get(what)
            if chance is not None:
                guess = chance if what == "emotion" else 1 - chance
                ax.axhline(guess, **CHANCE)
                ax.update_datalim([(0, guess - LEAST), (0, guess + LEAST)])
                ax.autoscale_view()
            ax.set_xticks(range(len(ticks)), ticks)
            ax.set_xlim(-0.5, len(ticks) - 0.5)
    for ax, what in zip(axes[:, 0], panels):
        ax.set_ylabel(_measured(entries, what))
    handles = [in_legend(name or "λ > 0", *looks[name]) for name in names]
    if any(map(is_zero, grid)):
        handles.append(Line2D([], [], color="black", label="level of λ = 0", **_BASELINE))
        handles.append(Line2D([], [], mec="black", ls="", label="λ = 0", **_ZERO))
    finish(figure, [*handles, Line2D([], [], label="chance", **CHANCE)])
    bars = "bars over speakers: 95 % of emotion, one-sided 95 % bounds of privacy"
    faulty = any(e["collapsed"] for e in entries)
    bars += "; no privacy is drawn of settings of which runs collapsed" * faulty
    titled(figure, title, bars)
    return figure


def _measured(entries: Sequence[Entry], what: str) -> str:
    """The name of an axis: which number it is, of tables 1 or of all speakers together."""
    if what == "emotion":
        pooled = any(e["interval"] for e in entries)
        return f"emotion UAR, test\n({'all speakers together' if pooled else 'mean over folds'})"
    if what == "speaker":
        return "speaker privacy, test\n(equal error rate\nof verification)"
    if pooled_of(entries, what):
        attacker = "the strongest of linear and kernel\nattackers, all speakers together"
        return f"{what} privacy, test: 1 − UAR of\n{attacker}"
    return f"{what} privacy, test: 1 − UAR of\nthe attacker best on validation,\nmean over folds"


def _point(entry: Entry, what: str) -> tuple[float, float, float]:
    """Score, and the ends of its interval over speakers; or the mean over folds."""
    if what == "emotion":
        told = entry["interval"]
        if told:
            return told["uar"], told["lower"], told["upper"]
        return (mean(entry, "test_emotion_uar"),) * 3
    if entry["collapsed"]:  # an h that says nothing is not private
        return (math.nan,) * 3
    leak, lower, upper = leak_of(entry, what)
    return 1 - leak, 1 - upper, 1 - lower


def _leakage(
    title: str, chosen: Mapping[Cell, Mapping[str, Entry]], summary: Sequence[Entry]
) -> Figure:
    """A panel per attribute: the attacker's UAR of every network, modality by modality."""
    shown: dict[Cell, dict[str, Entry]] = {}
    for cell, networks in chosen.items():
        shown[cell] = dict(networks)
        for entry in summary:
            if entry["control"] in _FLOORS and cell_of(entry) == cell:
                shown[cell].setdefault(entry["control"], entry)
    names = list(dict.fromkeys(name for told in shown.values() for name in told))
    names.sort(key=[ORDINARY, *(n for n in names if n not in _FLOORS), *_FLOORS].index)
    colours = iter([*COLOURS[:6]] * 9)
    looks = {
        n: (GREY, _FLOORS[n])
        if n in _FLOORS
        else (COLOURS[6], "o")
        if n == ORDINARY
        else (next(colours), SHAPES[1 + i % 6])
        for i, n in enumerate(names)
    }
    some = next(iter(next(iter(shown.values())).values()))
    figure, axes = framed(1, len(attributes(some)), max(3.9, 1.8 * len(shown)), 3.0)
    for ax, a in zip(axes[0], attributes(some)):
        for i, told in enumerate(shown.values()):
            for name, entry in told.items():
                point = leak_of(entry, a)
                shift = 0.75 * (names.index(name) + 0.5) / len(names) - 0.375
                if point[0] == point[0]:
                    whiskers(ax, [i + shift], [point], *looks[name])
        chance = some["chance"].get(a, 0.5)
        ax.axhline(chance, **CHANCE)
        ax.update_datalim([(0, chance - LEAST), (0, chance + LEAST)])
        ax.autoscale_view()
        ax.set_xticks(range(len(shown)), [modality_name(cell.modality) for cell in shown])
        ax.set_xlim(-0.5, len(shown) - 0.5)
        ax.set_xlabel("modality")
        kind = "1 − equal error rate" if a == "speaker" else "UAR"
        drawn = [e for told in shown.values() for e in told.values()]
        who = "best on validation, mean over folds"
        if pooled_of(drawn, a):
            who = "strongest of linear and kernel, all speakers"
        who = "of verification" if a == "speaker" else who
        ax.set_ylabel(f"{a} attacker's {kind}\n({who};\ntest; lower is more private)")
    handles = [in_legend(name or "λ > 0", *looks[name], line=False) for name in names]
    finish(figure, [*handles, Line2D([], [], label="chance", **CHANCE)])
    titled(figure, title, "bars: one-sided 95 % bounds over speakers")
    return figure


def _maps_of(networks: Mapping[str, Entry], maps: Maps) -> dict[str, Map]:
    """{network: its map}, of the smallest seed that has one."""
    found = {}
    for name, entry in networks.items():
        same = [
            (row["seed"], i, one)
            for i, (row, one) in enumerate(maps)
            if all(str(row.get(n)) == str(v) for n, v in entry["settings"].items())
        ]
        if same:
            title = f"λ = {lambda_text(entry['settings']['lambda'])}"
            found[", ".join(filter(None, (name, title)))] = min(same)[2]
    return found


def _map(title: str, found: Mapping[str, Map]) -> Figure:
    """A panel per network; colour tells the attribute, shape the emotion."""
    some = next(iter(found.values()))
    figure, axes = framed(1, len(found), 3.6, 3.4)
    colours = [COLOURS[1], COLOURS[0], *COLOURS[2:]]
    for ax, (name, one) in zip(axes[0], found.items()):
        ax.set_title(textwrap.fill(name, 36))
        for emotion in np.unique(one.emotion):
            rows = one.emotion == emotion
            edges = [colours[c % len(colours)] for c in one.private[rows]]
            shape = SHAPES[emotion % len(SHAPES)]
            ax.scatter(
                *one.xy[rows].T, 16, marker=shape, facecolors="none", edgecolors=edges, lw=0.8
            )
        ax.set_xlabel(f"direction of {one.attribute}\n(deviations within classes)")
    axes[0, 0].set_ylabel("direction of emotion\n(deviations within classes)")
    handles = [
        Line2D([], [], color=colours[c % len(colours)], lw=5, label=f"{some.attribute}: {value}")
        for c, value in enumerate(some.private_names)
        if (some.private == c).any()
    ]
    handles += [
        Line2D([], [], color=GREY, mfc="none", ls="", marker=SHAPES[c % 7], label=value)
        for c, value in enumerate(some.emotion_names)
        if (some.emotion == c).any()
    ]
    finish(figure, handles)
    titled(
        figure,
        f"{title}: where the test speakers of one fold lie in h",
        f"{len(some.xy)} utterances; directions learned from the training speakers",
    )
    return figure
