"""The health of a training: lengths, and adversaries that stood at chance."""

import pytest

from experiments.run.health import lagging, lengths


def settings(**changes):
    plain = {"defence": "grl", "private": "gender+accent", "lambda": "0.5+0", "batch_size": 32}
    return plain | changes


@pytest.mark.parametrize(
    ("changes", "gender", "accent", "expected"),
    [
        ({}, 0.50, 0.9, True),
        ({}, 0.55, 0.33, False),  # nobody resists the accent
        ({"lambda": "0+0.5"}, 0.50, 0.34, True),
        ({"lambda": "0+0.5"}, 0.50, 0.36, False),
        ({"defence": "mmd"}, 0.50, 0.33, False),  # which does not depend on an adversary
        ({"defence": "uniform"}, 0.45, 0.33, True),
        ({"defence": "none", "lambda": "0+0"}, 0.50, 0.33, False),
    ],
)
def test_an_adversary_lags_that_is_resisted_and_at_chance_in_training(
    changes, gender, accent, expected
):
    scores = {"train_gender_adversary_uar": gender, "train_accent_adversary_uar": accent}
    assert lagging(settings(**changes), scores, {"gender": 2, "accent": 3}) == expected


def test_lengths_are_of_whole_epochs():
    assert lengths(settings(), 4, 100) == {"chosen_step": 16, "chosen_utterances": 400}
