"""Which networks are picked: by words, and among what they leave, by validation."""

import pytest

from experiments.config.settings import FIELDS, flag_name
from experiments.results.picked import parse_words, pick
from tests.support.result_rows import ROWS, run

DEFAULTS = {flag_name(name): field.default for name, field in FIELDS.items()}
RECIPE = {"recipe": "posterior"}


def filled(rows):
    """Rows with all settings, as runs.csv has them: no recipe where nothing is protected."""
    return [DEFAULTS | {"recipe": "posterior" if row["lambda"] else "none"} | row for row in rows]


def test_words_are_settings_with_values():
    assert parse_words("recipe=posterior, lambda=1,seed=0") == {
        "recipe": "posterior",
        "lambda": "1",
        "seed": "0",
    }
    assert parse_words("") == {}
    for text, message in (
        ("posterior", "'posterior' is no setting and value"),
        ("recipe=", "is no setting and value"),
        ("rcipe=a", r"no setting 'rcipe' \(did you mean recipe\?\)"),
        ("seed=0,seed=1", "seed stands there twice"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_words(text)


def test_validation_picks_the_best_emotion_within_the_leak():
    """Never by test scores, by which lambda 0.5 and lambda 0 are better than others."""
    picked = pick(filled(ROWS), {})
    assert [(row["lambda"], row["fold"]) for row in picked.rows] == [(0.5, 0), (0.5, 1)]
    assert picked.notes == [
        "validation picks recipe=posterior,lambda=0.5 of 2 protected settings (recipe none is not "
        "counted) by the rule emotion_within_leak (emotion UAR 0.600 and attacker of gender 0.520 "
        "on validation speakers); seed 0"
    ]
    leaking = [run(2.0, fold, val=(0.9, 0.9), emotion=0.9, gender=0.9) for fold in range(2)]
    assert pick(filled([*ROWS, *leaking]), {}).rows[0]["lambda"] == 0.5
    better = [run(2.0, fold, val=(0.7, 0.55), emotion=0.1, gender=0.9) for fold in range(2)]
    assert pick(filled([*ROWS, *better]), {}).rows[0]["lambda"] == 2.0


def test_words_narrow_the_choice():
    for words, lambda_ in (
        ({"lambda": "1"}, 1.0),
        ({"lambda": "1.0", "recipe": "posterior"}, 1.0),
        ({"recipe": "none"}, 0.0),
        ({"lambda": "0"}, 0.0),
        ({"fold": "1"}, 0.5),
    ):
        rows = pick(filled(ROWS), words).rows
        assert {row["lambda"] for row in rows} == {lambda_}
        assert len(rows) == (1 if "fold" in words else 2)
    with pytest.raises(ValueError, match=r"no run has lambda=3: lambda is 1, 0, 0\.5"):
        pick(filled(ROWS), {"lambda": "3"})


def test_the_first_seed_is_taken_since_scores_pick_none():
    rows = [run(1.0, fold, seed, val=(0.5 + seed / 10, 0.5)) for seed in (3, 1) for fold in (0, 1)]
    picked = pick(filled(rows), {})
    assert {row["seed"] for row in picked.rows} == {1} and len(picked.rows) == 2
    assert picked.notes[0].startswith("picked recipe=posterior,lambda=1, the only setting left")
    assert picked.notes[0].endswith("seed 1, the first of 2")
    assert {row["seed"] for row in pick(filled(rows), {"seed": "3"}).rows} == {3}


def test_different_questions_are_not_compared():
    rows = filled([run(1.0, task=task) for task in ("activation", "valence")])
    with pytest.raises(ValueError, match=r"task is activation, valence\. Say which: --pick=task=a"):
        pick(rows, {})
    assert pick(rows, {"task": "valence"}).rows[0]["task"] == "valence"


def test_what_is_not_sound_or_transductive_is_the_last_choice_and_said():
    good = [run(1.0, fold, val=(0.4, 0.5)) for fold in range(2)]
    collapsed = [run(2.0, fold, val=(0.9, 0.5), collapsed=fold == 1) for fold in range(2)]
    rows = filled([*good, *collapsed])
    assert pick(rows, {}).rows[0]["lambda"] == 1.0
    notes = pick(rows, {"lambda": "2"}).notes
    assert (
        notes[1] == "not sound: fold 1 collapsed or diverged; its figures do not count as privacy"
    )
    states = [run(1.0, recipe="keep+transductive", val=(0.9, 0.5))]
    assert pick(filled([*good, *states]), {}).rows[0]["recipe"] == "posterior"
    picked = pick(filled([*good, *states]), {"recipe": "keep+transductive"})
    assert "states of persons are of the utterances that were scored" in picked.notes[1]
    with pytest.raises(ValueError, match="all of these runs diverged"):
        pick(filled([run(1.0, diverged=True)]), {})
