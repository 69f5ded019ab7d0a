"""Figures of scores against lambda, of leakage by modality, and maps of h."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.report.figures.style import (
    COLOURS,
    GREY,
    SHAPES,
    Look,
    ScoredPoint,
    categories,
    chance_in_legend,
    chance_line,
    file_name,
    finish,
    framed,
    in_legend,
    name_points,
    titled,
    whiskers,
)
from experiments.results.h_map import Map
from experiments.results.questions import by_question, with_controls
from experiments.results.selected import (
    ORDINARY,
    Cell,
    block_of,
    choices,
    joint_name,
    leak_of,
    network_name,
    pooled_of,
)
from experiments.results.summary import (
    Entry,
    attributes,
    emotion_mean,
    emotion_name,
    recipe_of,
)

_BASELINE: dict[str, Any] = {"linestyle": ":", "linewidth": 1.1, "alpha": 0.8}
_ZERO: dict[str, Any] = {"marker": "o", "ms": 8, "mfc": "white", "mew": 1.5, "zorder": 4}
_CONTROL_SHAPES = {"raw": "x", "untrained": "+", "decision": "*"}
Maps = Sequence[tuple[Mapping[str, Any], Map]]
Line = list[Entry]  # of one recipe, at lambda 0 and all its lambdas


def report_figures(summary: Sequence[Entry], maps: Maps) -> Iterator[tuple[str, Figure]]:
    """(kind/file name without ending, figure), to be drawn in `style.STYLE`."""
    chosen = choices(summary)
    for question, cells in by_question(chosen).items():
        name, title = file_name("_".join(question)), question.title()
        lines = {cell: _lines(summary, chosen[cell]) for cell in cells}
        if any(len(line) > 1 for recipes in lines.values() for line in recipes.values()):
            yield f"lambda_{name}", _against_lambda(title, lines)
        networks = with_controls({cell: chosen[cell] for cell in cells}, summary)
        yield f"leakage_{name}", _leakage(title, networks)
        for cell in cells:
            panels = _maps_of(chosen[cell], maps)
            if panels:
                dataset, task, private = question
                yield (
                    file_name(f"map_{dataset}_{cell.modality}_{task}_{private}"),
                    _map(f"{title}, {cell.modality}", panels),
                )


def _lines(summary: Sequence[Entry], networks: Mapping[str, Entry]) -> dict[str, Line]:
    """{recipe: lambda 0 and all lambdas of it, all else as in the chosen network}"""
    lines = {}
    for name, entry in networks.items():
        block = [e for e in summary if e["n"] and not e["control"]]
        block = [e for e in block if block_of(e) == block_of(entry)]
        zeros = [e for e in block if is_zero(e["settings"]["lambda"])]
        if name != ORDINARY:
            lines[name] = zeros + [e for e in block if e not in zeros and recipe_of(e) == name]
    return lines


def _against_lambda(title: str, lines: Mapping[Cell, Mapping[str, Line]]) -> Figure:
    """A column per modality; emotion, then the attacker of each attribute."""
    cells = [cell for cell in lines if lines[cell]]
    entries = [entry for cell in cells for line in lines[cell].values() for entry in line]
    names = list(dict.fromkeys(name for cell in cells for name in lines[cell]))
    looks = {name: Look(COLOURS[i % 6], SHAPES[i % 7]) for i, name in enumerate(names)}
    grid = dict.fromkeys(entry["settings"]["lambda"] for entry in entries)
    ticks = list(dict.fromkeys(map(lambda_text, sorted(grid, key=strengths))))
    panels = ["emotion", *attributes(entries[0])]
    figure, axes = framed(len(panels), len(cells), 3.9, 2.6)
    for column, cell in enumerate(cells):
        axes[0, column].set_title(cell.modality)
        axes[-1, column].set_xlabel("strength λ (no unit)")
        for ax, measure in zip(axes[:, column], panels):
            for i, (name, line) in enumerate(lines[cell].items()):
                shift = 0.1 * (i - (len(lines[cell]) - 1) / 2)
                _line_against_lambda(ax, line, measure, ticks, shift, looks[name])
            chance = entries[0]["chance"].get(measure)
            if chance is not None:
                chance_line(ax, chance)
            categories(ax, ticks)
    for ax, measure in zip(axes[:, 0], panels):
        ax.set_ylabel(_axis_name(entries, measure))
    handles = [in_legend(name or "λ > 0", looks[name]) for name in names]
    if any(map(is_zero, grid)):
        handles.append(
            Line2D([], [], color="black", label="level of the ordinary network", **_BASELINE)
        )
        handles.append(Line2D([], [], mec="black", ls="", label=ORDINARY, **_ZERO))
    finish(figure, [*handles, chance_in_legend()])
    bars = "bars over speakers: 95 % interval of emotion, one-sided 95 % bounds of the attacker"
    if any(entry["collapsed"] for entry in entries):
        bars += "; no attacker is drawn for settings with collapsed runs"
    titled(figure, title, bars)
    return figure


def _line_against_lambda(
    ax: Axes, line: Line, measure: str, ticks: Sequence[str], shift: float, look: Look
) -> None:
    points = [(entry["settings"]["lambda"], _point(entry, measure)) for entry in line]
    points = [(lambda_, point) for lambda_, point in points if not math.isnan(point.score)]
    x = [ticks.index(lambda_text(lambda_)) + shift for lambda_, _ in points]
    whiskers(ax, x, [point for _, point in points], look, line=True)
    for place, (lambda_, point) in zip(x, points):
        if is_zero(lambda_):
            ax.axhline(point.score, color=look.colour, **_BASELINE)
            (ring,) = ax.plot(place, point.score, mec=look.colour, **_ZERO)
            name_points(ring, [str(point)])


def _axis_name(entries: Sequence[Entry], measure: str) -> str:
    """The measure and the sample: the mean over folds, as in tables 1, or all speakers together."""
    if measure == "emotion":
        pooled = any(entry["interval"] for entry in entries)
        sample = "all speakers together" if pooled else "mean over folds"
        return f"{emotion_name(entries)}, test\n({sample})"
    if measure == "speaker":
        return "speaker attacker's 1 − equal error\nrate, test (lower is more private)"
    attacker = "best on validation, mean over folds"
    if pooled_of(entries, measure):
        attacker = "strongest of linear and kernel,\nall speakers together"
    return f"{measure} attacker's UAR, test\n({attacker};\nlower is more private)"


def _point(entry: Entry, measure: str) -> ScoredPoint:
    """Score and the ends of its interval over speakers; three times the mean over folds if none."""
    name = network_name(entry)
    if measure == "emotion":
        interval = entry["interval"]
        if interval:
            score = interval.get("uar", interval.get("ccc"))
            return ScoredPoint(name, score, interval["lower"], interval["upper"])
        return ScoredPoint(name, *(emotion_mean(entry, "test"),) * 3)
    if entry["collapsed"]:  # an h without information is not private
        return ScoredPoint(name, *(math.nan,) * 3)
    return ScoredPoint(name, *leak_of(entry, measure))


def _leakage(title: str, shown: Mapping[Cell, Mapping[str, Entry]]) -> Figure:
    """A panel per attribute: the attacker's UAR of every network, modality by modality."""
    entries = [entry for networks in shown.values() for entry in networks.values()]
    looks = _leakage_looks([name for networks in shown.values() for name in networks])
    names = list(looks)
    figure, axes = framed(1, len(attributes(entries[0])), max(3.9, 1.8 * len(shown)), 3.0)
    for ax, attribute in zip(axes[0], attributes(entries[0])):
        for i, networks in enumerate(shown.values()):
            for name, entry in networks.items():
                point = ScoredPoint(network_name(entry), *leak_of(entry, attribute))
                shift = 0.75 * (names.index(name) + 0.5) / len(names) - 0.375
                # An h without information is not private.
                if not math.isnan(point.score) and not entry["collapsed"]:
                    whiskers(ax, [i + shift], [point], looks[name])
        chance_line(ax, entries[0]["chance"].get(attribute, 0.5))
        categories(ax, [cell.modality for cell in shown])
        ax.set_xlabel("modality")
        kind, attacker = "UAR", "best on validation, mean over folds"
        if attribute == "speaker":
            kind, attacker = "1 − equal error rate", "of verification"
        elif pooled_of(entries, attribute):
            attacker = "strongest of linear and kernel, all speakers"
        ax.set_ylabel(f"{attribute} attacker's {kind}\n({attacker};\ntest; lower is more private)")
    of_name = {n: [of[n] for of in shown.values() if n in of] for n in names}
    handles = [in_legend(joint_name(of_name[n]), look, line=False) for n, look in looks.items()]
    finish(figure, [*handles, chance_in_legend()])
    bars = "bars: one-sided 95 % bounds over speakers"
    if any(entry["collapsed"] for entry in entries):
        bars += "; networks that collapsed are not drawn"
    titled(figure, title, bars)
    return figure


