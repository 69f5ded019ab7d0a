"""Jobs that are killed at any moment and resumed leave what undisturbed ones do."""

import pytest

from tests.support.kills import JOBS, run_kills


@pytest.mark.long
def test_a_killed_job_leaves_what_an_undisturbed_one_does(tmp_path):
    (tally,) = run_kills(tmp_path, ["export"], kills=3, seed=0).values()
    assert (tally.kills, tally.lost, tally.doubled, tally.differing) == (3, 0, 0, ())


@pytest.mark.by_hand
@pytest.mark.parametrize("job", JOBS)
def test_every_job_many_times(tmp_path, job):
    """`python -m tests.support.kills --seed=1` prints the figures of other moments."""
    (tally,) = run_kills(tmp_path, [job], kills=20, seed=0).values()
    assert (tally.kills, tally.lost, tally.doubled, tally.differing) == (20, 0, 0, ())
