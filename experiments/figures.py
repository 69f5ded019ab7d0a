"""Figures of a result directory, computed from rows and training curves."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from experiments.front import COLOURS, front
from experiments.summary import (
    NOTHING,
    PROTECTION,
    Entry,
    Row,
    attributes,
    blocks,
    is_zero,
    lambda_text,
    selected,
    series,
    strengths,
    summarise,
)

Settings = Mapping[str, Any]
Curves = Sequence[tuple[Settings, Mapping[str, Sequence[float]]]]

_COLOURS = COLOURS[:-1]  # black is kept for lambda = 0
_BLACK, _GREY = "#000000", "#6E6E6E"
_CHANCE = {"color": _GREY, "linestyle": (0, (5, 3)), "linewidth": 1.0, "zorder": 1}
_LEAST = 0.1  # of a score to either side of chance, on an axis
_BASELINE = {"linestyle": ":", "linewidth": 1.2, "alpha": 0.8}
_ZERO = {"marker": "o", "ms": 8, "mfc": "white", "mew": 1.6}
_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
}


def write_figures(
    workdir: Path, rows: Iterable[Row], curves: Curves, settings: Sequence[str]
) -> list[Path]:
    """Writes workdir/figures/lambda_<task>.png, front_<task>.png and curves_<task>.png.

    Args:
      rows, settings: as for `experiments.summary.summarise`.
      curves: (settings, {scalar: its value after each epoch}) of each run; the settings modality,
        task, private and lambda are read, and the scalars train_emotion_loss,
        train_adversary_loss, val_emotion_uar and val_<attribute>_adversary_uar.

    Returns:
      The files written. A task without a run that counts, or without curves, has no such figure.
    """
    folder = workdir / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    summary = summarise(rows, settings)
    written = []
    with matplotlib.rc_context(_STYLE):
        for task in dict.fromkeys(entry["settings"]["task"] for entry in summary):
            entries = [entry for entry in summary if entry["settings"]["task"] == task]
            chance = {name: value for e in entries for name, value in e["chance"].items()}
            runs = [entry for entry in entries if not entry["control"] and entry["n"]]
            of_task = [(told, scalars) for told, scalars in curves if told["task"] == task]
            for kind, figure in (
                ("lambda", _against_lambda(task, runs, chance) if runs else None),
                ("front", front(task, entries)),
                ("curves", _over_epochs(task, of_task, chance) if of_task else None),
            ):
                if figure is not None:
                    name = re.sub(r"[^-.\w]", "_", f"{kind}_{task}.png")
                    figure.savefig(folder / name, dpi=150, metadata={"Software": None})
                    written.append(folder / name)
    return written


def _against_lambda(task: str, runs: Sequence[Entry], chance: Mapping[str, float]) -> Figure:
    """A column per modality; a row for emotion, and one for the privacy of each attribute."""
    found = [
        (f"{title} {name}", entries, _told(entries, blocks(runs), name))
        for title, block in blocks(runs)
        for name, entries in series(block).items()
    ]
    # More lines than colours cannot be read: those that validation prefers are shown.
    liked = sorted(found, key=lambda line: -max(map(_selected, line[1])))[: len(_COLOURS)]
    shown = [line[:2] for line in found if line in liked]
    told = {title: text for title, _, text in found}
    colours = dict(zip(dict.fromkeys(told[title] for title, _ in shown), _COLOURS))
    modalities = list(dict.fromkeys(entries[0]["settings"]["modality"] for _, entries in shown))
    grid = {e["settings"]["lambda"] for _, entries in shown for e in entries}
    ticks = list(dict.fromkeys(map(lambda_text, sorted(grid, key=strengths))))
    panels = [("emotion", "test_emotion_uar", "emotion UAR\n(fraction, test)")]
    for a in dict.fromkeys(a for _, entries in shown for a in attributes(entries[0])):
        panels.append((a, f"test_{a}_privacy", f"{a} privacy\n(1 − attacker's score, test)"))

    figure, axes = _grid(len(panels), len(modalities), 4.4, 2.7)
    for column, modality in enumerate(modalities):
        inside = [(t, e) for t, e in shown if e[0]["settings"]["modality"] == modality]
        axes[0, column].set_title(modality)
        axes[-1, column].set_xlabel("strength λ (no unit)")
        for (name, score, _), ax in zip(panels, axes[:, column]):
            for i, (title, entries) in enumerate(inside):
                shift = 0.12 * (i - (len(inside) - 1) / 2)
                _over_lambda(ax, entries, score, ticks, shift, colours[told[title]])
            if name in chance:
                guess = chance[name] if name == "emotion" else 1 - chance[name]
                ax.axhline(guess, **_CHANCE)
                # With this much around chance, what is noise looks small.
                ax.update_datalim([(0, guess - _LEAST), (0, guess + _LEAST)])
                ax.autoscale_view()
            ax.set_xticks(range(len(ticks)), ticks)
            ax.set_xlim(-0.5, len(ticks) - 0.5)
    for ax, (_, _, axis) in zip(axes[:, 0], panels):
        ax.set_ylabel(axis)
    handles = [Line2D([], [], color=c, marker="o", label=s) for s, c in colours.items() if s]
    if any(map(is_zero, grid)):
        handles.append(Line2D([], [], color=_BLACK, label="level of λ = 0", **_BASELINE))
        handles.append(Line2D([], [], color=_BLACK, ls="", label="λ = 0", **_ZERO))
    _legend(figure, [*handles, Line2D([], [], label="chance", **_CHANCE)])
    left_out = f"\nthe {len(shown)} of {len(found)} settings that validation prefers"
    figure.suptitle(
        f"{task}: mean ± standard deviation, {_runs([e['n'] for _, es in shown for e in es])} per "
        f"point{left_out if len(shown) < len(found) else ''}"
    )
    return figure


def _over_lambda(
    ax: Axes, entries: Sequence[Entry], column: str, ticks: list[str], shift: float, colour: str
) -> None:
    scores = [entry["scores"].get(column, NOTHING) for entry in entries]
    scored = [(e["settings"]["lambda"], s) for e, s in zip(entries, scores) if s["n"]]
    if not scored:
        return
    x = [ticks.index(lambda_text(lambda_)) + shift for lambda_, _ in scored]
    y = [score["mean"] for _, score in scored]
    spread = [score["sd"] or 0.0 for _, score in scored]
    ax.errorbar(
        x, y, yerr=spread, color=colour, marker="o", ms=4.5, lw=1.5, elinewidth=1, capsize=3
    )
    for (lambda_, score), place in zip(scored, x):
        if is_zero(lambda_):
            ax.axhline(score["mean"], color=colour, **_BASELINE)
            ax.plot(place, score["mean"], mec=colour, **_ZERO, zorder=4)


def _over_epochs(task: str, curves: Curves, chance: Mapping[str, float]) -> Figure:
    """A row per modality and private attributes, a column per scalar, a line per lambda."""
    rows: dict[tuple, list] = {}
    for told, scalars in curves:
        rows.setdefault((told["modality"], told["private"] or ""), []).append((told, scalars))
    private = dict.fromkeys(a for _, names in rows for a in names.split("+") if a)
    columns = [("val_emotion_uar", "emotion UAR", "emotion")]
    columns += [(f"val_{a}_adversary_uar", f"{a} adversary UAR", a) for a in private]
    columns += [(f"train_{who}_loss", f"{who} loss", "") for who in ("emotion", "adversary")]
    empty = [c for c in columns if not any(np.isfinite(s.get(c[0], [])).any() for _, s in curves)]
    columns = [c for c in columns if c not in empty]
    grid = sorted({told["lambda"] for told, _ in curves}, key=strengths)
    colours = dict(zip(map(lambda_text, grid), _ramp(len(grid), any(map(is_zero, grid)))))

    figure, axes = _grid(len(rows), len(columns), 3.3, 2.5, share="col")
    for line, ((modality, names), runs) in zip(axes, rows.items()):
        line[0].set_ylabel(", ".join(filter(None, (modality, names))), fontweight="bold")
        for ax, (scalar, _, guessed) in zip(line, columns):
            for lambda_, colour in colours.items():
                same = [s[scalar] for told, s in runs if lambda_text(told["lambda"]) == lambda_]
                _band(ax, same, colour)
            if guessed in chance:
                ax.axhline(chance[guessed], **_CHANCE)
    for ax, (scalar, title, _) in zip(axes[0], columns):
        unit = "mean in nats, train" if scalar.startswith("train_") else "fraction, validation"
        ax.set_title(f"{title}\n({unit})")
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    handles = [Line2D([], [], color=c, lw=2, label=f"λ = {name}") for name, c in colours.items()]
    handles.append(Patch(color=_GREY, alpha=0.25, label="± standard deviation"))
    _legend(figure, [*handles, Line2D([], [], label="chance", **_CHANCE)])
    per_line = Counter((told["modality"], told["private"], told["lambda"]) for told, _ in curves)
    title = f"{task}: training, mean over {_runs(per_line.values())} per line"
    for _, name, of in empty:
        why = ": its classes are the training speakers" * (of == "speaker")
        title += f"\nno {name} on validation{why}" * (of != "")
    figure.suptitle(title)
    return figure


def _band(ax: Axes, runs: Sequence[Sequence[float]], colour: str) -> None:
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
    ax.plot(epochs + 1, middle, color=colour, lw=1.5, marker="o" if len(epochs) == 1 else "")
    ax.fill_between(epochs + 1, middle - spread, middle + spread, color=colour, alpha=0.12, lw=0)


def _grid(rows: int, columns: int, width: float, height: float, share: str = "row"):
    """Panels of a width and height in inches, with room for a title and a legend."""
    size = (max(width * columns + 0.6, 6.4), height * rows + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=share)


def _legend(figure: Figure, handles: Sequence) -> None:
    longest = max(len(handle.get_label()) for handle in handles)
    fitting = int(figure.get_size_inches()[0] * 14 / (longest + 6))
    columns = max(1, min(len(handles), fitting))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _ramp(n: int, with_zero: bool) -> list:
    """Colours of n lambdas in rising order, the first black if it is 0."""
    first = [_BLACK] if with_zero else []
    rest = n - len(first)
    if rest <= len(_COLOURS):
        return [*first, *_COLOURS[:rest]]
    return [*first, *matplotlib.colormaps["viridis"](np.linspace(0.1, 0.95, rest))]


def _told(entries: Sequence[Entry], found: Sequence[tuple[str, list[Entry]]], name: str) -> str:
    """What tells a line from the others of its task and modality; "" if nothing does."""
    all_settings = [others[0]["settings"] for _, others in found]
    told = entries[0]["settings"]
    names = [n for n in told if n not in ("modality", "task", *PROTECTION)]
    names = [n for n in names if any(others.get(n) != told[n] for others in all_settings)]
    said = [str(told[n]) if n == "private" else f"{n}={told[n]}" for n in names]
    return ", ".join([*said, *[name] * (name != "")])


def _selected(entry: Entry) -> float:
    score = selected(entry)
    return -math.inf if math.isnan(score) else score


def _runs(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    return f"{low} run{'s' * (low > 1)}" if low == high else f"{low}–{high} runs"
