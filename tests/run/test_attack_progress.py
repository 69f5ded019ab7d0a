"""While a pack is attacked it is said who reads what, and trackers are handed the scores."""

import numpy as np

from experiments.run.attack_progress import attack_progress

NETWORKS = [
    {"recipe": "none", "lambda": 0.0, "seed": 0},
    {"recipe": "paper", "lambda": 1.0, "seed": 0},
]


def test_attacker_attribute_and_network_are_said_and_scores_are_logged(capsys):
    logged = []
    with attack_progress("[1/2]", 5, NETWORKS, lambda *args: logged.append(args)) as progress:
        progress.stage("computing h")
        of_gender = progress.fresh("gender")
        of_gender("lda", {})
        of_gender("lda", {"val": np.float32([0.6, 0.7, 0.5]), "test": np.float32([0.8, 0.9, 0.5])})
        progress.network("gender", NETWORKS[1], "")
        progress.network("gender", NETWORKS[0], "untrained")
    shown = capsys.readouterr().err
    for text in (
        "[1/2]: attack",
        "gender: lda on all networks",
        "gender: permutation test on paper, λ 1",
        "gender: permutation test on untrained",
        "5/5",
    ):
        assert text in shown
    ((number, scores),) = logged
    assert number == 1 and {*scores} == {"val_gender_lda_uar", "test_gender_lda_uar"}
    np.testing.assert_allclose(scores["test_gender_lda_uar"], [0.8, 0.9])  # networks, no control


def test_several_seeds_are_told_apart_and_verification_has_its_column(capsys):
    rows = [row | {"seed": seed} for seed in (0, 1) for row in NETWORKS]
    logged = []
    with attack_progress("t", 2, rows, lambda *args: logged.append(args)) as progress:
        progress.network("gender", rows[3], "")
        progress.fresh("speaker")("verification", {})
        progress.fresh("speaker")("verification", {"test": np.float32([0.5] * 4)})
    assert "paper, λ 1, seed 1" in capsys.readouterr().err
    assert [*logged[0][1]] == ["test_speaker_attacker_uar"]


def test_a_process_that_shows_no_bar_hands_the_scores_on_all_the_same(capsys, monkeypatch):
    """The second of several processes, and the tasks of an engine."""
    monkeypatch.setattr("experiments.run.attack_progress.is_first", lambda: False)
    logged = []
    with attack_progress("t", 3, NETWORKS, lambda *args: logged.append(args)) as progress:
        progress.stage("computing h")
        progress.network("gender", NETWORKS[1], "")
        progress.fresh("gender")("lda", {"test": np.float32([0.5, 0.5])})
    assert not capsys.readouterr().err and len(logged) == 1
