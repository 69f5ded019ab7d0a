"""Which utterances are in which part of a fold, as a list of all says."""

import numpy as np

from privrep.leakage.fold_sample import FoldRows, fold_that_tests
from privrep.types import Split


def test_rows_of_folds_are_those_of_a_list():
    rng = np.random.default_rng(0)
    part_of = rng.integers(1, 4, (3, 40))  # 0 tested, 1 validation, 2 training, 3 in none
    tests = rng.integers(-1, 3, 40)  # no utterance is tested twice
    for k in range(3):
        part_of[k, tests == k] = 0
    split = Split(train=part_of == 2, val=part_of == 1, test=part_of == 0)
    np.testing.assert_array_equal(fold_that_tests(split), tests)
    rows = rng.permutation(40)[:30]
    for k in range(3):
        expected = [(i, part_of[k, row]) for i, row in enumerate(rows) if part_of[k, row] < 3]
        assert list(zip(*FoldRows.of(split, k, rows))) == expected
