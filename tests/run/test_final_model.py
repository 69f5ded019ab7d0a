"""How long the network of all speakers is trained, and what --final refuses; test_main_models.py
trains such networks."""

import pytest

from experiments import export_model, few_enrolled
from experiments.run.final_model import Steps, settings_of, steps_of
from privrep.training.problem import FitSettings, length

SETTINGS = FitSettings(batch_size=32, max_epochs=60, patience=10, min_epochs=30)


def row(step, epoch, diverged=False):
    return {"chosen_step": step, "best_epoch": epoch, "diverged": diverged}


def test_the_steps_are_the_median_of_the_folds_that_did_not_diverge():
    rows = [row(400, 40), row(330, 30), row(484, 44), row(99, 9, diverged=True), row(0, 0)]
    assert steps_of(rows, SETTINGS) == Steps(chosen=400, most=660, networks=3)
    in_steps = SETTINGS._replace(max_steps=500)
    assert steps_of(rows[:2], in_steps) == Steps(chosen=365, most=503, networks=2)  # 500 and 506
    with pytest.raises(ValueError, match="all folds diverged"):
        steps_of(rows[3:], SETTINGS)


def test_the_final_network_ends_at_these_steps_and_nothing_ends_it_before():
    settings = settings_of(SETTINGS, Steps(400, 660, 3), per_epoch=14)
    assert [int(of) for of in length(settings, 14 * 32)] == [29, 29]  # 406 steps
    assert settings.schedule_steps == 660
    by_steps = SETTINGS._replace(max_steps=900, min_steps=300)
    assert settings_of(by_steps, Steps(400, 660, 3), per_epoch=14) == settings
    assert settings_of(SETTINGS, Steps(3, 660, 1), per_epoch=14).max_epochs == 1


def test_what_cannot_be_done_with_the_final_network_is_refused(capsys):
    for flags, message in (
        (["--final", "--format=onnx", "--audit"], "was trained on every speaker"),
        (["--license=CC BY"], "an identifier that model hubs read"),
        (["--language=English"], "codes of ISO 639"),
    ):
        with pytest.raises(SystemExit):
            export_model.parse(["out/demo", *flags])
        assert message in capsys.readouterr().err
    for words in ("5,ten", "", "-1"):
        with pytest.raises(SystemExit):
            few_enrolled.parse(["out/demo", f"--utterances={words}"])
        assert "whole numbers joined by commas expected" in capsys.readouterr().err
    assert few_enrolled.parse(["out/demo", "--utterances=10, 0,10"]).utterances == [0, 10]
