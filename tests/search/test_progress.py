"""How long a search trains what, and how its cost is told."""

import numpy as np
import pytest

from experiments.config.sweep import expand
from experiments.run.train_pack import Pace
from experiments.rungs import Rungs, kept, most_epochs, rungs_of, spent
from experiments.search.candidates import Score, going_on, questions, settings_of
from experiments.search.grid import networks_of
from experiments.search.progress import left, planned


def test_a_grid_is_a_single_rung():
    assert rungs_of("grid", "4,8", 3, 30) == Rungs((30,), 3)
    assert rungs_of("halving", "4, 8,16,40", 3, 30) == Rungs((4, 8, 16, 30), 3)
    assert [kept(Rungs((4, 8, 16, 30), 3), rung, 96) for rung in range(4)] == [32, 11, 4, 1]
    assert kept(Rungs((30,), 3), 0, 96) == 1 and kept(Rungs((4, 30), 3), 0, 1) == 1


@pytest.mark.parametrize(
    "text, eta, said",
    [
        ("8,4", 3, "--rungs=8,4: rising"),
        ("0,4", 3, "rising"),
        ("4,x", 3, "rising"),
        ("", 3, "rising"),
        ("4,4", 3, "rising"),
        ("4", 1, "--eta=1"),
        ("30,60", 3, "none is below --max_epochs=30"),
    ],
)
def test_rungs_that_drop_nothing_are_refused(text, eta, said):
    with pytest.raises(ValueError, match=said):
        rungs_of("halving", text, eta, 30)


def test_no_halving_trains_more_than_was_said(eta=2, folds=5):
    packs = expand({"learning_rate": "0.001,0.01", "num_kernels": "8,16,32", "seed": "0,1"})
    settings, rungs = settings_of(packs), Rungs((1, 3, 10), eta)
    asked = questions(settings)
    serve = networks_of(packs, settings)

    def networks(numbers):
        return len(set().union(*(serve[s] for s in numbers)))

    # Of each learning rate and seed two networks: posterior releases what the ordinary one has.
    every = range(len(settings))
    assert len(settings) == 3 * 2 * 3 and networks(every) == 3 * 2 * 2 * 2
    most = most_epochs(rungs, settings, asked, serve, folds)
    assert most[0] == 24 * folds and sum(most) < 24 * folds * 10
    for draw in range(20):
        rng, going, before = np.random.default_rng(draw), {*every}, 0
        for rung, until in enumerate(rungs.epochs):
            assert networks(going) * folds * (until - before) <= most[rung]
            scores = {s: Score(True, rng.random(), {}) for s in going}
            keep = {q: kept(rungs, rung, len(asked[q])) for q in asked}
            going, before = going_on(settings, going, scores, keep), until
        assert len(going) <= 3 + 2


def test_what_was_spent_counts_a_network_once():
    """Two packs of two networks; those of the second are dropped, one of the first stops early."""
    rows = [{"pack": p, "network": n, "rung": 2, "epochs": 2} for p in (0, 1) for n in (0, 1, 1)]
    rows += [{"pack": 0, "network": 0, "rung": 10, "epochs": 7}]
    rows += [{"pack": 0, "network": 1, "rung": 10, "epochs": 5}] * 2
    assert spent(rows, 4) == {
        "run_epochs": 7 + 5 + 2 + 2,
        "networks": 4,
        "finished": 2,
        "grid_at_most": 40,
        "grid_about": 24,
    }


def test_the_time_left_follows_the_speed_so_far():
    """2 run-epochs a second, half of those that could be; 10 s beside; 3 packs and 720 to come."""
    paces = [Pace(8.0, 50.0, 100, 200), Pace(12.0, 50.0, 100, 200)]
    assert "2 run-epochs/s, 10 s" in left(paces, 3, 720)
    assert "about 4 min left" in left(paces, 3, 720)
    assert "about 1 h 00 min left" in left(paces, 0, 14_400)
    assert "nothing was left" in left([Pace(1.0, 0.0, 0, 5)], 3, 100)


def test_the_plan_is_a_line_and_says_what_will_be_missing():
    packs = expand({"num_kernels": "8,16", "lambda_": "0.5,1"})
    settings = settings_of(packs)
    line, note = planned(Rungs((4, 30), 3), settings, 2, 60, [240, 520])
    assert "8 settings, 60 networks in 2 packs" in line and "6 programs" in line
    assert "at most 760 run-epochs" in line and "one setting of 3" in line and "1,800" in line
    assert "no ordinary network" in note
    assert (
        len(planned(Rungs((30,), 3), settings_of(expand({"num_kernels": "8,16"})), 2, 9, [9])) == 1
    )
