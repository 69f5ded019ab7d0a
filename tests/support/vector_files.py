"""An example of representations, as CSV, and a check of refusals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

H = np.random.default_rng(0).normal(size=(7, 3)).astype("f")
IDS = [f"u{i}" for i in range(7)]


def csv_of(h: np.ndarray, header: bool = True, ids: list[str] | None = None) -> str:
    """`h`, float32[N, D], as the text of a CSV file."""
    names = [f"h{i}" for i in range(h.shape[1])]
    rows = [list(map(repr, map(float, row))) for row in h]
    if ids:
        names = ["id", *names]
        rows = [[id_, *row] for id_, row in zip(ids, rows)]
    return "".join(",".join(row) + "\n" for row in ([names, *rows] if header else rows))


def refused(match: str, call: Callable, *arguments: Any) -> str:
    """The message of the error that `call(*arguments)` must raise, which matches `match`."""
    with pytest.raises((ValueError, FileNotFoundError), match=match) as error:
        call(*arguments)
    return str(error.value)
