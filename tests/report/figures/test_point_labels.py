"""Labels of points that lie close together can all be read."""

import itertools

import matplotlib
import pytest
from matplotlib.text import Text

from experiments.report.figures.point_labels import label_points
from experiments.report.figures.style import STYLE, framed


@pytest.mark.parametrize("spread", [0.002, 0.02, 0.2])
def test_no_label_lies_on_another_or_leaves_the_panel(spread):
    points = [(0.5 + spread * (i % 4), 0.5 + spread * (i * 7 % 5)) for i in range(12)]
    with matplotlib.rc_context(STYLE):
        figure, axes = framed(1, 2, 4.2, 3.4, share_y="none")
        ax = axes[0, 0]
        ax.plot(*zip((0.3, 0.3), (0.8, 0.9), *points), ls="", marker="o", ms=6)
        figure.draw_without_rendering()
        label_points(ax, {point: (f"0.{i}", "black") for i, point in enumerate(points)})
        figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # of the letters, not the line
    assert len(boxes) == 12
    panel = ax.get_window_extent()
    for box in boxes:
        assert panel.x0 - 2 <= box.x0 and box.x1 <= panel.x1 + 2
        assert panel.y0 - 2 <= box.y0 and box.y1 <= panel.y1 + 2
    assert not any(a.shrunk(0.9, 0.8).overlaps(b) for a, b in itertools.combinations(boxes, 2))
