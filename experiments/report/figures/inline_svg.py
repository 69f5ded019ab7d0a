"""A figure as SVG that stands in a page: it takes the page's colour and letters, light or dark."""

import io
import re
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

# Letters stay letters, and what is the same has the same name, whenever it is drawn.
_AS_TEXT: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "privrep"}
_STYLE = "max-width:100%;height:auto;stroke-linejoin:round;fill:currentColor"
_COLOURS = {"#000000": "currentColor", "#e6e6e6": "#88888850"}  # of lines and letters, of the grid


def inline_svg(figure: Figure, name: str, caption: str) -> str:
    """The <svg> of a figure whose layout is made.

    Args:
      figure: as `style.save` left it.
      name: of the figure, unique in the page.
      caption: its text for those who do not see it, and what is shown where a mouse rests.
    """
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
    # Names of clips and marks are of the whole page.
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    label = escape(caption)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{size[0]} role="img" aria-label="{label}" style="{_STYLE}"><title>{label}</title>{body}'
    ).strip()
