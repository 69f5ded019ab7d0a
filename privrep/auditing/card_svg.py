"""The plots of a privacy card as SVG, without a plotting library, fonts or other files (host).

Places are shares of the width and letters have one size in pixels, so that a plot is as wide as its
page and is read as easily on a phone. Text takes the colour of the page, light or dark. Marks
differ in shape as well as in colour, and the colours are those of Okabe and Ito.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from math import isfinite, log
from typing import NamedTuple

BLUE, ORANGE = "#0072B2", "#D55E00"
_LINE = 20  # pixels between two lines of text
_STRIP = 22  # height of a strip of zones
_FLIP = 0.6  # of the width, from where a text ends at its place instead of beginning there


class Zone(NamedTuple):
    """A part of the scale, from `low` to the next zone: its name, and the colour of its strips."""

    name: str
    low: float
    colour: str
    opacity: float


def leak_zones(left: float, chance: float, limit: float) -> list[Zone]:
    """The scale of an attacker's score: guessing, below the limit, and a leak."""
    return [
        Zone(f"guessing, up to {chance:.2f}", left, "currentColor", 0.05),
        Zone(f"below the limit of {limit:.2f}", chance, "currentColor", 0.16),
        Zone(f"leak, above {limit:.2f}", limit, ORANGE, 0.3),
    ]


class Mark(NamedTuple):
    """A score with its interval (NaN: none), on a strip of its own.

    Attributes:
      heading: begins a group of marks; "" within a group.
      label: text above the strip.
      value, low, high: the score and its interval.
      shape: "diamond" (the strongest attacker), "dot", or "ring" (a score without an interval).
    """

    heading: str
    label: str
    value: float
    low: float
    high: float
    shape: str


def strips(alt: str, zones: Sequence[Zone], marks: Sequence[Mark], high: float) -> str:
    """Marks one below the other on strips of zones, which are named once, at the top.

    Args:
      alt: text in place of the picture.
      zones: from left to right; the first begins at the left end of the scale.
      marks: from the top.
      high: right end of the scale.
    """
    scale = _Scale(zones[0].low, high)
    y, body = 0, []
    for zone in zones:  # a staircase: the name of a narrow zone has room beside those below it
        y += _LINE
        at, anchor = _anchored(scale.at(zone.low))
        body.append(_text(at, y - 5, zone.name, anchor, shift=6 if at else 0))
    body += _strip(scale, zones, y, 10)
    for i, zone in enumerate(zones[1:], 1):
        x = f"{scale.at(zone.low):.2f}%"
        body.append(_stroke(x, x, _LINE * i + 4, y, "1.5", ' stroke-dasharray="3 3"'))
    y += 10
    for mark in marks:
        if mark.heading:
            y += _LINE + 10
            body.append(_text(0, y - 5, mark.heading, "start", ' font-weight="bold"'))
        y += _LINE
        body.append(_text(0, y - 5, mark.label))
        body += _strip(scale, zones, y, _STRIP)
        middle = y + _STRIP / 2
        if isfinite(mark.low) and isfinite(mark.high):
            ends = f"{scale.at(mark.low):.2f}%", f"{scale.at(mark.high):.2f}%"
            body.append(_stroke(*ends, middle, middle, "2"))
            body += [_stroke(x, x, middle - 5, middle + 5, "2") for x in ends]
        body.append(_mark(scale.at(mark.value), middle, mark.shape))
        y += _STRIP
    return _svg(alt, y + 24, [*body, *_ticks(scale, y)])


def histogram(alt: str, null: Sequence[float], *, observed: float, chance: float) -> str:
    """Histogram of the UARs under permuted labels, with lines at chance and the observed UAR."""
    low, high = min([*null, observed, chance]), max([*null, observed, chance])
    room = max(0.02, (high - low) * 0.08)
    scale = _Scale(low - room, high + room)
    bins, top, floor = 30, 3 * _LINE + 8, 3 * _LINE + 128
    counts = [0] * bins
    for value in null:
        place = (value - scale.low) / (scale.high - scale.low) * bins
        counts[min(bins - 1, int(place))] += 1
    body = []
    for i, count in enumerate(counts):
        if count:
            tall = (floor - top) * count / max(counts)
            body.append(
                f'<rect x="{100 * i / bins:.2f}%" y="{floor - tall:.1f}" '
                f'width="{95 / bins:.2f}%" height="{tall:.1f}" fill="{BLUE}" fill-opacity="0.6"/>'
            )
    lines = (
        ("chance", chance, "currentColor", ' stroke-dasharray="4 3"'),
        ("observed", observed, ORANGE, ""),
    )
    for i, (name, value, colour, dashes) in enumerate(lines):
        y = _LINE * (i + 1)
        body.append(_stroke("0", "24", y - 9, y - 9, "2", dashes, colour))
        body.append(_text(0, y - 5, f"{name} {value:.3f}", "start", shift=32))
        x = f"{scale.at(value):.2f}%"
        body.append(_stroke(x, x, top - 4, floor, "2", dashes, colour))
    body.append(
        f'<rect x="0" y="{2 * _LINE + 5}" width="24" height="12" fill="{BLUE}" fill-opacity="0.6"/>'
    )
    body.append(_text(0, 3 * _LINE - 4, f"labels permuted {len(null):,} times", shift=32))
    return _svg(alt, floor + 24, [*body, *_ticks(scale, floor)])


