"""Figures of a result directory: the front and the curves of training; how figures look."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.report.figures.front import front
from experiments.report.figures.style import COLOURS, file_name
from experiments.results.columns import FIRST, PROTECTION
from experiments.results.selected import corpus_name
from experiments.results.summary import Entry

Settings = Mapping[str, Any]
Curves = Sequence[tuple[Settings, Mapping[str, Sequence[float]]]]

_COLOURS = COLOURS[:-1]  # black is kept for lambda = 0
_BLACK, _GREY = "#000000", "#6E6E6E"
_CHANCE = {"color": _GREY, "linestyle": (0, (5, 3)), "linewidth": 1.0, "zorder": 1}
_DASHES = ("-", "--", ":", "-.", (0, (1, 3)), (0, (9, 3)), (0, (6, 1, 1, 1, 1, 1)))


def draw(summary: Sequence[Entry], curves: Curves) -> Iterator[tuple[str, Figure]]:
    """(file name without ending, figure) of each task: the front, and curves of training.

    A task without two settings, or without curves, has no such figure. To be drawn in STYLE.

    Args:
      summary: of `experiments.summary.summarise`.
      curves: (settings, {scalar: its value after each epoch}) of each run; modality, task, private
        and lambda must be there, and of the other settings of the summary those that vary have a
        line each. The scalars train_emotion_loss, train_adversary_loss, val_emotion_uar and
        val_<attribute>_adversary_uar are read.
    """
    for task in dict.fromkeys(entry["settings"]["task"] for entry in summary):
        entries = [entry for entry in summary if entry["settings"]["task"] == task]
        chance = {name: value for e in entries for name, value in e["chance"].items()}
        corpora = dict.fromkeys(corpus_name(e["settings"].get("dataset") or "") for e in entries)
        title = ", ".join(filter(None, (*corpora, task)))
        of_task = [(told, scalars) for told, scalars in curves if told["task"] == task]
        for kind, figure in (
            ("front", front(title, entries)),
            ("curves", _over_epochs(title, _by_line(entries, of_task), chance)),
        ):
            if figure is not None:
                yield file_name(f"{kind}_{task}"), figure


def _by_line(entries: Sequence[Entry], curves: Curves) -> list[tuple[Settings, str, Mapping]]:
    """(settings, what a line of it is besides its lambda, scalars) of each run.

    Only runs that differ in nothing but fold and seed are averaged: at one lambda recipes,
    placements or networks may be quite unlike each other.
    """
    names = {n for e in entries for n in e["settings"]} - {*FIRST, *PROTECTION}
    names = [n for n in sorted(names) if len({str(told.get(n)) for told, _ in curves}) > 1]
    lines = []
    for told, scalars in curves:
        recipe = "" if is_zero(told["lambda"]) else told.get("recipe") or ""
        kind = ", ".join(filter(None, (recipe, *(f"{n}={told.get(n)}" for n in names))))
        lines.append((told, kind, scalars))
    return lines


def _over_epochs(title: str, curves: Sequence, chance: Mapping[str, float]) -> Figure | None:
    """A row per modality and attributes, a column per scalar; colour is lambda, dashes the rest."""
    if not curves:
        return None
    rows: dict[tuple, list] = {}
    for told, kind, scalars in curves:
        line = (lambda_text(told["lambda"]), kind)
        rows.setdefault((told["modality"], told["private"] or ""), []).append((line, scalars))
    private = dict.fromkeys(a for _, names in rows for a in names.split("+") if a)
    columns = [("val_emotion_uar", "emotion UAR", "emotion")]
    columns += [(f"val_{a}_adversary_uar", f"{a} adversary UAR", a) for a in private]
    columns += [(f"train_{who}_loss", f"{who} loss", "") for who in ("emotion", "adversary")]
    empty = [c for c in columns if not any(np.isfinite(s.get(c[0], [])).any() for *_, s in curves)]
    columns = [c for c in columns if c not in empty]
    grid = sorted({told["lambda"] for told, *_ in curves}, key=strengths)
    colours = dict(zip(map(lambda_text, grid), _ramp(len(grid), any(map(is_zero, grid)))))
    kinds = sorted({kind for _, kind, _ in curves})
    dashes = {kind: _DASHES[i % len(_DASHES)] for i, kind in enumerate(kinds)}
    drawn = {line for runs in rows.values() for line, _ in runs}
    looks = {(x, k): (c, dashes[k]) for x, c in colours.items() for k in kinds if (x, k) in drawn}

    figure, axes = _grid(len(rows), len(columns), 3.3, 2.5, share="col")
    for line, ((modality, names), runs) in zip(axes, rows.items()):
        line[0].set_ylabel(", ".join(filter(None, (modality, names))), fontweight="bold")
        for ax, (scalar, _, guessed) in zip(line, columns):
            for line_, look in looks.items():
                _band(ax, [s[scalar] for one, s in runs if one == line_], *look)
            if guessed in chance:
                ax.axhline(chance[guessed], **_CHANCE)
    for ax, (scalar, name, _) in zip(axes[0], columns):
        unit = "mean in nats, train" if scalar.startswith("train_") else "fraction, validation"
        ax.set_title(f"{name}\n({unit})")
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    handles = [
        Line2D([], [], color=c, ls=dash, lw=2, label=", ".join(filter(None, (kind, f"λ = {x}"))))
        for (x, kind), (c, dash) in looks.items()
    ]
    handles.append(Patch(color=_GREY, alpha=0.25, label="± standard deviation"))
    _legend(figure, [*handles, Line2D([], [], label="chance", **_CHANCE)])
    per_line = Counter((*row, one) for row, runs in rows.items() for one, _ in runs)
    title += f": training, mean over {_runs(per_line.values())} per line"
    for _, name, of in empty:
        why = ": its classes are the training speakers" * (of == "speaker")
        title += f"\nno {name} on validation{why}" * (of != "")
    figure.suptitle(title)
    return figure


def _band(ax: Axes, runs: Sequence[Sequence[float]], colour: str, dash) -> None:
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
    ax.plot(epochs + 1, middle, color=colour, ls=dash, lw=1.5, marker="o" * (len(epochs) == 1))
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


def _runs(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    return f"{low} run{'s' * (low > 1)}" if low == high else f"{low}–{high} runs"
