"""Compiled programs are freed before the process has too many memory mappings."""

import jax
import numpy as np
import pytest

from experiments.run import compiled_programs
from experiments.run.compiled_programs import free_programs


@pytest.mark.parametrize("most, stays", [(3, False), (10**9, True)])
def test_programs_are_freed_before_there_are_too_many_mappings(tmp_path, monkeypatch, most, stays):
    limit = tmp_path / "max_map_count"
    limit.write_text(f"{most}\n")
    monkeypatch.setattr(compiled_programs, "_MOST_MAPPINGS", limit)
    program = jax.jit(lambda x: x * 2 + 1)
    program(np.zeros(3))
    free_programs()
    assert (program._cache_size() > 0) == stays
    assert program(np.zeros(3))[0] == 1  # it is compiled again where it was freed


def test_where_mappings_cannot_be_counted_programs_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled_programs, "_MAPPINGS", tmp_path / "none")
    free_programs()
