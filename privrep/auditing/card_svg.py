"""The plots of a privacy card as SVG, without a plotting library, fonts or other files (host).

Marks differ in shape as well as in colour, and the colours are those of Okabe and Ito.
"""

from collections.abc import Sequence
from html import escape
from math import log
from typing import NamedTuple

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#5A5A5A"
_WIDTH = 640
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 24, 26, 46


class Dot(NamedTuple):
    """A labelled score with its interval; `strong` marks the strongest attacker."""

    label: str
    value: float
    low: float
    high: float
    strong: bool


def dots(title: str, rows: Sequence[Dot], chance: float, limit: float) -> str:
    """Scores one below the other, from `low` to `high`, with lines at chance and at the limit."""
    height = _TOP + 26 * len(rows) + _BOTTOM
    low = min([chance - 0.1, *(r.low for r in rows)]) - 0.02
    high = max([limit + 0.05, *(r.high for r in rows)]) + 0.02
    scale = _Scale(max(0.0, low), min(1.0, high), _LEFT, _WIDTH - _RIGHT)
    body = _frame(scale, height, "UAR of the attacker on held-out speakers")
    body += _line(scale.at(chance), height, GREY, "4 3", "chance", "end")
    body += _line(scale.at(limit), height, ORANGE, "1 3", "limit", "start")
    for i, row in enumerate(rows):
        y = _TOP + 26 * i + 13
        colour, weight = (ORANGE, "bold") if row.strong else (BLUE, "normal")
        body.append(
            f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end" '
            f'font-weight="{weight}">{escape(_short(row.label))}</text>'
            f'<line x1="{scale.at(row.low):.1f}" x2="{scale.at(row.high):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
        body.append(_mark(scale.at(row.value), y, colour, row.strong))
    return _svg(title, height, body)


def histogram(title: str, null: Sequence[float], *, observed: float, chance: float) -> str:
    """Histogram of the UARs under permuted labels, with lines at chance and the observed UAR."""
    height = 200
    low, high = min([*null, observed, chance]), max([*null, observed, chance])
    room = max(0.02, (high - low) * 0.08)
    scale = _Scale(low - room, high + room, _LEFT, _WIDTH - _RIGHT)
    bins, floor = 30, height - _BOTTOM
    counts = [0] * bins
    for value in null:
        place = (value - scale.low) / (scale.high - scale.low) * bins
        counts[min(bins - 1, int(place))] += 1
    step = (scale.right - scale.left) / bins
    tallest = max(counts)
    body = _frame(scale, height, "UAR")
    for i, count in enumerate(counts):
        if count:
            tall = (floor - _TOP) * count / tallest
            body.append(
                f'<rect x="{scale.left + i * step:.1f}" y="{floor - tall:.1f}" '
                f'width="{step - 1:.1f}" height="{tall:.1f}" fill="{BLUE}" fill-opacity="0.6"/>'
            )
    sides = ("end", "start") if observed >= chance else ("start", "end")
    body += _line(scale.at(chance), height, GREY, "4 3", "chance", sides[0])
    body += _line(scale.at(observed), height, ORANGE, "", "observed", sides[1])
    body.append(
        f'<text x="{_LEFT - 10}" y="{_TOP + 12}" text-anchor="end">{len(null):,} times</text>'
        f'<text x="{_LEFT - 10}" y="{_TOP + 28}" text-anchor="end">labels permuted</text>'
    )
    return _svg(title, height, body)


def curve(title: str, points: Sequence[tuple[float, float]], chance: float, x_name: str) -> str:
    """A score against a number on a logarithmic axis."""
    height = 220
    xs = [log(x) for x, _ in points]
    scale = _Scale(min(xs), max(xs) + 1e-9, _LEFT + 20, _WIDTH - _RIGHT - 20)
    low = min([chance, *(y for _, y in points)]) - 0.02
    high = max([chance, *(y for _, y in points)]) + 0.02
    up = _Scale(low, high, height - _BOTTOM, _TOP)
    body = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" '
        f'height="{height - _TOP - _BOTTOM}" fill="none" stroke="#CCCCCC"/>',
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up.at(chance):.1f}" '
        f'y2="{up.at(chance):.1f}" stroke="{GREY}" stroke-dasharray="4 3"/>'
        f'<text x="{_LEFT - 8}" y="{up.at(chance) + 4:.1f}" text-anchor="end">chance</text>',
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{height - 8}" text-anchor="middle">'
        f"{escape(x_name)}</text>",
    ]
    path = " ".join(f"{scale.at(x):.1f},{up.at(y):.1f}" for x, (_, y) in zip(xs, points))
    body.append(f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="2"/>')
    for x, (count, y) in zip(xs, points):
        body.append(_mark(scale.at(x), up.at(y), BLUE, False))
        body.append(
            f'<text x="{scale.at(x):.1f}" y="{up.at(y) - 10:.1f}" text-anchor="middle">{y:.2f}'
            f'</text><text x="{scale.at(x):.1f}" y="{height - _BOTTOM + 16}" '
            f'text-anchor="middle">{count:,}</text>'
        )
    return _svg(title, height, body)


class _Scale(NamedTuple):
    low: float
    high: float
    left: float
    right: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.left + (self.right - self.left) * share


def _frame(scale: _Scale, height: int, name: str) -> list[str]:
    """The axis along the bottom, with ticks at round numbers."""
    floor = height - _BOTTOM
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if (scale.high - scale.low) / s < 11)
    first = int(scale.low / step) + (scale.low > 0)
    ticks = [i * step for i in range(first, int(scale.high / step + 1e-9) + 1)]
    return [
        f'<line x1="{scale.left}" x2="{scale.right}" y1="{floor}" y2="{floor}" stroke="{GREY}"/>',
        *(
            f'<line x1="{scale.at(t):.1f}" x2="{scale.at(t):.1f}" y1="{floor}" y2="{floor + 4}" '
            f'stroke="{GREY}"/><text x="{scale.at(t):.1f}" y="{floor + 17}" '
            f'text-anchor="middle">{t:.2f}</text>'
            for t in ticks
        ),
        f'<text x="{(scale.left + scale.right) / 2}" y="{height - 8}" text-anchor="middle">'
        f"{escape(name)}</text>",
    ]


def _line(x: float, height: int, colour: str, dashes: str, name: str, side: str) -> list[str]:
    return [
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - _BOTTOM}" '
        f'stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}"/>'
        f'<text x="{x:.1f}" y="{_TOP - 10}" text-anchor="{side}" fill="{colour}">'
        f"{escape(name)}</text>"
    ]


def _mark(x: float, y: float, colour: str, strong: bool) -> str:
    if strong:  # a diamond
        return (
            f'<path d="M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z" fill="{colour}" stroke="white" '
            'stroke-width="1"/>'
        )
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}" stroke="white"/>'


def _short(label: str) -> str:
    return label if len(label) <= 22 else label[:21] + "…"


def _svg(title: str, height: int, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(body)}</svg>'
    )
