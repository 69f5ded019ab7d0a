"""Placement of the labels of points, beside their points and not upon each other."""

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.axes import Axes

_SIZE = 7.5  # of the letters, in points of 1/72 inch
_LETTER, _LINE = 0.62 * _SIZE, 1.15 * _SIZE  # about what a letter and a line take
_MARK = 5.0  # half of what the mark of a point takes
_NEAR = _MARK + 1  # from a point to its label
_LONGEST = 110  # of the way from a point to its label


Labels = dict[tuple[float, float], tuple[str, str]]  # {(x, y): (text, colour)}


class Box(NamedTuple):
    """A rectangle in points, of its left, lower, right and upper edge."""

    left: float
    low: float
    right: float
    high: float

    def meets(self, other: "Box") -> bool:
        """
        >>> Box(0, 0, 2, 2).meets(Box(1, 1, 3, 3)), Box(0, 0, 2, 2).meets(Box(2, 0, 3, 3))
        (True, False)
        """
        across = self.left < other.right and other.left < self.right
        return across and self.low < other.high and other.low < self.high


def label_points(ax: Axes, labels: Labels) -> None:
    """Writes the label of each point beside it, where it covers neither another one nor a point.

    Labels that find no place near their point stand farther off, at the end of a thin line.

    Args:
      ax: of a figure whose layout is made, with everything else in it.
      labels: a point whose text is empty is only kept free.
    """
    per_point = ax.figure.dpi / 72  # pixels
    panel = ax.get_window_extent()
    pixels = dict(zip(labels, ax.transData.transform([*labels])))
    points = {
        place: ((x - panel.x0) / per_point, (y - panel.y0) / per_point)
        for place, (x, y) in pixels.items()
    }
    taken = [Box(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in points.values()]
    frame = Box(0, 0, panel.width / per_point, panel.height / per_point)
    for place, (text, colour) in labels.items():
        if not text:
            continue
        size = (_LETTER * len(text), _LINE)
        boxes = ((gap, _box(points[place], shift, size)) for gap, shift in _shifts(size))
        gap, box = next(
            ((gap, box) for gap, box in boxes if _is_free(box, taken, frame)),
            (_NEAR, _box(points[place], (_NEAR, 0.0), size)),
        )
        taken.append(box)
        ax.annotate(
            text,
            place,
            xytext=(box.left - points[place][0], box.low - points[place][1]),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=_SIZE,
            color=colour,
            in_layout=False,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": colour} if gap > 2 * _NEAR else None,
        )


def _shifts(size: tuple[float, float]) -> Iterator[tuple[float, tuple[float, float]]]:
    """(gap, way from a point to the lower left corner of its label), the nearest first."""
    width, height = size
    gap = _NEAR
    while gap < _LONGEST:
        across, up = (gap, -width / 2, -gap - width), (gap / 2, -height / 2, -gap / 2 - height)
        for x, y in ((0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)):
            yield gap, (across[x], up[y])
        yield gap, (across[1], gap)
        yield gap, (across[1], -gap - height)
        gap *= 1.25


def _box(point: tuple[float, float], shift: tuple[float, float], size: tuple[float, float]) -> Box:
    left, low = point[0] + shift[0], point[1] + shift[1]
    return Box(left, low, left + size[0], low + size[1])


def _is_free(box: Box, taken: list[Box], frame: Box) -> bool:
    is_inside = (
        box.left >= frame.left
        and box.right <= frame.right
        and box.low >= frame.low
        and box.high <= frame.high
    )
    return is_inside and not any(box.meets(other) for other in taken)
