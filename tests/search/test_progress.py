"""The plan of a search, its cost, and the time that is left of it."""

from experiments.config.sweep import expand
from experiments.run.train_pack import Pace
from experiments.search.candidates import candidates_of
from experiments.search.grid import networks_of, spent
from experiments.search.progress import left, planned


def test_candidates_that_differ_after_training_share_a_network():
    packs = expand({"learning_rate": "0.001,0.01", "num_kernels": "8,16,32", "seed": "0,1"})
    candidates = candidates_of(packs)
    networks = networks_of(packs, candidates)
    # Of each learning rate and seed two networks: posterior releases what the ordinary one has.
    assert len(candidates) == 3 * 2 * 3
    assert len(set().union(*networks)) == 3 * 2 * 2 * 2


def test_what_was_spent_counts_a_network_once():
    """Two packs of two networks, of which some stop early."""
    epochs = {(0, 0): 7, (0, 1): 5, (1, 0): 10, (1, 1): 2}
    rows = [{"pack": p, "network": n, "epochs": e} for (p, n), e in epochs.items()]
    assert spent([*rows, rows[1], rows[3]], 4, 10) == {
        "run_epochs": 7 + 5 + 10 + 2,
        "networks": 4,
        "run_epochs_limit": 40,
    }


def test_the_time_left_follows_the_speed_so_far():
    """2 run-epochs a second, half of those that could be; 10 s beside; 3 packs and 720 to come."""
    paces = [Pace(8.0, 50.0, 100, 200), Pace(12.0, 50.0, 100, 200)]
    assert "2 run-epochs/s, 10 s" in left(paces, 3, 720)
    assert "about 4 min left" in left(paces, 3, 720)
    assert "about 1 h 00 min left" in left(paces, 0, 14_400)
    assert "nothing was left" in left([Pace(1.0, 0.0, 0, 5)], 3, 100)


def test_the_plan_is_a_line_and_says_what_will_be_missing():
    candidates = candidates_of(expand({"num_kernels": "8,16", "lambda_": "0.5,1"}))
    line, note = planned(candidates, 2, 60, 30)
    assert "8 settings, 60 networks in 2 packs" in line and "6 programs" in line
    assert "at most 1,800 run-epochs" in line
    assert "no ordinary network" in note
    assert len(planned(candidates_of(expand({"num_kernels": "8,16"})), 2, 9, 30)) == 1
