"""A figure as SVG that stands in a page: it takes the page's colour and letters, light or dark."""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Letters stay letters, and what is the same has the same name, whenever it is drawn.
_AS_TEXT: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "privrep"}
_STYLE = "max-width:100%;height:auto;stroke-linejoin:round;fill:currentColor"
# Of lines and letters, of the grid, and of hollow marks, which else look filled on a dark page.
_COLOURS = {
    "#000000": "currentColor",
    "#e6e6e6": "#88888850",
    "#ffffff": "var(--page, #fff)",
}
_NAMED = "named"  # begins the id of a line whose points have names


def inline_svg(figure: Figure, name: str, caption: str) -> str:
    """The <svg> of a figure whose layout is made.

    A point that has a name shows it where a pointer rests on it; the text for those who do not see
    the figure lists them all.

    Args:
      figure: as `style.save` left it, its points named by `style.name_points`.
      name: of the figure, unique in the page.
      caption: what the figure shows, which is also shown where a pointer rests beside all points.
    """
    lines = [line for ax in figure.axes for line in _named_lines(ax)]
    for i, line in enumerate(lines):
        line.set_gid(f"{_NAMED}{i}")
    text = io.StringIO()
    with rc_context(_AS_TEXT):
        figure.savefig(
            text, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    _, root, body = re.split(r"(<svg[^>]*>)", text.getvalue(), maxsplit=1)
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt" viewBox="[^"]*"', root)
    assert size is not None  # matplotlib writes its size in points
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", body)
    for drawn, shown in _COLOURS.items():
        body = body.replace(drawn, shown)
    body = "".join(_with_titles(group, lines) for group in re.split(r'(?=<g id=")', body))
    # Names of clips and marks are of the whole page.
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    title = " ".join(figure.get_suptitle().split())
    in_words = escape(". ".join(filter(None, [caption, title, *_panels_in_words(figure)])))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{size[0]} role="img" aria-label="{in_words}" style="{_STYLE}">'
        f"<title>{escape(caption)}</title>{body}"
    ).strip()


def _named_lines(ax: Axes) -> list[Line2D]:
    """Those whose label is not one of matplotlib's own."""
    return [line for line in ax.lines if not str(line.get_label()).startswith("_")]


def _names(line: Line2D) -> list[str]:
    return str(line.get_label()).split("\n")


def _with_titles(group: str, lines: Sequence[Line2D]) -> str:
    """A group of the SVG; if it is a named line, every mark has a <title>, or else the line."""
    opened = re.match(rf'<g id="{_NAMED}(\d+)">', group)
    if opened is None:
        return group
    names = [f"<title>{escape(name)}</title>" for name in _names(lines[int(opened[1])])]
    if "<use " not in group:
        return opened[0] + names[0] + group[opened.end() :]
    titles = iter(names)
    return re.sub(r"(<use [^>]*)/>", lambda use: f"{use[1]}>{next(titles)}</use>", group)


def _panels_in_words(figure: Figure) -> Iterator[str]:
    """For each panel what it shows, and the names of its points, which hold their numbers."""
    places = {ax: ax.get_subplotspec() for ax in figure.axes}
    top = {of.colspan.start: ax.get_title() for ax, of in reversed(places.items()) if of}
    left = {of.rowspan.start: ax.get_ylabel() for ax, of in reversed(places.items()) if of}
    for ax, place in places.items():
        counts = [Counter(_names(line)) for line in _named_lines(ax)]
        if counts and place is not None:
            # Panels of a column share its title, those of a row its axis.
            title = ax.get_title() or top[place.colspan.start]
            axis = ax.get_ylabel() or left[place.rowspan.start]
            heading = ", ".join(" ".join(text.split()) for text in (title, axis) if text)
            points = {
                f"{name}, {n} points" if n > 1 else name: None
                for of_line in counts
                for name, n in of_line.items()
            }
            yield f"{heading}: {'; '.join(points)}"
