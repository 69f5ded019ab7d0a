"""Figures of each task: the trade-off of emotion and leakage, and the curves of training."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.report.figures.front import front
from experiments.report.figures.style import (
    COLOURS,
    GREY,
    chance_in_legend,
    file_name,
    finish,
    framed,
    name_points,
)
from experiments.results.columns import FIRST, PROTECTION
from experiments.results.selected import ORDINARY, corpus_name
from experiments.results.summary import Entry

Settings = Mapping[str, Any]
Scalars = Mapping[str, Sequence[float]]
Curves = Sequence[tuple[Settings, Scalars]]

_BLACK = COLOURS[-1]  # of lambda 0
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (1, 3)), (0, (9, 3)), (0, (6, 1, 1, 1, 1, 1)))


class _Line(NamedTuple):
    """A line of the figure, which is the mean over folds and seeds: its lambda, and all else."""

    lambda_: str
    kind: str


class _Curve(NamedTuple):
    """The curves of a run: its settings, the line that it is part of, and its scalars."""

    settings: Settings
    line: _Line
    scalars: Scalars


class _Panel(NamedTuple):
    """A column of the figure: a scalar, its name, and whose chance is drawn ("" none)."""

    scalar: str
    name: str
    chance: str


def draw(summary: Sequence[Entry], curves: Curves) -> Iterator[tuple[str, Figure]]:
    """(file name without ending, figure) of each task: the front, and curves of training.

    A task without two settings, or without curves, has no such figure. To be drawn in STYLE.

    Args:
      summary: of `experiments.results.summary.summarise`.
      curves: (settings, {scalar: its value after each epoch}) of each run; modality, task, private
        and lambda must be there, and each combination of the other settings of the summary that
        vary has a line. The scalars train_emotion_loss, train_adversary_loss, val_emotion_uar (or
        val_emotion_ccc) and val_<attribute>_adversary_uar are read.
    """
    for task in dict.fromkeys(entry["settings"]["task"] for entry in summary):
        entries = [entry for entry in summary if entry["settings"]["task"] == task]
        chance = {name: value for e in entries for name, value in e["chance"].items()}
        corpora = dict.fromkeys(corpus_name(e["settings"].get("dataset") or "") for e in entries)
        title = ", ".join(filter(None, (*corpora, task)))
        of_task = [(settings, scalars) for settings, scalars in curves if settings["task"] == task]
        for kind, figure in (
            ("front", front(title, entries)),
            ("curves", _over_epochs(title, _by_line(entries, of_task), chance)),
        ):
            if figure is not None:
                yield file_name(f"{kind}_{task}"), figure


def _by_line(entries: Sequence[Entry], curves: Curves) -> list[_Curve]:
    """The curves with their lines.

    Only runs that differ in nothing but fold and seed are averaged: at one lambda recipes,
    placements or networks may be quite unlike each other.
    """
    names = {n for e in entries for n in e["settings"]} - {*FIRST, *PROTECTION}
    names = {n for n in names if len({str(settings.get(n)) for settings, _ in curves}) > 1}
    lines = []
    for settings, scalars in curves:
        recipe = "" if is_zero(settings["lambda"]) else settings.get("recipe") or ""
        others = [f"{name}={settings.get(name)}" for name in sorted(names)]
        kind = ", ".join(filter(None, (recipe, *others)))
        lines.append(_Curve(settings, _Line(lambda_text(settings["lambda"]), kind), scalars))
    return lines


def _over_epochs(
    title: str, curves: Sequence[_Curve], chance: Mapping[str, float]
) -> Figure | None:
    """A row per modality and attributes, a column per scalar; colour is lambda, dashes the rest."""
    if not curves:
        return None
    rows: dict[tuple[str, str], list[_Curve]] = {}
    for curve in curves:
        place = (curve.settings["modality"], curve.settings["private"] or "")
        rows.setdefault(place, []).append(curve)
    private = dict.fromkeys(a for _, names in rows for a in names.split("+") if a)
    panels = [_Panel(f"val_emotion_{s}", f"emotion {s.upper()}", "emotion") for s in ("uar", "ccc")]
    panels += [_Panel(f"val_{a}_adversary_uar", f"{a} adversary UAR", a) for a in private]
    panels += [_Panel(f"train_{who}_loss", f"{who} loss", "") for who in ("emotion", "adversary")]
    empty = [p for p in panels if not any(np.isfinite(_values(c, p)).any() for c in curves)]
    panels = [panel for panel in panels if panel not in empty]
    looks = _looks(curves)

    figure, axes = framed(len(rows), len(panels), 3.3, 2.5, share_y="col")
    for row_axes, ((modality, names), of_row) in zip(axes, rows.items()):
        row_axes[0].set_ylabel(", ".join(filter(None, (modality, names))), fontweight="bold")
        for ax, panel in zip(row_axes, panels):
            for line, (colour, dash) in looks.items():
                runs = [_values(c, panel) for c in of_row if c.line == line]
                _band(ax, runs, colour, dash, _named(line))
            if panel.chance in chance:
                ax.axhline(chance[panel.chance], color=GREY, ls=(0, (5, 3)), lw=1, zorder=1)
    for ax, panel in zip(axes[0], panels):
        training = panel.scalar.startswith("train_")
        unit = "mean in nats, train" if training else "fraction, validation"
        ax.set_title(f"{panel.name}\n({unit})")
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    handles: list[Line2D | Patch] = []
    for line, (colour, dash) in looks.items():
        handles.append(Line2D([], [], color=colour, ls=dash, lw=2, label=_named(line)))
    handles.append(Patch(color=GREY, alpha=0.25, label="± standard deviation"))
    finish(figure, [*handles, chance_in_legend()])
    per_line = Counter((place, c.line) for place, of_row in rows.items() for c in of_row)
    title += f": training, mean over {_runs(per_line.values())} per line"
    for panel in [panel for panel in empty if panel.chance not in ("", "emotion")]:
        why = ": its classes are the training speakers" if panel.chance == "speaker" else ""
        title += f"\nno {panel.name} on validation{why}"
    figure.suptitle(title)
    return figure


def _values(curve: _Curve, panel: _Panel) -> Sequence[float]:
    return curve.scalars.get(panel.scalar, [])


def _looks(curves: Sequence[_Curve]) -> dict[_Line, tuple[str, Any]]:
    """{line: colour and dashes}: a colour for each lambda, in rising order, black for 0."""
    grid = sorted({curve.settings["lambda"] for curve in curves}, key=strengths)
    with_zero = any(map(is_zero, grid))
    rest = len(grid) - with_zero
    colours = list(COLOURS[:-1][:rest])
    if rest > len(colours):
        ramp = matplotlib.colormaps["viridis"](np.linspace(0.1, 0.95, rest))
        colours = [to_hex(colour) for colour in ramp]
    of_lambda = dict(zip(map(lambda_text, grid), [_BLACK] * with_zero + colours))
    kinds = sorted({curve.line.kind for curve in curves})
    dashes = {kind: _DASHES[i % len(_DASHES)] for i, kind in enumerate(kinds)}
    drawn = {curve.line for curve in curves}
    lines = [_Line(lambda_, kind) for lambda_ in of_lambda for kind in kinds]
    return {line: (of_lambda[line.lambda_], dashes[line.kind]) for line in lines if line in drawn}


def _named(line: _Line) -> str:
    parts = (ORDINARY, line.kind) if is_zero(line.lambda_) else (line.kind, f"λ {line.lambda_}")
    return ", ".join(filter(None, parts))


def _band(ax: Axes, runs: Sequence[Sequence[float]], colour: str, dash: Any, name: str) -> None:
    """Mean and spread over the runs that still have a number at an epoch."""
    length = max(map(len, runs), default=0)
    values = np.full((len(runs), length), np.nan)
    for row, run in zip(values, runs):
        row[: len(run)] = run
    known = np.isfinite(values)
    epochs = np.flatnonzero(known.any(axis=0))
    values, known = values[:, epochs], known[:, epochs]
    middle = np.mean(values, axis=0, where=known)
    spread = np.std(values, axis=0, where=known)
    if not len(epochs):
        return
    marker = "o" * (len(epochs) == 1)
    (drawn,) = ax.plot(epochs + 1, middle, color=colour, ls=dash, lw=1.5, marker=marker)
    ends = [f"{middle[i]:.3f} at epoch {epochs[i] + 1}" for i in sorted({0, len(epochs) - 1})]
    name_points(drawn, [f"{name}: {', '.join(ends)}"])
    ax.fill_between(epochs + 1, middle - spread, middle + spread, color=colour, alpha=0.12, lw=0)


def _runs(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    if low == high:
        return "1 run" if low == 1 else f"{low} runs"
    return f"{low}–{high} runs"
