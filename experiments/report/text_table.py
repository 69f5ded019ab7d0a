"""Tables in plain text, their columns aligned."""

from collections.abc import Sequence


def aligned(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table for a terminal; what is left of "lambda" in the header are words."""
    cells = [header, *filter(None, lines)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]

    def aligned(line: Sequence[str]) -> str:
        sides = zip(_is_word(header), line, widths)
        row = (cell.ljust(width) if word else cell.rjust(width) for word, cell, width in sides)
        return "  ".join(row).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return [aligned(header), rule, *map(aligned, lines), rule]


def _is_word(header: Sequence[str]) -> list[bool]:
    left = header.index("lambda")
    words = ("attribute", "UAR of", "attacker has")
    return [i < left or name in words for i, name in enumerate(header)]
