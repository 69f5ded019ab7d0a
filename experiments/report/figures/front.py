"""Figure of the trade-off: emotion recognition against leakage, a point per recipe and lambda."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.config.lambdas import lambda_text
from experiments.report.figures.style import COLOURS, GREY, SHAPES, Look, finish, framed, titled
from experiments.results.pareto import pareto
from experiments.results.summary import (
    Entry,
    attributes,
    blocks,
    emotion_mean,
    emotion_name,
    mean,
    series,
)

_MOST = 12  # panels
_CONTROL_SHAPES = {"decision": "*", "untrained": "x"}


class _FrontPanel(NamedTuple):
    """The settings of a block and the attribute whose leakage is on the x axis."""

    title: str
    attribute: str
    entries: Sequence[Entry]

    def runs(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry["control"]]

    def leak(self, entry: Entry, bounded: bool) -> float:
        """The upper bound of the attacker's UAR, or its mean."""
        if bounded and self.attribute in entry["verdicts"]:
            return entry["verdicts"][self.attribute]["upper"]
        return mean(entry, f"test_{self.attribute}_attacker_uar")


def front(title: str, summary: Sequence[Entry]) -> Figure | None:
    """Emotion UAR against the upper bound of the attacker's, a panel per modality and attribute.

    Where a bound was not measured, the attacker's mean UAR is drawn instead, and the axis says so.
    Vertical lines are 95 % intervals of emotion over speakers.

    Args:
      title: the corpus and the task.
      summary: of `experiments.results.summary.summarise`, of one task.

    Returns:
      None where no recipe has two points.
    """
    summary = [entry for entry in summary if entry["n"]]  # the others diverged
    panels = [
        _FrontPanel(block, attribute, entries)
        for block, entries in blocks(summary)
        for attribute in attributes(entries[0])
        if any(len(line) > 1 for line in series(entries).values())
    ]
    if not panels:
        return None
    bounded = all(p.attribute in entry["verdicts"] for p in panels for entry in p.runs())
    shown = panels[:_MOST]
    across = min(len(shown), 3)
    figure, axes = framed(-(-len(shown) // across), across, 4.2, 3.4, share_y="none")
    for ax in axes.ravel()[len(shown) :]:
        ax.remove()
    names = list(dict.fromkeys(name for panel in panels for name in series(panel.entries)))
    looks = {name: Look(COLOURS[i % 7], SHAPES[i % 7]) for i, name in enumerate(names)}
    handles: dict[str, Line2D] = {}
    for ax, panel in zip(axes.ravel(), shown):
        handles = _draw_panel(ax, panel, bounded, looks) | handles
    for name, handle in handles.items():
        handle.set_label(name)
    finish(figure, list(handles.values()))
    few = [f"the first {len(shown)} of {len(panels)} settings"] * (len(shown) < len(panels))
    titled(figure, f"{title}: emotion recognition against leakage (dashed: chance)", *few)
    return figure


def _draw_panel(
    ax: Axes, panel: _FrontPanel, bounded: bool, looks: dict[str, Look]
) -> dict[str, Line2D]:
    """{name in the legend: handle}"""
    ax.set_title(textwrap.fill(panel.title, 44))
    ax.set_ylabel(f"{emotion_name(panel.entries)} (fraction, test)")
    score = f"{'upper bound' if bounded else 'mean'} of the {panel.attribute} attacker's UAR"
    ax.set_xlabel(f"{score}\n(fraction, test; lower is more private)")
    handles = {}
    for name, line in series(panel.entries).items():
        points = [(panel.leak(e, bounded), emotion_mean(e, "test"), e) for e in line]
        look = looks[name]
        x, y, _ = zip(*points)
        (handles[name or "λ = 0"],) = ax.plot(
            x, y, color=look.colour, marker=look.shape, ms=6, lw=1.2
        )
        for leak, emotion, entry in points:
            ends = [entry["interval"].get(end, emotion) for end in ("lower", "upper")]
            ax.plot([leak, leak], ends, color=look.colour, lw=0.8, alpha=0.5)
            text = f"λ={lambda_text(entry['settings']['lambda'])}"
            place = (leak, emotion)
            ax.annotate(text, place, textcoords="offset points", xytext=(6, 5), fontsize=7.5)
    for entry in pareto(panel.entries):
        place = panel.leak(entry, bounded), emotion_mean(entry, "test")
        (ring,) = ax.plot(*place, "o", ms=13, mfc="none", color=GREY, mew=1, zorder=2)
        handles["Pareto front on validation"] = ring
    for entry in panel.entries:
        control = entry["control"]
        if control in _CONTROL_SHAPES:
            place = panel.leak(entry, bounded), emotion_mean(entry, "test")
            shape = _CONTROL_SHAPES[control]
            (handles[control],) = ax.plot(*place, shape, color=GREY, ms=9, zorder=3)
    chance = panel.entries[0]["chance"].get(panel.attribute, 0.5)
    ax.axvline(chance, color=GREY, ls=(0, (5, 3)), lw=1)
    return handles
