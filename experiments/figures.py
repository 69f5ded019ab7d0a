"""Figures of a result directory: the front and the curves of training; how figures look."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from experiments.summary import Entry, is_zero, lambda_text, strengths

Settings = Mapping[str, Any]
Curves = Sequence[tuple[Settings, Mapping[str, Sequence[float]]]]

_COLOURS = COLOURS[:-1]  # black is kept for lambda = 0
_BLACK, _GREY = "#000000", "#6E6E6E"
_CHANCE = {"color": _GREY, "linestyle": (0, (5, 3)), "linewidth": 1.0, "zorder": 1}
_TOLD = {".png": "Software", ".pdf": "CreationDate"}
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,  # a label may hold dollars
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
}


def save(figure: Figure, *paths: Path) -> None:
    """Writes a figure as .png or .pdf, the same bytes at any time; its layout is made once."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for path in paths:
        # The keys under which each format would tell the program or the clock.
        figure.savefig(path, dpi=150, metadata={_TOLD[path.suffix]: None})


def draw(summary: Sequence[Entry], curves: Curves) -> Iterator[tuple[str, Figure]]:
    """(file name without ending, figure) of each task: the front, and curves of training.

    A task without two settings, or without curves, has no such figure. To be drawn in STYLE.

    Args:
      summary: of `experiments.summary.summarise`.
      curves: (settings, {scalar: its value after each epoch}) of each run; the settings modality,
        task, private and lambda are read, and the scalars train_emotion_loss,
        train_adversary_loss, val_emotion_uar and val_<attribute>_adversary_uar.
    """
    for task in dict.fromkeys(entry["settings"]["task"] for entry in summary):
        entries = [entry for entry in summary if entry["settings"]["task"] == task]
        chance = {name: value for e in entries for name, value in e["chance"].items()}
        of_task = [(told, scalars) for told, scalars in curves if told["task"] == task]
        for kind, figure in (
            ("front", front(task, entries)),
            ("curves", _over_epochs(task, of_task, chance) if of_task else None),
        ):
            if figure is not None:
                yield file_name(f"{kind}_{task}"), figure


def file_name(text: str) -> str:
    """With nothing in it that a file system would take for something else."""
    return re.sub(r"[^-.\w]", "_", text)


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


def _runs(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    return f"{low} run{'s' * (low > 1)}" if low == high else f"{low}–{high} runs"
