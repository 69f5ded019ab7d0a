"""Figure of the trade-off: emotion recognition against leakage, a point per recipe and lambda."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.config.lambdas import is_zero, lambda_text
from experiments.report.figures.point_labels import Labels, label_points
from experiments.report.figures.style import (
    COLOURS,
    GREY,
    SHAPES,
    Look,
    chance_in_legend,
    finish,
    framed,
    in_legend,
    name_points,
    titled,
)
from experiments.results.pareto import pareto
from experiments.results.seeds import number
from experiments.results.selected import ORDINARY, network_name
from experiments.results.summary import (
    Entry,
    attributes,
    blocks,
    emotion_mean,
    emotion_name,
    emotion_pooled,
    mean,
    series,
)

_MOST = 12  # panels
_RING: dict[str, Any] = {"marker": "o", "ls": "", "ms": 13, "mfc": "none", "color": GREY, "mew": 1}
_INK = COLOURS[-1]
_CONTROL_SHAPES = {"decision": "*", "untrained": "x"}


class _FrontPanel(NamedTuple):
    """The settings of a block and the attribute whose leakage is on the x axis."""

    title: str
    attribute: str
    entries: Sequence[Entry]

    def runs(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry["control"]]

    def place(self, entry: Entry, bounded: bool) -> tuple[float, float]:
        """The upper bound of the attacker's UAR, or its mean, and emotion; NaN where not known."""
        if not bounded:
            leak = mean(entry, f"test_{self.attribute}_attacker_uar")
            return leak, emotion_mean(entry, "test")
        upper = entry["verdicts"].get(self.attribute, {}).get("upper")
        return number(upper), emotion_pooled(entry)

    def lines(self, bounded: bool) -> dict[str, list[Entry]]:
        """{recipe: its networks behind the ordinary one} of those that have a place."""
        known = {
            name: [entry for entry in line if not any(map(math.isnan, self.place(entry, bounded)))]
            for name, line in series(self.entries).items()
        }
        return {name: line for name, line in known.items() if line}


def front(title: str, summary: Sequence[Entry]) -> Figure | None:
    """Emotion UAR against the upper bound of the attacker's, a panel per modality and attribute.

    Both are of all test speakers together; networks without a bound, as some of them collapsed, are
    not drawn. Where no bound was measured, both are means over folds, and the axes say so. Vertical
    lines are 95 % intervals of emotion over speakers.

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
    bounded = any(p.attribute in entry["verdicts"] for p in panels for entry in p.runs())
    shown = panels[:_MOST]
    across = min(len(shown), 3)
    figure, axes = framed(-(-len(shown) // across), across, 4.2, 3.4, share_y="none")
    for ax in axes.ravel()[len(shown) :]:
        ax.remove()
    names = list(dict.fromkeys(name for panel in shown for name in panel.lines(bounded)))
    looks = {name: Look(COLOURS[i % 7], SHAPES[i % 7]) for i, name in enumerate(names)}
    handles: dict[str, Line2D] = {}
    labels = []
    for ax, panel in zip(axes.ravel(), shown):
        of_panel, of_points = _draw_panel(ax, panel, bounded, looks)
        handles = of_panel | handles
        labels.append((ax, of_points))
    for name, handle in handles.items():
        handle.set_label(name)
    finish(figure, [*handles.values(), chance_in_legend()])
    further = ["bars: 95 % interval of emotion over speakers; numbers: λ"]
    further += [f"the first {len(shown)} of {len(panels)} settings"] * (len(shown) < len(panels))
    if bounded and any(entry["collapsed"] for panel in shown for entry in panel.runs()):
        further.append("networks of which some collapsed are not drawn")
    titled(figure, f"{title}: emotion recognition against leakage", *further)
    figure.draw_without_rendering()  # makes the layout
    for ax, of_points in labels:
        label_points(ax, of_points)
    return figure


def _named(entry: Entry, leak: float, emotion: float, bounded: bool) -> str:
    attacker = "attacker at most" if bounded else "attacker, mean over folds,"
    return f"{network_name(entry)}: {attacker} {leak:.3f}, emotion {emotion:.3f}"


def _draw_panel(
    ax: Axes, panel: _FrontPanel, bounded: bool, looks: dict[str, Look]
) -> tuple[dict[str, Line2D], Labels]:
    """{name in the legend: handle}, and the labels of the points."""
    ax.set_title(textwrap.fill(panel.title, 44))
    sample = "all speakers together" if bounded else "mean over folds"
    ax.set_ylabel(f"{emotion_name(panel.entries)}, test\n({sample})")
    score = f"{'upper bound' if bounded else 'mean'} of the {panel.attribute} attacker's UAR"
    ax.set_xlabel(f"{score}, test\n({sample}; lower is more private)")
    handles = {}
    labels: Labels = {}
    for name, line in panel.lines(bounded).items():
        points = [(*panel.place(e, bounded), e) for e in line]
        look = looks[name]
        x, y, _ = zip(*points)
        (drawn,) = ax.plot(x, y, color=look.colour, marker=look.shape, ms=6, lw=1.2)
        name_points(drawn, [_named(e, x, y, bounded) for x, y, e in points])
        handles[name or "λ > 0"] = in_legend("", look)
        for leak, emotion, entry in points:
            ends = [entry["interval"].get(end, emotion) for end in ("lower", "upper")]
            ax.plot([leak, leak], ends, color=look.colour, lw=0.8, alpha=0.5)
            is_ordinary = is_zero(entry["settings"]["lambda"])
            text = ORDINARY if is_ordinary else lambda_text(entry["settings"]["lambda"])
            labels[leak, emotion] = (text, _INK if is_ordinary else look.colour)
    for entry in pareto(panel.entries):
        place = panel.place(entry, bounded)
        ax.plot(*place, zorder=2, **_RING)
        handles["Pareto front on validation"] = Line2D([], [], **_RING)
    for entry in panel.entries:
        control = entry["control"]
        place = panel.place(entry, bounded)
        if control in _CONTROL_SHAPES and not any(map(math.isnan, place)):
            shape = _CONTROL_SHAPES[control]
            (drawn,) = ax.plot(*place, shape, color=GREY, ms=9, zorder=3)
            name_points(drawn, [_named(entry, *place, bounded)])
            handles[control] = Line2D([], [], color=GREY, ls="", marker=shape, ms=9)
            labels.setdefault(place, ("", GREY))
    chance = panel.entries[0]["chance"].get(panel.attribute, 0.5)
    ax.axvline(chance, color=GREY, ls=(0, (5, 3)), lw=1)
    return handles, labels
