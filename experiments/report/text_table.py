"""Tables as plain text with aligned columns, for a terminal."""

from collections.abc import Sequence


def aligned(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, with rules above and below its body; an empty line stays empty.

    >>> print("\\n".join(aligned(["network", "UAR"], [["paper, λ 1", "0.5"], ["raw", "0.75"]])))
    network      UAR
    ----------  ----
    paper, λ 1   0.5
    raw         0.75
    ----------  ----
    """
    cells = [header, *filter(None, lines)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    sides = ["<" if word else ">" for word in is_word(header)]
    texts = [
        "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths)
        ).rstrip()
        for line in [header, *lines]
    ]
    rule = "  ".join("-" * width for width in widths)
    return [texts[0], rule, *texts[1:], rule]


def is_word(header: Sequence[str]) -> list[bool]:
    """For each column, whether its cells are words, which are aligned left.

    They are in the columns before "network" (or before "lambda", where the recipe has a column of
    its own; or, of two systems, before the "first" score) and in some that are known by name.
    """
    left = next(
        (header.index(name) for name in ("first", "network", "lambda") if name in header), 0
    )
    words = (
        "network",
        "attribute",
        "score of",
        "attacker has",
        "recall by class",
        "gap",
        "task read",
        "score",
    )
    return [i < left or name in words for i, name in enumerate(header)]