def _leakage_looks(names: Sequence[str]) -> dict[str, Look]:
    """{network: look}: the ordinary one in black, the recipes in colour, the controls in grey."""
    looks = {ORDINARY: Look(COLOURS[6], "o")} if ORDINARY in names else {}
    recipes = dict.fromkeys(n for n in names if n != ORDINARY and n not in _CONTROL_SHAPES)
    for i, name in enumerate(recipes):
        looks[name] = Look(COLOURS[i % 6], SHAPES[1 + i % 6])
    controls = {n: Look(GREY, shape) for n, shape in _CONTROL_SHAPES.items() if n in names}
    return looks | controls


def _maps_of(networks: Mapping[str, Entry], maps: Maps) -> dict[str, Map]:
    """{network: its map}, of the smallest seed that has one."""
    panels = {}
    for entry in networks.values():
        same = [
            (row["seed"], i, map_)
            for i, (row, map_) in enumerate(maps)
            if all(str(row.get(n)) == str(v) for n, v in entry["settings"].items())
        ]
        if same:
            panels[network_name(entry)] = min(same)[2]
    return panels


def _map(title: str, panels: Mapping[str, Map]) -> Figure:
    """A panel per network; colour shows the attribute, shape the emotion."""
    first = next(iter(panels.values()))
    figure, axes = framed(1, len(panels), 3.6, 3.4)
    colours = [COLOURS[1], COLOURS[0], *COLOURS[2:]]
    for ax, (name, points) in zip(axes[0], panels.items()):
        ax.set_title(textwrap.fill(name, 36))
        for emotion in np.unique(points.emotion):
            for value in np.unique(points.private):
                rows = (points.emotion == emotion) & (points.private == value)
                look: dict[str, Any] = {"marker": SHAPES[emotion % len(SHAPES)], "mfc": "none"}
                look |= {"mec": colours[value % len(colours)], "ms": 4, "mew": 0.8}
                (drawn,) = ax.plot(*points.xy[rows].T, ls="", **look)
                named = f"{points.private_names[value]}, {points.emotion_names[emotion]}"
                name_points(drawn, [named] * int(rows.sum()))
        ax.set_xlabel(f"direction of {points.attribute}\n(standard deviations within classes)")
    axes[0, 0].set_ylabel("direction of emotion\n(standard deviations within classes)")
    handles = [
        Line2D([], [], color=colours[c % len(colours)], lw=5, label=f"{first.attribute}: {value}")
        for c, value in enumerate(first.private_names)
        if (first.private == c).any()
    ]
    handles += [
        Line2D([], [], color=GREY, mfc="none", ls="", marker=SHAPES[c % 7], label=value)
        for c, value in enumerate(first.emotion_names)
        if (first.emotion == c).any()
    ]
    finish(figure, handles)
    titled(
        figure,
        f"{title}: the test speakers of one fold in h",
        f"{len(first.xy)} utterances; directions learned from the training speakers",
    )
    return figure
