"""The rule of the default recipe: chooses by validation speakers, and says when none passes."""

import pytest

from experiments.report.choice import RecipeCandidate, candidates, chosen, main, table
from tests.support.result_rows import control, run


def row(recipe, emotion, leak, valence=0.6, lambda_=1.0, **changed):
    """Of the validation speakers; the test speakers would have chosen another."""
    scores = {"emotion_pooled_uar": emotion, "valence_read_uar": valence}
    scores |= {"gender_pooled_uar": 0.5 + leak, "gender_pooled_20_utterances_uar": 0.55 + leak}
    columns = {f"validation_{name}": score for name, score in scores.items()}
    return run(lambda_, recipe=recipe, **columns, gender_pooled_uar=1 - leak) | changed


NONE = row("none", 0.5, 0.3, lambda_=0.0)


def test_the_least_leak_among_those_that_keep_emotion_and_other_tasks_is_chosen():
    rows = [
        NONE,
        row("keep", 0.485, 0.1),
        row("leads", 0.49, 0.2),
        row("paper", 0.47, 0.0),  # loses emotion
        row("posterior", 0.5, 0.01, valence=0.56),  # loses another task
        row("strong", 0.5, 0.0, lagging=True),
        row("whitened", 0.5, 0.0),  # no candidate
    ]
    made = candidates([*rows, control("raw", 0.8)])
    assert [c.recipe for c in made if c.passes] == ["keep", "leads"] and chosen(made) == "keep"
    assert made[0].emotion == pytest.approx(-0.015) and made[0].others == {"valence": 0.0}
    assert (made[0].from_one, made[0].from_20) == pytest.approx((0.1, 0.15))
    assert "The rule chooses keep." in table(made)


def test_networks_count_alike_and_a_tasks_own_reading_is_no_other_task():
    """One network of four rows, another of one: the mean is over networks."""
    other = {"dataset": "ravdess", "task": "valence"}
    rows = [NONE, *[row("keep", 0.48, 0.1)] * 4, NONE | other, row("keep", 0.5, 0.3) | other]
    (made,) = candidates([*rows, row("paper", 0.5, 0.0)])  # paper is in one network alone
    assert made.emotion == pytest.approx(-0.01) and made.from_one == pytest.approx(0.2)
    assert made.others == {"valence": 0.0}


def test_where_none_passes_the_last_resort_stays():
    made = candidates([NONE, row("keep", 0.4, 0.1), row("keep", 0.4, 0.2, lambda_=0.5)])
    assert [c.recipe for c in made] == ["keep", "keep 0.5"] and chosen(made) == "posterior"
    assert chosen([RecipeCandidate("keep", -0.02, {"valence": -0.03}, 0.1, 0.1, 0)]) == "keep"


def test_results_without_validation_scores_or_lambda_0_are_refused(tmp_path, capsys):
    with pytest.raises(ValueError, match="--validation_scores=on"):
        candidates([NONE, run(1.0, recipe="keep")])
    with pytest.raises(ValueError, match="--lambda=0,1"):
        candidates([row("keep", 0.5, 0.1)])
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert "holds no runs.csv" in capsys.readouterr().err
