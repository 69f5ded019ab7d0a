"""The style that all figures share: colours, marks, panels, legends, titles, and saving."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from privrep.files import replacing

STYLE: dict[Any, Any] = {
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
# The colours of Okabe and Ito, which any colour vision tells apart; black comes last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6E6E6E"
SHAPES = "osD^vPX"
LEAST = 0.1  # of a score to either side of chance, on an axis
_CHANCE: dict[str, Any] = {"color": GREY, "linestyle": (0, (5, 3)), "linewidth": 1.0, "zorder": 1}
# The metadata in which each format would name the program or the time.
_UNSTABLE = {".png": "Software", ".pdf": "CreationDate"}


class Look(NamedTuple):
    """Colour and marker of a line or point."""

    colour: str
    shape: str


class ScoredPoint(NamedTuple):
    """A score with the ends of its interval, and the name of the network that it is of."""

    name: str
    score: float
    lower: float
    upper: float

    def __str__(self) -> str:
        """As a pointer that rests on it shows it.

        >>> str(ScoredPoint("paper, λ 1", 0.7, 0.6, 0.8)), str(ScoredPoint("raw", 0.7, 0.7, 0.7))
        ('paper, λ 1: 0.700 (0.600 to 0.800)', 'raw: 0.700')
        """
        ends = f" ({self.lower:.3f} to {self.upper:.3f})" * (self.lower < self.upper)
        return f"{self.name}: {self.score:.3f}{ends}"


def save(figure: Figure, *paths: Path) -> None:
    """Writes a figure as .png or .pdf, the same bytes at any time; its layout is made once."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for path in paths:
        metadata = {_UNSTABLE[path.suffix]: None}
        with replacing(path) as file:
            figure.savefig(file, dpi=150, format=path.suffix[1:], metadata=metadata)


def file_name(text: str) -> str:
    """`text` with "_" for every character but letters, digits, "-", "." and "_".

    >>> file_name("a/b c.png")
    'a_b_c.png'
    """
    return re.sub(r"[^-.\w]", "_", text)


def framed(
    rows: int,
    columns: int,
    width: float,
    height: float,
    share_y: Literal["row", "col", "none"] = "row",
) -> tuple[Figure, np.ndarray]:
    """A figure of rows x columns panels of width x height inches, with room for title and legend.

    Panels of a column share the x axis, those of a row (or as `share_y` says) the y axis.
    """
    size = (max(width * columns + 0.6, 6.4), height * rows + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    share_x: Literal["col", "none"] = "none" if share_y == "none" else "col"
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=share_y)
    return figure, axes


def whiskers(
    ax: Axes,
    x: Sequence[float],
    points: Sequence[ScoredPoint],
    look: Look,
    line: bool = False,
) -> None:
    """Draws points with vertical bars, joined by a line if `line`; each bears its name."""
    for place, point in zip(x, points):
        ax.plot([place, place], [point.lower, point.upper], color=look.colour, lw=1.1, zorder=2)
    style = "-" if line else ""
    scores = [point.score for point in points]
    (drawn,) = ax.plot(
        x, scores, color=look.colour, marker=look.shape, ls=style, lw=1.3, ms=5.5, zorder=3
    )
    name_points(drawn, map(str, points))


def name_points(drawn: Line2D, names: Iterable[str]) -> None:
    """Gives every point of a line its name, or the line its own if it has no marks.

    `inline_svg` shows the names where a pointer rests, and lists them for those who do not see.
    """
    drawn.set_label("\n".join(names))


def chance_line(ax: Axes, chance: float) -> None:
    """Draws the level of chance; the axis reaches LEAST to either side, so that noise is small."""
    ax.axhline(chance, **_CHANCE)
    ax.update_datalim([(0, chance - LEAST), (0, chance + LEAST)])
    ax.autoscale_view()


def categories(ax: Axes, names: Sequence[str]) -> None:
    """Makes the x axis one of names, at 0, 1, ..."""
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.5, len(names) - 0.5)


def in_legend(name: str, look: Look, line: bool = True) -> Line2D:
    """The handle of a line or point."""
    style = "-" if line else ""
    return Line2D([], [], color=look.colour, marker=look.shape, ls=style, label=name)


def chance_in_legend() -> Line2D:
    """The handle of `chance_line`."""
    return Line2D([], [], label="chance", **_CHANCE)


def titled(figure: Figure, *lines: str) -> None:
    """Sets the title, wrapped to the width of the figure."""
    fitting = int(figure.get_size_inches()[0] * 11)
    figure.suptitle("\n".join(textwrap.fill(line, fitting) for line in lines))


def finish(figure: Figure, handles: Sequence[Artist]) -> None:
    """Adds the legend below the panels, in as many columns as fit."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    fitting = int(figure.get_size_inches()[0] * 14 / (longest + 6))
    columns = max(1, min(len(handles), fitting))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