def curve(alt: str, points: Sequence[tuple[float, float]], chance: float, x_name: str) -> str:
    """A score against a number on a logarithmic axis."""
    top, floor = 50, 190
    xs = _Scale(log(points[0][0]), log(points[-1][0]) + 1e-9)
    low = min([chance, *(y for _, y in points)]) - 0.02
    high = max([chance, *(y for _, y in points)]) + 0.02
    places = [
        (6 + 0.88 * xs.at(log(x)), floor - (floor - top) * (y - low) / (high - low))
        for x, y in points
    ]
    level = floor - (floor - top) * (chance - low) / (high - low)
    body = [
        _stroke("0", "100%", floor, floor, "1"),
        _stroke("0", "100%", level, level, "1.5", ' stroke-dasharray="4 3"'),
        _stroke("0", "24", _LINE - 9, _LINE - 9, "1.5", ' stroke-dasharray="4 3"'),
        _text(0, _LINE - 5, f"chance {chance:.3f}", shift=32),
        _text(50, floor + 2 * _LINE, x_name, "middle"),
    ]
    for (left, begin), (right, end) in pairwise(places):
        body.append(_stroke(f"{left:.2f}%", f"{right:.2f}%", begin, end, "2", colour=BLUE))
    last = 200.0  # where the last label is; two points may be too near for a label of each
    for (x, y), (count, score) in zip(places[::-1], points[::-1]):
        body.append(_mark(x, y, "dot"))
        if last - x >= 13:
            body.append(_text(x, y - 10, f"{score:.2f}", "middle"))
            body.append(_text(x, floor + 18, f"{count:,.0f}", "middle"))
            last = x
    return _svg(alt, floor + 2 * _LINE + 8, body)


class _Scale(NamedTuple):
    low: float
    high: float

    def at(self, value: float) -> float:
        """The place of a value, % of the width."""
        share = (value - self.low) / (self.high - self.low)
        return 100 * min(max(share, 0.0), 1.0)


def _anchored(place: float) -> tuple[float, str]:
    return place, "end" if place > 100 * _FLIP else "start"


def _strip(scale: _Scale, zones: Sequence[Zone], y: float, tall: float) -> list[str]:
    ends = [*(zone.low for zone in zones[1:]), scale.high]
    body = []
    for zone, end in zip(zones, ends):
        left, right = scale.at(zone.low), scale.at(end)
        body.append(
            f'<rect x="{left:.2f}%" y="{y}" width="{right - left:.2f}%" height="{tall}" '
            f'fill="{zone.colour}" fill-opacity="{zone.opacity}"/>'
        )
    for zone in zones[1:]:
        x = f"{scale.at(zone.low):.2f}%"
        body.append(_stroke(x, x, y, y + tall, "1.5", ' stroke-dasharray="3 3"'))
    return body


def _ticks(scale: _Scale, floor: float) -> list[str]:
    """The axis along the bottom, with ticks at round numbers that are far enough apart."""
    span = scale.high - scale.low
    step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if span / s < 7), 1.0)
    first = int(scale.low / step) - 1
    ticks = [i * step for i in range(first, int(scale.high / step + 1e-9) + 1)]
    ticks = [t for t in ticks if scale.low - 1e-9 <= t <= scale.high + 1e-9]
    body = [_stroke("0", "100%", floor, floor, "1")]
    for tick in ticks:
        place = scale.at(tick)
        anchor = "start" if place < 7 else "end" if place > 93 else "middle"
        x = f"{place:.2f}%"
        body.append(_stroke(x, x, floor, floor + 5, "1"))
        body.append(_text(place, floor + 19, f"{round(tick, 9) + 0.0:.2f}", anchor))
    return body


def _stroke(
    left: str, right: str, top: float, bottom: float, width: str, more: str = "", colour: str = ""
) -> str:
    return (
        f'<line x1="{left}" x2="{right}" y1="{top:.1f}" y2="{bottom:.1f}" '
        f'stroke="{colour or "currentColor"}" stroke-width="{width}"{more}/>'
    )


def _text(
    place: float, y: float, text: str, anchor: str = "start", more: str = "", shift: int = 0
) -> str:
    """Text at `place` % of the width, `shift` pixels away from there."""
    shift = -shift if anchor == "end" else shift
    return (
        f'<text x="{place:.2f}%" y="{y:.1f}" dx="{shift}" text-anchor="{anchor}"{more}>'
        f"{escape(text)}</text>"
    )


def _mark(place: float, y: float, shape: str) -> str:
    """A mark with an outline in the colour of the text, which stands out on every zone."""
    if shape == "diamond":
        return (
            f'<svg x="{place:.2f}%" y="{y:.1f}" overflow="visible">'
            f'<path d="M0 -9l9 9l-9 9l-9 -9z" fill="{BLUE}" stroke="currentColor" '
            'stroke-width="1.5"/></svg>'
        )
    fill = "none" if shape == "ring" else BLUE
    return (
        f'<circle cx="{place:.2f}%" cy="{y:.1f}" r="6" fill="{fill}" stroke="currentColor" '
        'stroke-width="1.5"/>'
    )


def _svg(alt: str, height: float, body: Sequence[str]) -> str:
    return (
        f'<svg width="100%" height="{height:.0f}" role="img" aria-label="{escape(alt)}" '
        'font-size="14" fill="currentColor" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(body)}</svg>"
    )
