"""lambda, the strength of the adversary: of each attribute, as text of a flag and in a table.

`--lambda` is one number for all private attributes, or one per attribute joined by + (0.5+1); 0
trains the ordinary network, without protection. The default is `--lambda=0,1`: the ordinary network
and a protected one of strength 1.

A `Config` holds {attribute: strength}. A cell of runs.csv holds a float where all attributes have
the same strength, else the text with one number per attribute.
"""

from collections.abc import Mapping, Sequence

from flax.core import FrozenDict

Strengths = FrozenDict[str, float]  # {attribute: strength}; hashable, as a setting of a run must be
Cell = float | str  # of the column `lambda`


def by_attribute(numbers: Sequence[float], attributes: Sequence[str]) -> Strengths:
    """The strength of every attribute.

    Args:
      numbers: one for all attributes, or one for each.

    Raises:
      ValueError: there are several numbers, and more or fewer than attributes.

    >>> dict(by_attribute([0.5, 1.0], ["gender", "speaker"]))
    {'gender': 0.5, 'speaker': 1.0}
    """
    if len(numbers) not in (1, len(attributes)):
        raise ValueError(
            f"--lambda={_joined(numbers)} has {len(numbers)} strengths and --private="
            f"{'+'.join(attributes)} {len(attributes)} attributes: give one strength, or one for "
            "each attribute"
        )
    if len(numbers) == 1:
        return FrozenDict(dict.fromkeys(attributes, float(numbers[0])))
    return FrozenDict(zip(attributes, map(float, numbers)))


def to_cell(strengths: Mapping[str, float]) -> Cell:
    """The cell of runs.csv: a float where all attributes have the same strength, else 0.5+1."""
    numbers = list(strengths.values())
    return numbers[0] if len({*numbers}) == 1 else _joined(numbers)


def exact_text(strengths: Mapping[str, float]) -> str:
    """The shortest text that `--lambda` reads as the same strengths: 0, 0.75, 0.5+1."""
    cell = to_cell(strengths)
    return cell if isinstance(cell, str) else _joined([cell])


def _joined(numbers: Sequence[float]) -> str:
    return "+".join(repr(float(number)).removesuffix(".0") for number in numbers)


def strengths(cell: Cell) -> tuple[float, ...]:
    """The numbers of a cell of runs.csv: 0.5 -> (0.5,), "0.5+1" -> (0.5, 1.0)."""
    return tuple(float(part) for part in str(cell).split("+"))


def is_zero(cell: Cell) -> bool:
    """Whether the cell is of an ordinary network, in which nothing is protected."""
    return not any(strengths(cell))


def lambda_text(cell: Cell) -> str:
    """A cell as tables and figures show it, in at most six digits: 0, 0.75, 0.5+1."""
    return "+".join(f"{strength:g}" for strength in strengths(cell))
