"""The front: what emotion is left at how much leak, a point for every recipe and lambda."""

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.config.lambdas import lambda_text
from experiments.report.figures.style import COLOURS
from experiments.results.pareto import pareto
from experiments.results.summary import Entry, attributes, blocks, mean, series

_SHAPES = "osD^vPX"
_GREY = "#6E6E6E"
_MOST = 12  # panels
_FLOORS = {"decision": "*", "untrained": "x"}


def front(title: str, summary: Sequence[Entry]) -> Figure | None:
    """Emotion UAR against the upper bound of the attacker's, a panel per modality and attribute.

    Where a bound was not measured, the attacker's mean UAR stands for it, and the axis says so.
    Upright lines are 95 % intervals of emotion over speakers.

    Args:
      title: the corpus and the task.
      summary: of `experiments.summary.summarise`, of one task.

    Returns:
      None where no recipe has two points.
    """
    summary = [entry for entry in summary if entry["n"]]  # the others diverged
    panels = [
        (title, attribute, entries)
        for title, entries in blocks(summary)
        for attribute in attributes(entries[0])
        if any(len(line) > 1 for line in series(entries).values())
    ]
    if not panels:
        return None
    bounded = all(attribute in e["verdicts"] for _, attribute, es in panels for e in _runs(es))
    shown = panels[:_MOST]
    across = min(len(shown), 3)
    down = -(-len(shown) // across)
    size = (max(4.2 * across, 6.4), 3.4 * down + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    names = list(dict.fromkeys(name for _, _, es in panels for name in series(es)))
    looks = {name: (COLOURS[i % 7], _SHAPES[i % 7]) for i, name in enumerate(names)}
    handles: dict[str, object] = {}
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax in axes[len(shown) :]:
        ax.remove()
    for ax, (block, attribute, entries) in zip(axes, shown):
        ax.set_title(textwrap.fill(block, 44))
        ax.set_ylabel("emotion UAR (fraction, test)")
        what = "upper bound of the" if bounded else "mean of the"
        ax.set_xlabel(f"{what} {attribute} attacker's UAR\n(fraction, test; lower is more private)")
        for name, line in series(entries).items():
            _line(ax, line, attribute, bounded, name or "λ = 0", looks[name], handles)
        for entry in pareto(entries):
            x, y = _leak(entry, attribute, bounded), mean(entry, "test_emotion_uar")
            (ring,) = ax.plot(x, y, "o", ms=13, mfc="none", color=_GREY, mew=1, zorder=2)
            handles.setdefault("unbeaten on validation", ring)
        for entry in entries:
            if entry["control"] in _FLOORS:
                x, y = _leak(entry, attribute, bounded), mean(entry, "test_emotion_uar")
                shape = _FLOORS[entry["control"]]
                (mark,) = ax.plot(x, y, shape, color=_GREY, ms=9, zorder=3)
                handles.setdefault(entry["control"], mark)
        ax.axvline(entries[0]["chance"].get(attribute, 0.5), color=_GREY, ls=(0, (5, 3)), lw=1)
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=min(len(handles), 6))
    few = f"\nthe first {len(shown)} of {len(panels)} settings" * (len(shown) < len(panels))
    figure.suptitle(f"{title}: what emotion is left at how much leak (dashed: chance){few}")
    return figure


def _runs(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if not entry["control"]]


def _leak(entry: Entry, attribute: str, bounded: bool) -> float:
    if bounded and attribute in entry["verdicts"]:
        return entry["verdicts"][attribute]["upper"]
    return mean(entry, f"test_{attribute}_attacker_uar")


def _line(
    ax: Axes,
    entries: Sequence[Entry],
    attribute: str,
    bounded: bool,
    name: str,
    look: tuple[str, str],
    handles: dict[str, object],
) -> None:
    points: list[tuple[float, float, Mapping]] = [
        (_leak(e, attribute, bounded), mean(e, "test_emotion_uar"), e) for e in _runs(entries)
    ]
    colour, shape = look
    (drawn,) = ax.plot(*zip(*[p[:2] for p in points]), color=colour, marker=shape, ms=6, lw=1.2)
    handles.setdefault(name, drawn)
    for x, y, entry in points:
        interval = entry["interval"]
        if interval:
            ax.plot([x, x], [interval["lower"], interval["upper"]], color=colour, lw=0.8, alpha=0.5)
        text = f"λ={lambda_text(entry['settings']['lambda'])}"
        ax.annotate(text, (x, y), textcoords="offset points", xytext=(6, 5), fontsize=7.5)
