"""The style that all figures share: colours, sizes, marks, legends, and how they are saved."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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


def file_name(text: str) -> str:
    """With nothing in it that a file system would take for something else."""
    return re.sub(r"[^-.\w]", "_", text)


# The colours of Okabe and Ito, told apart with any colour vision, and a shape for each recipe.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6E6E6E"
CHANCE = {"color": GREY, "linestyle": (0, (5, 3)), "linewidth": 1.0, "zorder": 1}
SHAPES = "osD^vPX"
LEAST = 0.1  # of a score to either side of chance, on an axis


def whiskers(ax: Axes, x, points, colour: str, shape: str, line: bool = False) -> None:
    for place, (_, lower, upper) in zip(x, points):
        ax.plot([place, place], [lower, upper], color=colour, lw=1.1, zorder=2)
    style = "-" if line else ""
    y = [value for value, _, _ in points]
    ax.plot(x, y, color=colour, marker=shape, ls=style, lw=1.3, ms=5.5, zorder=3)


def titled(figure: Figure, *lines: str) -> None:
    fitting = int(figure.get_size_inches()[0] * 11)
    figure.suptitle("\n".join(textwrap.fill(line, fitting) for line in lines))


def in_legend(name: str, colour: str, shape: str, line: bool = True) -> Line2D:
    return Line2D([], [], color=colour, marker=shape, ls="-" if line else "", label=name)


def framed(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    size = (max(width * columns + 0.6, 6.4), height * rows + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")


def finish(figure: Figure, handles: Sequence[Line2D]) -> None:
    longest = max(len(handle.get_label()) for handle in handles)
    fitting = int(figure.get_size_inches()[0] * 14 / (longest + 6))
    columns = max(1, min(len(handles), fitting))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
