"""One representation in every file format, and refusals of damaged ones."""

import numpy as np
import pytest

H = np.random.default_rng(0).normal(size=(7, 3)).astype("f")
IDS = [f"u{i}" for i in range(7)]


def csv_of(h, header=True, ids=None):
    names = [*(["id"] if ids else []), *(f"h{i}" for i in range(h.shape[1]))]
    rows = [[*([ids[i]] if ids else []), *map(repr, map(float, row))] for i, row in enumerate(h)]
    return "".join(",".join(row) + "\n" for row in [names] * header + rows)


def refused(match, call, *arguments):
    with pytest.raises((ValueError, FileNotFoundError), match=match) as error:
        call(*arguments)
    return str(error.value)
