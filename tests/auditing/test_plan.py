"""A plan is made of labels alone, and says when an audit cannot succeed."""

import json

import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.plan import plan
from privrep.cli import main

SPEAKER = np.repeat(np.arange(40), 10)
LABELS = {"speaker": SPEAKER, "gender": np.array(["f", "m"])[SPEAKER % 2]}


def test_forty_speakers_are_too_few_for_a_limit_of_060_and_enough_for_075():
    strict, lax = (plan(LABELS, "gender", fail_above=limit) for limit in (0.60, "50%"))
    assert strict.speakers == 40 and strict.speakers_per_class == {"female": 20, "male": 20}
    assert strict.chance_to_pass < 0.05 and 80 < strict.speakers_needed < 200
    # The verdict "no leak shown" has a limit of its own, which is lower here.
    assert lax.limit == strict.limit == pytest.approx(0.6)
    wide = plan(LABELS, "gender", fail_above="50%", options=AuditOptions(limit=0.3))
    assert wide.limit == pytest.approx(0.75) and wide.chance_to_pass > 0.9
    assert wide.speakers_needed < 40
    assert "66 times in 100 from one utterance" in strict.in_words
    assert repr(strict).startswith("AuditPlan(attribute='gender', speakers=40, utterances=400, ")
    assert len(repr(strict)) < 150


def test_a_rare_class_never_passes():
    few = {"speaker": SPEAKER, "gender": np.where(SPEAKER < 5, "f", "m")}
    planned = plan(few, "gender")
    assert planned.chance_to_pass == 0 and planned.speakers_needed >= 80
    assert any("A class has 5 speakers; under 10" in note for note in planned.notes)


def test_a_number_is_planned_in_its_bins_and_wrong_labels_are_refused():
    ages = {"speaker": SPEAKER, "age": 20 + SPEAKER}
    assert [*plan(ages, "age").speakers_per_class.values()] == [20, 20]
    with pytest.raises(ValueError, match="has no column 'gendr'"):
        plan(LABELS, "gendr")
    with pytest.raises(ValueError, match=r"from 0\.5 to 1"):
        plan(LABELS, "gender", fail_above=0.3)


def test_the_command_prints_and_writes_it(tmp_path, capsys):
    lines = [f"u{i},s{s},{'fm'[s % 2]}" for i, s in enumerate(SPEAKER)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,speaker,gender", *lines]))
    flags = ["--attribute=gender", "--fail-above=0.60", f"--output={tmp_path / 'out'}"]
    assert main(["plan", str(tmp_path / "labels.csv"), *flags]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "What could an audit of gender show?\n  40 speakers (female 20, male 20)"
    )
    written = json.loads((tmp_path / "out" / "plan.json").read_text("utf-8"))
    assert written["speakers"] == 40 and 0.6 < written["expected"]["upper"] < 0.7
    assert main(["plan", str(tmp_path / "nothing.csv"), "--attribute=gender"]) == 2


def test_a_plan_says_nothing_of_rows_joined_though_labels_have_ids():
    ids = [f"u{i}" for i in range(len(SPEAKER))]
    planned = plan(LABELS | {"id": ids}, "gender")
    assert (
        not [note for note in planned.notes if "joined" in note]
        and "row by row" not in planned.in_words
    )
    assert planned == plan(LABELS, "gender")
